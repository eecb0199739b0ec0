"""Minimal conflicts against brute force, and repairs that lead to a plan."""

from dataclasses import replace
from itertools import combinations, product

import pytest
from hypothesis import given as for_all
from hypothesis import settings

from controlplane.cli.diagnosis import diagnosis
from controlplane.planning.alter import with_free_machines, with_host_like, without_hosts
from controlplane.planning.build import InfeasiblePlan
from controlplane.planning.conflict import case_of, minimal_conflict, only
from controlplane.planning.feasibility import feasible
from controlplane.planning.objections import Rule
from controlplane.planning.repairs import cheapest_repairs
from tests.planning.brute import promised
from tests.planning.estates import applied, estate, host, machine, observed, planned, silent, size, system
from tests.planning.made import estates
from tests.planning.test_headroom import inputs_of


def brute_force(case):
    """Every assignment of every machine, judged from the rules in docs/planning.md."""
    rooms = {room.host.id: room for room in case.rooms}
    spare = {host_id: _vector(promised(room.host)) for host_id, room in rooms.items()}
    for names in product(rooms, repeat=len(case.drafts)):
        where = list(zip(case.drafts, names, strict=True))
        if all(_admits(case, rooms[name], draft, named=True) for draft, name in where):
            taken = {name: _sum([_vector(draft.size) for draft, on in where if on == name]) for name in rooms}
            if (
                all(_within(taken[name], spare[name]) for name in rooms)
                and _spread(rooms, where)
                and _survives(case, rooms, where)
            ):
                return True
    return False


def _vector(amount):
    return (amount.vcpus, amount.memory_mib, amount.disk_gib)


def _sum(vectors):
    return tuple(map(sum, zip((0, 0, 0), *vectors, strict=True)))


def _within(used, most):
    return all(a <= b or a == 0 for a, b in zip(used, most, strict=True))


def _admits(case, room, draft, *, named):
    network = case.networks[draft.network]
    return (
        room.takes_new
        and draft.confidentiality in room.host.confidentiality
        and draft.network in room.host.networks
        and network.confidentiality >= draft.confidentiality
        and network.ministry in {"", draft.ministry}
        and not (named and draft.id in room.others_by_name)
    )


def _spread(rooms, where):
    for (one, first), (other, second) in combinations(where, 2):
        if one.replica_group and (one.system, one.replica_group) == (other.system, other.replica_group):
            a, b, over = rooms[first].host, rooms[second].host, one.tier.spread_over
            same_domain = over == "site" and a.site == b.site
            same_domain |= over == "rack" and (a.site, a.rack) == (b.site, b.rack)
            same_domain |= over == "power_feed" and (a.site, a.power_feed) == (b.site, b.power_feed)
            if first == second or same_domain:
                return False
    return True


def _survives(case, rooms, where):
    silent_hosts = {name for name, room in rooms.items() if not room.answers}
    others = [name for name in rooms if name not in silent_hosts]
    for level in {draft.tier.host_failures for draft, _ in where} - {0}:
        for lost in combinations(others, min(max(0, level - len(silent_hosts)), len(others))):
            gone = silent_hosts | set(lost)
            moving = [draft for draft, on in where if on in gone and draft.tier.host_failures >= level]
            left = [name for name in rooms if name not in gone]
            staying = {name: [_vector(d.size) for d, on in where if on == name] for name in left}
            if not any(
                all(_admits(case, rooms[name], draft, named=False) for draft, name in zip(moving, names, strict=True))
                and all(
                    _within(
                        _sum(staying[name] + [_vector(d.size) for d, n in zip(moving, names, strict=True) if n == name]),
                        _vector(promised(rooms[name].host)),
                    )
                    for name in left
                )
                for names in product(left, repeat=len(moving))
            ):
                return False
    return True


