"""Gives every machine a host: several greedy orders, then moves that empty hosts; the best by a stated order of aims wins.

Aims, first things first: every machine placed and every tier's promise kept, few hosts, evenly used hosts. Ties are broken by
id, so the same inputs always give the same answer. Machines that exist stay where they are.
"""

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from math import ceil

from controlplane.model.estate import Estate
from controlplane.model.observed import Observation
from controlplane.planning.constraints import HostState, homeless_after_loss, host_states, obstacles
from controlplane.planning.demand import Demand

_States = dict[str, HostState]
_Order = Callable[[Demand], tuple[object, ...]]
_Score = Callable[[Demand, HostState], tuple[object, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Machine id to host id; `unplaced` tells for each other machine why not, host by host; `unprotected` the same for N+1."""

    hosts: dict[str, str]
    unplaced: dict[str, dict[str, list[str]]]
    unprotected: dict[str, list[str]]
    """Host id to machines that would find no other home when it is lost."""
    lower_bound: int
    """No placement of these machines can use fewer hosts."""

    @property
    def feasible(self) -> bool:
        """True when everything is placed and every tier's promise is kept."""
        return not self.unplaced and not self.unprotected


def place(demands: tuple[Demand, ...], estate: Estate, observation: Observation, kept: Mapping[str, str]) -> Placement:
    """The best placement found; `kept` maps machines that exist to their hosts, which do not change."""
    best: tuple[tuple[object, ...], Placement] | None = None
    for order in _ORDERS:
        for score in _SCORES:
            states = host_states(estate, observation)
            placement = _attempt(demands, estate, states, kept, order, score)
            value = _value(placement, states)
            if best is None or value < best[0]:
                best = (value, placement)
    if best is None:
        raise AssertionError("there is at least one order and one score")
    return best[1]


def _attempt(
    demands: tuple[Demand, ...], estate: Estate, states: _States, kept: Mapping[str, str], order: _Order, score: _Score
) -> Placement:
    hosts: dict[str, str] = {}
    unplaced: dict[str, dict[str, list[str]]] = {}
    for demand in demands:
        if demand.id in kept and kept[demand.id] in states:
            states[kept[demand.id]].put(demand)
            hosts[demand.id] = kept[demand.id]
    for demand in sorted((demand for demand in demands if demand.id not in hosts), key=order):
        why = {state.host.id: obstacles(demand, state, states, estate) for state in states.values()}
        free = [states[host_id] for host_id, found in why.items() if not found]
        if not free:
            unplaced[demand.id] = why
            continue
        ranked = sorted(free, key=lambda state: (*score(demand, state), state.host.id))
        chosen = next((state for state in ranked if _keeps_promise(demand, state, states, estate)), ranked[0])
        chosen.put(demand)
        hosts[demand.id] = chosen.host.id
    _empty_hosts(states, hosts, estate, kept)
    unprotected = {host_id: [d.id for d in lost] for host_id in states if (lost := homeless_after_loss(host_id, states, estate))}
    return Placement(hosts=hosts, unplaced=unplaced, unprotected=unprotected, lower_bound=_lower_bound(demands, states))


def _keeps_promise(demand: Demand, state: HostState, states: _States, estate: Estate) -> bool:
    """Whether N+1 still holds with the machine here: looked at for every host, since it takes room others may need."""
    state.put(demand)
    kept = not any(homeless_after_loss(host_id, states, estate) for host_id in states)
    state.take(demand)
    return kept


def _empty_hosts(states: _States, hosts: dict[str, str], estate: Estate, kept: Mapping[str, str]) -> None:
    """Try to clear the least used host, machine by machine, onto others that are in use already."""
    for source in sorted((state for state in states.values() if state.placed), key=lambda state: (len(state.placed), state.host.id)):
        if any(machine in kept for machine in source.placed):
            continue
        moved: list[tuple[Demand, HostState]] = []
        for demand in sorted(source.placed.values(), key=_largest_first):
            source.take(demand)
            home = next(
                (
                    state
                    for state in states.values()
                    if state is not source
                    and state.placed
                    and not obstacles(demand, state, states, estate)
                    and _keeps_promise(demand, state, states, estate)
                ),
                None,
            )
            if home is None:
                source.put(demand)
                break
            home.put(demand)
            moved.append((demand, home))
        if source.placed:
            for demand, home in reversed(moved):
                home.take(demand)
                source.put(demand)
        else:
            hosts.update({demand.id: home.host.id for demand, home in moved})


def _value(placement: Placement, states: _States) -> tuple[object, ...]:
    used = [state for state in states.values() if state.placed]
    fullest = max((_fill(state) for state in used), default=0.0)
    homeless = sum(len(machines) for machines in placement.unprotected.values())
    return (len(placement.unplaced), homeless, len(used), round(fullest, 9), sorted(placement.hosts.items()))


def _fill(state: HostState) -> float:
    """How full the fullest dimension is, 0 to 1."""
    whole = state.promised - state.foreign
    pairs = ((state.used.vcpus, whole.vcpus), (state.used.memory_mib, whole.memory_mib), (state.used.disk_gib, whole.disk_gib))
    return max(used / size if size > 0 else 1.0 for used, size in pairs)


def _lower_bound(demands: tuple[Demand, ...], states: _States) -> int:
    """Most demanding dimension over the largest host in it, rounded up; and at least the largest replica group."""
    groups: dict[tuple[str, str], int] = {}
    for demand in demands:
        if demand.replica_group:
            key = (demand.system.id, demand.replica_group)
            groups[key] = groups.get(key, 0) + 1
    bound = max(groups.values(), default=1 if demands else 0)
    for dimension in ("vcpus", "memory_mib", "disk_gib"):
        wanted = sum(getattr(demand.size, dimension) for demand in demands)
        largest = max((getattr(state.promised - state.foreign, dimension) for state in states.values()), default=0)
        if largest > 0:
            bound = max(bound, ceil(wanted / largest))
    return bound


def _largest_first(demand: Demand) -> tuple[object, ...]:
    return (-demand.size.memory_mib, -demand.size.vcpus, -demand.size.disk_gib, demand.id)


def _replicas_first(demand: Demand) -> tuple[object, ...]:
    return (demand.replica_group == "", -demand.system.confidentiality, *_largest_first(demand))


def _as_named(demand: Demand) -> tuple[object, ...]:
    return (demand.id,)


def _first_fit(_demand: Demand, state: HostState) -> tuple[object, ...]:
    return (not state.placed,)


def _best_fit(demand: Demand, state: HostState) -> tuple[object, ...]:
    after = copy(state)
    after.used = state.used + demand.size
    return (not state.placed, -_fill(after))


def _spread(demand: Demand, state: HostState) -> tuple[object, ...]:
    after = copy(state)
    after.used = state.used + demand.size
    return (_fill(after),)


_ORDERS: tuple[_Order, ...] = (_replicas_first, _largest_first, _as_named)
_SCORES: tuple[_Score, ...] = (_first_fit, _best_fit, _spread)
