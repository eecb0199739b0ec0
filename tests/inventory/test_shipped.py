"""The shipped inventories: Ansible takes them without a word, and the estate holds the source's table row by row."""

import csv
import json
import subprocess
import sys
from ipaddress import IPv4Network
from itertools import pairwise
from pathlib import Path

import pytest

from controlplane.inventory import load
from controlplane.inventory.schema import Strict
from controlplane.model.estate import Disposition, Estate
from controlplane.settings import resource

TABLE = Path(__file__).parent / "table-1.csv"
LANS = ["clb", "jinjiin", "cao", "iha", "jftc", "npa", "fsa", "mic", "moj"]
LANS += ["mofa", "mof", "mext", "mhlw", "maff", "meti", "mlit", "moe", "mod"]
"""Ministries in the order of their rows in Table 1."""


@pytest.fixture(scope="module")
def kasumigaseki() -> Estate:
    return load(resource("inventories") / "kasumigaseki")


def row_of(saving):
    return (
        saving.label,
        saving.cost_thousand_yen,
        saving.cost_fiscal_year,
        saving.hours,
        saving.hours_fiscal_year,
        saving.shared_use,
        saving.note,
    )


def table():
    def number(text):
        return int(text) if text else None

    with TABLE.open(encoding="utf-8", newline="") as file:
        return [
            (
                row["system"],
                int(row["saved_cost_thousand_yen"]),
                number(row["saved_cost_fiscal_year"]),
                number(row["saved_hours"]),
                number(row["saved_hours_fiscal_year"]),
                row["shared_use_row"] == "yes",
                row["note"],
            )
            for row in csv.DictReader(file)
        ]


def test_every_row_of_table_1_and_no_other(kasumigaseki):
    rows = [row_of(saving) for system in kasumigaseki.systems.values() for saving in system.savings]
    key = [tuple(map(str, row)) for row in rows]
    assert sorted(key) == sorted(tuple(map(str, row)) for row in table())
    assert len(rows) == 49


def test_the_totals(kasumigaseki):
    savings = [saving for system in kasumigaseki.systems.values() for saving in system.savings]
    assert sum(saving.cost_thousand_yen for saving in savings) == sum(row[1] for row in table())
    assert sum(saving.hours or 0 for saving in savings) == sum(row[3] or 0 for row in table())
    shared = [saving.cost_thousand_yen for saving in savings if saving.shared_use]
    assert (len(shared), sum(shared)) == (7, sum(row[1] for row in table() if row[5]))
    total = next(saving for saving in savings if saving.label == "共同利用系統")
    assert total.cost_thousand_yen == 2_475_877 - 2_082_918


def test_shared_effects_follow_the_system_they_stand_under(kasumigaseki):
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    pairs = {
        (before["system"], row["saved_cost_thousand_yen"])
        for before, row in pairwise(rows)
        if row["system"] == "＊共同利用化的效果"
    }
    found = {
        (system.savings[0].label, str(saving.cost_thousand_yen))
        for system in kasumigaseki.systems.values()
        for saving in system.savings
        if saving.label == "＊共同利用化的效果"
    }
    assert found == pairs


def test_eighteen_networks_with_their_own_rows(kasumigaseki):
    lans = [kasumigaseki.systems[f"{ministry}-lan"] for ministry in LANS]
    assert [lan.savings[0].label for lan in lans] == [row[0] for row in table()[10:28]]
    assert {lan.study_class for lan in lans} == {2}
    assert [lan.ministry for lan in lans] == LANS


@pytest.mark.parametrize(
    ("system", "ministry", "study_class", "status"),
    [
        ("document-management", "mic", 1, "active"),
        ("gima", "mic", 1, "active"),
        ("bulletin-board", "mic", 1, "active"),
        ("document-exchange", "mic", 1, "active"),
        ("personnel-payroll", "jinjiin", 1, "active"),
        ("e-gov", "mic", 1, "active"),
        ("meti-e-application", "meti", 3, "active"),
        ("stars", "mic", 4, "active"),
        ("petitions", "mic", 4, "active"),
        ("citizen-mailbox", "cas", 1, "planned"),
    ],
)
def test_systems_that_the_text_names(kasumigaseki, system, ministry, study_class, status):
    found = kasumigaseki.systems[system]
    assert (found.ministry, found.study_class, found.status) == (ministry, study_class, status)


def test_a_tenant_to_come_has_no_capacity_yet(kasumigaseki):
    planned = {system.id for system in kasumigaseki.systems.values() if system.status == "planned"}
    assert not [
        thing.id for thing in (*kasumigaseki.machines.values(), *kasumigaseki.servers.values()) if thing.system in planned
    ]


def test_made_up_servers_say_so(kasumigaseki):
    servers = kasumigaseki.servers.values()
    assert all(server.example and server.reason for server in servers)
    assert {server.disposition for server in servers} == set(Disposition)
    for ministry in LANS:
        assert 3 <= sum(server.system == f"{ministry}-lan" for server in servers) <= 8


def test_hosts_sites_and_networks(kasumigaseki):
    hosts = kasumigaseki.hosts.values()
    assert (len(hosts), len({host.site for host in hosts}), len({host.rack for host in hosts})) == (12, 2, 6)
    assert {host.overcommit.vcpus for host in hosts} == {4.0}
    assert all(IPv4Network(network.cidr).is_private for network in kasumigaseki.networks.values())
    assert {network.ministry for network in kasumigaseki.networks.values()} == {"", *kasumigaseki.ministries}
    assert {name: tier.host_failures for name, tier in kasumigaseki.tiers.items()} == {"standard": 0, "high": 1}


@pytest.mark.parametrize("name", ["kasumigaseki", "lab"])
@pytest.mark.parametrize("form", ["--list", "--graph"])
def test_ansible_accepts_it_without_a_warning(name, form, tmp_path):
    command = [str(Path(sys.executable).parent / "ansible-inventory"), "-i", str(resource("inventories") / name), form]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    estate = load(resource("inventories") / name)
    if form == "--list":
        found = json.loads(done.stdout)
        assert set(found["_meta"]["hostvars"]) == {*estate.servers, *estate.hosts}
        assert set(found["hypervisors"]["hosts"]) == set(estate.hosts)
        assert {group for group in found if group.startswith("ministry_")} == {f"ministry_{one}" for one in estate.ministries}
    else:
        assert all(f"--{server}" in done.stdout for server in estate.servers)


def test_lab():
    lab = load(resource("inventories") / "lab")
    assert {host.uri for host in lab.hosts.values()} == {"qemu+ssh://root@10.77.0.11/system", "qemu+ssh://root@10.77.0.12/system"}
    assert lab.machines["portal-1"].replica_group == lab.machines["portal-2"].replica_group == "portal"
    assert lab.tiers[lab.systems["portal"].tier].host_failures == 1
    pension = lab.servers["mhlw-pension"]
    assert (pension.disposition, pension.source.uri) == (Disposition.REHOST, "qemu+ssh://root@10.77.0.61/system")


def every_model(cls=Strict):
    """Those of the inventory; other documents borrow the strictness and are no entries."""
    own = [below for below in cls.__subclasses__() if below.__module__ == Strict.__module__]
    return [cls, *(inner for below in own for inner in every_model(below))]


@pytest.mark.parametrize("model", every_model()[1:], ids=lambda model: model.__name__)
def test_stand_ins_make_every_entry_that_stands_for_itself(model):
    if model.__name__.endswith("Entry") and model.__name__ not in {"SavingEntry", "ServiceEntry", "SourceEntry"}:
        model.with_stand_ins({})
