"""Plan, apply, status and reconcile on a real cloud as an ordinary member of its project, and what can go wrong on the way.

In the order a person would do it; each test stands on the world that the one before left. The faults are real: services of
the cloud are stopped and killed.
"""

import json
import secrets
import signal
import threading
import time

import pytest

from lab.openstack import faults
from tests.openstack.world import clear, make_world

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(2400)]

MACHINES = ("ledger-1", "ledger-2", "ledger-db")
AS_PLANNED = {f"server {name} ACTIVE" for name in MACHINES} | {f"port kasumi-{name}" for name in MACHINES}


@pytest.fixture(scope="module")
def world(running_cloud, tmp_path_factory):
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OS_CLIENT_CONFIG_FILE", str(running_cloud.clouds_yaml))
        estate = f"cloud-{secrets.token_hex(2)}"
        folder = tmp_path_factory.mktemp("cloud")
        made = make_world(folder, estate, running_cloud.clouds_yaml, running_cloud.member, running_cloud.admin)
        try:
            yield made
        finally:
            clear(made)


def drift(world):
    return {
        (row["subject"], row["what"]) for row in json.loads(world.kasumi("reconcile", "--check", "-o", "json").stdout)["drift"]
    }


def repaired(world):
    """Reconciling repairs, and the next time finds nothing to do.

    Services that came back are given time, and so is an order that a killed Nova took and lost: five minutes.
    """
    deadline = time.monotonic() + 480
    while (done := world.run("reconcile", "--once")).returncode != 0:
        assert time.monotonic() < deadline, f"{done.stdout}{done.stderr}{world.ours()}"
        time.sleep(1)
    assert "reconcile: nothing to do" in world.kasumi("reconcile", "--once").stderr
    assert world.made() == AS_PLANNED
    return done


def test_plan_and_apply_make_exactly_what_is_planned(world):
    world.kasumi("plan", "-o", world.plan)
    plan = json.loads((world.folder / "plan.json").read_text())
    assert plan["inputs"]["host/cloud-1"]["observed.basis"] == "quota"
    where = {machine["id"]: machine["host"] for machine in plan["machines"]}
    assert where["ledger-1"] != where["ledger-2"]
    done = world.kasumi("apply", world.plan)
    assert "taken for 1 vCPU, 700 MiB, 1 GiB: no exact one" in done.stderr + done.stdout
    assert world.made() == AS_PLANNED
    zones = {server["name"]: server["OS-EXT-AZ:availability_zone"] for server in world.ours()}
    assert zones == {name: {"cloud-1": "az1", "cloud-2": "az2"}[host] for name, host in where.items()}
    (port,) = [port for port in world.hand.ports() if port["name"] == "kasumi-ledger-1"]
    planned = next(machine for machine in plan["machines"] if machine["id"] == "ledger-1")["nics"][0]
    assert (port["mac_address"], port["fixed_ips"][0]["ip_address"]) == (planned["mac"], planned["address"])
    assert len(port["security_groups"]) == 2


def test_a_second_apply_and_a_look_change_nothing(world):
    assert "apply: nothing to do" in world.kasumi("apply", world.plan).stderr
    assert drift(world) == set()
    assert world.made() == AS_PLANNED


def test_what_was_changed_by_hand_is_found_and_repaired(world):
    hand = world.hand
    hand.power_off("ledger-1")
    port = next(port for port in hand.ports() if port["name"] == "kasumi-ledger-2")
    hand.cloud.put("network", f"/ports/{port['id']}", {"port": {"security_groups": []}})
    hand.set_autostart("ledger-db", autostart=False)
    opened = hand.open_port(f"kasumi-{world.estate}-tcp-443", 23)
    rules = f"rules of kasumi-{world.estate}-tcp-443"
    assert {
        ("ledger-1", rules),
        ("ledger-2", rules),
        ("ledger-1", "state"),
        ("ledger-2", f"security groups of {port['mac_address']}"),
        ("ledger-db", "autostart"),
    } == drift(world)
    repaired(world)
    assert opened not in {rule for _, rule in hand.rules()}
    port = next(port for port in hand.ports() if port["name"] == "kasumi-ledger-1")
    hand.unplug("ledger-1", port["id"])
    hand.forget("ledger-db")
    assert drift(world) == {("ledger-1", "network cards"), ("ledger-db", "state")}
    repaired(world)


