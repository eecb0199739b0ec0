"""`kasumi plan`: decide size, host and address of every machine and write it down."""

import os
from pathlib import Path

import typer

from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import say
from controlplane.cli.plan_view import show_plan
from controlplane.cli.session import Session
from controlplane.errors import ExitCode, KasumiError
from controlplane.execution.inputs import authorized_keys, planned_images
from controlplane.execution.observe import observe_hosts, targets_of_estate
from controlplane.model.document import digest, plan_to_json
from controlplane.model.finding import Severity
from controlplane.planning.build import build_plan
from controlplane.planning.checks import check_plan


def plan(
    out: Path = typer.Option(..., "--out", "-o", help="File to write, or - for standard output.", dir_okay=False),
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Look at the inventory and the hosts, decide, check the decision independently, and write the plan.

    Changes nothing on any host. Exit 1 and no file when a machine fits nowhere or a check finds a fault.
    """
    session = Session(home=home, inventory=inventory)
    estate = session.estate
    images, keys = planned_images(estate), authorized_keys(estate)
    observation = observe_hosts(targets_of_estate(estate))
    parent = session.store.accepted_plan(estate.id)
    decided = build_plan(estate, observation, parent, images=images, authorized_keys=keys)
    findings = check_plan(decided, estate, observation)
    for finding in findings:
        say(f"{finding.severity.value}: {finding}")
    if any(finding.severity is Severity.CRITICAL for finding in findings):
        raise KasumiError("the plan did not pass its check; no file was written")
    if parent is not None and digest(parent) != digest(decided) and parent.machines == decided.machines:
        say("only facts differ from the accepted plan, no machine does")
    text = plan_to_json(decided)
    if str(out) == "-":
        typer.echo(text, nl=False)
        return ExitCode.DONE
    _write(out, text)
    show_plan(decided, parent)
    say(f"written to {out}; look at it, then `kasumi apply {out}`")
    return ExitCode.DONE


def _write(out: Path, text: str) -> None:
    """All of the file or none of it."""
    part = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(out)
    except OSError as error:
        raise KasumiError(f"{out}: {error.strerror}; choose another place with -o") from None
