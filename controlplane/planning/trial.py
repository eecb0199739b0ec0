"""Tries a change of what planning is given: is there a plan then?

First only the machines of the conflict are placed, beside what stands: what does not help them helps nobody, and it takes a fraction
of a plan. Then all of it is planned and checked, as often as there is work left.
"""

from collections.abc import Callable
from dataclasses import replace

from controlplane.model.finding import Severity
from controlplane.model.plan import Plan
from controlplane.planning.build import InfeasiblePlan
from controlplane.planning.checks import check_plan
from controlplane.planning.conflict import Conflict, case_of
from controlplane.planning.demand import Draft, demand_of
from controlplane.planning.feasibility import feasible
from controlplane.planning.inputs import PlanInputs
from controlplane.planning.objections import Rule

Alter = Callable[[PlanInputs], PlanInputs]
_STEPS = 2_000
_LOOKS_A_PLAN = 8
"""Changes that are looked at for each plan that may be made."""


class Core:
    """What stands of an estate, and the machines of its conflict."""

    def __init__(self, inputs: PlanInputs, conflict: Conflict) -> None:
        standing = {draft.id for draft, _ in case_of(inputs).standing}
        kept = standing | set(conflict.machines)
        held = {machine.rpartition("/")[0] for machine in conflict.machines}
        estate = inputs.estate
        self._inputs = replace(
            inputs,
            estate=replace(
                estate,
                machines={name: each for name, each in estate.machines.items() if name in kept},
                servers={name: each for name, each in estate.servers.items() if name in kept},
                reservations={name: each for name, each in estate.reservations.items() if name in held},
            ),
        )

    def helped_by(self, alter: Alter) -> bool:
        """True when the machines of the conflict have a place after the change."""
        return feasible(case_of(alter(self._inputs)), steps=_STEPS) is True


class Trial:
    """One conflict of one estate, and plans that may still be made."""

    def __init__(self, inputs: PlanInputs, conflict: Conflict, core: Core, tries: int) -> None:
        self.inputs = inputs
        self.conflict = conflict
        self._core = core
        self._left = tries
        self._looks = _LOOKS_A_PLAN * tries

    def plan(self, alter: Alter) -> Plan | None:
        """The plan for altered inputs that passes the independent check, or None."""
        return self._plan(alter) if self._left > 0 and self.promises(alter) else None

    def promises(self, alter: Alter) -> bool:
        """True when the change helps at least the machines of the conflict."""
        self._looks -= 1
        return self._looks >= 0 and self._core.helped_by(alter)

    def unplaced(self, alter: Alter) -> frozenset[str]:
        """The machines that fit nowhere in altered inputs."""
        if self._left <= 0:
            return frozenset()
        self._left -= 1
        try:
            alter(self.inputs).plan()
        except InfeasiblePlan as infeasible:
            return frozenset(infeasible.unplaced)
        return frozenset()

    def least(self, low: int, high: int, alter: Callable[[int], Alter]) -> tuple[int, Plan] | None:
        """The least number from low to high with a plan, as far as halving finds it."""
        if not self.promises(alter(high)):
            return None
        upto = high
        while low < upto:
            middle = (low + upto) // 2
            low, upto = (low, middle) if self.promises(alter(middle)) else (middle + 1, upto)
        plan = self._plan(alter(low))
        if plan is not None or low == high or (plan := self._plan(alter(high))) is None:
            return (low, plan) if plan is not None else None
        best, low = (high, plan), low + 1
        while low < best[0]:
            middle = (low + best[0]) // 2
            plan = self._plan(alter(middle))
            if plan is not None:
                best = (middle, plan)
            else:
                low = middle + 1
        return best

    def drafts(self) -> list[Draft]:
        """The machines of the conflict, what is reserved included."""
        ids = set(self.conflict.machines)
        demand = demand_of(self.inputs.estate)
        return [draft for draft in (*demand.drafts, *demand.reserved) if draft.id in ids]

    def drafts_of(self, rule: Rule) -> list[Draft]:
        """Those for which this rule is part of the conflict."""
        machines = {constraint.subject for constraint in self.conflict.constraints if constraint.rule is rule}
        return [draft for draft in self.drafts() if draft.id in machines]

    def systems_of(self, rule: Rule) -> list[str]:
        """The systems of those."""
        return sorted({draft.system for draft in self.drafts_of(rule)})

    def _plan(self, alter: Alter) -> Plan | None:
        if self._left <= 0:
            return None
        self._left -= 1
        altered = alter(self.inputs)
        try:
            plan = altered.plan()
        except InfeasiblePlan:
            return None
        findings = check_plan(plan, altered.estate, altered.observation)
        return None if any(finding.severity is Severity.CRITICAL for finding in findings) else plan
