"""Rebalancing: rules first, then hosts, then load; every state between two moves is valid; a second run finds nothing."""

import re
from dataclasses import replace

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from controlplane.model.finding import Severity
from controlplane.model.observed import Observation
from controlplane.model.plan import Plan
from controlplane.model.rebalance import RebalancePolicy
from controlplane.planning.between import plans_between
from controlplane.planning.build import InfeasiblePlan, planned_networks
from controlplane.planning.checks import check_plan
from controlplane.planning.draining import drain_of
from controlplane.planning.inputs import stand_as_planned
from controlplane.planning.move_order import in_order
from controlplane.planning.rebalance import rebalance
from tests.planning.estates import applied, estate, host, machine, observed, planned, size, system
from tests.planning.made import estates, roomy_estates
from tests.planning.test_headroom import inputs_of

POLICY = RebalancePolicy()
KEEP_HOSTS = RebalancePolicy(empty_hosts=False)


def standing(given, where: dict[str, str], **changes: dict[str, object]) -> tuple[Plan, Observation]:
    """The estate's plan with its machines on the hosts given, and what is then seen."""
    made = planned(given)
    machines = tuple(replace(each, host=where.get(each.id, each.host)) for each in made.machines)
    plan = replace(made, machines=machines)
    return plan, applied(given, plan, **changes)


def proposed(given, plan: Plan, seen: Observation, policy: RebalancePolicy = POLICY, held: frozenset[str] = frozenset()):
    inputs = inputs_of(given, seen, plan)
    return rebalance(inputs, inputs.plan(), policy, held)


def after(plan: Plan, found, given) -> Plan:
    return [plan, *plans_between(plan, found, given)][-1]


def test_a_host_is_emptied_when_its_machines_fit_elsewhere():
    given = estate((host("hv1", 1), host("hv2", 2), host("hv3", 3)), machines=[machine(f"m{n}") for n in range(5)])
    plan, seen = standing(given, {"m0": "hv1", "m1": "hv1", "m2": "hv2", "m3": "hv2", "m4": "hv3"})
    found = proposed(given, plan, seen)
    assert {each.host for each in after(plan, found, given).machines} == {"hv1"}
    assert len(found.moves) == 3
    assert (found.hosts_before, found.hosts_after) == (3, 1)
    assert found.moves[0].reason.endswith("is emptied, so that it can be switched off")
    assert [each.order for each in found.moves] == [1, 2, 3]


def test_room_is_left_above_what_is_filled():
    given = estate((host("hv1", 1), host("hv2", 2)), machines=[machine(f"m{n}", size=size(1, 3584, 5)) for n in range(2)])
    plan, seen = standing(given, {"m0": "hv1", "m1": "hv2"})
    assert proposed(given, plan, seen).moves == ()
    assert len(proposed(given, plan, seen, RebalancePolicy(fill_up_to=0.9)).moves) == 1


def test_load_is_evened_only_for_the_least_gain():
    given = estate((host("hv1", 1), host("hv2", 2)), machines=[machine(f"m{n}") for n in range(5)])
    plan, seen = standing(given, {"m0": "hv1", "m1": "hv1", "m2": "hv1", "m3": "hv1", "m4": "hv2"})
    found = proposed(given, plan, seen, KEEP_HOSTS)
    assert [(each.found, each.wanted) for each in found.moves] == [("hv1", "hv2")]
    assert "hv1 is 50% full; the fuller of hv1 and hv2 becomes 38%" in found.moves[0].reason
    assert proposed(given, plan, seen, replace(KEEP_HOSTS, least_gain=0.2)).moves == ()


def test_a_host_in_maintenance_is_drained_in_windows():
    given = estate((host("hv1", 1), host("hv2", 2)), machines=[machine(f"m{n}") for n in range(3)])
    plan, seen = standing(given, {f"m{n}": "hv1" for n in range(3)})
    given.hosts["hv1"] = replace(given.hosts["hv1"], maintenance=True)
    found = proposed(given, plan, seen, replace(POLICY, moves_per_window=2))
    assert [(each.wanted, each.window) for each in found.moves] == [("hv2", 1), ("hv2", 1), ("hv2", 2)]
    assert found.moves[0].reason == "stands against a rule: is in maintenance"
    assert found.left == ()


def test_held_machines_stay_and_what_cannot_be_mended_is_told():
    given = estate((host("hv1", 1), host("hv2", 2)), machines=[machine("a"), machine("b")])
    plan, seen = standing(given, {"a": "hv1", "b": "hv1"})
    given.hosts["hv1"] = replace(given.hosts["hv1"], maintenance=True)
    found = proposed(given, plan, seen, held=frozenset({"a"}))
    assert [each.machine for each in found.moves] == ["b"]
    assert found.held == ("a",)
    assert found.left == ("machine a on hv1: is in maintenance",)


def test_two_that_wait_for_each_other_go_through_a_spare_host():
    """Neither fits beside the other; a third host has room for one of them for a moment."""
    given = estate(
        (host("hv1", 1), host("hv2", 2), host("hv3", 3, capacity=size(4, 7168, 100))),
        machines=[machine("a", size=size(1, 5120, 5)), machine("b", size=size(1, 6144, 5))],
    )
    plan, seen = standing(given, {"a": "hv1", "b": "hv2"})
    so_far, drafts = stand_as_planned(inputs_of(given, seen, plan), plan)
    steps = in_order({"a": ("hv2", "swap"), "b": ("hv1", "swap")}, drafts, so_far)
    assert [(each.draft.id, each.found, each.wanted) for each in steps] == [
        ("a", "hv1", "hv3"),
        ("b", "hv2", "hv1"),
        ("a", "hv3", "hv2"),
    ]
    assert steps[0].reason == "makes room for a moment, as others wait for its place"


