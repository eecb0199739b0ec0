"""The main job on real hypervisors, in the order a person does it; each test stands on the world the one before left."""

import json
import shutil
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from controlplane.model.document import plan_from_json
from tests.connectors.sshd import free_port
from tests.monitoring.expressions import compared, drawn, recorded
from tests.monitoring.prometheus import running_prometheus
from tests.scenario.conftest import ESTATE, KASUMI, World, remove_everything, virsh

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(2400)]

MOVED = "mhlw-pension"
QUERY = "SELECT count(*) || ' ' || md5(string_agg(r::text, '|' ORDER BY r::text)) FROM records r"


def running(host: str) -> set[str]:
    return set(virsh(host, "list", "--name").split())


def volumes(host: str) -> set[str]:
    return {line.split()[0] for line in virsh(host, "vol-list", "kasumi").splitlines() if line.strip()}


def placed(world: World) -> dict[str, set[str]]:
    plan = plan_from_json(Path(world.plan).read_text(encoding="utf-8"), world.plan)
    return {host.id: {m.id for m in plan.machines if m.host == host.id and m.method == "image"} for host in plan.hosts}


def assert_as_planned(world: World) -> None:
    """Exactly the planned machines run, each with its own disk and seed, and nothing half made is left."""
    for host, machines in placed(world).items():
        assert running(host) == machines
        assert set(virsh(host, "list", "--all", "--name").split()) == machines
        own = {name for name in volumes(host) if not name.startswith("debian-12-")}
        assert own == {f"{machine}.qcow2" for machine in machines} | {f"{machine}-seed.iso" for machine in machines}


def test_the_plan_is_the_same_to_the_byte(world):
    world.kasumi("plan", "-o", world.plan)
    again = world.folder / "again.json"
    world.kasumi("plan", "-o", str(again))
    assert again.read_bytes() == Path(world.plan).read_bytes()


@pytest.mark.parametrize(("lines", "pause_seconds"), [(1, 0.5), (3, 0.0), (5, 0.05), (7, 0.3), (9, 0.0)])
def test_apply_killed_between_and_inside_steps_ends_in_the_same_world(world, lines, pause_seconds):
    remove_everything()
    with subprocess.Popen([KASUMI, "apply", world.plan], env=world.environment, stderr=subprocess.PIPE, text=True) as process:
        for _ in range(lines):
            process.stderr.readline()
        time.sleep(pause_seconds)
        process.send_signal(signal.SIGKILL)
    world.kasumi("apply", world.plan)
    assert_as_planned(world)
    world.kasumi("evidence", "--verify")
    assert "apply: nothing to do" in world.kasumi("apply", world.plan).stderr


def test_a_second_apply_takes_no_action(world):
    done = world.kasumi("apply", world.plan)
    assert "apply: nothing to do" in done.stderr
    document = json.loads(world.kasumi("apply", world.plan, "-o", "json").stdout)
    assert [outcome["action"] for outcome in document["outcomes"]] == ["migrate"]


def test_a_stale_plan_is_refused_with_the_facts_that_moved(world):
    world.edit("20-mic.yml", "memory: 768MiB", "memory: 896MiB")
    done = world.kasumi("apply", world.plan, code=5)
    assert "machine/staff-db-1" in done.stderr
    assert "planned 768, now 896; touches staff-db-1" in done.stderr
    world.edit("20-mic.yml", "memory: 896MiB", "memory: 768MiB")
    world.kasumi("apply", world.plan)


@pytest.mark.parametrize(
    ("by_hand", "what"),
    [
        (["destroy", "portal-1"], "state"),
        (["suspend", "portal-1"], "state"),
        (["autostart", "portal-1", "--disable"], "autostart"),
        (["setmaxmem", "portal-1", "262144", "--config"], "memory MiB"),
        (["setvcpus", "portal-1", "2", "--config", "--maximum"], "vCPU"),
    ],
)
def test_what_was_changed_by_hand_is_found_and_repaired(world, by_hand, what):
    host = next(host for host, machines in placed(world).items() if "portal-1" in machines)
    virsh(host, *by_hand)
    if "--maximum" in by_hand:
        virsh(host, "setvcpus", "portal-1", "2", "--config")
    found = json.loads(world.kasumi("reconcile", "--check", "-o", "json").stdout)["drift"]
    assert ("portal-1", what) in {(drift["subject"], drift["what"]) for drift in found}
    world.kasumi("reconcile", "--check", "--detailed-exitcode", code=2)
    world.kasumi("reconcile", "--once")
    assert "reconcile: nothing to do" in world.kasumi("reconcile", "--once").stderr


def test_an_undefined_machine_comes_back_with_its_disk(world):
    host = next(host for host, machines in placed(world).items() if "portal-1" in machines)
    before = virsh(host, "vol-dumpxml", "--pool", "kasumi", "portal-1.qcow2")
    virsh(host, "destroy", "portal-1")
    virsh(host, "undefine", "portal-1")
    world.kasumi("reconcile", "--once")
    assert_as_planned(world)
    key = next(line for line in before.splitlines() if "<key>" in line)
    assert key in virsh(host, "vol-dumpxml", "--pool", "kasumi", "portal-1.qcow2")


def test_foreign_machines_are_counted_and_left_alone(world, tmp_path):
    xml = tmp_path / "foreign.xml"
    xml.write_text(
        "<domain type='qemu'><name>foreign</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>"
        "<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"
    )
    virsh("hv1", "define", str(xml))
    try:
        before = virsh("hv1", "dumpxml", "foreign")
        assert "1 foreign machines left alone" in world.kasumi("reconcile", "--once").stderr
        assert virsh("hv1", "dumpxml", "foreign") == before
    finally:
        virsh("hv1", "undefine", "foreign")


