"""`kasumi show` and `kasumi diff`: read plans."""

from pathlib import Path

import typer

from controlplane.cli.apply import read_plan
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import FORMAT_OPTION, Format, emit_document
from controlplane.cli.plan_view import show_difference, show_plan
from controlplane.cli.session import Session
from controlplane.errors import ExitCode, KasumiError
from controlplane.model.document import digest, to_data
from controlplane.model.plan import Plan
from controlplane.planning.difference import diff_plans

ACCEPTED = "accepted"


def show(
    plan_file: str = typer.Argument(..., metavar="PLAN", help="A plan file, or the word `accepted`."),
    output: Format = FORMAT_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Show every decision of a plan with its reasons."""
    session = Session(home=home, inventory=inventory)
    plan = _plan(session, plan_file)
    if output in {Format.TABLE, Format.CSV}:
        show_plan(plan, session.store.plan(plan.estate, plan.parent) if _has_parent(session, plan) else None)
    else:
        emit_document({"digest": digest(plan), "plan": to_data(plan)}, output)
    return ExitCode.DONE


def diff(
    before: str = typer.Argument(..., metavar="A", help="A plan file, or the word `accepted`."),
    after: str = typer.Argument(..., metavar="B", help="A plan file, or the word `accepted`."),
    output: Format = FORMAT_OPTION,
    detailed_exitcode: bool = typer.Option(False, "--detailed-exitcode", help="Exit 2 when machines differ."),
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Show what changes from plan A to plan B: + added, ~ changed, -> moved, - removed."""
    session = Session(home=home, inventory=inventory)
    old, new = _plan(session, before), _plan(session, after)
    changes = diff_plans(old, new)
    if output in {Format.TABLE, Format.CSV}:
        show_difference(old, new, changes)
    else:
        emit_document({"before": digest(old), "after": digest(new), "changes": to_data(list(changes))}, output)
    return ExitCode.DIFFERENCES if changes and detailed_exitcode else ExitCode.DONE


def _plan(session: Session, name: str) -> Plan:
    if name != ACCEPTED:
        return read_plan(Path(name))
    plan = session.store.accepted_plan(session.estate.id)
    if plan is None:
        raise KasumiError(f"estate {session.estate.id}: no plan was accepted yet; name a file, or apply one first")
    return plan


def _has_parent(session: Session, plan: Plan) -> bool:
    if not plan.parent:
        return False
    try:
        session.store.plan(plan.estate, plan.parent)
    except KasumiError:
        return False
    return True
