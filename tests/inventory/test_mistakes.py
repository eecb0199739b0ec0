"""Each mistake is named with file, line, column, what and what to do; all of them in one run."""

import shutil
from pathlib import Path

import pytest

from controlplane.inventory import InventoryError, load, read
from controlplane.settings import resource


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch) -> Path:
    shutil.copytree(resource("inventories") / "lab", tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    return Path("mine")


def said(inventory: Path) -> list[str]:
    estate, findings = read(inventory)
    assert estate is None
    return [str(finding) for finding in findings]


def change(inventory: Path, file: str, old: str, new: str) -> None:
    path = inventory / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


PENSION = "ministry_mhlw.children.system_pension"
SERVER = f"{PENSION}.hosts.mhlw-pension.kasumi_server"

MISTAKES = [
    (
        "30-mhlw.yml",
        "kind: virtual",
        "kindd: virtual",
        f"mine/30-mhlw.yml:24:13: {SERVER}.kindd: unknown key, did you mean kind?",
    ),
    (
        "30-mhlw.yml",
        "memory: 768MiB",
        "memory: 768MB",
        "unknown unit MB, wanted a size with its unit, MiB, GiB or TiB, found '768MB', did you mean 768MiB?",
    ),
    ("30-mhlw.yml", "vcpus: 1, memory: 768MiB", "vcpus: -1, memory: 768MiB", f"mine/30-mhlw.yml:25:27: {SERVER}.size.vcpus: "),
    (
        "30-mhlw.yml",
        "address: 10.77.20.21",
        "address: 10.77.30.99",
        "address 10.77.30.99 is outside network mhlw (10.77.20.0/24)",
    ),
    ("30-mhlw.yml", "address: 10.77.20.21", "address: 10.77.20.1", "address 10.77.20.1 is the gateway of its network"),
    ("30-mhlw.yml", "address: 10.77.20.21", "address: 10.77.20.5", "lies in the reserved range 10.77.20.2-10.77.20.20"),
    ("30-mhlw.yml", "network: mhlw\n", "network: mhwl\n", "no network 'mhwl', did you mean mhlw?"),
    ("30-mhlw.yml", "            mac: 52:54:00:77:20:21\n", "", "rehost needs mac, add `mac: …`"),
    ("20-mic.yml", "tier: high", "tier: hihg", "kasumi_system.tier: no tier 'hihg', did you mean high?"),
    ("20-mic.yml", "image: debian-12", "image: debian-11", "no image 'debian-11', did you mean debian-12?"),
    ("20-mic.yml", "study_class: 1", "study_class: 010", "010 is 8 to Ansible and may be another value elsewhere"),
    ("20-mic.yml", "name: 電子政府の総合窓口", "name: no", "no is false to Ansible and text to YAML 1.2"),
    ("10-hosts.yml", "site: east", "site: north", "no site 'north'"),
    ("10-hosts.yml", "        site: east\n", "        site: east\n        site: west\n", "site: duplicate key, first at line 9"),
    ("40-mof.yml", "disposition: retire", "disposition: merge", "merge needs the machine that takes over, add `into: MACHINE`"),
    (
        "40-mof.yml",
        "address: 10.77.30.21",
        "address: 10.77.30.300",
        "wanted an IPv4 address, found '10.77.30.300', write it as 10.1.2.3",
    ),
    (
        "group_vars/all/estate.yml",
        "cidr: 10.77.30.0/24",
        "cidr: 10.77.20.128/25",
        "10.77.20.128/25 overlaps 10.77.20.0/24 of network mhlw",
    ),
    (
        "group_vars/all/estate.yml",
        "cidr: 10.77.30.0/24",
        "cidr: 10.77.30.1/24",
        "found '10.77.30.1/24', did you mean 10.77.30.0/24?",
    ),
    ("group_vars/all/estate.yml", "kasumi_sites:", "kasumi_site:", "kasumi_site: unknown key, did you mean kasumi_sites?"),
]


@pytest.mark.parametrize(("file", "old", "new", "expected"), MISTAKES)
def test_each_mistake_is_named_at_its_place(inventory, file, old, new, expected):
    change(inventory, file, old, new)
    lines = said(inventory)
    assert any(expected in line for line in lines), lines
    assert all(line.startswith("mine/") for line in lines)


def test_a_duplicate_address_names_the_other(inventory):
    change(inventory, "40-mof.yml", "            address: 10.77.30.21\n", "            address: 10.77.20.21\n")
    assert any("address 10.77.20.21 is taken by mhlw-pension" in line for line in said(inventory))


def test_a_duplicate_id_names_the_other(inventory):
    change(inventory, "40-mof.yml", "        mof-fax:\n", "        mhlw-pension:\n")
    assert any("duplicate id mhlw-pension, first at mine/30-mhlw.yml:23" in line for line in said(inventory))


def test_all_mistakes_are_said_in_one_run_and_the_exit_code_is_1(inventory):
    for file, old, new, _ in (MISTAKES[0], MISTAKES[8], MISTAKES[12]):
        change(inventory, file, old, new)
    with pytest.raises(InventoryError) as caught:
        load(inventory)
    assert caught.value.exit_code == 1
    text = str(caught.value)
    assert all(expected in text for _, _, _, expected in (MISTAKES[0], MISTAKES[8], MISTAKES[12]))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a: [1, 2", "is not YAML"),
        (b"a:\n\tb: 1\n", "is not YAML"),
        (b"\xff\xfe\x00bad", "is not UTF-8"),
        (b"\x00\x01\x02", "is not YAML"),
        (b"- 1\n- 2\n", "wanted a mapping"),
        (("a: " + "[" * 200 + "]" * 200).encode(), "is nested deeper than 40"),
        (b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
            f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n".encode() for n in range(8)), "values behind aliases"),
    ],
)  # fmt: skip
def test_hostile_files_are_refused_at_their_place(inventory, content, expected):
    (inventory / "99-odd.yml").write_bytes(content)
    lines = said(inventory)
    assert any(line.startswith("mine/99-odd.yml:") and expected in line for line in lines), lines


def test_a_directory_that_is_not_there(tmp_path):
    assert "gone:1:1: (file): does not exist" in said(tmp_path / "gone")[0]


def test_what_is_ansibles_own_is_left_alone(inventory):
    (inventory / "host_vars").mkdir()
    (inventory / "host_vars" / "mof-files.yml").write_text("ansible_port: 2222\nsecret: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n")
    assert load(inventory).id == "lab"
