"""`kasumi apply`: carry out a saved plan."""

import time
from pathlib import Path

import typer

from controlplane.cli.attempt_view import outcome_record, sentence, show_attempt
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import DOCUMENT_OPTION, Format, emit_document, say
from controlplane.cli.progress import StepProgress
from controlplane.cli.session import Session
from controlplane.errors import KasumiError
from controlplane.execution.apply import apply_plan
from controlplane.execution.converge import Permissions
from controlplane.model.document import digest, plan_from_json
from controlplane.model.plan import Plan


def read_plan(file: Path) -> Plan:
    """The plan in a file. Raises KasumiError naming the file when it is missing, malformed or was edited."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise KasumiError(f"{file}: {why}; make a plan with `kasumi plan -o FILE`") from None
    return plan_from_json(text, str(file))


def apply(
    plan_file: Path = typer.Argument(..., metavar="PLAN", help="A file written by `kasumi plan`."),
    yes: bool = typer.Option(False, "--yes", help="Also remove machines that left the plan, with the disks made for them."),
    per_host: int = typer.Option(
        Permissions().machines_per_host, "--per-host", min=1, max=64, help="Machines at once on one host."
    ),
    output: Format = DOCUMENT_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Make the hosts as the plan says. Run it again after any interruption; what is done is left alone.

    Exit codes: 0 done or nothing to do, 1 failed, 3 partly failed, 4 a host was not reached, 5 refused (stale plan,
    removal without --yes, a foreign object in the way), 75 another controller is at work.
    """
    session = Session(home=home, inventory=inventory)
    plan = read_plan(plan_file)
    if plan.estate != session.estate.id:
        raise KasumiError(
            f"{plan_file} is for estate {plan.estate}, the inventory is of {session.estate.id}; name the right --inventory"
        )
    say(f"plan {digest(plan)[:12]} for estate {plan.estate}: {len(plan.machines)} machines on {len(plan.hosts)} hosts")
    began = time.monotonic()
    with StepProgress("apply") as watch:
        attempt = apply_plan(
            plan,
            session.estate,
            session.store,
            actor=session.actor,
            watch=watch,
            permissions=Permissions(remove=yes, machines_per_host=per_host),
        )
    seconds = time.monotonic() - began
    if output is Format.TABLE:
        show_attempt(attempt, verb="apply", machines=len(plan.machines), seconds=seconds)
    else:
        emit_document({"plan": digest(plan), "outcomes": [outcome_record(o) for o in attempt.convergence.outcomes]}, output)
        say(sentence(attempt, verb="apply", machines=len(plan.machines), seconds=seconds))
    return int(attempt.exit_code)
