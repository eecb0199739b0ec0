"""The cheapest ways found out of an estate without plan. Each was tried: the planner has a plan for the estate so repaired.

Cheap means, in this order: give up room that is reserved, reopen a host, move machines that stand, promise more, spread less, open a
host to a network or grade, survive less, plan smaller, buy hosts. Work is bounded by the number of plans made.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from controlplane.model.estate import Host
from controlplane.model.finding import Severity
from controlplane.model.plan import Plan
from controlplane.model.resources import Resources
from controlplane.planning.alter import (
    with_free_machines,
    with_host_changed,
    with_host_like,
    with_machine_size,
    with_open_host,
    with_overcommit,
    with_system_spread_over,
    with_system_surviving,
    without_reservation,
)
from controlplane.planning.build import InfeasiblePlan
from controlplane.planning.checks import check_plan
from controlplane.planning.conflict import Conflict, case_of
from controlplane.planning.demand import Draft, demand_of
from controlplane.planning.inputs import PlanInputs
from controlplane.planning.objections import Rule

_TRIES = 16
"""Plans made for repairs of one kind, at most."""
_PLACED = 20_000
"""Machines placed for repairs of one kind, about; large estates get fewer tries."""
_FEW = 3
"""Single machines are made smaller only when no more than these are in the conflict."""
_OF_ONE_KIND = 2
_MOST_VCPUS = 8.0
"""Beyond eight virtual CPUs for one real one, waiting for a processor is felt by every guest."""
_MOST_HOSTS = 8
_MOST_MOVED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What to change, and how many hosts the plan then uses."""

    kind: str
    text: str
    hosts_used: int
    hosts: int


