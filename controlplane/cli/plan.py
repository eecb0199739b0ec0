"""`kasumi plan`: decide size, host, address and order of every machine, and write it down."""

import os
import secrets
import stat
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import typer

from controlplane.assessment.truth import in_the_way
from controlplane.cli.diagnosis import diagnosis
from controlplane.cli.gathering import OFFLINE_OPTION, gather
from controlplane.cli.kept_assessment import read_assessment
from controlplane.cli.lease_view import say_leases
from controlplane.cli.named_plan import named_plan
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import say
from controlplane.cli.plan_view import counts, show_plan
from controlplane.cli.session import Session
from controlplane.errors import ExitCode, KasumiError, RefusedError
from controlplane.execution.assessing import truths
from controlplane.model.document import digest, plan_to_json
from controlplane.model.estate import Estate
from controlplane.model.finding import Finding, Severity
from controlplane.model.plan import Facts, Plan
from controlplane.planning.assessed import as_assessed, assessment_findings, assessment_inputs, inputs_now, rested_on
from controlplane.planning.checks import check_plan
from controlplane.planning.difference import diff_plans
from controlplane.planning.footprint import footprints
from controlplane.planning.infeasible import InfeasiblePlan
from controlplane.planning.leases import planned_leases
from controlplane.planning.rebase import rebased

STDOUT = Path("-")
_SHOWN_FINDINGS = 20


def plan(
    out: Path = typer.Option(..., "--out", "-o", metavar="FILE", help="Where to write the plan; `-` writes it to stdout."),
    rebase: str = typer.Option(
        "", "--rebase", metavar="PLAN", help="Change this plan as little as needed: what is still valid stays as it is."
    ),
    assessment: OptionalPath = typer.Option(
        None, "--assessment", metavar="FILE", help="Plan with the sizes and dispositions of an assessment.", dir_okay=False
    ),
    offline: bool = OFFLINE_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Look at all hosts, decide everything, check it, and write the plan to a file. Changes nothing on any host.

    Exit codes: 0 written, 1 there is no plan or a check forbids it (no file is written), 5 facts contradict each other, or the
    assessment is of another inventory or has blockers.
    """
    session = Session(home=home, inventory=inventory)
    inputs = gather(session, offline=offline)
    old = named_plan(rebase, session) if rebase else None
    taken = _taken(assessment, old, session)
    inputs = replace(inputs, estate=as_assessed(inputs.estate, taken))
    _refuse_doubtful(session, inputs.estate)
    try:
        made = rested_on(rebased(old, inputs) if old is not None else inputs.plan(), taken)
    except InfeasiblePlan as infeasible:
        raise KasumiError(diagnosis(infeasible, inputs)) from None
    findings = check_plan(made, inputs.estate, inputs.observation)
    critical = [finding for finding in findings if finding.severity is Severity.CRITICAL]
    for finding in findings:
        say(f"{finding.severity.value}: {finding}")
    if critical:
        raise KasumiError(f"the plan was made but does not pass its check ({len(critical)} critical); no file was written")
    say_leases(planned_leases(made))
    difference = diff_plans(old if old is not None else inputs.parent, made)
    if old is not None:
        say(f"rebased {digest(old)[:12]}: marks are against it")
    if out == STDOUT:
        typer.echo(plan_to_json(made), nl=False)
        say(counts(made, difference))
        return ExitCode.DONE
    write_whole(out, plan_to_json(made))
    show_plan(made, difference, footprints(made, inputs.estate))
    next_move = "made offline, so it cannot be applied" if offline else f"`kasumi apply {out}` carries it out"
    say(f"written to {out}; {next_move}")
    return ExitCode.DONE


def _taken(file: Path | None, old: Plan | None, session: Session) -> dict[str, Facts]:
    """What the plan takes from an assessment, or a rebased one took already; else nothing. Raises RefusedError."""
    if file is None:
        return inputs_now(session.estate, old.inputs) if old is not None else {}
    assessment = read_assessment(file)
    _refuse(assessment_findings(assessment, session.estate), f"{file} cannot be planned on")
    return assessment_inputs(assessment, session.estate)


def _refuse_doubtful(session: Session, estate: Estate) -> None:
    """No plan on facts that contradict each other, for the servers of which machines are made. Raises RefusedError."""
    found = in_the_way(truths(estate, session.store, as_of=datetime.now(UTC).date()), estate)
    _refuse(found, "there is no plan on contradicted facts")


def _refuse(findings: Sequence[Finding], what: str) -> None:
    if findings:
        shown = [f"  {finding}" for finding in findings[:_SHOWN_FINDINGS]]
        more = [f"  and {len(findings) - _SHOWN_FINDINGS} more"] if len(findings) > _SHOWN_FINDINGS else []
        raise RefusedError("\n".join((f"{what} ({len(findings)} critical); no file was written", *shown, *more)))


def write_whole(file: Path, text: str) -> None:
    """Write a file so that it is either the old one or the whole new one, even after a crash. Raises KasumiError.

    A link stays a link, and what is no file, such as a device or a pipe, is written to and never replaced.
    """
    try:
        if file.exists() and not file.is_file():
            file.write_text(text, encoding="utf-8")
        else:
            _replace(file.resolve(), text)
    except (OSError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else "its links form a ring"
        raise KasumiError(f"{file}: {why}; choose another file with -o") from None


def _replace(target: Path, text: str) -> None:
    """A new file has the mode that the person's umask says, for no secret is in it; one that is replaced keeps its own."""
    fresh = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    with fresh.open("x", encoding="utf-8") as stream:
        try:
            if target.exists():
                os.fchmod(stream.fileno(), stat.S_IMODE(target.stat().st_mode))
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
            fresh.replace(target)
        except OSError:
            fresh.unlink()
            raise
