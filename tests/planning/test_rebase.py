"""A stale plan says what moved and what is still valid; rebasing changes no more than that."""

from dataclasses import replace

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from controlplane.errors import RefusedError
from controlplane.execution.drift import Memory
from controlplane.execution.stale import stale_text
from controlplane.model.document import digest
from controlplane.model.drift import Action, Drift
from controlplane.model.finding import Severity
from controlplane.planning.build import InfeasiblePlan
from controlplane.planning.checks import check_plan
from controlplane.planning.difference import diff_plans
from controlplane.planning.facts import input_facts, moved_facts
from controlplane.planning.rebase import rebased
from controlplane.planning.staleness import Validity, staleness
from tests.planning.estates import IMAGES, KEYS, applied, estate, host, machine, observed, planned, size, small_estate
from tests.planning.made import estates, roomy_estates
from tests.planning.test_headroom import inputs_of


def judged(plan, given, seen=None, parent=None):
    seen = seen or observed(given)
    moved = moved_facts(plan, input_facts(given, seen, IMAGES, KEYS))
    return staleness(plan, moved, inputs_of(given, seen, parent))


def test_each_touched_machine_is_judged(golden):
    given = small_estate()
    plan = planned(given)
    where = {each.id: each.host for each in plan.machines}
    given.hosts[where["portal-1"]] = replace(given.hosts[where["portal-1"]], maintenance=True)
    given.machines["files"] = replace(given.machines["files"], size=size(2, 3072, 40))
    given.machines["new"] = machine("new")
    del given.servers["pension-ap"]
    stale = judged(plan, given)
    found = {each.machine: each.validity for each in stale.touched}
    assert found["portal-1"] is Validity.MISPLACED
    assert found["files"] is Validity.CHANGED
    assert found["pension-ap"] is Validity.UNWANTED
    assert "portal-2" not in found
    assert stale.missing == ("new",)
    assert stale.untouched == 1
    assert stale.rest_is_valid
    steps = [
        Drift(host=each.host, subject=each.id, what="state", wanted="running", found="absent", action=Action.CREATE)
        for each in plan.machines
    ]
    golden("stale.txt", stale_text(stale, steps) + "\n")


def test_a_machine_that_stands_where_it_may_not_be_placed_stays_valid():
    given = small_estate()
    plan = planned(given)
    closed = plan.machines[0].host
    given.hosts[closed] = replace(given.hosts[closed], maintenance=True)
    stale = judged(plan, given, applied(given, plan), plan)
    assert stale.touched
    assert stale.invalid == ()
    assert stale.rest_is_valid


def test_what_a_host_lost_can_make_the_rest_invalid():
    given = estate((host("hv1", 1), host("hv2", 2)), machines=[machine(f"m{n}", size=size(1, 2048, 5)) for n in range(4)])
    plan = planned(given)
    [used] = {each.host for each in plan.machines}
    seen = observed(given, **{used: {"used": size(0, 4096, 0)}})
    stale = judged(plan, given, seen)
    assert len(stale.touched) == 4
    assert not stale.rest_is_valid
    assert f"the rest is not valid either: host {used}: promises" in stale_text(stale, ())


def test_rebasing_on_what_did_not_move_changes_nothing():
    given = small_estate()
    plan = planned(given)
    assert rebased(plan, inputs_of(given)) == plan
    given.machines["files"] = replace(given.machines["files"], roles=("nginx",))
    again = rebased(plan, inputs_of(given))
    assert digest(again) != digest(plan)
    assert [change.machine.id for change in diff_plans(plan, again).changed] == ["files"]


