"""The configuration LP by column generation: its value is the strongest bound at hand, its columns the parts of packings.

Master: fewest bins, each filled after a pattern, so that every row is covered (Gilmore and Gomory 1961), with stock as limits.
Pricing: the filling worth most under the duals. Where pricing was cut short, Farley's bound still holds.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil

import highspy
import numpy as np

from controlplane.planning.packing.fillings import Fillings, Floats, best_fillings
from controlplane.planning.packing.greedy import memberships
from controlplane.planning.packing.highs import quiet_lp
from controlplane.planning.packing.listing import best_listed, listed_fillings
from controlplane.planning.packing.meter import Meter
from controlplane.planning.packing.problem import Bins, Ints, Problem

_QUICK_NODES = 3_000
_FURTHER_NODES = 100_000
_THOROUGH_NODES = 4_000_000
_ROUNDS = 4_000
_FILLINGS = 400
_LISTED = 2_500_000
"""Fillings up to which all are listed, and the best looked up rather than searched for."""
_LOOKUP = 5
"""Array elements that a look-up goes over for each filling that is listed."""
_LOOKUPS, _SHARE_OF_LOOKUPS = 200, 0.5
"""Look-ups that there should be work for in a part of what is left, or the list is not made."""
_SMOOTHING = 0.5
_PENALTY = 1e3
"""Cost of leaving an item uncovered in the master; high enough that no packing has it, low enough not to blur the duals."""
_DUAL_SIMPLEX, _PRIMAL_SIMPLEX = 1, 4
"""After a change of demand the old basis is dual feasible, after new columns primal feasible; the right one is five times faster."""
_SAFETY = 1e-6
"""Bounds are taken down by this before they are rounded up."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pattern:
    """One way to fill a bin of a kind: rows and how many of each."""

    kind: int
    rows: Ints
    counts: Ints


