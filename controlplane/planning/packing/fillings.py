"""Bins worth most: knapsacks in several dimensions, by depth-first search with surrogate bounds.

Column generation asks for them again and again with new worths. Work is counted in nodes; a search that was cut gives a bound
on what it may have missed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controlplane.planning.packing.compiled import Compiled
from controlplane.planning.packing.problem import Ints

Floats = NDArray[np.float64]

EPSILON = 1e-9
_MULTIPLIER_STEPS = 12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fillings:
    """Fillings of a bin, one a row of `counts`; none is worth more than `bound`; nodes looked at."""

    counts: Ints
    bound: float
    nodes: int


def best_fillings(
    sizes: Ints, capacity: Ints, limits: Ints, worths: Floats, groups: Ints, *, nodes: int, above: float = 0.0, most: int = 1
) -> Fillings:
    """The filling worth most, then that of what it leaves of the rows, and so on, as long as they are worth more than `above`.

    `limits`: copies at hand. `groups`: of each row, padded with -1; a bin takes one item of a group. `nodes` is for each filling.
    """
    used = np.flatnonzero((limits > 0) & (worths > EPSILON) & (sizes <= capacity).all(axis=1))
    if len(used) == 0:
        return Fillings(counts=np.zeros((0, len(limits)), dtype=np.int64), bound=0.0, nodes=0)
    some = capacity > 0
    share: Floats = sizes[used][:, some] / capacity[some]
    mixture, whole = _multipliers(np.ascontiguousarray(share), worths[used], limits[used].astype(np.float64))
    weight = share @ mixture
    order = np.argsort(-worths[used] / np.maximum(weight, 1e-12), kind="stable")
    used = used[order]
    surrogates = np.concatenate([share[order], weight[order][:, None]], axis=1)
    found, bound, looked = _search(
        np.ascontiguousarray(sizes[used][:, some]),
        capacity[some].copy(),
        limits[used],
        worths[used],
        worths[used][:, None] / np.maximum(surrogates, 1e-15),
        mixture / capacity[some],
        1.0 / capacity[some],
        np.ascontiguousarray(groups[used]),
        nodes,
        above,
        most,
    )
    counts = np.zeros((len(found), len(limits)), dtype=np.int64)
    counts[:, used] = found
    return Fillings(counts=counts, bound=min(float(bound), whole + EPSILON), nodes=int(looked))


@Compiled
def _multipliers(share: Floats, worths: Floats, limits: Floats) -> tuple[Floats, float]:
    """A mixture of the dimensions for which the fractional knapsack is worth little: multiplicative steps from the mean."""
    rows, dimensions = share.shape
    mixture = np.full(dimensions, 1.0 / dimensions)
    best, best_worth = mixture, np.inf
    for step in range(_MULTIPLIER_STEPS if dimensions > 1 else 1):
        weight = np.zeros(rows)
        for k in range(dimensions):
            weight += share[:, k] * mixture[k]
        load = np.zeros(dimensions)
        worth, room = 0.0, 1.0
        for row in np.argsort(-worths / np.maximum(weight, 1e-12), kind="mergesort"):
            part = limits[row]
            if weight[row] > 0.0:
                part = min(part, room / weight[row])
            room -= part * weight[row]
            worth += part * worths[row]
            for k in range(dimensions):
                load[k] += part * share[row, k]
            if room <= 0.0:
                break
        if worth < best_worth:
            best, best_worth = mixture, worth
        mixture = mixture * np.exp((load - 1.0) * 2.0 / (1.0 + step))
        mixture = mixture / mixture.sum()
    return best, best_worth


@Compiled
def _search(  # noqa: PLR0912, PLR0915  one loop for the compiler
    sizes: Ints,
    capacity: Ints,
    limits: Ints,
    worths: Floats,
    efficiency: Floats,
    mixture: Floats,
    inverse: Floats,
    groups: Ints,
    nodes: int,
    above: float,
    most_fillings: int,
) -> tuple[Ints, float, int]:
    rows, dimensions = sizes.shape
    found = np.zeros((most_fillings, rows), np.int64)
    suffix = np.zeros((rows, dimensions + 1))
    looked_in_all, first_bound, filled = 0, 0.0, 0
    while filled < most_fillings:
        for k in range(dimensions + 1):
            highest = 0.0
            for i in range(rows - 1, -1, -1):
                if limits[i] > 0:
                    highest = max(highest, efficiency[i, k])
                suffix[i, k] = highest
        free = capacity.copy()
        count = np.zeros(rows, np.int64)
        taken = np.zeros(groups.max() + 1 if groups.size else 0, np.int64)
        value, best_value, missed = 0.0, above, 0.0
        better = False
        position, looked = 0, 0
        while True:
            while position < rows:
                if limits[position] == 0:
                    position += 1
                    continue
                looked += 1
                rest = 0.0
                for k in range(dimensions):
                    rest += free[k] * mixture[k]
                most = rest * suffix[position, dimensions]
                for k in range(dimensions):
                    by_one = free[k] * inverse[k] * suffix[position, k]
                    most = min(most, by_one)
                if value + most <= best_value + 1e-9:
                    break
                if looked > nodes:
                    missed = max(missed, value + most)
                    break
                copies = limits[position]
                for k in range(dimensions):
                    if sizes[position, k] > 0:
                        copies = min(copies, free[k] // sizes[position, k])
                for group in groups[position]:
                    if group >= 0:
                        copies = 0 if taken[group] else min(copies, 1)
                if copies > 0:
                    count[position] = copies
                    value += copies * worths[position]
                    for k in range(dimensions):
                        free[k] -= copies * sizes[position, k]
                    for group in groups[position]:
                        if group >= 0:
                            taken[group] = 1
                position += 1
            if value > best_value + 1e-12:
                best_value = value
                found[filled] = count
                better = True
            back = position - 1
            while back >= 0 and count[back] == 0:
                back -= 1
            if back < 0:
                break
            count[back] -= 1
            value -= worths[back]
            for k in range(dimensions):
                free[k] += sizes[back, k]
            for group in groups[back]:
                if group >= 0:
                    taken[group] = 0
            position = back + 1
        looked_in_all += looked
        if filled == 0:
            first_bound = max(best_value, missed)
        if not better:
            break
        for i in range(rows):
            if found[filled, i] > 0:
                limits[i] = limits[i] % found[filled, i]
        filled += 1
    return found[:filled], first_bound, looked_in_all
