"""The whole playbook on a real machine: check before anything, first run, second run, and what answers afterwards."""

import secrets
import subprocess
import urllib.request

import pytest

from controlplane.connectors.ansible import Engine
from controlplane.connectors.push_events import Difference
from controlplane.execution.configure import Options, Status, configure
from tests.configure import guest

pytestmark = [pytest.mark.lab, pytest.mark.slow]


@pytest.fixture(scope="module")
def made(running_lab, tmp_path_factory):
    home = tmp_path_factory.mktemp("configure") / "home"
    with guest.running(f"configure-{secrets.token_hex(3)}", home) as (wanted, store):
        yield wanted, store, home


@pytest.fixture
def push(made):
    wanted, store, home = made

    def run(**options):
        events = []
        result = configure(
            store, wanted.estate, home=home, options=Options(wait_seconds=1200, **options), actor="test", watch=events.append
        )
        (machine,) = result.machines
        assert machine.status is Status.OK, machine
        return machine, result, events

    return run


@pytest.fixture
def on_guest(made):
    wanted, _, home = made

    def run(command):
        access = wanted.access
        ssh = ["ssh", "-F", access.ssh_config, "-i", access.identity_file, "-o", f"UserKnownHostsFile={home}/known_hosts"]
        done = subprocess.run([*ssh, f"kasumi@{guest.ADDRESS}", command], capture_output=True, text=True, check=True, timeout=300)
        return done.stdout.strip()

    return run


def test_check_and_diff_work_on_a_fresh_machine_and_change_nothing(push, on_guest):
    machine, result, events = push(check=True, diff=True)
    assert result.check and machine.changed > 10
    shown = "\n".join(event.text for event in events if isinstance(event, Difference))
    for line in ("+PermitRootLogin no", "+    tcp dport 80 accept", "+listen_addresses = '*'", "+こんにちは"):
        assert line in shown
    assert on_guest("systemctl is-active nginx postgresql nftables || true").split() == ["inactive"] * 3
    assert on_guest("ls /etc/ssh/sshd_config.d/10-kasumi.conf 2>/dev/null || true") == ""


def test_the_first_run_changes_and_the_second_does_not(made, push, on_guest):
    wanted, store, _ = made
    machine, result, _ = push()
    assert machine.changed > 10 and result.engine is Engine.MITOGEN

    with urllib.request.urlopen(f"http://{guest.ADDRESS}/", timeout=300) as answer:
        assert answer.read().decode() == "こんにちは"
    behind = urllib.request.Request(f"http://{guest.ADDRESS}/", headers={"Host": "behind.test"})
    with urllib.request.urlopen(behind, timeout=300) as answer:  # noqa: S310 (our own machine)
        assert answer.read().decode() == "passed on"
        assert answer.headers["Server"] == "nginx", "the version is told"
    owner = "SELECT pg_catalog.pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'Staff-Data'"
    assert on_guest(f'sudo -u postgres psql -Atc "{owner}"') == "staff"
    assert on_guest("sudo sshd -T | grep -iE '^(permitrootlogin|passwordauthentication) '").split() == [
        "permitrootlogin", "no", "passwordauthentication", "no",
    ]  # fmt: skip
    rules = on_guest("sudo nft list ruleset")
    assert "policy drop" in rules and "dport 5432 accept" in rules
    assert rules.count("dport 22 ") == 1 and "saddr" in next(line for line in rules.splitlines() if "dport 22 " in line)
    assert on_guest("sudo sysctl -n kernel.kptr_restrict") == "2"
    assert on_guest("systemctl is-active chrony nginx nftables postgresql").split() == ["active"] * 4

    again, _, _ = push()
    assert (again.changed, again.failed) == (0, 0)

    run = store.runs(wanted.estate, limit=1)[0]
    assert (run.verb, run.result, run.summary["changed"]) == ("configure", "ok", 0)
    record = store.evidence(wanted.estate, limit=1)[0]
    assert (record.action, record.subject, record.detail["policy"]) == ("configure:ok", again.machine, result.policy)


def test_plain_ssh_finds_nothing_to_change_either_and_a_tag_repairs_one_control(push, on_guest):
    on_guest("sudo rm /etc/ssh/sshd_config.d/10-kasumi.conf")
    machine, result, _ = push(engine=Engine.PLAIN, tags=("KSP-ACCESS-1",))
    assert result.engine is Engine.PLAIN and machine.changed == 2, "the file and the reload"
    assert on_guest("sudo sshd -T | grep -i '^permitrootlogin '") == "permitrootlogin no"
