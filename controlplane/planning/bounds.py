"""How few hosts could do: a lower bound printed beside the number used, so that the gap is an output and not a claim.

Told from the plan alone, which carries the facts it rests on. It holds for every plan of these machines, since it only leaves rules out:

1. Machines that may stand only within a set of hosts (by grade, network, and whether hosts are open) use at least so many of them: in
   each dimension the fewest, roomiest first, that hold the sum (the L1 bound of vector packing, Caprara and Toth 2001, for unequal
   hosts; vCPUs at each hour where there are load profiles); as many as a replica group has members; and what dual-feasible functions show
   for hosts that were all as roomy as the roomiest.
2. Sets that lie within another and share no host each need their own: the larger set is held with at least that many hosts of each, so
   the fewest are the roomiest so many of each and then the roomiest of all others. Zones that share no host so add up.
3. Ministries that are kept apart from each other share no host, so what each of them needs by itself adds up.

Losses add nothing here: a host that is not in use takes machines in as well, so surviving one asks for hosts to be there, not for more
of them to be in use. Pins, processors, groups kept together and licences are left out. A machine that stands where it may not be placed
counts as if it might be, and a host holds at least what stands there.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controlplane.model.needs import HOURS_OF_A_DAY, HOURS_OF_A_WEEK
from controlplane.model.plan import Facts, Plan, PlannedMachine
from controlplane.model.resources import total
from controlplane.planning.facts import ANSWERS
from controlplane.planning.packing.bounds import dual_feasible_bound
from controlplane.planning.packing.problem import Problem

_Ints = NDArray[np.int64]
_Kinds = frozenset[int]
"""A set of hosts, by kinds of host that are all in it or not."""
_HostKind = tuple[frozenset[str], frozenset[str]]
"""Grades and networks."""
_FULL = 100
_SIZES = 2_000
"""Distinct sizes up to which dual-feasible functions are asked."""
_SETS = 200
"""Sets of hosts looked at by themselves, at most; those with the most machines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostsUsed:
    """Hosts with machines of the plan, and the fewest that any plan for these machines could use, with what binds."""

    used: int
    bound: int
    binding: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Need:
    hosts: int
    binding: str


def hosts_used(plan: Plan) -> HostsUsed:
    """Hosts used, and the bound that this module's text proves."""
    reckoning = _Reckoning(plan)
    need = reckoning.need(plan.machines)
    alone = _apart(plan)
    if len(alone) > 1:
        needs = [reckoning.need([m for m in plan.machines if m.ministry == ministry]).hosts for ministry in alone]
        if sum(needs) > need.hosts:
            need = _Need(hosts=sum(needs), binding=f"{', '.join(alone)} kept apart")
    return HostsUsed(used=len({machine.host for machine in plan.machines}), bound=need.hosts, binding=need.binding)


