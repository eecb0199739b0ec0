"""Observation of a libvirt host in as few calls as tell the truth. Never writes, never asks a guest.

What it costs (libvirt 9.0, 1,000 stopped domains, local socket, two busy cores; `benchmarks/` repeats it):
- `listAllDomains` of those with autostart: one call, below 1 ms;
- `getAllDomainStats` of the state group: one call, 7 ms; this group never waits for a monitor;
- networks: three calls and one definition each; capacity and pool: five calls;
- the definition of each domain, two for a running one: 0.25 to 0.35 ms each, of which the round trip is 0.11 ms. libvirt has no
  bulk call for marks, network cards or the persistent settings of a running domain, and no revision number that would show that
  a remembered definition is still true; so each is read. A host with many is read over up to three connections, which halves it;
- real use: one call for the running domains. It asks QEMU (1 to 2.5 ms each), and a QEMU that hangs would keep it waiting, so it
  comes last and has its own short deadline; after that, use is unknown for this look, and from the next look on libvirt leaves
  the hung one out (NOWAIT).
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import libvirt

from controlplane.errors import KasumiError, UnreachableError
from controlplane.model.observed import HostCapacity, ObservedMachine, ObservedNetwork, PowerState, Usage
from controlplane.model.resources import Resources, total
from controlplane.providers.deadline import with_deadline
from controlplane.providers.libvirt_connection import Connection
from controlplane.providers.libvirt_domain import power_state, read_xml, shape_of
from controlplane.providers.libvirt_network import bridge_of

_MOST_READERS = 3
_DOMAINS_PER_READER = 250
"""Another connection costs a login (0.1 to 0.5 s by ssh), so only many definitions are worth one."""
_USAGE_SECONDS = 3.0
_USAGE = libvirt.VIR_DOMAIN_STATS_CPU_TOTAL | libvirt.VIR_DOMAIN_STATS_BALLOON
_USAGE_FLAGS = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE | libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
T = TypeVar("T")

_SWITCHED_OFF = frozenset({PowerState.STOPPED, PowerState.CRASHED})


def observe_machines(host: Connection) -> tuple[ObservedMachine, ...]:
    """All domains, foreign ones included, by name, without their use. Raises libvirt.libvirtError."""
    connection = host.open()
    starting = {domain.UUIDString() for domain in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_AUTOSTART)}
    states = {
        domain.UUIDString(): power_state(int(stats.get("state.state", libvirt.VIR_DOMAIN_NOSTATE)))
        for domain, stats in connection.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE, 0)
    }
    readers = max(1, min(_MOST_READERS, len(states) // _DOMAINS_PER_READER))

    def read(share: int) -> list[ObservedMachine]:
        domains = sorted(host.open().listAllDomains(), key=lambda domain: domain.UUIDString())[share::readers]
        looks = (_look(domain, states, starting) for domain in domains)
        return [machine for machine in looks if machine is not None]

    found = [machine for share in _at_once(read, readers, host) for machine in share]
    return tuple(sorted(found, key=lambda machine: machine.name))


def with_usage(host: Connection, machines: tuple[ObservedMachine, ...]) -> tuple[ObservedMachine, ...]:
    """The machines with the real use of those that run; without it when a QEMU hangs. Raises libvirt.libvirtError."""
    if all(machine.state in _SWITCHED_OFF for machine in machines):
        return machines
    connection = host.open()
    try:
        found = with_deadline(
            lambda: connection.getAllDomainStats(_USAGE, _USAGE_FLAGS), seconds=_USAGE_SECONDS, what="use of running machines"
        )
    except UnreachableError:
        host.give_up()
        return machines
    usage = {domain.UUIDString(): _use(stats) for domain, stats in found}
    return tuple(replace(machine, usage=usage.get(machine.given_id, machine.usage)) for machine in machines)


def observe_networks(connection: libvirt.virConnect) -> tuple[ObservedNetwork, ...]:
    """All networks, by name. Raises libvirt.libvirtError."""
    active = {network.UUIDString() for network in connection.listAllNetworks(libvirt.VIR_CONNECT_LIST_NETWORKS_ACTIVE)}
    starting = {network.UUIDString() for network in connection.listAllNetworks(libvirt.VIR_CONNECT_LIST_NETWORKS_AUTOSTART)}
    return tuple(
        ObservedNetwork(
            name=network.name(),
            active=network.UUIDString() in active,
            autostart=network.UUIDString() in starting,
            bridge=bridge_of(network.XMLDesc()),
        )
        for network in sorted(connection.listAllNetworks(), key=lambda network: network.name())
    )


def observe_capacity(
    connection: libvirt.virConnect, machines: Sequence[ObservedMachine], *, estate: str, disk_gib: int, virtualisation: str
) -> HostCapacity:
    """What the host has, and what machines of others are promised of it. Raises libvirt.libvirtError."""
    architecture, memory_mib, cpus, *_ = connection.getInfo()
    foreign = [
        Resources(vcpus=machine.vcpus, memory_mib=machine.memory_mib)
        for machine in machines
        if machine.mark is None or machine.mark.estate != estate
    ]
    version = connection.getLibVersion()
    return HostCapacity(
        total=Resources(vcpus=cpus, memory_mib=memory_mib, disk_gib=disk_gib),
        used_by_foreign=total(foreign),
        hypervisor=connection.getType(),
        version=f"{version // 1_000_000}.{version // 1000 % 1000}.{version % 1000}",
        architecture=str(architecture),
        virtualisation=virtualisation,
    )


def virtualisation_of(capabilities: str) -> str:
    """What the host's capabilities offer for x86_64: kvm where libvirt's own probe found it to work, else qemu; or test."""
    root = read_xml(capabilities)
    offered = {domain.get("type") for domain in root.iterfind("guest/arch[@name='x86_64']/domain")}
    offered |= {domain.get("type") for domain in root.iterfind("guest/arch/domain") if domain.get("type") == "test"}
    return next((kind for kind in ("kvm", "qemu", "test") if kind in offered), "none")


def _use(stats: Mapping[str, int | str | bool]) -> Usage:
    available, usable = stats.get("balloon.available"), stats.get("balloon.usable", stats.get("balloon.unused"))
    return Usage(
        cpu_seconds=int(stats["cpu.time"]) / 1e9 if "cpu.time" in stats else None,
        memory_used_mib=(int(available) - int(usable)) // 1024 if available is not None and usable is not None else None,
    )


def _look(domain: libvirt.virDomain, states: Mapping[str, PowerState], starting: set[str]) -> ObservedMachine | None:
    """None for a domain that came or went while we looked: it is not seen yet, or no more."""
    uuid = domain.UUIDString()
    state = states.get(uuid)
    if state is None:
        return None
    try:
        kept = shape_of(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        live = None if state in _SWITCHED_OFF else shape_of(domain.XMLDesc())
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise
    return ObservedMachine(
        name=domain.name(),
        uuid=kept.planned_uuid or uuid,
        native_id=uuid if kept.planned_uuid else "",
        mark=kept.mark,
        state=state,
        vcpus=kept.vcpus,
        memory_mib=kept.memory_mib,
        live_vcpus=live.vcpus if live is not None else None,
        live_memory_mib=live.memory_mib if live is not None else None,
        autostart=uuid in starting,
        nics=kept.nics,
        live_nics=live.nics if live is not None else None,
        disk_gib=kept.disk_gib,
    )


def _at_once(read: Callable[[int], T], readers: int, host: Connection) -> list[T]:
    """`read(0)` here and the others beside it, in daemon threads: a host that hangs must not keep the process alive."""
    results: dict[int, T] = {}
    failures: list[KasumiError] = []

    def run(share: int) -> None:
        try:
            with host.errors("reading definitions"):
                results[share] = read(share)
        except KasumiError as error:  # handed to the waiting thread, which raises it
            failures.append(error)

    threads = [threading.Thread(target=run, args=(share,), daemon=True) for share in range(1, readers)]
    for thread in threads:
        thread.start()
    results[0] = read(0)
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return [results[share] for share in sorted(results)]
