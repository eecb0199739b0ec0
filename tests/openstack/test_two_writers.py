"""Others change the cloud while we do: a second controller of the same estate, and people. Nothing is made twice, all ends as planned."""

import json
import secrets
import time
from dataclasses import replace

import pytest

from controlplane.providers.openstack_mark import estate_mark
from tests.openstack.world import clear, make_world

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(1800)]

MACHINES = ("ledger-1", "ledger-2", "ledger-db")
AS_PLANNED = {f"server {name} ACTIVE" for name in MACHINES} | {f"port kasumi-{name}" for name in MACHINES}


@pytest.fixture(scope="module")
def world(running_cloud, tmp_path_factory):
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OS_CLIENT_CONFIG_FILE", str(running_cloud.clouds_yaml))
        folder, estate = tmp_path_factory.mktemp("writers"), f"two-{secrets.token_hex(2)}"
        made = make_world(folder, estate, running_cloud.clouds_yaml, running_cloud.member, running_cloud.admin)
        try:
            yield made
        finally:
            clear(made)


@pytest.fixture(scope="module")
def other(world):
    """Another controller with the same inventory and a store of its own, so that no lock is between the two."""
    folder = world.folder / "other"
    folder.mkdir()
    (folder / "inventory").symlink_to(world.folder / "inventory")
    return replace(world, folder=folder)


@pytest.fixture
def another_flavor(world):
    """One with more memory and the same disk, which goes again: it must not be the nearest for others."""
    body = {"name": f"by-hand-{world.estate}", "vcpus": 1, "ram": 768, "disk": 1}
    made = world.hand.admin.post("compute", "/flavors", {"flavor": body})["flavor"]["id"]
    yield made
    world.hand.admin.delete("compute", f"/flavors/{made}")


def until_applied(world, plan):
    """One controller alone, as often as it takes; what it says no to for facts that moved it plans anew."""
    deadline = time.monotonic() + 600
    while (done := world.run("apply", plan)).returncode != 0:
        assert time.monotonic() < deadline, f"{done.stdout}{done.stderr}{world.made()}"
        assert "Traceback" not in done.stderr
        if done.returncode == 5:
            world.kasumi("plan", "-o", plan)
        time.sleep(1)


def until_as_planned(world):
    """What one controller's runs come to: each ends in a named state, and the last one finds nothing to do."""
    deadline = time.monotonic() + 600
    while (done := world.run("reconcile", "--once")).returncode != 0:
        assert time.monotonic() < deadline, f"{done.stdout}{done.stderr}{world.made()}"
        assert "Traceback" not in done.stderr
        time.sleep(1)
    assert "reconcile: nothing to do" in world.kasumi("reconcile", "--once").stderr
    assert world.made() == AS_PLANNED


def shared(world):
    """Everything of the estate that its machines share, by name."""
    cloud, mark = world.hand.cloud, estate_mark(world.estate)
    kinds = {"networks": "/networks", "subnets": "/subnets", "security_groups": "/security-groups"}
    found = [
        f"{kind} {each['name']}"
        for kind, path in kinds.items()
        for each in cloud.every("network", path, kind)
        if each["description"] == mark
    ]
    groups = cloud.every("compute", "/os-server-groups", "server_groups")
    return found + [f"group {each['name']}" for each in groups if world.estate in each["name"]]


def test_two_controllers_apply_the_same_estate_at_once(world, other):
    world.kasumi("plan", "-o", world.plan)
    runs = [each.start("apply", world.plan) for each in (world, other)]
    said = [run.communicate(timeout=900)[1] for run in runs]
    assert {run.returncode for run in runs} <= {0, 1, 3, 4, 5}, said
    assert not any("Traceback" in text for text in said), said
    found = shared(world)
    assert len(found) == len(set(found)), found
    servers = [server["name"] for server in world.ours() if server["status"] != "ERROR"]
    assert len(servers) == len(set(servers)), servers

    for each in (world, other):
        until_applied(each, world.plan)
    until_as_planned(world)
    found = shared(world)
    assert len(found) == len(set(found)) == 5, found
    drift = [json.loads(each.kasumi("status", "-o", "json").stdout)["drift"] for each in (world, other)]
    assert drift == [[], []]


def test_people_change_servers_while_we_do(world, another_flavor):
    hand, before = world.hand, {server["name"]: server["id"] for server in world.ours()}
    hand.cloud.post("compute", f"/servers/{before['ledger-1']}/action", {"resize": {"flavorRef": another_flavor}})
    hand.cloud.post("compute", f"/servers/{before['ledger-2']}/action", {"reboot": {"type": "HARD"}})
    hand.cloud.put("compute", f"/servers/{before['ledger-db']}", {"server": {"name": "renamed"}})
    (port,) = [port for port in hand.ports() if port["name"] == "kasumi-ledger-db"]
    hand.admin.delete("network", f"/ports/{port['id']}")
    done = world.run("reconcile", "--once")
    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 1, 3, 4, 5}, done.stderr
    hand.cloud.put("compute", f"/servers/{before['ledger-db']}", {"server": {"name": "ledger-db"}})
    until_as_planned(world)
    assert {server["name"]: server["id"] for server in world.ours()} == before


def test_a_server_that_its_administrator_locked_is_told_and_left(world):
    server, admin = world.hand.server("ledger-1")["id"], world.hand.admin

    def act(action):
        admin.post("compute", f"/servers/{server}/action", {action: None})

    act("lock")
    try:
        act("os-stop")
        world.hand.until(lambda: world.hand.server("ledger-1")["status"] == "SHUTOFF")
        done = world.kasumi("reconcile", "--once", code=1)
        assert "is locked" in done.stdout + done.stderr
    finally:
        act("unlock")
    until_as_planned(world)
