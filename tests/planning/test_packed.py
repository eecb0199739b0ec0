"""Placement where nothing but room decides: the packing core is asked, and what it finds is the fewest hosts."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.model.finding import Severity
from controlplane.model.running import Objective, Policy, Running
from controlplane.planning import placement
from controlplane.planning.bounds import hosts_used
from controlplane.planning.build import InfeasiblePlan
from controlplane.planning.capacity import rooms_of
from controlplane.planning.checks import check_plan
from controlplane.planning.constraints import PlanSoFar
from controlplane.planning.demand import demand_of
from controlplane.planning.packed import Packed, is_packing
from tests.planning.estates import estate, host, machine, observed, planned, size, system
from tests.planning.made import needy_estates, sharing_estates


def fresh(made):
    drafts = demand_of(made).drafts
    rooms = rooms_of(made, observed(made), None, frozenset(draft.id for draft in drafts))
    return PlanSoFar(rooms, made.networks, drafts), drafts


PROPERTY = settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def plain_estates(draw):
    """Few hosts of a few kinds, machines without any rule beside room and grade."""
    kinds = [(4, 5120, 60), (8, 9216, 60), (8, 3072, 100)]
    hosts = [
        host(f"hv{n}", n, capacity=size(*draw(st.sampled_from(kinds))), confidentiality=draw(st.sampled_from([(1,), (1, 2)])))
        for n in range(1, draw(st.integers(2, 4)) + 1)
    ]
    systems = (system("s1"), system("s2", confidentiality=2))
    machines = [
        machine(
            f"m{n}", draw(st.sampled_from(["s1", "s2"])), size=size(draw(st.integers(1, 6)), 1024 * draw(st.integers(1, 4)), 5)
        )
        for n in range(draw(st.integers(1, 6)))
    ]
    return estate(hosts, systems=systems, machines=machines)


def fewest(made):
    """Every assignment tried: the fewest hosts in use, or None when there is none."""
    room = {h.id: (h.capacity - h.reserved).overcommitted(h.overcommit) for h in made.hosts.values()}
    best = None
    for choice in product(made.hosts, repeat=len(made.machines)):
        left = dict(room)
        for asked, chosen in zip(made.machines.values(), choice, strict=True):
            grade = made.systems[asked.system].confidentiality
            if grade not in made.hosts[chosen].confidentiality or not asked.size.fits_in(left[chosen]):
                break
            left[chosen] -= asked.size
        else:
            best = len(set(choice)) if best is None else min(best, len(set(choice)))
    return best


@PROPERTY
@given(plain_estates())
def test_every_small_plan_uses_the_fewest_hosts(made):
    best = fewest(made)
    if best is None:
        with pytest.raises(InfeasiblePlan):
            planned(made)
        return
    plan = planned(made)
    assert len({each.host for each in plan.machines}) == best
    assert hosts_used(plan).bound <= best


@PROPERTY
@given(plain_estates())
def test_what_the_core_packs_passes_the_check(made):
    so_far, drafts = fresh(made)
    assert is_packing(drafts, so_far)
    bound, left = Packed(drafts, so_far).place()
    used = len(so_far.used())
    if not left:
        assert bound <= used
        best = fewest(made)
        assert best is not None
        assert bound <= best


def test_the_core_closes_a_gap_that_greedy_orders_leave(monkeypatch):
    """Asked first or only where a gap is left, it comes to the sum over the capacity."""
    hosts = [host(f"hv{n}", n, capacity=size(10, 65536, 1000), reserved=size(0, 0, 0)) for n in range(1, 30)]
    hosts = [replace(each, overcommit=replace(each.overcommit, vcpus=1.0)) for each in hosts]
    sizes = [5, 5, 4, 4, 3, 3, 2, 2, 2] * 4
    made = estate(hosts, machines=[machine(f"m{n:02}", size=size(v, 512, 5)) for n, v in enumerate(sizes)])
    assert hosts_used(planned(made)).used == sum(sizes) // 10
    monkeypatch.setattr(placement, "_LOOKS_BEFORE_PACKING", 0)
    plan = planned(made)
    assert hosts_used(plan).used == sum(sizes) // 10
    assert [f for f in check_plan(plan, made, observed(made)) if f.severity is Severity.CRITICAL] == []


@PROPERTY
@given(needy_estates() | sharing_estates())
def test_what_is_placed_as_in_a_large_estate_passes_the_check(made):
    """No further order is tried once the bound is near, and few hosts to be emptied."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placement, "_LOOKS_BEFORE_PACKING", 0)
        patch.setattr(placement, "is_small", lambda drafts, so_far: False)
        try:
            plan = planned(made)
        except InfeasiblePlan:
            return
    assert [f for f in check_plan(plan, made, observed(made)) if f.severity is Severity.CRITICAL] == []
    assert hosts_used(plan).bound <= hosts_used(plan).used


def test_a_machine_with_company_or_a_loss_is_not_packed():
    hosts = (host("hv1", 1), host("hv2", 2))
    for asked in (machine("a", replica_group="g"), machine("a", "vital")):
        so_far, drafts = fresh(estate(hosts, systems=(system("portal"), system("vital", tier="high")), machines=(asked,)))
        assert not is_packing(drafts, so_far)


CHEAP, DEAR = Running(idle_watts=90, loaded_watts=300), Running(idle_watts=400, loaded_watts=900)


def test_of_hosts_that_serve_alike_the_one_with_fewer_watts_is_used():
    made = estate((host("hv1", 1, running=DEAR), host("hv2", 2, running=CHEAP)), machines=(machine("a"), machine("b")))
    assert {each.host for each in planned(made).machines} == {"hv2"}
    turned = replace(made, hosts={"hv1": host("hv1", 1, running=CHEAP), "hv2": host("hv2", 2, running=DEAR)})
    assert {each.host for each in planned(turned).machines} == {"hv1"}


def test_the_order_of_objectives_decides():
    """The one with fewer watts has the dearer contract."""
    thrifty = replace(CHEAP, maintenance_thousand_yen=9000)
    made = estate((host("hv1", 1, running=thrifty), host("hv2", 2, running=DEAR)), machines=(machine("a"),))
    assert planned(made).machines[0].host == "hv1"
    by_cost = replace(made, policy=Policy(objectives=(Objective.HOSTS, Objective.COST, Objective.POWER, Objective.BALANCE)))
    assert planned(by_cost).machines[0].host == "hv2"
