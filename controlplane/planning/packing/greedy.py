"""Constructive starts: bins filled one after the other from rows in several orders, or with what suits the bin best.

First fit fills the same bins whether one looks for a bin for each item or for items for each bin; the latter is quicker. A
bin that can be filled again in the same way is filled so as often as the rows last, so that few flavours cost little.
First-fit-decreasing alone is up to 17 % off on real fleets, hence several.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from controlplane.planning.packing.compiled import Compiled
from controlplane.planning.packing.problem import Bins, Ints, Problem

Floats = NDArray[np.float64]


def starts(problem: Problem) -> dict[str, Callable[[], Bins]]:
    """Every constructive start by name, cheap ones first."""
    found: dict[str, Callable[[], Bins]] = {}
    for name, order in decreasing_orders(problem).items():
        found[f"first fit {name}"] = lambda order=order: first_fit(problem, order)  # type: ignore[misc]
    for scarcity in (0.0, 1.0, 2.0):
        for name, norm in (("dot product", False), ("norm", True)):
            key = f"{name}, scarcity {scarcity:g}"
            found[key] = lambda norm=norm, scarcity=scarcity: best_suited(problem, norm=norm, scarcity=scarcity)  # type: ignore[misc]
    return found


def decreasing_orders(problem: Problem) -> dict[str, Ints]:
    """Rows from large to small, by what large may mean; and as given, since sorting can hurt real fleets."""
    capacity = np.maximum(problem.capacities.max(axis=0), 1)
    share: Floats = problem.sizes / capacity
    demand = (share * problem.copies[:, None]).sum(axis=0)
    scarce = demand / max(float(demand.max(initial=0.0)), 1e-12)
    measures: dict[str, Floats] = {
        "by weighted sum": share @ scarce,
        "by largest share": share.max(axis=1, initial=0.0),
        "by sum": share.sum(axis=1),
        "by norm": (share**2) @ scarce,
        "by sharpened sum": share @ np.exp(3.0 * scarce),
        "by product": np.log(share + 1e-3).sum(axis=1),
    }
    orders = {name: np.argsort(-measure, kind="stable") for name, measure in measures.items()}
    return orders | {"as given": np.arange(len(share))}


def first_fit(problem: Problem, order: Ints) -> Bins:
    """First fit of the rows in this order."""
    admits = np.zeros((0, 0), dtype=np.bool_) if problem.admits is None else np.ascontiguousarray(problem.admits[order])
    picks, filled = _first_fit(
        np.ascontiguousarray(problem.sizes[order]),
        problem.copies[order],
        problem.capacities,
        _stock(problem),
        _roomiest_first(problem),
        admits,
        memberships(problem)[order],
        len(problem.apart),
    )
    return _bins(picks, filled, order)


def best_suited(problem: Problem, *, norm: bool, scarcity: float) -> Bins:
    """Fill each bin with the row that suits what is left of it best: by dot product, or by the norm of what would remain."""
    admits = np.zeros((0, 0), dtype=np.bool_) if problem.admits is None else problem.admits
    picks, filled = _best_suited(
        problem.sizes,
        problem.copies.copy(),
        problem.capacities,
        _stock(problem),
        _roomiest_first(problem),
        admits,
        memberships(problem),
        len(problem.apart),
        norm,
        scarcity,
    )
    return _bins(picks, filled, np.arange(len(problem.copies)))


def memberships(problem: Problem) -> Ints:
    """For each row the groups of items it keeps apart from, padded with -1."""
    groups: list[list[int]] = [[] for _ in range(len(problem.copies))]
    for number, members in enumerate(problem.apart):
        for row in members:
            groups[row].append(number)
    width = max(map(len, groups), default=0)
    return np.array([[*each, *([-1] * (width - len(each)))] for each in groups], dtype=np.int64).reshape(len(groups), width)


def _stock(problem: Problem) -> Ints:
    return np.full(len(problem.capacities), -1, dtype=np.int64) if problem.stock is None else problem.stock


def _roomiest_first(problem: Problem) -> Ints:
    most = np.maximum(problem.capacities.max(axis=0), 1)
    return np.argsort(-(problem.capacities / most).sum(axis=1), kind="stable")


def _bins(picks: Ints, filled: Ints, order: Ints) -> Bins:
    bins = Bins()
    rows, counts = order[picks[:, 0]].tolist(), picks[:, 1].tolist()
    for kind, times, first, last in filled.tolist():
        content: dict[int, int] = {}
        for row, count in zip(rows[first:last], counts[first:last], strict=True):
            content[row] = content.get(row, 0) + count
        for _ in range(times):
            bins.add(kind, content)
    return bins


@Compiled
def _first_fit(  # noqa: PLR0912  one loop for the compiler
    sizes: Ints,
    left: Ints,
    capacities: Ints,
    stock: Ints,
    kinds: Ints,
    admits: NDArray[np.bool_],
    groups: Ints,
    all_groups: int,
) -> tuple[Ints, Ints]:
    """Picks (row, count) and filled bins (kind, times, first pick, end of picks)."""
    rows, dimensions = sizes.shape
    items = left.sum()
    picks, filled = np.empty((items, 2), np.int64), np.empty((items, 4), np.int64)
    done, bins = 0, 0
    alive = np.arange(rows)
    taken = np.full(all_groups, -1, np.int64)
    for kind in kinds:
        made = 0
        while items > 0 and (stock[kind] < 0 or made < stock[kind]):
            free = capacities[kind].copy()
            first, living = done, 0
            for at in range(len(alive)):
                row = alive[at]
                if left[row] == 0:
                    continue
                alive[living] = row
                living += 1
                count = left[row]
                for k in range(dimensions):
                    if sizes[row, k] > free[k]:
                        count = 0
                        break
                    if sizes[row, k] > 0 and count > 1:
                        count = min(count, free[k] // sizes[row, k])
                if count > 0 and len(admits) and not admits[row, kind]:
                    count = 0
                for group in groups[row]:
                    if group >= 0 and count > 0:
                        count = 0 if taken[group] == bins else 1
                if count == 0:
                    continue
                for group in groups[row]:
                    if group >= 0:
                        taken[group] = bins
                for k in range(dimensions):
                    free[k] -= count * sizes[row, k]
                picks[done, 0], picks[done, 1] = row, count
                done += 1
            alive = alive[:living]
            if done == first:
                break
            times = items if stock[kind] < 0 else stock[kind] - made
            for pick in range(first, done):
                times = min(times, left[picks[pick, 0]] // picks[pick, 1])
            for pick in range(first, done):
                left[picks[pick, 0]] -= times * picks[pick, 1]
                items -= times * picks[pick, 1]
            filled[bins, 0], filled[bins, 1], filled[bins, 2], filled[bins, 3] = kind, times, first, done
            bins += 1
            made += times
    return picks[:done], filled[:bins]


@Compiled
def _best_suited(  # noqa: PLR0912, PLR0915  one loop for the compiler
    sizes: Ints,
    left: Ints,
    capacities: Ints,
    stock: Ints,
    kinds: Ints,
    admits: NDArray[np.bool_],
    groups: Ints,
    all_groups: int,
    norm: bool,
    scarcity: float,
) -> tuple[Ints, Ints]:
    rows, dimensions = sizes.shape
    items = left.sum()
    picks, filled = np.empty((items, 2), np.int64), np.empty((items, 4), np.int64)
    done, bins = 0, 0
    taken = np.full(all_groups, -1, np.int64)
    chosen = np.zeros(rows, np.int64)
    for kind in kinds:
        made = 0
        inverse = 1.0 / np.maximum(capacities[kind], 1)
        while items > 0 and (stock[kind] < 0 or made < stock[kind]):
            demand = np.zeros(dimensions)
            for row in range(rows):
                if left[row] > 0:
                    for k in range(dimensions):
                        demand[k] += left[row] * sizes[row, k] * inverse[k]
            weight = (demand / max(demand.max(), 1e-12)) ** scarcity
            free = capacities[kind].copy()
            first = done
            while True:
                best, best_score = -1, 0.0
                for row in range(rows):
                    if left[row] - chosen[row] <= 0 or (len(admits) and not admits[row, kind]):
                        continue
                    score, fits = 0.0, True
                    for k in range(dimensions):
                        if sizes[row, k] > free[k]:
                            fits = False
                            break
                        share, rest = sizes[row, k] * inverse[k], free[k] * inverse[k]
                        if norm:
                            score -= weight[k] * (rest - share) ** 2
                        else:
                            score += share * (weight[k] * rest + 1e-3)
                    if not fits or (best >= 0 and score <= best_score):
                        continue
                    for group in groups[row]:
                        if group >= 0 and taken[group] == bins:
                            fits = False
                    if fits:
                        best, best_score = row, score
                if best < 0:
                    break
                for group in groups[best]:
                    if group >= 0:
                        taken[group] = bins
                chosen[best] += 1
                for k in range(dimensions):
                    free[k] -= sizes[best, k]
                picks[done, 0], picks[done, 1] = best, 1
                done += 1
            if done == first:
                break
            times = items if stock[kind] < 0 else stock[kind] - made
            for pick in range(first, done):
                row = picks[pick, 0]
                times = min(times, left[row] // chosen[row])
            for pick in range(first, done):
                row = picks[pick, 0]
                left[row] -= times
                items -= times
            for pick in range(first, done):
                chosen[picks[pick, 0]] = 0
            filled[bins, 0], filled[bins, 1], filled[bins, 2], filled[bins, 3] = kind, times, first, done
            bins += 1
            made += times
    return picks[:done], filled[:bins]
