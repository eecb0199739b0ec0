"""The independent checker: looks at a finished plan and shares nothing with the planner but the model.

Critical findings block the plan. It recomputes every promise from the plan, the estate and the observation.
"""

from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from math import floor

from controlplane.model.estate import Disposition, Estate, Host
from controlplane.model.finding import Finding, Severity
from controlplane.model.observed import Observation
from controlplane.model.plan import Plan, PlannedMachine

_DIMENSIONS = ("vcpus", "memory_mib", "disk_gib")


def check_plan(plan: Plan, estate: Estate, observation: Observation) -> tuple[Finding, ...]:
    """All findings, critical first."""
    found = [
        *_identity(plan),
        *_complete(plan, estate),
        *_capacity(plan, estate, observation),
        *_zones(plan, estate),
        *_replicas(plan, estate),
        *_survival(plan, estate, observation),
        *_addresses(plan, estate),
    ]
    return tuple(sorted(found, key=lambda finding: (finding.severity is not Severity.CRITICAL, finding.where, finding.what)))


def _critical(where: str, what: str, remedy: str = "this is a fault of the planner: report it, and do not apply") -> Finding:
    return Finding(severity=Severity.CRITICAL, where=where, what=what, remedy=remedy)


def _identity(plan: Plan) -> Iterator[Finding]:
    for what, values in (
        ("id", [machine.id for machine in plan.machines]),
        ("uuid", [machine.uuid for machine in plan.machines]),
        ("MAC", [nic.mac for machine in plan.machines for nic in machine.nics]),
        ("address", [nic.address for machine in plan.machines for nic in machine.nics]),
    ):
        for value, count in sorted(Counter(values).items()):
            if count > 1:
                yield _critical("plan", f"{what} {value} is used {count} times")


def _complete(plan: Plan, estate: Estate) -> Iterator[Finding]:
    planned = {machine.id for machine in plan.machines}
    wanted = set(estate.machines)
    for server in estate.servers.values():
        if server.disposition is Disposition.REPLATFORM or (server.disposition is Disposition.REHOST and server.source is not None):
            wanted.add(server.id)
    for missing in sorted(wanted - planned):
        yield _critical(f"machine/{missing}", "the estate wants it, the plan has it not")
    for surplus in sorted(planned - wanted):
        yield _critical(f"machine/{surplus}", "the plan has it, nothing in the estate wants it")
    for server in plan.servers:
        if server.machine and server.machine not in planned:
            yield _critical(f"server/{server.id}", f"its successor {server.machine} is not in the plan")


def _promisable(host: Host, observation: Observation, dimension: str) -> int:
    seen = observation.hosts.get(host.id)
    whole: int = getattr(host.capacity, dimension)
    foreign = 0
    if seen is not None and seen.capacity is not None:
        reported: int = getattr(seen.capacity.total, dimension)
        whole = min(whole, reported) if reported or dimension != "disk_gib" else whole
        foreign = getattr(seen.capacity.used_by_foreign, dimension)
    ratio = {"vcpus": host.overcommit.vcpus, "memory_mib": host.overcommit.memory, "disk_gib": host.overcommit.disk}[dimension]
    return floor((whole - getattr(host.reserved, dimension)) * ratio) - foreign


def _capacity(plan: Plan, estate: Estate, observation: Observation) -> Iterator[Finding]:
    for machine in plan.machines:
        if machine.host not in estate.hosts:
            yield _critical(f"machine/{machine.id}", f"host {machine.host} is not in the estate")
    for host in estate.hosts.values():
        for dimension in _DIMENSIONS:
            used = sum(getattr(machine.size, dimension) for machine in plan.machines if machine.host == host.id)
            promisable = _promisable(host, observation, dimension)
            if used > promisable and used:
                remedy = "move or shrink machines there, or free the host of foreign ones"
                yield _critical(f"host/{host.id}", f"{dimension}: {used} promised, {promisable} to promise", remedy)


