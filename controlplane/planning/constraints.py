"""The one constraint model: what a host can take, evaluated on the plan so far. Used by placement and N+1 alike.

Capacity of a host is (what it reports, capped by what the inventory states, less its own reservation) times overcommit, less
what foreign machines hold.
"""

from dataclasses import dataclass, field

from controlplane.model.estate import Estate, Host
from controlplane.model.observed import HostObservation, Observation
from controlplane.model.resources import Resources, total
from controlplane.planning.demand import Demand


@dataclass(slots=True)
class HostState:
    """One host and what the plan so far puts on it."""

    host: Host
    seen: HostObservation | None
    physical: Resources
    promised: Resources
    foreign: Resources
    placed: dict[str, Demand] = field(default_factory=dict)
    used: Resources = Resources()

    @property
    def room(self) -> Resources:
        """What is left to promise."""
        return self.promised - self.foreign - self.used

    @property
    def open(self) -> bool:
        """True when it may take new machines."""
        return not self.host.maintenance and self.seen is not None and self.seen.reachable

    def put(self, demand: Demand) -> None:
        """Place a machine here."""
        self.placed[demand.id] = demand
        self.used += demand.size

    def take(self, demand: Demand) -> None:
        """Take it away again."""
        del self.placed[demand.id]
        self.used -= demand.size


def host_states(estate: Estate, observation: Observation) -> dict[str, HostState]:
    """The empty hosts, by id in order."""
    return {host_id: _state(host, observation.hosts.get(host_id)) for host_id, host in sorted(estate.hosts.items())}


def _state(host: Host, seen: HostObservation | None) -> HostState:
    capacity = seen.capacity if seen is not None else None
    stated = host.capacity
    if capacity is None:
        physical, foreign = stated, Resources()
    else:
        disk_gib = min(stated.disk_gib, capacity.total.disk_gib) if capacity.total.disk_gib else stated.disk_gib
        physical = Resources(
            vcpus=min(stated.vcpus, capacity.total.vcpus), memory_mib=min(stated.memory_mib, capacity.total.memory_mib), disk_gib=disk_gib
        )
        foreign = capacity.used_by_foreign
    return HostState(
        host=host, seen=seen, physical=physical, promised=(physical - host.reserved).overcommitted(host.overcommit), foreign=foreign
    )


def obstacles(demand: Demand, state: HostState, states: dict[str, HostState], estate: Estate) -> list[str]:
    """Why this machine cannot go on this host now; empty when it can."""
    found = _closed(state)
    found += zone_obstacles(demand, state.host, estate)
    found += _replica_obstacles(demand, state, states, estate)
    found += _shortages(demand, state)
    return found


def _closed(state: HostState) -> list[str]:
    if state.host.maintenance:
        return ["is in maintenance"]
    if state.seen is None or not state.seen.reachable:
        return ["was not reached"]
    return []


def zone_obstacles(demand: Demand, host: Host, estate: Estate) -> list[str]:
    """Obstacles of confidentiality and network, which no load changes."""
    found = []
    grade = demand.system.confidentiality
    if grade not in host.confidentiality:
        held = ", ".join(str(held) for held in host.confidentiality)
        found.append(f"holds confidentiality {held}, system {demand.system.id} has {grade}")
    if demand.network not in host.networks:
        found.append(f"does not carry network {demand.network}")
    network = estate.networks[demand.network]
    if network.confidentiality < grade:
        found.append(f"network {network.id} allows confidentiality up to {network.confidentiality}, system {demand.system.id} has {grade}")
    if network.ministry and network.ministry != demand.system.ministry:
        found.append(f"network {network.id} belongs to {network.ministry}, the system to {demand.system.ministry}")
    return found


def _replica_obstacles(demand: Demand, state: HostState, states: dict[str, HostState], estate: Estate) -> list[str]:
    if not demand.replica_group:
        return []
    domain = estate.tiers[demand.system.tier].spread_over
    for other in states.values():
        for placed in other.placed.values():
            same_group = (placed.system.id, placed.replica_group) == (demand.system.id, demand.replica_group)
            if placed.id != demand.id and same_group and same_domain(state.host, other.host, domain):
                return [f"replica {placed.id} of group {demand.replica_group} is on {other.host.id} in the same {domain}"]
    return []


def same_domain(one: Host, other: Host, domain: str) -> bool:
    """True when two hosts share a failure domain; one host shares all of its own."""
    if one.id == other.id:
        return True
    if domain == "host":
        return False
    return one.site == other.site and (domain == "site" or getattr(one, domain) == getattr(other, domain))


def _shortages(demand: Demand, state: HostState) -> list[str]:
    room = state.room
    return [
        f"{name}: wants {wanted} {unit}, {max(left, 0)} left of {whole}"
        for name, unit, wanted, left, whole in (
            ("vCPU", "vCPU", demand.size.vcpus, room.vcpus, state.promised.vcpus),
            ("memory", "MiB", demand.size.memory_mib, room.memory_mib, state.promised.memory_mib),
            ("disk", "GiB", demand.size.disk_gib, room.disk_gib, state.promised.disk_gib),
        )
        if wanted > left
    ]


def lost_with(host_id: str, states: dict[str, HostState], estate: Estate) -> list[Demand]:
    """Machines of tiers that survive the loss of a host, which would have to find another home without this one."""
    protected = [
        demand for demand in states[host_id].placed.values() if estate.tiers[demand.system.tier].host_failures > 0
    ]
    return sorted(protected, key=lambda demand: (-demand.size.memory_mib, -demand.size.vcpus, demand.id))


def homeless_after_loss(host_id: str, states: dict[str, HostState], estate: Estate) -> list[Demand]:
    """Which of them would find none: first fit, largest first, by capacity and zone (replicas may then share a host)."""
    extra: dict[str, list[Resources]] = {other: [] for other in states}
    homeless = []
    for demand in lost_with(host_id, states, estate):
        home = next(
            (
                other
                for other, state in states.items()
                if other != host_id
                and state.open
                and not zone_obstacles(demand, state.host, estate)
                and demand.size.fits_in(state.room - total(extra[other]))
            ),
            None,
        )
        if home is None:
            homeless.append(demand)
        else:
            extra[home].append(demand.size)
    return homeless
