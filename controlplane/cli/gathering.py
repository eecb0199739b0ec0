"""Gathers what the planner is given: the inventory, the accepted plan, images, keys, and a look at all hosts or none."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import typer

from controlplane.cli.output import say
from controlplane.cli.session import Session
from controlplane.errors import KasumiError
from controlplane.execution.inputs import authorized_keys, believed_images, planned_images
from controlplane.execution.observe import observe_hosts, targets_of_estate
from controlplane.model.plan import Plan
from controlplane.planning.assessed import as_assessed
from controlplane.planning.believed import believed_observation
from controlplane.planning.facts import believed_hosts
from controlplane.planning.inputs import PlanInputs
from controlplane.planning.reserving import holding_on

OFFLINE_OPTION: Any = typer.Option(
    False, "--offline", help="Look at no host: believe declared capacities, and say so. Such a plan cannot be applied."
)


def gather(session: Session, *, offline: bool) -> PlanInputs:
    """The planner's inputs. Offline reaches no host and needs no image file and no key file."""
    estate, expired = holding_on(session.estate, datetime.now(UTC).date())
    for each in expired:
        say(f"reservation {each.id} of system {each.system} ended on {each.until}: no room is held; remove it or set a later day")
    parent = session.store.accepted_plan(estate.id)
    if offline:
        return PlanInputs(
            estate=estate,
            observation=believed_observation(estate, parent),
            parent=parent,
            images=believed_images(estate),
            authorized_keys=(),
        )
    return PlanInputs(
        estate=estate,
        parent=parent,
        images=planned_images(estate),
        authorized_keys=authorized_keys(estate),
        observation=observe_hosts(targets_of_estate(estate)),
    )


def gather_for(plan: Plan, name: str, session: Session, *, offline: bool) -> PlanInputs:
    """The inputs to hold a plan against; a plan made offline is held against what is declared. Raises KasumiError."""
    if plan.estate != session.estate.id:
        raise KasumiError(
            f"{name} is for estate {plan.estate}, the inventory is of {session.estate.id}; name the right --inventory"
        )
    if believed_hosts(plan) and not offline:
        say("the plan was made offline: hosts are believed as declared")
    inputs = gather(session, offline=offline or bool(believed_hosts(plan)))
    return replace(inputs, estate=as_assessed(inputs.estate, plan.inputs))
