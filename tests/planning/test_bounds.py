"""The printed bound: zones add up, hours and ministries apart count, and no plan is ever below it."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings

from controlplane.model.document import plan_from_json, plan_to_json
from controlplane.model.needs import LoadProfile, Needs, Offers
from controlplane.planning.bounds import hosts_used
from controlplane.planning.build import InfeasiblePlan
from tests.planning.estates import applied, estate, host, machine, planned, size, system
from tests.planning.made import DAY, NIGHT, estates, needy_estates, sharing_estates
from tests.planning.test_needs import apart

PROPERTY = settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def bound(made):
    use = hosts_used(planned(made))
    assert use.bound <= use.used
    return use.bound, use.used, use.binding


def graded(grades, machines):
    """One host for each of these grades, and machines of two grades."""
    hosts = [host(f"hv{n}", n, confidentiality=held) for n, held in enumerate(grades, 1)]
    return estate(hosts, systems=(system("portal"), system("secret", confidentiality=2)), machines=machines)


def test_zones_that_share_no_host_add_up():
    """One host would hold both machines by their sums."""
    made = graded([(1,), (2,)], [machine("a"), machine("b", "secret")])
    assert bound(made) == (2, 2, "zones that share no host")


def test_a_zone_within_another_needs_its_hosts_though_they_are_small():
    """Three large machines fill three large hosts; the secret one needs a small host, which is no use to them."""
    hosts = [host(f"hv{n}", n, confidentiality=(1,), capacity=size(4, 9216, 100)) for n in (1, 2, 3)]
    hosts.append(host("hv9", 9, confidentiality=(1, 2), capacity=size(4, 2048, 100)))
    systems = (system("portal"), system("secret", confidentiality=2))
    asked = [machine(f"m{n}", size=size(1, 8192, 10)) for n in range(3)]
    made = estate(hosts, systems=systems, machines=[*asked, machine("s", "secret")])
    assert bound(made)[:2] == (4, 4)


def test_hours_count_and_not_the_sum_of_vcpus():
    """Twenty-four vCPUs on a host that may promise sixteen, as the one half works at night."""
    busy = [machine(f"m{load}", size=size(12, 512, 5), needs=Needs(load=load)) for load in ("day", "night")]
    made = replace(estate([host("hv1", 1), host("hv2", 2)], machines=busy), load_profiles={"day": DAY, "night": NIGHT})
    assert bound(made)[:2] == (1, 1)
    flat = replace(made, load_profiles={name: LoadProfile(id=name, percent=(100,) * 168) for name in ("day", "night")})
    assert bound(flat) == (2, 2, "vCPU")


def test_network_and_iops_bind():
    offers = Offers(network_mbps=1000, iops=1000)
    hosts = [host(f"hv{n}", n, offers=offers) for n in range(1, 5)]
    asked = [machine(f"m{n}", needs=Needs(network_mbps=400)) for n in range(6)]
    assert bound(estate(hosts, machines=asked)) == (3, 3, "network")


def test_machines_larger_than_half_a_host_do_not_share_one():
    """By sums two hosts would hold three machines of six tenths."""
    hosts = [host(f"hv{n}", n) for n in range(1, 5)]
    made = estate(hosts, machines=[machine(f"m{n}", size=size(1, 4916, 10)) for n in range(3)])
    assert bound(made) == (3, 3, "sizes that share no host")


def test_ministries_that_are_kept_apart_add_up():
    systems = (system("portal"), system("pension", "mhlw"))
    machines = (machine("a"), machine("b", "pension", network="mhlw"))
    made = apart(estate([host("hv1", 1), host("hv2", 2)], systems=systems, machines=machines))
    assert bound(made)[:2] == (2, 2)


def test_what_stands_against_a_rule_counts_as_if_it_might():
    made = graded([(1, 2), (1, 2)], [machine("a"), machine("b", "secret")])
    plan = planned(made)
    closed = replace(made, hosts={name: replace(each, maintenance=True) for name, each in made.hosts.items()})
    again = planned(closed, applied(closed, plan), plan)
    use = hosts_used(again)
    assert (use.bound, use.used) == (1, 1)


@PROPERTY
@given(estates() | needy_estates() | sharing_estates())
def test_no_plan_uses_fewer_hosts_than_its_bound(made):
    try:
        plan = planned(made)
    except InfeasiblePlan:
        return
    use = hosts_used(plan)
    assert use.bound <= use.used
    assert hosts_used(plan_from_json(plan_to_json(plan), "plan")) == use
