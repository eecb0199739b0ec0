"""Before and after of changes nobody made."""

import re

import pytest

from controlplane.cli.what_if_view import show_what_if
from controlplane.planning.alter import (
    afresh,
    with_closed_host,
    with_growth,
    with_host_like,
    with_ministry_like,
    with_overcommit,
    without_hosts,
)
from controlplane.planning.demand import demand_of
from controlplane.planning.what_if import what_if
from tests.planning.estates import applied, planned, size, small_estate
from tests.planning.test_headroom import inputs_of


def test_a_comparison_reads_as_agreed(golden, capsys):
    inputs = inputs_of(small_estate())
    altered, _ = with_host_like(without_hosts(with_growth(inputs, 20), ["hv1"]), "hv2")
    show_what_if(what_if(inputs, altered), ["hv1 is lost", "everything grows by 20 %", "hv2-more-1 added, like hv2"])
    show_what_if(what_if(inputs, with_growth(inputs, 500)), ["everything grows by 500 %"])
    golden("what-if.txt", capsys.readouterr().out)


def test_growth_rounds_up_and_keeps_to_its_ministry():
    inputs = inputs_of(small_estate())
    grown = with_growth(inputs, 20, "mhlw").estate
    assert grown.machines["files"].size == size(3, 2458, 48)
    assert grown.machines["portal-1"].size == size(1, 1024, 10)
    assert grown.servers["pension-db"].target == size(2, 4916, 12)


def test_machines_of_a_lost_host_come_back_elsewhere_though_they_stood_there():
    given = small_estate()
    first = planned(given)
    lost = first.machines[0].host
    inputs = inputs_of(given, applied(given, first), first)
    found = what_if(inputs, without_hosts(inputs, [lost]))
    assert found.after is not None
    assert set(found.moved) == {each.id for each in first.machines if each.host == lost}
    assert found.added == ()


def test_a_ministry_joins_with_networks_and_replicas_of_its_own():
    inputs = inputs_of(small_estate())
    joined = with_ministry_like(inputs, "mhlw")
    before = [draft for draft in demand_of(inputs.estate).drafts if draft.ministry == "mhlw"]
    after = [draft for draft in demand_of(joined.estate).drafts if draft.ministry == "mhlw-more-1"]
    assert sorted(draft.size.memory_mib for draft in after) == sorted(draft.size.memory_mib for draft in before)
    assert {draft.network for draft in after} == {"mhlw-more-1"}
    found = what_if(inputs, joined)
    assert found.after is not None
    assert len(found.added) == len(before)
    assert found.after.critical == 0, "what joins has an image, though the model's machines come with their disks"


@pytest.mark.parametrize("dimension", ["vcpus", "memory", "disk"])
def test_overcommit_changes_what_may_be_promised(dimension):
    inputs = inputs_of(small_estate())
    found = what_if(inputs, with_overcommit(inputs, ["hv1", "hv2", "hv3"], dimension, 8.0))
    before, after = found.before.capacity, found.after.capacity
    changed = [name for name in ("vcpus", "memory_mib", "disk_gib") if getattr(before, name) != getattr(after, name)]
    assert len(changed) == 1
    assert re.match(dimension, changed[0])


def test_closing_a_host_and_placing_afresh():
    given = small_estate()
    first = planned(given)
    closed = first.machines[0].host
    inputs = inputs_of(given, applied(given, first), first)
    stays = what_if(inputs, with_closed_host(inputs, closed))
    assert stays.moved == {}, "planning never moves what stands"
    assert stays.after.warnings > stays.before.warnings
    leaves = what_if(inputs, afresh(with_closed_host(inputs, closed)))
    assert closed not in {after for _, after in leaves.moved.values()}
    assert {before for before, _ in leaves.moved.values()} >= {closed}
