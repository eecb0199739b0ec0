"""Drift that only a cloud can show: ids that it gave by itself, sizes in steps, addresses and security groups of cards."""

from dataclasses import replace

import pytest

from controlplane.execution.drift import Memory, differences
from controlplane.model.drift import Action
from controlplane.model.estate import Service
from controlplane.model.observed import ObservedGroup, ObservedNic, PowerState
from controlplane.model.resources import Resources
from controlplane.model.security import rules_of, security_groups
from tests.execution.plans import host, look, machine, plan, seen

WEB = replace(machine("web1"), services=(Service(name="web", port=443), Service(name="api", port=80)))
ZONE, PORTS = "kasumi-test-zone-shared", "kasumi-test-tcp-80-443"
CARD = ObservedNic(network="kasumi-shared", mac=WEB.nics[0].mac, address="192.0.2.9", security_groups=(PORTS, ZONE))
RECORD = Memory(recorded_uuids=frozenset({WEB.uuid}), native_ids={WEB.uuid: "nova-1"})


def on_cloud(**changes):
    return seen(WEB, **{"native_id": "nova-1", "nics": (CARD,), "live_nics": (CARD,)} | changes)


def found(*machines, memory=RECORD):
    rows = differences(plan(WEB), look(host("hv1", *machines), host("hv2")), memory)
    return [(drift.what, drift.found, drift.action) for drift in rows]


def test_as_planned_there_is_none():
    assert found(on_cloud()) == []
    assert found(on_cloud(), memory=Memory()) == []


@pytest.mark.parametrize(
    ("changes", "drift"),
    [
        ({"native_id": "nova-2"}, ("identity", "its mark on nova-2", Action.REFUSE)),
        ({"state": PowerState.FAILED, "fault": "No valid host"}, ("state", "failed: No valid host", Action.CREATE)),
        ({"state": PowerState.CRASHED, "fault": "disk gone"}, ("state", "crashed: disk gone", Action.START)),
        ({"resize_unconfirmed": True}, ("resize", "waiting to be confirmed", Action.RESIZE)),
        ({"nics": (replace(CARD, address="192.0.2.7"),)}, (f"address of {CARD.mac}", "192.0.2.7", Action.RECONNECT)),
        ({"nics": (replace(CARD, security_groups=(ZONE,)),)}, (f"security groups of {CARD.mac}", ZONE, Action.RECONNECT)),
        ({"nics": (replace(CARD, security_groups=()),)}, (f"security groups of {CARD.mac}", "none", Action.RECONNECT)),
        ({"nics": (), "live_nics": ()}, ("network cards", "none", Action.RECONNECT)),
    ],
)
def test_each_is_named_and_has_one_action(changes, drift):
    assert found(on_cloud(**changes)) == [drift]


def guarded(*, lacking="", surplus=""):
    """Groups as planned, but for one rule of the services' group."""
    groups = []
    for group in security_groups("test", WEB, WEB.nics[0]):
        rules = {str(rule) for rule in rules_of(group)}
        if group.name == PORTS:
            rules = (rules - {lacking}) | ({surplus} - {""})
        groups.append(ObservedGroup(name=group.name, rules=tuple(sorted(rules))))
    return tuple(groups)


@pytest.mark.parametrize(
    ("groups", "drift"),
    [
        ((), []),
        (guarded(), []),
        (guarded(surplus="out IPv4 tcp 25 to 192.0.2.1/32"), []),
        (guarded(surplus="in IPv4 tcp 23 from anywhere"), [("web1", "nothing more", "in IPv4 tcp 23 from anywhere")]),
        (guarded(lacking="in IPv6 tcp 80 from anywhere"), [("web1", "in IPv6 tcp 80 from anywhere", "not there")]),
    ],
)
def test_a_rule_of_a_group_is_shown_once_for_all_that_it_guards(groups, drift):
    other = replace(WEB, id="web2", uuid="22222222-2222-2222-2222-222222222222")
    both = plan(WEB, other)
    there = (
        on_cloud(),
        on_cloud(uuid=other.uuid, name="web2", native_id="nova-2", mark=replace(on_cloud().mark, machine="web2")),
    )
    seen_host = replace(host("hv1", *there), security_groups=groups)
    rows = differences(both, look(seen_host, host("hv2")), RECORD)
    assert [(row.subject, row.wanted, row.found) for row in rows] == drift
    assert {(row.what, row.action) for row in rows} <= {(f"rules of {PORTS}", Action.RECONNECT)}
    changing = (replace(there[0], state=PowerState.CHANGING), there[1])
    rows = differences(both, look(replace(host("hv1", *changing), security_groups=groups), host("hv2")), RECORD)
    assert [row.subject for row in rows] == ["web1", *("web2" for _ in drift)]


def test_a_larger_step_taken_for_the_size_asked_for_is_as_planned():
    step = {"vcpus": 2, "memory_mib": 1024, "live_vcpus": 2, "live_memory_mib": 1024, "disk_gib": 10}
    assert found(on_cloud(**step, made_for=WEB.size)) == []
    assert [row[0] for row in found(on_cloud(**step))] == ["vCPU", "memory MiB", "disk GiB"]
    asked = Resources(vcpus=1, memory_mib=256, disk_gib=4)
    assert found(on_cloud(**step, made_for=asked)) == [("memory MiB", "256", Action.RESIZE)]


def test_copies_with_one_mark_are_refused_whatever_is_on_record():
    copy = on_cloud(native_id="nova-2", name="web1-copy")
    for memory in (RECORD, Memory()):
        assert found(on_cloud(), copy, memory=memory) == [("identity", "nova-1 on hv1, nova-2 on hv1", Action.REFUSE)]


def test_the_server_on_record_without_its_mark_is_refused_and_no_other_made():
    bare = on_cloud(mark=None, uuid="nova-1", name="renamed")
    assert found(bare) == [("owner", "a foreign machine", Action.REFUSE)]


def test_a_copy_of_a_machine_that_left_the_plan_is_not_removed():
    gone = machine("old1")
    left = seen(gone, native_id="nova-9", nics=(), live_nics=())
    memory = replace(RECORD, recorded_uuids=frozenset({WEB.uuid, gone.uuid}), native_ids={gone.uuid: "nova-8"})
    assert found(on_cloud(), left, memory=memory) == [
        ("machine", "running, marked as ours but in no plan on record", Action.REFUSE)
    ]
    memory = replace(memory, native_ids={gone.uuid: "nova-9"})
    assert found(on_cloud(), left, memory=memory) == [("machine", "running", Action.REMOVE)]
