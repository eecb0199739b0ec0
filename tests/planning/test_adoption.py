"""Machines that stand on a shared host already: found once or refused with the reason, foreign until adopted, kept afterwards."""

from dataclasses import replace

import pytest

from controlplane.execution.drift import Memory, differences
from controlplane.model.drift import Action
from controlplane.model.estate import Disposition, LibvirtSource
from controlplane.model.observed import Mark, ObservedMachine, ObservedNic, PowerState
from controlplane.model.plan import Method
from controlplane.model.resources import total
from controlplane.planning.adoption import as_adopted, matching
from controlplane.planning.checks import check_plan
from controlplane.planning.facts import input_facts, moved_facts
from controlplane.planning.identity import machine_uuid
from controlplane.planning.inputs import PlanInputs
from tests.planning.estates import IMAGES, KEYS, estate, host, machine, observed, planned, server, size

HOSTS = (host("hv1", 1), host("hv2", 2))
CARD = ObservedNic(network="", mac="52:54:00:aa:00:01", bridge="br-shared")
DOMAIN = ObservedMachine(
    name="old-mail", uuid="11111111-2222-4333-8444-555555555555", mark=None, state=PowerState.RUNNING, vcpus=2, memory_mib=2048,
    live_vcpus=2, live_memory_mib=2048, autostart=True, nics=(CARD,), live_nics=(CARD,),
)  # fmt: skip
UUID = machine_uuid("test", "mail")


def mail(**changes):
    source = LibvirtSource(uri=HOSTS[0].uri, domain="old-mail")
    stands = {"network": "shared", "address": "192.0.2.50", "mac": CARD.mac, "source": source}
    return replace(server("mail", "portal", Disposition.REHOST, **stands), **changes)


def given(*servers):
    return estate(HOSTS, servers=servers or (mail(),), machines=(machine("web"),))


def look(*machines, at="hv1", foreign=size(2, 2048, 0)):
    return observed(given(), **{at: {"machines": machines, "used": foreign}})


def match(*machines, inventory=None, accepted=None, recorded=None, names=(), at="hv1"):
    inventory = inventory or given()
    seen = observed(inventory, **{at: {"machines": machines}}).hosts[at]
    return matching(inventory, inventory.hosts[at], seen, accepted, recorded or {}, names)


def test_one_that_fits_is_found_by_name_and_by_id():
    by_id = given(mail(source=LibvirtSource(uri=HOSTS[0].uri, domain=DOMAIN.uuid)))
    for found in (match(DOMAIN), match(DOMAIN, inventory=by_id), match(DOMAIN, names=("mail",))):
        assert [(c.machine, c.uuid, c.seen) for c in found.candidates] == [("mail", UUID, DOMAIN)]
        assert (found.already, found.refused) == ((), {})


def ours(**changes):
    mark = Mark(estate="test", machine="mail", plan="", adopted=True)
    return replace(DOMAIN, **{"uuid": UUID, "native_id": DOMAIN.uuid, "mark": mark} | changes)


def test_what_is_adopted_and_on_record_is_left_and_half_an_adoption_is_finished():
    assert match(ours(), recorded={UUID: DOMAIN.uuid}).already == ("mail",)
    assert [c.machine for c in match(ours()).candidates] == ["mail"]


@pytest.mark.parametrize(
    ("machines", "more", "why"),
    [
        ((), {}, "wanted old-mail on hv1, found none of this name or id"),
        ((DOMAIN, replace(DOMAIN, uuid="2")), {}, "wanted one machine old-mail on hv1, found 2: 11111111-.*, 2; name the id"),
        (
            (replace(DOMAIN, mark=Mark(estate="other", machine="x", plan="")),),
            {},
            "bears the mark of other/x, of another estate; it is left alone",
        ),
        ((ours(mark=Mark(estate="test", machine="mail", plan="")),), {}, "bears the mark of test/mail, of this estate"),
        ((DOMAIN,), {"recorded": {UUID: "elsewhere"}}, "was adopted as elsewhere, found 11111111-"),
        (
            (replace(DOMAIN, nics=(CARD, replace(CARD, mac="52:54:00:aa:00:02"))),),
            {},
            "wanted one network card .*, found .*, .*;",
        ),
        ((replace(DOMAIN, nics=()),), {}, "wanted one network card 52:54:00:aa:00:01, found none"),
        ((DOMAIN,), {"names": ("nobody",)}, "is no server of the inventory"),
        (
            (DOMAIN,),
            {"names": ("mail",), "at": "hv2"},
            r"its source is .*198.51.100.1/system, not hv2 .*; `kasumi adopt hv1 mail`",
        ),
        (
            (DOMAIN,),
            {"names": ("mail",), "inventory": given(mail(disposition=Disposition.RETAIN))},
            "wanted `disposition: rehost` and .*, found retain",
        ),
        (
            (DOMAIN,),
            {"names": ("mail",), "inventory": given(mail(disposition=Disposition.RETAIN, source=None))},
            "found retain without source",
        ),
        (
            (DOMAIN,),
            {"inventory": given(mail(), replace(mail(), id="post"))},
            "mail and post name the same machine on hv1",
        ),
    ],
)
def test_everything_else_is_refused_with_its_reason(machines, more, why):
    found = match(*machines, **more)
    assert found.candidates == ()
    (said, *_) = found.refused.values()
    with pytest.raises(AssertionError, match=why):
        raise AssertionError(said)


def test_a_machine_that_the_accepted_plan_makes_is_not_adopted():
    made = estate(HOSTS, machines=(machine("mail"),))
    assert "the accepted plan makes or moves a machine of this id" in match(DOMAIN, accepted=planned(made)).refused["mail"]


