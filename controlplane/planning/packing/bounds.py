"""Fewest bins that any packing needs, without looking for one: dimension bounds and dual-feasible functions.

Whole numbers throughout: a bound that is rounded wrongly would be a lie.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from controlplane.planning.packing.problem import Ints, Problem

_THRESHOLDS = 200
"""Thresholds tried for each dual-feasible function; more have not been seen to help."""
_STAIRS = 12
"""Steps of the staircase functions u(k)."""
_PAIRS_UP_TO = 8
"""Dimensions up to which mixtures of two are tried too."""
_LARGEST = 1 << 58


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A proved number of bins and how it was proved."""

    bins: int
    proof: str


def best_of(*bounds: Bound) -> Bound:
    """The highest; of equals the first."""
    return max(bounds, key=lambda bound: bound.bins)


def dimension_bound(problem: Problem) -> Bound:
    """For each dimension the fewest bins, roomiest first, that hold the sum of it (Caprara and Toth 2001, for unequal bins)."""
    best = Bound(bins=1 if problem.items else 0, proof="there are items")
    wanted = (problem.sizes * problem.copies[:, None]).sum(axis=0)
    for dimension, amount in enumerate(wanted):
        best = best_of(best, Bound(bins=_fewest(problem, dimension, int(amount)), proof=f"sum of dimension {dimension + 1}"))
    return best


def _fewest(problem: Problem, dimension: int, amount: int) -> int:
    rooms = problem.capacities[:, dimension]
    if problem.stock is None:
        room = int(rooms.max())
        return -(-amount // room) if room else 0
    count = 0
    for kind in np.argsort(-rooms, kind="stable"):
        room, there = int(rooms[kind]), int(problem.stock[kind])
        if amount <= 0 or room <= 0:
            break
        used = min(there, -(-amount // room))
        count, amount = count + used, amount - used * room
    return count


def apart_bound(problem: Problem) -> Bound:
    """The items of a group that keep apart need a bin each."""
    most = max((int(problem.copies[list(group)].sum()) for group in problem.apart), default=0)
    return Bound(bins=most, proof="items that keep apart")


def dual_feasible_bound(problem: Problem) -> Bound:
    """One kind of bin: the best of classical dual-feasible functions in each dimension and in means of two.

    Fekete and Schepers 2001 (u, U); Carlier, Clautiaux and Moukrim 2007 (the rounding function). Any convex mixture of
    dimensions is a size that one bin holds at most once, so the functions apply to mixtures as well.
    """
    best = Bound(bins=0, proof="dual-feasible functions")
    if len(problem.capacities) != 1:
        return best
    for sizes, capacity in _mixtures(problem):
        for weights, whole in _functions(sizes, capacity):
            best = best_of(best, Bound(bins=-(-int(weights @ problem.copies) // whole), proof=best.proof))
    return best


def _mixtures(problem: Problem) -> Iterator[tuple[Ints, int]]:
    room = [int(capacity) for capacity in problem.capacities[0]]
    most = _LARGEST // max(1, problem.items * (_STAIRS + 1))
    used = [dimension for dimension, capacity in enumerate(room) if 0 < capacity < most]
    yield from ((problem.sizes[:, dimension], room[dimension]) for dimension in used)
    for one in used if len(used) <= _PAIRS_UP_TO else ():
        for other in used:
            if one < other and 2 * room[one] * room[other] < most:
                mixed = problem.sizes[:, one] * room[other] + problem.sizes[:, other] * room[one]
                yield mixed, 2 * room[one] * room[other]


def _functions(sizes: Ints, capacity: int) -> Iterator[tuple[Ints, int]]:
    """Each function's values and its value for a whole bin."""
    for stairs in range(1, _STAIRS + 1):
        exact = (stairs + 1) * sizes % capacity == 0
        yield np.where(exact, sizes * stairs, (stairs + 1) * sizes // capacity * capacity), capacity * stairs
    thresholds = np.unique(np.concatenate([sizes, capacity - sizes]))
    thresholds = thresholds[(thresholds > 0) & (2 * thresholds <= capacity)]
    if len(thresholds) > _THRESHOLDS:
        thresholds = thresholds[np.linspace(0, len(thresholds) - 1, _THRESHOLDS).astype(int)]
    for threshold in map(int, thresholds):
        kept = np.where(sizes >= threshold, sizes, 0)
        yield np.where(sizes > capacity - threshold, capacity, kept), capacity
        whole = capacity // threshold
        small = 2 * (sizes // threshold)
        large = 2 * (whole - (capacity - sizes) // threshold)
        yield np.where(2 * sizes < capacity, small, np.where(2 * sizes > capacity, large, whole)), 2 * whole
