"""A plan by the name a person gives it: a file, or the word `accepted`."""

from pathlib import Path

from controlplane.cli.apply import read_plan
from controlplane.cli.output import say
from controlplane.cli.session import Session
from controlplane.errors import KasumiError
from controlplane.execution.reconcile import accepted
from controlplane.model.plan import Plan
from controlplane.planning.difference import PlanDifference, diff_plans

ACCEPTED = "accepted"


def named_plan(name: str, session: Session) -> Plan:
    """The plan in a file, or the accepted one of the inventory's estate. Raises KasumiError naming what is missing."""
    return accepted(session.store, session.estate.id) if name == ACCEPTED else read_plan(Path(name))


def against_parent(plan: Plan, session: Session) -> PlanDifference | None:
    """What a plan changes against the plan it was built on; None when this controller does not know that one."""
    if not plan.parent:
        return diff_plans(None, plan)
    try:
        parent = session.store.plan(plan.estate, plan.parent)
    except KasumiError as error:
        say(f"no marks: the plan it was built on is not known here ({error})")
        return None
    return diff_plans(parent, plan)