def test_until_it_is_adopted_it_is_foreign_and_in_no_plan():
    plan = planned(given(), look(DOMAIN))
    assert [each.id for each in plan.machines] == ["web"]
    assert any("server mail: stands on shared host" in text and "kasumi adopt" in text for text in plan.warnings)
    assert [f for f in check_plan(plan, given(), look(DOMAIN)) if f.severity == "critical"] == []


def adopted(seen=DOMAIN, *, disk_gib=20, server_is=None):
    inventory = given(server_is or mail())
    inputs = PlanInputs(estate=inventory, observation=look(seen), parent=None, images=IMAGES, authorized_keys=KEYS)
    candidates = matching(inventory, HOSTS[0], inputs.observation.hosts["hv1"], None, {}, ()).candidates
    after = as_adopted(inputs, "hv1", candidates, {"mail": disk_gib})
    return after, after.plan()


def test_adopted_it_stays_where_it_stands_and_takes_its_room_once():
    after, plan = adopted()
    (stays,) = [each for each in plan.machines if each.id == "mail"]
    assert (stays.host, stays.method, stays.uuid) == ("hv1", Method.ADOPT, UUID)
    assert (stays.nics[0].mac, stays.nics[0].address) == (CARD.mac, "192.0.2.50")
    (there,) = [each for each in plan.hosts if each.id == "hv1"]
    assert there.allocated_before == size(2, 2048, 20)
    assert [f for f in check_plan(plan, after.estate, after.observation) if f.severity == "critical"] == []


def drift(after, plan, memory):
    return [(d.what, d.found, d.action) for d in differences(plan, after.observation, memory) if d.subject == "mail"]


RECORD = Memory(native_ids={UUID: DOMAIN.uuid}, recorded_uuids=frozenset({UUID}))


def test_one_that_is_as_the_inventory_says_has_no_drift():
    assert drift(*adopted(), RECORD) == []


@pytest.mark.parametrize(
    ("changes", "what", "action"),
    [
        ({"vcpus": 1}, "vCPU", Action.RESIZE),
        ({"autostart": False}, "autostart", Action.SET_AUTOSTART),
        ({"state": PowerState.STOPPED, "live_nics": None, "live_vcpus": None, "live_memory_mib": None}, "state", Action.START),
        ({"nics": (replace(CARD, bridge="br-other"),)}, "network cards", Action.RECONNECT),
    ],
)
def test_what_differs_is_named(changes, what, action):
    [(found, _, does)] = drift(*adopted(replace(DOMAIN, **changes)), RECORD)
    assert (found, does) == (what, action)


def test_one_in_error_is_refused_and_not_made_anew():
    assert drift(*adopted(replace(DOMAIN, state=PowerState.FAILED)), RECORD) == [("state", "failed", Action.REFUSE)]


@pytest.mark.parametrize("method", [Method.IMAGE, Method.COLD])
def test_one_that_the_plan_would_make_or_move_is_left_alone(method):
    after, plan = adopted()
    changed = tuple(replace(each, method=method) if each.id == "mail" else each for each in plan.machines)
    assert drift(after, replace(plan, machines=changed), RECORD) == [("method", "adopted", Action.REFUSE)]


def test_its_disk_is_held_against_the_inventory():
    assert drift(*adopted(disk_gib=21), RECORD) == [("disk GiB", "21", Action.RESIZE)]


def test_the_mark_alone_is_not_enough():
    after, plan = adopted()
    assert drift(after, plan, Memory()) == [("identity", f"its mark on {DOMAIN.uuid}", Action.REFUSE)]


@pytest.mark.parametrize(
    ("machines", "found"),
    [((), "absent, and it was adopted, not made by us"), ((DOMAIN,), "a foreign machine")],
    ids=["gone", "unmarked"],
)
def test_one_that_is_gone_or_lost_its_mark_is_never_made_anew(machines, found):
    _, plan = adopted()
    [(_, said, action)] = [(d.what, d.found, d.action) for d in differences(plan, look(*machines), RECORD) if d.subject == "mail"]
    assert (said, action) == (found, Action.REFUSE)
    again = planned(given(), look(*machines), plan)
    assert {each.id for each in again.machines} == {"mail", "web"}


@pytest.mark.parametrize(
    ("memory", "found", "action"),
    [
        (RECORD, "running", Action.RELEASE),
        (replace(RECORD, recorded_uuids=frozenset()), "running, adopted, but in no accepted plan yet", Action.REFUSE),
        (Memory(recorded_uuids=frozenset({UUID})), "running, marked as ours but in no plan on record", Action.REFUSE),
    ],
)
def test_one_that_left_the_plan_is_let_go_of_and_never_removed(memory, found, action):
    without = planned(estate(HOSTS, machines=(machine("web"),)), look(ours()))
    [row] = [d for d in differences(without, look(ours()), memory) if d.subject == "mail"]
    assert (row.action, row.found.startswith(found)) == (action, True)


def test_letting_go_moves_no_fact_and_its_room_stays_taken():
    gone = estate(HOSTS, machines=(machine("web"),))
    kept, released = look(ours(disk_gib=20), foreign=size(0, 0, 0)), look(DOMAIN)
    plan = planned(gone, kept)
    (there,) = [each for each in plan.hosts if each.id == "hv1"]
    here = [each.size for each in plan.machines if each.host == "hv1"]
    assert there.allocated_after == total([size(2, 2048, 0), *here])
    assert moved_facts(plan, input_facts(gone, released, IMAGES, KEYS)) == ()
