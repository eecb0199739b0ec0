"""From where machines stand today to something better, with few moves: rules first, then hosts in use, then even load.

A step is a set of moves that makes one of these better and none before it worse: a machine leaves a host that its rules
forbid; all machines of a host go to others, which do not become too full; a machine leaves a host, or two change places, and
the fuller of both hosts becomes less full by the least gain. Steps are taken until none is left. As every step is better by
a finite amount this ends, and where it ended a second run finds nothing. Only a step whose moves have an order (`move_order`)
is taken, so every state on the way keeps every rule, losses included.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from controlplane.model.document import digest
from controlplane.model.plan import Plan
from controlplane.model.rebalance import HostLoad, Move, Rebalance, RebalancePolicy
from controlplane.planning.constraints import PlanSoFar
from controlplane.planning.demand import Draft
from controlplane.planning.existing import existing_machines
from controlplane.planning.inputs import PlanInputs, stand_as_planned
from controlplane.planning.move_order import Step, in_order

Goals = Mapping[str, tuple[str, str]]
"""Machine to host and reason."""


def rebalance(inputs: PlanInputs, plan: Plan, policy: RebalancePolicy, held: frozenset[str] = frozenset()) -> Rebalance:
    """The moves from where machines stand, with those that do not exist yet where `plan` puts them.

    Machines that are `held`, that are not there yet, or that stand on a host that does not answer are not moved.
    """
    so_far, drafts = stand_as_planned(inputs, plan)
    existing, _ = existing_machines(tuple(drafts.values()), inputs.estate, inputs.observation, inputs.parent)
    answering = {host for host, seen in inputs.observation.hosts.items() if seen.reachable}
    there = {machine for machine, known in existing.items() if known.in_place and known.host in answering}
    movable = {machine: drafts[machine] for machine in sorted(there - held) if so_far.where(machine) is not None}
    before = so_far.placed()
    loads_before = {host: (_load(so_far, host), len(so_far.on(host))) for host in so_far.hosts}
    start = so_far.save()
    steps: list[Step] = []
    broken = frozenset(so_far.settle())
    while (taken := _better(so_far, movable, policy, broken)) is not None:
        more, broken = taken
        steps += more
    after = so_far.placed()
    reasons = {step.draft.id: step.reason for step in steps}
    so_far.restore(start)
    so_far.settle()
    goals = {machine: (host, reasons[machine]) for machine, host in after.items() if before[machine] != host}
    shorter = in_order(goals, drafts, so_far)
    if shorter is not None and len(shorter) <= len(steps):
        steps = list(shorter)
    else:
        for step in steps:
            so_far.take_off(step.draft)
            so_far.force(step.draft, step.wanted)
    return Rebalance(
        estate=inputs.estate.id,
        parent=digest(inputs.parent) if inputs.parent is not None else "",
        policy=policy,
        moves=tuple(_move(number, step, policy) for number, step in enumerate(steps)),
        hosts=tuple(
            HostLoad(
                host=host,
                before=round(loads_before[host][0], 6),
                after=round(_load(so_far, host), 6),
                machines_before=loads_before[host][1],
                machines_after=len(so_far.on(host)),
            )
            for host in so_far.hosts
        ),
        held=tuple(sorted(held & there)),
        left=tuple(_against_rules(so_far, drafts)),
    )


def _move(number: int, step: Step, policy: RebalancePolicy) -> Move:
    return Move(
        order=number + 1,
        window=number // policy.moves_per_window + 1,
        machine=step.draft.id,
        found=step.found,
        wanted=step.wanted,
        memory_mib=step.draft.size.memory_mib,
        disk_gib=step.draft.size.disk_gib,
        reason=step.reason,
    )


def _against_rules(so_far: PlanSoFar, drafts: Mapping[str, Draft]) -> Iterator[str]:
    for machine in sorted(set(so_far.placed()) & set(drafts)):
        for objection in so_far.standing_objections(drafts[machine]):
            yield f"machine {machine} on {so_far.where(machine)}: {objection.text}"
    for host in so_far.hosts:
        for text in so_far.overfull(host):
            yield f"host {host}: {text}"


def _better(
    so_far: PlanSoFar, movable: Mapping[str, Draft], policy: RebalancePolicy, broken: frozenset[str]
) -> tuple[tuple[Step, ...], frozenset[str]] | None:
    """Take the first step that makes something better, and say which losses cannot be survived after it; None: there is none.

    Losses are reckoned anew after a step, as a run that starts from there would: a step after which that finds no proof is not
    taken, though the proof carried along may hold.
    """
    for goals in _candidates(so_far, movable, policy):
        saved = so_far.save()
        steps = in_order(goals, movable, so_far)
        if steps is None:
            continue
        left = frozenset(so_far.settle())
        if left <= broken:
            return steps, left
        so_far.restore(saved)
        so_far.settle()
    return None


def _candidates(so_far: PlanSoFar, movable: Mapping[str, Draft], policy: RebalancePolicy) -> Iterator[Goals]:
    yield from _repairs(so_far, movable)
    if policy.empty_hosts:
        yield from _emptied(so_far, movable, policy)
    yield from _evened(so_far, movable, policy)


def _repairs(so_far: PlanSoFar, movable: Mapping[str, Draft]) -> Iterator[Goals]:
    """Each machine that stands against a rule, or on a host with too much, to a host in use before one that is not."""
    overfull = {host: so_far.overfull(host) for host in so_far.hosts if so_far.overfull(host)}
    for machine, draft in movable.items():
        at = so_far.where(machine) or ""
        wrong = [objection.text for objection in so_far.standing_objections(draft)]
        wrong += [f"{at} has {text}" for text in overfull.get(at, ())]
        if not wrong:
            continue
        ranked = sorted(
            (host for host in so_far.eligible(draft) if host != at),
            key=lambda host: (not so_far.in_use(host), _load(so_far, host, comes=draft), host),
        )
        for host in ranked:
            yield {machine: (host, f"stands against a rule: {wrong[0]}")}


def _emptied(so_far: PlanSoFar, movable: Mapping[str, Draft], policy: RebalancePolicy) -> Iterator[Goals]:
    """All machines of a host, fewest first, to others in use that do not become fuller than the policy allows."""
    used = [host for host in so_far.hosts if so_far.in_use(host)]
    for host in sorted(used, key=lambda host: (len(so_far.on(host)), _load(so_far, host), host)):
        machines = so_far.on(host)
        if any(machine not in movable for machine in machines):
            continue
        goals = _elsewhere(so_far, [movable[machine] for machine in machines], host, set(used) - {host}, policy)
        if goals is not None:
            yield goals


def _elsewhere(so_far: PlanSoFar, leaving: Sequence[Draft], host: str, others: set[str], policy: RebalancePolicy) -> Goals | None:
    saved = so_far.save()
    goals: dict[str, tuple[str, str]] = {}
    for draft in sorted(leaving, key=lambda draft: (-so_far.share(draft), draft.id)):
        so_far.take_off(draft)
        open_to = [other for other in so_far.eligible(draft) if other in others]
        ranked = sorted(open_to, key=lambda other: (-_load(so_far, other, comes=draft), other))
        goal = next(
            (o for o in ranked if _load(so_far, o, comes=draft) <= policy.fill_up_to and so_far.try_place(draft, o)),
            None,
        )
        if goal is None:
            break
        goals[draft.id] = (goal, f"{host} is emptied, so that it can be switched off")
    so_far.restore(saved)
    return goals if len(goals) == len(leaving) else None


def _evened(so_far: PlanSoFar, movable: Mapping[str, Draft], policy: RebalancePolicy) -> Iterator[Goals]:
    """One machine of a fuller host to a less full one in use, or two that change places; the greatest gain first."""
    loads = {host: _load(so_far, host) for host in so_far.hosts if so_far.in_use(host)}
    by_load = sorted(loads, key=lambda host: (-loads[host], host))
    for fuller in by_load:
        limit = loads[fuller] - policy.least_gain
        others = [host for host in by_load if loads[host] <= limit]
        here = [movable[machine] for machine in so_far.on(fuller) if machine in movable]
        if len(so_far.on(fuller)) < 2 or not others:
            continue
        for highest, goals in sorted(_relieving(so_far, here, fuller, others, movable, limit)):
            other = goals[0][1]
            reason = f"{fuller} is {loads[fuller]:.0%} full; the fuller of {fuller} and {other} becomes {highest:.0%}"
            yield {machine: (host, reason) for machine, host in goals}


_Relief = tuple[float, tuple[tuple[str, str], ...]]
"""Load of the fuller of both hosts afterwards, and machines with their hosts."""


def _relieving(
    so_far: PlanSoFar, here: Sequence[Draft], fuller: str, others: Sequence[str], movable: Mapping[str, Draft], limit: float
) -> list[_Relief]:
    """Shifts, and exchanges only where no shift would relieve."""
    found: list[_Relief] = []
    for draft in here:
        left = _load(so_far, fuller, leaves=draft)
        if left <= limit:
            for other in others:
                highest = max(left, _load(so_far, other, comes=draft))
                if highest <= limit:
                    found.append((highest, ((draft.id, other),)))
    if found:
        return found
    for other in others:
        back = [movable[machine] for machine in so_far.on(other) if machine in movable]
        for draft, comes in product(here, back):
            highest = _load(so_far, other, comes=draft, leaves=comes)
            if highest <= limit:
                highest = max(highest, _load(so_far, fuller, comes=comes, leaves=draft))
                if highest <= limit:
                    found.append((highest, ((draft.id, other), (comes.id, fuller))))
    return found


def _load(so_far: PlanSoFar, host: str, *, comes: Draft | None = None, leaves: Draft | None = None) -> float:
    """Share of the tightest dimension that is taken; a host that may promise nothing is full."""
    free, capacity = so_far.free(host), so_far.capacity(host)
    nothing = (0,) * len(free)
    came = so_far.size(comes) if comes is not None else nothing
    left = so_far.size(leaves) if leaves is not None else nothing
    highest = 0.0 if any(capacity) else 1.0
    for dimension, most in enumerate(capacity):
        taken = most - free[dimension] + came[dimension] - left[dimension]
        highest = max(highest, taken / most if most else float(taken > 0))
    return highest
