"""From where machines stand today to something better, with few moves: rules first, then hosts in use, then even load.

A step is a set of moves that makes one of these better and none before it worse: a machine leaves a host that its rules
forbid; all machines of a host go to others, which do not become too full; a machine leaves a host, or two change places, and
the fuller of both hosts becomes less full by the least gain. Steps are taken until none is left. As every step is better by
a finite amount this ends, and where it ended a second run finds nothing. Only a step whose moves have an order (`move_order`)
is taken, so every state on the way keeps every rule, losses included.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from controlplane.model.document import digest
from controlplane.model.plan import Plan
from controlplane.model.rebalance import HostLoad, Move, Rebalance, RebalancePolicy
from controlplane.planning.company import Flags, Ints, keeps_company
from controlplane.planning.constraints import PlanSoFar
from controlplane.planning.demand import Draft
from controlplane.planning.evening import Evening
from controlplane.planning.existing import existing_machines
from controlplane.planning.fullness import Floats, fullness
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
    loads_before = _loads(so_far)
    start = so_far.save()
    suspects, evening = dict(movable), Evening(so_far, movable)
    steps: list[Step] = []
    broken = frozenset(so_far.settle())
    while (taken := _better(so_far, movable, suspects, evening, policy, broken)) is not None:
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
    loads_after = _loads(so_far)
    return Rebalance(
        estate=inputs.estate.id,
        parent=digest(inputs.parent) if inputs.parent is not None else "",
        policy=policy,
        moves=tuple(_move(number, step, policy) for number, step in enumerate(steps)),
        hosts=tuple(
            HostLoad(
                host=host,
                before=loads_before[host][0],
                after=loads_after[host][0],
                machines_before=loads_before[host][1],
                machines_after=loads_after[host][1],
            )
            for host in so_far.hosts
        ),
        held=tuple(sorted(held & there)),
        left=tuple(_against_rules(so_far, drafts)),
    )


def _loads(so_far: PlanSoFar) -> dict[str, tuple[float, int]]:
    """For each host how full it is, and how many machines stand there."""
    every = np.arange(len(so_far.hosts))
    full = fullness(so_far.frees(every), so_far.capacities(every)).tolist()
    return {host: (round(share, 6), len(so_far.on(host))) for host, share in zip(so_far.hosts, full, strict=True)}


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
    so_far: PlanSoFar,
    movable: Mapping[str, Draft],
    suspects: dict[str, Draft],
    evening: Evening,
    policy: RebalancePolicy,
    broken: frozenset[str],
) -> tuple[tuple[Step, ...], frozenset[str]] | None:
    """Take the first step that makes something better, and say which losses cannot be survived after it; None: there is none.

    Losses are reckoned anew after a step, as a run that starts from there would: a step after which that finds no proof is not
    taken, though the proof carried along may hold.
    """
    for goals in _candidates(so_far, movable, suspects, evening, policy):
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


def _candidates(
    so_far: PlanSoFar,
    movable: Mapping[str, Draft],
    suspects: dict[str, Draft],
    evening: Evening,
    policy: RebalancePolicy,
) -> Iterator[Goals]:
    yield from _repairs(so_far, suspects)
    if policy.empty_hosts:
        yield from _emptied(so_far, movable, policy)
    for fuller, other, load, (highest, goals) in evening.candidates(policy.least_gain):
        reason = f"{fuller} is {load:.0%} full; the fuller of {fuller} and {other} becomes {highest:.0%}"
        yield {machine: (host, reason) for machine, host in goals}


def _repairs(so_far: PlanSoFar, suspects: dict[str, Draft]) -> Iterator[Goals]:
    """Each machine that stands against a rule, or on a host with too much, to a host in use before one that is not.

    What stands rightly and keeps no company is no suspect any more, since every move is checked.
    """
    overfull = {host: found for host in so_far.hosts if (found := so_far.overfull(host))}
    for machine, draft in list(suspects.items()):
        at = so_far.where(machine) or ""
        wrong = [objection.text for objection in so_far.standing_objections(draft)]
        wrong += [f"{at} has {text}" for text in overfull.get(at, ())]
        if not wrong:
            if not keeps_company(draft):
                del suspects[machine]
            continue
        hosts = np.flatnonzero(so_far.eligible_flags(draft))
        order = np.lexsort((hosts, _loads_with(so_far, hosts, draft), ~so_far.in_use_flags[hosts]))
        for host in (so_far.hosts[number] for number in hosts[order]):
            if host != at:
                yield {machine: (host, f"stands against a rule: {wrong[0]}")}


def _emptied(so_far: PlanSoFar, movable: Mapping[str, Draft], policy: RebalancePolicy) -> Iterator[Goals]:
    """All machines of a host, fewest first, to others in use that do not become fuller than the policy allows."""
    used = so_far.used()
    count = np.array([len(so_far.on(so_far.hosts[number])) for number in used], dtype=np.int64)
    for number in used[np.lexsort((used, fullness(so_far.frees(used), so_far.capacities(used)), count))].tolist():
        host = so_far.hosts[number]
        machines = so_far.on(host)
        if any(machine not in movable for machine in machines):
            continue
        others = so_far.in_use_flags.copy()
        others[number] = False
        goals = _elsewhere(so_far, [movable[machine] for machine in machines], host, others, policy)
        if goals is not None:
            yield goals


def _elsewhere(so_far: PlanSoFar, leaving: Sequence[Draft], host: str, others: Flags, policy: RebalancePolicy) -> Goals | None:
    saved = so_far.save()
    goals: dict[str, tuple[str, str]] = {}
    for draft in sorted(leaving, key=lambda draft: (-so_far.share(draft), draft.id)):
        so_far.take_off(draft)
        open_to = np.flatnonzero(so_far.eligible_flags(draft) & others)
        loads = _loads_with(so_far, open_to, draft)
        open_to, loads = open_to[loads <= policy.fill_up_to], loads[loads <= policy.fill_up_to]
        ranked = (so_far.hosts[number] for number in open_to[np.lexsort((open_to, -loads))])
        goal = next((other for other in ranked if so_far.try_place(draft, other)), None)
        if goal is None:
            break
        goals[draft.id] = (goal, f"{host} is emptied, so that it can be switched off")
    so_far.restore(saved)
    return goals if len(goals) == len(leaving) else None


def _loads_with(so_far: PlanSoFar, hosts: Ints, comes: Draft) -> Floats:
    """How full hosts would be with a machine more."""
    return fullness(so_far.frees(hosts) - np.array(so_far.size(comes)), so_far.capacities(hosts))
