"""Small pictures as inline SVG: stacked bars, histograms, curves over the day, a ring of nodes. Every text is escaped.

A picture carries its numbers as text too, so that it can be read in print and without colours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import cos, pi, sin

from markupsafe import Markup

_LABEL_WIDTH = 180
INK, GREY, LINE, ACCENT = "#1f2933", "#7b8794", "#d9dee4", "#1f4e79"


def bar(parts: Sequence[tuple[str, float, str]], *, width: int = 220, height: int = 14) -> Markup:
    """One stacked bar of (label, amount, colour); nothing when all amounts are 0."""
    whole = sum(amount for _, amount, _ in parts)
    if whole <= 0:
        return Markup("")
    pieces: list[str] = []
    at = 0.0
    for label, amount, colour in parts:
        size = width * amount / whole
        if amount > 0:
            pieces.append(
                f'<rect x="{at:.1f}" y="0" width="{size:.1f}" height="{height}" fill="{colour}">'
                f"<title>{escape(label)}: {amount:g}</title></rect>"
            )
            if size > 14:
                pieces.append(
                    f'<text x="{at + size / 2:.1f}" y="{height - 3.5}" font-size="9.5" fill="#fff" text-anchor="middle">{amount:g}</text>'
                )
        at += size
    return _svg(width, height, pieces, "bar")


def meter(share: float, *, width: int = 70, height: int = 8) -> Markup:
    """A share from 0 to 1 as a filled track."""
    filled = width * min(max(share, 0.0), 1.0)
    colour = "#2f855a" if share >= 0.8 else "#b7791f" if share >= 0.5 else "#b23b3b"
    return _svg(
        width, height,
        [f'<rect width="{width}" height="{height}" rx="3" fill="{LINE}"/>',
         f'<rect width="{filled:.1f}" height="{height}" rx="3" fill="{colour}"/>'], "meter",
    )  # fmt: skip


def histogram(
    labels: Sequence[str], counts: Sequence[int], *, colour: str = ACCENT, width: int = 330, height: int = 150
) -> Markup:
    """Counts as columns with their numbers on top."""
    most = max(counts, default=0) or 1
    base, room = height - 22, height - 40
    step = width / max(1, len(counts))
    pieces = [f'<line x1="0" y1="{base}" x2="{width}" y2="{base}" stroke="{GREY}" stroke-width="1"/>']
    for index, (label, count) in enumerate(zip(labels, counts, strict=True)):
        x, tall = index * step, room * count / most
        pieces.append(
            f'<rect x="{x + step * 0.12:.1f}" y="{base - tall:.1f}" width="{step * 0.76:.1f}" height="{tall:.1f}" rx="1.5" fill="{colour}"/>'
        )
        middle = x + step / 2
        if count:
            pieces.append(
                f'<text x="{middle:.1f}" y="{base - tall - 4:.1f}" font-size="10" fill="{INK}" text-anchor="middle">{count}</text>'
            )
        pieces.append(
            f'<text x="{middle:.1f}" y="{height - 8}" font-size="9.5" fill="{GREY}" text-anchor="middle">{escape(label)}</text>'
        )
    return _svg(width, height, pieces, "histogram")


def curves(lines: Mapping[str, Sequence[float | None]], colours: Sequence[str], *, width: int = 690, height: int = 170) -> Markup:
    """One curve for each name over the 24 hours of a day, each with the same scale; broken where there is no value."""
    most = max((value for values in lines.values() for value in values if value is not None), default=0.0) or 1.0
    left, base, room, across = 38, height - 22, height - 36, width - 58
    pieces = []
    for share in (0, 0.5, 1):
        y = base - room * share
        pieces.append(f'<line x1="{left}" y1="{y:.1f}" x2="{width}" y2="{y:.1f}" stroke="{LINE}"/>')
        pieces.append(
            f'<text x="{left - 5}" y="{y + 3:.1f}" font-size="9.5" fill="{GREY}" text-anchor="end">{most * share:.3g}</text>'
        )
    for hour in range(0, 25, 4):
        x = left + across * hour / 24
        pieces.append(f'<text x="{x:.1f}" y="{height - 6}" font-size="9.5" fill="{GREY}" text-anchor="middle">{hour}:00</text>')
    for (name, values), colour in zip(lines.items(), colours, strict=False):
        spots = [
            None if value is None else (left + across * (hour + 0.5) / 24, base - room * value / most)
            for hour, value in enumerate(values)
        ]
        steps = [
            f"{'L' if index and spots[index - 1] else 'M'}{spot[0]:.1f} {spot[1]:.1f}h.1"
            for index, spot in enumerate(spots)
            if spot
        ]
        pieces.append(
            f'<path d="{"".join(steps)}" fill="none" stroke="{colour}" stroke-width="1.8" stroke-linecap="round">'
            f"<title>{escape(name)}</title></path>"
        )
    return _svg(width, height, pieces, "curves")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of the ring: `group` chooses its colour, `dashed` marks what may be gone."""

    id: str
    label: str
    group: str
    dashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """From user to used; `strong` ones tie nodes together."""

    start: str
    end: str
    label: str
    strong: bool


