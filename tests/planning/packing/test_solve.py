"""The packing core against brute force, known optima and its own promises."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.planning.packing import MalformedProblemError, Packing, Problem, Work, problem_of_items, solve
from controlplane.planning.packing.meter import Meter
from controlplane.planning.packing.snug import Snug, pack_snugly

CAPACITY = 12


def loads(problem: Problem, packing: Packing) -> np.ndarray:
    items = np.repeat(problem.sizes, problem.copies, axis=0)
    found = np.zeros((packing.bins_used, items.shape[1]), dtype=np.int64)
    there = packing.assignment >= 0
    np.add.at(found, packing.assignment[there], items[there])
    return found


def assert_holds(problem: Problem, packing: Packing) -> None:
    """Never over capacity, stock, admission or apart; bins are those used."""
    assert (loads(problem, packing) <= problem.capacities[packing.kinds]).all()
    assert set(packing.assignment[packing.assignment >= 0].tolist()) == set(range(packing.bins_used))
    row_of = np.repeat(np.arange(len(problem.copies)), problem.copies)
    if problem.stock is not None:
        assert (np.bincount(packing.kinds, minlength=len(problem.stock)) <= problem.stock).all()
    for row, used in zip(row_of, packing.assignment, strict=True):
        assert used < 0 or problem.admits is None or problem.admits[row, packing.kinds[used]]
    for group in problem.apart:
        used = packing.assignment[np.isin(row_of, group) & (packing.assignment >= 0)]
        assert len(set(used.tolist())) == len(used)


def fewest(problem: Problem) -> int:
    """Brute force: the fewest unlimited bins of one kind."""
    items = np.repeat(problem.sizes, problem.copies, axis=0).tolist()
    rows = np.repeat(np.arange(len(problem.copies)), problem.copies).tolist()
    capacity = problem.capacities[0].tolist()
    best = len(items)

    def search(at: int, bins: list[list[int]]) -> None:
        nonlocal best
        if len(bins) >= best:
            return
        if at == len(items):
            best = len(bins)
            return
        for members in [*bins, None]:
            group = [*(members or []), at]
            if any(sum(items[i][k] for i in group) > capacity[k] for k in range(len(capacity))):
                continue
            if any(sum(rows[i] in apart for i in group) > 1 for apart in problem.apart):
                continue
            if members is None:
                search(at + 1, [*bins, [at]])
            else:
                members.append(at)
                search(at + 1, bins)
                members.pop()

    search(0, [])
    return best


@st.composite
def small_problems(draw: st.DrawFn) -> Problem:
    dimensions = draw(st.integers(1, 3))
    vectors = st.lists(st.integers(0, CAPACITY), min_size=dimensions, max_size=dimensions)
    items = draw(st.lists(vectors, min_size=1, max_size=8))
    problem, _ = problem_of_items(np.array(items, dtype=np.int64), np.full((1, dimensions), CAPACITY))
    rows = len(problem.copies)
    apart = draw(st.lists(st.sets(st.integers(0, rows - 1), min_size=1, max_size=3).map(lambda s: tuple(sorted(s))), max_size=2))
    return Problem(sizes=problem.sizes, copies=problem.copies, capacities=problem.capacities, apart=tuple(apart))


@settings(max_examples=150, deadline=None)
@given(small_problems())
def test_every_small_problem_is_solved_to_its_optimum(problem):
    packing = solve(problem, work=Work(budget=1))
    assert packing.unplaced == 0
    assert_holds(problem, packing)
    best = fewest(problem)
    assert packing.bins_used == best
    assert packing.lower_bound <= best


@st.composite
def fleets(draw: st.DrawFn) -> Problem:
    rows, kinds, dimensions = draw(st.integers(1, 5)), draw(st.integers(1, 3)), draw(st.integers(1, 3))

    def whole(shape: tuple[int, ...], low: int, high: int) -> np.ndarray:
        count = int(np.prod(shape))
        return np.array(draw(st.lists(st.integers(low, high), min_size=count, max_size=count)), dtype=np.int64).reshape(shape)

    return Problem(
        sizes=whole((rows, dimensions), 0, 9), copies=whole((rows,), 0, 6), capacities=whole((kinds, dimensions), 0, 14),
        stock=whole((kinds,), 0, 5), admits=whole((rows, kinds), 0, 3) > 0,
    )  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(fleets())
def test_unlike_bins_in_stock_are_never_overfilled_nor_overdrawn(problem):
    packing = solve(problem, work=Work(budget=1))
    assert_holds(problem, packing)
    if packing.unplaced == 0:
        assert packing.lower_bound <= packing.bins_used


def triplets(bins: int, dimensions: int, seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    first = draw.integers(250, 400, (bins, dimensions))
    second = draw.integers(250, 350, (bins, dimensions))
    return draw.permutation(np.concatenate([first, second, 1000 - first - second]))


@pytest.mark.parametrize("dimensions", [1, 2, 4])
def test_triplets_that_fill_every_bin_to_the_brim_are_found(dimensions):
    problem, _ = problem_of_items(triplets(20, dimensions, 7), np.full((1, dimensions), 1000))
    packing = solve(problem, work=Work(budget=10))
    assert (packing.bins_used, packing.lower_bound, packing.optimal) == (20, 20, True)
    assert_holds(problem, packing)


def test_many_triplets_are_covered_by_the_fillings_that_are_full_enough():
    problem, _ = problem_of_items(triplets(100, 3, 7), np.full((1, 3), 1000))
    packing = solve(problem, work=Work(budget=10))
    assert (packing.bins_used, packing.lower_bound) == (100, 100)
    assert packing.method == "cover by the fillings that are full enough"
    assert_holds(problem, packing)


@settings(max_examples=100, deadline=None)
@given(small_problems(), st.integers(1, 8))
def test_a_snug_packing_is_found_just_where_there_is_one(problem, bins):
    plain = Problem(sizes=problem.sizes, copies=problem.copies, capacities=problem.capacities)
    snug = pack_snugly(plain, bins, Meter(left=10), 30_000, 0.5)
    assert snug.impossible == (bins < fewest(plain))
    if snug.bins is not None:
        packing = snug.bins.packing(plain, 1, "", "")
        assert_holds(plain, packing)
        assert packing.unplaced == 0
        assert packing.bins_used <= bins
    else:
        assert snug.impossible


def test_fillings_too_many_to_list_prove_nothing():
    problem = Problem(sizes=np.array([[1]] * 12), copies=np.array([1] * 12), capacities=np.array([[10]]))
    assert pack_snugly(problem, 2, Meter(left=10), 100, 0.5) == Snug()
    assert pack_snugly(problem, 1, Meter(left=10), 100, 0.5) == Snug(impossible=True)


def test_a_fleet_of_few_flavours_has_no_gap():
    flavours = np.array([[1, 2], [2, 4], [2, 8], [4, 8], [4, 16], [8, 16], [8, 64], [16, 32]])
    copies = np.array([4000, 3000, 2500, 1500, 1000, 700, 90, 310])
    problem = Problem(sizes=flavours, copies=copies, capacities=np.array([[64, 250]]))
    packing = solve(problem, work=Work(budget=10))
    assert packing.optimal
    assert_holds(problem, packing)


def test_the_bound_may_come_from_the_configuration_lp():
    problem = Problem(
        sizes=np.array([[6, 6, 0], [6, 0, 6], [0, 6, 6]]), copies=np.array([4, 4, 4]), capacities=np.array([[10] * 3]),
        stock=np.array([12]),
    )  # fmt: skip
    packing = solve(problem, work=Work(budget=1))
    assert_holds(problem, packing)
    assert (packing.bins_used, packing.lower_bound) == (12, 12)
    assert packing.proof == "configuration LP"


def test_items_that_fit_nowhere_are_said_to_be_unplaced():
    packing = solve(Problem(sizes=np.array([[5], [20]]), copies=np.array([2, 1]), capacities=np.array([[10]])), work=Work())
    assert packing.assignment.tolist() == [0, 0, -1]
    assert (packing.unplaced, packing.bins_used, packing.optimal) == (1, 1, False)


def test_indices_lead_back_to_the_items_given():
    items = np.array([[3, 1], [7, 2], [3, 1], [5, 5]])
    problem, index = problem_of_items(items, np.array([[10, 10]]))
    assert (np.repeat(problem.sizes, problem.copies, axis=0) == items[index]).all()


def test_arrays_that_do_not_belong_together_are_refused():
    with pytest.raises(MalformedProblemError, match="do not belong together"):
        Problem(sizes=np.array([[1, 2]]), copies=np.array([1, 2]), capacities=np.array([[3, 3]]))
    with pytest.raises(MalformedProblemError, match="may not be negative"):
        Problem(sizes=np.array([[-1]]), copies=np.array([1]), capacities=np.array([[3]]))


def test_the_same_problem_and_work_give_the_same_packing_and_no_noise():
    code = (
        "import numpy as np; from controlplane.planning.packing import *;"
        "p, _ = problem_of_items(np.random.default_rng(3).integers(100, 500, (60, 3)), np.full((1, 3), 1000));"
        "r = solve(p, work=Work(budget=2)); print(r.assignment.tolist(), r.bins_used, r.lower_bound, r.method)"
    )
    root = Path(__file__).parents[3]
    done = [subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=root) for _ in range(2)]
    assert done[0].stdout == done[1].stdout
    assert done[0].stdout.count(b"\n") == 1, "HiGHS greets on standard output unless it is stopped"
