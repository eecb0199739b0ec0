"""`kasumi waves`: who moves when, how long it takes and how surely, and what cannot be scheduled."""

from pathlib import Path

import typer

from controlplane.cli.gathering import OFFLINE_OPTION, gather, gather_for
from controlplane.cli.named_plan import ACCEPTED, named_plan
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import Format, emit, emit_document, say
from controlplane.cli.plan import write_whole
from controlplane.cli.scheduling import (
    BANDWIDTH_OPTION,
    COHORTS_OPTION,
    FILL_OPTION,
    FREEZE_OPTION,
    FROM_OPTION,
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
from controlplane.cli.waves_view import show_schedule
from controlplane.errors import ExitCode, KasumiError
from controlplane.model.document import digest, to_data
from controlplane.planning.fiscal import fiscal_years
from controlplane.planning.waves import Schedule, scheduled
from controlplane.reporting.plan_page import waves_page

COLUMNS = ("wave", "server", "machine", "host", "ministry", "system", "gib", "minutes", "starts_at", "ends_at")


def waves(
    plan: str = typer.Argument(
        "", metavar="[PLAN]", help="A plan file or `accepted`; without it the accepted plan, or what would be planned now."
    ),
    first: str = FROM_OPTION,
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
    output: str = typer.Option(
        "table", "--output", "-o", metavar="FORMAT|FILE.html", help="table, json, yaml, csv; or a page to write, ending in .html."
    ),
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Put every server that moves into a change window: cohorts together, within windows, freezes, contracts, bandwidth and slots.

    Changes nothing. Exit codes: 0 everything has a wave, 3 something cannot be scheduled (and why is said).
    """
    file = Path(output) if output.endswith(".html") else None
    if file is None and output not in list(Format):
        raise KasumiError(f"waves: -o {output!r}: wanted table, json, yaml, csv or a file ending in .html", ExitCode.USAGE)
    session = Session(home=home, inventory=inventory)
    policy = wave_policy(
        session, first=first, until=until, bandwidth=bandwidth, overhead=overhead, spread=spread, slots=slots,
        host_slots=slots_per_host, probability=probability, fill=fill, freezes=freeze, no_freezes=no_standing_freezes,
        windows=default_window, cohorts=cohorts,
    )  # fmt: skip
    if plan or session.store.accepted_plan(session.estate.id) is not None:
        shown = named_plan(plan or ACCEPTED, session)
        inputs = gather_for(shown, plan or ACCEPTED, session, offline=offline)
    else:
        say("no plan is accepted here: scheduled is what would be planned now")
        inputs = gather(session, offline=offline)
        shown = inputs.plan()
    made = scheduled(shown, inputs, policy)
    if file is not None:
        write_whole(file, waves_page(made, shown, inputs.estate))
        say(f"written to {file}; open it in a browser")
    elif output == Format.TABLE:
        show_schedule(made, shown)
    elif output == Format.CSV:
        emit("moves", _records(made), COLUMNS, Format.CSV)
    else:
        years = to_data(fiscal_years(shown, inputs.estate, made))
        emit_document({"plan": digest(shown), "schedule": to_data(made), "fiscal_years": years}, Format(output))
    return ExitCode.PARTLY_FAILED if made.unscheduled else ExitCode.DONE


def _records(made: Schedule) -> list[dict[str, object]]:
    return [
        {
            "wave": wave.number, "server": move.server, "machine": move.machine, "host": move.host, "ministry": move.ministry,
            "system": move.system, "gib": move.gib, "minutes": move.minutes, "starts_at": move.starts_at.isoformat(),
            "ends_at": move.ends_at.isoformat(),
        }
        for wave in made.waves
        for move in wave.moves
    ]  # fmt: skip
