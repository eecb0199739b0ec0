"""NetBox CSV, Ansible inventories and a live libvirt host end in the same rows."""

import json
from pathlib import Path

import pytest

from controlplane.inventory import load
from controlplane.ledgers.ansible_inventory import expanded
from controlplane.ledgers.mapping import LedgerMap
from controlplane.ledgers.reading import SourceKind, read_bytes

NETBOX = """\
name,status,start_on_boot,role,site,cluster,device,tenant,platform,vcpus,memory,disk,description,serial,comments,tags
vm01,active,on,web,kasumigaseki,cl1,,Ministry of Finance,Debian 12,2.00,4096,{disk},front,,,
vm02,decommissioning,off,db,kasumigaseki,cl1,,mof,Windows Server 2016,4.00,16384,{other},,,,
"""


def rows(text, name, mapping=None):
    ledger = read_bytes(text.encode(), name, SourceKind.AUTO, mapping or LedgerMap())
    found = {row.name: {value.field: value.value for value in row.values} | {"system": row.system} for row in ledger.rows}
    return found, [str(remark.finding()) for remark in ledger.remarks]


@pytest.mark.parametrize(
    ("disk", "other", "said", "gib"),
    [
        (20, 500, "read as GB (NetBox before 4.1)", (20, 500)),
        (20480, 512000, "read as MB (NetBox 4.1 and later)", (20, 500)),
        (2048, 4096, "may be GB (NetBox before 4.1) or MB (since), not read", None),
    ],
)
def test_netbox_writes_no_unit_and_that_is_never_guessed_silently(disk, other, said, gib):
    found, remarks = rows(NETBOX.format(disk=disk, other=other), "netbox.csv")
    assert any(said in remark for remark in remarks), remarks
    sizes = tuple(found[name].get("disks.total_gib") for name in ("vm01", "vm02"))
    assert sizes == (gib or (None, None))
    assert (found["vm01"]["cpu.count"], found["vm01"]["memory.total_mib"], found["vm01"]["kind"]) == (2, 4096, "virtual")
    assert (found["vm01"]["os.id"], found["vm02"]["os.version"]) == ("debian", "2016")
    assert (found["vm01"]["power.state"], found["vm02"]["power.state"]) == ("running", "decommissioned")


def test_netbox_with_a_map(import_):
    Path("map.yml").write_text("units: {disk: MB}\n", encoding="utf-8")
    Path("netbox.csv").write_text(NETBOX.format(disk=2048, other=4096), encoding="utf-8")
    assert import_("netbox.csv", "--map", "map.yml", "--system", "ledger").returncode == 0
    assert load(Path("inventory")).servers["vm02"].size.disk_gib == 4


YAML = """\
all:
  vars: {os: CentOS 7.9}
  children:
    system_ledger:
      vars:
        memory: 8GB
      hosts:
        app[01:03]:
          vcpus: 4
          ansible_user: root
        app02:
          ansible_host: 10.0.20.82
          memory: 16GB
          disk: "{{ big_disk }}"
          rack_colour: blue
"""
INI = """\
# servers
lonely ansible_host=lonely.example
[system_ledger]
app[01:03] vcpus=4 ansible_user=root
app02 ansible_host=10.0.20.82 memory=16GB disk='{{ big_disk }}' rack_colour=blue
this is no host
[system_ledger:vars]
memory = 8GB
[all:vars]
os = "CentOS 7.9"
"""


@pytest.mark.parametrize(("text", "name"), [(YAML, "hosts.yml"), (INI, "hosts.ini")])
def test_an_ansible_inventory(text, name):
    found, remarks = rows(text, name)
    assert {"app01", "app02", "app03"} <= found.keys()
    assert (found["app01"]["cpu.count"], found["app01"]["memory.total_mib"], found["app01"]["system"]) == (4, 8192, "ledger")
    assert (found["app02"]["memory.total_mib"], found["app02"]["addresses"]) == (16384, [{"address": "10.0.20.82"}])
    assert (found["app03"]["os.id"], found["app03"]["os.version"]) == ("centos", "7.9")
    assert "disks.total_gib" not in found["app02"]
    assert any("'{{ big_disk }}': is a template, which is never expanded" in remark for remark in remarks)
    assert any("'rack_colour': is no known variable, not read" in remark for remark in remarks)
    if name.endswith("ini"):
        assert found["lonely"] == {
            "os.name": "CentOS 7.9",
            "os.id": "centos",
            "os.version": "7.9",
            "os.family": "linux",
            "system": "",
        }
        assert any("hosts.ini:6:1: 'this is no host': is no line of an inventory, not imported" in remark for remark in remarks)
    else:
        assert any(remark.startswith("hosts.yml:14:17: '{{ big_disk }}'") for remark in remarks), remarks


