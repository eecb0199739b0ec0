"""Chooses how to pack by the structure of the problem, and always keeps the better answer.

Bounds and constructive starts first, in the order of their cost, until bound and packing meet or the work is done; then the
configuration LP for a better bound, and dives into it for a better packing.
"""

from math import ceil

import numpy as np

from controlplane.planning.packing.bounds import Bound, apart_bound, best_of, dimension_bound, dual_feasible_bound
from controlplane.planning.packing.columns import Master, Pattern
from controlplane.planning.packing.diving import dive
from controlplane.planning.packing.greedy import starts
from controlplane.planning.packing.meter import Meter
from controlplane.planning.packing.problem import Bins, Packing, Problem, Work
from controlplane.planning.packing.snug import full_enough, pack_snugly

_ROWS_FOR_COLUMNS = 1_500
"""Rows up to which the configuration LP is worth its work."""
_KINDS_FOR_COLUMNS = 50
_ROWS_TIMES_ITEMS = 400_000_000
"""Rows times items up to which bins are filled by choosing each item anew."""
_SHARE_OF_BOUND = 0.5
"""Part of the work that the bound may take; the rest is for the packing."""
_SHARE_OF_FIRST_DIVES = 0.15
"""Part of what the bound left that dives may take before full fillings are covered; the rest of the work is for further dives."""
_FEW_FILLINGS, _SEEDED_FILLINGS, _MANY_FILLINGS = 1_000, 8_000, 30_000
"""Full fillings to cover before the configuration LP, to begin it with, and to cover when dives did not reach the bound."""
_LITTLE, _MUCH = 0.02, 0.5
"""Parts of what is left of the work that branching may take in the one cover and in the other."""


def solve(problem: Problem, *, work: Work) -> Packing:
    """The best packing found within the work, with the best bound proved. Same problem and work: same answer."""
    meter = Meter(left=work.budget)
    bound = best_of(dimension_bound(problem), apart_bound(problem))
    best, method, left = Bins(), "nothing to pack", problem.items
    found_first: list[Bins] = []
    for name, start in starts(problem).items():
        suited = not name.startswith("first fit")
        if meter.spent or (suited and problem.items * problem.sizes.size > _ROWS_TIMES_ITEMS):
            break
        found = start()
        found_first.append(found)
        meter.loops(problem.sizes.size * (problem.items if suited else len(found)) + 50 * problem.items)
        unplaced = problem.items - sum(sum(content.values()) for content in found.contents)
        if (unplaced, len(found)) < (left, len(best)) or len(found_first) == 1:
            best, method, left = found, name, unplaced
        if left == 0 and len(best) <= bound.bins:
            return best.packing(problem, bound.bins, method, bound.proof)
    bound = best_of(bound, dual_feasible_bound(problem))
    if left == 0:
        best, method, bound = _snugly(problem, best, method, bound, meter, _FEW_FILLINGS, _LITTLE)
    columns = len(problem.copies) <= _ROWS_FOR_COLUMNS and len(problem.capacities) <= _KINDS_FOR_COLUMNS
    if left or len(best) <= bound.bins or not columns:
        return best.packing(problem, bound.bins, method, bound.proof)
    part = Meter(left=meter.left * _SHARE_OF_BOUND)
    given = part.left
    master = Master(problem, part)
    for found in found_first:
        master.start_with(found)
    fillings = full_enough(problem, bound.bins, part, _SEEDED_FILLINGS) if problem.uniform else None
    if fillings is not None:
        master.add(Pattern(kind=0, rows=np.flatnonzero(counts), counts=counts[counts > 0]) for counts in fillings)
    _, _, proved = master.generate(known=bound.bins)
    bound = best_of(bound, Bound(bins=ceil(proved - 1e-6), proof="configuration LP"))
    part.left += meter.left - given
    kept = part.left * (1 - _SHARE_OF_FIRST_DIVES)
    part.left -= kept
    for more in (kept, 0.0):
        dived, further = dive(problem, master, part, best, bound.bins, work.seed)
        bound = best_of(bound, Bound(bins=further, proof="configuration LP"))
        if len(dived) < len(best):
            best, method = dived, "dive into the configuration LP"
        part.left += more
        if more:
            best, method, bound = _snugly(problem, best, method, bound, part, _MANY_FILLINGS, _MUCH)
    return best.packing(problem, bound.bins, method, bound.proof)


def _snugly(
    problem: Problem, best: Bins, method: str, bound: Bound, meter: Meter, most: int, share: float
) -> tuple[Bins, str, Bound]:
    """A packing that meets the bound, or a bound one higher, and so on, as far as listing that many fillings can tell."""
    while problem.uniform and bound.bins < len(best) and not meter.spent:
        snug = pack_snugly(problem, bound.bins, meter, most, share)
        if snug.bins is not None:
            return snug.bins, "cover by the fillings that are full enough", bound
        if not snug.impossible:
            break
        bound = Bound(bins=bound.bins + 1, proof="no cover by the fillings that are full enough")
    return best, method, bound
