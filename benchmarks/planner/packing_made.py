"""Packing instances and fleets of the project's own, of the published classes; numbers come from the seed alone.

Uniform, correlated and anti-correlated follow Caprara and Toth (2001) and Panigrahy et al. (2011) in kind: sizes between a
tenth and four tenths of a bin, all alike in a row, or opposed in pairs of dimensions. Triplets are cut from full bins, three
items each, so a third of their number is the optimum. Fleets have a few flavours, as real ones do.
"""

import numpy as np

from benchmarks.planner.fleet import SCALE, Fleet
from controlplane.planning.packing import Problem, problem_of_items
from controlplane.planning.reassign.problem import Integers

CAPACITY = 1_000
_FLAVOURS = ((1, 2), (1, 4), (2, 4), (2, 8), (4, 8), (4, 16), (8, 16), (8, 32), (16, 32), (16, 64), (2, 16), (4, 32))
_SHARES = (20, 16, 18, 12, 10, 8, 5, 4, 2, 1, 2, 2)
_HOST = (64, 256)


def uniform(items: int, dimensions: int, seed: int) -> Problem:
    """Every size by itself."""
    random = np.random.default_rng(seed)
    return _problem(random.integers(CAPACITY // 10, CAPACITY * 4 // 10 + 1, (items, dimensions)))


def correlated(items: int, dimensions: int, seed: int) -> Problem:
    """An item large in one dimension is large in all."""
    random = np.random.default_rng(seed)
    base = random.integers(CAPACITY // 10, CAPACITY * 4 // 10 + 1, (items, 1))
    return _problem(np.clip(base + random.integers(-CAPACITY // 20, CAPACITY // 20 + 1, (items, dimensions)), 1, CAPACITY))


def anticorrelated(items: int, dimensions: int, seed: int) -> Problem:
    """An item large in one dimension is small in the next."""
    random = np.random.default_rng(seed)
    base = random.integers(CAPACITY // 10, CAPACITY * 4 // 10 + 1, (items, 1))
    sizes = np.where(np.arange(dimensions) % 2, CAPACITY // 2 - base, base)
    return _problem(np.clip(sizes + random.integers(-CAPACITY // 50, CAPACITY // 50 + 1, (items, dimensions)), 1, CAPACITY))


def triplets(bins: int, dimensions: int, seed: int) -> Problem:
    """Three items fill a bin to the brim in every dimension; the optimum is `bins`."""
    random = np.random.default_rng(seed)
    first = random.integers(CAPACITY * 38 // 100, CAPACITY * 49 // 100 + 1, (bins, dimensions))
    second = np.stack([random.integers(CAPACITY // 4 + 1, (CAPACITY - first[:, d]) // 2 + 1) for d in range(dimensions)], axis=1)
    return _problem(np.concatenate((first, second, CAPACITY - first - second)))


def flavours(items: int, seed: int) -> Problem:
    """A fleet's machines as they are bought: a dozen sizes in vCPU and memory."""
    random = np.random.default_rng(seed)
    chosen = random.choice(len(_FLAVOURS), items, p=np.array(_SHARES) / sum(_SHARES))
    problem, _ = problem_of_items(np.array(_FLAVOURS, dtype=np.int64)[chosen], np.array([_HOST], dtype=np.int64))
    return problem


def fleet(machines: int, hosts: int, seed: int) -> Fleet:
    """A fleet as it grew: each machine on a random host with room, so that hosts are about half full."""
    random = np.random.default_rng(seed)
    sizes = np.array(_FLAVOURS, dtype=np.int64)[random.choice(len(_FLAVOURS), machines, p=np.array(_SHARES) / sum(_SHARES))]
    room = np.tile(np.array(_HOST, dtype=np.int64), (hosts, 1))
    where = np.zeros(machines, dtype=np.int64)
    for machine in range(machines):
        host = int(random.integers(hosts))
        while (room[host] < sizes[machine]).any():
            host = int(random.integers(hosts))
        room[host] -= sizes[machine]
        where[machine] = host
    return Fleet(
        machines=tuple(f"vm{number:06}" for number in range(machines)),
        hosts=tuple(f"hv{number:05}" for number in range(hosts)),
        dimensions=("cpu", "memory"),
        sizes=sizes * SCALE,
        capacities=np.tile(np.array(_HOST, dtype=np.int64) * SCALE, (hosts, 1)),
        where=where,
    )


def _problem(items: Integers) -> Problem:
    problem, _ = problem_of_items(items.astype(np.int64), np.full((1, items.shape[1]), CAPACITY, dtype=np.int64))
    return problem