def test_an_unreachable_host_does_not_stop_the_others(world):
    world.edit("10-hosts.yml", "root@10.77.0.12", "root@10.77.0.99")
    try:
        done = world.kasumi("plan", "-o", str(world.folder / "other.json"))
        assert "hv2" in done.stdout + done.stderr
    finally:
        world.edit("10-hosts.yml", "root@10.77.0.99", "root@10.77.0.12")


def test_check_mode_then_configure_then_nothing_changes(world):
    checked = world.kasumi("configure", "--check", "--diff", "--wait", "1200")
    assert "nftables" in checked.stdout + checked.stderr
    world.kasumi("configure")
    second = json.loads(world.kasumi("configure", "-o", "json").stdout)
    rows = next(value for value in second.values() if isinstance(value, list))
    assert rows
    assert {row["changed"] for row in rows} == {0}
    world.kasumi("configure", "portal-1", "--tags", "KSP-ACCESS-1", "--accept-host-key", "portal-1")


def ssh(machine: str, command: str) -> str:
    done = subprocess.run([KASUMI, "lab", "ssh", machine, "--", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def rows_on_the_server() -> str:
    return ssh(MOVED, f'sudo -u postgres psql -d pension -Atc "{QUERY}"')


def test_the_old_hosts_guest_moves_with_its_data_and_can_go_back(world):
    before = rows_on_the_server()
    assert before.startswith("1000 ")
    with subprocess.Popen(
        [KASUMI, "migrate", "start", MOVED, "--yes"], env=world.environment, stderr=subprocess.PIPE, text=True
    ) as cut:
        while "copied 256" not in (line := cut.stderr.readline()):
            assert line, "it ended before the first range was copied"
        cut.send_signal(signal.SIGKILL)
    phase = json.loads(world.kasumi("migrate", "status", MOVED, "-o", "json").stdout)["migrations"][0]
    assert (phase["phase"], phase["copied_bytes"] > 0) == ("source-stopped", True)
    world.kasumi("migrate", "start", MOVED, "--yes")
    record = json.loads(world.kasumi("migrate", "status", MOVED, "-o", "json").stdout)["migrations"][0]
    assert record["phase"] == "ready"
    assert record["source_sha256"] == record["target_sha256"] != ""
    world.kasumi("reconcile", "--once")
    assert MOVED not in running("hv1") | running("hv2"), "reconcile must not start a machine that is being moved"
    world.kasumi("migrate", "finalize", MOVED, "--yes", code=5)
    world.kasumi("migrate", "cutover", MOVED)
    assert rows_on_the_server() == before
    world.kasumi("migrate", "rollback", MOVED, "--yes")
    assert MOVED not in running("hv1") | running("hv2")
    assert rows_on_the_server() == before, "the source serves again, with its data"
    world.kasumi("migrate", "start", MOVED, "--yes")
    world.kasumi("migrate", "cutover", MOVED)
    assert rows_on_the_server() == before
    world.kasumi("migrate", "finalize", MOVED, "--yes")
    world.kasumi("migrate", "rollback", MOVED, "--yes", code=5)


def test_the_portal_shows_the_moved_database(world):
    plan = plan_from_json(Path(world.plan).read_text(encoding="utf-8"), world.plan)
    for machine in plan.machines:
        if machine.id.startswith("portal-"):
            with urllib.request.urlopen(f"http://{machine.nics[0].address}/", timeout=300) as answer:
                assert b"records=1000" in answer.read()


def test_every_query_of_rules_and_dashboard_returns_data_from_the_real_lab(world, tmp_path):
    world.kasumi("reconcile", "--once")
    address = f"127.0.0.1:{free_port()}"
    with subprocess.Popen([KASUMI, "serve", "--listen", address, "--interval", "2"], env=world.environment) as serving:
        try:
            with running_prometheus(tmp_path, target=address) as prometheus:
                missing = prometheus.without_data(recorded() | compared() | drawn(), within_seconds=300)
        finally:
            serving.terminate()
    assert missing == {}


def test_a_machine_that_left_the_estate_goes_only_with_yes(world):
    shutil.copy(world.folder / "inventory" / "20-mic.yml", world.folder / "20-mic.yml")
    text = (world.folder / "inventory" / "20-mic.yml").read_text(encoding="utf-8")
    start = text.index("    system_staff_db:")
    (world.folder / "inventory" / "20-mic.yml").write_text(text[:start], encoding="utf-8")
    smaller = str(world.folder / "smaller.json")
    world.kasumi("plan", "-o", smaller)
    host = next(host for host, machines in placed(world).items() if "staff-db-1" in machines)
    refused = world.kasumi("apply", smaller, code=5)
    assert "staff-db-1" in refused.stderr
    assert "staff-db-1" in running(host)
    world.kasumi("apply", smaller, "--yes")
    assert "staff-db-1" not in virsh(host, "list", "--all", "--name").split()
    assert not {name for name in volumes(host) if name.startswith("staff-db-1")}
    assert ESTATE in world.kasumi("inventory", "check").stderr + world.kasumi("inventory", "check").stdout


def test_what_only_looks_works_on_what_has_become(world):
    for words in (("inventory", "list", "ministries"), ("inventory", "show", MOVED), ("show", world.plan), ("status",)):
        world.kasumi(*words)
    world.kasumi("inventory", "check", "-i", str(world.folder / "inventory"))
    world.kasumi("evidence", "--last", "50")
    world.kasumi("diff", world.plan, str(world.folder / "smaller.json"))
