"""Packings with hardly any room to spare: every filling that such a packing may use, listed, and an exact cover by them.

If all items are to stand in so many bins, what these bins leave empty in all is known, and no single bin may leave more. Where
that is little, few fillings are full enough, and a cover by them is found or proved not to exist. Triplets are so, as is any
fleet that fills its hosts almost to the brim.
"""

from dataclasses import dataclass

import highspy
import numpy as np

from controlplane.planning.packing.compiled import Compiled
from controlplane.planning.packing.highs import quiet_lp
from controlplane.planning.packing.meter import Meter
from controlplane.planning.packing.problem import Bins, Ints, Problem

_SHARE_OF_LISTING, _SHARE_OF_COVER = 0.25, 0.5
"""Parts of what is left of the work."""
_BRANCHINGS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Snug:
    """A packing into as many bins as asked for, or the knowledge that there is none; neither when it was not found out."""

    bins: Bins | None = None
    impossible: bool = False


def pack_snugly(problem: Problem, bins: int, meter: Meter, most: int) -> Snug:
    """All items in so many bins of the only kind, if at most so many fillings are full enough for that."""
    fillings = full_enough(problem, bins, meter, min(most, meter.columns_in(_SHARE_OF_COVER)))
    return Snug() if fillings is None else _cover(problem, fillings, bins, meter)


def full_enough(problem: Problem, bins: int, meter: Meter, most: int) -> Ints | None:
    """Every filling that leaves no more than so many bins have to spare, as counts of the rows; None: too many to list."""
    capacity = problem.capacities[0]
    spare = bins * capacity - problem.copies @ problem.sizes
    if (spare < 0).any():
        return np.zeros((0, len(problem.copies)), dtype=np.int64)
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
        meter.picks_in(_SHARE_OF_LISTING),
    )
    meter.picks(looked)
    if not complete:
        return None
    counts = np.zeros((len(ends), len(order)), dtype=np.int64)
    np.add.at(counts, (np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0)), order[picks]), 1)
    return counts


def _cover(problem: Problem, fillings: Ints, bins: int, meter: Meter) -> Snug:
    """Fillings that hold every item just once: a small integer programme."""
    if (fillings.sum(axis=0)[problem.copies > 0] == 0).any():
        return Snug(impossible=True)
    lp = quiet_lp(mip_max_nodes=_BRANCHINGS)
    infinity = highspy.kHighsInf
    for least, most in [*((float(copies), float(copies)) for copies in problem.copies), (-infinity, float(bins))]:
        lp.addRow(least, most, 0, np.array([], dtype=np.int32), np.array([], dtype=np.float64))
    for column, counts in enumerate(fillings):
        used = np.flatnonzero(counts)
        lp.addCol(
            0.0, 0.0, infinity, len(used) + 1, np.append(used, len(problem.copies)).astype(np.int32),
            np.append(counts[used], 1).astype(np.float64),
        )  # fmt: skip
        lp.changeColIntegrality(column, highspy.HighsVarType.kInteger)
    lp.run()
    meter.simplex(max(1, lp.getInfo().simplex_iteration_count), len(problem.copies))
    meter.columns(len(fillings))
    if lp.getModelStatus() == highspy.HighsModelStatus.kInfeasible:
        return Snug(impossible=True)
    if lp.getInfo().primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        return Snug()
    found = Bins()
    for column, times in enumerate(np.rint(lp.getSolution().col_value).astype(int)):
        for _ in range(times):
            found.add(0, {int(row): int(fillings[column, row]) for row in np.flatnonzero(fillings[column])})
    return Snug(bins=found)


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
