"""Discovered and assessed, the lab's legacy servers show every planted fact, contradiction, dependency, ghost and blocker."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from controlplane.model.assessment import AssessedServer, Reading
from controlplane.model.document import assessment_from_json
from controlplane.model.estate import Disposition
from controlplane.model.resources import Resources
from controlplane.settings import resource
from tests.assessment.estates import one

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.usefixtures("running_lab")]

KASUMI = str(Path(sys.executable).with_name("kasumi"))
GONE = """        moj-gone:
          kasumi_server:
            kind: physical
            size: {vcpus: 2, memory: 4GiB, disk: 40GiB}
            disposition: retain
            os: debian-9
            address: 10.77.40.99
            ssh: {user: root}
"""
"""A ghost: in the ledger, its key on record from better days, and nothing has its address any more."""


class Assessed:
    """What `kasumi discover` and then `kasumi assess` say of the lab."""

    def __init__(self, home: Path) -> None:
        self.home, self.inventory = home, home / "inventory"
        shutil.copytree(resource("inventories") / "lab", self.inventory)
        file = self.inventory / "50-moj.yml"
        file.write_text(file.read_text(encoding="utf-8").rstrip() + "\n" + GONE, encoding="utf-8")
        self.kasumi("trust", "moj", "mof-files", "--yes")
        known = home / "servers_known_hosts"
        once = [line.replace("10.77.40.23", "10.77.40.99") for line in known.read_text().splitlines() if "10.77.40.23" in line]
        known.write_text(known.read_text() + "".join(f"{line}\n" for line in once))
        self.discovered = self.kasumi(
            "discover", "moj", "mof", "--sample", "12s", "--every", "2s", "--connect-timeout", "5", "-o", "json"
        )
        self.decided = self.kasumi("decide", "moj-db", "replatform", "--reason", "its ministry wants it moved first")
        self.done = self.kasumi("assess", "-o", str(home / "assessment.json"))
        self.made = assessment_from_json((home / "assessment.json").read_text(encoding="utf-8"), "assessment")

    def kasumi(self, *words: str) -> subprocess.CompletedProcess[str]:
        options = ["--home", str(self.home), "--inventory", str(self.inventory)]
        return subprocess.run([KASUMI, *words, *options], capture_output=True, text=True, check=False)

    def server(self, server_id: str) -> AssessedServer:
        return one(self.made, server_id)

    def met(self, server_id: str) -> dict[str, tuple[str, ...]]:
        return {outcome.rule: outcome.details for outcome in self.server(server_id).readiness if outcome.reading is Reading.MET}


@pytest.fixture(scope="module")
def lab(running_lab, tmp_path_factory) -> Assessed:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("KASUMI_DATABASE_URL", raising=False)
        return Assessed(tmp_path_factory.mktemp("controller"))


def test_the_wrong_ledger_is_contradicted_and_the_right_ones_are_not(lab):
    assert lab.done.returncode == 0, lab.discovered.stderr + lab.done.stderr
    fields = {contradiction.field for contradiction in lab.server("moj-db").contradictions if contradiction.is_open}
    assert {"cpu.count", "memory.total_mib", "os.version"} <= fields
    assert "os.version" not in {contradiction.field for contradiction in lab.server("moj-web").contradictions}
    assert lab.server("moj-db").truth_score < lab.server("mof-files").truth_score


def test_a_plan_on_the_wrong_ledger_is_refused_until_it_is_accepted_by_name(lab):
    assert {"cpu.count", "memory.total_mib", "os.version"} <= set(lab.server("moj-db").waits_for)
    file = str(lab.home / "assessment.json")
    refused = lab.kasumi("plan", "--offline", "--assessment", file, "-o", "-")
    assert refused.returncode == 5, refused.stderr
    assert "server moj-db: cpu.count: ssh says" in refused.stderr
    assert "`kasumi accept moj-db cpu.count --reason …`" in refused.stderr


def test_the_two_that_talk_are_a_cohort_and_the_one_behind_is_not(lab):
    seen = {(each.client, each.server, each.port): each for each in lab.made.graph.dependencies}
    talk = seen["moj-web", "moj-db", 5432]
    assert (talk.evidence, talk.strong) == ("observed at both ends", True)
    assert [cohort.servers for cohort in lab.made.graph.cohorts] == [("moj-db", "moj-web")]


def test_the_idle_one_and_the_ghost_are_found(lab):
    kiosk = lab.server("moj-kiosk")
    assert kiosk.ghost == "it answers, but it serves nothing but login, nobody talks to it and it talks to nobody"
    # These servers share one kernel, so the load they report is that of the whole machine: idle by load may not be claimed.
    assert kiosk.idle is not None
    assert kiosk.size.stars <= 1, "twelve seconds are no month"
    assert kiosk.fate.decided is Disposition.RETAIN
    assert lab.server("moj-gone").ghost.startswith("declared, but it does not answer")
    assert lab.server("moj-db").ghost == ""


def test_blockers_and_warnings_are_found(lab):
    assert {"hard-coded-addresses", "certificate-expires"} <= lab.met("moj-web").keys()
    assert lab.met("moj-web")["hard-coded-addresses"] == ("10.77.40.22",)
    assert {"os-out-of-support", "32-bit"} <= lab.met("moj-archive").keys()
    assert {"dongle", "no-backup"} <= {
        outcome.rule for outcome in lab.server("moj-gone").readiness if outcome.reading is Reading.UNKNOWN
    }
    assert lab.met("mof-fax").keys() == {"os-out-of-support"}


def test_what_was_measured_stands_beside_what_is_declared(lab):
    size = lab.server("moj-web").size
    assert {each.dimension for each in size.measurements if each.samples >= 4} >= {"cpu_cores", "memory_used_mib"}
    assert size.declared == Resources(vcpus=2, memory_mib=4096, disk_gib=80)
    assert any("too few stars" in reason or "1 of 5 stars" in reason for reason in size.reasons)


def test_the_report_and_the_graph_show_them(lab):
    page = lab.home / "report.html"
    assert lab.kasumi("report", "assessment", "-o", str(page)).returncode == 0
    text = page.read_text(encoding="utf-8")
    assert all(name in text for name in ("moj-gone", "moj-kiosk", "法務省", "10.77.40.22"))
    graph = json.loads(lab.kasumi("dependencies", "-o", "json").stdout)
    assert set(graph["ghosts"]) >= {"moj-gone", "moj-kiosk"}
    assert [cohort["servers"] for cohort in graph["cohorts"]] == [["moj-db", "moj-web"]]
