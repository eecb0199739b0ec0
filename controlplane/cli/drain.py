"""`kasumi drain`: what it takes to empty a host for maintenance; a hypervisor inside a cloud is really emptied."""

import typer

from controlplane.cli.confirming import go_on
from controlplane.cli.diagnosis import diagnosis
from controlplane.cli.gathering import gather
from controlplane.cli.moves_view import show_moves
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import print_table, say
from controlplane.cli.session import Session
from controlplane.errors import ExitCode, KasumiError, UnreachableError
from controlplane.execution.drain import Draining, look_at_hypervisor
from controlplane.execution.drain import drain as empty
from controlplane.execution.observe import declared_host
from controlplane.execution.reconcile import accepted
from controlplane.model.rebalance import RebalancePolicy
from controlplane.planning.draining import drain_of
from controlplane.planning.infeasible import InfeasiblePlan

_DEFAULTS = RebalancePolicy()
_COLUMNS = ("MACHINE", "SERVER", "STATE", "HOW")


def drain(
    host: str = typer.Argument(..., metavar="HOST", help="Id of a host of the inventory."),
    hypervisor: str = typer.Option(
        "", "--hypervisor", metavar="NAME", help="Of a cloud, this one; our machines are moved off it (administrator's rights)."
    ),
    yes: bool = typer.Option(False, "--yes", help="With --hypervisor: do what is shown without asking."),
    out: OptionalPath = typer.Option(
        None, "--out", "-o", metavar="FILE", help="Without --hypervisor: write the moves to a file; `-` writes to stdout."
    ),
    moves_per_window: int = typer.Option(_DEFAULTS.moves_per_window, min=1, help="Moves carried out in one change window."),
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Say which machines must leave a host, where they could go and in which order, every rule kept at each step. Moves nothing.

    With --hypervisor, for one inside a cloud: show our machines there, ask, and have the cloud move them within their zone: live,
    cold where they are stopped, evacuated where the hypervisor is down. Machines of others stay.
    Exit codes: 0 it can be, or is, empty of ours; 1 failed; 3 some machines stay; 4 the cloud was not reached; 5 refused.
    """
    session = Session(home=home, inventory=inventory)
    if hypervisor:
        return _drain_hypervisor(session, host, hypervisor, yes=yes)
    inputs = gather(session, offline=False)
    declared_host(inputs.estate, host, verb="drain")
    seen = inputs.observation.hosts[host]
    if not seen.reachable:
        raise UnreachableError(
            f"host {host} not reached: {seen.error}; nothing can leave it now; `kasumi what-if --lose-host {host}` says what would fit "
            "elsewhere"
        )
    try:
        plan = inputs.plan()
    except InfeasiblePlan as infeasible:
        raise KasumiError(diagnosis(infeasible, inputs)) from None
    found = drain_of(inputs, plan, host, moves_per_window=moves_per_window)
    show_moves(found.moves, plan, found.closed, out)
    for machine in found.stay:
        say(f"{machine}: no other host takes it; `kasumi explain {machine}` says why each refuses")
    say(
        f"drain {host}: {found.machines - len(found.stay)} of {found.machines} machines can leave it; nothing was moved, and no verb "
        f"moves a machine between hosts: shut it down and move it by hand, and set `maintenance: true` on {host} so that nothing new comes"
    )
    return ExitCode.PARTLY_FAILED if found.stay else ExitCode.DONE


def _drain_hypervisor(session: Session, host: str, name: str, *, yes: bool) -> int:
    plan = accepted(session.store, session.estate.id)
    ready = look_at_hypervisor(plan, session.store, host, name)
    _show(ready)
    wanted = [leaving for leaving in ready.leaving if leaving.how]
    if not wanted:
        say(f"drain {name}: {len(ready.leaving)} machines of ours there, none to move; {ready.foreign} servers of others stay")
        return ExitCode.PARTLY_FAILED if ready.leaving else ExitCode.DONE
    say(f"{len(wanted)} machines would leave {name}, within their zone; {ready.foreign} servers of others stay")
    if not yes:
        go_on("changed")
    moved, left = empty(ready, plan, session.store, actor=session.actor, say=say)
    gone = sum(1 for each in moved if each.to)
    say(f"drain {name}: {gone} moved, {len(left)} of ours left there, {ready.foreign} servers of others left alone")
    if not left:
        return ExitCode.DONE
    return ExitCode.PARTLY_FAILED if gone else ExitCode.FAILED


def _show(ready: Draining) -> None:
    if ready.leaving:
        rows = [(each.ref.machine, each.ref.native_id, each.state.value, each.how or "stays") for each in ready.leaving]
        print_table(_COLUMNS, rows)
    for each in ready.leaving:
        if each.why:
            say(f"{each.ref.machine}: stays: {each.why}")
