"""What makes a plan stale, what does not, and whom it touches."""

from dataclasses import replace

import pytest

from controlplane.model.estate import Disposition
from controlplane.planning import facts
from controlplane.planning.facts import input_facts, moved_facts
from tests.planning.estates import IMAGES, KEYS, applied, estate, host, machine, observed, planned, silent, size, small_estate


def moved(plan, made, seen=None, images=IMAGES, keys=KEYS):
    facts = moved_facts(plan, input_facts(made, seen or observed(made), images, keys))
    return [(fact.entity, fact.field, fact.planned, fact.now, fact.touches) for fact in facts]


@pytest.fixture
def plan():
    return planned(small_estate())


def test_the_same_world_moves_nothing(plan):
    assert moved(plan, small_estate()) == []


def test_carrying_it_out_moves_nothing(plan):
    assert moved(plan, small_estate(), applied(small_estate(), plan)) == []


def test_a_changed_size_touches_its_machine(plan):
    made = small_estate()
    made.machines["files"] = replace(made.machines["files"], size=size(2, 4096, 40))
    assert moved(plan, made) == [("machine/files", "size.memory_mib", 2048, 4096, ("files",))]


def test_a_changed_grade_touches_all_machines_of_the_system(plan):
    made = small_estate()
    made.systems["pension"] = replace(made.systems["pension"], confidentiality=3)
    assert moved(plan, made) == [("system/pension", "confidentiality", 2, 3, ("files", "pension-ap", "pension-db"))]


def test_what_comes_and_goes_is_named(plan):
    made = small_estate()
    made.machines["new"] = machine("new")
    del made.servers["pension-db"]
    assert moved(plan, made) == [
        ("machine/new", "in the inventory", "no", "yes", ()),
        ("server/pension-db", "in the inventory", "yes", "no", ("pension-db",)),
    ]


def test_another_disposition_network_tier_image_and_key_are_named(plan):
    made = small_estate()
    made.servers["pension-hsm"] = replace(made.servers["pension-hsm"], disposition=Disposition.RETIRE)
    made.networks["mhlw"] = replace(made.networks["mhlw"], gateway="203.0.113.254")
    made.tiers["high"] = replace(made.tiers["high"], spread_over="site")
    images = {"debian-12": replace(IMAGES["debian-12"], sha256="cd" * 32)}
    found = {(entity, field): touches for entity, field, _, _, touches in moved(plan, made, images=images)}
    assert found == {
        ("server/pension-hsm", "disposition"): (),
        ("network/mhlw", "gateway"): ("files", "pension-ap", "pension-db"),
        ("tier/high", "spread_over"): ("portal-1", "portal-2"),
        ("image/debian-12", "sha256"): ("files", "pension-ap", "portal-1", "portal-2"),
    }


def test_words_that_decide_nothing_move_nothing(plan):
    made = small_estate()
    made.systems["portal"] = replace(made.systems["portal"], name="別名", description="other words")
    made.servers["pension-db"] = replace(made.servers["pension-db"], reason="other reason", os="debian-12")
    assert moved(plan, made) == []


def test_less_capacity_and_foreign_machines_touch_what_stands_there(plan):
    made = small_estate()
    host = next(each.host for each in plan.machines if each.id == "files")
    there = tuple(sorted(each.id for each in plan.machines if each.host == host))
    seen = observed(made, **{host: {"used": size(1, 512, 0)}})
    assert moved(plan, made, seen) == [
        (f"host/{host}", "foreign.memory_mib", 0, 512, there),
        (f"host/{host}", "foreign.vcpus", 0, 1, there),
    ]


def test_a_silent_host_counts_only_where_machines_are_planned(plan):
    made = small_estate()
    used = {each.host for each in plan.machines}
    assert used == {"hv1", "hv2"}
    assert moved(plan, made, observed(made, **silent("hv3"))) == []
    [(entity, field, before, now, touches)] = moved(plan, made, observed(made, **silent("hv2")))
    assert (entity, field, before, now) == ("host/hv2", "answers", True, False)
    assert touches == tuple(sorted(each.id for each in plan.machines if each.host == "hv2"))


def test_a_host_that_was_silent_and_answers_counts_only_where_machines_are_planned():
    made = small_estate()
    plan = planned(made, observed(made, **silent("hv3")))
    assert moved(plan, made) == []


def test_another_public_key_touches_every_machine(plan):
    [(entity, field, _, now, touches)] = moved(plan, small_estate(), keys=("ssh-ed25519 AAAAnew other",))
    assert (entity, field, now) == ("estate", "access.authorized_keys", "ssh-ed25519 AAAAnew other")
    assert touches == tuple(sorted(machine.id for machine in plan.machines))


def test_each_machine_is_named_once_whatever_the_number_of_hosts(monkeypatch):
    """Naming all machines anew for each host takes hours for a large estate."""
    named = []
    monkeypatch.setattr(facts, "machine_uuid", lambda _, machine: named.append(machine) or machine)
    given = estate([host(f"hv{n}", n) for n in range(1, 9)], machines=[machine(f"m{n}") for n in range(4)])
    input_facts(given, observed(given), IMAGES, KEYS)
    assert sorted(named) == ["m0", "m1", "m2", "m3"]