class _Reckoning:
    """Hosts and machines of a plan as numbers."""

    def __init__(self, plan: Plan) -> None:
        self._inputs = plan.inputs
        self._asked = {machine.id: self._facts_of(machine) for machine in plan.machines}
        loads = {load for facts in self._asked.values() if (load := str(facts.get("needs.load", "")))}
        self._loads = {load: np.array([int(part) for part in load.split()]) for load in sorted(loads)}
        weekly = any(len(hours) == HOURS_OF_A_WEEK for hours in self._loads.values())
        self._hours = (HOURS_OF_A_WEEK if weekly else HOURS_OF_A_DAY) if self._loads else 1
        self._classes = sorted({machine.disk_class for machine in plan.machines if machine.disk_class})
        self._names = [
            *(["vCPU"] * self._hours), "memory", "disk", "network", "IOPS", *(f"disk of class {each}" for each in self._classes),
        ]  # fmt: skip
        self._row_of: dict[tuple[object, ...], int] = {}
        self._rows: list[_Ints] = []
        kinds: dict[_HostKind | None, int] = {}
        self._kind = {host.id: kinds.setdefault(self._signature(host.id), len(kinds)) for host in plan.hosts}
        self._kinds = list(kinds)
        self._rooms = self._rooms_by_kind(plan)

    def need(self, machines: Sequence[PlannedMachine]) -> _Need:
        """The fewest hosts for some machines, by sets within sets."""
        by_set = self._by_set(machines)
        if not by_set:
            return _Need(hosts=0, binding="nothing")
        largest = sorted(by_set, key=lambda kinds: (-len(by_set[kinds]), sorted(kinds)))[:_SETS]
        every = frozenset().union(*by_set)
        sets = sorted({*largest, every}, key=lambda kinds: (len(kinds), sorted(kinds)))
        demands = {kinds: self._sum(inside) for kinds, inside in by_set.items()}
        needs: dict[_Kinds, _Need] = {}
        for kinds in sets:
            inside = [machine for smaller, some in by_set.items() if smaller <= kinds for machine in some]
            demand = sum(
                (amount for smaller, amount in demands.items() if smaller <= kinds), np.zeros(len(self._names), np.int64)
            )
            within = _disjoint([smaller for smaller in needs if smaller < kinds], needs)
            found = [self._fewest(kinds, demand, {smaller: needs[smaller].hosts for smaller in within})]
            found += [_replicas(inside), self._dual_feasible(kinds, inside)]
            needs[kinds] = max(found, key=lambda need: need.hosts)
        return needs[every]

    def _facts_of(self, machine: PlannedMachine) -> Facts:
        return self._inputs.get(f"server/{machine.server}" if machine.server else f"machine/{machine.id}", {})

    def _signature(self, host: str) -> _HostKind | None:
        """Grades and networks; None for a host that is closed."""
        facts = self._inputs.get(f"host/{host}", {})
        if facts.get("maintenance") or not facts.get(ANSWERS, True):
            return None
        networks = frozenset(name.removeprefix("network.") for name in facts if name.startswith("network."))
        return (frozenset(str(facts.get("confidentiality", "")).split()), networks)

    def _by_set(self, machines: Iterable[PlannedMachine]) -> dict[_Kinds, list[PlannedMachine]]:
        """Machines by the set of hosts that they may stand on, or stand on already."""
        zones: dict[tuple[object, ...], list[PlannedMachine]] = defaultdict(list)
        for machine in machines:
            zones[(str(machine.confidentiality), *(nic.network for nic in machine.nics))].append(machine)
        found: dict[_Kinds, list[PlannedMachine]] = defaultdict(list)
        for (grade, *networks), members in zones.items():
            allowed = {at for at, kind in enumerate(self._kinds) if kind and grade in kind[0] and kind[1] >= set(networks)}
            found[frozenset(allowed | {self._kind[machine.host] for machine in members})] += members
        return found

    def _takes(self, machine: PlannedMachine) -> _Ints:
        facts, size = self._asked[machine.id], machine.size
        load = self._loads.get(str(facts.get("needs.load", "")))
        hours = np.full(self._hours, _FULL) if load is None else np.tile(load, self._hours // len(load))
        asked = [_number(facts, "needs.network_mbps"), _number(facts, "needs.iops")]
        pools = [size.disk_gib if machine.disk_class == each else 0 for each in self._classes]
        return np.array([*(hours * size.vcpus), size.memory_mib, machine.in_own_pool.disk_gib, *asked, *pools], dtype=np.int64)

    def _row(self, machine: PlannedMachine) -> int:
        """What a machine takes, as the number of a row; machines that take the same have one."""
        facts, size = self._asked[machine.id], machine.size
        asked = tuple(facts.get(f"needs.{name}") for name in ("load", "network_mbps", "iops"))
        key = (size.vcpus, size.memory_mib, size.disk_gib, machine.disk_class, asked)
        if key not in self._row_of:
            self._row_of[key] = len(self._rows)
            self._rows.append(self._takes(machine))
        return self._row_of[key]

    def _sum(self, machines: Iterable[PlannedMachine]) -> _Ints:
        demand = np.zeros(len(self._names), dtype=np.int64)
        for row, count in Counter(map(self._row, machines)).items():
            demand += count * self._rows[row]
        return demand

    def _rooms_by_kind(self, plan: Plan) -> dict[int, _Ints]:
        """For each kind of host what is there for machines of the plan, a row for each host."""
        here: dict[str, list[PlannedMachine]] = defaultdict(list)
        for machine in plan.machines:
            here[machine.host].append(machine)
        found: dict[int, list[_Ints]] = defaultdict(list)
        for host in plan.hosts:
            most, taken, facts = host.promised_capacity, host.allocated_after, self._inputs.get(f"host/{host.id}", {})
            left = most - taken + total([machine.in_own_pool for machine in here[host.id]])
            ratio = float(str(facts.get("overcommit.disk", 1)))
            pools = [int(_number(facts, f"pools.{each}.disk_gib") * ratio) for each in self._classes]
            offers = [_number(facts, "offers.network_mbps"), _number(facts, "offers.iops")]
            room = np.array(
                [*([left.vcpus * _FULL] * self._hours), left.memory_mib, left.disk_gib, *offers, *pools], dtype=np.int64
            )
            found[self._kind[host.id]].append(np.maximum(np.maximum(room, 0), self._sum(here[host.id])))
        return {kind: np.array(rows) for kind, rows in found.items()}

    def _fewest(self, kinds: _Kinds, demand: _Ints, least: Mapping[_Kinds, int]) -> _Need:
        """Fewest hosts of these kinds that hold a demand in each dimension, with at least so many of each smaller set."""
        found = [_Need(hosts=sum(least.values()), binding="zones that share no host")] if least else []
        for at in np.flatnonzero(demand).tolist():
            wanted, count, others = int(demand[at]), 0, []
            for smaller, hosts in least.items():
                rooms = -np.sort(-np.concatenate([self._rooms[kind][:, at] for kind in sorted(smaller)]))
                wanted, count = wanted - int(rooms[:hosts].sum()), count + hosts
                others.append(rooms[hosts:])
            free = kinds - frozenset().union(*least)
            others += [self._rooms[kind][:, at] for kind in sorted(free)]
            if wanted > 0:
                sums = np.cumsum(-np.sort(-np.concatenate(others)))
                count += int(np.searchsorted(sums, wanted)) + 1
            found.append(_Need(hosts=count, binding=self._names[at]))
        return max(found, key=lambda need: need.hosts, default=_Need(hosts=0, binding="nothing"))

    def _dual_feasible(self, kinds: _Kinds, machines: Sequence[PlannedMachine]) -> _Need:
        """As if every host were as roomy as the roomiest in each dimension. vCPUs by hours are left out."""
        plain = [at for at in range(len(self._names)) if at >= self._hours or not self._loads]
        sizes = Counter(map(self._row, machines))
        room = np.concatenate([self._rooms[kind] for kind in sorted(kinds)]).max(axis=0)[plain]
        if not 0 < len(sizes) <= _SIZES:
            return _Need(hosts=0, binding="")
        problem = Problem(
            sizes=np.array([self._rows[row][plain] for row in sizes], dtype=np.int64),
            copies=np.array(list(sizes.values()), dtype=np.int64),
            capacities=room[None],
        )
        return _Need(hosts=dual_feasible_bound(problem).bins, binding="sizes that share no host")


def _disjoint(sets: Sequence[_Kinds], needs: Mapping[_Kinds, _Need]) -> list[_Kinds]:
    """Some of these sets that share nothing, those that need most hosts first; of equals the larger, which holds more."""
    chosen: list[_Kinds] = []
    for kinds in sorted(sets, key=lambda kinds: (-needs[kinds].hosts, -len(kinds), sorted(kinds))):
        if all(kinds.isdisjoint(other) for other in chosen):
            chosen.append(kinds)
    return chosen


def _replicas(machines: Iterable[PlannedMachine]) -> _Need:
    groups = Counter((machine.system, machine.replica_group) for machine in machines if machine.replica_group)
    if not groups:
        return _Need(hosts=0, binding="")
    (_, name), count = max(sorted(groups.items()), key=lambda pair: pair[1])
    return _Need(hosts=count, binding=f"replicas of {name}")


def _apart(plan: Plan) -> list[str]:
    """Ministries that are all kept apart from each other, as many as a greedy choice finds, those with most machines first."""
    pairs = {
        (str(facts.get("ministry")), other)
        for entity, facts in plan.inputs.items()
        if entity.startswith("system/")
        for other in str(facts.get("apart_from", "")).split(", ")
        if other
    }
    machines = Counter(machine.ministry for machine in plan.machines)
    chosen: list[str] = []
    for ministry in sorted({one for one, _ in pairs} & set(machines), key=lambda name: (-machines[name], name)):
        if all((ministry, other) in pairs for other in chosen):
            chosen.append(ministry)
    return chosen


def _number(facts: Facts, name: str) -> int:
    value = facts.get(name, 0)
    return value if isinstance(value, int) else 0
