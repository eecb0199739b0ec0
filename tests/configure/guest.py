"""A real machine made by the provider on the lab's first host, planned and accepted as `kasumi apply` would."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from controlplane.execution.seed_text import render_seed
from controlplane.model.estate import Service, StoragePool
from controlplane.model.plan import Plan, PlannedAccess, PlannedImage, PlannedMachine, PlannedNetwork, PlannedNic
from controlplane.model.resources import Resources
from controlplane.providers.opening import open_provider
from controlplane.providers.protocol import MachineRef
from controlplane.settings import Settings
from controlplane.store import Store, open_store
from lab import layout
from tests.execution.plans import machine, plan

HOST = layout.shared_host(1)
ADDRESS = "10.77.10.19"
"""In the part of the lab's network that no plan of its inventory uses."""
SITES = [
    {"name": "hello", "content": "こんにちは"},
    {"name": "behind", "server_name": "behind.test", "proxy_pass": "http://127.0.0.1:8080"},
    {"name": "application", "listen": 8080, "content": "passed on"},
]


def settings(home: Path) -> Settings:
    return Settings(home=home, database_url=f"sqlite:///{home}/kasumi.db", inventory=home)


def planned(estate: str) -> Plan:
    """One machine with every role."""
    key = layout.ssh_home() / "id_ed25519"
    image = layout.home() / "images" / "debian-12.qcow2"
    guest = replace(
        machine(f"{estate}-1"),
        size=Resources(vcpus=1, memory_mib=768, disk_gib=4),
        nics=(PlannedNic(network="shared", mac="52:54:00:c0:f1:19", address=ADDRESS, prefix_length=24, gateway="10.77.10.1"),),
        roles=("postgresql", "nginx"),
        services=(
            Service(name="page", port=80, protocol="http"),
            Service(name="database", port=5432),
            Service(name="ssh", port=22),
        ),
        variables={
            "nginx_sites": SITES,
            "postgresql_listen_addresses": "*",
            "postgresql_databases": [{"name": "Staff-Data", "owner": "staff"}],
            "postgresql_allowed_networks": ["10.77.10.0/24"],
        },
    )
    whole = plan(guest, hosts=("hv1",))
    return replace(
        whole,
        estate=estate,
        access=PlannedAccess(
            user="kasumi",
            authorized_keys=(key.with_suffix(".pub").read_text().strip(),),
            identity_file=str(key),
            ssh_config=str(layout.ssh_home() / "config"),
        ),
        hosts=(
            replace(
                whole.hosts[0],
                uri=f"qemu+ssh://root@{HOST.address}/system",
                pool=StoragePool(name=estate, path=f"/var/lib/libvirt/{estate}"),
            ),
        ),
        networks=(PlannedNetwork(host="hv1", network="shared", name=f"{estate}-shared", bridge="br-shared"),),
        images=(
            PlannedImage(
                id="debian-12",
                file=str(image),
                format="qcow2",
                sha256=image.with_name(image.name + ".sha256").read_text().split()[0],
                os="debian-12",
            ),
        ),
    )


def make(wanted: Plan, home: Path) -> Store:
    """The machine, booting, and a store that has accepted its plan."""
    (host,) = wanted.hosts
    provider = open_provider(host.id, host.uri, host.pool, estate=wanted.estate, ssh_config=wanted.access.ssh_config)
    guest, image = wanted.machines[0], wanted.images[0]
    try:
        provider.ensure_storage()
        provider.ensure_image(image)
        provider.ensure_network(wanted.networks[0])
        provider.ensure_machine(
            guest,
            plan="c" * 64,
            network_names={"shared": wanted.networks[0].name},
            image=image,
            seed=render_seed(guest, wanted.access),
        )
        provider.start(_ref(wanted, guest))
    finally:
        provider.close()
    home.mkdir(mode=0o700, exist_ok=True)
    store = open_store(settings(home))
    store.accept_plan(wanted, actor="test", at=datetime.now(UTC))
    return store


def remove(wanted: Plan) -> None:
    """Take the machine, its image, its pool and its network away."""
    from controlplane.providers.libvirt_connection import Connection
    from tests.providers.libvirt_hand import LibvirtHand

    (host,) = wanted.hosts
    provider = open_provider(host.id, host.uri, host.pool, estate=wanted.estate, ssh_config=wanted.access.ssh_config)
    connection = Connection(host.uri, ssh_config=wanted.access.ssh_config)
    hand = LibvirtHand(connection, host.pool.name)
    try:
        ref = _ref(wanted, wanted.machines[0])
        provider.stop(ref, force_after_seconds=0)
        provider.remove(ref)
        hand.remove_network(wanted.networks[0].name)
        hand.remove_pool()
    finally:
        provider.close()
        connection.close()


@contextmanager
def running(estate: str, home: Path) -> Iterator[tuple[Plan, Store]]:
    """The machine for as long as the block runs."""
    wanted = planned(estate)
    try:
        yield wanted, make(wanted, home)
    finally:
        remove(wanted)


def _ref(wanted: Plan, guest: PlannedMachine) -> MachineRef:
    return MachineRef(estate=wanted.estate, machine=guest.id, uuid=guest.uuid)
