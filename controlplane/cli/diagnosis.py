"""What is said when there is no plan: a minimal set of constraints that cannot all hold, and repairs that were tried."""

from collections.abc import Sequence

from controlplane.planning.conflict import Conflict, minimal_conflict
from controlplane.planning.infeasible import InfeasiblePlan
from controlplane.planning.inputs import PlanInputs
from controlplane.planning.repairs import Repair, cheapest_repairs

_SHOWN = 40


def diagnosis(infeasible: InfeasiblePlan, inputs: PlanInputs) -> str:
    """The message of an estate without plan, with its conflict and repairs where machines fit nowhere."""
    return "\n".join([str(infeasible), *conflict_and_repairs(infeasible.unplaced, inputs)])


def conflict_and_repairs(unplaced: Sequence[str], inputs: PlanInputs) -> list[str]:
    """Lines about why these machines fit nowhere and what was found to help; none when no machine is the trouble."""
    if not unplaced:
        return []
    conflict = minimal_conflict(inputs, unplaced)
    if conflict is None:
        return ["a longer search finds a place for each of them, the planner did not: please report this estate"]
    return [*_conflict(conflict), *_repairs(cheapest_repairs(inputs, conflict))]


def _conflict(conflict: Conflict) -> list[str]:
    count = len(conflict.constraints)
    if not count:
        return ["which constraints conflict was not found within the work there is for it"]
    head = "these cannot all hold" if count > 1 else "this cannot hold"
    give_up = "; with any one of them given up, the others can" if count > 1 and conflict.minimal else ""
    lines = [f"{head}{give_up}:"]
    lines += [f"  {each.rule.value} of {each.subject}: {each.subject} {each.text}" for each in conflict.constraints[:_SHOWN]]
    if count > _SHOWN:
        lines.append(f"  and {count - _SHOWN} more")
    if not conflict.proven:
        lines.append("  (as far as a bounded search can tell: that no placement exists is not proven)")
    if not conflict.minimal:
        lines.append("  (work ended before all could be tried: a smaller set may exist)")
    return lines


def _repairs(repairs: tuple[Repair, ...]) -> list[str]:
    if not repairs:
        return ["no single repair that was tried leads to a plan"]
    lines = ["repairs, cheapest first; with each of them there is a plan:"]
    return [*lines, *(f"  - {repair.text} ({repair.hosts_used} of {repair.hosts} hosts used)" for repair in repairs)]
