"""Room for machines that do not exist yet: held through a day, counted like machines, given up first."""

from dataclasses import replace
from datetime import date

import pytest

from controlplane.model.document import digest, plan_from_json, plan_to_json
from controlplane.model.estate import Confirmation, Reservation
from controlplane.model.finding import Severity
from controlplane.model.needs import Cpu, Needs, Offers
from controlplane.planning.build import InfeasiblePlan
from controlplane.planning.checks import check_plan
from controlplane.planning.conflict import minimal_conflict
from controlplane.planning.headroom import headroom, shape_draft
from controlplane.planning.inputs import PlanInputs
from controlplane.planning.repairs import cheapest_repairs
from controlplane.planning.reserving import holding_on
from tests.planning.estates import IMAGES, KEYS, applied, estate, host, machine, observed, planned, size, system

UNTIL = date(2027, 3, 31)
CONFIRMED = system("portal", demand=Confirmation(by="the section chief", on=date(2026, 4, 1)))


def reserving(*hosts, machines=(), **changes):
    asked = {"id": "growth", "system": "portal", "size": size(1, 4096, 10), "count": 2, "network": "shared", "until": UNTIL}
    made = estate(hosts, systems=(CONFIRMED,), machines=machines)
    return replace(made, reservations={"growth": Reservation(**(asked | changes))})


def inputs_of(made):
    return PlanInputs(estate=made, observation=observed(made), parent=None, images=IMAGES, authorized_keys=KEYS)


def findings(plan, made, severity=Severity.CRITICAL):
    return [f"{each.where}: {each.what}" for each in check_plan(plan, made, observed(made)) if each.severity is severity]


def test_room_is_held_and_no_machine_is_made():
    made = reserving(host("hv1", 1), machines=(machine("a", size=size(1, 1024, 10)),), count=1)
    plan = planned(made)
    assert [each.id for each in plan.machines] == ["a"]
    assert [(each.id, each.host, each.until) for each in plan.reservations] == [("growth/1", "hv1", "2027-03-31")]
    assert findings(plan, made) == []
    assert plan_from_json(plan_to_json(plan), "plan") == plan


def test_held_room_is_taken():
    made = reserving(host("hv1", 1), machines=(machine("a", size=size(1, 1024, 10)),))
    with pytest.raises(InfeasiblePlan):
        planned(made)
    inputs = inputs_of(made)
    conflict = minimal_conflict(inputs)
    assert conflict is not None
    assert set(conflict.machines) <= {"a", "growth/1", "growth/2"}
    repairs = cheapest_repairs(inputs, conflict)
    assert repairs[0].text == "give up reservation growth of system portal (until 2027-03-31)"


def test_capacity_leaves_held_room_alone():
    made = reserving(host("hv1", 1))
    more = shape_draft(size(1, 1024, 10), tier=made.tiers["standard"])
    plan = planned(made)
    assert headroom(more, plan, inputs_of(made)).fits == 0
    free = replace(made, reservations={})
    assert headroom(more, planned(free), inputs_of(free)).fits == 8


def test_a_reservation_survives_what_its_tier_survives():
    made = reserving(host("hv1", 1), host("hv2", 2), count=4)
    made = replace(made, systems={"portal": replace(CONFIRMED, tier="high")})
    with pytest.raises(InfeasiblePlan, match="after the loss of"):
        planned(made)


def test_it_ends_with_its_last_day():
    made = reserving(host("hv1", 1))
    held, expired = holding_on(made, UNTIL)
    assert (sorted(held.reservations), expired) == (["growth"], ())
    left, expired = holding_on(made, date(2027, 4, 1))
    assert (sorted(left.reservations), [each.id for each in expired]) == ([], ["growth"])
    assert findings(planned(made), left) == []


def test_what_was_reserved_after_the_plan_is_a_warning():
    made = reserving(host("hv1", 1))
    before = planned(replace(made, reservations={}))
    assert findings(before, made) == []
    assert any("was made after the plan" in text for text in findings(before, made, Severity.WARNING))


def test_the_check_sees_where_held_room_is_wrong():
    able = host("hv1", 1, offers=Offers(cpu=Cpu(baseline="x86-64-v3")))
    made = reserving(able, host("hv2", 2), count=1, needs=Needs(cpu=Cpu(baseline="x86-64-v3")))
    plan = planned(made)
    assert [each.host for each in plan.reservations] == ["hv1"]
    wrong = replace(plan, reservations=(replace(plan.reservations[0], host="hv2"),))
    assert any("machine growth/1: stands on hv2, whose processor lacks" in text for text in findings(wrong, made))
    crowded = replace(made, reservations={"growth": replace(made.reservations["growth"], size=size(1, 9000, 10))})
    assert any("smaller than asked for" in text for text in findings(plan, crowded))


def test_plans_without_reservations_keep_their_digest():
    """A plan written before there were reservations has no such key."""
    plan = planned(estate((host("hv1"),), machines=(machine("a"),)))
    assert '"reservations"' not in plan_to_json(plan)
    assert digest(plan) != digest(planned(reserving(host("hv1", 1), machines=(machine("a"),), count=1)))


def test_a_plan_carried_out_holds_the_room_still():
    made = reserving(host("hv1", 1), host("hv2", 2), machines=(machine("a"), machine("b")))
    first = planned(made)
    again = planned(made, applied(made, first), first)
    assert {each.id: each.host for each in again.machines} == {each.id: each.host for each in first.machines}
    assert len(again.reservations) == 2