@settings(max_examples=80, deadline=None)
@for_all(estates())
def test_conflicts_are_minimal_by_brute_force(given):
    given = replace(given, machines=dict(list(given.machines.items())[:5]), hosts=dict(list(given.hosts.items())[:4]))
    inputs = inputs_of(given)
    try:
        inputs.plan()
    except InfeasiblePlan as infeasible:
        suspects = infeasible.unplaced
    else:
        assert brute_force(case_of(inputs)), "the plan itself is a witness"
        return
    case = case_of(inputs)
    conflict = minimal_conflict(inputs, suspects)
    if conflict is None:
        assert brute_force(case)
        return
    assert conflict.proven
    assert conflict.minimal
    keys = [(each.rule, each.subject) for each in conflict.constraints]
    assert not brute_force(only(case, keys))
    for key in keys:
        assert brute_force(only(case, [other for other in keys if other != key])), f"{key} is not needed"


@settings(max_examples=60, deadline=None)
@for_all(estates())
def test_feasibility_agrees_with_brute_force(given):
    given = replace(given, machines=dict(list(given.machines.items())[:5]), hosts=dict(list(given.hosts.items())[:4]))
    case = case_of(inputs_of(given))
    assert feasible(case, steps=100_000) is brute_force(case)


def _diagnosed(inputs):
    with pytest.raises(InfeasiblePlan) as infeasible:
        inputs.plan()
    conflict = minimal_conflict(inputs, infeasible.value.unplaced)
    return conflict, cheapest_repairs(inputs, conflict), diagnosis(infeasible.value, inputs)


def test_one_machine_too_large_is_the_whole_conflict(golden):
    given = estate((host("hv1", 1), host("hv2", 2)), machines=(machine("a"), machine("b", size=size(20, 2048, 10))))
    conflict, repairs, text = _diagnosed(inputs_of(given))
    assert [(each.rule, each.subject) for each in conflict.constraints] == [(Rule.CAPACITY, "b")]
    assert [repair.kind for repair in repairs] == ["promise more", "plan smaller"]
    assert repairs[0].text == "raise the vCPU overcommit of hv1, hv2 from 4 to 5"
    golden("conflict.txt", text + "\n")


def test_replicas_without_racks_enough():
    hosts = (host("hv1", 1), host("hv3", 3, rack="r1"))
    given = estate(
        hosts, systems=(system("portal", tier="high"),), machines=[machine(f"p{n}", replica_group="p") for n in (1, 2)]
    )
    conflict, repairs, _ = _diagnosed(inputs_of(given))
    assert {each.rule for each in conflict.constraints} == {Rule.SPREAD}
    assert [repair.text for repair in repairs] == [
        "relax the rack anti-affinity of portal: replicas differ in host alone",
        "add one more host like hv1, in a rack of its own",
    ]


def test_a_host_in_maintenance_and_a_silent_one_are_named():
    given = estate((host("hv1", 1, maintenance=True), host("hv2", 2)), machines=(machine("a"),))
    conflict, repairs, _ = _diagnosed(inputs_of(given, observed(given, **silent("hv2"))))
    assert [each.subject for each in conflict.constraints if each.rule is Rule.CLOSED] == ["hv1", "hv2"]
    assert {"end the maintenance of host hv1", "bring back host hv2"} <= {repair.text for repair in repairs}


def test_moving_small_machines_is_offered_where_they_stand_in_the_way():
    given = estate((host("hv1", 1), host("hv2", 2)), machines=(machine("a"), machine("b")))
    first = planned(given)
    stands = first.machines[0].host
    assert {each.host for each in first.machines} == {stands}
    other = "hv2" if stands == "hv1" else "hv1"
    split = replace(first, machines=(first.machines[0], replace(first.machines[1], host=other)))
    given.machines["c"] = machine("c", size=size(1, 8192, 10))
    conflict, repairs, text = _diagnosed(inputs_of(given, applied(given, split), split))
    assert conflict.machines == ("c",)
    assert repairs[0].kind == "move"
    assert repairs[0].text in {f"move a from {stands} to {other}", f"move b from {other} to {stands}"}
    assert "repairs, cheapest first; with each of them there is a plan:" in text


@settings(max_examples=25, deadline=None)
@for_all(estates())
def test_altered_inputs_are_others_and_leave_the_given_ones_alone(given):
    inputs = inputs_of(given)
    more, name = with_host_like(inputs, "hv1", own_rack=True)
    assert name not in given.hosts
    assert set(more.estate.hosts) == {*given.hosts, name}
    less = without_hosts(more, [name])
    assert less.estate == given
    assert with_free_machines(inputs, given.machines).estate == given
