"""The machine reassignment problem (ROADEF/EURO challenge 2012): items stand on hosts, and may move where it pays.

In the challenge's words an item is a process, a host a machine and a group a service. It is the product's own rebalancing
problem too. Arrays alone, so that the search may be compiled; knows nothing of estates, plans or files.

Hard: on each host, for each resource, what stands there fits in the capacity; of a transient resource an item that moved
still takes its amount on the host it came from. Items of a group stand on different hosts and over at least `spread`
locations. Where a group depends on another, each of its items has an item of the other in its neighbourhood.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

_MOST = 2**62
"""Costs are summed in 64 bits; a problem whose cost could reach this is refused."""
_MOST_HOST_MOVE_COST = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """On each host `weight` × max(0, `target` × what is left of `first` - what is left of `second`)."""

    first: int
    second: int
    target: int
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """One problem. Rows are hosts, items or groups as named; columns of two-dimensional arrays are resources."""

    capacity: Integers
    """Hosts × resources."""
    safety: Integers
    """Hosts × resources: use above it costs `load_weight` a unit."""
    neighbourhood: Integers
    location: Integers
    host_move_cost: Integers
    """Hosts × hosts, from × to; empty where no pair of hosts costs anything."""
    transient: Booleans
    load_weight: Integers
    size: Integers
    """Items × resources."""
    group: Integers
    """Group of each item."""
    item_move_cost: Integers
    spread: Integers
    """Least number of locations, by group."""
    depends_on: tuple[tuple[int, ...], ...]
    """The groups that each group needs in its neighbourhood."""
    balances: tuple[Balance, ...]
    item_move_weight: int
    group_move_weight: int
    """Costs the largest number of items of one group that moved."""
    host_move_weight: int
    initial: Integers
    """Host of each item now."""

    def __post_init__(self) -> None:
        """Raises ValueError when shapes or numbers do not fit together, or costs could exceed 64 bits."""
        hosts, resources = self.capacity.shape
        items, groups = len(self.group), len(self.spread)
        shapes = {
            "safety": (self.safety.shape, (hosts, resources)),
            "neighbourhood": (self.neighbourhood.shape, (hosts,)),
            "location": (self.location.shape, (hosts,)),
            "transient": (self.transient.shape, (resources,)),
            "load_weight": (self.load_weight.shape, (resources,)),
            "size": (self.size.shape, (items, resources)),
            "item_move_cost": (self.item_move_cost.shape, (items,)),
            "initial": (self.initial.shape, (items,)),
            "depends_on": ((len(self.depends_on),), (groups,)),
        }
        if self.host_move_cost.size:
            shapes["host_move_cost"] = (self.host_move_cost.shape, (hosts, hosts))
        for name, (found, wanted) in shapes.items():
            if found != wanted:
                raise ValueError(f"{name}: wanted shape {wanted}, found {found}")
        for name, values, end in (("initial", self.initial, hosts), ("group", self.group, groups)):
            if items and not (values.min() >= 0 and values.max() < end):
                raise ValueError(f"{name}: wanted numbers from 0 to {end - 1}, found {values.min()} to {values.max()}")
        if self.host_move_cost.size and self.host_move_cost.max() >= _MOST_HOST_MOVE_COST:
            raise ValueError(f"host_move_cost: wanted less than {_MOST_HOST_MOVE_COST}, found {self.host_move_cost.max()}")
        if self._most_cost() >= _MOST:
            raise ValueError("costs may exceed 64 bits; scale sizes, capacities or weights down")

    @property
    def hosts(self) -> int:
        """Number of hosts."""
        return len(self.capacity)

    @property
    def items(self) -> int:
        """Number of items."""
        return len(self.group)

    def _most_cost(self) -> int:
        used = [int(value) for value in self.size.sum(axis=0, dtype=np.int64)]
        room = [int(value) for value in self.capacity.sum(axis=0, dtype=np.int64)]
        load = sum(int(weight) * amount for weight, amount in zip(self.load_weight, used, strict=True))
        balance = sum(
            each.weight * (each.target * (room[each.first] + used[each.first]) + room[each.second] + used[each.second])
            for each in self.balances
        )
        moves = self.item_move_weight * int(self.item_move_cost.sum()) + self.group_move_weight * self.items
        apart = self.host_move_weight * int(self.host_move_cost.max(initial=0)) * self.items
        return load + balance + moves + apart
