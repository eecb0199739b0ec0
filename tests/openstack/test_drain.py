"""A hypervisor inside a real cloud is emptied of our machines, which run on; others stay, and nothing is half moved."""

import json
import secrets

import pytest

from controlplane.model.resources import Resources
from lab.openstack import faults, layout
from tests.openstack.openstack_hand import HOST
from tests.openstack.world import clear, make_world

pytestmark = [pytest.mark.lab, pytest.mark.slow]

_OTHERS = """            ledger-2: *ledger
            ledger-db: {size: {vcpus: 1, memory: 700MiB, disk: 1GiB}, image: empty, network: mof}
"""


@pytest.fixture(scope="module")
def world(running_cloud, tmp_path_factory):
    """One machine of ours in zone az1, beside a server of somebody else on the same hypervisor."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OS_CLIENT_CONFIG_FILE", str(running_cloud.clouds_yaml))
        folder, estate = tmp_path_factory.mktemp("drain"), f"drain-{secrets.token_hex(2)}"
        made = make_world(folder, estate, running_cloud.clouds_yaml, running_cloud.admin, running_cloud.admin)
        made.edit("hosts.yml", _OTHERS, "")
        made.edit("hosts.yml", "              replica_group: ledger\n", "")
        made.edit("hosts.yml", "image: empty", "only_on: [cloud-1]\n              image: empty")
        try:
            made.kasumi("plan", "-o", made.plan)
            made.kasumi("apply", made.plan)
            size = Resources(vcpus=1, memory_mib=512, disk_gib=1)
            made.hand.boot("other", size, availability_zone=f"az1:{where(made)}")
            yield made
        finally:
            faults.turn()
            for name in made.hand.services():
                made.hand.change_service(name, status="enabled")
            if any(server["name"] == "other" for server in made.hand.servers()):
                made.hand.remove_foreign("other")
            clear(made)


def where(world, name="ledger-1"):
    return world.hand.server(name)[HOST]


def drain(world, hypervisor, *options, code=0):
    return world.kasumi("drain", "cloud-1", "--hypervisor", hypervisor, *options, code=code)


def test_our_machine_leaves_alive_and_nothing_else_is_touched(world):
    first, before = where(world), world.hand.server("ledger-1")
    assert "the cloud may still place new servers there" in drain(world, first, "--yes", code=5).stderr
    world.hand.change_service(first, status="disabled")
    assert "not confirmed, nothing was changed" in drain(world, first, code=5).stderr
    assert where(world) == first

    faults.turn(live_migration_fails_from=[first])
    failed = drain(world, first, "--yes", code=1)
    assert "still there and untouched" in failed.stderr
    assert (where(world), world.hand.server("ledger-1")["status"]) == (first, "ACTIVE")
    faults.turn()

    done = drain(world, first, "--yes")
    assert "1 moved, 0 of ours left there, 1 servers of others left alone" in done.stderr
    after = world.hand.server("ledger-1")
    assert after[HOST] != first
    assert (after["id"], after["OS-SRV-USG:launched_at"]) == (before["id"], before["OS-SRV-USG:launched_at"])
    assert after["OS-EXT-AZ:availability_zone"] == "az1"
    assert where(world, "other") == first
    assert "0 machines of ours there, none to move" in drain(world, first).stderr
    assert "reconcile: nothing to do" in world.kasumi("reconcile", "--once").stderr
    actions = [row["action"] for row in json.loads(world.kasumi("evidence", "-o", "json").stdout)["evidence"]]
    assert {"drain:intent", "drain:failed", "drain:done"} <= set(actions)


def test_a_hypervisor_that_is_not_there_is_named(world):
    assert "has none of this name" in drain(world, "nowhere", code=1).stderr


def test_our_machine_is_made_anew_elsewhere_when_its_hypervisor_is_dead(world):
    for name in world.hand.services():
        world.hand.change_service(name, status="enabled")
    lost, before = where(world), world.hand.server("ledger-1")
    faults.lose(lost)
    try:
        world.hand.change_service(lost, forced_down=True)
        others = set(layout.ZONES["az1"]) - {lost}
        world.hand.until(lambda: {world.hand.services()[name]["state"] for name in others} == {"up"})
        asked = drain(world, lost, code=5)
        assert "evacuate" in asked.stdout
        done = drain(world, lost, "--yes")
        assert "1 moved, 0 of ours left there" in done.stderr
        after = world.hand.server("ledger-1")
        assert after[HOST] in others
        assert (after["id"], after["status"], after["metadata"]) == (before["id"], "ACTIVE", before["metadata"])
        assert "reconcile: nothing to do" in world.kasumi("reconcile", "--once").stderr
    finally:
        faults.regain(lost)
        world.hand.change_service(lost, forced_down=False)
    assert where(world) == after[HOST]
