"""For each rule that may stand in the way: a repair that gives up just that, tried and with the least that will do."""

from dataclasses import replace

import pytest

from controlplane.model.estate import ClassPool, Tier
from controlplane.model.needs import Licence, LoadProfile, Needs, Offers
from controlplane.model.resources import Overcommit
from controlplane.planning.build import InfeasiblePlan
from controlplane.planning.conflict import minimal_conflict
from controlplane.planning.inputs import PlanInputs
from controlplane.planning.repairs import cheapest_repairs
from tests.planning.estates import IMAGES, KEYS, estate, host, machine, observed, planned, size, system
from tests.planning.made import DAY
from tests.planning.test_needs import apart


def repairs(made):
    inputs = PlanInputs(estate=made, observation=observed(made), parent=None, images=IMAGES, authorized_keys=KEYS)
    with pytest.raises(InfeasiblePlan) as infeasible:
        inputs.plan()
    conflict = minimal_conflict(inputs, infeasible.value.unplaced)
    return {each.kind: each.text for each in reversed(cheapest_repairs(inputs, conflict))}


def test_more_sockets():
    hosts = [host(f"hv{n}", n, offers=Offers(sockets=2), capacity=size(4, 3072, 100)) for n in (1, 2)]
    made = estate(hosts, machines=[machine(f"db-{n}", needs=Needs(licences=("db",))) for n in (1, 2, 3)])
    made = replace(made, licences={"db": Licence(id="db", sockets=2)})
    assert repairs(made)["license more"] == "license db for 4 sockets instead of 2"


@pytest.mark.parametrize(("needs", "offers", "text"), [
    (Needs(network_mbps=600), Offers(network_mbps=1000), "let host hv1 offer 1240 Mbit/s of network"),
    (Needs(iops=600), Offers(iops=1000), "let host hv1 offer 1240 IOPS"),
])  # fmt: skip
def test_a_host_that_offers_more(needs, offers, text):
    """Of 1,200 asked for, parts of a twentieth are tried: four of them, where 200 are lacking."""
    made = estate([host("hv1", 1, offers=offers)], machines=[machine(name, needs=needs) for name in ("a", "b")])
    assert repairs(made)["offer more"] == text


def test_a_larger_pool_and_one_where_there_is_none():
    asked = [machine("a", needs=Needs(disk_class="ssd"))]
    small = (ClassPool(disk_class="ssd", name="kasumi-ssd", path="/ssd", capacity_gib=6),)
    text = "give host hv1 10 GiB for disks of class ssd, instead of 6"
    assert repairs(estate([host("hv1", 1, pools=small)], machines=asked))["offer more"] == text
    none = repairs(estate([host("hv1", 1)], machines=asked))
    assert none["offer more"] == "give host hv1 10 GiB for disks of class ssd, where it has none"


def test_loads_that_peak_at_one_hour_want_more_vcpus():
    busy = [machine(name, size=size(12, 512, 5), needs=Needs(load="day")) for name in ("a", "b")]
    made = replace(estate([host("hv1", 1)], machines=busy), load_profiles={"day": DAY})
    flat = replace(made, load_profiles={"day": LoadProfile(id="day", percent=(60,) * 24)})
    assert repairs(made)["promise more"] == "raise the vCPU overcommit of hv1 from 4 to 6"
    assert len(planned(flat).machines) == 2


def test_a_group_that_is_kept_together_in_a_larger_domain():
    hosts = [host(f"hv{n}", n, rack="r1", site="east", capacity=size(4, 3072, 100)) for n in (1, 2)]
    made = estate(hosts, machines=[machine(f"m{n}", needs=Needs(together=(("host", "pair"),))) for n in range(3)])
    assert repairs(made)["loosen groups"] == "keep pair of portal in one rack instead of one host"
    racks = replace(made, hosts={name: replace(each, rack=name, site=name) for name, each in made.hosts.items()})
    assert repairs(racks)["loosen groups"] == "keep pair of portal together no longer"


def test_ministries_that_share():
    systems = (system("portal"), system("pension", "mhlw"))
    machines = (machine("a"), machine("b", "pension", network="mhlw"))
    made = apart(estate([host("hv1", 1)], systems=systems, machines=machines))
    found = repairs(made)
    assert found["share"] == "let mhlw and mic share hosts and storage, once those who answer for both agree"
    assert found["add hosts"] == "add one more host like hv1, in a rack of its own"


def test_losses_of_a_host_in_place_of_a_rack():
    hosts = [host(f"hv{n}", n, site="east", rack="r1") for n in (1, 2)]
    racks = Tier(id="racks", host_failures=1, spread_over="host", survives="rack")
    made = estate(hosts, systems=(system("portal", tier="racks"),), machines=[machine("a")], tiers=(racks,))
    assert repairs(made)["survive less"] == "let portal survive the loss of a host instead of a rack"
    alone = replace(made, hosts={"hv1": made.hosts["hv1"]})
    assert repairs(alone)["survive less"] == "let portal do without surviving the loss of any rack"


def test_a_pin_that_is_lifted():
    made = estate([host("hv1", 1, capacity=size(4, 1536, 100)), host("hv2", 2)], machines=[machine("a", only_on=("hv1",))])
    assert repairs(made)["lift pins"] == "let a stand on hv2, against its `only_on` or `not_on`"


def test_what_does_not_help_the_conflict_is_not_offered():
    """Neither another host like those there are, nor more sockets, helps a machine that is too large for all of them."""
    made = estate([host("hv1", 1)], machines=[machine("a", size=size(1, 99_999, 10)), machine("b")])
    assert repairs(made) == {"plan smaller": "plan a with at most 4999 MiB of memory"}


def test_a_machine_becomes_smaller_only_where_it_is_too_large():
    host_of_four = host("hv1", 1, overcommit=Overcommit(vcpus=1.0))
    assert repairs(estate([host_of_four], machines=[machine("a", size=size(99, 1024, 10))]))["plan smaller"] == (
        "plan a with at most 4 vCPU"
    )
    both = estate([host_of_four], machines=[machine("a", size=size(8, 9000, 10))])
    assert repairs(both)["plan smaller"] == "plan a with at most 4 vCPU, 5400 MiB of memory, 6 GiB of disk"
