"""Puts what exists already into a fresh plan so far, before anything new is placed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controlplane.planning.constraints import PlanSoFar
from controlplane.planning.demand import Draft
from controlplane.planning.existing import Existing
from controlplane.planning.objections import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The plan with what stands; drafts still to be placed; ids kept where they are; what is wrong with how things stand."""

    so_far: PlanSoFar
    to_place: tuple[Draft, ...]
    kept: frozenset[str]
    warnings: tuple[str, ...]
    problems: tuple[str, ...]


def stand_existing(so_far: PlanSoFar, drafts: Sequence[Draft], existing: Mapping[str, Existing]) -> Standing:
    """Machines in place stay whatever objects (a warning); what was only promised stays where nothing objects.

    A machine in place that grows beyond the room of its host is a problem: it cannot be moved by planning.
    """
    in_place = [draft for draft in drafts if draft.id in existing and existing[draft.id].in_place]
    growing = [draft for draft in in_place if not draft.size.fits_in(existing[draft.id].size)]
    steady = [draft for draft in in_place if draft.size.fits_in(existing[draft.id].size)]
    for draft in steady:
        so_far.force(draft, existing[draft.id].host)
    so_far.settle()
    problems = [problem for draft in growing for problem in _grow(draft, existing[draft.id], so_far)]
    broken = so_far.settle()
    promised = [draft for draft in drafts if draft.id in existing and not existing[draft.id].in_place]
    kept = {draft.id for draft in in_place} | {draft.id for draft in promised if so_far.try_place(draft, existing[draft.id].host)}
    warnings = [
        f"machine {draft.id}: stays on {existing[draft.id].host}, though: {objection.text}"
        for draft in in_place
        for objection in so_far.standing_objections(draft)
    ]
    warnings += [
        f"host {host}: {text} to machines that are there already; it takes no new ones, remove or move some"
        for host in so_far.hosts
        for text in so_far.overfull(host)
    ]
    warnings += [f"{text}; move machines, or own more" for text in so_far.overused_licences()]
    warnings += [
        f"loss of {loss}: cannot be survived by the machines as they stand; add a host or move machines" for loss in broken
    ]
    return Standing(
        so_far=so_far,
        to_place=tuple(draft for draft in drafts if draft.id not in kept),
        kept=frozenset(kept),
        warnings=tuple(warnings),
        problems=tuple(problems),
    )


def _grow(draft: Draft, known: Existing, so_far: PlanSoFar) -> list[str]:
    objections = [o.text for o in so_far.objections(draft, known.host) if o.rule in {Rule.CAPACITY, Rule.LOSS}]
    so_far.force(draft, known.host)
    if not objections:
        return []
    text = f"machine {draft.id}: grows on {known.host}, where it stands and which planning never changes: {'; '.join(objections)}"
    return [f"{text}; plan a smaller size, give the host more room, or move a machine away first"]
