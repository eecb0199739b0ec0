"""The search against the independent checker, a full enumeration of small problems, and costs reckoned by hand."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from benchmarks.planner.roadef import assignment_beside, write_problem
from benchmarks.planner.roadef_check import Verdict, check
from benchmarks.planner.roadef_made import made_problem
from controlplane.planning.reassign.bounds import cost_bound
from controlplane.planning.reassign.problem import Problem
from controlplane.planning.reassign.search import Search, reassign
from tests.planning.reassign.small import by_hand, problems

QUIET = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


def verdict(problem: Problem, assignment: list[int], folder: Path) -> Verdict:
    model = folder / "model_x.txt"
    write_problem(problem, model)
    return check(model, assignment_beside(model), assignment)


def test_cost_as_reckoned_by_hand(tmp_path: Path) -> None:
    """As it stands: host 0 uses (7, 7), host 1 (7, 6). Load 3×1 + 3×2 = 9. Balance: 2×3-3 = 3, 2×3-4 = 2, 2×8-20 < 0; 50.

    Item 0 on host 2 instead: host 0 (2, 3), host 1 (7, 6), host 2 (5, 4). Load 3×2 = 6. Balance: 2×8-7 = 9, 2, 2×3-16 < 0;
    110. Moves: item 7, one of group 0 moved 10, from 0 to 2 at 4 × 100.
    """
    problem = by_hand()
    first = verdict(problem, [0, 1, 0, 1], tmp_path)
    assert (first.load, first.balance, first.process_move, first.service_move, first.machine_move) == (9, 50, 0, 0, 0)
    moved = verdict(problem, [2, 1, 0, 1], tmp_path)
    assert (moved.load, moved.balance, moved.process_move, moved.service_move, moved.machine_move) == (6, 110, 7, 10, 400)
    assert moved.violations == ("service 0: spread below 2",)
    for hosts, cost in (([0, 1, 0, 1], 59), ([2, 1, 0, 1], 533)):
        assert Search(problem, start=np.array(hosts)).cost == cost
    # Together 14 and 13 of 19 and 27 safe units are used, 14 and 27 are left: 2×14 - 27 = 1.
    assert cost_bound(problem).load == 0
    assert cost_bound(problem).balance == 10


@pytest.mark.parametrize(
    ("hosts", "text"),
    [
        ([1, 1, 0, 1], "service 0: two processes on one machine"),
        ([0, 1, 0, 1], ""),
        ([0, 1, 2, 1], "service 1: a process without service 0 in its neighbourhood"),
        ([1, 2, 0, 1], "service 0: spread below 2"),
    ],
)
def test_checker_names_what_is_violated(hosts: list[int], text: str, tmp_path: Path) -> None:
    found = verdict(by_hand(), hosts, tmp_path).violations
    assert (text in found) if text else not found


def test_moved_items_still_hold_what_is_transient(tmp_path: Path) -> None:
    """Item 1 (5 units of the transient resource) leaves host 1 and item 0 (4) comes: 4 + 1 + 5 = 10 fits, in 9 it does not."""
    problem = by_hand()
    loose = replace(problem, spread=np.array([1, 1]))
    assert not verdict(loose, [1, 2, 0, 1], tmp_path).violations
    tight = replace(loose, capacity=np.array([[10, 10], [10, 9], [8, 20]]), safety=np.minimum(problem.safety, 9))
    assert verdict(tight, [1, 2, 0, 1], tmp_path).violations == ("machine 1: resource 1 uses 10 of 9",)


@settings(max_examples=25, **QUIET)
@given(problem=problems())
def test_what_is_found_is_valid_and_costs_what_the_checker_says(problem: Problem, tmp_path: Path) -> None:
    first = verdict(problem, problem.initial.tolist(), tmp_path)
    assert not first.violations
    found = reassign(problem, rounds=1)
    last = verdict(problem, found.hosts.tolist(), tmp_path)
    assert not last.violations
    assert last.cost == found.cost <= first.cost
    assert cost_bound(problem).total <= last.load + last.balance
    again = reassign(problem, rounds=1)
    assert (again.hosts == found.hosts).all()


def test_small_problems_are_solved_to_the_optimum(tmp_path: Path) -> None:
    """Against every assignment of five items to four hosts; five seeds, all of them."""
    for seed in range(5):
        problem = made_problem(hosts=4, items=5, resources=2, fill=0.6, locations=2, neighbourhoods=2, seed=seed)
        least = min(
            result.cost
            for hosts in product(range(4), repeat=5)
            if not (result := verdict(problem, list(hosts), tmp_path)).violations
        )
        assert reassign(problem, rounds=4).cost == least, seed


def test_a_search_of_middle_size_comes_near_its_bound(tmp_path: Path) -> None:
    problem = made_problem(hosts=20, items=200, resources=3, fill=0.5, balances=0, seed=3)
    found = reassign(problem, rounds=10)
    assert not verdict(problem, found.hosts.tolist(), tmp_path).violations
    first = Search(problem).cost
    assert found.cost - cost_bound(problem).total < 0.3 * (first - cost_bound(problem).total)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"initial": np.array([0, 1, 0, 3])}, "initial: wanted numbers from 0 to 2, found 0 to 3"),
        ({"safety": np.zeros((3, 1), dtype=np.int64)}, r"safety: wanted shape \(3, 2\), found \(3, 1\)"),
        ({"load_weight": np.array([2**60, 1])}, "costs may exceed 64 bits"),
        ({"host_move_cost": np.full((3, 3), 2**31)}, "host_move_cost: wanted less than 2147483648"),
    ],
)
def test_what_does_not_fit_together_is_refused(change: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        replace(by_hand(), **change)  # type: ignore[arg-type]


def test_a_start_with_two_of_a_group_on_a_host_is_refused() -> None:
    with pytest.raises(ValueError, match="two items of a group stand on one host"):
        Search(by_hand(), start=np.array([0, 0, 1, 2]))
