"""On a hypervisor, a machine whose lease ended is shut down and kept so, keeps its disk, and starts again once it is prolonged."""

import secrets
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from controlplane.execution.converge import Permissions, converge
from controlplane.execution.drift import Memory
from controlplane.model.drift import Action, Result
from controlplane.model.estate import StoragePool
from controlplane.model.migration import Migration, Phase, SourceDisk
from controlplane.model.observed import Observation, PowerState
from controlplane.model.plan import Method, PlannedNetwork
from controlplane.model.resources import Resources
from controlplane.providers.libvirt import LibvirtProvider
from controlplane.providers.libvirt_connection import Connection
from tests.execution.plans import SEEN_AT, machine, plan
from tests.providers.libvirt_hand import LibvirtHand

HOST = Path(__file__).parents[1] / "providers" / "test_host.xml"
DB = replace(machine("db1", method=Method.COLD), size=Resources(vcpus=1, memory_mib=512, disk_gib=1))  # as its disk is placed
LEASED = {"lease/db1": {"until": "2026-01-31", "at_end": "stop"}}
ARRIVED = Migration(
    estate="test", machine="db1", plan="0", phase=Phase.FINALIZED, source_uri="qemu+ssh://old/system", source_domain="db1",
    source_uuid="u", disk=SourceDisk(path="/d", format="raw", size_bytes=1), started_at=SEEN_AT, updated_at=SEEN_AT,
)  # fmt: skip
SILENT = SimpleNamespace(intent=lambda _: None, outcome=lambda _: None)


@pytest.fixture
def world():
    """A running machine on libvirt's test driver."""
    pool = StoragePool(name=f"lease-{secrets.token_hex(3)}", path="/nowhere")
    connection = Connection(f"test://{HOST}")
    provider = LibvirtProvider("hv1", connection, pool, estate="test")
    provider.ensure_storage()
    provider.ensure_network(PlannedNetwork(host="hv1", network="shared", name="kasumi-shared", bridge=""))
    hand = LibvirtHand(connection, pool.name)
    hand.place_disk(DB.id)
    yield SimpleNamespace(provider=provider, hand=hand)
    provider.close()


def converged(world, today, inputs):
    wanted = replace(plan(DB, hosts=("hv1",)), inputs=inputs)
    wanted = replace(wanted, networks=tuple(replace(network, bridge="") for network in wanted.networks))
    # A host of the test driver is within one connection, so nobody closes it in between.
    open_one = SimpleNamespace(
        **{name: getattr(world.provider, name) for name in dir(world.provider) if not name.startswith("_") and name != "close"},
        close=lambda: None,
    )
    target = SimpleNamespace(id="hv1", open=lambda: open_one)
    done = converge(
        wanted,
        "0" * 64,
        [target],
        Observation(hosts={"hv1": world.provider.observe()}),
        Memory(migrations={"db1": ARRIVED}, today=today),
        journal=SILENT,
        watch=lambda _: None,
        permissions=Permissions(),
    )
    (seen,) = [each for each in done.observation.hosts["hv1"].machines if each.name == DB.id]
    return [(outcome.drift.action, outcome.result) for outcome in done.outcomes], seen.state


def test_it_is_stopped_after_its_last_day_and_started_when_prolonged(world):
    last, after = date(2026, 1, 31), date(2026, 2, 1)
    made, state = converged(world, last, LEASED)
    assert {result for _, result in made} == {Result.DONE}
    assert state is PowerState.RUNNING
    disks = world.hand.disks()
    assert converged(world, last, LEASED) == ([], PowerState.RUNNING)
    stopped = [(Action.STOP, Result.DONE), (Action.SET_AUTOSTART, Result.DONE)]
    assert converged(world, after, LEASED) == (stopped, PowerState.STOPPED)
    assert converged(world, after, LEASED) == ([], PowerState.STOPPED)
    assert world.hand.disks() == disks
    prolonged = {"lease/db1": {"until": "2027-01-31", "at_end": "stop"}}
    assert converged(world, after, prolonged) == (
        [(Action.SET_AUTOSTART, Result.DONE), (Action.START, Result.DONE)],
        PowerState.RUNNING,
    )
