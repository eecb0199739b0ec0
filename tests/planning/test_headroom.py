"""How many more fit: the number can really be planned, and without losses to survive it is exact."""

from dataclasses import replace

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from controlplane.cli.capacity_view import show_headroom
from controlplane.model.finding import Severity
from controlplane.planning.build import InfeasiblePlan
from controlplane.planning.checks import check_plan
from controlplane.planning.headroom import headroom, shape_draft
from controlplane.planning.identity import machine_uuid
from controlplane.planning.inputs import PlanInputs
from controlplane.planning.objections import Rule
from tests.planning.estates import IMAGES, KEYS, estate, host, machine, observed, planned, size, small_estate, system
from tests.planning.made import estates


def inputs_of(given, seen=None, parent=None):
    return PlanInputs(estate=given, observation=seen or observed(given), parent=parent, images=IMAGES, authorized_keys=KEYS)


def more_of(shape, given, network="shared", **changes):
    draft = shape_draft(shape, tier=given.tiers[changes.pop("tier", "standard")], network=network, **changes)
    return headroom(draft, planned(given), inputs_of(given))


def test_room_is_counted_in_the_tightest_dimension():
    given = estate((host("hv1", 1), host("hv2", 2, maintenance=True)), machines=(machine("a"),))
    found = more_of(size(1, 2048, 10), given)
    assert (found.fits, found.room_bound, found.stopped) == (3, 3, False)
    assert found.binding == ((Rule.CAPACITY, 1),)
    hv1, hv2 = found.hosts
    assert (hv1.alone, hv1.in_total, hv1.eligible) == (3, 3, True)
    assert [objection.text for objection in hv1.objections] == ["memory: wants 2048 MiB, 1024 left of 8192"]
    assert (hv2.alone, hv2.eligible) == (0, False)


def test_a_tier_that_survives_a_loss_halves_two_hosts():
    given = estate((host("hv1", 1), host("hv2", 2)), systems=(system("portal", tier="high"),), machines=(machine("a"),))
    assert more_of(size(1, 1024, 5), given, tier="high").fits == 7, "eight in all, one is there"
    assert more_of(size(1, 1024, 5), given, tier="standard").fits == 14, "the last one must leave room for machine a"


def test_headroom_reads_as_agreed(golden, capsys):
    given = small_estate()
    show_headroom(more_of(size(2, 2048, 10), given, network="(any)", tier="high"))
    golden("capacity.txt", capsys.readouterr().out)


@settings(max_examples=30, deadline=None)
@for_all(estates(), st.sampled_from(["standard", "high"]), st.sampled_from([512, 1024, 1536]))
def test_the_number_passes_the_independent_check(given, tier, memory_mib):
    given = replace(given, systems={**given.systems, "more": system("more", tier=tier)})
    try:
        plan = planned(given)
    except InfeasiblePlan:
        return
    shape = size(1, memory_mib, 3)
    found = headroom(shape_draft(shape, tier=given.tiers[tier], network="shared", ministry="mic"), plan, inputs_of(given))
    assert found.fits == sum(each.in_total for each in found.hosts) <= found.room_bound
    assert all(each.in_total <= each.alone for each in found.hosts)
    protected = tier == "high" or any(given.tiers[each.tier].host_failures for each in plan.machines)
    if not protected:
        assert found.fits == found.room_bound
    if not found.fits or found.fits > 40:
        return
    template = planned(estate([host("hv1")], machines=[machine("m")])).machines[0]
    added = [
        replace(template, id=name, uuid=machine_uuid(given.id, name), system="more", tier=tier, host=each.host, size=shape)
        for each in found.hosts
        for name in (f"more-{each.host}-{number}" for number in range(each.in_total))
    ]
    findings = check_plan(replace(plan, machines=(*plan.machines, *added)), given, observed(given))
    about_room = [str(f) for f in findings if f.where.startswith(("host ", "loss ")) and f.severity is Severity.CRITICAL]
    assert about_room == []


@pytest.mark.parametrize("limit", [0, 3])
def test_counting_stops_at_its_limit_and_says_so(monkeypatch, limit):
    monkeypatch.setattr("controlplane.planning.headroom.MOST", limit)
    found = more_of(size(1, 128, 1), estate((host("hv1"),), machines=(machine("a"),)))
    assert (found.fits, found.stopped) == (limit, True)
