"""In which order machines move, so that every state between two moves keeps every rule; through a spare host where needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controlplane.planning.constraints import PlanSoFar
from controlplane.planning.demand import Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One move."""

    draft: Draft
    found: str
    wanted: str
    reason: str


def in_order(wanted: Mapping[str, tuple[str, str]], drafts: Mapping[str, Draft], so_far: PlanSoFar) -> tuple[Step, ...] | None:
    """Carry the moves out on the plan so far: machine to (host, reason). None, with the plan as it was, when there is no order.

    A machine goes as soon as nothing objects. When none can go, one is parked on a spare host, each at most once: that opens
    the circle in which machines wait for each other's room.
    """
    saved = so_far.save()
    waiting = {machine: goal for machine, goal in sorted(wanted.items()) if so_far.where(machine) != goal[0]}
    steps: list[Step] = []
    parked: set[str] = set()
    while waiting:
        gone = [machine for machine, (host, reason) in waiting.items() if _go(drafts[machine], host, reason, so_far, steps)]
        if gone:
            waiting = {machine: goal for machine, goal in waiting.items() if machine not in gone}
        elif not _park([drafts[machine] for machine in waiting if machine not in parked], so_far, steps, parked):
            so_far.restore(saved)
            return None
    return tuple(steps)


def _go(draft: Draft, host: str, reason: str, so_far: PlanSoFar, steps: list[Step]) -> bool:
    saved = so_far.save()
    found = so_far.take_off(draft)
    if so_far.try_place(draft, host):
        steps.append(Step(draft=draft, found=found, wanted=host, reason=reason))
        return True
    so_far.restore(saved)
    return False


def _park(waiting: Sequence[Draft], so_far: PlanSoFar, steps: list[Step], parked: set[str]) -> bool:
    """Smallest first, as it is moved twice; on the host with most room."""
    for draft in sorted(waiting, key=lambda draft: (so_far.share(draft), draft.id)):
        at = so_far.where(draft.id)
        spares = sorted((host for host in so_far.eligible(draft) if host != at), key=lambda host: (so_far.in_use(host), host))
        reason = "makes room for a moment, as others wait for its place"
        if any(_go(draft, host, reason, so_far, steps) for host in spares):
            parked.add(draft.id)
            return True
    return False
