"""`kasumi migrate`: move a machine with its disk from its old host, step by step, with a way back."""

from collections.abc import Callable

import typer

from controlplane.cli.confirming import go_on
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import FORMAT_OPTION, Format, emit, say
from controlplane.cli.session import Session
from controlplane.errors import ExitCode, RefusedError
from controlplane.execution import migrate as stage
from controlplane.execution.reconcile import accepted
from controlplane.model.document import to_data
from controlplane.model.migration import Migration, Phase
from controlplane.model.plan import Method

app = typer.Typer(no_args_is_help=True, help="Move a machine with its disk from its old host; revertible until finalize.")

MACHINE_ARGUMENT = typer.Argument(..., metavar="MACHINE", help="A machine of the accepted plan that comes by migration.")
YES_OPTION = typer.Option(False, "--yes", help="Go on without asking.")
COLUMNS = ("machine", "phase", "copied_bytes", "source_sha256", "target_sha256", "updated_at", "problem")


@app.command()
def start(
    machine: str = MACHINE_ARGUMENT,
    yes: bool = YES_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Shut the source down, copy its disk, prove the copy, ready the target. The outage begins here. Resumes when repeated."""
    session = Session(home=home, inventory=inventory)
    record = session.store.migration(session.estate.id, machine)
    if record is None or record.phase is Phase.ROLLED_BACK:
        _, origin, target = stage.planned_move(accepted(session.store, session.estate.id), machine)
        _confirm(f"{machine}: {origin.domain} on {origin.uri} is shut down now and its disk is copied to {target.id}", yes)
    return _act(session, machine, stage.start, f"`kasumi migrate cutover {machine}` boots the target")


@app.command()
def cutover(machine: str = MACHINE_ARGUMENT, home: OptionalPath = HOME_OPTION, inventory: OptionalPath = INVENTORY_OPTION) -> int:
    """Boot the target from the proven copy and wait until its services answer."""
    session = Session(home=home, inventory=inventory)
    return _act(session, machine, stage.cutover, f"`kasumi migrate finalize {machine}` closes the way back, `rollback` takes it")


@app.command()
def rollback(
    machine: str = MACHINE_ARGUMENT,
    yes: bool = YES_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Stop the target and start the source again. What the target wrote since cutover stays on the target only."""
    session = Session(home=home, inventory=inventory)
    record = session.store.migration(session.estate.id, machine)
    if record is not None and record.cut_over_at is not None:
        _confirm(
            f"{machine}: the source does not have what was written on the target since {record.cut_over_at:%Y-%m-%d %H:%M:%S%z}",
            yes,
        )
    return _act(session, machine, stage.rollback, "the source runs again")


@app.command()
def finalize(
    machine: str = MACHINE_ARGUMENT,
    yes: bool = YES_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Close the way back. The source stays on its old host, stopped and untouched."""
    session = Session(home=home, inventory=inventory)
    _confirm(f"{machine}: after this there is no rollback", yes)
    return _act(session, machine, stage.finalize, "the source is left stopped and untouched")


@app.command()
def status(
    machine: str | None = typer.Argument(None, metavar="MACHINE", help="One machine; all when left out."),
    output: Format = FORMAT_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Show the phase of each migration, and why one stands still."""
    session = Session(home=home, inventory=inventory)
    records = {record.machine: to_data(record) for record in session.store.migrations(session.estate.id)}
    for planned in accepted(session.store, session.estate.id).machines:
        if planned.method is Method.COLD and planned.id not in records:
            records[planned.id] = {"machine": planned.id, "phase": "not started"}
    shown = [record for _, record in sorted(records.items()) if machine in {None, record["machine"]}]
    if machine is not None and not shown:
        raise RefusedError(f"machine {machine}: no migration on record and none planned")
    emit("migrations", shown, COLUMNS, output)
    return ExitCode.DONE


def _act(session: Session, machine: str, act: Callable[[stage.Move], Migration], then: str) -> int:
    plan = accepted(session.store, session.estate.id)
    copies = session.settings.home / "copies"
    record = stage.with_move(plan, machine, session.store, actor=session.actor, copies=copies, say=say, act=act)
    say(f"{machine}: {record.phase.value}; {then}")
    return ExitCode.DONE


def _confirm(what: str, yes: bool) -> None:
    say(what)
    if not yes:
        go_on("touched")
