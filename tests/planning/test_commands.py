"""The shipped inventories are planned in full, with hosts that answer as declared, and the plan passes its check."""

import json
import re
from pathlib import Path

import pytest

from controlplane.cli.plan import write_whole
from controlplane.errors import KasumiError
from controlplane.inventory import load
from controlplane.model.document import plan_from_json
from controlplane.model.finding import Severity
from controlplane.model.plan import PlannedImage
from controlplane.planning.build import build_plan
from controlplane.planning.checks import check_plan
from controlplane.planning.difference import diff_plans
from controlplane.settings import load as load_settings
from controlplane.settings import resource
from controlplane.store import open_store
from tests.planning.estates import SEEN_AT, applied, observed


@pytest.mark.parametrize("name", ["lab", "kasumigaseki"])
def test_a_shipped_inventory_has_a_plan(name):
    made = load(resource("inventories") / name)
    images = {
        each.id: PlannedImage(id=each.id, file=each.file, format=each.format, sha256="ab" * 32, os=each.os)
        for each in made.images.values()
    }
    seen = observed(made)
    plan = build_plan(made, seen, None, images=images, authorized_keys=())
    assert plan.machines
    assert [str(f) for f in check_plan(plan, made, seen) if f.severity is Severity.CRITICAL] == []
    again = build_plan(made, applied(made, plan), plan, images=images, authorized_keys=())
    assert diff_plans(plan, again).is_empty


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path):
    file = tmp_path / "plan.json"
    write_whole(file, "計画\n")
    assert file.read_text(encoding="utf-8") == "計画\n"
    assert list(tmp_path.iterdir()) == [file]
    with pytest.raises(KasumiError, match="choose another file with -o"):
        write_whole(tmp_path / "absent" / "plan.json", "x")


@pytest.mark.slow
def test_plan_show_and_diff(controller, tmp_path):
    file = tmp_path / "plan.json"
    done = controller("plan", "-o", str(file))
    assert done.returncode == 0, done.stderr
    assert "4 to add, 0 to change, 0 to move, 0 to remove" in done.stdout
    assert controller("show", str(file)).stdout == done.stdout
    shown = json.loads(controller("show", str(file), "-o", "json").stdout)
    assert (shown["schema_version"], len(shown["plan"]["machines"])) == (1, 4)
    assert len(controller("show", str(file), "-o", "csv").stdout.splitlines()) == 5
    again = controller("plan", "-o", "-")
    assert again.stdout == file.read_text(encoding="utf-8")
    same = controller("diff", str(file), str(file), "--detailed-exitcode")
    assert (same.returncode, "0 to add, 0 to change, 0 to move, 0 to remove, 4 unchanged" in same.stdout) == (0, True)
    assert controller("diff", "accepted", str(file)).returncode == 1


def test_diff_with_the_accepted_plan(controller, tmp_path):
    file, changed = tmp_path / "plan.json", tmp_path / "changed.json"
    assert controller("plan", "-o", str(file)).returncode == 0
    settings = load_settings(home=controller.home, inventory=controller.inventory)
    store = open_store(settings)
    store.accept_plan(plan_from_json(file.read_text(encoding="utf-8"), "x"), actor="test", at=SEEN_AT)
    store.close()
    portal = controller.inventory / "20-mic.yml"
    portal.write_text(portal.read_text(encoding="utf-8").replace("memory: 768MiB", "memory: 896MiB"), encoding="utf-8")
    done = controller("plan", "-o", str(changed))
    assert done.returncode == 0, done.stderr
    assert " ~ staff-db-1 on " in done.stdout
    assert "size.memory_mib: 768 -> 896" in done.stdout
    difference = controller("diff", "accepted", str(changed), "--detailed-exitcode")
    assert difference.returncode == 2
    assert "0 to add, 1 to change, 0 to move, 0 to remove, 3 unchanged" in difference.stdout
    document = json.loads(controller("diff", "accepted", str(changed), "-o", "json").stdout)["difference"]
    assert [change["machine"]["id"] for change in document["changed"]] == ["staff-db-1"]


def test_no_plan_no_file(controller, tmp_path):
    portal = controller.inventory / "20-mic.yml"
    portal.write_text(portal.read_text(encoding="utf-8").replace("memory: 768MiB", "memory: 64GiB"), encoding="utf-8")
    file = tmp_path / "plan.json"
    done = controller("plan", "-o", str(file))
    assert (done.returncode, done.stdout) == (1, "")
    assert "machine staff-db-1 (system staff-db, grade 2, tier standard) wants 1 vCPU, 65536 MiB" in done.stderr
    assert "hv1: memory: wants 65536 MiB" in done.stderr
    assert not file.exists()


