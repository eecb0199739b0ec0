"""Refuses a plan whose facts moved, and says which facts, which machines and steps they touch, and whether the rest holds."""

from collections.abc import Sequence

from controlplane.errors import RefusedError
from controlplane.execution.drift import Memory, differences
from controlplane.execution.inputs import authorized_keys, planned_images
from controlplane.model.drift import Drift
from controlplane.model.estate import Estate
from controlplane.model.observed import Observation
from controlplane.model.plan import Plan
from controlplane.planning.assessed import as_assessed, inputs_now
from controlplane.planning.facts import input_facts, moved_facts
from controlplane.planning.inputs import PlanInputs
from controlplane.planning.staleness import Staleness, Validity, staleness

_SHOWN = 20


def refuse_stale(plan: Plan, estate: Estate, before: Observation, accepted: Plan | None, memory: Memory) -> None:
    """Raises RefusedError when a fact that the plan rests on is not as it was."""
    images, keys = planned_images(estate), authorized_keys(estate)
    wanted = as_assessed(estate, plan.inputs)
    moved = moved_facts(plan, input_facts(wanted, before, images, keys) | inputs_now(estate, plan.inputs))
    if not moved:
        return
    inputs = PlanInputs(estate=wanted, observation=before, parent=accepted, images=images, authorized_keys=keys)
    raise RefusedError(stale_text(staleness(plan, moved, inputs), differences(plan, before, memory)))


def stale_text(stale: Staleness, steps: Sequence[Drift]) -> str:
    """The whole message: facts, machines, steps, the rest, and the next move."""
    facts = [
        f"  {fact.entity} {fact.field}: planned {fact.planned}, now {fact.now}; touches {_some(fact.touches) or 'no machine'}"
        for fact in stale.moved
    ]
    machines = [
        f"  {each.machine} on {each.host}: {each.validity.value}" + (f": {each.why}" if each.why else "")
        for each in stale.touched
    ]
    machines += [f"  {machine}: asked for, and not in this plan" for machine in stale.missing]
    invalid = {each.machine for each in stale.invalid}
    touched = [step for step in steps if step.subject in {each.machine for each in stale.touched}]
    wrong = [step for step in touched if step.subject in invalid]
    lines = [
        "the plan is stale, these facts moved since:",
        *_shortened(facts),
        f"machines they touch: {len(stale.touched)}, of which {len(invalid)} cannot stay as planned",
        *_shortened(machines),
        f"steps they touch: {len(touched)} of {len(steps)}, of which {len(wrong)} must change",
        *_shortened([f"  {step.action.value} {step.subject} on {step.host}" for step in touched]),
        _rest(stale),
        "nothing was changed; `kasumi plan --rebase PLAN -o FILE` makes the smallest change, `kasumi plan` plans again",
    ]
    return "\n".join(lines)


def _rest(stale: Staleness) -> str:
    if stale.rest_is_valid:
        valid = sum(1 for each in stale.touched if each.validity is Validity.VALID)
        return f"the rest is still valid: {stale.untouched} untouched machines" + (f" and {valid} touched ones" if valid else "")
    findings = [finding for finding in stale.critical if finding.where.startswith(("host ", "loss ", "replica ", "plan"))]
    shown = "; ".join(str(finding) for finding in findings[:3] or stale.critical[:3])
    return f"the rest is not valid either: {shown}"


def _shortened(lines: Sequence[str]) -> list[str]:
    more = len(lines) - _SHOWN
    return [*lines[:_SHOWN], *([f"  and {more} more"] if more > 0 else [])]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