class Master:
    """The restricted master problem, kept warm between changes."""

    def __init__(self, problem: Problem, meter: Meter) -> None:
        self._problem = problem
        self._listed = _every_filling(problem, meter) if problem.uniform else None
        """Every filling there is, where these are few enough."""
        self._meter = meter
        self._rows = len(problem.copies)
        self._kinds = len(problem.capacities)
        self.patterns: list[Pattern] = []
        self._known: set[tuple[int, bytes]] = set()
        self._groups = memberships(problem)
        self._wanted = problem.copies.copy()
        self._stock = np.full(self._kinds, -1, dtype=np.int64) if problem.stock is None else problem.stock.copy()
        self._lp = quiet_lp(presolve="off")
        infinity = highspy.kHighsInf
        for copies in self._wanted:
            self._lp.addRow(float(copies), infinity, 0, np.array([], dtype=np.int32), np.array([], dtype=np.float64))
        for stock in self._stock:
            most = infinity if stock < 0 else float(stock)
            self._lp.addRow(-infinity, most, 0, np.array([], dtype=np.int32), np.array([], dtype=np.float64))
        self._demand_changed = False
        for row in range(self._rows):
            self._lp.addCol(_PENALTY, 0.0, infinity, 1, np.array([row], dtype=np.int32), np.array([1.0]))

    @property
    def wanted(self) -> Ints:
        """Items of each row that are still to be covered."""
        return self._wanted

    def start_with(self, bins: Bins) -> None:
        """The patterns of a packing."""
        self.add(_pattern(kind, content) for kind, content in zip(bins.kinds, bins.contents, strict=True))

    def add(self, patterns: Iterable[Pattern]) -> int:
        """New columns; those known already are left out. Returns how many were new."""
        added = 0
        for pattern in patterns:
            key = (pattern.kind, np.concatenate([pattern.rows, pattern.counts]).tobytes())
            if key in self._known:
                continue
            self._known.add(key)
            self.patterns.append(pattern)
            index = np.append(pattern.rows, self._rows + pattern.kind).astype(np.int32)
            value = np.append(pattern.counts, 1).astype(np.float64)
            self._lp.addCol(1.0, 0.0, highspy.kHighsInf, len(index), index, value)
            added += 1
        return added

    def demand(self, wanted: Ints, stock: Ints) -> None:
        """Ask for these items of each row, with this stock of each kind (negative: without limit)."""
        for row in np.flatnonzero(wanted != self._wanted):
            self._lp.changeRowBounds(int(row), float(wanted[row]), highspy.kHighsInf)
        for kind in np.flatnonzero(stock != self._stock):
            self._lp.changeRowBounds(self._rows + int(kind), -highspy.kHighsInf, float(stock[kind]))
        self._wanted, self._stock = wanted.copy(), stock.copy()
        self._demand_changed = True

    def solve(self) -> tuple[float, Floats, Floats, Floats]:
        """Value, how often each pattern is used, duals of rows and of kinds."""
        self._lp.setOptionValue("simplex_strategy", _DUAL_SIMPLEX if self._demand_changed else _PRIMAL_SIMPLEX)
        self._demand_changed = False
        self._lp.run()
        self._meter.simplex(max(1, self._lp.getInfo().simplex_iteration_count), self._rows)
        solution = self._lp.getSolution()
        dual = np.array(solution.row_dual)
        return (
            self._lp.getInfo().objective_function_value,
            np.array(solution.col_value)[self._rows :],
            dual[: self._rows],
            dual[self._rows :],
        )

    def generate(self, *, known: int = 0, rounds: int = _ROUNDS, thorough: bool = True) -> tuple[float, Floats, float]:
        """Add columns until none helps or the rounds or the work are over. Returns value, use of patterns, proved bound.

        Stops as soon as the bound, rounded up, cannot rise any more; `known` bins are proved already.
        """
        bound = float(known)
        centre = np.zeros(self._rows)
        while True:
            value, use, worths, stock_duals = self.solve()
            rounds -= 1
            if rounds < 0 or self._meter.spent or ceil(bound - _SAFETY) >= ceil(value - _SAFETY):
                return value, use, bound
            worths = np.maximum(worths, 0.0)
            if self._listed is not None:
                worth = self._fill(0, worths, 0, np.inf, 0).bound
                bound = max(bound, self._farley(worths, stock_duals, np.array([worth])))
            centre = _SMOOTHING * centre + (1 - _SMOOTHING) * worths
            if self.add(self._cover(centre, worths, stock_duals, _QUICK_NODES)):
                continue
            centre = worths
            if any(self.add(self._cover(worths, worths, stock_duals, nodes)) for nodes in (_QUICK_NODES, _FURTHER_NODES)):
                continue
            if not thorough:
                return value, use, bound
            fresh, most = self._thorough(worths, stock_duals)
            bound = max(bound, self._farley(worths, stock_duals, most))
            if not self.add(fresh):
                return value, use, bound

    def _farley(self, worths: Floats, stock_duals: Floats, most: Floats) -> float:
        """A dual solution made feasible by scaling, from bounds on the worth of a filling of each kind."""
        limited = self._stock >= 0
        scale = 1.0
        for kind, bound in enumerate(most):
            room = 1.0 - (stock_duals[kind] if limited[kind] else 0.0)
            scale = max(scale, bound / room)
        return float(worths @ self._wanted + stock_duals[limited] @ self._stock[limited]) / scale

    def _cover(self, searched: Floats, worths: Floats, stock_duals: Floats, nodes: int) -> list[Pattern]:
        """Patterns that together cover much, each from a short search with some worths over what the others leave.

        Only those that pay under the true duals are given.
        """
        found: list[Pattern] = []
        for kind, price in self._prices(stock_duals):
            above = price + 1e-7 if searched is worths else 0.9 * price
            for counts in self._fill(kind, searched, nodes, above, _FILLINGS).counts:
                if float(worths @ counts) > price + 1e-7:
                    used = np.flatnonzero(counts)
                    found.append(Pattern(kind=kind, rows=used, counts=counts[used]))
        return found

    def _thorough(self, worths: Floats, stock_duals: Floats) -> tuple[list[Pattern], Floats]:
        """The pattern that pays most of each kind, and a bound on what any pattern of it is worth."""
        found: list[Pattern] = []
        most = np.zeros(self._kinds)
        for kind, price in self._prices(stock_duals):
            fillings = self._fill(kind, worths, _THOROUGH_NODES, price + 1e-7, 1)
            most[kind] = max(fillings.bound, price + 1e-7)
            for counts in fillings.counts:
                used = np.flatnonzero(counts)
                found.append(Pattern(kind=kind, rows=used, counts=counts[used]))
        return found, most

    def _prices(self, stock_duals: Floats) -> Iterator[tuple[int, float]]:
        """What a bin of each kind that is in stock must be worth to pay."""
        for kind in range(self._kinds):
            if self._stock[kind] != 0:
                yield kind, 1.0 - min(0.0, float(stock_duals[kind]))

    def _limits(self, kind: int) -> Ints:
        if self._problem.admits is None:
            return self._wanted.copy()
        return np.where(self._problem.admits[:, kind], self._wanted, 0)

    def _fill(self, kind: int, worths: Floats, nodes: int, above: float, most: int) -> Fillings:
        if self._listed is not None:
            self._meter.elements(_LOOKUP * len(self._listed))
            return best_listed(self._listed, self._wanted, worths, above=above, most=most)
        capacity = self._problem.capacities[kind]
        fillings = best_fillings(
            self._problem.sizes, capacity, self._limits(kind), worths, self._groups, nodes=nodes, above=above, most=most
        )
        self._meter.nodes(fillings.nodes)
        self._meter.elements(20 * self._problem.sizes.size)
        return fillings


def _every_filling(problem: Problem, meter: Meter) -> Ints | None:
    affordable = meter.elements_in(_SHARE_OF_LOOKUPS) // (_LOOKUPS * _LOOKUP)
    return listed_fillings(problem, problem.capacities[0], meter, min(_LISTED, affordable))


def _pattern(kind: int, content: dict[int, int]) -> Pattern:
    rows = np.array(sorted(content), dtype=np.int64)
    return Pattern(kind=kind, rows=rows, counts=np.array([content[int(row)] for row in rows], dtype=np.int64))