def test_without_a_spare_host_there_is_no_order_and_nothing_changes():
    given = estate((host("hv1", 1), host("hv2", 2)), machines=[machine(n, size=size(1, 6144, 5)) for n in ("a", "b")])
    plan, seen = standing(given, {"a": "hv1", "b": "hv2"})
    so_far, drafts = stand_as_planned(inputs_of(given, seen, plan), plan)
    assert in_order({"a": ("hv2", "swap"), "b": ("hv1", "swap")}, drafts, so_far) is None
    assert so_far.placed() == {"a": "hv1", "b": "hv2"}


def test_machines_of_a_silent_host_are_not_moved():
    given = estate((host("hv1", 1), host("hv2", 2)), machines=[machine("a"), machine("b")])
    plan, seen = standing(given, {"a": "hv1", "b": "hv2"}, hv1={"error": "no answer", "capacity": None, "machines": ()})
    assert proposed(given, plan, seen).moves == ()


def broken(plan: Plan, given) -> set[tuple[str, str]]:
    """Which rules are broken where, without the amounts."""
    findings = check_plan(plan, given, observed(given))
    return {
        (each.where, "" if each.where.startswith("loss of") else re.sub(r"[0-9]+", "", each.what))
        for each in findings
        if each.severity is Severity.CRITICAL
    }


def check_states(given, plan: Plan, policy: RebalancePolicy) -> int:
    """Every state against the one before; returns how many moves there were."""
    found = proposed(given, plan, applied(given, plan), policy)
    known = broken(plan, given)
    unproven = {(f"loss of {text}", "") for text in stand_as_planned(inputs_of(given, observed(given), plan), plan)[0].settle()}
    for state in plans_between(plan, found, given):
        now = broken(state, given)
        assert now - known - unproven == set(), "no state breaks a rule that the one before kept"
        known = now
    final = after(plan, found, given)
    assert proposed(given, final, applied(given, final), policy).moves == ()
    assert proposed(given, plan, applied(given, plan), policy) == found
    return len(found.moves)


@settings(max_examples=50, deadline=None)
@for_all(estates() | roomy_estates(), st.integers(0, 4), st.booleans())
def test_every_state_is_valid_and_a_second_run_finds_nothing(given, closed, empty_hosts):
    try:
        plan = planned(given)
    except InfeasiblePlan:
        return
    names = sorted(given.hosts)
    if closed < len(names):
        given.hosts[names[closed]] = replace(given.hosts[names[closed]], maintenance=True)
    check_states(given, plan, RebalancePolicy(empty_hosts=empty_hosts))


@settings(max_examples=50, deadline=None)
@for_all(estates() | roomy_estates(), st.randoms(use_true_random=False), st.booleans())
def test_from_any_state_no_rule_is_broken_on_the_way(given, random, empty_hosts):
    try:
        plan = planned(given)
    except InfeasiblePlan:
        return
    names = sorted(given.hosts)
    machines = tuple(replace(each, host=random.choice(names)) for each in plan.machines)
    scattered = replace(plan, machines=machines, networks=planned_networks(machines, given))
    check_states(given, scattered, RebalancePolicy(empty_hosts=empty_hosts, least_gain=0.05))


def test_twenty_hosts_are_brought_to_few_and_every_state_survives_a_loss():
    hosts = [host(f"hv{n:02}", n, site="east", rack=f"r{n % 4}") for n in range(1, 21)]
    given = estate(hosts, systems=(system("portal", tier="high"),), machines=[machine(f"m{n:02}") for n in range(30)])
    made = planned(given)
    machines = tuple(replace(each, host=f"hv{number % 20 + 1:02}") for number, each in enumerate(made.machines))
    scattered = replace(made, machines=machines, networks=planned_networks(machines, given))
    assert check_states(given, scattered, RebalancePolicy(fill_up_to=1.0)) >= 20


def test_a_drain_moves_the_machines_of_one_host_and_no_others():
    given = estate((host("hv1", 1), host("hv2", 2), host("hv3", 3)), machines=[machine(f"m{n}") for n in range(6)])
    plan, seen = standing(given, {f"m{n}": "hv1" if n < 2 else "hv2" for n in range(6)})
    found = drain_of(inputs_of(given, seen, plan), plan, "hv1", moves_per_window=1)
    assert [(each.machine, each.found, each.window) for each in found.moves.moves] == [("m0", "hv1", 1), ("m1", "hv1", 2)]
    assert (found.machines, found.stay) == (2, ())
    for state in plans_between(plan, found.moves, given):
        assert [f for f in check_plan(state, found.closed.estate, seen) if f.severity is Severity.CRITICAL] == []


def test_a_drain_names_what_no_other_host_takes():
    given = estate(
        (host("hv1", 1), host("hv2", 2)), machines=[machine("bound", only_on=("hv1",)), machine("free"), machine("other")]
    )
    plan, seen = standing(given, {"bound": "hv1", "free": "hv1", "other": "hv2"})
    found = drain_of(inputs_of(given, seen, plan), plan, "hv1", moves_per_window=9)
    assert ([each.machine for each in found.moves.moves], found.stay, found.machines) == (["free"], ("bound",), 2)
