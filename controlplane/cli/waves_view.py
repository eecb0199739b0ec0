"""How a schedule reads in a terminal: all waves in one calendar, then each wave as a Gantt chart, then what is left over."""

import sys
from datetime import datetime

from rich.console import Console

from controlplane.cli.drawing import bullet, heading, print_drawn, table
from controlplane.model.document import digest
from controlplane.model.plan import Plan
from controlplane.planning.waves import Move, Schedule, Wave

_CHART_COLUMNS = 28


def show_schedule(made: Schedule, plan: Plan) -> None:
    """Print a schedule on stdout."""
    full, empty = ("█", "·") if sys.stdout.isatty() else ("#", ".")
    print_drawn(lambda console: _draw(console, made, plan, full, empty))


def _draw(console: Console, made: Schedule, plan: Plan, full: str, empty: str) -> None:
    console.print(f"Waves of plan {digest(plan)[:12]} for estate {plan.estate}", style="bold")
    if made.waves:
        heading(console, "Waves")
        console.print(_calendar(made, plan))
        for wave in made.waves:
            _chart(console, wave, full, empty)
    if made.unscheduled:
        heading(console, f"Without a wave: {len(made.unscheduled)}")
        for each in made.unscheduled:
            bullet(console, "!", "yellow", f"{each.server} ({each.system}): {each.reason}")
    heading(console, "What was assumed")
    for text in made.assumptions:
        bullet(console, "", "", text)
    console.print()
    console.print(summary(made), style="bold")


def wave_reason(made: Schedule, subject: str) -> str:
    """When a server or machine moves, or why it has no wave."""
    found = made.wave_of(subject)
    if found is not None:
        wave, move = found
        return (
            f"{wave.number} of {len(made.waves)}, {_window(wave)}: {move.server} from {move.starts_at:%H:%M}, "
            f"about {hours(move.minutes)}; in time: {likely(wave)}"
        )
    return next((f"none: {each.reason}" for each in made.unscheduled if each.server == subject), "none: nothing moves into it")


def summary(made: Schedule) -> str:
    """The line that sums a schedule up."""
    moves = sum(len(wave.moves) for wave in made.waves)
    when = f" from {made.waves[0].window.starts_at:%Y-%m-%d} to {made.waves[-1].window.ends_at:%Y-%m-%d}" if made.waves else ""
    unsafe = sum(1 for wave in made.waves if wave.unsafe)
    safe = f"{unsafe} of the states between them do not hold" if unsafe else "every state between them holds"
    plural = "" if len(made.waves) == 1 else "s"
    return f"{moves} servers in {len(made.waves)} wave{plural}{when}, {len(made.unscheduled)} without a wave; {safe}"


def _calendar(made: Schedule, plan: Plan) -> object:
    rows = table(
        ("wave", "window", "servers", "ministries", "expected", "of", "in time"), numbers=("wave", "servers", "expected", "of", "in time"),
        whole=("window",),
    )  # fmt: skip
    for wave in made.waves:
        ministries = wave.ministries
        shown = ", ".join(ministries[:5]) + (f" and {len(ministries) - 5} more" if len(ministries) > 5 else "")
        rows.add_row(
            str(wave.number), _window(wave), str(len(wave.moves)), shown, hours(wave.expected_minutes), hours(wave.window.minutes),
            likely(wave),
        )  # fmt: skip
    return rows


def _chart(console: Console, wave: Wave, full: str, empty: str) -> None:
    heading(
        console,
        f"Wave {wave.number}, {_window(wave)}: {hours(wave.expected_minutes)} of {hours(wave.window.minutes)}, in time: {likely(wave)}",
    )
    rows = table(("server", "", "takes", "GiB", "to"), numbers=("takes", "GiB"), whole=("server", ""))
    for move in wave.moves:
        tie = f" (with {move.cohort})" if move.cohort and move.cohort != move.server else ""
        rows.add_row(move.server + tie, _bar(wave, move, full, empty), hours(move.minutes), str(move.gib), _to(move))
    console.print(rows)
    for text in wave.unsafe:
        bullet(console, "!", "red", f"after it: {text}")


def _bar(wave: Wave, move: Move, full: str, empty: str) -> str:
    def column(at: datetime) -> int:
        share = (at - wave.window.starts_at).total_seconds() / 60 / wave.window.minutes
        return min(_CHART_COLUMNS, max(0, round(share * _CHART_COLUMNS)))

    start = min(column(move.starts_at), _CHART_COLUMNS - 1)
    end = max(start + 1, column(move.ends_at))
    return empty * start + full * (end - start) + empty * (_CHART_COLUMNS - end)


def _to(move: Move) -> str:
    return move.host if move.machine == move.server else f"{move.machine} on {move.host}"


def _window(wave: Wave) -> str:
    start, end = wave.window.starts_at, wave.window.ends_at
    return f"{start:%a %Y-%m-%d %H:%M}-{end:%H:%M}"


def likely(wave: Wave) -> str:
    """How surely a wave ends in its window, or that nothing tells."""
    return "not known" if wave.probability is None else f"{100 * wave.probability:.0f} %"


def hours(minutes: float) -> str:
    """Hours and minutes."""
    return f"{int(minutes // 60)} h {int(minutes % 60):02d}"