def test_check_explain_and_capacity(verb, tmp_path):
    file = tmp_path / "plan.json"
    assert verb("plan", "-o", str(file)).returncode == 0
    done = verb("check", str(file))
    assert (done.returncode, done.stdout) == (0, "")
    assert re.search(r"plan \w{12}: 4 machines on 2 hosts checked, 0 critical, 0 other findings; it passes", done.stderr)
    portal = verb.inventory / "20-mic.yml"
    text = portal.read_text(encoding="utf-8")
    portal.write_text(text.replace("memory: 768MiB", "memory: 1GiB"), encoding="utf-8")
    grown = verb("check", str(file), "-o", "json")
    assert grown.returncode == 1
    assert json.loads(grown.stdout)["findings"][0]["what"] == "is planned smaller than asked for"
    portal.write_text(text, encoding="utf-8")
    why = verb("explain", "staff-db-1")
    assert why.returncode == 0
    assert "no plan is accepted here: explained is what would be planned now" in why.stderr
    assert "Hosts: each asked" in why.stdout
    document = json.loads(verb("explain", "staff-db-1", str(file), "-o", "json").stdout)
    assert {host["host"] for host in document["explanation"]["hosts"]} == {"hv1", "hv2"}
    more = verb("capacity", "--vcpus", "1", "--memory", "256MiB", "--disk", "3GiB", "-o", "json")
    assert json.loads(more.stdout)["capacity"]["fits"] > 0
    assert verb("capacity", "--vcpus", "1").returncode == 64
    assert "no tier 'gold'" in verb("capacity", "--like", "staff-db-1", "--tier", "gold").stderr


def test_a_plan_made_offline_cannot_be_applied(verb, tmp_path):
    hosts, file = verb.inventory / "10-hosts.yml", tmp_path / "plan.json"
    text = hosts.read_text(encoding="utf-8").replace("uri: test://", "uri: qemu+ssh://nobody@host.invalid/", 1)
    hosts.write_text(text.replace("uri: test://", "uri: qemu+ssh://nobody@other.invalid/"), encoding="utf-8")
    done = verb("plan", "--offline", "-o", str(file))
    assert done.returncode == 0, done.stderr
    assert "made offline, so it cannot be applied" in done.stderr
    assert verb("check", str(file)).returncode == 0
    refused = verb("apply", str(file))
    assert (refused.returncode, refused.stdout) == (5, "")
    assert "was made offline: nobody looked at 2 of its 2 hosts" in refused.stderr


def test_rebalance_of_an_estate_without_machines_proposes_nothing(verb, tmp_path):
    file = tmp_path / "moves.json"
    done = verb("rebalance", "-o", str(file))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "nothing to move: no step is worth it under this policy" in done.stderr
    document = json.loads(file.read_text(encoding="utf-8"))
    assert (document["schema_version"], document["moves"]) == (1, [])
    refused = verb("apply", str(file))
    assert refused.returncode == 1
    assert "moves.json" in refused.stderr
    assert verb("rebalance", "--least-gain", "2").returncode == 64


def test_drain_of_a_host_without_machines_has_nothing_to_move(verb, tmp_path):
    file = tmp_path / "moves.json"
    done = verb("drain", "hv1", "-o", str(file))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "drain hv1: 0 of 0 machines can leave it; nothing was moved" in done.stderr
    assert json.loads(file.read_text(encoding="utf-8"))["moves"] == []
    assert "nowhere is no host of the inventory" in verb("drain", "nowhere").stderr
    assert "no plan was accepted yet" in verb("drain", "hv1", "--hypervisor", "cmp01").stderr


