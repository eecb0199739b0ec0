"""`kasumi report plan`: a plan as a page for people who decide."""

from pathlib import Path

import typer

from controlplane.cli.gathering import OFFLINE_OPTION, gather_for
from controlplane.cli.named_plan import named_plan
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import say
from controlplane.cli.plan import STDOUT, write_whole
from controlplane.cli.scheduling import (
    BANDWIDTH_OPTION,
    COHORTS_OPTION,
    FILL_OPTION,
    FREEZE_OPTION,
    HOST_SLOTS_OPTION,
    NO_FREEZES_OPTION,
    OVERHEAD_OPTION,
    PROBABILITY_OPTION,
    SLOTS_OPTION,
    SPREAD_OPTION,
    UNTIL_OPTION,
    WINDOW_OPTION,
    wave_policy,
)
from controlplane.cli.session import Session
from controlplane.errors import ExitCode
from controlplane.planning.checks import check_plan
from controlplane.planning.waves import scheduled
from controlplane.reporting.plan_page import plan_page


def plan(
    plan: str = typer.Argument(..., metavar="PLAN", help="A file written by `kasumi plan`, or the word `accepted`."),
    out: Path = typer.Option(..., "--out", "-o", metavar="FILE", help="Where to write the page; `-` writes it to stdout."),
    first: str = typer.Option(
        "", "--from", metavar="DATE", help="First day of the waves, as 2026-12-01; without it there are none."
    ),
    until: str = UNTIL_OPTION,
    bandwidth: float | None = BANDWIDTH_OPTION,
    overhead: float = OVERHEAD_OPTION,
    spread: float | None = SPREAD_OPTION,
    slots: int = SLOTS_OPTION,
    slots_per_host: int = HOST_SLOTS_OPTION,
    probability: float = PROBABILITY_OPTION,
    fill: int = FILL_OPTION,
    freeze: list[str] = FREEZE_OPTION,
    no_standing_freezes: bool = NO_FREEZES_OPTION,
    default_window: list[str] = WINDOW_OPTION,
    cohorts: OptionalPath = COHORTS_OPTION,
    offline: bool = OFFLINE_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Write a plan as one self-contained page: hosts and ministries before and after, savings, waves, open findings."""
    session = Session(home=home, inventory=inventory)
    shown = named_plan(plan, session)
    inputs = gather_for(shown, plan, session, offline=offline)
    schedule = None
    if first:
        policy = wave_policy(
            session, first=first, until=until, bandwidth=bandwidth, overhead=overhead, spread=spread, slots=slots,
            host_slots=slots_per_host, probability=probability, fill=fill, freezes=freeze, no_freezes=no_standing_freezes,
            windows=default_window, cohorts=cohorts,
        )  # fmt: skip
        schedule = scheduled(shown, inputs, policy)
    text = plan_page(shown, inputs.estate, check_plan(shown, inputs.estate, inputs.observation), schedule)
    if out == STDOUT:
        typer.echo(text, nl=False)
    else:
        write_whole(out, text)
        say(f"written to {out}; open it in a browser, or print it on A4")
    return ExitCode.DONE
