"""Small reassignment problems: one reckoned by hand, and random ones that are valid as they stand."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from benchmarks.planner.roadef_made import made_problem
from controlplane.planning.reassign.problem import Balance, Problem


def by_hand() -> Problem:
    """Three hosts, two resources (the second transient), four items in two groups; the second group needs the first."""
    return Problem(
        capacity=np.array([[10, 10], [10, 10], [8, 20]]),
        safety=np.array([[6, 8], [5, 9], [8, 10]]),
        neighbourhood=np.array([0, 0, 1]),
        location=np.array([0, 1, 1]),
        host_move_cost=np.array([[0, 1, 4], [1, 0, 2], [4, 2, 0]]),
        transient=np.array([False, True]),
        load_weight=np.array([3, 2]),
        size=np.array([[5, 4], [3, 5], [2, 3], [4, 1]]),
        group=np.array([0, 0, 1, 1]),
        item_move_cost=np.array([7, 5, 2, 1]),
        spread=np.array([2, 1]),
        depends_on=((), (0,)),
        balances=(Balance(first=0, second=1, target=2, weight=10),),
        item_move_weight=1,
        group_move_weight=10,
        host_move_weight=100,
        initial=np.array([0, 1, 0, 1]),
    )


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Up to six hosts and twelve items, every kind of constraint and cost at times absent."""
    made = made_problem(
        hosts=draw(st.integers(2, 6)),
        items=draw(st.integers(1, 12)),
        resources=draw(st.integers(1, 3)),
        transients=draw(st.integers(0, 2)),
        locations=draw(st.integers(1, 3)),
        neighbourhoods=draw(st.integers(1, 3)),
        fill=draw(st.sampled_from([0.4, 0.7, 0.9])),
        dependencies=draw(st.sampled_from([0.0, 0.7])),
        balances=draw(st.integers(0, 2)),
        seed=draw(st.integers(0, 10_000)),
    )
    if draw(st.booleans()):
        return replace(made, host_move_cost=np.zeros((0, 0), dtype=np.int64))
    return made
