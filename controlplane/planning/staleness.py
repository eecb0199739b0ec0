"""What became of a plan whose facts moved: which machines the moved facts touch, and which of these are still valid.

A machine is still valid when the inventory asks for the same machine and, all others standing as the plan has them, nothing
objects to it on its host; one that stands there already is never moved by planning and stays valid. The rest of the plan is
valid when the independent checker has nothing critical about it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from controlplane.model.finding import Finding, Severity
from controlplane.model.plan import Plan, PlannedMachine
from controlplane.planning.checks import check_plan
from controlplane.planning.demand import Draft
from controlplane.planning.existing import existing_machines
from controlplane.planning.facts import MovedFact
from controlplane.planning.inputs import PlanInputs, stand_as_planned


class Validity(StrEnum):
    """What a moved fact did to one machine."""

    VALID = "still valid"
    CHANGED = "asked for differently"
    MISPLACED = "may not stand there"
    UNWANTED = "no longer asked for"


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchedMachine:
    """One machine that rests on a moved fact, and why it is no longer valid (empty: it is)."""

    machine: str
    host: str
    validity: Validity
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Staleness:
    """Moved facts, the machines they touch, machines asked for since, how many are untouched, and what the checker says."""

    moved: tuple[MovedFact, ...]
    touched: tuple[TouchedMachine, ...]
    missing: tuple[str, ...]
    untouched: int
    critical: tuple[Finding, ...]

    @property
    def invalid(self) -> tuple[TouchedMachine, ...]:
        """The touched machines that are not valid any more."""
        return tuple(machine for machine in self.touched if machine.validity is not Validity.VALID)

    @property
    def rest_is_valid(self) -> bool:
        """True when the checker's critical findings speak of nothing but machines that are touched or missing."""
        named = {f"machine {machine.machine}" for machine in self.touched} | {f"machine {machine}" for machine in self.missing}
        return all(finding.where in named for finding in self.critical)


def staleness(plan: Plan, moved: Sequence[MovedFact], inputs: PlanInputs) -> Staleness:
    """Judge a plan whose facts moved against the inputs as they are now."""
    touched = {machine for fact in moved for machine in fact.touches}
    so_far, drafts = stand_as_planned(inputs, plan)
    existing, _ = existing_machines(tuple(drafts.values()), inputs.estate, inputs.observation, inputs.parent)
    standing = {machine for machine, known in existing.items() if known.in_place}
    planned = {machine.id for machine in plan.machines}
    judged = []
    for machine in plan.machines:
        if machine.id not in touched and machine.id in drafts:
            continue
        validity, why = _judge(machine, drafts.get(machine.id))
        if validity is Validity.VALID and so_far.where(machine.id) is None:
            validity, why = Validity.MISPLACED, f"the inventory no longer has host {machine.host}"
        elif validity is Validity.VALID and machine.id not in standing:
            draft = drafts[machine.id]
            so_far.take_off(draft)
            objections = so_far.objections(draft, machine.host)
            if objections or not so_far.try_place(draft, machine.host):
                so_far.force(draft, machine.host)
                so_far.settle()
            if objections:
                validity, why = Validity.MISPLACED, "; ".join(objection.text for objection in objections)
        judged.append(TouchedMachine(machine=machine.id, host=machine.host, validity=validity, why=why))
    findings = check_plan(plan, inputs.estate, inputs.observation)
    return Staleness(
        moved=tuple(moved),
        touched=tuple(judged),
        missing=tuple(sorted(set(drafts) - planned)),
        untouched=len(plan.machines) - len(judged),
        critical=tuple(finding for finding in findings if finding.severity is Severity.CRITICAL),
    )


def _judge(machine: PlannedMachine, draft: Draft | None) -> tuple[Validity, str]:
    if draft is None:
        return Validity.UNWANTED, "the inventory does not ask for it"
    pairs = {
        "size": (machine.size, draft.size),
        "method": (machine.method, draft.method),
        "image": (machine.image, draft.image),
        "source": (machine.source, draft.source),
        "network": (machine.nics[0].network if machine.nics else "", draft.network),
        "address": (machine.nics[0].address if machine.nics and draft.address else "", draft.address),
        "MAC": (machine.nics[0].mac if machine.nics and draft.mac else "", draft.mac),
        "system": (machine.system, draft.system),
        "grade": (machine.confidentiality, draft.confidentiality),
        "tier": (machine.tier, draft.tier.id),
        "replica group": (machine.replica_group, draft.replica_group),
        "roles": (machine.roles, draft.roles),
        "services": (machine.services, draft.services),
        "variables": (machine.variables, draft.variables),
    }
    different = [name for name, (planned, asked) in pairs.items() if planned != asked]
    return (Validity.CHANGED, f"another {', '.join(different)} is asked for") if different else (Validity.VALID, "")
