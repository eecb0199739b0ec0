"""Consolidation: within capacity, never more hosts, never fewer moves than are necessary, and no move without gain."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.planner.packing_made import fleet
from controlplane.planning.packing import Work
from controlplane.planning.reassign.consolidate import consolidate

WORK = Work(budget=1.0)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(2, 8), st.integers(0, 1000))
def test_result_is_within_capacity_and_bounds(items: int, hosts: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 9, (items, 2))
    where = random.integers(0, hosts, items)
    used = np.zeros((hosts, 2), dtype=np.int64)
    np.add.at(used, where, sizes)
    capacities = np.maximum(used, random.choice([12, 30], (hosts, 1))).astype(np.int64)
    found = consolidate(sizes, capacities, where, work=WORK)
    after = np.zeros((hosts, 2), dtype=np.int64)
    np.add.at(after, found.hosts, sizes)
    assert (after <= capacities).all()
    assert found.bound <= found.hosts_used <= found.hosts_before
    assert found.migrations == int((found.hosts != where).sum()) >= found.necessary
    if found.hosts_used == found.hosts_before:
        assert found.migrations == 0


def test_a_real_fleet_reaches_its_bound_with_the_necessary_migrations() -> None:
    given_fleet = fleet(600, 60, seed=4)
    found = consolidate(given_fleet.sizes, given_fleet.capacities, given_fleet.where, work=WORK)
    assert found.hosts_used == found.bound
    assert found.migrations <= 1.03 * found.necessary


def test_a_full_fleet_stays_as_it_is() -> None:
    sizes = np.full((6, 1), 5, dtype=np.int64)
    where = np.array([0, 0, 1, 1, 2, 2])
    found = consolidate(sizes, np.full((3, 1), 10, dtype=np.int64), where, work=WORK)
    assert (found.hosts == where).all()
    assert (found.hosts_used, found.migrations) == (3, 0)
