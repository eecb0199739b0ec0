"""Packings with hardly any room to spare: every filling that such a packing may use, listed, and an exact cover by them.

If all items are to stand in so many bins, what these bins leave empty in all is known, and no single bin may leave more. Where
that is little, few fillings are full enough, and a cover by them is found or proved not to exist. Triplets are so, as is any
fleet that fills its hosts almost to the brim.
"""

from dataclasses import dataclass

import highspy
import numpy as np

from controlplane.planning.packing.highs import quiet_lp
from controlplane.planning.packing.listing import counts_of, listed_fillings
from controlplane.planning.packing.meter import Meter
from controlplane.planning.packing.problem import Bins, Ints, Problem

_SHARE_OF_COLUMNS = 0.75
"""Part of what is left of the work."""
_LEAST_BRANCHINGS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Snug:
    """A packing into as many bins as asked for, or the knowledge that there is none; neither when it was not found out."""

    bins: Bins | None = None
    impossible: bool = False


def pack_snugly(problem: Problem, bins: int, meter: Meter, most: int, share: float) -> Snug:
    """All items in so many bins of the only kind, if at most so many fillings are full enough for that.

    Branching takes about that share of what is left of the work.
    """
    fillings = full_enough(problem, bins, meter, min(most, meter.columns_in(_SHARE_OF_COLUMNS)))
    return Snug() if fillings is None else _cover(problem, fillings, bins, meter, share)


def full_enough(problem: Problem, bins: int, meter: Meter, most: int) -> Ints | None:
    """Every filling that leaves no more than so many bins have to spare, as counts of the rows; None: too many to list."""
    spare = bins * problem.capacities[0] - problem.copies @ problem.sizes
    if (spare < 0).any():
        return np.zeros((0, len(problem.copies)), dtype=np.int64)
    listed = listed_fillings(problem, spare, meter, most)
    return None if listed is None else counts_of(listed, len(problem.copies))


def _cover(problem: Problem, fillings: Ints, bins: int, meter: Meter, share: float) -> Snug:
    """Fillings that hold every item just once: a small integer programme."""
    if (fillings.sum(axis=0)[problem.copies > 0] == 0).any():
        return Snug(impossible=True)
    meter.columns(len(fillings))
    lp = quiet_lp(mip_max_nodes=max(_LEAST_BRANCHINGS, meter.branchings_in(share, len(problem.copies))))
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
    meter.branching(max(0, lp.getInfo().simplex_iteration_count), len(problem.copies))
    if lp.getModelStatus() == highspy.HighsModelStatus.kInfeasible:
        return Snug(impossible=True)
    if lp.getInfo().primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        return Snug()
    found = Bins()
    for column, times in enumerate(np.rint(lp.getSolution().col_value).astype(int)):
        for _ in range(times):
            found.add(0, {int(row): int(fillings[column, row]) for row in np.flatnonzero(fillings[column])})
    return Snug(bins=found)
