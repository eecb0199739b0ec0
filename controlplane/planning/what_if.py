"""Before and after of a change that nobody made: the same planner on altered inputs, measured by the same rules."""

from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.model.finding import Severity
from controlplane.model.plan import Plan
from controlplane.model.resources import Resources, total
from controlplane.planning.bounds import hosts_used
from controlplane.planning.build import InfeasiblePlan
from controlplane.planning.checks import check_plan
from controlplane.planning.inputs import PlanInputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What one plan comes to. `fullest` is the host that is fullest in one dimension, and how full."""

    machines: int
    hosts: int
    hosts_used: int
    hosts_needed: int
    promised: Resources
    capacity: Resources
    fullest: str
    fullest_share: float
    fullest_dimension: str
    critical: int
    warnings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """`after` is None when there would be no plan: `why` says why, `unplaced` which machines fit nowhere.

    `moved` maps a machine to its host before and after.
    """

    before: Standing
    after: Standing | None
    why: str
    unplaced: tuple[str, ...]
    moved: Mapping[str, tuple[str, str]]
    added: tuple[str, ...]


def what_if(inputs: PlanInputs, altered: PlanInputs) -> WhatIf:
    """Plan both and compare. Raises InfeasiblePlan when there is no plan as things are."""
    now = inputs.plan()
    before = standing(now, inputs)
    try:
        then = altered.plan()
    except InfeasiblePlan as infeasible:
        return WhatIf(before=before, after=None, why=str(infeasible), unplaced=infeasible.unplaced, moved={}, added=())
    where = {machine.id: machine.host for machine in now.machines}
    return WhatIf(
        before=before,
        after=standing(then, altered),
        why="",
        unplaced=(),
        moved={
            machine.id: (where[machine.id], machine.host)
            for machine in then.machines
            if machine.id in where and where[machine.id] != machine.host
        },
        added=tuple(machine.id for machine in then.machines if machine.id not in where),
    )


def standing(plan: Plan, inputs: PlanInputs) -> Standing:
    """Measure a plan."""
    use = hosts_used(plan)
    findings = check_plan(plan, inputs.estate, inputs.observation)
    shares = [
        (after / most, host.id, name)
        for host in plan.hosts
        for name, after, most in (
            ("vCPU", host.allocated_after.vcpus, host.promised_capacity.vcpus),
            ("memory", host.allocated_after.memory_mib, host.promised_capacity.memory_mib),
            ("disk", host.allocated_after.disk_gib, host.promised_capacity.disk_gib),
        )
        if most
    ]
    share, host, dimension = max(shares, default=(0.0, "", ""))
    return Standing(
        machines=len(plan.machines),
        hosts=len(plan.hosts),
        hosts_used=use.used,
        hosts_needed=use.bound,
        promised=total([host.allocated_after for host in plan.hosts]),
        capacity=total([host.promised_capacity for host in plan.hosts]),
        fullest=host,
        fullest_share=share,
        fullest_dimension=dimension,
        critical=sum(1 for finding in findings if finding.severity is Severity.CRITICAL),
        warnings=len(plan.warnings),
    )