def test_lines_of_an_ini_inventory_that_say_less_or_more_than_a_name():
    text = "web[01:02]:2222 vcpus=4\n10.0.20.9\n[a:children]\nb\n[broken\nc01 vcpus=2\n[d]\nd01\n"
    found, remarks = rows(text, "hosts.ini")
    assert list(found) == ["web01", "web02", "10.0.20.9", "d01"], "a port is no part of the name"
    assert found["10.0.20.9"]["addresses"] == [{"address": "10.0.20.9"}]
    assert remarks == [
        "hosts.ini:5:1: '[broken': is no line of an inventory, not imported, correct the line",
        "hosts.ini:6:1: 'c01 vcpus=2': is no line of an inventory, not imported, correct the line",
    ], "what stands below a heading that cannot be read may be anything"


def test_a_folder_with_other_files_in_it_does_not_flood(import_, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "book.xlsx").write_bytes(b"PK\x03\x04" + bytes(range(256)) * 100)
    (folder / "notes").write_text("some words\n" * 500)
    done = import_("folder")
    assert done.returncode == 3
    assert "critical: folder:book.xlsx: is no text, not read, take it out of the inventory" in done.stdout
    assert "critical: … and 497 more like it; -o json lists all" in done.stdout
    assert len(done.stdout.splitlines()) == 5


def test_an_inventory_directory_with_variables_in_files_of_their_own(import_, tmp_path):
    old = tmp_path / "old-ansible"
    for file, text in {
        "hosts.ini": "[system_ledger]\napp01 vcpus=4\n",
        "more.yml": "system_ledger: {hosts: {app02: }}\n",
        "group_vars/system_ledger.yml": "memory: 8GB\n",
        "host_vars/app01/main.yml": "disk: 40GB\nansible_host: 10.0.20.91\n",
        "host_vars/app02.yml": "disk: [20GB, 30GB]\nvcpus: 2\n",
        "dynamic.py": "#!/usr/bin/env python3\nopen('HACKED', 'w')\n",
        ".hidden.yml": "x",
    }.items():
        (old / file).parent.mkdir(parents=True, exist_ok=True)
        (old / file).write_text(text, encoding="utf-8")
    (old / "dynamic.py").chmod(0o755)
    done = import_("old-ansible")
    assert done.returncode == 0, done.stdout
    assert "old-ansible:dynamic.py: is a program, which is never run, import what it prints" in done.stdout
    servers = load(Path("inventory")).servers
    assert [(servers[name].size.vcpus, servers[name].size.disk_gib) for name in ("app01", "app02")] == [(4, 40), (2, 50)]
    assert servers["app01"].address == "10.0.20.91"
    cells = {value.field: value.cell for value in servers["app01"].ledger}
    assert (cells["cpu.count"], cells["disks.total_gib"]) == ("hosts.ini:2:2", "host_vars/app01/main.yml:1:1")
    assert "nothing to write" in import_("old-ansible").stderr
    assert not Path("HACKED").exists()


def test_patterns_of_hosts():
    assert list(expanded("web[08:11:2].example")) == ["web08.example", "web10.example"]
    assert list(expanded("db-[a:c]")) == ["db-a", "db-b", "db-c"]
    assert list(expanded("plain")) == ["plain"]
    assert sum(1 for _ in expanded("a[0:999999]b[0:999999]")) <= 200_000


def test_a_live_libvirt_host(import_):
    done = import_("test:///default", "--system", "ledger", "-o", "json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["changes"][0]["server"] == "test"
    server = load(Path("inventory")).servers["test"]
    assert (server.source.uri, server.source.domain, server.kind) == ("test:///default", "test", "virtual")
    assert (server.size.vcpus, server.size.memory_mib) == (2, 2048)
    assert "nothing to write" in import_("test:///default", "--system", "ledger").stderr


def test_a_uri_that_is_not_safe_or_not_there(import_):
    assert import_("vmware://esx01").returncode == 1
    assert import_("qemu+ssh://root@10.0.0.1/system?no_verify=1").returncode == 5
