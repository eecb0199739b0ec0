"""The cheapest ways found out of an estate without plan. Each was tried: the planner has a plan for the estate so repaired.

Cheap means, in this order: give up room that is reserved, reopen a host, move machines that stand, promise more, license more sockets, let
a host offer more, loosen rules (`loosening`), plan smaller, buy hosts. Work is bounded by the number of plans made (`trial`).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from controlplane.model.estate import Host
from controlplane.model.plan import Plan
from controlplane.model.resources import Resources
from controlplane.planning.alter import (
    with_free_machines,
    with_host_like,
    with_machine_size,
    with_open_host,
    with_overcommit,
    without_reservation,
)
from controlplane.planning.conflict import Conflict, case_of
from controlplane.planning.demand import Draft, demand_of
from controlplane.planning.inputs import PlanInputs
from controlplane.planning.loosening import (
    Found,
    license_more,
    lift_pins,
    loosen_groups,
    offer_more,
    open_to,
    share,
    spread_less,
    survive_less,
)
from controlplane.planning.objections import Rule
from controlplane.planning.trial import Alter, Core, Trial

_TRIES = 16
"""Plans made for repairs of one kind, at most."""
_PLACED = 20_000
"""Machines placed for repairs of one kind, about; large estates get fewer tries."""
_FEW = 3
"""Single machines are made smaller only when no more than these are in the conflict."""
_OF_ONE_KIND = 2
_MOST_VCPUS = 8.0
"""Beyond eight virtual CPUs for one real one, waiting for a processor is felt by every guest."""
_UNIT = {"vcpus": "vCPU", "memory_mib": "MiB of memory", "disk_gib": "GiB of disk"}
_SMALLER_IN = (*((dimension,) for dimension in _UNIT), tuple(_UNIT))
"""In one thing alone, before in all of them."""
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
    core = Core(inputs, conflict)
    for kind, repairs in _KINDS:
        for text, plan in islice(repairs(Trial(inputs, conflict, core, tries)), _OF_ONE_KIND):
            found.append(Repair(kind=kind, text=text, hosts_used=len({m.host for m in plan.machines}), hosts=len(plan.hosts)))
    return tuple(found)


def _give_up(trial: Trial) -> Found:
    """Room for machines that do not exist, smallest reservation first."""
    held = sorted(trial.inputs.estate.reservations.values(), key=lambda each: (each.count * each.size.memory_mib, each.id))
    for reservation in held:
        if plan := trial.plan(partial(without_reservation, reservation=reservation.id)):
            yield f"give up reservation {reservation.id} of system {reservation.system} (until {reservation.until})", plan


def _reopen(trial: Trial) -> Found:
    for constraint in trial.conflict.constraints:
        if constraint.rule is Rule.CLOSED and (plan := trial.plan(partial(with_open_host, host=constraint.subject))):
            how = "end the maintenance of" if constraint.text == "is in maintenance" else "bring back"
            yield f"{how} host {constraint.subject}", plan


def _move(trial: Trial) -> Found:
    """Machines that stand, smallest first, one to three of one host."""
    case = case_of(trial.inputs)
    wanted = {draft.confidentiality for draft in trial.drafts()}
    for room in case.rooms:
        if not room.takes_new or wanted.isdisjoint(room.host.confidentiality):
            continue
        here = sorted(
            (d for d, host in case.standing if host == room.host.id), key=lambda d: (d.size.memory_mib, d.size.vcpus, d.id)
        )
        for count in range(1, min(_MOST_MOVED, len(here)) + 1):
            ids = [draft.id for draft in here[:count]]
            plan = trial.plan(partial(with_free_machines, machines=ids))
            if plan is None:
                continue
            moves = [f"{m.id} from {room.host.id} to {m.host}" for m in plan.machines if m.id in ids and m.host != room.host.id]
            if moves:
                yield f"move {', '.join(moves)}", plan
            break


def _promise_more(trial: Trial) -> Found:
    """Virtual CPUs alone: memory and disk promised twice fail when they are claimed, and nobody waits his turn."""
    if not any(constraint.rule is Rule.CAPACITY for constraint in trial.conflict.constraints):
        return
    wanted = {draft.confidentiality for draft in trial.drafts()}
    groups: dict[tuple[float, tuple[int, ...]], list[str]] = {}
    for _, host in sorted(trial.inputs.estate.hosts.items()):
        groups.setdefault((host.overcommit.vcpus, host.confidentiality), []).append(host.id)
    for (ratio, grades), hosts in sorted(groups.items()):
        if wanted.isdisjoint(grades) or ratio >= _MOST_VCPUS:
            continue
        found = trial.least(round(ratio * 10) + 1, round(_MOST_VCPUS * 10), partial(_promising, hosts))
        if found is not None:
            yield f"raise the vCPU overcommit of {', '.join(hosts)} from {ratio:g} to {found[0] / 10:g}", found[1]
            return
    ratios = {ratio for ratio, _ in groups}
    if len(groups) > 1 and len(ratios) == 1 and (ratio := ratios.pop()) < _MOST_VCPUS:
        found = trial.least(round(ratio * 10) + 1, round(_MOST_VCPUS * 10), partial(_promising, list(trial.inputs.estate.hosts)))
        if found is not None:
            yield f"raise the vCPU overcommit of every host from {ratio:g} to {found[0] / 10:g}", found[1]


def _promising(hosts: list[str], tenths: int) -> Alter:
    return partial(with_overcommit, hosts=hosts, dimension="vcpus", ratio=tenths / 10)


def _plan_smaller(trial: Trial) -> Found:
    reserved = {draft.id for draft in demand_of(trial.inputs.estate).reserved}
    drafts = [draft for draft in trial.drafts() if draft.id not in reserved]
    for draft in drafts if len(drafts) <= _FEW else ():
        for dimensions in _SMALLER_IN:
            found = trial.least(1, 19, partial(_smaller, draft, dimensions))
            if found is not None:
                size = _shrunk(draft.size, found[0], dimensions)
                amounts = ", ".join(f"{getattr(size, dimension)} {_UNIT[dimension]}" for dimension in dimensions)
                yield f"plan {draft.id} with at most {amounts}", found[1]
                break


def _smaller(draft: Draft, dimensions: Sequence[str], twentieths: int) -> Alter:
    return partial(with_machine_size, machine=draft.id, size=_shrunk(draft.size, twentieths, dimensions))


def _add_hosts(trial: Trial) -> Found:
    """One model of host after the other, of those that may hold a machine of the conflict; else a mixture."""
    wanted = {draft.confidentiality for draft in trial.drafts()}
    alone = False
    for like in _models(trial.inputs):
        if wanted.isdisjoint(trial.inputs.estate.hosts[like].confidentiality):
            continue
        found = trial.least(1, _MOST_HOSTS, partial(_more_hosts, like))
        if found is not None:
            alone = True
            yield f"add {_hosts_like({like: found[0]})}", found[1]
    if not alone:
        yield from _add_mixture(trial)


def _add_mixture(trial: Trial) -> Found:
    """Add hosts for whatever fits nowhere, one by one; then do without each that is not needed."""
    added: Counter[str] = Counter()
    plan: Plan | None = None
    inputs = trial.inputs
    models = _models(inputs)
    if not trial.promises(_more(dict.fromkeys(models, _MOST_HOSTS))):
        return
    while plan is None and added.total() < _MOST_HOSTS:
        unplaced = trial.unplaced(_more(added)) if added else frozenset(trial.conflict.machines)
        demand = demand_of(inputs.estate)
        drafts = [draft for draft in (*demand.drafts, *demand.reserved) if draft.id in unplaced]
        likes = [like for like in models for draft in drafts[:1] if _may_hold(inputs.estate.hosts[like], draft)]
        if not likes:
            return
        added[likes[0]] += 1
        plan = trial.plan(_more(added))
    if plan is None:
        return
    for like in sorted(added):
        while added[like] and (fewer := trial.plan(_more(added - Counter([like])))):
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


def _more_hosts(like: str, count: int) -> Alter:
    return _more({like: count})


def _more(counts: Mapping[str, int]) -> Alter:
    return partial(_mixed, counts=dict(counts))


def _mixed(inputs: PlanInputs, counts: Mapping[str, int]) -> PlanInputs:
    for like in sorted(counts):
        for _ in range(counts[like]):
            inputs, _name = with_host_like(inputs, like, own_rack=True)
    return inputs


def _hosts_like(counts: Mapping[str, int]) -> str:
    parts = [f"{'one more host' if n == 1 else f'{n} more hosts'} like {like}" for like, n in sorted(counts.items()) if n]
    return " and ".join(parts) + (", in a rack of its own" if sum(counts.values()) == 1 else ", each in a rack of its own")


def _shrunk(size: Resources, twentieths: int, dimensions: Sequence[str]) -> Resources:
    return replace(size, **{each: max(1, getattr(size, each) * (20 - twentieths) // 20) for each in dimensions})


_KINDS: tuple[tuple[str, Callable[[Trial], Found]], ...] = (
    ("give up", _give_up),
    ("reopen", _reopen),
    ("move", _move),
    ("promise more", _promise_more),
    ("license more", license_more),
    ("offer more", offer_more),
    ("lift pins", lift_pins),
    ("spread less", spread_less),
    ("loosen groups", loosen_groups),
    ("open to", open_to),
    ("share", share),
    ("survive less", survive_less),
    ("plan smaller", _plan_smaller),
    ("add hosts", _add_hosts),
)
