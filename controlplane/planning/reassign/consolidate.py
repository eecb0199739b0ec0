"""Fewer hosts with few migrations: which hosts to empty, and where what stood on them goes.

How few hosts can do is asked of the packing of all items as if none stood anywhere; its bound is the target. The hosts with
the fewest items are emptied, their items go where they fill best, and the search repairs what does not fit: there capacity is
a cost, and moving an item that could stay is a small one. When it cannot be repaired, one host more is kept.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from controlplane.planning.packing import Work, problem_of_items, solve
from controlplane.planning.reassign.problem import Integers, Problem
from controlplane.planning.reassign.search import Search

_UNIT = 1_000_000
"""Cost of exceeding an average host by its whole capacity in one dimension."""
_ROUNDS_OF_A_REPAIR = 12
_REPAIRS = 6
"""Numbers of hosts tried with repair before the hosts needed are raised faster."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Consolidation:
    """Where each item goes. `bound`: no placement uses fewer hosts; `necessary`: nor moves fewer items to use so few."""

    hosts: Integers
    hosts_before: int
    hosts_used: int
    bound: int
    migrations: int
    necessary: int


def consolidate(sizes: Integers, capacities: Integers, where: Integers, *, work: Work) -> Consolidation:
    """Items × dimensions, hosts × dimensions and the host of each item. Where nothing can be won, everything stays."""
    counts = np.bincount(where, minlength=len(capacities))
    before = int((counts > 0).sum())
    kinds, stock = np.unique(capacities, axis=0, return_counts=True)
    packing, _ = problem_of_items(sizes, kinds, stock.astype(np.int64))
    bound = min(before, max(1 if len(sizes) else 0, solve(packing, work=work).lower_bound))
    hosts, keep, step = where, bound, 1
    for attempt in range(before):
        if keep >= before:
            break
        found = _kept_only(sizes, capacities, where, counts, keep, work.seed)
        if found is not None:
            hosts = found
            break
        keep += step
        step *= 2 if attempt >= _REPAIRS else 1
    used = len(np.unique(hosts))
    lightest = np.sort(counts[counts > 0])
    return Consolidation(
        hosts=hosts,
        hosts_before=before,
        hosts_used=used,
        bound=bound,
        migrations=int((hosts != where).sum()),
        necessary=int(lightest[: before - used].sum()),
    )


def _kept_only(sizes: Integers, capacities: Integers, where: Integers, counts: Integers, keep: int, seed: int) -> Integers | None:
    """A placement on so many of the hosts, or None when none was found."""
    kept = _hosts_to_keep(sizes, capacities, where, counts, keep)
    if kept is None:
        return None
    number_of = np.full(len(capacities), -1, dtype=np.int64)
    number_of[kept] = np.arange(len(kept))
    here, stays = number_of[where], number_of[where] >= 0
    start = _fill(sizes, capacities[kept], here, _weights(sizes, capacities[kept]))
    used = np.zeros((len(kept), sizes.shape[1]), dtype=np.int64)
    np.add.at(used, start, sizes)
    if (used > capacities[kept]).any():
        start = _repaired(sizes, capacities[kept], start, stays, seed)
        used[:] = 0
        np.add.at(used, start, sizes)
        if (used > capacities[kept]).any():
            return None
    hosts: Integers = kept[start]
    return hosts


def _hosts_to_keep(sizes: Integers, capacities: Integers, where: Integers, counts: Integers, keep: int) -> Integers | None:
    """The hosts with most items, the fuller first among equals; exchanged for larger ones while they cannot hold the sum."""
    share = np.zeros(len(capacities))
    np.add.at(share, where, (sizes / np.maximum(1, capacities.max(axis=0))).sum(axis=1))
    order = np.lexsort((-share, -counts))
    order = order[counts[order] > 0]
    kept, spare = list(order[:keep]), list(order[keep:])
    wanted = sizes.sum(axis=0)
    while (capacities[kept].sum(axis=0) < wanted).any():
        missing = int(np.argmax(wanted - capacities[kept].sum(axis=0)))
        smallest = min(range(len(kept)), key=lambda at: (capacities[kept[at], missing], counts[kept[at]]))
        larger = [at for at in range(len(spare)) if capacities[spare[at], missing] > capacities[kept[smallest], missing]]
        if not larger:
            return None
        chosen = max(larger, key=lambda at: (capacities[spare[at], missing], counts[spare[at]]))
        kept[smallest] = spare.pop(chosen)
    return np.array(sorted(kept), dtype=np.int64)


def _weights(sizes: Integers, capacities: Integers) -> Integers:
    """Cost of a unit too much in each dimension, so that a whole host too much costs the same in all."""
    weights: Integers = np.maximum(1, np.ceil(_UNIT / np.maximum(1.0, capacities.mean(axis=0)))).astype(np.int64)
    return weights


def _fill(sizes: Integers, capacities: Integers, here: Integers, weights: Integers) -> Integers:
    """Largest first, each where the least is left in the scarcer dimensions; what fits nowhere goes where it exceeds least."""
    start = here.copy()
    room = capacities.copy()
    np.subtract.at(room, here[here >= 0], sizes[here >= 0])
    demand = sizes.sum(axis=0) / np.maximum(1, capacities.sum(axis=0))
    scarcity = weights * demand**4
    moving = np.flatnonzero(here < 0)
    order = moving[np.argsort(-(sizes[moving] * scarcity).sum(axis=1), kind="stable")]
    kernels: Any = import_module("controlplane.planning.reassign.kernels")
    kernels.fill(np.ascontiguousarray(sizes), order, room, scarcity, weights, start)
    return start


def _repaired(
    sizes: Integers, capacities: Integers, start: Integers, stays: "np.typing.NDArray[np.bool_]", seed: int
) -> Integers:
    """The best the search finds where exceeding a capacity costs, and moving what may stay costs a little."""
    weights = _weights(sizes, capacities)
    typical = int(np.median((sizes * weights).sum(axis=1)))
    items, hosts = len(sizes), len(capacities)
    problem = Problem(
        capacity=np.full_like(capacities, 2**40),
        safety=capacities,
        neighbourhood=np.zeros(hosts, dtype=np.int64),
        location=np.zeros(hosts, dtype=np.int64),
        host_move_cost=np.zeros((0, 0), dtype=np.int64),
        transient=np.zeros(sizes.shape[1], dtype=np.bool_),
        load_weight=weights,
        size=sizes,
        group=np.arange(items),
        item_move_cost=np.where(stays, max(1, typical // 200), 0),
        spread=np.zeros(items, dtype=np.int64),
        depends_on=tuple(() for _ in range(items)),
        balances=(),
        item_move_weight=1,
        group_move_weight=0,
        host_move_weight=0,
        initial=start,
    )
    search = Search(problem, seed=seed)
    for number in range(_ROUNDS_OF_A_REPAIR):
        search.anneal(number / (_ROUNDS_OF_A_REPAIR - 1), rounds=_ROUNDS_OF_A_REPAIR)
    search.settle()
    while search.descend():
        pass
    return search.best.hosts
