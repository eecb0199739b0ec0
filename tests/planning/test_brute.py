"""Small random estates in which everything is asked for, held against every placement there is."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.model.document import plan_from_json, plan_to_json
from controlplane.model.finding import Severity
from controlplane.planning.bounds import hosts_used
from controlplane.planning.build import InfeasiblePlan
from controlplane.planning.capacity import rooms_of
from controlplane.planning.checks import check_plan
from controlplane.planning.conflict import case_of, minimal_conflict, only
from controlplane.planning.demand import demand_of
from controlplane.planning.difference import diff_plans
from controlplane.planning.inputs import PlanInputs
from tests.planning.brute import allowed, best_placement, keeps_rules
from tests.planning.estates import IMAGES, KEYS, applied, estate, host, machine, observed, planned, size
from tests.planning.made import estates, needy_estates, sharing_estates

PROPERTY = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


def small(made):
    """Few enough to try everything."""
    return replace(made, machines=dict(list(made.machines.items())[:4]), hosts=dict(list(made.hosts.items())[:4]))


def case(made):
    drafts = demand_of(made).drafts
    return rooms_of(made, observed(made), None, frozenset(draft.id for draft in drafts)), drafts


def plan_of(made):
    try:
        return planned(made)
    except InfeasiblePlan as infeasible:
        assert infeasible.unplaced or "problem" in str(infeasible)
        return None


@PROPERTY
@given(needy_estates() | sharing_estates())
def test_a_plan_is_found_where_there_is_one_and_uses_the_fewest_hosts(made):
    made = small(made)
    demand = demand_of(made)
    if demand.problems:
        assert plan_of(made) is None
        return
    rooms, drafts = case(made)
    best = best_placement(rooms, drafts, made.networks)
    plan = plan_of(made)
    if best is None or plan is None:
        assert (best, plan) == (None, None)
        return
    use = hosts_used(plan)
    assert use.used == best[0]
    assert use.bound <= best[0]


@PROPERTY
@given(needy_estates() | sharing_estates())
def test_the_check_objects_exactly_where_a_rule_is_broken(made):
    """Each machine of a plan on each other host."""
    made = small(made)
    plan = plan_of(made)
    if plan is None:
        return
    rooms, drafts = case(made)
    by_id = {room.host.id: room for room in rooms}
    for moved, to in product([each.id for each in plan.machines], made.hosts):
        machines = tuple(replace(each, host=to, derived_from=()) if each.id == moved else each for each in plan.machines)
        used = sorted({(each.host, nic.network) for each in machines for nic in each.nics})
        networks = tuple(replace(plan.networks[0], host=host, network=name) for host, name in used)
        where = {each.id: each.host for each in machines}
        right = all(allowed(by_id[where[draft.id]], draft, made.networks) for draft in drafts)
        right = right and keeps_rules(by_id, [(draft, where[draft.id]) for draft in drafts], made.networks)
        found = check_plan(replace(plan, machines=machines, networks=networks), made, observed(made))
        critical = [each for each in found if each.severity is Severity.CRITICAL]
        assert (critical == []) == right, (moved, to, critical)


@PROPERTY
@given(needy_estates() | sharing_estates())
def test_conflicts_are_minimal(made):
    made = small(made)
    if demand_of(made).problems:
        return
    inputs = PlanInputs(estate=made, observation=observed(made), parent=None, images=IMAGES, authorized_keys=KEYS)
    asked = case_of(inputs)
    try:
        inputs.plan()
    except InfeasiblePlan as infeasible:
        suspects = infeasible.unplaced
    else:
        return
    conflict = minimal_conflict(inputs, suspects)
    assert conflict is not None
    assert conflict.minimal
    assert conflict.proven
    keys = [(each.rule, each.subject) for each in conflict.constraints]

    def possible(some):
        loosened = only(asked, some)
        return best_placement(loosened.rooms, loosened.drafts, loosened.networks) is not None

    assert not possible(keys)
    for key in keys:
        assert possible([other for other in keys if other != key]), f"{key} is not needed"


@PROPERTY
@given(estates() | needy_estates() | sharing_estates())
def test_everyone_is_placed_or_has_reasons(made):
    """For whom there is no place, each host says why; who has one, why there."""
    demand = demand_of(made)
    try:
        plan = planned(made)
    except InfeasiblePlan as infeasible:
        text = str(infeasible)
        assert all(problem in text for problem in demand.problems)
        assert bool(infeasible.unplaced) is not bool(demand.problems)
        for machine in infeasible.unplaced:
            [_, after] = text.split(f"\n  machine {machine} (")
            own = after.split("\n  machine ")[0].split("\nnext: ")[0].splitlines()[1:]
            said = dict(line.strip().split(": ", 1) for line in own)
            assert sorted(said) == sorted(made.hosts)
            assert all(said.values())
        return
    assert sorted(each.id for each in plan.machines) == [draft.id for draft in demand.drafts]
    for each in plan.machines:
        assert [reason.partition(": ")[0] for reason in each.reasons] == ["machine", "size", "host", "address", "order"]
        assert each.reasons[2].startswith(f"host: {each.host}, ")


@PROPERTY
@given(needy_estates() | sharing_estates(), st.randoms(use_true_random=False))
def test_neither_order_nor_a_second_run_changes_anything(made, random):
    plan = plan_of(made)
    if plan is None:
        return

    def shuffled(entries):
        names = list(entries)
        random.shuffle(names)
        return {name: entries[name] for name in names}

    turned = replace(
        made, **{what: shuffled(getattr(made, what)) for what in ("hosts", "machines", "systems", "ministries", "tiers")}
    )
    assert plan_to_json(planned(turned)) == plan_to_json(plan)
    again = planned(made, applied(made, plan), plan)
    assert diff_plans(plan, again).is_empty
    assert plan_from_json(plan_to_json(again), "plan") == again


@pytest.mark.parametrize("count", [1, 2])
def test_trying_everything_agrees_with_what_is_plain(count):
    """The yardstick itself: two machines that fit on one host need one, and what fits nowhere has no placement."""
    made = estate([host("hv1", 1), host("hv2", 2)], machines=[machine(f"m{n}") for n in range(count)])
    rooms, drafts = case(made)
    best = best_placement(rooms, drafts, made.networks)
    assert best is not None
    assert best[0] == 1
    made = estate([host("hv1", 1)], machines=[machine("m", size=size(1, 99_999, 1))])
    assert best_placement(*case(made), made.networks) is None
