"""A server that somebody made in a real cloud, on a volume, comes under management, is kept, and is let go of; it is never stopped or deleted."""

import json
import secrets
from hashlib import sha256

import pytest

from controlplane.model.plan import PlannedImage
from controlplane.model.resources import Resources
from controlplane.providers.openstack_image import ensure_image
from tests.openstack.world import clear, make_world

pytestmark = [pytest.mark.lab, pytest.mark.slow]

NAME, MAC, ADDRESS = "before-us", "fa:16:3e:ad:09:7e", "10.77.20.200"
_SERVER = """
      hosts:
        old-ledger:
          kasumi_server:
            kind: virtual
            size: {{vcpus: 1, memory: 512MiB, disk: 1GiB}}
            disposition: rehost
            network: mof
            address: {address}
            mac: {mac}
            source: {{uri: "openstack://{cloud}/az1", domain: {name}}}
"""
_MACHINES = """          tier: standard
          machines:
"""


@pytest.fixture(scope="module")
def world(running_cloud, tmp_path_factory):
    """An inventory of one server that stands in the cloud already, on a network that the inventory names."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OS_CLIENT_CONFIG_FILE", str(running_cloud.clouds_yaml))
        estate = f"adopt-{secrets.token_hex(2)}"
        made = make_world(
            tmp_path_factory.mktemp("adopt"), estate, running_cloud.clouds_yaml, running_cloud.member, running_cloud.admin
        )
        network = f"{estate}-theirs"
        text = (made.folder / "inventory" / "hosts.yml").read_text(encoding="utf-8")
        wanted = text[: text.index(_MACHINES)] + _SERVER.format(address=ADDRESS, mac=MAC, cloud=running_cloud.member, name=NAME)
        (made.folder / "inventory" / "hosts.yml").write_text(wanted.replace("{mof: ''}", f"{{mof: {network}}}"), encoding="utf-8")
        hand = made.hand
        try:
            image = made.folder / "empty.qcow2"
            digest = sha256(image.read_bytes()).hexdigest()
            image_id = ensure_image(
                hand.cloud, PlannedImage(id="empty", file=str(image), format="qcow2", sha256=digest, os="none")
            )
            hand.make_other_network(network)
            body = {"network_id": hand.network(network)["id"], "cidr": "10.77.20.0/24", "ip_version": 4}
            hand.cloud.post("network", "/subnets", {"subnet": body})
            port = {"network_id": hand.network(network)["id"], "mac_address": MAC, "fixed_ips": [{"ip_address": ADDRESS}]}
            made_port = hand.cloud.post("network", "/ports", {"port": port})["port"]
            size = Resources(vcpus=1, memory_mib=512, disk_gib=1)
            root = {"boot_index": 0, "source_type": "image", "destination_type": "volume", "volume_size": 1}
            root |= {"uuid": image_id, "delete_on_termination": True}
            where = {"networks": [{"port": made_port["id"]}], "availability_zone": "az1"}
            hand.boot(NAME, size, imageRef="", block_device_mapping_v2=[root], **where)
            yield made
        finally:
            for server in hand.servers():
                if server["name"] == NAME:
                    hand.remove_foreign(NAME)
            hand.remove_network(network)
            clear(made)


def state(world):
    return world.hand.without_mark(NAME), world.hand.boots(NAME)


def marked(world):
    return [server["name"] for server in world.ours()]


def test_from_foreign_to_kept_and_back(world):
    before = state(world)
    shown = json.loads(world.kasumi("adopt", "cloud-1", "--dry-run", "-o", "json").stdout)
    assert [(row["machine"], row["found"]) for row in shown["machines"]] == [("old-ledger", NAME)]
    assert [row["what"] for row in shown["differences"]] == [f"security groups of {MAC}"]
    assert (state(world), marked(world)) == (before, [])

    assert "1 adopted" in world.kasumi("adopt", "cloud-1", "--yes").stderr
    assert (state(world), marked(world)) == (before, [NAME])
    world.kasumi("adopt", "cloud-1", "old-ledger", "--release")
    assert (state(world), marked(world)) == (before, [])
    world.kasumi("adopt", "cloud-1", "old-ledger", "--yes")

    world.kasumi("plan", "-o", world.plan)
    done = world.kasumi("apply", world.plan)
    assert f"security groups of {MAC}" in done.stdout
    assert "reconcile: nothing to do" in world.kasumi("reconcile", "--once").stderr
    assert world.hand.boots(NAME) == before[1]
    kept = state(world)

    world.edit("hosts.yml", "disposition: rehost", "lease: {until: 2026-01-31, at_end: stop}\n            disposition: rehost")
    assert "lease of old-ledger ended on 2026-01-31; it is kept stopped" in world.kasumi("plan", "-o", world.plan).stderr
    world.kasumi("apply", world.plan)
    assert world.hand.server(NAME)["status"] == "SHUTOFF"
    ended = world.kasumi("reconcile", "--once")
    assert "warning: lease of old-ledger ended" in ended.stderr
    assert "reconcile: nothing to do" in ended.stderr
    world.edit("hosts.yml", "lease: {until: 2026-01-31, at_end: stop}\n            ", "")

    world.edit("hosts.yml", "disposition: rehost", "disposition: retain")
    world.kasumi("plan", "-o", world.plan)
    assert "lets go of adopted machines" in world.kasumi("apply", world.plan, code=5).stderr
    world.kasumi("apply", world.plan, "--yes")
    assert (state(world)[0][1], marked(world)) == (kept[0][1], [])
