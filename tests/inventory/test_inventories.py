"""The shipped inventories are whole: every row of the savings table, no mistake, and readable by Ansible itself."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from controlplane.inventory import load
from controlplane.settings import resource

TABLE = Path(__file__).with_name("table-1.csv")
EIGHTEEN_NETWORKS = 18


@pytest.fixture(scope="module")
def estate():
    return load(resource("inventories") / "kasumigaseki")


def _rows():
    def number(text):
        return int(text) if text else None

    with TABLE.open(encoding="utf-8") as file:
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


def test_every_row_of_table_1_is_a_saving_exactly_once(estate):
    savings = [
        (s.label, s.cost_thousand_yen, s.cost_fiscal_year, s.hours, s.hours_fiscal_year, s.shared_use, s.note)
        for system in estate.systems.values()
        for s in system.savings
    ]
    assert sorted(savings, key=str) == sorted(_rows(), key=str)
    assert sum(row[1] for row in savings) == sum(row[1] for row in _rows())


def test_the_eighteen_networks_are_there_with_the_names_of_the_source(estate):
    networks = [system for system in estate.systems.values() if system.study_class == 2]
    assert len(networks) == EIGHTEEN_NETWORKS
    text = TABLE.read_text(encoding="utf-8")
    assert all(system.name in text for system in networks)


@pytest.mark.parametrize(
    "system",
    [
        "document-management", "gima", "bulletin-board", "document-exchange", "personnel-payroll", "meti-e-application", "stars", "petitions",
        "e-gov", "citizen-mailbox",
    ],
)  # fmt: skip
def test_the_systems_the_text_names_are_there(estate, system):
    assert estate.systems[system].name


def test_the_citizen_mailbox_is_a_tenant_still_to_come(estate):
    assert estate.systems["citizen-mailbox"].status == "planned"
    assert not [server for server in estate.servers.values() if server.system == "citizen-mailbox"]


def test_made_up_servers_say_so(estate):
    assert estate.servers
    assert all(server.example for server in estate.servers.values())


@pytest.mark.parametrize("name", ["kasumigaseki", "lab"])
def test_ansible_reads_it_without_a_word(name):
    command = [str(Path(sys.executable).with_name("ansible-inventory")), "-i", str(resource("inventories") / name)]
    listed = subprocess.run([*command, "--list"], capture_output=True, text=True, check=True)
    hosts = json.loads(listed.stdout)["_meta"]["hostvars"]
    assert set(load(resource("inventories") / name).servers) <= set(hosts)
    graph = subprocess.run([*command, "--graph"], capture_output=True, text=True, check=True)
    assert "@hypervisors:" in graph.stdout
    assert "WARNING" not in listed.stderr + graph.stderr
