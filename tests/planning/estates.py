"""Small made estates and what is seen on their hosts."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from controlplane.model.estate import (
    Access,
    Disposition,
    Estate,
    Host,
    Image,
    LibvirtSource,
    Ministry,
    Network,
    Saving,
    Server,
    Service,
    Site,
    StoragePool,
    System,
    Tier,
    WantedMachine,
)
from controlplane.model.observed import (
    HostCapacity,
    HostObservation,
    Mark,
    Observation,
    ObservedMachine,
    ObservedNic,
    PowerState,
)
from controlplane.model.plan import Plan, PlannedImage
from controlplane.model.resources import Overcommit, Resources
from controlplane.planning.build import build_plan

SEEN_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
IMAGES = {
    "debian-12": PlannedImage(id="debian-12", file="/images/debian-12.qcow2", format="qcow2", sha256="ab" * 32, os="debian-12")
}
KEYS = ("ssh-ed25519 AAAA operations",)


def size(vcpus: int, memory_mib: int, disk_gib: int) -> Resources:
    return Resources(vcpus=vcpus, memory_mib=memory_mib, disk_gib=disk_gib)


def host(host_id: str, number: int = 1, **changes: object) -> Host:
    made = Host(
        id=host_id,
        uri=f"qemu+ssh://root@198.51.100.{number}/system",
        site="east" if number % 2 else "west",
        rack=f"r{number}",
        power_feed=f"feed{number}",
        capacity=size(4, 9216, 100),
        reserved=size(0, 1024, 10),
        overcommit=Overcommit(vcpus=4.0),
        confidentiality=(1, 2),
        networks={"shared": "br-shared", "mhlw": "br-mhlw"},
        pool=StoragePool(name="kasumi", path="/var/lib/libvirt/kasumi"),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def system(system_id: str, ministry: str = "mic", **changes: object) -> System:
    made = System(
        id=system_id, ministry=ministry, name=f"{system_id}システム", name_en=system_id, study_class=1, confidentiality=1
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def machine(machine_id: str, system_id: str = "portal", **changes: object) -> WantedMachine:
    made = WantedMachine(id=machine_id, system=system_id, size=size(1, 1024, 10), image="debian-12", network="shared")
    return replace(made, **changes)  # type: ignore[arg-type]


def server(server_id: str, system_id: str, disposition: Disposition, **changes: object) -> Server:
    made = Server(id=server_id, system=system_id, kind="physical", size=size(2, 2048, 20), disposition=disposition)
    return replace(made, **changes)  # type: ignore[arg-type]


def estate(
    hosts: Iterable[Host],
    *,
    systems: Iterable[System] = (),
    machines: Iterable[WantedMachine] = (),
    servers: Iterable[Server] = (),
    tiers: Iterable[Tier] = (),
) -> Estate:
    given = tuple(hosts)
    return Estate(
        id="test",
        name="試験環境",
        access=Access(user="kasumi", identity_file="/keys/id", authorized_key_files=("/keys/id.pub",)),
        ministries={
            "mic": Ministry(id="mic", name="総務省", name_en="Internal Affairs and Communications"),
            "mhlw": Ministry(id="mhlw", name="厚生労働省", name_en="Health, Labour and Welfare"),
        },
        systems={each.id: each for each in (tuple(systems) or (system("portal"),))},
        servers={each.id: each for each in servers},
        machines={each.id: each for each in machines},
        sites={"east": Site(id="east", name="東"), "west": Site(id="west", name="西")},
        hosts={each.id: each for each in given},
        networks={
            "shared": Network(
                id="shared", cidr="192.0.2.0/24", confidentiality=2, gateway="192.0.2.1", dns=("192.0.2.5",),
                reserved=(("192.0.2.2", "192.0.2.4"),),
            ),
            "mhlw": Network(id="mhlw", cidr="203.0.113.0/24", confidentiality=2, ministry="mhlw", gateway="203.0.113.1"),
        },
        images={
            "debian-12": Image(id="debian-12", file="/images/debian-12.qcow2", format="qcow2", os="debian-12", min_disk_gib=3),
        },
        tiers={
            each.id: each
            for each in (
                Tier(id="standard", host_failures=0, spread_over="host"),
                Tier(id="high", host_failures=1, spread_over="rack"),
                *tiers,
            )
        },
    )  # fmt: skip


def small_estate() -> Estate:
    """Two ministries; every disposition; replicas that must survive a host; three hosts."""
    return estate(
        (host("hv1", 1), host("hv2", 2), host("hv3", 3, confidentiality=(1, 2, 3))),
        systems=(
            system("portal", tier="high", savings=(Saving(label="e-Gov", cost_thousand_yen=74046, shared_use=True),)),
            system("pension", "mhlw", name="年金記録システム", study_class=4, confidentiality=2,
                   savings=(Saving(label="net", cost_thousand_yen=932500), Saving(label="rise", cost_thousand_yen=-500))),
            system("mailbox", "mic", status="planned"),
        ),
        machines=(
            machine("portal-1", replica_group="portal", services=(Service(name="web", port=80, protocol="http"),)),
            machine("portal-2", replica_group="portal", roles=("nginx",), variables={"workers": 2}),
            machine("files", "pension", network="mhlw", address="203.0.113.9", size=size(2, 2048, 40)),
        ),
        servers=(
            server("pension-db", "pension", Disposition.REHOST, network="mhlw", address="203.0.113.2", mac="52:54:00:AA:BB:CC",
                   target=size(1, 4096, 10), reason="in use",
                   source=LibvirtSource(uri="qemu+ssh://old/system", domain="pension-db")),
            server("pension-ap", "pension", Disposition.REPLATFORM, network="mhlw", address="203.0.113.3", image="debian-12"),
            server("pension-fs", "pension", Disposition.MERGE, into="files", network="mhlw", address="203.0.113.4"),
            server("pension-fax", "pension", Disposition.RETIRE),
            server("pension-hsm", "pension", Disposition.RETAIN),
            server("pension-print", "pension", Disposition.REHOST),
            server("mailbox-1", "mailbox", Disposition.REPLATFORM, network="shared", image="debian-12"),
        ),
    )  # fmt: skip


def observed(given: Estate, **changes: dict[str, object]) -> Observation:
    """Every host answers with what it declares and nothing on it, but for changes by host id."""
    return Observation(hosts={each.id: seen_host(each, **changes.get(each.id, {})) for each in given.hosts.values()})


def seen_host(given: Host, *, used: Resources | None = None, **changes: object) -> HostObservation:
    capacity = HostCapacity(
        total=given.capacity,
        used_by_foreign=used or Resources(),
        hypervisor="QEMU",
        version="9.0.0",
        architecture="x86_64",
        virtualisation="kvm",
    )
    seen = HostObservation(
        host=given.id, observed_at=SEEN_AT, duration_seconds=0.1, capacity=capacity, disk_free_gib=given.capacity.disk_gib
    )
    return replace(seen, **changes)  # type: ignore[arg-type]


def silent(host_id: str) -> dict[str, dict[str, object]]:
    return {host_id: {"error": "no answer within 20 s", "capacity": None}}


def applied(given: Estate, plan: Plan, **changes: dict[str, object]) -> Observation:
    """What is seen when the plan was carried out in full."""
    with_machines: dict[str, dict[str, object]] = {}
    for each in given.hosts.values():
        seen = tuple(
            ObservedMachine(
                name=planned.id,
                uuid=planned.uuid,
                mark=Mark(estate=given.id, machine=planned.id, plan="0" * 64),
                state=PowerState.RUNNING,
                vcpus=planned.size.vcpus,
                memory_mib=planned.size.memory_mib,
                live_vcpus=planned.size.vcpus,
                live_memory_mib=planned.size.memory_mib,
                autostart=True,
                nics=tuple(ObservedNic(network=f"kasumi-{nic.network}", mac=nic.mac) for nic in planned.nics),
            )
            for planned in plan.machines
            if planned.host == each.id
        )
        with_machines[each.id] = {"machines": seen} | changes.get(each.id, {})
    return observed(given, **with_machines)


def planned(given: Estate, seen: Observation | None = None, parent: Plan | None = None) -> Plan:
    return build_plan(given, seen or observed(given), parent, images=IMAGES, authorized_keys=KEYS)
