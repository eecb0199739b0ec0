"""Fillings of a bin, listed one and all: where a bin holds few items there are few, and what is worth most is looked up.

A filling is a row of a table: the rows of the problem that it holds, one for each item, then as often as needed the number of rows, which
stands for nothing.
"""

import numpy as np

from controlplane.planning.packing.compiled import Compiled
from controlplane.planning.packing.fillings import Fillings, Floats
from controlplane.planning.packing.meter import Meter
from controlplane.planning.packing.problem import Ints, Problem

_SHARE = 0.25
"""Part of what is left of the work that listing may take."""
_LOOKED_THROUGH = 20_000
"""Fillings worth most among which those are looked for that go together."""


def listed_fillings(problem: Problem, spare: Ints, meter: Meter, most: int) -> Ints | None:
    """Every filling of the only kind of bin that leaves no more to spare in any dimension; None: more than that many."""
    capacity = problem.capacities[0]
    some = capacity > 0
    sharpest = int(np.argmin(np.where(some, spare / np.maximum(capacity, 1), np.inf)))
    order = np.argsort(-problem.sizes[:, sharpest], kind="stable")
    picks, ends, looked, complete = _list(
        np.ascontiguousarray(problem.sizes[order]),
        problem.copies[order],
        capacity,
        spare,
        sharpest,
        most,
        meter.picks_in(_SHARE),
    )
    meter.picks(looked)
    if not complete:
        return None
    lengths = np.diff(ends, prepend=0)
    width = int(lengths.max(initial=0))
    listed = np.full((len(ends), width), len(order), dtype=np.int64)
    listed[np.arange(width) < lengths[:, None]] = order[picks]
    return listed


def counts_of(listed: Ints, rows: int) -> Ints:
    """The same fillings as counts of the rows."""
    counts = np.zeros((len(listed), rows + 1), dtype=np.int64)
    np.add.at(counts, (np.arange(len(listed))[:, None], listed), 1)
    return counts[:, :rows]


def best_listed(listed: Ints, limits: Ints, worths: Floats, *, above: float, most: int) -> Fillings:
    """Of these fillings the one worth most, then that worth most of what it leaves, and so on, while worth more than `above`.

    Rows without copies at hand are worth nothing.
    """
    worth = _worths(listed, np.append(np.where(limits > 0, worths, 0.0), 0.0))
    paying = np.flatnonzero(worth > above)
    if len(paying) > _LOOKED_THROUGH:
        paying = paying[worth[paying] >= np.partition(worth[paying], -_LOOKED_THROUGH)[-_LOOKED_THROUGH]]
    paying = paying[np.argsort(-worth[paying], kind="stable")]
    chosen = paying[_disjoint(listed[paying], np.append(np.maximum(limits, 1), 0), most)]
    return Fillings(counts=counts_of(listed[chosen], len(limits)), bound=float(worth.max(initial=0.0)), nodes=0)


@Compiled
def _worths(fillings: Ints, worths: Floats) -> Floats:
    """What each filling is worth."""
    found = np.zeros(len(fillings))
    for at in range(len(fillings)):
        for row in fillings[at]:
            found[at] += worths[row]
    return found


@Compiled
def _disjoint(fillings: Ints, left: Ints, most: int) -> Ints:
    """Which fillings are chosen when each in turn is taken if what the others left is enough."""
    chosen = np.zeros(min(most, len(fillings)), np.int64)
    count = 0
    nothing = len(left) - 1
    for at in range(len(fillings)):
        if count == len(chosen):
            break
        enough = True
        for row in fillings[at]:
            if row < nothing:
                left[row] -= 1
                enough = enough and left[row] >= 0
        if enough:
            chosen[count] = at
            count += 1
        else:
            for row in fillings[at]:
                if row < nothing:
                    left[row] += 1
    return chosen[:count]


@Compiled
def _list(  # noqa: PLR0912, PLR0915  one loop for the compiler
    sizes: Ints, copies: Ints, capacity: Ints, spare: Ints, sharpest: int, most_fillings: int, most_picks: int
) -> tuple[Ints, Ints, int, bool]:
    """Depth first over the rows, largest in the sharpest dimension first; picks of all fillings, the end of each, nodes, all."""
    rows, dimensions = sizes.shape
    least, largest = np.zeros((rows + 1, dimensions), np.int64), np.zeros((rows + 1, dimensions), np.int64)
    for k in range(dimensions):
        least[rows, k] = capacity[k] + 1
        for i in range(rows - 1, -1, -1):
            least[i, k] = min(least[i + 1, k], sizes[i, k])
            largest[i, k] = max(largest[i + 1, k], sizes[i, k])
    items = copies.sum()
    picks, ends = np.zeros(1 << 12, np.int64), np.zeros(most_fillings, np.int64)
    written, found, looked = 0, 0, 0
    stack = np.zeros(items + 1, np.int64)
    taken = np.zeros(rows, np.int64)
    free = capacity.copy()
    depth, at = 0, 0
    while True:
        # Rows `at`, `at + 1`, … may be picked: leave out those too large, then see whether the others can fill what is left at all.
        looked += 1
        if at < rows and sizes[at, sharpest] > free[sharpest]:
            low, high = at, rows
            while low < high:
                middle = (low + high) // 2
                if sizes[middle, sharpest] > free[sharpest]:
                    low = middle + 1
                else:
                    high = middle
            at = low
        if looked > most_picks:
            return picks[:written], ends[:found], looked, False
        dead = at >= rows
        if not dead:
            more = items
            for k in range(dimensions):
                if least[at, k] > 0:
                    more = min(more, free[k] // least[at, k])
            dead = more == 0
            for k in range(dimensions):
                if free[k] - spare[k] > more * largest[at, k]:
                    dead = True
        if not dead:
            fits = taken[at] < copies[at]
            for k in range(dimensions):
                if sizes[at, k] > free[k]:
                    fits = False
                    break
            if not fits:
                at += 1
                continue
            for k in range(dimensions):
                free[k] -= sizes[at, k]
            taken[at] += 1
            stack[depth] = at
            depth += 1
            full = True
            for k in range(dimensions):
                if free[k] > spare[k]:
                    full = False
                    break
            if full:
                if found == most_fillings:
                    return picks[:written], ends[:found], looked, False
                if written + depth > len(picks):
                    wider = np.zeros(2 * len(picks) + depth, np.int64)
                    wider[:written] = picks[:written]
                    picks = wider
                picks[written : written + depth] = stack[:depth]
                written += depth
                ends[found] = written
                found += 1
            continue
        if depth == 0:
            return picks[:written], ends[:found], looked, True
        depth -= 1
        at = stack[depth]
        taken[at] -= 1
        for k in range(dimensions):
            free[k] += sizes[at, k]
        at += 1