def _zones(plan: Plan, estate: Estate) -> Iterator[Finding]:
    for machine in plan.machines:
        host, system = estate.hosts.get(machine.host), estate.systems.get(machine.system)
        if host is None or system is None:
            continue
        where = f"machine/{machine.id}"
        if system.confidentiality not in host.confidentiality:
            yield _critical(where, f"confidentiality {system.confidentiality} on host {host.id}, which holds {list(host.confidentiality)}")
        for nic in machine.nics:
            network = estate.networks.get(nic.network)
            if network is None or nic.network not in host.networks:
                yield _critical(where, f"network {nic.network} is not carried by host {host.id}")
            elif network.confidentiality < system.confidentiality or network.ministry not in {"", system.ministry}:
                yield _critical(where, f"network {network.id} may not be used by system {system.id}")


def _replicas(plan: Plan, estate: Estate) -> Iterator[Finding]:
    groups: dict[tuple[str, str], list[PlannedMachine]] = {}
    for machine in plan.machines:
        if machine.replica_group and machine.host in estate.hosts:
            groups.setdefault((machine.system, machine.replica_group), []).append(machine)
    for (system, group), members in sorted(groups.items()):
        domain = estate.tiers[estate.systems[system].tier].spread_over
        places = Counter(_domain_of(estate.hosts[member.host], domain) for member in members)
        for place, count in sorted(places.items()):
            if count > 1:
                yield _critical(f"system/{system}", f"{count} replicas of {group} share {domain} {'/'.join(place)}")


def _domain_of(host: Host, domain: str) -> tuple[str, ...]:
    return {
        "host": (host.id,),
        "rack": (host.site, host.rack),
        "power_feed": (host.site, host.power_feed),
        "site": (host.site,),
    }[domain]


def _survival(plan: Plan, estate: Estate, observation: Observation) -> Iterator[Finding]:
    """After the loss of one host, its machines of surviving tiers fit on the others: largest memory first, first fit."""
    for lost in sorted(estate.hosts):
        left = {
            host.id: {d: _promisable(host, observation, d) - _used(plan, host.id, d) for d in _DIMENSIONS}
            for host in estate.hosts.values()
            if host.id != lost and not host.maintenance and (seen := observation.hosts.get(host.id)) is not None and seen.reachable
        }
        moving = [m for m in plan.machines if m.host == lost and estate.tiers[m.tier].host_failures > 0]
        for machine in sorted(moving, key=lambda m: (-m.size.memory_mib, -m.size.vcpus, m.id)):
            home = next((h for h in sorted(left) if _could_run(machine, estate, estate.hosts[h], left[h])), None)
            if home is None:
                remedy = "add a host, or put the system into a tier without this promise"
                yield _critical(f"machine/{machine.id}", f"tier {machine.tier}: no home for it after the loss of host {lost}", remedy)
                continue
            for dimension in _DIMENSIONS:
                left[home][dimension] -= getattr(machine.size, dimension)


def _used(plan: Plan, host: str, dimension: str) -> int:
    return sum(getattr(machine.size, dimension) for machine in plan.machines if machine.host == host)


def _could_run(machine: PlannedMachine, estate: Estate, host: Host, left: dict[str, int]) -> bool:
    fits = all(getattr(machine.size, dimension) <= left[dimension] for dimension in _DIMENSIONS)
    return fits and machine.confidentiality in host.confidentiality and all(nic.network in host.networks for nic in machine.nics)


def _addresses(plan: Plan, estate: Estate) -> Iterator[Finding]:
    servers = {server.address: server.id for server in estate.servers.values() if server.address}
    for machine in plan.machines:
        for nic in machine.nics:
            network = estate.networks.get(nic.network)
            if network is None:
                continue
            where, address = f"machine/{machine.id}", IPv4Address(nic.address)
            if address not in IPv4Network(network.cidr) or nic.address == network.gateway:
                yield _critical(where, f"address {nic.address} cannot be used in network {network.id}")
            if any(IPv4Address(first) <= address <= IPv4Address(last) for first, last in network.reserved):
                yield _critical(where, f"address {nic.address} lies in a reserved range of {network.id}")
            if nic.address in servers and servers[nic.address] != machine.server:
                yield _critical(where, f"address {nic.address} is that of server {servers[nic.address]}")
