"""The search: annealing of shifts, swaps and chains in rounds, then descent to where no single move helps.

Deterministic: the same problem, seed and rounds give the same result. A round is told how far the whole search is, from 0
to 1, and cools accordingly; whoever calls decides whether that is counted in rounds or read from a clock.
"""

import math
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from controlplane.planning.reassign.arrays import empty_standing, fixed_arrays
from controlplane.planning.reassign.bounds import cost_bound
from controlplane.planning.reassign.problem import Integers, Problem

TRIES_OF_A_ROUND = 50_000
_SCANS_OF_A_ROUND = 1_000_000
"""Pairs of item and host looked at in a round of descent."""
_UPHILL_SAMPLES = 2_000
_COLD = 1e-3
"""Last temperature, as a share of the median cost that a random shift adds at first."""
_HOTTEST, _MILDEST = 100.0, 1.0
_PATIENT, _HASTY = 20_000.0, 1_000.0
"""First temperature: the hottest for a search with the patience of so many tries an item, the mildest for a hasty one.

A hot start leaves deep valleys and is lost time where each item is tried only a few hundred times. Measured on made problems
of 1,000 and 20,000 items, where each was best of four.
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """An assignment and its cost as the search reckons it."""

    hosts: Integers
    cost: int


class Search:
    """A search under way; it never gets worse than what it started from."""

    def __init__(self, problem: Problem, *, seed: int = 1, start: Integers | None = None) -> None:
        self._kernels: Any = import_module("controlplane.planning.reassign.kernels")
        self._bound = cost_bound(problem).total
        self._fixed = fixed_arrays(problem)
        self._standing = empty_standing(problem, self._fixed)
        if _crowded(self._fixed.group, start_hosts := problem.initial if start is None else start):
            raise ValueError("two items of a group stand on one host; place one of them anew first")
        self._kernels.stand(self._fixed, self._standing, start_hosts)
        self._random = np.array([(seed * 0x9E3779B97F4A7C15 + 0x1234567) % 2**64 or 1], dtype=np.uint64)
        self._best = self._standing.host.copy()
        self._best_cost = self.cost
        self._next = 0
        self._since_gain = 0
        self._scale = 0.0

    @property
    def cost(self) -> int:
        """Of where everything stands now."""
        return self._bound + int(self._standing.totals[0])

    @property
    def best(self) -> Found:
        """The best so far."""
        return Found(hosts=self._best.copy(), cost=self._best_cost)

    def descend(self) -> bool:
        """A round of descent over some items; False when no item has moved since all were last looked at."""
        items, hosts = len(self._standing.host), len(self._standing.host_cost)
        count = min(items, max(1, _SCANS_OF_A_ROUND // max(1, hosts)))
        taken = int(self._kernels.descend(self._fixed, self._standing, self._next, count)) if items else 0
        self._next = (self._next + count) % max(1, items)
        self._since_gain = 0 if taken else self._since_gain + count
        self._keep()
        return self._since_gain < items

    def anneal(self, progress: float, *, rounds: int) -> None:
        """A round of random moves; `progress` from 0 to 1 says how far the search is, `rounds` how many it will take in all."""
        if len(self._standing.host) == 0 or len(self._standing.host_cost) < 2:
            return
        if not self._scale:
            self._scale = self._uphill()
        hot = first_temperature(rounds * TRIES_OF_A_ROUND / len(self._standing.host))
        temperature = self._scale * hot * (_COLD / hot) ** min(1.0, max(0.0, progress))
        self._kernels.anneal(self._fixed, self._standing, self._random, TRIES_OF_A_ROUND, temperature)
        self._keep()

    def settle(self) -> None:
        """Go back to the best assignment so far, so that a descent starts from there."""
        if self.cost > self._best_cost:
            self._restart(self._best)

    def _restart(self, hosts: Integers) -> None:
        for item in np.flatnonzero(self._standing.host != hosts):
            self._kernels.move(self._fixed, self._standing, int(item), int(hosts[item]))

    def _uphill(self) -> float:
        costs = np.zeros(_UPHILL_SAMPLES, dtype=np.int64)
        found = int(self._kernels.uphill(self._fixed, self._standing, self._random, costs))
        return float(np.median(costs[:found])) if found else 1.0

    def _keep(self) -> None:
        if self.cost < self._best_cost:
            self._best_cost = self.cost
            self._best[:] = self._standing.host


def first_temperature(tries_an_item: float) -> float:
    """From mildest to hottest, even on logarithmic scales."""
    share = math.log(max(1.0, tries_an_item / _HASTY)) / math.log(_PATIENT / _HASTY)
    return float(_MILDEST * (_HOTTEST / _MILDEST) ** min(1.0, share))


def reassign(problem: Problem, *, rounds: int, seed: int = 1, start: Integers | None = None) -> Found:
    """The best assignment found with so many rounds of annealing, and the descent after them."""
    search = Search(problem, seed=seed, start=start)
    for number in range(rounds):
        search.anneal(number / max(1, rounds - 1), rounds=rounds)
    search.settle()
    while search.descend():
        pass
    return search.best


def _crowded(group: Integers, hosts: Integers) -> bool:
    pairs = group * (int(hosts.max(initial=0)) + 1) + hosts
    return len(np.unique(pairs)) < len(pairs)