def test_only_what_may_not_stay_is_placed_anew():
    given = small_estate()
    plan = planned(given)
    where = {each.id: each.host for each in plan.machines}
    given.hosts[where["portal-1"]] = replace(given.hosts[where["portal-1"]], maintenance=True)
    again = rebased(plan, inputs_of(given))
    difference = diff_plans(plan, again)
    on_closed = {each.id for each in plan.machines if each.host == where["portal-1"]}
    assert {change.machine.id for change in difference.changed} == on_closed
    assert all(change.fields == () for change in difference.changed), "addresses, MACs and uuids are kept"
    assert (difference.added, difference.removed) == ((), ())


def test_promises_are_given_up_only_where_nothing_else_helps():
    given = estate(
        (host("hv1", 1), host("hv2", 2)), machines=[machine(n, size=size(1, m, 5)) for n, m in (("a", 4096), ("b", 2048))]
    )
    plan = planned(given)
    apart = replace(plan, machines=(replace(plan.machines[0], host="hv1"), replace(plan.machines[1], host="hv2")))
    given.machines["c"] = machine("c", size=size(1, 7168, 5))
    again = rebased(apart, inputs_of(given))
    assert {each.id: each.host for each in again.machines} == {"a": "hv1", "b": "hv1", "c": "hv2"}, "the small one gives way"


def test_what_stands_is_built_on_the_accepted_plan():
    given = small_estate()
    accepted = planned(given)
    given.machines["new"] = machine("new")
    seen = applied(given, accepted)
    offered = planned(given, seen, accepted)
    given.machines["later"] = machine("later")
    again = rebased(offered, inputs_of(given, seen, accepted))
    assert again.parent == digest(accepted)
    assert [each.id for each in diff_plans(offered, again).added] == ["later"]
    assert diff_plans(offered, again).changed == ()


@settings(max_examples=30, deadline=None)
@for_all(estates() | roomy_estates(), st.integers(0, 9), st.integers(0, 12))
def test_a_rebased_plan_is_valid_and_moves_nobody_without_need(given, closed, grown):
    try:
        plan = planned(given)
    except InfeasiblePlan:
        return
    names, machines = sorted(given.hosts), sorted(given.machines)
    changed = replace(given, hosts=dict(given.hosts), machines=dict(given.machines))
    if closed < len(names):
        changed.hosts[names[closed]] = replace(given.hosts[names[closed]], maintenance=True)
    if grown < len(machines):
        changed.machines[machines[grown]] = replace(given.machines[machines[grown]], size=size(2, 3072, 5))
    try:
        again = rebased(plan, inputs_of(changed))
    except InfeasiblePlan:
        return
    assert [str(f) for f in check_plan(again, changed, observed(changed)) if f.severity is Severity.CRITICAL] == []
    moved = [change.machine.id for change in diff_plans(plan, again).changed if change.moved is not None]
    invalid = {each.machine for each in judged(plan, changed).invalid}
    alone = all(changed.tiers[changed.systems[each.system].tier].host_failures == 0 for each in changed.machines.values())
    if not invalid and alone:
        assert moved == []


def test_apply_of_a_stale_plan_names_the_next_move(monkeypatch):
    from controlplane.execution import stale as module

    given = small_estate()
    plan = planned(given)
    monkeypatch.setattr(module, "planned_images", lambda _: IMAGES)
    monkeypatch.setattr(module, "authorized_keys", lambda _: KEYS)
    module.refuse_stale(plan, given, observed(given), None, Memory(recorded_uuids=frozenset(), migrations={}))
    given.machines["portal-1"] = replace(given.machines["portal-1"], size=size(1, 2048, 10))
    with pytest.raises(RefusedError) as refused:
        module.refuse_stale(plan, given, observed(given), None, Memory(recorded_uuids=frozenset(), migrations={}))
    text = str(refused.value)
    assert "machine/portal-1 size.memory_mib: planned 1024, now 2048; touches portal-1" in text
    assert "portal-1 on hv1: asked for differently: another size is asked for" in text
    assert "steps they touch: 1 of" in text
    assert "the rest is still valid: 4 untouched machines" in text
    assert "`kasumi plan --rebase PLAN -o FILE` makes the smallest change" in text