def ring(nodes: Sequence[Node], edges: Sequence[Edge], colours: Mapping[str, str]) -> Markup:
    """Nodes on a ring, neighbours by group, arrows between them; labels outside where they never overlap an arrow."""
    radius = min(235.0, 70 + 9.0 * len(nodes))
    size, wide = 2 * radius + 60, 2 * radius + 2 * _LABEL_WIDTH
    across, down = wide / 2, size / 2
    place: dict[str, tuple[float, float, float]] = {}
    for index, node in enumerate(nodes):
        angle = 2 * pi * index / max(1, len(nodes)) - pi / 2
        place[node.id] = (across + radius * cos(angle), down + radius * sin(angle), angle)
    arrow = f'<path d="M0 0L8 4L0 8z" fill="{GREY}"/>'
    box = 'viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"'
    pieces = [f'<defs><marker id="arrow" {box}>{arrow}</marker></defs>']
    for edge in edges:
        if edge.start not in place or edge.end not in place:
            continue
        (x1, y1, _), (x2, y2, _) = place[edge.start], place[edge.end]
        cx, cy = (x1 + x2) / 2 * 0.45 + across * 0.55, (y1 + y2) / 2 * 0.45 + down * 0.55
        back = 8 / max(8.0, ((x2 - cx) ** 2 + (y2 - cy) ** 2) ** 0.5)
        ex, ey = x2 - (x2 - cx) * back, y2 - (y2 - cy) * back
        stroke, thick = (INK, 2.0) if edge.strong else ("#9aa5b1", 1.0)
        pieces.append(
            f'<path d="M{x1:.1f} {y1:.1f}Q{cx:.1f} {cy:.1f} {ex:.1f} {ey:.1f}" fill="none" stroke="{stroke}" stroke-width="{thick}" '
            f'marker-end="url(#arrow)"><title>{escape(edge.label)}</title></path>'
        )
    for node in nodes:
        x, y, angle = place[node.id]
        dash = ' stroke-dasharray="3 2"' if node.dashed else ""
        fill = "#fff" if node.dashed else colours.get(node.group, GREY)
        pieces.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{fill}" stroke="{colours.get(node.group, GREY)}" stroke-width="2"{dash}/>'
        )
        right = cos(angle) >= -0.01
        tx, ty = x + 12 * cos(angle), y + 12 * sin(angle) + 4
        anchor = "start" if right else "end"
        pieces.append(
            f'<text x="{tx:.1f}" y="{ty:.1f}" font-size="11" fill="{INK}" text-anchor="{anchor}">{escape(_short(node.label))}</text>'
        )
    return _svg(wide, size, pieces, "ring")


def _short(label: str, most: int = 26) -> str:
    return label if len(label) <= most else label[: most - 1] + "…"


def _svg(width: float, height: float, pieces: Sequence[str], kind: str) -> Markup:
    return Markup(  # noqa: S704 - every text in the pieces was escaped where it was put in
        f'<svg class="{kind}" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img">{"".join(pieces)}</svg>'
    )
