"""Chooses how to pack by the structure of the problem, and always keeps the better answer.

Bounds first, then constructive starts in the order of their cost until bound and packing meet or the work is done.
"""

from collections.abc import Callable, Iterator

from controlplane.planning.packing.bounds import apart_bound, best_of, dimension_bound, dual_feasible_bound
from controlplane.planning.packing.greedy import bin_centric, decreasing_orders, first_fit
from controlplane.planning.packing.problem import Bins, Packing, Problem, Work

_ROWS_A_UNIT = 2_000
"""Rows times picks, in thousands, that a unit of work pays for with array operations."""


def solve(problem: Problem, *, work: Work) -> Packing:
    """The best packing found within the work, with the best bound proved. Same problem and work: same answer."""
    bound = best_of(dimension_bound(problem), apart_bound(problem))
    bound = best_of(bound, dual_feasible_bound(problem))
    best, method = Bins(), "nothing to pack"
    left = problem.items
    for name, start in _starts(problem, work):
        found = start()
        unplaced = problem.items - sum(sum(content.values()) for content in found.contents)
        if (unplaced, len(found)) < (left, len(best)) or method == "nothing to pack":
            best, method, left = found, name, unplaced
        if left == 0 and len(best) <= bound.bins:
            break
    return best.packing(problem, bound.bins, method, bound.proof)


def _starts(problem: Problem, work: Work) -> Iterator[tuple[str, Callable[[], Bins]]]:
    for name, order in decreasing_orders(problem).items():
        yield name, lambda order=order: first_fit(problem, order)  # type: ignore[misc]
    if problem.items * len(problem.copies) > work.budget * _ROWS_A_UNIT * 1_000:
        return
    for score in ("dot product", "norm"):
        for scarcity in (0.0, 1.0, 2.0):
            yield f"{score}, scarcity {scarcity:g}", lambda score=score, scarcity=scarcity: bin_centric(problem, score, scarcity)  # type: ignore[misc]