def cheapest_repairs(inputs: PlanInputs, conflict: Conflict) -> tuple[Repair, ...]:
    """Repairs that were found to help, cheapest first, at most two of a kind."""
    found: list[Repair] = []
    machines = len(demand_of(inputs.estate).drafts)
    tries = max(2, min(_TRIES, _PLACED // max(1, machines)))
    for kind, repairs in _KINDS:
        for text, plan in islice(repairs(inputs, conflict, _Trial(tries)), _OF_ONE_KIND):
            found.append(Repair(kind=kind, text=text, hosts_used=len({m.host for m in plan.machines}), hosts=len(plan.hosts)))
    return tuple(found)


class _Trial:
    """Asks the planner, as often as there is work left."""

    def __init__(self, tries: int) -> None:
        self._left = tries

    def plan(self, altered: PlanInputs) -> Plan | None:
        """The plan for altered inputs that passes the independent check, or None."""
        if self._left <= 0:
            return None
        self._left -= 1
        try:
            plan = altered.plan()
        except InfeasiblePlan:
            return None
        findings = check_plan(plan, altered.estate, altered.observation)
        return None if any(finding.severity is Severity.CRITICAL for finding in findings) else plan

    def unplaced(self, altered: PlanInputs) -> frozenset[str]:
        """The machines that fit nowhere in altered inputs."""
        if self._left <= 0:
            return frozenset()
        self._left -= 1
        try:
            altered.plan()
        except InfeasiblePlan as infeasible:
            return frozenset(infeasible.unplaced)
        return frozenset()

    def least(self, low: int, high: int, alter: Callable[[int], PlanInputs]) -> tuple[int, Plan] | None:
        """The least number from low to high with a plan, as far as halving finds it."""
        plan = self.plan(alter(high))
        if plan is None:
            return None
        best = (high, plan)
        while low < best[0]:
            middle = (low + best[0]) // 2
            plan = self.plan(alter(middle))
            if plan is not None:
                best = (middle, plan)
            else:
                low = middle + 1
        return best


_Found = Iterator[tuple[str, Plan]]


def _give_up(inputs: PlanInputs, conflict: Conflict, trial: _Trial) -> _Found:
    """Room for machines that do not exist, smallest reservation first."""
    held = sorted(inputs.estate.reservations.values(), key=lambda each: (each.count * each.size.memory_mib, each.id))
    for reservation in held:
        if plan := trial.plan(without_reservation(inputs, reservation.id)):
            yield f"give up reservation {reservation.id} of system {reservation.system} (until {reservation.until})", plan


def _reopen(inputs: PlanInputs, conflict: Conflict, trial: _Trial) -> _Found:
    for constraint in conflict.constraints:
        if constraint.rule is Rule.CLOSED and (plan := trial.plan(with_open_host(inputs, constraint.subject))):
            how = "end the maintenance of" if constraint.text == "is in maintenance" else "bring back"
            yield f"{how} host {constraint.subject}", plan


def _move(inputs: PlanInputs, conflict: Conflict, trial: _Trial) -> _Found:
    """Machines that stand, smallest first, one to three of one host."""
    case = case_of(inputs)
    wanted = {draft.confidentiality for draft in _drafts(inputs, conflict)}
    for room in case.rooms:
        if not room.takes_new or wanted.isdisjoint(room.host.confidentiality):
            continue
        here = sorted(
            (d for d, host in case.standing if host == room.host.id), key=lambda d: (d.size.memory_mib, d.size.vcpus, d.id)
        )
        for count in range(1, min(_MOST_MOVED, len(here)) + 1):
            ids = [draft.id for draft in here[:count]]
            plan = trial.plan(with_free_machines(inputs, ids))
            if plan is None:
                continue
            moves = [f"{m.id} from {room.host.id} to {m.host}" for m in plan.machines if m.id in ids and m.host != room.host.id]
            if moves:
                yield f"move {', '.join(moves)}", plan
            break


def _promise_more(inputs: PlanInputs, conflict: Conflict, trial: _Trial) -> _Found:
    """Virtual CPUs alone: memory and disk promised twice fail when they are claimed, and nobody waits his turn."""
    if not any(constraint.rule is Rule.CAPACITY for constraint in conflict.constraints):
        return
    wanted = {draft.confidentiality for draft in _drafts(inputs, conflict)}
    groups: dict[tuple[float, tuple[int, ...]], list[str]] = {}
    for _, host in sorted(inputs.estate.hosts.items()):
        groups.setdefault((host.overcommit.vcpus, host.confidentiality), []).append(host.id)
    for (ratio, grades), hosts in sorted(groups.items()):
        if wanted.isdisjoint(grades) or ratio >= _MOST_VCPUS:
            continue
        found = trial.least(round(ratio * 10) + 1, round(_MOST_VCPUS * 10), partial(_promising, inputs, hosts))
        if found is not None:
            yield f"raise the vCPU overcommit of {', '.join(hosts)} from {ratio:g} to {found[0] / 10:g}", found[1]
            return
    ratios = {ratio for ratio, _ in groups}
    if len(groups) > 1 and len(ratios) == 1 and (ratio := ratios.pop()) < _MOST_VCPUS:
        found = trial.least(
            round(ratio * 10) + 1, round(_MOST_VCPUS * 10), partial(_promising, inputs, list(inputs.estate.hosts))
        )
        if found is not None:
            yield f"raise the vCPU overcommit of every host from {ratio:g} to {found[0] / 10:g}", found[1]


def _promising(inputs: PlanInputs, hosts: list[str], tenths: int) -> PlanInputs:
    return with_overcommit(inputs, hosts, "vcpus", tenths / 10)


def _spread_less(inputs: PlanInputs, conflict: Conflict, trial: _Trial) -> _Found:
    for system in _systems(inputs, conflict, Rule.SPREAD):
        over = inputs.estate.tiers[inputs.estate.systems[system].tier].spread_over
        for less in {"site": ("rack", "host"), "rack": ("host",), "power_feed": ("host",)}.get(over, ()):
            plan = trial.plan(with_system_spread_over(inputs, system, less))
            if plan is not None:
                yield f"relax the {over} anti-affinity of {system}: replicas differ in {less} alone", plan
                break


def _open_to(inputs: PlanInputs, conflict: Conflict, trial: _Trial) -> _Found:
    rules = {constraint.rule for constraint in conflict.constraints}
    for draft in _drafts(inputs, conflict):
        for host in inputs.estate.hosts.values():
            lacks_network = draft.network not in host.networks
            lacks_grade = draft.confidentiality not in host.confidentiality
            if not ((lacks_network and Rule.NETWORK in rules) or (lacks_grade and Rule.ZONE in rules)):
                continue
            plan = trial.plan(with_host_changed(inputs, host.id, partial(_opened, draft=draft)))
            if plan is not None:
                opened = [f"carry network {draft.network}"] if lacks_network else []
                opened += [f"hold grade {draft.confidentiality}, once those who answer for it agree"] if lacks_grade else []
                yield f"let host {host.id} {' and '.join(opened)}", plan
                break


def _opened(host: Host, draft: Draft) -> Host:
    return replace(
        host,
        networks={draft.network: "", **host.networks},
        confidentiality=tuple(sorted({*host.confidentiality, draft.confidentiality})),
    )


def _survive_less(inputs: PlanInputs, conflict: Conflict, trial: _Trial) -> _Found:
    for system in _systems(inputs, conflict, Rule.LOSS):
        failures = inputs.estate.tiers[inputs.estate.systems[system].tier].host_failures
        found = trial.least(1, failures, partial(_surviving, inputs, system, failures))
        if found is not None:
            left = failures - found[0]
            lost = "any host" if left == 0 else f"more than {left} host{'' if left == 1 else 's'}"
            yield f"let {system} do without surviving the loss of {lost}", found[1]


def _surviving(inputs: PlanInputs, system: str, failures: int, fewer: int) -> PlanInputs:
    return with_system_surviving(inputs, system, failures - fewer)


def _plan_smaller(inputs: PlanInputs, conflict: Conflict, trial: _Trial) -> _Found:
    reserved = {draft.id for draft in demand_of(inputs.estate).reserved}
    drafts = [draft for draft in _drafts(inputs, conflict) if draft.id not in reserved]
    for draft in drafts if len(drafts) <= _FEW else ():
        found = trial.least(1, 19, partial(_smaller, inputs, draft))
        if found is not None:
            size = _shrunk(draft.size, found[0])
            yield f"plan {draft.id} with at most {size.vcpus} vCPU, {size.memory_mib} MiB, {size.disk_gib} GiB", found[1]


def _smaller(inputs: PlanInputs, draft: Draft, twentieths: int) -> PlanInputs:
    return with_machine_size(inputs, draft.id, _shrunk(draft.size, twentieths))


def _add_hosts(inputs: PlanInputs, conflict: Conflict, trial: _Trial) -> _Found:
    """One model of host after the other, of those that may hold a machine of the conflict; else a mixture."""
    wanted = {draft.confidentiality for draft in _drafts(inputs, conflict)}
    alone = False
    for like in _models(inputs):
        if wanted.isdisjoint(inputs.estate.hosts[like].confidentiality):
            continue
        found = trial.least(1, _MOST_HOSTS, partial(_more_hosts, inputs, like))
        if found is not None:
            alone = True
            yield f"add {_hosts_like({like: found[0]})}", found[1]
    if not alone:
        yield from _add_mixture(inputs, trial)


def _add_mixture(inputs: PlanInputs, trial: _Trial) -> _Found:
    """Add hosts for whatever fits nowhere, one by one; then do without each that is not needed."""
    added: Counter[str] = Counter()
    plan: Plan | None = None
    while plan is None and added.total() < _MOST_HOSTS:
        unplaced = trial.unplaced(_mixed(inputs, added))
        demand = demand_of(inputs.estate)
        drafts = [draft for draft in (*demand.drafts, *demand.reserved) if draft.id in unplaced]
        likes = [like for like in _models(inputs) for draft in drafts[:1] if _may_hold(inputs.estate.hosts[like], draft)]
        if not likes:
            return
        added[likes[0]] += 1
        plan = trial.plan(_mixed(inputs, added))
    if plan is None:
        return
    for like in sorted(added):
        while added[like] and (fewer := trial.plan(_mixed(inputs, added - Counter([like])))):
            added, plan = added - Counter([like]), fewer
    yield f"add {_hosts_like(added)}", plan


def _models(inputs: PlanInputs) -> list[str]:
    """The first host of each kind: same capacity, reserve, overcommit, grades and networks."""
    models: dict[tuple[object, ...], str] = {}
    for _, host in sorted(inputs.estate.hosts.items()):
        signature = (host.capacity, host.reserved, host.overcommit, host.confidentiality, tuple(sorted(host.networks)))
        models.setdefault(signature, host.id)
    return sorted(models.values())


def _may_hold(host: Host, draft: Draft) -> bool:
    return draft.confidentiality in host.confidentiality and draft.network in host.networks


def _more_hosts(inputs: PlanInputs, like: str, count: int) -> PlanInputs:
    return _mixed(inputs, Counter({like: count}))


def _mixed(inputs: PlanInputs, counts: Mapping[str, int]) -> PlanInputs:
    for like in sorted(counts):
        for _ in range(counts[like]):
            inputs, _name = with_host_like(inputs, like, own_rack=True)
    return inputs


def _hosts_like(counts: Mapping[str, int]) -> str:
    parts = [f"{'one more host' if n == 1 else f'{n} more hosts'} like {like}" for like, n in sorted(counts.items()) if n]
    return " and ".join(parts) + (", in a rack of its own" if sum(counts.values()) == 1 else ", each in a rack of its own")


def _shrunk(size: Resources, twentieths: int) -> Resources:
    part = (20 - twentieths) / 20
    return Resources(
        vcpus=max(1, int(size.vcpus * part)),
        memory_mib=max(1, int(size.memory_mib * part)),
        disk_gib=max(1, int(size.disk_gib * part)),
    )


def _drafts(inputs: PlanInputs, conflict: Conflict) -> list[Draft]:
    ids = set(conflict.machines)
    demand = demand_of(inputs.estate)
    return [draft for draft in (*demand.drafts, *demand.reserved) if draft.id in ids]


def _systems(inputs: PlanInputs, conflict: Conflict, rule: Rule) -> list[str]:
    machines = {constraint.subject for constraint in conflict.constraints if constraint.rule is rule}
    return sorted({draft.system for draft in _drafts(inputs, conflict) if draft.id in machines})


_KINDS: tuple[tuple[str, Callable[[PlanInputs, Conflict, _Trial], _Found]], ...] = (
    ("give up", _give_up),
    ("reopen", _reopen),
    ("move", _move),
    ("promise more", _promise_more),
    ("spread less", _spread_less),
    ("open to", _open_to),
    ("survive less", _survive_less),
    ("plan smaller", _plan_smaller),
    ("add hosts", _add_hosts),
)
