"""Whole packings from the configuration LP: fix what it uses most, solve again for the rest, and so on down.

Several dives; after the first, which column is fixed early is drawn in proportion to its use (a seeded draw). A dive ends early
when a constructive start packs the rest into what is left, or when the LP says that no better packing lies below.
"""

from math import ceil

import numpy as np

from controlplane.planning.packing.columns import Master, Pattern
from controlplane.planning.packing.fillings import Floats
from controlplane.planning.packing.greedy import best_suited, decreasing_orders, first_fit
from controlplane.planning.packing.meter import Meter
from controlplane.planning.packing.problem import Bins, Ints, Problem

_ROUNDS_A_FIXING = 12
_ROUNDS_AT_THE_TOP = 60
"""Rounds between dives, while the LP of the whole problem has not settled."""
_DRAWN_FIXINGS = 4
_SURE = 0.8
"""Use from which a column is fixed together with others; such columns share no item that exists once."""


def dive(problem: Problem, master: Master, meter: Meter, best: Bins, proved: int, seed: int) -> tuple[Bins, int]:
    """A packing with fewer bins than `best`, or `best` when none was found within the work, and how many bins are proved."""
    draw = np.random.default_rng(seed)
    first = True
    while len(best) > proved and not meter.spent:
        value, _, bound = master.generate(known=proved, rounds=_ROUNDS_AT_THE_TOP)
        proved = max(proved, ceil(bound - 1e-6))
        if ceil(value - 1e-6) >= len(best):
            continue
        found = _dive_once(problem, master, meter, len(best) - 1, None if first else draw)
        if found is not None and len(found) < len(best):
            best = found
        first = False
    return best, proved


def _dive_once(problem: Problem, master: Master, meter: Meter, most: int, draw: np.random.Generator | None) -> Bins | None:
    wanted = problem.copies.copy()
    stock = np.full(len(problem.capacities), -1, dtype=np.int64) if problem.stock is None else problem.stock.copy()
    fixed = Bins()
    fixings = 0
    try:
        while wanted.any() and not meter.spent:
            master.demand(wanted, stock)
            value, use, _ = master.generate(known=0, rounds=_ROUNDS_A_FIXING, thorough=False)
            if len(fixed) + ceil(value - 1e-6) > most:
                return None
            for pattern, times in _choose(master.patterns, use, draw if fixings < _DRAWN_FIXINGS else None):
                _fix(fixed, pattern, times, wanted, stock)
            fixings += 1
            rest = _rest(problem, wanted, stock, most - len(fixed), meter)
            if rest is not None:
                for kind, content in zip(rest.kinds, rest.contents, strict=True):
                    fixed.add(kind, content)
                return fixed
    finally:
        master.demand(problem.copies, np.full(len(stock), -1, dtype=np.int64) if problem.stock is None else problem.stock)
    return fixed if not wanted.any() and len(fixed) <= most else None


def _choose(patterns: list[Pattern], use: Floats, draw: np.random.Generator | None) -> list[tuple[Pattern, int]]:
    """All that are used nearly whole times or more; when there are none, the one used most, or one drawn."""
    sure = np.flatnonzero(use >= _SURE)
    if len(sure):
        return [(patterns[int(at)], max(1, int(use[at] + 1e-6))) for at in sure]
    if draw is None:
        return [(patterns[int(use.argmax())], 1)]
    chance = np.maximum(use, 0.0) ** 2
    return [(patterns[int(draw.choice(len(use), p=chance / chance.sum()))], 1)]


def _fix(fixed: Bins, pattern: Pattern, times: int, wanted: Ints, stock: Ints) -> None:
    for _ in range(times):
        counts = np.minimum(pattern.counts, wanted[pattern.rows])
        if not counts.any() or stock[pattern.kind] == 0:
            return
        fixed.add(pattern.kind, {int(row): int(count) for row, count in zip(pattern.rows, counts, strict=True) if count})
        wanted[pattern.rows] -= counts
        if stock[pattern.kind] > 0:
            stock[pattern.kind] -= 1


def _rest(problem: Problem, wanted: Ints, stock: Ints, most: int, meter: Meter) -> Bins | None:
    """What is left, packed by a constructive start into at most so many bins, or None."""
    if most <= 0 and wanted.any():
        return None
    rest = Problem(
        sizes=problem.sizes,
        copies=wanted,
        capacities=problem.capacities,
        stock=None if problem.stock is None else stock,
        admits=problem.admits,
        apart=problem.apart,
    )
    meter.elements(rest.sizes.size * 12)
    orders = decreasing_orders(rest)
    for order in (orders["by weighted sum"], orders["by largest share"]):
        found = first_fit(rest, order)
        if len(found) <= most and _items(found) == rest.items:
            return found
    found = best_suited(rest, norm=True, scarcity=1.0)
    return found if len(found) <= most and _items(found) == rest.items else None


def _items(bins: Bins) -> int:
    return sum(sum(content.values()) for content in bins.contents)
