"""`kasumi rebalance`: which machines would stand better elsewhere, in which order they could go, and why. Moves nothing."""

from datetime import UTC, datetime, timedelta

import typer

from controlplane.cli.diagnosis import diagnosis
from controlplane.cli.gathering import OFFLINE_OPTION, gather
from controlplane.cli.moves_view import show_moves
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import say
from controlplane.cli.session import Session
from controlplane.errors import ExitCode, KasumiError
from controlplane.execution.recent import recently_placed
from controlplane.model.rebalance import Rebalance, RebalancePolicy
from controlplane.planning.infeasible import InfeasiblePlan
from controlplane.planning.rebalance import rebalance as rebalanced

_DEFAULTS = RebalancePolicy()
_HOLD_HOURS = 168.0
"""A week: the load of a working week is seen before a machine moves again."""


def rebalance(
    out: OptionalPath = typer.Option(
        None, "--out", "-o", metavar="FILE", help="Write the moves to a file; `-` writes to stdout."
    ),
    least_gain: float = typer.Option(
        _DEFAULTS.least_gain, min=0.01, max=1.0, help="By how much, as a share, the fuller of two hosts must become less full."
    ),
    fill_up_to: float = typer.Option(
        _DEFAULTS.fill_up_to, min=0.0, max=1.0, help="How full, as a share, a host may become so that another can be emptied."
    ),
    empty_hosts: bool = typer.Option(_DEFAULTS.empty_hosts, help="Empty hosts whose machines fit on others."),
    moves_per_window: int = typer.Option(_DEFAULTS.moves_per_window, min=1, help="Moves carried out in one change window."),
    hold_hours: float = typer.Option(_HOLD_HOURS, min=0.0, help="A machine that came to its host later than so long ago stays."),
    offline: bool = OFFLINE_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Propose the fewest moves from today's state to a better one: rules kept, hosts emptied, load evened. Changes nothing.

    Each state between two moves keeps every rule. No verb carries the moves out between shared hosts yet.
    Exit codes: 0 proposed, or nothing to propose; 1 there is no plan to start from, or a check forbids a state.
    """
    session = Session(home=home, inventory=inventory)
    inputs = gather(session, offline=offline)
    policy = RebalancePolicy(
        least_gain=least_gain, fill_up_to=fill_up_to, empty_hosts=empty_hosts, moves_per_window=moves_per_window
    )
    try:
        plan = inputs.plan()
    except InfeasiblePlan as infeasible:
        raise KasumiError(diagnosis(infeasible, inputs)) from None
    held = recently_placed(session.store, inputs.estate.id, datetime.now(UTC) - timedelta(hours=hold_hours))
    found = rebalanced(inputs, plan, policy, held)
    show_moves(found, plan, inputs, out)
    _tell(found)
    return ExitCode.DONE


def _tell(found: Rebalance) -> None:
    if found.held:
        say(f"{len(found.held)} machines came to their host within the hold time, or are being migrated, and stay")
    if not found.moves:
        say("nothing to move: no step is worth it under this policy")
        return
    fullest = [
        max((getattr(host, when) for host in found.hosts if host.machines_before), default=0.0) for when in ("before", "after")
    ]
    disk_gib = sum(move.disk_gib for move in found.moves)
    say(
        f"{len(found.moves)} moves in {found.moves[-1].window} windows, {disk_gib} GiB of disk; hosts in use {found.hosts_before} to "
        f"{found.hosts_after}; fullest host {fullest[0]:.0%} to {fullest[1]:.0%}"
    )
    say("no verb carries these moves out between shared hosts yet: this is a proposal, and `kasumi apply` refuses the file")
