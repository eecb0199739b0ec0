"""A plan rests on an assessment: its sizes and dispositions are used and said, moved inputs are seen, doubtful facts stop it."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from controlplane.model.decision import Decision
from controlplane.model.document import assessment_to_json, plan_from_json, plan_to_json
from controlplane.model.estate import Disposition
from controlplane.model.facts import Source
from controlplane.model.finding import Severity
from controlplane.model.resources import Resources
from controlplane.planning.assessed import as_assessed, assessment_findings, assessment_inputs, inputs_now, rested_on
from controlplane.planning.checks import check_plan
from controlplane.planning.facts import input_facts, moved_facts
from controlplane.settings import load as load_settings
from controlplane.store import open_store
from tests.assessment.estates import assessed, office_estate, one
from tests.assessment.said import said
from tests.planning.estates import IMAGES, KEYS, observed, planned

WAITS = {"server pension-db: memory.total_mib"}


@pytest.fixture(scope="module")
def given():
    estate = office_estate()
    servers = {
        server.id: replace(server, disposition=Disposition.REPLATFORM, mac="")
        if server.id == "pension-ap"
        else replace(server, disposition=Disposition.RETAIN)
        for server in estate.servers.values()
    }
    return replace(estate, servers=servers)


@pytest.fixture(scope="module")
def made(given):
    decision = Decision(server="pension-ap", subject="disposition", value={"disposition": "replatform", "into": ""}, reason="signed",
                        actor="sato", at=datetime(2026, 6, 1, tzinfo=UTC))  # fmt: skip
    stays = [
        replace(decision, server=server, value={"disposition": "retain", "into": ""})
        for server in given.servers
        if server != "pension-ap"
    ]
    return assessed((decision, *stays), given)


def plan_of(given, made):
    taken = assessment_inputs(made, given)
    return rested_on(planned(as_assessed(given, taken)), taken)


def test_the_plan_takes_sizes_and_says_measured_next_to_declared(given, made):
    plan = plan_of(given, made)
    (machine,) = (machine for machine in plan.machines if machine.server == "pension-ap")
    assert machine.size == one(made, "pension-ap").size.wanted == Resources(vcpus=2, memory_mib=6144, disk_gib=80)
    size = next(reason for reason in machine.reasons if reason.startswith("size: "))
    assert "assessed with 5 of 5 stars: vCPU: 2 busy cores at p95" in size
    assert "declared 8 vCPU, 16384 MiB, 200 GiB" in size
    assert {"assessment", "assessment/pension-ap"} <= set(machine.derived_from)
    assert plan.inputs["assessment"]["as_of"] == "2026-06-01"
    assert plan_from_json(plan_to_json(plan), "plan") == plan


def test_the_plan_passes_its_check_with_the_estate_found_again_from_it(given, made):
    plan = plan_of(given, made)
    again = as_assessed(given, plan.inputs)
    assert [str(f) for f in check_plan(plan, again, observed(again)) if f.severity is Severity.CRITICAL] == []


def moved(plan, now):
    facts = input_facts(as_assessed(now, plan.inputs), observed(now), IMAGES, KEYS) | inputs_now(now, plan.inputs)
    return [(fact.entity, fact.field, fact.touches) for fact in moved_facts(plan, facts)]


def test_a_plan_is_stale_when_the_inventory_moved_under_its_assessment(given, made):
    plan = plan_of(given, made)
    assert moved(plan, given) == []
    server = given.servers["pension-ap"]
    larger = replace(given, servers=given.servers | {server.id: replace(server, size=replace(server.size, vcpus=16))})
    assert ("assessment/pension-ap", "declared.vcpus", ("pension-ap",)) in moved(plan, larger)
    kept = replace(given, servers=given.servers | {server.id: replace(server, disposition=Disposition.RETAIN)})
    assert moved(plan, kept) == [("assessment/pension-ap", "declared.disposition", ("pension-ap",))]


def test_without_an_assessment_nothing_changes(given):
    inputs = input_facts(given, observed(given), IMAGES, KEYS)
    assert as_assessed(given, inputs) is given
    assert inputs_now(given, inputs) == {}


def test_an_assessment_of_another_inventory_or_with_blockers_is_refused(given):
    made = assessed()
    assert {finding.where for finding in assessment_findings(made, office_estate())} == WAITS
    (finding,) = assessment_findings(made, office_estate())
    assert finding.what == "ssh says 7900, ledger says 16384"
    assert finding.remedy == "resolve it and assess again, or `kasumi accept pension-db memory.total_mib --reason …`"
    changed = assessment_findings(made, given)
    assert any("was assessed as 8 vCPU, 16384 MiB, 200 GiB, rehost, the inventory says" in finding.what for finding in changed)
    (other,) = assessment_findings(replace(made, estate="another"), given)
    assert other.what == "is for estate another, the inventory is of test"
    fewer = replace(given, servers={})
    assert any(finding.what == "is in only one of assessment and inventory" for finding in assessment_findings(made, fewer))


WRONG = {"cpu.count": 1, "memory.total_mib": 2100, "os.id": "debian", "os.version": "12.5"}


@pytest.mark.slow
def test_assess_accept_plan_report_by_command(verb, tmp_path):
    settings = load_settings(home=verb.home, inventory=verb.inventory)
    store = open_store(settings)
    at = datetime.now(UTC)
    store.facts.record("lab", [said("mhlw-pension", WRONG, Source.SSH, at=at)])
    store.close()
    refused = verb("plan", "-o", str(tmp_path / "plan.json"))
    assert refused.returncode == 5
    assert "there is no plan on contradicted facts (1 critical); no file was written" in refused.stderr
    assert "server mhlw-pension: memory.total_mib: ssh says 2100" in refused.stderr
    assert "`kasumi accept mhlw-pension memory.total_mib --reason …`" in refused.stderr
    known = verb("facts", "mhlw-pension", "--field", "memory.*")
    assert "critical: server mhlw-pension: memory.total_mib: ssh says 2100" in known.stderr
    assert len(known.stdout.splitlines()) == 3
    file = tmp_path / "assessment.json"
    first = verb("assess", "-o", str(file))
    assert first.returncode == 0, first.stderr
    assert "critical: server mhlw-pension: memory.total_mib" in first.stderr
    blocked = verb("plan", "--assessment", str(file), "-o", str(tmp_path / "plan.json"))
    assert (blocked.returncode, "cannot be planned on (1 critical)" in blocked.stderr) == (5, True)

    nothing = verb("accept", "mhlw-pension", "cpu.count", "--reason", "x")
    assert (nothing.returncode, "its sources agree; there is nothing to accept" in nothing.stderr) == (5, True)
    assert verb("accept", "mhlw-pensionn", "cpu.count", "--reason", "x").returncode != 0
    assert verb("accept", "mhlw-pension", "rule:none", "--reason", "x").returncode == 64
    near = verb("accept", "mhlw-pension", "rule:no-backups", "--reason", "x").stderr
    near += verb("accept", "mhlw-pension", "memory.total", "--reason", "x").stderr
    assert near.count("did you mean no-backup?") == near.count("did you mean memory.total_mib?") == 1
    for wrong in ("0", "lots", "-5", "true", "8.5", '"8192"'):
        refused = verb("accept", "mhlw-pension", "memory.total_mib", "--value", wrong, "--reason", "x")
        assert (refused.returncode, "wanted a whole number above zero, as 2100" in refused.stderr) == (64, True)
    accepted = verb("accept", "mhlw-pension", "memory.total_mib", "--value", "2048", "--reason", "enlarged last year")
    assert (accepted.returncode, "memory.total_mib accepted as 2048" in accepted.stderr) == (0, True)
    assert verb("assess", "-o", str(file)).returncode == 0
    plan = tmp_path / "plan.json"
    done = verb("plan", "--assessment", str(file), "-o", str(plan))
    assert done.returncode == 0, done.stderr
    assert "assessment/mhlw-pension" in plan.read_text(encoding="utf-8")
    assert verb("check", str(plan)).returncode == 0

    decided = verb("decide", "mof-files", "retire", "--reason", "the share is empty")
    assert decided.returncode == 0, decided.stderr
    assert verb("decide", "mof-files", "merge", "--reason", "x").returncode == 64
    assert verb("assess", "--as-of", "2026-06-01", "--window", "22-06", "-o", "-").stdout.startswith("{")
    assert verb("assess", "--window", "25-30").returncode == 64
    evidence = verb("evidence").stdout
    assert "enlarged last year" in evidence
    assert "the share is empty" in evidence
    assert verb("decide", "mof-files", "retire", "--reason", "not empty", "--withdraw").returncode == 0
    assert verb("decide", "mof-files", "retire", "--reason", "twice", "--withdraw").returncode == 5

    page = tmp_path / "report.html"
    nobody = verb("report", "assessment", "-o", str(page), "--ministry", "mhwl")
    assert (nobody.returncode, "has no ministry 'mhwl'; did you mean mhlw?" in nobody.stderr, page.exists()) == (64, True, False)
    assert verb("report", "assessment", "-o", str(page), "--language", "ja").returncode == 0
    assert "サーバー評価書" in page.read_text(encoding="utf-8")
    graph = json.loads(verb("dependencies", "-o", "json").stdout)
    assert (graph["schema_version"], graph["observed_servers"]) == (1, 0)
    assert verb("dependencies", "--dot").stdout.startswith("digraph dependencies {")
    both = verb("dependencies", "--dot", "-o", "json")
    assert (both.returncode, both.stdout) == (64, "")
    assert "--dot and -o json are two formats; give one of them" in both.stderr
    assert verb("dependencies").returncode == 0


def test_without_an_assessment_the_next_move_is_said(verb, tmp_path):
    done = verb("report", "assessment", "-o", str(tmp_path / "x.html"))
    assert (done.returncode, done.stderr) == (1, "kasumi: estate lab has no assessment yet; make one with `kasumi assess`\n")
    missing = verb("plan", "--assessment", str(tmp_path / "none.json"), "-o", "-")
    assert missing.returncode == 1
    assert "No such file or directory; make one with `kasumi assess -o FILE`" in missing.stderr


def test_the_document_is_readable(made):
    text = assessment_to_json(made)
    assert text.startswith('{\n "as_of": "2026-06-01",')
    assert json.loads(text)["digest"]
