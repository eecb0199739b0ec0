"""`kasumi reconcile`: find and repair drift from the accepted plan."""

import time
from collections.abc import Mapping

import typer

from controlplane.cli.attempt_view import DRIFT_COLUMNS, drift_record, outcome_record, sentence, show_attempt
from controlplane.cli.lease_view import lease_records, say_leases
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import FORMAT_OPTION, Format, emit, emit_document, one_document, say
from controlplane.cli.progress import StepProgress
from controlplane.cli.session import Session
from controlplane.errors import ExitCode, KasumiError
from controlplane.execution.converge import Permissions
from controlplane.execution.reconcile import Look, accepted, look
from controlplane.execution.reconcile import reconcile as reconcile_once
from controlplane.model.lease import Lease
from controlplane.planning.leases import planned_leases


def reconcile(
    once: bool = typer.Option(False, "--once", help="Look and repair once, then end (timers call this)."),
    check: bool = typer.Option(False, "--check", help="Only look and report; change nothing on any host."),
    detailed_exitcode: bool = typer.Option(False, "--detailed-exitcode", help="With --check: exit 2 when differences exist."),
    output: Format = FORMAT_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Hold the hosts against the accepted plan and repair what differs; foreign machines are counted and left alone.

    Exit codes: 0 nothing left to do, 1 failed, 2 differences (--check --detailed-exitcode), 3 partly failed, 4 a host
    was not reached, 5 something foreign stands in the way, 75 another controller is at work.
    """
    if not check:
        one_document(output)
    session = Session(home=home, inventory=inventory)
    plan = accepted(session.store, session.estate.id)
    leases = planned_leases(plan)
    say_leases(leases)
    if check:
        return _report(look(session.store, session.estate.id), leases, output, detailed_exitcode)
    if not once:
        raise KasumiError("reconcile: say --once to repair now or --check to look only", ExitCode.USAGE)
    began = time.monotonic()
    with StepProgress("reconcile") as watch:
        attempt = reconcile_once(session.store, session.estate.id, actor=session.actor, watch=watch, permissions=Permissions())
    seconds = time.monotonic() - began
    if output is Format.TABLE:
        show_attempt(attempt, verb="reconcile", machines=len(plan.machines), seconds=seconds)
    else:
        outcomes = [outcome_record(outcome) for outcome in attempt.convergence.outcomes]
        emit_document({"outcomes": outcomes, "leases": lease_records(leases)}, output)
        say(sentence(attempt, verb="reconcile", machines=len(plan.machines), seconds=seconds))
    return int(attempt.exit_code)


def _report(found: Look, leases: Mapping[str, Lease], output: Format, detailed_exitcode: bool) -> int:
    records = [drift_record(drift) for drift in found.drift]
    if output in {Format.JSON, Format.YAML}:
        emit_document({"drift": records, "leases": lease_records(leases)}, output)
    elif records or output is Format.CSV:
        emit("drift", records, DRIFT_COLUMNS, output)
    unreachable = [host for host in found.observation.hosts.values() if not host.reachable]
    for host in unreachable:
        say(f"host {host.host} not reached: {host.error}")
    reached = len(found.observation.hosts) - len(unreachable)
    say(
        f"check: {len(records)} differences; {len(found.plan.machines)} machines planned, "
        f"{reached} of {len(found.observation.hosts)} hosts reached, {found.foreign} foreign machines left alone"
    )
    if unreachable:
        return ExitCode.UNREACHABLE
    return ExitCode.DIFFERENCES if records and detailed_exitcode else ExitCode.DONE
