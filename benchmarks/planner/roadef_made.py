"""Reassignment problems of the project's own, shaped like the challenge's: valid as they stand, far from balanced.

Sizes are heavy-tailed, some hosts are hot, services have replicas, spread and dependencies that the first assignment keeps.
"""

import numpy as np

from controlplane.planning.reassign.problem import Balance, Integers, Problem


def made_problem(
    *,
    hosts: int,
    items: int,
    resources: int = 4,
    transients: int = 1,
    locations: int = 4,
    neighbourhoods: int = 5,
    fill: float = 0.7,
    dependencies: float = 0.2,
    balances: int = 1,
    seed: int = 1,
) -> Problem:
    """A problem whose initial assignment is valid. `fill` is the share of all capacity in use."""
    random = np.random.default_rng(seed)
    location = random.integers(0, locations, hosts)
    neighbourhood = random.integers(0, neighbourhoods, hosts)
    group = np.sort(_groups(random, items, hosts))
    size = np.ceil(random.lognormal(4.0, 1.0, (items, 1)) * random.lognormal(0.0, 0.6, (items, resources))).astype(np.int64)
    size[random.random((items, resources)) < 0.15] = 0
    share = size.sum(axis=0) / fill / hosts
    capacity = np.ceil(share * random.choice([0.6, 1.0, 1.6], (hosts, 1)) + size.max(axis=0) * 0.2).astype(np.int64)
    initial = _scatter(random, group, size, capacity)
    safety = np.floor(capacity * random.uniform(0.6, 0.95, (hosts, resources))).astype(np.int64)
    groups = int(group.max()) + 1
    spread = np.zeros(groups, dtype=np.int64)
    needs: list[tuple[int, ...]] = [() for _ in range(groups)]
    near: list[set[int]] = [set() for _ in range(groups)]
    places: list[set[int]] = [set() for _ in range(groups)]
    for item in range(items):
        near[group[item]].add(int(neighbourhood[initial[item]]))
        places[group[item]].add(int(location[initial[item]]))
    for number in range(groups):
        spread[number] = random.integers(1, len(places[number]) + 1)
        if random.random() < dependencies:
            candidates = random.integers(0, groups, 20)
            needs[number] = tuple({int(c) for c in candidates if c != number and near[number] <= near[c]})[:3]
    sharing = [tuple(random.choice(resources, 2, replace=False)) for _ in range(balances if resources > 1 else 0)]
    return Problem(
        capacity=capacity,
        safety=safety,
        neighbourhood=neighbourhood,
        location=location,
        host_move_cost=_apart(random, location),
        transient=np.arange(resources) < transients,
        load_weight=random.integers(0, 20, resources),
        size=size,
        group=group,
        item_move_cost=random.integers(1, 100, items),
        spread=spread,
        depends_on=tuple(needs),
        balances=tuple(Balance(first=int(a), second=int(b), target=int(random.integers(1, 4)), weight=10) for a, b in sharing),
        item_move_weight=1,
        group_move_weight=10,
        host_move_weight=100,
        initial=initial,
    )


def _groups(random: np.random.Generator, items: int, hosts: int) -> Integers:
    """Most services are small, a few have a process on many hosts."""
    found: list[int] = []
    number = 0
    while len(found) < items:
        members = int(min(max(1, random.pareto(1.2) * 2), hosts // 2 or 1, items - len(found)))
        found += [number] * members
        number += 1
    return np.array(found, dtype=np.int64)


def _scatter(random: np.random.Generator, group: Integers, size: Integers, capacity: Integers) -> Integers:
    """Each item on a random host with room for it and none of its group; where no room is left, capacity is raised."""
    initial = np.zeros(len(group), dtype=np.int64)
    room = capacity.copy()
    taken: dict[int, list[int]] = {}
    for item in random.permutation(len(group)):
        open_to = (room >= size[item]).all(axis=1)
        others = taken.setdefault(int(group[item]), [])
        open_to[others] = False
        candidates = np.flatnonzero(open_to)
        if len(candidates) == 0:
            candidates = np.setdiff1d(np.arange(len(room)), others)
        host = int(random.choice(candidates))
        more = np.maximum(size[item] - room[host], 0)
        capacity[host] += more
        room[host] += more - size[item]
        others.append(host)
        initial[item] = host
    return initial


def _apart(random: np.random.Generator, location: Integers) -> Integers:
    """Nothing on the same host, more between locations."""
    cost = np.where(location[:, None] == location[None, :], 1, 3) + random.integers(0, 2, (len(location), len(location)))
    np.fill_diagonal(cost, 0)
    return cost.astype(np.int64)
