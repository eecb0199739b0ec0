"""Holds every state between two waves against the constraints: machines made from images from the first day, others as they come."""

from collections.abc import Sequence

from controlplane.model.plan import Method, Plan
from controlplane.planning.constraints import PlanSoFar
from controlplane.planning.inputs import PlanInputs, stand_as_planned


def unsafe_states(plan: Plan, inputs: PlanInputs, arrivals: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """For each wave what does not hold once its machines have come: hosts overfull, losses not survived."""
    moved = {machine.id for machine in plan.machines if machine.method is Method.COLD}
    so_far, drafts = stand_as_planned(inputs, plan)
    where = so_far.placed()
    for machine in sorted(moved & set(where)):
        so_far.take_off(drafts[machine])
    before = _wrong(so_far)
    found = []
    for machines in arrivals:
        for machine in sorted(set(machines) & moved & set(where)):
            if so_far.where(machine) is None:
                so_far.force(drafts[machine], where[machine])
        found.append(tuple(sorted(_wrong(so_far) - before)))
    return tuple(found)


def _wrong(so_far: PlanSoFar) -> set[str]:
    losses = {f"loss of {loss} is not survived" for loss in so_far.settle()}
    return losses | {f"host {host}: {text}" for host in so_far.hosts for text in so_far.overfull(host)}
