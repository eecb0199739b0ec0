"""The contract on libvirt's own test driver, as far as it goes: it takes no uploads and keeps its host within one connection."""

import secrets
from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.errors import RefusedError
from controlplane.model.estate import StoragePool
from controlplane.model.plan import Method, PlannedNetwork
from controlplane.providers.libvirt import LibvirtProvider
from controlplane.providers.libvirt_connection import Connection
from controlplane.providers.protocol import Foreign
from tests.providers.contract import AdoptContract, MachineContract, NetworkContract
from tests.providers.libvirt_hand import LibvirtHand
from tests.providers.place import Place

DISK_GIB = 1024
"""What the test driver says of every disk."""
HOST = Path(__file__).parent / "test_host.xml"


@pytest.fixture
def place():
    estate = f"contract-{secrets.token_hex(3)}"
    pool = StoragePool(name=estate, path=f"/nowhere/{estate}")
    connection = Connection(f"test://{HOST}")
    provider = LibvirtProvider("test1", connection, pool, estate=estate)
    networks = tuple(PlannedNetwork(host="test1", network=name, name=f"{estate}-{name}", bridge="") for name in ("a", "b"))
    provider.ensure_storage()
    for network in networks:
        provider.ensure_network(network)
    hand = LibvirtHand(connection, pool.name)
    yield Place(
        provider=provider,
        again=lambda: LibvirtProvider("test1", _Kept(connection), pool, estate=estate),
        hand=hand,
        estate=estate,
        image=None,
        place_disk=hand.place_disk,
        networks=networks,
    )
    provider.close()


class _Kept(Connection):
    """Another user of the one connection in which a test driver's host exists."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.uri)
        self.open, self.errors = connection.open, connection.errors
        self.close = lambda: None


class TestMachines(MachineContract):
    pass


class TestAdopting(AdoptContract):
    def test_several_disks_count_together_and_none_of_them_is_touched(self, place):
        machine = replace(place.machine(), method=Method.ADOPT, image="")
        mac, network = machine.nics[0].mac, place.networks[0].name
        place.hand.make_running("before-us", mac, memory_mib=64, disks=("vda", "vdb"), network=network)
        before, definition = place.named("before-us"), place.hand.without_mark("before-us")
        both_gib = 2 * DISK_GIB
        assert place.provider.look_at_foreign(before.given_id) == Foreign(disk_gib=both_gib, obstacles=())
        machine = replace(machine, size=replace(machine.size, memory_mib=64, disk_gib=both_gib))
        place.provider.adopt(machine, native_id=before.given_id, plan="")
        place.ensure_adopted(machine, before)
        assert place.named("before-us").disk_gib == both_gib
        for wanted_gib in (both_gib - 1, both_gib + 1):
            other = replace(machine, size=replace(machine.size, disk_gib=wanted_gib))
            with pytest.raises(RefusedError, match=f"wanted disks of {wanted_gib} GiB together, found {both_gib} GiB on 2 disks"):
                place.ensure_adopted(other, before)
        assert place.hand.without_mark("before-us") == definition


class TestNetworks(NetworkContract):
    pass
