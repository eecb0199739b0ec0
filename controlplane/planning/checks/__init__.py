"""Checks a finished plan against estate and observation, sharing only the model with what built it.

It is written from the rules in `docs/planning.md`, not from the planner's code: an error in one shows up in the other.
Critical findings block; a finding about machines that stand so already, which planning does not move, is a warning.
"""

from controlplane.model.estate import Estate
from controlplane.model.finding import Finding, Severity
from controlplane.model.observed import Observation
from controlplane.model.plan import Plan
from controlplane.planning.checks.company import company_findings
from controlplane.planning.checks.document import document_findings
from controlplane.planning.checks.findings import critical
from controlplane.planning.checks.hosts import host_findings
from controlplane.planning.checks.licences import licence_findings
from controlplane.planning.checks.losses import loss_findings
from controlplane.planning.checks.room import room_findings
from controlplane.planning.checks.world import World, as_machine, reservation_of


def check_plan(plan: Plan, estate: Estate, observation: Observation) -> tuple[Finding, ...]:
    """Every finding, critical ones first. A plan with a critical finding must not be written or applied."""
    if plan.estate != estate.id:
        return (critical("plan", f"is for estate {plan.estate}, the inventory is of {estate.id}", "plan again"),)
    held = [as_machine(each, estate) for each in plan.reservations if reservation_of(each, estate) is not None]
    known = [each for each in (*plan.machines, *held) if each.host in estate.hosts and each.system in estate.systems]
    world = World(plan, estate, observation, known)
    findings = [
        *document_findings(plan, estate),
        *host_findings(world),
        *room_findings(world),
        *company_findings(world),
        *licence_findings(world),
        *loss_findings(world),
    ]
    return tuple(sorted(findings, key=lambda finding: (finding.severity is not Severity.CRITICAL, finding.where, finding.what)))
