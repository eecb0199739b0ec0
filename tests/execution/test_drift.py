"""Every difference has a name, a found value and exactly one action; nothing foreign ever gets one that changes it."""

from dataclasses import replace

import pytest

from controlplane.execution.drift import Memory, differences, unplanned_foreign
from controlplane.model.drift import Action
from controlplane.model.migration import Migration, Phase, SourceDisk
from controlplane.model.observed import Mark, ObservedNetwork, ObservedNic, PowerState
from controlplane.model.plan import Method
from tests.execution.plans import SEEN_AT, host, look, machine, plan, seen

WEB = machine("web1")
NOTHING = Memory()


def found(observation, *, machines=(WEB,), memory=NOTHING):
    return [(drift.subject, drift.what, drift.found, drift.action) for drift in differences(plan(*machines), observation, memory)]


def migration(phase: Phase) -> Migration:
    return Migration(
        estate="test", machine="db1", plan="0", phase=phase, source_uri="qemu+ssh://old/system", source_domain="db1",
        source_uuid="u", disk=SourceDisk(path="/d", format="raw", size_bytes=1), started_at=SEEN_AT, updated_at=SEEN_AT,
    )  # fmt: skip


def test_a_world_as_planned_has_no_drift():
    assert found(look(host("hv1", seen(WEB)), host("hv2"))) == []


def test_an_absent_machine_is_created():
    assert found(look(host("hv1"), host("hv2"))) == [("web1", "state", "absent", Action.CREATE)]


@pytest.mark.parametrize(
    ("changes", "what", "text", "action"),
    [
        ({"state": PowerState.STOPPED}, "state", "stopped", Action.START),
        ({"state": PowerState.CRASHED}, "state", "crashed", Action.START),
        ({"state": PowerState.PAUSED}, "state", "paused", Action.RESUME),
        ({"state": PowerState.CHANGING}, "state", "changing", Action.WAIT),
        ({"vcpus": 3}, "vCPU", "3", Action.RESIZE),
        ({"live_vcpus": 3}, "running vCPU", "3", Action.RESIZE),
        ({"memory_mib": 256}, "memory MiB", "256", Action.RESIZE),
        ({"disk_gib": 1}, "disk GiB", "1", Action.RESIZE),
        ({"autostart": False}, "autostart", "off", Action.SET_AUTOSTART),
        ({"nics": ()}, "network cards", "none", Action.RECONNECT),
    ],
)
def test_each_change_made_by_hand_is_named(changes, what, text, action):
    assert found(look(host("hv1", seen(WEB, **changes)), host("hv2"))) == [("web1", what, text, action)]


def test_a_card_on_another_network_is_reconnected():
    moved = (ObservedNic(network="default", mac=WEB.nics[0].mac),)
    [(_, what, text, action)] = found(look(host("hv1", seen(WEB, nics=moved, live_nics=moved)), host("hv2")))
    assert (what, action) == ("network cards", Action.RECONNECT)
    assert text == f"{WEB.nics[0].mac} on default"


def test_a_foreign_machine_is_only_counted():
    foreign = seen(machine("other"), mark=None)
    observation = look(host("hv1", seen(WEB), foreign), host("hv2"))
    assert found(observation) == []
    assert unplanned_foreign(plan(WEB), observation) == 1


def test_a_foreign_namesake_is_refused_not_replaced():
    namesake = seen(WEB, uuid="99999999-0000-4000-8000-000000000000", mark=None)
    [(subject, what, text, action)] = found(look(host("hv1", namesake), host("hv2")))
    assert (subject, what, action) == ("web1", "name", Action.REFUSE)
    assert "foreign machine with uuid 99999999" in text


@pytest.mark.parametrize(
    "mark", [None, Mark(estate="elsewhere", machine="web1", plan="0"), Mark(estate="test", machine="x", plan="0")]
)
def test_our_uuid_without_our_mark_is_refused(mark):
    [(_, what, _, action)] = found(look(host("hv1", seen(WEB, mark=mark, state=PowerState.STOPPED)), host("hv2")))
    assert (what, action) == ("owner", Action.REFUSE)


def test_a_machine_on_another_host_is_refused():
    assert found(look(host("hv1"), host("hv2", seen(WEB)))) == [("web1", "host", "hv2", Action.REFUSE)]


def test_an_unreachable_host_yields_no_drift():
    assert found(look(host("hv1", error="no answer", machines=(), capacity=None), host("hv2"))) == []


def test_a_machine_that_left_the_plan_is_removed_only_when_on_record():
    gone = machine("gone")
    observation = look(host("hv1", seen(WEB), seen(gone)), host("hv2"))
    assert [action for *_, action in found(observation, memory=Memory(recorded_uuids=frozenset({gone.uuid})))] == [Action.REMOVE]
    assert [action for *_, action in found(observation)] == [Action.REFUSE]


def test_networks_are_defined_started_or_refused():
    def with_network(*networks):
        return found(look(host("hv1", seen(WEB), networks=networks), host("hv2")))

    good = ObservedNetwork(name="kasumi-shared", active=True, autostart=True, bridge="br-shared")
    assert [row[3] for row in with_network()] == [Action.DEFINE_NETWORK]
    assert [row[3] for row in with_network(replace(good, active=False))] == [Action.START_NETWORK]
    assert [row[3] for row in with_network(replace(good, autostart=False))] == [Action.START_NETWORK]
    assert [row[3] for row in with_network(replace(good, bridge="br-other"))] == [Action.REFUSE]


def test_a_clouds_network_of_somebody_else_is_refused_unless_the_inventory_names_it():
    ours = ObservedNetwork(name="kasumi-shared", active=True, autostart=True, bridge="")
    theirs = replace(ours, bridge="kasumi-shared")
    made = plan(WEB)
    made = replace(made, networks=tuple(replace(network, bridge="") for network in made.networks))
    for networks, actions in (((ours,), []), ((ours, theirs), []), ((theirs, ours), []), ((theirs,), [Action.REFUSE])):
        rows = differences(made, look(host("hv1", seen(WEB), networks=networks)), Memory())
        assert [row.action for row in rows] == actions
    named = replace(made, networks=tuple(replace(network, bridge="kasumi-shared") for network in made.networks))
    assert differences(named, look(host("hv1", seen(WEB), networks=(theirs,))), Memory()) == ()


@pytest.mark.parametrize("phase", [None, Phase.PREPARED, Phase.COPIED, Phase.READY, Phase.ROLLED_BACK])
def test_a_machine_under_migration_is_left_to_it(phase):
    moving = machine("db1", method=Method.COLD)
    memory = Memory(migrations={"db1": migration(phase)} if phase else {})
    stopped = look(host("hv1", seen(moving, state=PowerState.STOPPED)), host("hv2"))
    assert [row[3] for row in found(stopped, machines=(moving,), memory=memory)] == [Action.MIGRATE]
    assert [row[3] for row in found(look(host("hv1"), host("hv2")), machines=(moving,), memory=memory)] == [Action.MIGRATE]


@pytest.mark.parametrize("phase", [Phase.CUT_OVER, Phase.FINALIZED])
def test_a_migrated_machine_is_kept_running(phase):
    moved = machine("db1", method=Method.COLD)
    memory = Memory(migrations={"db1": migration(phase)})
    stopped = look(host("hv1", seen(moved, state=PowerState.STOPPED)), host("hv2"))
    assert [row[3] for row in found(stopped, machines=(moved,), memory=memory)] == [Action.START]
    assert [row[3] for row in found(look(host("hv1"), host("hv2")), machines=(moved,), memory=memory)] == [Action.CREATE]
