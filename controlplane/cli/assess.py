"""`kasumi assess`: what is true, how large, how ready, on whom it depends, what becomes of it; for every server."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import typer

from controlplane.assessment.shipped import MOVES
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import print_table, say
from controlplane.cli.plan import STDOUT, write_whole
from controlplane.cli.session import Session
from controlplane.errors import ExitCode, KasumiError
from controlplane.execution.assessing import make_assessment
from controlplane.model.assessment import AssessedMinistry, Assessment, SizingPolicy
from controlplane.model.document import assessment_schema, assessment_to_json, digest
from controlplane.model.resources import Resources

_DEFAULT = SizingPolicy()
_SHOWN = 15
COLUMNS = (
    "ministry",
    "servers",
    "seen",
    "truth",
    "open",
    "critical",
    "warnings",
    "unknown",
    "becomes",
    "declared",
    "wanted",
    "stars",
)


def assess(
    out: OptionalPath = typer.Option(
        None, "--out", "-o", metavar="FILE", help="Write the assessment here; `-` writes it to stdout."
    ),
    as_of: datetime | None = typer.Option(
        None, "--as-of", formats=["%Y-%m-%d"], help="The day to assess for, local time (default today)."
    ),
    days: int = typer.Option(_DEFAULT.days, "--days", min=1, max=400, help="Days of utilisation before that day to size from."),
    percentile: float = typer.Option(
        _DEFAULT.percentile, "--percentile", min=50, max=100, help="Of samples in the business window."
    ),
    window: str = typer.Option("08-20", "--window", metavar="HH-HH", help="Business hours on working days, local time."),
    utc_offset: int = typer.Option(
        _DEFAULT.utc_offset_minutes, "--utc-offset", min=-720, max=840, help="Local time, in minutes east of UTC."
    ),
    comfort: float = typer.Option(_DEFAULT.comfort_factor, "--comfort", min=1, max=4, help="Factor on top of what is measured."),
    growth_days: int = typer.Option(
        _DEFAULT.growth_days, "--growth-days", min=0, max=3650, help="How far ahead a trend is carried."
    ),
    rules: OptionalPath = typer.Option(
        None, "--rules", metavar="DIR", help="Directory with further rules and tables.", file_okay=False
    ),
    schema: bool = typer.Option(False, "--schema", help="Print the JSON Schema of the document, and do nothing else."),
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Assess every server from facts, ledgers and utilisation; print a summary per ministry. Reaches no server.

    The assessment is kept, so that `kasumi report` and `kasumi dependencies` find it.
    """
    if schema:
        typer.echo(json.dumps(assessment_schema(), ensure_ascii=False, indent=1))
        return ExitCode.DONE
    session = Session(home=home, inventory=inventory)
    start, end = _hours(window)
    policy = SizingPolicy(
        days=days, percentile=percentile, window_start_hour=start, window_end_hour=end, utc_offset_minutes=utc_offset,
        comfort_factor=comfort, growth_days=growth_days,
    )  # fmt: skip
    now = datetime.now(UTC)
    day = as_of.date() if as_of is not None else local_day(now, utc_offset)
    made = make_assessment(session.estate, session.store, policy=policy, as_of=day, rules=rules)
    text = assessment_to_json(made)
    name = digest(made)
    session.store.decisions.keep_assessment(made.estate, name, text, now)
    if out == STDOUT:
        typer.echo(text, nl=False)
    else:
        if out is not None:
            write_whole(out, text)
        show(made)
    place = f"written to {out}; " if out is not None and out != STDOUT else ""
    named = f"--assessment {out}" if out is not None and out != STDOUT else "--assessment FILE"
    say(f"assessment {name[:12]}: {place}`kasumi plan {named}` plans with it, `kasumi report assessment` shows it")
    return ExitCode.DONE


def local_day(at: datetime, utc_offset_minutes: int) -> date:
    """The day people there write: in Japan it begins nine hours before that of UTC, and what was just sampled belongs to it."""
    return (at + timedelta(minutes=utc_offset_minutes)).date()


def _hours(window: str) -> tuple[int, int]:
    start, dash, end = window.partition("-")
    if not (dash and start.isdecimal() and end.isdecimal() and int(start) < 24 and 0 < int(end) <= 24 and int(start) != int(end)):
        raise KasumiError(f"--window {window}: wanted two hours as 08-20, or 22-06 over midnight", ExitCode.USAGE)
    return int(start), int(end)


def show(made: Assessment) -> None:
    """The summary: a row for each ministry with servers, then what needs a person."""
    print_table(COLUMNS, [_row(ministry, made) for ministry in made.ministries if ministry.servers])
    for server in [server for server in made.servers if server.waits_for][:_SHOWN]:
        say(f"critical: server {server.id}: {', '.join(server.waits_for)}: no plan until resolved or accepted (`kasumi accept`)")
    for server in [server for server in made.servers if server.ghost][:_SHOWN]:
        say(f"warning: server {server.id}: {server.ghost}")
    silent = Counter(server.answer or "never looked at" for server in made.servers if server.answer not in {"answered", "partly"})
    if silent:
        say(f"information: not seen: {', '.join(f'{count} {answer}' for answer, count in sorted(silent.items()))}")


def _row(ministry: AssessedMinistry, made: Assessment) -> list[str]:
    moving = [server.size for server in made.servers if server.ministry == ministry.id and server.fate.decided in MOVES]
    fates = " ".join(f"{count} {fate}" for fate, count in ministry.dispositions.items())
    return [
        ministry.id, str(ministry.servers), str(ministry.seen), f"{ministry.truth_score} %", str(ministry.open_contradictions),
        str(ministry.critical), str(ministry.warnings), str(ministry.unknown), fates, _amount(ministry.declared, [size.declared for size in moving]),
        _amount(ministry.wanted, [size.wanted for size in moving]), f"{ministry.stars:g}",
    ]  # fmt: skip


def _amount(size: Resources, of: Sequence[Resources | None]) -> str:
    """A sum; a server of which no size is known is no zero in it, but counted beside it."""
    unknown = of.count(None)
    if unknown and unknown == len(of):
        return f"{unknown} unknown"
    known = f"{size.vcpus} vCPU {size.memory_mib / 1024:.0f} GiB {size.disk_gib} GiB"
    return f"{known} + {unknown} unknown" if unknown else known
