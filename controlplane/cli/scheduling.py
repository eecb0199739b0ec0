"""The options that bound a schedule of waves, read into a policy: dates, speed, slots, freezes, windows, cohorts."""

import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel, ConfigDict

from controlplane.cli.session import Session
from controlplane.errors import ExitCode, KasumiError
from controlplane.model.window import WindowError, parse_window
from controlplane.planning.speed import Speed, measured_speed
from controlplane.planning.waves import Freeze, WavePolicy, standing_freezes

FROM_OPTION: Any = typer.Option("", "--from", metavar="DATE", help="First day of the schedule, as 2026-12-01.")
UNTIL_OPTION: Any = typer.Option("", "--until", metavar="DATE", help="Last day (default: a year after the first).")
BANDWIDTH_OPTION: Any = typer.Option(
    None,
    "--bandwidth",
    min=0.001,
    max=1e6,
    metavar="MIB",
    help="MiB a second of one copy (default: as measured, else 100 and called assumed).",
)
OVERHEAD_OPTION: Any = typer.Option(
    15.0, "--overhead", min=0.0, max=1e5, metavar="MINUTES", help="Minutes of each move beside copying."
)
SPREAD_OPTION: Any = typer.Option(
    None,
    "--spread",
    min=0.0,
    max=100.0,
    metavar="S",
    help="Spread of the time taken (of its logarithm) when no history tells, as 0.3.",
)
SLOTS_OPTION: Any = typer.Option(4, "--slots", min=1, max=1000, help="Copies at once.")
HOST_SLOTS_OPTION: Any = typer.Option(2, "--slots-per-host", min=1, max=100, help="Copies at once into one host.")
PROBABILITY_OPTION: Any = typer.Option(
    0.9, "--probability", min=0.0, max=0.9999, help="How surely a wave must end in its window, where history tells."
)
FILL_OPTION: Any = typer.Option(
    75, "--fill", min=1, max=100, metavar="PERCENT", help="How much of a window is planned where no history tells."
)
FREEZE_OPTION: Any = typer.Option(
    [],
    "--freeze",
    metavar="FIRST:LAST[=REASON]",
    help="Nothing moves on these days; the turns of fiscal and calendar year are kept free.",
)
NO_FREEZES_OPTION: Any = typer.Option(False, "--no-standing-freezes", help="Move at the turns of the years too.")
WINDOW_OPTION: Any = typer.Option(
    [], "--default-window", metavar="WINDOW", help="For systems that declare none, as 'Sat 22:00-06:00'."
)
COHORTS_OPTION: Any = typer.Option(
    None, "--cohorts", dir_okay=False, help="JSON: cohorts (lists of servers that move together), depends_on (server to servers)."
)

_FREEZE = re.compile(r"(?P<first>[\d-]+):(?P<last>[\d-]+)(?:=(?P<reason>.+))?")
_FIRST_YEAR, _LAST_YEAR, _MOST_YEARS = 2000, 2999, 20
_ASSUMED_MIB_PER_SECOND = 100.0
"""What one gigabit a second carries after its overhead."""


class Cohort(BaseModel):
    """One cohort as an assessment writes it."""

    model_config = ConfigDict(extra="ignore")

    servers: list[str]


class Cohorts(BaseModel):
    """What moves together and what before what. The document of an assessment's dependencies is read as it is."""

    model_config = ConfigDict(extra="forbid")

    cohorts: list[list[str] | Cohort] = []
    depends_on: dict[str, list[str]] = {}
    schema_version: int = 1
    assessment: str = ""
    dependencies: list[Any] = []
    shared: list[Any] = []
    strangers: list[Any] = []
    observed_servers: int = 0
    ghosts: dict[str, str] = {}
    idle: list[str] = []


