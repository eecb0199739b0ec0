"""What machines ask of hosts beyond size: load by hours, network, IOPS, processor, company, and racks that may be lost."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.model.document import plan_from_json, plan_to_json
from controlplane.model.estate import Tier
from controlplane.model.finding import Severity
from controlplane.model.needs import Cpu, LoadProfile, Needs, Offers
from controlplane.planning.build import InfeasiblePlan
from controlplane.planning.checks import check_plan
from controlplane.planning.conflict import minimal_conflict
from controlplane.planning.demand import demand_of
from controlplane.planning.dimensions import dimensions_of
from controlplane.planning.facts import input_facts
from controlplane.planning.inputs import PlanInputs
from controlplane.planning.objections import Rule
from tests.planning.estates import IMAGES, KEYS, applied, estate, host, machine, observed, planned, size, system
from tests.planning.made import needy_estates

DAY = LoadProfile(id="day", percent=(10,) * 8 + (100,) * 10 + (10,) * 6)
NIGHT = LoadProfile(id="night", percent=(100,) * 7 + (0,) * 12 + (100,) * 5)
PROPERTY = settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def with_profiles(made):
    return replace(made, load_profiles={"day": DAY, "night": NIGHT})


def apart(made):
    """The two ministries share nothing."""
    return replace(made, ministries=made.ministries | {"mic": replace(made.ministries["mic"], apart_from=("mhlw",))})


def where(plan):
    return {each.id: each.host for each in plan.machines}


def critical(plan, made, seen=None):
    found = check_plan(plan, made, seen or observed(made))
    return [f"{each.where}: {each.what}" for each in found if each.severity is Severity.CRITICAL]


def moved(plan, machine_id, host_id):
    return replace(plan, machines=tuple(replace(each, host=host_id) if each.id == machine_id else each for each in plan.machines))


def conflict(made):
    inputs = PlanInputs(estate=made, observation=observed(made), parent=None, images=IMAGES, authorized_keys=KEYS)
    found = minimal_conflict(inputs)
    assert found is not None
    assert found.minimal
    assert found.proven
    return {(each.rule, each.subject): each.text for each in found.constraints}


def busy(machine_id, load, vcpus=12):
    return machine(machine_id, size=size(vcpus, 512, 5), needs=Needs(load=load))


def test_loads_that_peak_at_different_hours_share_a_host():
    made = with_profiles(estate((host("hv1"),), machines=(busy("office", "day"), busy("backup", "night"))))
    plan = planned(made)
    assert where(plan) == {"office": "hv1", "backup": "hv1"}
    assert critical(plan, made) == []
    [risk] = [text for text in plan.warnings if "peak" in text]
    assert risk == (
        "host hv1: promises 24 vCPU of 16, as its loads peak at different hours: 13.20 in the fullest (at 00:00); "
        "if all peak at once, 33% of the load waits for a processor"
    )


def test_loads_that_peak_at_the_same_hour_do_not():
    made = with_profiles(estate((host("hv1"),), machines=(busy("office", "day"), busy("mail", "day"))))
    with pytest.raises(InfeasiblePlan, match=r"hv1: vCPU at 08:00: wants 12, 4 left of 16"):
        planned(made)


def test_a_machine_without_a_profile_counts_at_every_hour():
    made = with_profiles(estate((host("hv1"),), machines=(busy("office", "day", 8), busy("always", "", 12))))
    with pytest.raises(InfeasiblePlan, match="vCPU at 08:00"):
        planned(made)
    flat = with_profiles(estate((host("hv1"),), machines=(busy("office", "day", 8), busy("backup", "night"))))
    plan = planned(flat)
    flat.machines["backup"] = replace(flat.machines["backup"], needs=Needs())
    assert any("of vCPU in hour 8 of the day" in text for text in critical(plan, flat))


def test_only_hours_that_can_bind_are_counted():
    week = LoadProfile(id="week", percent=(*(50,) * 120, *(5,) * 48))
    made = with_profiles(estate((host("hv1"),), machines=(busy("a", "day"), busy("b", "night"), busy("c", "week"))))
    made = replace(made, load_profiles=made.load_profiles | {"week": week})
    found = dimensions_of(demand_of(made).drafts)
    assert [each.name for each in found.all if "vCPU" in each.name] == ["vCPU at Mon 00:00", "vCPU at Mon 08:00"]


@PROPERTY
@given(
    st.lists(st.lists(st.sampled_from([0, 20, 60, 100]), min_size=24, max_size=24).filter(any), min_size=1, max_size=4), st.data()
)
def test_the_counted_hours_bind_as_all_do(percents, data):
    names = [f"p{number}" for number in range(len(percents))]
    loads = data.draw(st.lists(st.tuples(st.sampled_from(names), st.integers(1, 9)), min_size=1, max_size=6))
    made = estate((host("hv1"),), machines=[busy(f"m{n}", load, vcpus) for n, (load, vcpus) in enumerate(loads)])
    made = replace(made, load_profiles={n: LoadProfile(id=n, percent=tuple(p)) for n, p in zip(names, percents, strict=True)})
    drafts = demand_of(made).drafts
    counted = dimensions_of(drafts)
    fullest = max(sum(counted.size(draft)[at] for draft in drafts) for at in range(len(counted.hours)))
    whole = dict(zip(names, percents, strict=True))
    assert fullest == max(sum(vcpus * whole[load][hour] for load, vcpus in loads) for hour in range(24))


@pytest.mark.parametrize(("needs", "offers", "text"), [
    (Needs(network_mbps=600), Offers(network_mbps=1000), "network: wants 600 Mbit/s, 400 left of 1000"),
    (Needs(iops=600), Offers(iops=1000), "storage: wants 600 IOPS, 400 left of 1000"),
])  # fmt: skip
def test_network_and_iops_are_counted(needs, offers, text):
    one, two = (machine(name, needs=needs) for name in ("a", "b"))
    with pytest.raises(InfeasiblePlan, match=text):
        planned(estate((host("hv1", offers=offers),), machines=(one, two)))
    made = estate((host("hv1", 1, offers=offers), host("hv2", 2, offers=offers), host("hv3", 3)), machines=(one, two))
    plan = planned(made)
    assert sorted(where(plan).values()) == ["hv1", "hv2"]
    assert any("may promise 1000" in found for found in critical(moved(moved(plan, "a", "hv1"), "b", "hv1"), made))
    assert any("may promise 0" in found for found in critical(moved(plan, "a", "hv3"), made))


@pytest.mark.parametrize(("wanted", "text"), [
    (Cpu(architecture="aarch64"), "architecture aarch64 wanted, the host is x86_64"),
    (Cpu(baseline="x86-64-v4"), "processor of level x86-64-v4 wanted, the host states x86-64-v2"),
    (Cpu(features=("aes", "sgx")), "processor without sgx, as far as the host states"),
])  # fmt: skip
def test_the_processor_must_be_able(wanted, text):
    old = Offers(cpu=Cpu(baseline="x86-64-v2", features=("aes",)))
    asked = machine("a", needs=Needs(cpu=wanted))
    with pytest.raises(InfeasiblePlan, match=text):
        planned(estate((host("hv1", offers=old),), machines=(asked,)))
    able = Offers(cpu=Cpu(architecture=wanted.architecture, baseline="x86-64-v4", features=("aes", "sgx")))
    made = estate((host("hv1", 1, offers=old), host("hv2", 2, offers=able)), machines=(asked,))
    plan = planned(made)
    assert where(plan) == {"a": "hv2"}
    assert any("whose processor lacks" in found for found in critical(moved(plan, "a", "hv1"), made))


def test_what_is_kept_together_shares_a_rack_and_a_host():
    hosts = [host(f"hv{n}", n, rack=f"r{n % 2}", site="east", capacity=size(4, 3072, 100)) for n in range(1, 5)]
    near = Needs(together=(("rack", "shop"),))
    made = estate(hosts, machines=[machine(f"m{n}", needs=near) for n in range(4)])
    plan = planned(made)
    assert len({made.hosts[each.host].rack for each in plan.machines}) == 1
    assert critical(plan, made) == []
    other = next(each.id for each in hosts if each.rack != made.hosts[where(plan)["m0"]].rack)
    assert any("not all in one rack" in found for found in critical(moved(plan, "m0", other), made))
    close = estate(hosts, machines=[machine(f"m{n}", needs=Needs(together=(("host", "pair"),))) for n in range(2)])
    plan = planned(close)
    assert len(set(where(plan).values())) == 1
    assert {each.together for each in plan.machines} == {"pair"}


def test_what_is_kept_together_goes_where_all_of_it_fits():
    """The first by itself would go to the small host."""
    hosts = (host("hv1", 1, capacity=size(4, 2560, 100)), host("hv2", 2))
    made = estate(hosts, machines=[machine(f"m{n}", needs=Needs(together=(("host", "pair"),))) for n in range(3)])
    assert set(where(planned(made)).values()) == {"hv2"}


def test_a_group_that_fits_nowhere_together_is_named():
    hosts = [host(f"hv{n}", n, capacity=size(4, 3072, 100)) for n in (1, 2)]
    made = estate(hosts, machines=[machine(f"m{n}", needs=Needs(together=(("host", "pair"),))) for n in range(3)])
    with pytest.raises(InfeasiblePlan, match="pair is kept together in one host, and m0 of it is on hv1"):
        planned(made)
    rules = {rule for rule, _ in conflict(made)}
    assert rules == {Rule.CAPACITY, Rule.TOGETHER}


def test_ministries_that_are_kept_apart_share_no_host():
    asked = (machine("a"), system("pension", "mhlw"), machine("b", "pension", network="mhlw"))
    made = apart(estate((host("hv1", 1), host("hv2", 2)), systems=(system("portal"), asked[1]), machines=(asked[0], asked[2])))
    plan = planned(made)
    assert len(set(where(plan).values())) == 2
    assert critical(plan, made) == []
    assert any("who are kept apart" in found for found in critical(moved(plan, "a", where(plan)["b"]), made))
    alone = replace(made, hosts={"hv1": made.hosts["hv1"]})
    with pytest.raises(InfeasiblePlan, match=r"holds machines of m.*, with whom m.* shares no host"):
        planned(alone)
    assert {rule for rule, _ in conflict(alone)} == {Rule.APART}


def test_ministries_that_are_kept_apart_share_no_network():
    systems = (system("portal"), system("pension", "mhlw"))
    made = apart(estate((host("hv1", 1), host("hv2", 2)), systems=systems, machines=(machine("a"), machine("b", "pension"))))
    with pytest.raises(InfeasiblePlan, match="network shared: carries b of mhlw and a of mic, which are kept apart"):
        planned(made)
    before = replace(made, ministries={name: replace(each, apart_from=()) for name, each in made.ministries.items()})
    assert any("is shared by mhlw and mic" in found for found in critical(planned(before), made))


def test_they_stay_apart_after_a_loss():
    """hv1 lost, its machine may only go to hv2, where the other ministry is."""
    systems = (system("portal", tier="high"), system("pension", "mhlw"))
    machines = (machine("a", only_on=("hv1", "hv2")), machine("b", "pension", network="mhlw", only_on=("hv2",)))
    made = estate((host("hv1", 1), host("hv2", 2)), systems=systems, machines=machines)
    plan = planned(made)
    with pytest.raises(InfeasiblePlan):
        planned(apart(made))
    assert any("loss of hv1" in found for found in critical(moved(plan, "a", "hv1"), apart(made)))


RACKS = Tier(id="racks", host_failures=1, spread_over="host", survives="rack")


def test_a_rack_may_be_lost_as_a_whole():
    """Two hosts of one rack hold the machines; the third alone must take them all in."""
    hosts = [
        host("hv1", 1, site="east", rack="r1"),
        host("hv2", 2, site="east", rack="r1"),
        host("hv3", 3, site="east", rack="r2"),
    ]
    asked = [machine(f"m{n}", size=size(1, 4096, 10)) for n in range(3)]
    by_host = planned(estate(hosts, systems=(system("portal", tier="high"),), machines=asked))
    assert len(by_host.machines) == 3
    made = estate(hosts, systems=(system("portal", tier="racks"),), machines=asked, tiers=(RACKS,))
    with pytest.raises(
        InfeasiblePlan, match=r"after the loss of rack east/r1, m\d fits nowhere \(tier asks for 1 rack failure\)"
    ):
        planned(made)
    fewer = replace(made, machines={each.id: each for each in asked[:2]})
    assert critical(planned(fewer), fewer) == []
    assert any("loss of hv1 and hv2" in found for found in critical(
        networks_of(by_host, made), replace(made, machines={each.id: each for each in asked}))
    )  # fmt: skip


def networks_of(plan, made):
    """The plan of another tier, as one of this estate."""
    return replace(
        plan, machines=tuple(replace(each, tier="racks", host=f"hv{1 + n % 2}") for n, each in enumerate(plan.machines))
    )


def test_needs_are_facts_and_old_plans_without_them_stay_fresh():
    made = with_profiles(estate((host("hv1"),), machines=(machine("a"),)))
    before = input_facts(made, observed(made), IMAGES, KEYS)
    assert not any("needs" in name or "offers" in name for facts in before.values() for name in facts)
    made.machines["a"] = machine("a", needs=Needs(load="day", iops=5, cpu=Cpu(baseline="x86-64-v2")))
    facts = input_facts(made, observed(made), IMAGES, KEYS)["machine/a"]
    assert (facts["needs.iops"], facts["needs.cpu"]) == (5, "x86-64-v2")
    assert str(facts["needs.load"]).startswith("10 10 ")


@PROPERTY
@given(needy_estates())
def test_every_plan_passes_the_independent_check(made):
    try:
        plan = planned(made)
    except InfeasiblePlan as infeasible:
        assert str(infeasible)
        return
    assert critical(plan, made) == []
    assert plan_from_json(plan_to_json(plan), "plan") == plan
    again = planned(made, applied(made, plan), plan)
    assert where(again) == where(plan)
