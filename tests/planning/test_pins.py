"""Machines that are bound to hosts or kept off them."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.model.document import plan_from_json, plan_to_json
from controlplane.model.estate import Disposition
from controlplane.planning.build import InfeasiblePlan
from controlplane.planning.checks import check_plan
from tests.planning.estates import applied, estate, host, machine, observed, planned, server, size, system

HOSTS = (host("hv1", 1), host("hv2", 2), host("hv3", 3))


def where(plan):
    return {each.id: each.host for each in plan.machines}


def critical(plan, given):
    return [f"{each.where}: {each.what}" for each in check_plan(plan, given, observed(given)) if each.severity == "critical"]


def test_a_machine_stands_where_it_is_bound_to():
    given = estate(HOSTS, machines=(machine("a"), machine("b", only_on=("hv3",)), machine("c", not_on=("hv1", "hv3"))))
    plan = planned(given)
    assert (where(plan)["b"], where(plan)["c"]) == ("hv3", "hv2")
    assert critical(plan, given) == []
    assert plan_from_json(plan_to_json(plan), "x") == plan


def test_a_server_binds_the_machine_it_becomes():
    moved = server("old", "portal", Disposition.REPLATFORM, network="shared", image="debian-12", not_on=("hv1", "hv2"))
    given = estate(HOSTS, servers=(moved,))
    plan = planned(given)
    assert where(plan) == {"old": "hv3"}
    assert critical(plan, given) == []


def test_without_room_there_is_no_plan_and_the_pin_is_named():
    given = estate(HOSTS, machines=(machine("a", only_on=("hv2",), size=size(1, 9000, 10)),))
    with pytest.raises(InfeasiblePlan) as error:
        planned(given)
    text = str(error.value)
    assert "hv1: may stand only on hv2" in text
    assert "hv2: memory: wants 9000 MiB" in text
    assert "loosen `only_on` or `not_on` of the machine" in text


def test_a_pin_to_one_host_cannot_survive_its_loss():
    given = estate(HOSTS, systems=(system("portal", tier="high"),), machines=(machine("a", only_on=("hv1",)),))
    with pytest.raises(InfeasiblePlan, match="after the loss of hv1, a fits nowhere"):
        planned(given)


def test_the_check_sees_what_stands_against_a_pin():
    given = estate(HOSTS, machines=(machine("a", only_on=("hv2",)),))
    plan = planned(given)
    moved = replace(plan, machines=tuple(replace(each, host="hv1") for each in plan.machines))
    assert any("stands on hv1, may only on ['hv2']" in text for text in critical(moved, given))


def test_a_new_pin_warns_of_what_stands_and_moves_nothing():
    given = estate(HOSTS, machines=(machine("a", only_on=("hv2",)),))
    first = planned(given)
    given.machines["a"] = machine("a", not_on=("hv2",))
    again = planned(given, applied(given, first), first)
    assert where(again) == {"a": "hv2"}
    assert any("stays on hv2, though: is forbidden to it" in text for text in again.warnings)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sets(st.sampled_from(["hv1", "hv2", "hv3"])), st.sets(st.sampled_from(["hv1", "hv2", "hv3"]))), max_size=6
    )
)
def test_pins_hold_or_there_is_no_plan(pins):
    asked = [machine(f"m{i}", only_on=tuple(sorted(only)), not_on=tuple(sorted(never))) for i, (only, never) in enumerate(pins)]
    given = estate(HOSTS, machines=asked)
    possible = all((set(each.only_on) or {"hv1", "hv2", "hv3"}) - set(each.not_on) for each in asked)
    if not possible:
        with pytest.raises(InfeasiblePlan):
            planned(given)
        return
    plan = planned(given)
    assert critical(plan, given) == []
    for each in asked:
        assert where(plan)[each.id] in (set(each.only_on) or {"hv1", "hv2", "hv3"}) - set(each.not_on)