def wave_policy(session: Session, **given: Any) -> WavePolicy:
    """The policy of the options. Raises KasumiError (usage) for one that cannot be read."""
    if not given["first"]:
        raise KasumiError("waves: wanted the first day, as --from 2026-12-01", ExitCode.USAGE)
    first = _date(given["first"], "--from")
    last = _date(given["until"], "--until") if given["until"] else first + timedelta(days=364)
    if last < first:
        raise KasumiError(f"waves: --until {last} lies before --from {first}", ExitCode.USAGE)
    if last.year - first.year > _MOST_YEARS:
        raise KasumiError(f"waves: --until {last} is more than {_MOST_YEARS} years after --from {first}", ExitCode.USAGE)
    for text in given["windows"]:
        try:
            parse_window(text)
        except WindowError as error:
            raise KasumiError(f"waves: --default-window {text!r}: {error}, {error.remedy}", ExitCode.USAGE) from None
    cohorts = cohorts_in(given["cohorts"])
    standing = () if given["no_freezes"] else standing_freezes(first, last)
    return WavePolicy(
        first=first,
        last=last,
        speed=_speed(session, given["bandwidth"], given["overhead"], given["spread"]),
        slots=given["slots"],
        slots_per_host=given["host_slots"],
        least_probability=given["probability"],
        fill=given["fill"] / 100,
        freezes=(*standing, *(_freeze(text) for text in given["freezes"])),
        default_windows=tuple(given["windows"]),
        cohorts=tuple(tuple(c.servers if isinstance(c, Cohort) else c) for c in cohorts.cohorts),
        depends_on={server: tuple(others) for server, others in cohorts.depends_on.items()},
    )


def plain_policy(session: Session, first: str) -> WavePolicy:
    """The policy without any other option."""
    return wave_policy(
        session, first=first, until="", bandwidth=None, overhead=OVERHEAD_OPTION.default, spread=None, slots=SLOTS_OPTION.default,
        host_slots=HOST_SLOTS_OPTION.default, probability=PROBABILITY_OPTION.default, fill=FILL_OPTION.default,
        freezes=[], no_freezes=False, windows=[],
        cohorts=None,
    )  # fmt: skip


def _speed(session: Session, bandwidth: float | None, overhead: float, spread: float | None) -> Speed:
    measured = measured_speed(session.store.migrations(session.estate.id), overhead)
    if measured is not None and bandwidth is None and spread is None:
        return measured
    known = measured.spread if measured is not None else None
    return Speed(
        mib_per_second=bandwidth
        if bandwidth is not None
        else measured.mib_per_second
        if measured is not None
        else _ASSUMED_MIB_PER_SECOND,
        overhead_minutes=overhead,
        spread=spread if spread is not None else known,
        source="as stated with --bandwidth"
        if bandwidth is not None
        else "measured"
        if measured is not None
        else "assumed: nothing was measured yet",
    )


def cohorts_in(file: Path | None) -> Cohorts:
    """What moves together and what waits for what, from a JSON file; none without one. Raises KasumiError."""
    if file is None:
        return Cohorts()
    try:
        return Cohorts.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise KasumiError(f"{file}: {error.strerror}; name a JSON file with --cohorts") from None
    except (ValueError, RecursionError) as error:  # no text, no JSON, or another form
        first = str(error).splitlines()[0]
        raise KasumiError(f'{file}: {first}; write {{"cohorts": [["a", "b"]], "depends_on": {{"c": ["a"]}}}}') from None


def _freeze(text: str) -> Freeze:
    match = _FREEZE.fullmatch(text)
    if match is None:
        raise KasumiError(f"waves: --freeze {text!r}: wanted FIRST:LAST, as 2027-03-25:2027-04-05=budget", ExitCode.USAGE)
    first, last = _date(match["first"], "--freeze"), _date(match["last"], "--freeze")
    if last < first:
        raise KasumiError(f"waves: --freeze {text!r} ends before it begins", ExitCode.USAGE)
    return Freeze(first=first, last=last, reason=match["reason"] or "asked for")


def _date(text: str, option: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise KasumiError(f"waves: {option} {text!r} is no date; write it as 2026-12-01", ExitCode.USAGE) from None
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise KasumiError(f"waves: {option} {text!r}: wanted a year from {_FIRST_YEAR} to {_LAST_YEAR}", ExitCode.USAGE)
    return found
