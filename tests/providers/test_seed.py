"""First-boot data: the texts, and an image that holds them under the label cloud-init looks for."""

import io
from dataclasses import replace

import pycdlib
import yaml

from controlplane.execution.seed_text import render_seed
from controlplane.model.plan import PlannedAccess
from controlplane.providers.seed import seed_iso
from tests.providers.test_definitions import MACHINE

ACCESS = PlannedAccess(user="kasumi", authorized_keys=("ssh-ed25519 AAAA me@here",), identity_file="", ssh_config="")


def test_texts(golden):
    seed = render_seed(MACHINE, ACCESS)
    golden("seed.txt", "\n--\n".join((seed.user_data, seed.meta_data, seed.network_config)))


def test_nothing_in_an_inventory_breaks_out_of_its_place():
    key = 'ssh-ed25519 AAAA "\nruncmd: [touch, /owned] #'
    seed = render_seed(replace(MACHINE, id="a: b"), replace(ACCESS, authorized_keys=(key,)))
    user_data = yaml.safe_load(seed.user_data)
    assert "runcmd" not in user_data
    assert user_data["users"][0]["ssh_authorized_keys"] == [key]
    assert yaml.safe_load(seed.meta_data)["local-hostname"] == "a: b"


def test_network_is_matched_by_mac_with_one_way_out():
    config = yaml.safe_load(render_seed(MACHINE, ACCESS).network_config)
    cards = list(config["ethernets"].values())
    assert [card["match"]["macaddress"] for card in cards] == ["52:54:00:29:8a:11", "52:54:00:29:8a:12"]
    assert [card["addresses"] for card in cards] == [["192.0.2.9/24"], ["198.51.100.9/24"]]
    assert cards[0]["routes"] == [{"to": "default", "via": "192.0.2.1"}]
    assert "routes" not in cards[1]


def test_image():
    seed = render_seed(MACHINE, ACCESS)
    image = pycdlib.PyCdlib()
    image.open_fp(io.BytesIO(seed_iso(seed)))
    assert image.pvd.volume_identifier.strip() == b"cidata"
    for name, text in (("user-data", seed.user_data), ("meta-data", seed.meta_data), ("network-config", seed.network_config)):
        content = io.BytesIO()
        image.get_file_from_iso_fp(content, rr_path=f"/{name}")
        assert content.getvalue() == text.encode()
    image.close()
