"""The smallest valid change to a plan whose facts moved: what is still valid keeps host, address and uuid.

The plan is treated like promises: a machine stays where it was put as long as nothing objects, and only the others are placed
anew. When these find no place beside the promises, promises are given up, as few as are needed.
"""

from collections.abc import Sequence
from dataclasses import replace

from controlplane.model.document import digest
from controlplane.model.plan import Plan
from controlplane.planning.build import InfeasiblePlan
from controlplane.planning.demand import demand_of
from controlplane.planning.existing import existing_machines
from controlplane.planning.inputs import PlanInputs


def rebased(plan: Plan, inputs: PlanInputs) -> Plan:
    """The plan for these inputs that is nearest to `plan`, built on the accepted one. Raises InfeasiblePlan."""
    promises = _promises(plan, inputs)
    kept = set(promises)
    try:
        made = _built(plan, inputs, kept)
        return plan if _alike(made, plan) else made
    except InfeasiblePlan as infeasible:
        if not infeasible.unplaced or not kept:
            raise
    released = _released(plan, inputs, promises)
    return _built(plan, inputs, kept - released)


def _alike(made: Plan, plan: Plan) -> bool:
    """True when nothing differs but the words of reasons: then the old plan with its digest is the answer."""
    reasons = {machine.id: machine.reasons for machine in plan.machines}
    told = tuple(replace(machine, reasons=reasons.get(machine.id, ())) for machine in made.machines)
    return replace(made, machines=told) == plan


def _released(plan: Plan, inputs: PlanInputs, promises: Sequence[str]) -> set[str]:
    """A set of promises that is enough to give up and of which none can be kept. Raises InfeasiblePlan."""
    count = 1
    while True:
        given_up = promises[:count]
        try:
            _built(plan, inputs, set(promises) - set(given_up))
            break
        except InfeasiblePlan:
            if count >= len(promises):
                raise
        count *= 2
    released = set(given_up)
    for machine in reversed(given_up):
        try:
            _built(plan, inputs, set(promises) - (released - {machine}))
        except InfeasiblePlan:
            continue
        released.discard(machine)
    return released


def _promises(plan: Plan, inputs: PlanInputs) -> list[str]:
    """Machines of the plan that are wanted and not there yet, smallest first: the cheapest to put elsewhere."""
    drafts = demand_of(inputs.estate).drafts
    existing, _ = existing_machines(drafts, inputs.estate, inputs.observation, inputs.parent)
    standing = {machine for machine, known in existing.items() if known.in_place}
    wanted = {draft.id for draft in drafts} - standing
    machines = [machine for machine in plan.machines if machine.id in wanted and machine.host in inputs.estate.hosts]
    return [m.id for m in sorted(machines, key=lambda m: (m.size.memory_mib, m.size.vcpus, m.size.disk_gib, m.id))]


def _built(plan: Plan, inputs: PlanInputs, kept: set[str]) -> Plan:
    """Plan with the promises to keep and, beside them, all that the accepted plan knows of what stands."""
    accepted = inputs.parent
    known = {machine.id: machine for machine in accepted.machines} if accepted is not None else {}
    known |= {machine.id: machine for machine in plan.machines if machine.id in kept}
    base = replace(plan, machines=tuple(machine for _, machine in sorted(known.items())))
    made = replace(inputs, parent=base).plan()
    return replace(made, parent=digest(accepted) if accepted is not None else "")
