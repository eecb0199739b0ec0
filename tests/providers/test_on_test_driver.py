"""The contract on libvirt's own test driver, as far as it goes: it takes no uploads and keeps its host within one connection."""

import secrets
from pathlib import Path

import pytest

from controlplane.model.estate import StoragePool
from controlplane.model.plan import PlannedNetwork
from controlplane.providers.libvirt import LibvirtProvider
from controlplane.providers.libvirt_connection import Connection
from tests.providers.contract import AdoptContract, MachineContract, NetworkContract, Place
from tests.providers.libvirt_hand import LibvirtHand

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
    pass


class TestNetworks(NetworkContract):
    pass
