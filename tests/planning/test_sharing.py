"""What several machines share that is scarce: licensed sockets, pools for disks of a class, storage that ministries may not share."""

from dataclasses import replace

import pytest

from controlplane.errors import RefusedError
from controlplane.execution.apply import apply_plan
from controlplane.execution.converge import Permissions
from controlplane.model.document import plan_from_json, plan_to_json
from controlplane.model.estate import ClassPool
from controlplane.model.needs import Licence, Needs, Offers
from controlplane.planning.build import InfeasiblePlan
from controlplane.planning.explain import explain
from controlplane.planning.facts import input_facts
from controlplane.planning.inputs import PlanInputs
from controlplane.planning.objections import Rule
from tests.planning.estates import IMAGES, KEYS, applied, estate, host, machine, observed, planned, silent, size, system
from tests.planning.test_needs import apart, conflict, critical, moved, where

DB = Needs(licences=("db",))
SSD = Needs(disk_class="ssd")
TWO = Offers(sockets=2)


def licensed(hosts, machines, sockets, **changes):
    return replace(estate(hosts, machines=machines, **changes), licences={"db": Licence(id="db", sockets=sockets)})


def ssd(gib=100, storage=""):
    return (ClassPool(disk_class="ssd", name="kasumi-ssd", path="/ssd", capacity_gib=gib, storage=storage),)


def objections(made, machine_id, host_id):
    inputs = PlanInputs(estate=made, observation=observed(made), parent=None, images=IMAGES, authorized_keys=KEYS)
    told = explain(machine_id, planned(made), inputs)
    return {each.host: [objection.text for objection in each.objections] for each in told.hosts}[host_id]


def test_machines_of_a_product_share_the_licensed_host():
    """The plain machine would draw the first licensed one to a host too small for both."""
    hosts = [host(f"hv{n}", n, offers=TWO, capacity=size(4, 3072 + 1024 * n, 100)) for n in (1, 2, 3)]
    asked = [machine(f"db-{n}", needs=DB, size=size(1, 2048, 10)) for n in (1, 2)]
    made = licensed(hosts, [*asked, machine("web", size=size(1, 2048, 10))], 2)
    plan = planned(made)
    assert where(plan)["db-1"] == where(plan)["db-2"]
    assert critical(plan, made) == []
    assert "within the 2 sockets that db is licensed for" in " ".join(plan.machines[0].reasons)
    other = next(each for each in made.hosts if each != where(plan)["db-1"])
    assert objections(made, "db-1", other)[-1:] == [
        "licence db: the host counts with 2 sockets, 0 of 2 licensed sockets are left"
    ]
    assert any("licence db: runs on" in text for text in critical(moved(plan, "db-1", other), made))


def test_a_host_that_states_no_sockets_runs_no_licensed_product():
    made = licensed([host("hv1", 1), host("hv2", 2, offers=TWO)], [machine("db-1", needs=DB)], 4)
    plan = planned(made)
    assert where(plan) == {"db-1": "hv2"}
    assert any("whose sockets are not stated" in text for text in critical(moved(plan, "db-1", "hv1"), made))
    assert objections(made, "db-1", "hv1") == ["licence db is by the socket, and the host does not state its sockets"]


def test_too_few_sockets_are_a_conflict_and_named():
    hosts = [host(f"hv{n}", n, offers=TWO, capacity=size(4, 3072, 100)) for n in (1, 2)]
    made = licensed(hosts, [machine(f"db-{n}", needs=DB) for n in (1, 2, 3)], 3)
    with pytest.raises(InfeasiblePlan, match="1 of 3 licensed sockets are left") as refused:
        planned(made)
    assert "license more sockets" in str(refused.value)
    rules = conflict(made)
    assert {rule for rule, _ in rules} == {Rule.CAPACITY, Rule.LICENCE}
    assert rules[Rule.LICENCE, "db-1"] == "needs one of 3 sockets licensed for db"


def test_sockets_must_do_after_a_loss_as_well():
    """With two sockets the second host may take over, but not hold a machine of the product meanwhile."""
    hosts = [host(f"hv{n}", n, offers=TWO) for n in (1, 2)]
    high = (system("portal", tier="high"),)
    one = licensed(hosts, [machine("db-1", needs=DB)], 2, systems=high)
    assert critical(planned(one), one) == []
    three = [*hosts, host("hv3", 3)]
    bound = [machine(f"db-{n}", needs=DB, only_on=(f"hv{n}", "hv3")) for n in (1, 2)]
    many = licensed([replace(each, offers=TWO) for each in three], bound, 4, systems=high)
    plan = planned(many)
    assert set(where(plan).values()) <= {"hv1", "hv2", "hv3"}
    few = licensed([*hosts, replace(three[2], offers=Offers(sockets=4))], bound, 4, systems=high)
    assert set(where(planned(few)).values()) == {"hv3"}
    spread = moved(moved(plan, "db-1", "hv1"), "db-2", "hv2")
    assert any("loss of hv1: not all of db-1" in text for text in critical(spread, few))


def test_sockets_overused_by_what_stands_are_a_warning():
    made = licensed([host(f"hv{n}", n, offers=TWO, capacity=size(4, 2048, 100)) for n in (1, 2)],
                    [machine(f"db-{n}", needs=DB) for n in (1, 2)], 4)  # fmt: skip
    plan = planned(made)
    fewer = replace(made, licences={"db": Licence(id="db", sockets=2)})
    again = planned(fewer, applied(fewer, plan), plan)
    assert "licence db: hosts with 4 sockets run it, 2 are owned; move machines, or own more" in again.warnings
    assert critical(again, fewer, applied(fewer, plan)) == []


