"""Fillings that are listed one and all: none is missing, none is too much, and what is looked up is worth most."""

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.planning.packing import Problem, Work, problem_of_items, solve
from controlplane.planning.packing.listing import best_listed, counts_of, listed_fillings
from controlplane.planning.packing.meter import Meter


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """A few rows with copies, and a bin."""
    rows, dimensions = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    size = st.lists(st.integers(1, 9), min_size=dimensions, max_size=dimensions)
    return Problem(
        sizes=np.array(draw(st.lists(size, min_size=rows, max_size=rows)), dtype=np.int64),
        copies=np.array(draw(st.lists(st.integers(1, 3), min_size=rows, max_size=rows)), dtype=np.int64),
        capacities=np.array([draw(st.lists(st.integers(5, 20), min_size=dimensions, max_size=dimensions))], dtype=np.int64),
    )


def fillings_of(problem: Problem, spare: np.ndarray) -> set[tuple[int, ...]]:
    """By trying every count of every row."""
    left = {counts: problem.capacities[0] - np.array(counts) @ problem.sizes for counts in counts_up_to(problem)}
    return {counts for counts, free in left.items() if any(counts) and (free >= 0).all() and (free <= spare).all()}


def counts_up_to(problem: Problem) -> list[tuple[int, ...]]:
    return list(product(*(range(int(copies) + 1) for copies in problem.copies)))


@settings(max_examples=50, deadline=None)
@given(problems(), st.integers(0, 20))
def test_every_filling_is_listed_once(problem, room):
    spare = np.minimum(problem.capacities[0], room)
    listed = listed_fillings(problem, spare, Meter(left=10), 10_000)
    counts = [tuple(map(int, each)) for each in counts_of(listed, len(problem.copies))]
    assert len(counts) == len(set(counts))
    assert set(counts) == fillings_of(problem, spare)
    if counts:
        assert listed_fillings(problem, spare, Meter(left=10), len(counts) - 1) is None


@settings(max_examples=100, deadline=None)
@given(problems(), st.data())
def test_what_is_looked_up_is_worth_most_and_takes_no_copy_twice(problem, data):
    rows = len(problem.copies)
    worths = np.array(data.draw(st.lists(st.integers(0, 9), min_size=rows, max_size=rows)), dtype=np.float64)
    limits = np.array([data.draw(st.integers(0, int(copies))) for copies in problem.copies], dtype=np.int64)
    listed = listed_fillings(problem, problem.capacities[0], Meter(left=10), 10_000)
    if not len(listed):
        return
    found = best_listed(listed, limits, worths, above=2.0, most=3)
    worth_of = [float(np.where(limits > 0, worths, 0) @ np.array(each)) for each in fillings_of(problem, problem.capacities[0])]
    assert found.bound == max(worth_of)
    assert len(found.counts) <= 3
    assert (found.counts.sum(axis=0) <= np.maximum(limits, 1)).all() or len(found.counts) == 0
    if found.bound > 2.0 and (problem.copies == 1).all():
        assert float(np.where(limits > 0, worths, 0) @ found.counts[0]) == found.bound


def test_distinct_sizes_of_which_few_share_a_bin_are_packed_and_proved():
    """Two or three in each bin: the configuration LP settles, where a search for its columns is cut short."""
    sizes = np.random.default_rng(4).integers(20, 101, (250, 5))
    problem, _ = problem_of_items(sizes, np.full((1, 5), 150))
    packing = solve(problem, work=Work(budget=10))
    assert packing.optimal
    assert packing.proof == "configuration LP"
