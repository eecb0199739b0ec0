"""Filled bars and a calendar of waves as inline SVG. Each carries its numbers as text; every text from outside is escaped."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from html import escape

from markupsafe import Markup

INK, GREY, LINE, BEFORE, AFTER, TIGHT = "#1f2933", "#66727f", "#e3e8ed", "#9aa5b1", "#1f4e79", "#b7791f"
_LAST_MONTH_LABEL = 880
TIGHT_SHARE = 0.9
"""From here on a bar is drawn in the colour of warning."""


def before_after(before: float, after: float, capacity: float, *, width: int = 230) -> Markup:
    """Two filled bars on one scale: what was promised of a capacity before (thin, grey) and is after (thick)."""
    if capacity <= 0:
        return Markup('<span class="grey">no capacity</span>')
    share = after / capacity
    colour = TIGHT if share >= TIGHT_SHARE else AFTER
    pieces = [
        f'<rect x="0" y="0" width="{width}" height="5" fill="{LINE}"/>',
        f'<rect x="0" y="0" width="{_part(before, capacity, width):.1f}" height="5" fill="{BEFORE}"/>',
        f'<rect x="0" y="7" width="{width}" height="11" fill="{LINE}"/>',
        f'<rect x="0" y="7" width="{_part(after, capacity, width):.1f}" height="11" fill="{colour}"/>',
    ]
    text = f"{100 * before / capacity:.0f} % before, {100 * share:.0f} % after: {after:g} of {capacity:g}"
    return _svg(width, 18, pieces, text)


def pair(before: float, after: float, most: float, *, width: int = 150) -> Markup:
    """Two amounts below each other on a scale that many rows share."""
    scale = most or 1
    pieces = [
        f'<rect x="0" y="0" width="{_part(before, scale, width):.1f}" height="7" fill="{BEFORE}"/>',
        f'<rect x="0" y="9" width="{_part(after, scale, width):.1f}" height="7" fill="{AFTER}"/>',
    ]
    return _svg(width, 16, pieces, f"{before:g} before, {after:g} after")


def stacked(parts: Sequence[tuple[str, float, str]], *, width: int = 920, height: int = 26) -> Markup:
    """One bar of (label, amount, colour), with the amounts in it where there is room."""
    whole = sum(amount for _, amount, _ in parts) or 1
    pieces, at = [], 0.0
    for label, amount, colour in parts:
        size = width * amount / whole
        title = f"<title>{escape(label)}: {amount:g}</title>"
        pieces.append(f'<rect x="{at:.1f}" y="0" width="{size:.1f}" height="{height}" fill="{colour}">{title}</rect>')
        if size > 26:
            pieces.append(
                f'<text x="{at + size / 2:.1f}" y="{height / 2 + 4.5:.1f}" font-size="13" fill="#fff" text-anchor="middle">{amount:g}</text>'
            )
        at += size
    return _svg(width, height, pieces, ", ".join(f"{label} {amount:g}" for label, amount, _ in parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block of a calendar: on which row and from when to when, its text, and what is said when pointed at."""

    row: str
    starts_at: datetime
    ends_at: datetime
    text: str
    title: str
    colour: str = AFTER


def calendar(
    rows: Sequence[tuple[str, str]], blocks: Sequence[Block], closed: Sequence[tuple[date, date, str]], first: date, last: date
) -> Markup:
    """Rows (key, label) against days, with closed spans shaded: a Gantt chart of waves."""
    left, width, step, top = 210, 920, 24, 40
    days = max(1, (last - first).days + 1)
    across = (width - left) / days
    height = top + step * len(rows) + 6
    pieces: list[str] = []
    for start, end, reason in closed:
        begin, finish = max(start, first), min(end, last)
        if begin <= finish:
            pieces.append(
                f'<rect x="{left + across * (begin - first).days:.1f}" y="{top - 6}" width="{across * ((finish - begin).days + 1):.1f}" '
                f'height="{height - top}" fill="#f3e3e3"><title>{escape(reason)}: {begin} to {finish}</title></rect>'
            )
    pieces += _days(first, last, left, across, height)
    lines = {key: top + step * index for index, (key, _) in enumerate(rows)}
    for key, label in rows:
        y = lines[key]
        pieces.append(f'<line x1="0" y1="{y + step - 3}" x2="{width}" y2="{y + step - 3}" stroke="{LINE}"/>')
        pieces.append(f'<text x="0" y="{y + 14}" font-size="12.5" fill="{INK}">{escape(_short(label))}</text>')
    for block in blocks:
        y, x = lines[block.row], left + across * _days_since(first, block.starts_at)
        wide = max(across * (_days_since(first, block.ends_at) - _days_since(first, block.starts_at)), min(15, across * 0.6), 2.5)
        pieces.append(
            f'<rect x="{x:.1f}" y="{y + 1}" width="{wide:.1f}" height="{step - 7}" rx="2" fill="{block.colour}">'
            f"<title>{escape(block.title)}</title></rect>"
        )
        if wide >= 7 * len(block.text):
            pieces.append(
                f'<text x="{x + wide / 2:.1f}" y="{y + 13.5}" font-size="10.5" fill="#fff" text-anchor="middle">{escape(block.text)}</text>'
            )
    return _svg(width, height, pieces, f"calendar from {first} to {last}")


def _days_since(first: date, at: datetime) -> float:
    return (at.date() - first).days + (at.hour * 60 + at.minute) / 1440


def _days(first: date, last: date, left: int, across: float, height: int) -> list[str]:
    """Weeks as lines where they have room, months as words."""
    pieces, written = [], -100.0
    by_week = across * 7 >= 26
    day = first
    while day <= last:
        x = left + across * (day - first).days
        if day.day == 1 or day == first:
            pieces.append(f'<line x1="{x:.1f}" y1="18" x2="{x:.1f}" y2="{height}" stroke="{GREY}" stroke-width="0.6"/>')
            if written + 58 < x < _LAST_MONTH_LABEL:
                pieces.append(f'<text x="{x + 2:.1f}" y="12" font-size="11.5" fill="{INK}">{day:%Y-%m}</text>')
                written = x
        if day.weekday() == 0 and by_week:
            pieces.append(f'<text x="{x + 1:.1f}" y="28" font-size="9.5" fill="{GREY}">{day.day}</text>')
            pieces.append(f'<line x1="{x:.1f}" y1="30" x2="{x:.1f}" y2="{height}" stroke="{LINE}"/>')
        day += timedelta(days=1)
    return pieces


def _part(amount: float, whole: float, width: int) -> float:
    return width * min(1.0, max(0.0, amount / whole))


def _short(label: str, most: int = 30) -> str:
    return label if len(label) <= most else label[: most - 1] + "…"


def _svg(width: float, height: float, pieces: Sequence[str], said: str) -> Markup:
    return Markup(  # noqa: S704 - every text in the pieces was escaped where it was put in
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img" aria-label="{escape(said)}">'
        f"{''.join(pieces)}</svg>"
    )
