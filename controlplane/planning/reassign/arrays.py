"""The arrays that the compiled search reads and changes, made from a `Problem`: one tuple that stays, one that changes.

Rows are kept only for groups that need them: one item alone can neither collide with its group nor spread.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from controlplane.planning.reassign.problem import Balance, Integers, Problem

_WORD_BITS = 64


class Fixed(NamedTuple):
    """What never changes. `*_row` map a group to its row in the counts of `Standing`, -1 where it needs none."""

    margin: Integers
    """Hosts × resources: capacity less safety capacity."""
    neighbourhood: Integers
    location: Integers
    host_move_cost: NDArray[np.int32]
    transient: NDArray[np.bool_]
    dear_above: Integers
    dear_below: Integers
    """Cost of a unit above and below the safety capacity: where all hosts together must exceed it, every unit that one
    stays below is one too many on another. Added up, these costs are the load cost less its lower bound."""
    balances: Integers
    """Rows of first and second resource, target, and weights of what is missing and what is left over, likewise."""
    size: Integers
    """Items × resources, and a last row of zeros for no item."""
    group: Integers
    move_cost: Integers
    """Of each item, its weight included."""
    group_move_weight: int
    host_move_weight: int
    initial: Integers
    together_row: Integers
    spread_row: Integers
    spread: Integers
    near_row: Integers
    needs_start: Integers
    """Group g needs the groups needs[needs_start[g]:needs_start[g + 1]]."""
    needs: Integers
    needed_start: Integers
    needed: Integers


class Standing(NamedTuple):
    """Where everything stands, and all sums that follow from it; changed only by `kernels.move`."""

    host: Integers
    """Of each item."""
    first: Integers
    """One item on each host, -1 where there is none; `after` and `before` chain the others."""
    after: Integers
    before: Integers
    room: Integers
    """Hosts × resources: left of the capacity, with what moved items still take of transient resources taken off."""
    over: Integers
    """Hosts × resources: use above the safety capacity, negative below."""
    host_cost: Integers
    occupied: NDArray[np.uint64]
    """One bit for each host and group of two or more items: an item of the group is there."""
    in_location: NDArray[np.int32]
    locations: Integers
    in_neighbourhood: NDArray[np.int32]
    moved: Integers
    """Items away from their initial host, by group."""
    groups_with_moved: Integers
    """How many groups have just so many moved items."""
    totals: Integers
    """The cost above the bound, and the largest number of moved items of one group."""


def fixed_arrays(problem: Problem) -> Fixed:
    """The arrays that stay."""
    members = np.bincount(problem.group, minlength=len(problem.spread))
    related = np.zeros(len(problem.spread), dtype=np.bool_)
    needed_by: list[list[int]] = [[] for _ in problem.depends_on]
    for group, needs in enumerate(problem.depends_on):
        for need in needs:
            related[group] = related[need] = True
            needed_by[need].append(group)
    used = problem.size.sum(axis=0)
    scarce = used > problem.safety.sum(axis=0)
    left = problem.capacity.sum(axis=0) - used
    needs_start, needs_flat = _flat(problem.depends_on)
    needed_start, needed_flat = _flat(needed_by)
    return Fixed(
        margin=np.ascontiguousarray(problem.capacity - problem.safety, dtype=np.int64),
        neighbourhood=_dense(problem.neighbourhood),
        location=_dense(problem.location),
        host_move_cost=np.ascontiguousarray(problem.host_move_cost, dtype=np.int32).reshape(
            (problem.hosts, problem.hosts) if problem.host_move_cost.size else (0, 0)
        ),
        transient=np.ascontiguousarray(problem.transient, dtype=np.bool_),
        dear_above=np.where(scarce, 0, problem.load_weight).astype(np.int64),
        dear_below=np.where(scarce, problem.load_weight, 0).astype(np.int64),
        balances=np.array([_balance_row(each, left) for each in problem.balances], dtype=np.int64).reshape(-1, 5),
        size=np.vstack((problem.size, np.zeros((1, problem.size.shape[1]), dtype=np.int64))).astype(np.int64),
        group=np.ascontiguousarray(problem.group, dtype=np.int64),
        move_cost=problem.item_move_cost.astype(np.int64) * problem.item_move_weight,
        group_move_weight=problem.group_move_weight,
        host_move_weight=problem.host_move_weight,
        initial=np.ascontiguousarray(problem.initial, dtype=np.int64),
        together_row=_rows(members > 1),
        spread_row=_rows(problem.spread > 1),
        spread=np.ascontiguousarray(problem.spread, dtype=np.int64),
        near_row=_rows(related),
        needs_start=needs_start,
        needs=needs_flat,
        needed_start=needed_start,
        needed=needed_flat,
    )


def empty_standing(problem: Problem, fixed: Fixed) -> Standing:
    """Room for everything, with nothing standing anywhere."""
    hosts, items = problem.hosts, problem.items

    def rows(of: Integers) -> int:
        return int(of.max(initial=-1)) + 1

    locations, neighbourhoods = rows(fixed.location), rows(fixed.neighbourhood)
    return Standing(
        host=np.full(items, -1, dtype=np.int64),
        first=np.full(hosts, -1, dtype=np.int64),
        after=np.full(items, -1, dtype=np.int64),
        before=np.full(items, -1, dtype=np.int64),
        room=np.array(problem.capacity, dtype=np.int64, order="C"),
        over=np.array(-problem.safety, dtype=np.int64, order="C"),
        host_cost=np.zeros(hosts, dtype=np.int64),
        occupied=np.zeros((rows(fixed.together_row), -(-hosts // _WORD_BITS)), dtype=np.uint64),
        in_location=np.zeros((rows(fixed.spread_row), locations), dtype=np.int32),
        locations=np.zeros(rows(fixed.spread_row), dtype=np.int64),
        in_neighbourhood=np.zeros((rows(fixed.near_row), neighbourhoods), dtype=np.int32),
        moved=np.zeros(len(fixed.spread), dtype=np.int64),
        groups_with_moved=np.zeros(items + 2, dtype=np.int64),
        totals=np.zeros(2, dtype=np.int64),
    )


def _balance_row(balance: Balance, left: Integers) -> tuple[int, ...]:
    scarce = balance.target * int(left[balance.first]) > int(left[balance.second])
    weights = (0, balance.weight) if scarce else (balance.weight, 0)
    return (balance.first, balance.second, balance.target, *weights)


def _rows(wanted: NDArray[np.bool_]) -> Integers:
    return np.where(wanted, np.cumsum(wanted) - 1, -1).astype(np.int64)


def _dense(labels: Integers) -> Integers:
    """The same classes, numbered from 0 without gaps."""
    return np.unique(labels, return_inverse=True)[1].astype(np.int64).reshape(-1)


def _flat(lists: "tuple[tuple[int, ...], ...] | list[list[int]]") -> tuple[Integers, Integers]:
    starts = np.zeros(len(lists) + 1, dtype=np.int64)
    np.cumsum([len(each) for each in lists], out=starts[1:])
    return starts, np.array([number for each in lists for number in each], dtype=np.int64)
