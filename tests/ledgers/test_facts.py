"""What ledgers say of each server, as facts."""

from datetime import UTC, datetime

from controlplane.inventory import load
from controlplane.ledgers.facts import DECLARED, ledger_facts, os_facts
from controlplane.model.facts import CATALOGUE, Source
from controlplane.settings import resource

AT = datetime(2026, 4, 1, tzinfo=UTC)

LEDGER = """\
          kasumi_ledger:
            台帳.csv: !unsafe |
              ["7:4", "cpu.count", 1]
              ["7:5", "memory.total_mib", 2048, "2ＧＢ"]
              ["7:9", "os.name", "{{ 台帳 }}"]
"""


def test_a_cell_speaks_for_itself_and_a_declaration_that_repeats_it_is_left_out(inventory, change):
    change("20-mof.yml", "        ledger-fax:\n", f"        ledger-fax:\n{LEDGER}")
    facts = {(fact.field, fact.by): fact for fact in ledger_facts(load(inventory), at=AT)["ledger-fax"]}
    assert facts["cpu.count", "台帳.csv:7:4"].value == 1
    assert ("cpu.count", DECLARED) not in facts
    memory = facts["memory.total_mib", "台帳.csv:7:5"]
    assert (memory.value, facts["memory.total_mib", DECLARED].value) == (2048, 1024)
    assert memory.confidence < facts["cpu.count", "台帳.csv:7:4"].confidence < 1
    assert facts["os.name", "台帳.csv:7:9"].value == "{{ 台帳 }}"
    assert {(fact.source, fact.observed_at) for fact in facts.values()} == {(Source.LEDGER, AT)}


def test_every_server_of_the_shipped_estate_has_facts_of_the_catalogue():
    estate = load(resource("inventories") / "kasumigaseki")
    facts = ledger_facts(estate, at=AT)
    assert list(facts) == sorted(estate.servers)
    assert {fact.field for of_server in facts.values() for fact in of_server} <= CATALOGUE.keys()
    clb_mail = {fact.field: fact.value for fact in facts["clb-mail"]}
    assert clb_mail == {
        "cpu.count": 4,
        "memory.total_mib": 16384,
        "disks.total_gib": 500,
        "os.family": "linux",
        "os.id": "debian",
        "os.version": "10",
        "addresses": [{"address": "10.103.2.13", "mac": "52:54:00:03:02:02"}],
    }


def test_what_a_short_form_of_an_os_does_not_say_is_absent():
    assert os_facts("windows-2003") == {"os.family": "windows", "os.id": "windows", "os.version": "2003"}
    assert os_facts("windows-2012-r2") == {"os.family": "windows", "os.id": "windows", "os.version": "2012-r2"}
    assert os_facts("plan9") == {"os.id": "plan9"}
    assert os_facts("") == {}


def test_a_server_of_unknown_size_is_recorded_without_one_and_its_cells_still_speak(inventory, change):
    change("20-mof.yml", "            size: {vcpus: 1, memory: 1GiB, disk: 40GiB}\n", "")
    change("20-mof.yml", "        ledger-fax:\n", f"        ledger-fax:\n{LEDGER}")
    estate = load(inventory)
    assert estate.servers["ledger-fax"].size is None
    assert {fact.field: fact.value for fact in ledger_facts(estate, at=AT)["ledger-fax"]}["memory.total_mib"] == 2048