def test_a_copy_with_our_mark_is_refused_and_left_alone(world):
    hand, original = world.hand, world.hand.server("ledger-1")
    copy = hand.boot("copied", hand.size("m1.tiny"), metadata=original["metadata"])
    try:
        assert drift(world) == {("ledger-1", "identity")}
        world.kasumi("reconcile", "--once", code=5)
        assert {server["id"] for server in world.ours()} >= {copy, original["id"]}
    finally:
        hand.forget("copied")
    repaired(world)


def test_the_server_on_record_without_its_mark_is_refused(world):
    hand, server = world.hand, world.hand.server("ledger-1")
    hand.cloud.delete("compute", f"/servers/{server['id']}/metadata/kasumi_estate")
    assert ("ledger-1", "owner") in drift(world)
    world.kasumi("reconcile", "--once", code=5)
    hand.note("ledger-1", kasumi_estate=world.estate)
    repaired(world)


def test_keystone_away_is_said_and_comes_back(world):
    faults.kill("keystone")
    try:
        done = world.kasumi("reconcile", "--once", code=4)
        assert "see that the service runs and can be reached" in done.stderr + done.stdout
    finally:
        faults.start("keystone")
    repaired(world)


@pytest.mark.parametrize("seconds", [0.5, 2.0])
def test_nova_killed_in_the_middle_of_a_create_makes_nothing_twice(world, seconds):
    world.hand.forget("ledger-1")
    world.hand.forget("ledger-db")
    process = world.start("reconcile", "--once")
    process.stderr.readline()
    time.sleep(seconds)
    faults.kill("nova-api")
    process.communicate()
    faults.start("nova-api")
    repaired(world)


@pytest.mark.parametrize("lines", [1, 2])
def test_the_controller_killed_in_the_middle_of_a_create_makes_nothing_twice(world, lines):
    world.hand.forget("ledger-1")
    process = world.start("reconcile", "--once")
    for _ in range(lines):
        process.stderr.readline()
    time.sleep(1.0)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    repaired(world)


def test_no_valid_host_is_told_and_finished_later(world):
    world.hand.forget("ledger-db")
    faults.turn(spawn_fails_on=["cmp01", "cmp02", "cmp03", "cmp04", "cmp05", "cmp06"])
    try:
        done = world.kasumi("reconcile", "--once", code=1)
        assert "is in ERROR" in done.stderr + done.stdout
        assert "server ledger-db ERROR" in world.made()
        assert ("ledger-db", "state") in drift(world)
    finally:
        faults.turn()
    repaired(world)


def test_an_exhausted_quota_names_itself(world):
    hand = world.hand
    hand.forget("ledger-db")
    project = hand.cloud.project_id
    admin = hand.admin
    admin.put("compute", f"/os-quota-sets/{project}", {"quota_set": {"instances": len(hand.servers())}})
    try:
        done = world.kasumi("reconcile", "--once", code=1)
        assert "quota of instances: wanted 1 more" in done.stderr + done.stdout
    finally:
        admin.delete("compute", f"/os-quota-sets/{project}")
    repaired(world)


def test_a_server_deleted_by_somebody_during_apply_ends_in_a_named_state(world):
    hand = world.hand

    def delete_when_it_comes():
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            found = [server for server in hand.servers() if server["name"] == "ledger-1"]
            if found:
                hand.cloud.delete("compute", f"/servers/{found[0]['id']}")
                return
            time.sleep(0.1)

    codes = []
    while not {1, 3}.intersection(codes):
        assert len(codes) < 8, f"somebody was always later than the last look: {codes}"
        hand.forget("ledger-1")
        somebody = threading.Thread(target=delete_when_it_comes)
        somebody.start()
        process = world.start("reconcile", "--once")
        process.communicate()
        somebody.join()
        codes.append(process.returncode)
        assert process.returncode in {0, 1, 3}
        repaired(world)


def test_a_machine_that_leaves_the_plan_takes_its_port_with_it_and_nothing_else(world):
    hand = world.hand
    foreign = hand.boot("somebody", hand.size("m1.tiny"))
    world.edit(
        "hosts.yml", "            ledger-db: {size: {vcpus: 1, memory: 700MiB, disk: 1GiB}, image: empty, network: mof}\n", ""
    )
    world.kasumi("plan", "-o", world.plan)
    world.kasumi("apply", world.plan, code=5)
    world.kasumi("apply", world.plan, "--yes")
    assert world.made() == {name for name in AS_PLANNED if "ledger-db" not in name}
    assert foreign in {server["id"] for server in hand.servers()}
    hand.forget("somebody")
