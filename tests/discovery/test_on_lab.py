"""`kasumi discover` on the lab's legacy servers finds what was planted on them."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lab import layout
from lab.command import attempt

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.usefixtures("running_lab")]

KASUMI = str(Path(sys.executable).with_name("kasumi"))
SERVERS = ("moj-web", "moj-db", "moj-archive", "moj-kiosk", "mof-files")


class Found:
    """What discovery says of the lab, read from `kasumi facts -o json`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.trusted = self.kasumi("trust", "moj", "mof-files", "--yes")
        self.discovered = self.kasumi("discover", "moj", "mof", "-o", "json")
        rows = json.loads(self.discovered.stdout)["servers"]
        self.results = {row["server"]: row for row in rows}
        self.facts = {}
        for server in SERVERS:
            listed = json.loads(self.kasumi("facts", server, "-o", "json").stdout)["facts"]
            self.facts[server] = {fact["field"]: fact["value"] for fact in listed if fact["source"] == "ssh"}

    def kasumi(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [KASUMI, words[0], "--home", str(self.home), *words[1:]], capture_output=True, text=True, check=False
        )

    def probe(self, server: str, name: str) -> dict[str, object]:
        return next(probe for probe in self.results[server]["probes"] if probe["probe"] == name)


@pytest.fixture(scope="module")
def found(running_lab, tmp_path_factory) -> Found:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("KASUMI_INVENTORY", raising=False)
        patch.delenv("KASUMI_DATABASE_URL", raising=False)
        return Found(tmp_path_factory.mktemp("controller"))


def test_every_server_answers_and_windows_is_not_asked(found):
    assert found.trusted.returncode == 0, found.trusted.stderr
    assert found.discovered.returncode == 3, "moj-web lets us do little as root, so it answers in part"
    answers = {server: found.results[server]["answer"] for server in (*SERVERS, "mof-fax")}
    assert answers == {
        "moj-web": "partly", "moj-db": "answered", "moj-archive": "answered", "moj-kiosk": "answered", "mof-files": "answered",
        "mof-fax": "unsupported",
    }, found.results  # fmt: skip


def test_systems_are_told_apart(found):
    seen = {
        server: (found.facts[server].get("os.id"), found.facts[server].get("os.version", "").split(".")[0]) for server in SERVERS
    }
    assert seen == {
        "moj-web": ("debian", "11"), "moj-db": ("debian", "12"), "mof-files": ("debian", "12"), "moj-archive": ("debian", "5"),
        "moj-kiosk": (None, ""),
    }  # fmt: skip
    assert found.facts["moj-archive"]["os.architecture"] == "i686"
    names = {package["name"] for package in found.facts["moj-archive"]["packages"]}
    assert "openssh-server" in names
    assert not [name for name in names if name.startswith("python3")]


def test_the_ledger_of_the_database_is_wrong(found):
    assert found.facts["moj-db"]["cpu.count"] < 16
    assert found.facts["moj-db"]["memory.total_mib"] < 96 * 1024
    assert found.facts["moj-db"]["os.version"].startswith("12")


def test_the_two_that_talk_to_each_other_do_so_on_both_sides(found):
    out = [row for row in found.facts["moj-web"]["connections"] if row["remote_address"] == "10.77.40.22"]
    assert [(row["remote_port"], row["direction"]) for row in out] == [(5432, "out")]
    into = [row for row in found.facts["moj-db"]["connections"] if row["remote_address"] == "10.77.40.21"]
    assert [(row["local_port"], row["direction"], row["process"]) for row in into] == [(5432, "in", "postgres")]
    databases = {(row["engine"], row.get("name")): row.get("size_mib", 0) for row in found.facts["moj-db"]["databases"]}
    assert databases["postgresql", "registry"] > 1


def test_what_blocks_a_move_is_seen(found):
    written = {(row["file"], row["address"]) for row in found.facts["moj-web"]["hard_coded_addresses"]}
    assert written == {("/etc/registry/application.conf", "10.77.40.22")}
    (certificate,) = found.facts["moj-web"]["certificates"]
    left = datetime.fromisoformat(certificate["not_after"]) - datetime.now(UTC)
    assert certificate["subject"] == "registry.moj.example"
    assert timedelta(0) < left < timedelta(days=13)
    (site,) = found.facts["moj-web"]["web_sites"]
    assert (site["name"], site["port"]) == ("registry.moj.example", 443)
    assert {"kind": "rsync", "name": "/etc/cron.d/archive"} in found.facts["moj-archive"]["backup"]


def test_sudo_is_used_for_what_sudoers_names_and_refused_for_the_rest(found):
    assert found.probe("moj-web", "sockets")["answer"] == "answered"
    assert {row["process"] for row in found.facts["moj-web"]["listeners"]} == {"sshd", "nginx"}
    assert found.probe("moj-web", "sshd")["answer"] == "answered"
    refused = found.probe("moj-web", "schedules")
    assert refused["answer"] == "refused"
    assert "sudo" in str(refused["message"])
    commands = {row["command"] for row in found.facts["moj-web"]["schedules"]}
    assert any(command.startswith("/usr/bin/rsync --password-file=***") for command in commands)


def test_the_one_behind_is_reached_only_through_its_jump_host(found):
    assert {row["address"] for row in found.facts["moj-archive"]["addresses"]} == {"10.77.41.21"}
    assert {row["remote_address"] for row in found.facts["moj-archive"]["connections"]} == {"10.77.41.1"}
    good, _ = attempt(["timeout", "2", "bash", "-c", f"echo > /dev/tcp/{layout.MOJ_ARCHIVE.address}/22"])
    assert not good


def test_the_idle_one_is_idle(found):
    facts = found.facts["moj-kiosk"]
    assert [row["port"] for row in facts["listeners"]] == [22]
    assert {row["remote_address"] for row in facts["connections"]} == {"10.77.255.2"}
    assert not facts.get("web_sites")
    assert not facts.get("databases")


def test_the_file_server_is_as_it_was_made(found):
    facts = found.facts["mof-files"]
    assert {21, 22, 80, 873} <= {row["port"] for row in facts["listeners"]}
    assert {"tanaka", "suzuki"} <= {user["name"] for user in facts["users"] if user["login"]}
    assert any(row["owner"] == "tanaka" and "rsync" in row["command"] for row in facts["schedules"])
    assert any(row["command"] == "/usr/local/sbin/nightly-index" for row in facts["schedules"])
    assert abs(facts["ntp.offset_seconds"]) < 2