def test_what_if_a_diagnosis_and_a_rebased_plan(verb, tmp_path):
    file, again = tmp_path / "plan.json", tmp_path / "again.json"
    assert verb("plan", "-o", str(file)).returncode == 0
    done = verb("what-if", "--add-host", "hv1:2", "--growth", "mic=50%", "--overcommit", "hv1:memory=1.5", "-o", "json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["changes"] == [
        "hv1-more-1, hv1-more-2 added, like hv1",
        "mic grows by 50 %",
        "memory promised 1.5 times on hv1",
    ]
    assert document["what_if"]["after"]["hosts"] == 4
    assert verb("what-if").returncode == 64
    assert "no host 'hv9'" in verb("what-if", "--lose-host", "hv9").stderr
    assert verb("what-if", "--growth", "2000").returncode == 1
    for wrong in (("--growth", "-100"), ("--growth", "99999"), ("--overcommit", "memory=0"), ("--overcommit", "hv1:vcpus=101")):
        done = verb("what-if", *wrong)
        assert (done.returncode, "wanted more than" in done.stderr) == (64, True), done.stderr
    portal = verb.inventory / "20-mic.yml"
    text = portal.read_text(encoding="utf-8")
    portal.write_text(text.replace("memory: 768MiB", "memory: 900MiB"), encoding="utf-8")
    stale = verb("apply", str(file))
    assert stale.returncode == 5
    assert "staff-db-1 on hv" in stale.stderr
    done = verb("plan", "--rebase", str(file), "-o", str(again))
    assert done.returncode == 0, done.stderr
    assert "0 to add, 1 to change, 0 to move, 0 to remove, 3 unchanged" in done.stdout
    portal.write_text(text.replace("memory: 768MiB", "memory: 64GiB"), encoding="utf-8")
    done = verb("plan", "-o", str(again))
    assert done.returncode == 1
    assert "capacity of staff-db-1: staff-db-1 needs 1 vCPU, 65536 MiB" in done.stderr
    assert "repairs, cheapest first; with each of them there is a plan:" in done.stderr


def test_waves_and_pages(verb, tmp_path):
    file, page = tmp_path / "plan.json", tmp_path / "plan.html"
    assert verb("plan", "-o", str(file)).returncode == 0
    done = verb("waves", str(file), "--from", "2026-12-01", "--default-window", "Sun 01:00-05:00")
    assert done.returncode in {0, 3}, done.stderr
    assert "Sat 2026-12-05 22:00-06:00" in done.stdout
    document = json.loads(verb("waves", str(file), "--from", "2026-12-01", "-o", "json").stdout)
    assert document["schedule"]["waves"][0]["probability"] is None
    assert any("not known" in text for text in document["schedule"]["assumptions"])
    assert [year["fiscal_year"] for year in document["fiscal_years"]] == [2026, 2027]
    likely = json.loads(verb("waves", str(file), "--from", "2026-12-01", "--spread", "0.3", "-o", "json").stdout)
    assert 0 < likely["schedule"]["waves"][0]["probability"] <= 1
    assert verb("waves", str(file), "--from", "2026-12-01", "-o", str(page)).returncode in {0, 3}
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    done = verb("report", "plan", str(file), "--from", "2026-12-01", "-o", str(page))
    assert done.returncode == 0, done.stderr
    assert "consolidation plan" in page.read_text(encoding="utf-8")
    assert "fiscal year 2026, April to March" in page.read_text(encoding="utf-8")
    assert "wave: 1 of 1, Sat 2026-12-05" in verb("explain", "mhlw-pension", str(file), "--from", "2026-12-01").stdout
    for wrong, text in (
        (("--from", "tomorrow"), "is no date; write it as 2026-12-01"),
        (("--from", "2026-12-01", "--default-window", "x"), "wanted a change window of days and times"),
        (("--from", "2026-12-01", "--freeze", "x"), "wanted FIRST:LAST"),
        (("--from", "2026-12-01", "-o", "xml"), "or a file ending in .html"),
        (("--from", "9999-12-01"), "wanted a year from 2000 to 2999"),
        (("--from", "2026-12-01", "--until", "2100-01-01"), "is more than 20 years after --from"),
        (("--from", "2026-12-01", "--bandwidth", "0"), "Invalid value for '--bandwidth'"),
        (("--from", "2026-12-01", "--overhead", "inf"), "Invalid value for '--overhead'"),
        (("--from", "2026-12-01", "--overhead", "nan"), "Invalid value for '--overhead'"),
        ((), "wanted the first day"),
    ):
        done = verb("waves", str(file), *wrong)
        assert (done.returncode, text in done.stderr) == (64, True), done.stderr
    cohorts = tmp_path / "cohorts.json"
    cohorts.write_text('{"cohorts": [["mhlw-pension", "gone"]], "depend": {}}', encoding="utf-8")
    assert "write {" in verb("waves", str(file), "--from", "2026-12-01", "--cohorts", str(cohorts)).stderr
    cohorts.write_text('{"cohorts": [["mhlw-pension", "gone"]]}', encoding="utf-8")
    done = verb("waves", str(file), "--from", "2026-12-01", "--cohorts", str(cohorts))
    assert "not among the servers that move, so not considered: gone" in done.stdout
    cohorts.write_text(
        '{"schema_version": 1, "assessment": "ab", "cohorts": [{"servers": ["mhlw-pension", "gone"], "ties": []}]}', "utf-8"
    )
    assert "so not considered: gone" in verb("waves", str(file), "--from", "2026-12-01", "--cohorts", str(cohorts)).stdout