def test_a_disk_of_a_class_stands_in_the_pool_of_that_class():
    made = estate([host("hv1", 1), host("hv2", 2, pools=ssd(12))], machines=[machine("a", needs=SSD), machine("b")])
    plan = planned(made)
    assert where(plan)["a"] == "hv2"
    assert critical(plan, made) == []
    [after] = [each.allocated_after.disk_gib for each in plan.hosts if each.id == "hv2"]
    assert after == (10 if where(plan)["b"] == "hv2" else 0)
    assert {each.id: each.disk_class for each in plan.machines} == {"a": "ssd", "b": ""}
    assert plan_from_json(plan_to_json(plan), "plan") == plan
    assert any("of disk of class ssd, may promise 0" in text for text in critical(moved(plan, "a", "hv1"), made))
    assert objections(made, "a", "hv1") == ["disk of class ssd: wants 10 GiB, 0 left of 0"]


def test_a_plan_with_such_disks_is_not_applied_as_no_provider_makes_them():
    made = estate([host("hv1", 1, pools=ssd())], machines=[machine("a", needs=SSD)])
    refusal = r"wants disks of 1 machines in a pool for their class: a \(ssd\); .* nothing was changed"
    with pytest.raises(RefusedError, match=refusal):
        apply_plan(planned(made), made, None, actor="a", watch=None, permissions=Permissions())


def test_each_pool_is_counted_by_itself():
    """A full pool for fast disks, and ten times the room in the host's own."""
    made = estate([host("hv1", 1, pools=ssd(25))], machines=[machine(f"m{n}", needs=SSD) for n in range(3)])
    with pytest.raises(InfeasiblePlan, match="disk of class ssd: wants 10 GiB, 5 left of 25"):
        planned(made)
    rules = conflict(made)
    assert {rule for rule, _ in rules} == {Rule.CAPACITY}
    assert rules[Rule.CAPACITY, "m0"] == "needs 1 vCPU, 1024 MiB, 10 GiB of class ssd"
    own = replace(made, machines={name: replace(each, needs=Needs()) for name, each in made.machines.items()})
    assert critical(planned(own), own) == []


def two_ministries(first, second, **changes):
    machines = (machine("a", **changes), machine("b", "pension", network="mhlw", **changes))
    return apart(estate((first, second), systems=(system("portal"), system("pension", "mhlw")), machines=machines))


def test_ministries_that_are_kept_apart_share_no_storage():
    made = two_ministries(host("hv1", 1), host("hv2", 2))
    plan = planned(made)
    shared = replace(made, hosts={name: replace(each, storage="san") for name, each in made.hosts.items()})
    with pytest.raises(InfeasiblePlan, match=r"its storage san holds machines of m.*, with whom m.* shares none"):
        planned(shared)
    assert {rule for rule, _ in conflict(shared)} == {Rule.APART}
    assert any("storage san: holds b of mhlw and a of mic" in text for text in critical(plan, shared))


def test_the_storage_of_the_pool_that_a_disk_stands_in_counts():
    """The hosts share a storage system, which no disk stands on."""
    hosts = [host(f"hv{n}", n, storage="san", pools=ssd(storage=f"flash-{n}")) for n in (1, 2)]
    made = two_ministries(*hosts, needs=SSD)
    assert critical(planned(made), made) == []


def test_they_share_no_storage_after_a_loss():
    """hv1 lost, its machine may go to hv3 alone, which stands on the storage of the other ministry."""
    systems = (system("portal", tier="high"), system("pension", "mhlw"))
    machines = (machine("a", only_on=("hv1", "hv3")), machine("b", "pension", network="mhlw", only_on=("hv2",)))
    hosts = [host("hv1", 1), host("hv2", 2, storage="san"), host("hv3", 3, storage="san")]
    made = estate(hosts, systems=systems, machines=machines)
    plan = moved(planned(made), "a", "hv1")
    with pytest.raises(InfeasiblePlan):
        planned(apart(made))
    assert any("loss of hv1" in found for found in critical(plan, apart(made)))


def test_what_stands_keeps_its_room_while_its_host_is_silent():
    made = estate([host("hv1", 1, pools=ssd(12))], machines=[machine("a", needs=SSD)])
    plan = planned(made)
    seen = observed(made, **silent("hv1"))
    assert where(planned(made, seen, plan)) == {"a": "hv1"}


def test_these_needs_are_facts_and_plans_without_them_stay_fresh():
    made = estate((host("hv1"),), machines=(machine("a"),))
    before = input_facts(made, observed(made), IMAGES, KEYS)
    assert not any("needs" in name or "pools" in name or "storage" in name for facts in before.values() for name in facts)
    full = licensed((host("hv1", pools=ssd(storage="flash"), storage="san", offers=TWO),),
                    [machine("a", needs=Needs(licences=("db",), disk_class="ssd"))], 8)  # fmt: skip
    facts = input_facts(full, observed(full), IMAGES, KEYS)
    asked, offered = facts["machine/a"], facts["host/hv1"]
    assert (asked["needs.licences"], asked["needs.disk_class"]) == ("db for 8 sockets", "ssd")
    assert (offered["offers.sockets"], offered["pool.storage"]) == (2, "san")
    assert (offered["pools.ssd.disk_gib"], offered["pools.ssd.path"], offered["pools.ssd.storage"]) == (100, "/ssd", "flash")
