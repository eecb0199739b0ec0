"""Small plans and observations for tests of execution."""

from dataclasses import replace
from datetime import UTC, datetime

from controlplane.model.estate import LibvirtSource, StoragePool
from controlplane.model.observed import (
    HostCapacity,
    HostObservation,
    Mark,
    Observation,
    ObservedMachine,
    ObservedNetwork,
    ObservedNic,
    PowerState,
)
from controlplane.model.plan import (
    Method,
    Plan,
    PlannedAccess,
    PlannedHost,
    PlannedMachine,
    PlannedNetwork,
    PlannedNic,
)
from controlplane.model.resources import Resources

SEEN_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
POOL = StoragePool(name="kasumi", path="/var/lib/libvirt/kasumi")


def machine(machine_id: str, *, host: str = "hv1", method: Method = Method.IMAGE, order: int = 0) -> PlannedMachine:
    number = sum(machine_id.encode()) % 250
    return PlannedMachine(
        id=machine_id,
        uuid=f"00000000-0000-4000-8000-{number:012d}",
        system="portal",
        ministry="mic",
        host=host,
        size=Resources(vcpus=1, memory_mib=512, disk_gib=4),
        method=method,
        nics=(PlannedNic(network="shared", mac=f"52:54:00:00:00:{number:02x}", address="192.0.2.9", prefix_length=24),),
        image="debian-12" if method is Method.IMAGE else "",
        source=LibvirtSource(uri="qemu+ssh://old/system", domain=machine_id) if method is Method.COLD else None,
        confidentiality=1,
        tier="standard",
        order=order,
        reasons=("a test wants it",),
        derived_from=(f"machine/{machine_id}",),
    )


def plan(*machines: PlannedMachine, hosts: tuple[str, ...] = ("hv1", "hv2")) -> Plan:
    nothing = Resources()
    return Plan(
        estate="test",
        parent="",
        inputs={},
        access=PlannedAccess(user="kasumi", authorized_keys=(), identity_file="", ssh_config=""),
        ministries={"mic": "Internal Affairs"},
        systems=(),
        hosts=tuple(
            PlannedHost(
                id=host,
                uri=f"qemu+ssh://{host}/system",
                site="east",
                rack="r1",
                pool=POOL,
                virtualisation="qemu",
                physical=nothing,
                promised_capacity=nothing,
                allocated_before=nothing,
                allocated_after=nothing,
            )
            for host in hosts
        ),
        networks=tuple(PlannedNetwork(host=host, network="shared", name="kasumi-shared", bridge="br-shared") for host in hosts),
        images=(),
        machines=tuple(machines),
        servers=(),
    )


def seen(planned: PlannedMachine, **changes: object) -> ObservedMachine:
    """The machine exactly as planned, but for the changes."""
    nics = tuple(ObservedNic(network="kasumi-shared", mac=nic.mac) for nic in planned.nics)
    as_planned = ObservedMachine(
        name=planned.id,
        uuid=planned.uuid,
        mark=Mark(estate="test", machine=planned.id, plan="0" * 64),
        state=PowerState.RUNNING,
        vcpus=planned.size.vcpus,
        memory_mib=planned.size.memory_mib,
        live_vcpus=planned.size.vcpus,
        live_memory_mib=planned.size.memory_mib,
        autostart=planned.autostart,
        nics=nics,
        live_nics=nics,
        disk_gib=planned.size.disk_gib,
    )
    return replace(as_planned, **changes)  # type: ignore[arg-type]


def host(host_id: str, *machines: ObservedMachine, **changes: object) -> HostObservation:
    """A host that has its network and these machines."""
    whole = HostObservation(
        host=host_id,
        observed_at=SEEN_AT,
        duration_seconds=0.1,
        capacity=HostCapacity(
            total=Resources(vcpus=8, memory_mib=16384, disk_gib=100),
            used_by_foreign=Resources(),
            hypervisor="QEMU",
            version="9.0.0",
            architecture="x86_64",
            virtualisation="qemu",
        ),
        machines=machines,
        networks=(ObservedNetwork(name="kasumi-shared", active=True, autostart=True, bridge="br-shared"),),
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def look(*hosts: HostObservation) -> Observation:
    return Observation(hosts={each.host: each for each in hosts})
