"""Observation of a libvirt host in as few calls as tell the truth. Never writes, never asks a guest.

What it costs (libvirt 9.0, 1,000 stopped domains, local socket, two busy cores; `benchmarks/` repeats it):
- `listAllDomains` of those with autostart: one call, below 1 ms;
- `getAllDomainStats` of the state group: one call, 7 ms; this group never waits for a monitor;
- networks: three calls and one definition each; capacity and pool: five calls;
- the definition of each domain, two for a running one: 0.25 to 0.35 ms each, of which the round trip is 0.11 ms. libvirt has no
  bulk call for marks, network cards or the persistent settings of a running domain, and no revision number that would show that
  a remembered definition is still true; so each is read, five at once, which is what a libvirtd serves one client
  (`max_client_requests`); that halves the time on a local socket and divides the round trips over a network by five;
- real use: one call for the running domains. It asks QEMU (1 to 2.5 ms each), and a QEMU that hangs would keep it waiting, so it
  has its own short deadline; after that, use is unknown for this look, and from the next on libvirt leaves the hung one out.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import libvirt
from lxml import etree

from controlplane.errors import UnreachableError
from controlplane.model.observed import HostCapacity, ObservedMachine, ObservedNetwork, PowerState, Usage
from controlplane.model.resources import Resources, total
from controlplane.providers.deadline import with_deadline
from controlplane.providers.libvirt_domain import XML_PARSER, Shape, power_state, shape_of
from controlplane.providers.libvirt_network import bridge_of

_REQUESTS_AT_ONCE = 5
_USAGE_SECONDS = 3.0
_USAGE = libvirt.VIR_DOMAIN_STATS_CPU_TOTAL | libvirt.VIR_DOMAIN_STATS_BALLOON
_USAGE_FLAGS = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE | libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
T = TypeVar("T")
R = TypeVar("R")

_SWITCHED_OFF = frozenset({PowerState.STOPPED, PowerState.CRASHED})


def observe_machines(connection: libvirt.virConnect) -> tuple[ObservedMachine, ...]:
    """All domains, foreign ones included, by name. Raises libvirt.libvirtError."""
    starting = {domain.UUIDString() for domain in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_AUTOSTART)}
    states = [
        (domain, power_state(int(stats.get("state.state", libvirt.VIR_DOMAIN_NOSTATE))))
        for domain, stats in connection.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE, 0)
    ]
    running = any(state not in _SWITCHED_OFF for _, state in states)
    usage = _usage(connection) if running else {}

    def look(found: tuple[libvirt.virDomain, PowerState]) -> ObservedMachine | None:
        domain, state = found
        uuid = domain.UUIDString()
        try:
            kept = shape_of(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
            live = None if state in _SWITCHED_OFF else shape_of(domain.XMLDesc())
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:  # it went away while we looked
                return None
            raise
        return _machine(domain.name(), uuid, state, kept, live, usage.get(uuid, Usage()), autostart=uuid in starting)

    seen = [machine for machine in _at_once(look, states) if machine is not None]
    return tuple(sorted(seen, key=lambda machine: machine.name))


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
    root = etree.fromstring(capabilities, XML_PARSER)
    offered = {domain.get("type") for domain in root.iterfind("guest/arch[@name='x86_64']/domain")}
    offered |= {domain.get("type") for domain in root.iterfind("guest/arch/domain") if domain.get("type") == "test"}
    return next((kind for kind in ("kvm", "qemu", "test") if kind in offered), "none")


def _usage(connection: libvirt.virConnect) -> dict[str, Usage]:
    """Real use by uuid; empty when a domain hangs."""
    try:
        found = with_deadline(
            lambda: connection.getAllDomainStats(_USAGE, _USAGE_FLAGS), seconds=_USAGE_SECONDS, what="use of running machines"
        )
    except UnreachableError:
        return {}
    return {domain.UUIDString(): _use(stats) for domain, stats in found}


def _use(stats: Mapping[str, int | str | bool]) -> Usage:
    available, usable = stats.get("balloon.available"), stats.get("balloon.usable", stats.get("balloon.unused"))
    return Usage(
        cpu_seconds=int(stats["cpu.time"]) / 1e9 if "cpu.time" in stats else None,
        memory_used_mib=(int(available) - int(usable)) // 1024 if available is not None and usable is not None else None,
    )


def _machine(
    name: str, uuid: str, state: PowerState, kept: Shape, live: Shape | None, usage: Usage, *, autostart: bool
) -> ObservedMachine:
    return ObservedMachine(
        name=name,
        uuid=uuid,
        mark=kept.mark,
        state=state,
        vcpus=kept.vcpus,
        memory_mib=kept.memory_mib,
        live_vcpus=live.vcpus if live is not None else None,
        live_memory_mib=live.memory_mib if live is not None else None,
        autostart=autostart,
        nics=kept.nics,
        live_nics=live.nics if live is not None else None,
        usage=usage,
    )


def _at_once(look: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """`look` at all items from a few daemon threads, which a host that hangs cannot make keep the process alive."""
    results: list[R] = []
    failures: list[BaseException] = []

    def run(share: Sequence[T]) -> None:
        try:
            for item in share:
                results.append(look(item))
        except BaseException as error:  # handed to the waiting thread, which raises it
            failures.append(error)

    threads = [
        threading.Thread(target=run, args=(items[k::_REQUESTS_AT_ONCE],), daemon=True)
        for k in range(min(_REQUESTS_AT_ONCE, len(items)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results
