"""`kasumi plan`: decide size, host, address and order of every machine, and write it down."""

import os
import tempfile
from pathlib import Path

import typer

from controlplane.cli.diagnosis import diagnosis
from controlplane.cli.gathering import OFFLINE_OPTION, gather
from controlplane.cli.named_plan import named_plan
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import say
from controlplane.cli.plan_view import counts, show_plan
from controlplane.cli.session import Session
from controlplane.errors import ExitCode, KasumiError
from controlplane.model.document import digest, plan_to_json
from controlplane.model.finding import Severity
from controlplane.planning.checks import check_plan
from controlplane.planning.difference import diff_plans
from controlplane.planning.infeasible import InfeasiblePlan
from controlplane.planning.rebase import rebased

STDOUT = Path("-")


def plan(
    out: Path = typer.Option(..., "--out", "-o", metavar="FILE", help="Where to write the plan; `-` writes it to stdout."),
    rebase: str = typer.Option(
        "", "--rebase", metavar="PLAN", help="Change this plan as little as needed: what is still valid stays as it is."
    ),
    offline: bool = OFFLINE_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Look at all hosts, decide everything, check it, and write the plan to a file. Changes nothing on any host.

    Exit codes: 0 written, 1 there is no plan or a check forbids it (no file is written).
    """
    session = Session(home=home, inventory=inventory)
    inputs = gather(session, offline=offline)
    old = named_plan(rebase, session) if rebase else None
    try:
        made = rebased(old, inputs) if old is not None else inputs.plan()
    except InfeasiblePlan as infeasible:
        raise KasumiError(diagnosis(infeasible, inputs)) from None
    findings = check_plan(made, inputs.estate, inputs.observation)
    critical = [finding for finding in findings if finding.severity is Severity.CRITICAL]
    for finding in findings:
        say(f"{finding.severity.value}: {finding}")
    if critical:
        raise KasumiError(f"the plan was made but does not pass its check ({len(critical)} critical); no file was written")
    difference = diff_plans(old if old is not None else inputs.parent, made)
    if old is not None:
        say(f"rebased {digest(old)[:12]}: marks are against it")
    if out == STDOUT:
        typer.echo(plan_to_json(made), nl=False)
        say(counts(made, difference))
        return ExitCode.DONE
    write_whole(out, plan_to_json(made))
    show_plan(made, difference)
    next_move = "made offline, so it cannot be applied" if offline else f"`kasumi apply {out}` carries it out"
    say(f"written to {out}; {next_move}")
    return ExitCode.DONE


def write_whole(file: Path, text: str) -> None:
    """Write a file so that it is either the old one or the whole new one, even after a crash. Raises KasumiError."""
    try:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, prefix=f".{file.name}.", delete=False) as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(stream.name).replace(file)
    except OSError as error:
        raise KasumiError(f"{file}: {error.strerror}; choose another file with -o") from None
