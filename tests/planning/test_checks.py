"""The independent check: it passes what the planner makes, and catches a plan broken in each way."""

from dataclasses import replace
from itertools import combinations, product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.model.estate import Disposition
from controlplane.model.finding import Severity
from controlplane.model.resources import Resources, total
from controlplane.planning.build import InfeasiblePlan
from controlplane.planning.checks import check_plan
from tests.planning.brute import place, promised
from tests.planning.estates import applied, estate, host, machine, observed, planned, size, small_estate, system
from tests.planning.made import estates

PROPERTY = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def critical(plan, made, seen=None):
    return [str(finding) for finding in check_plan(plan, made, seen or observed(made)) if finding.severity is Severity.CRITICAL]


def feasible(made, seen=None, parent=None):
    try:
        return planned(made, seen, parent)
    except InfeasiblePlan:
        return None


def changed(plan, machine_id, **changes):
    return replace(plan, machines=tuple(replace(each, **changes) if each.id == machine_id else each for each in plan.machines))


def changed_nic(plan, machine_id, **changes):
    [found] = [each for each in plan.machines if each.id == machine_id]
    return changed(plan, machine_id, nics=(replace(found.nics[0], **changes),))


def without(plan, machine_id):
    return replace(plan, machines=tuple(each for each in plan.machines if each.id != machine_id))


def networks_everywhere(plan):
    """So that a machine put elsewhere breaks the rule under test and not that of missing networks."""
    one = plan.networks[0]
    pairs = product((each.id for each in plan.hosts), ("shared", "mhlw"))
    return replace(plan, networks=tuple(replace(one, host=host_id, network=network) for host_id, network in pairs))


@PROPERTY
@given(estates())
def test_what_the_planner_makes_passes(made):
    plan = feasible(made)
    if plan is not None:
        assert critical(plan, made) == []


@PROPERTY
@given(estates(), st.data())
def test_what_grows_from_an_accepted_plan_passes(made, data):
    first = feasible(made)
    if first is None or not first.machines:
        return
    gone = data.draw(st.sampled_from([each.id for each in first.machines]))
    silent = data.draw(st.sampled_from([None, *made.hosts]))
    changes = {silent: {"error": "no answer", "capacity": None, "machines": ()}} if silent else {}
    seen = applied(made, first, **changes)
    del made.machines[gone]
    made.machines["new"] = machine("new", next(iter(made.systems)), replica_group="g")
    plan = feasible(made, seen, first)
    if plan is None:
        return
    assert critical(plan, made, seen) == []
    before = {each.id: (each.host, each.nics) for each in first.machines}
    assert all(before[each.id] == (each.host, each.nics) for each in plan.machines if each.id in before)


@PROPERTY
@given(estates(), st.data())
def test_any_other_host_is_right_by_the_rules_or_caught(made, data):
    """A machine put on another host: the check objects exactly when a reckoning by brute force does."""
    plan = feasible(made)
    if plan is None or not plan.machines:
        return
    moved = data.draw(st.sampled_from([each.id for each in plan.machines]))
    mutated = networks_everywhere(changed(plan, moved, host=data.draw(st.sampled_from(list(made.hosts))), derived_from=()))
    assert bool(critical(mutated, made)) == bool(broken_rules(mutated, made))


def broken_rules(plan, made):
    """Every rule in its plainest form, all assignments after a loss tried."""
    found = []
    hosts = made.hosts
    room = {each.id: promised(each) for each in hosts.values()}
    for each in plan.machines:
        if hosts[each.host].maintenance:
            found.append(f"{each.id} in maintenance")
        if each.confidentiality not in hosts[each.host].confidentiality or each.nics[0].network not in hosts[each.host].networks:
            found.append(f"{each.id} zone")
    for host_id in hosts:
        if not total([each.size for each in plan.machines if each.host == host_id]).fits_in(room[host_id]):
            found.append(f"{host_id} full")
    for one, other in combinations(plan.machines, 2):
        if one.replica_group and (one.system, one.replica_group) == (other.system, other.replica_group):
            over = made.tiers[one.tier].spread_over
            if one.host == other.host or place(hosts[one.host], over) == place(hosts[other.host], over):
                found.append(f"{one.id} {other.id} together")
    for level in (1, 2):
        protected = [each for each in plan.machines if made.tiers[each.tier].host_failures >= level]
        if level not in {made.tiers[each.tier].host_failures for each in plan.machines}:
            continue
        for lost in combinations(hosts, min(level, len(hosts))):
            if not survives(plan, made, room, protected, set(lost)):
                found.append(f"loss of {lost}")
    return found


def survives(plan, made, room, protected, lost):
    moving = [each for each in protected if each.host in lost]
    targets = [each for each in made.hosts.values() if each.id not in lost and not each.maintenance]
    staying = {each.id: total([m.size for m in plan.machines if m.host == each.id]) for each in targets}
    for choice in product(targets, repeat=len(moving)):
        load: dict[str, Resources] = dict(staying)
        for each, target in zip(moving, choice, strict=True):
            if each.confidentiality not in target.confidentiality or each.nics[0].network not in target.networks:
                break
            load[target.id] += each.size
        else:
            if all(load[each.id].fits_in(room[each.id]) for each in targets):
                return True
    return False


@PROPERTY
@given(estates())
def test_every_loss_a_tier_must_survive_is_survived(made):
    plan = feasible(made)
    if plan is not None:
        assert broken_rules(plan, made) == []


BROKEN = {
    "another estate": lambda plan, _: replace(plan, estate="other"),
    "unknown host": lambda plan, _: changed(plan, "files", host="hv9"),
    "unknown system": lambda plan, _: changed(plan, "files", system="nobody"),
    "grade": lambda plan, _: changed(plan, "files", confidentiality=1),
    "tier": lambda plan, _: changed(plan, "portal-1", tier="standard"),
    "image": lambda plan, _: replace(plan, images=()),
    "source": lambda plan, _: changed(plan, "pension-db", source=None),
    "no card": lambda plan, _: changed(plan, "files", nics=()),
    "network not made": lambda plan, _: replace(plan, networks=()),
    "facts": lambda plan, _: replace(plan, inputs={}),
    "missing machine": lambda plan, _: without(plan, "files"),
    "missing rehost": lambda plan, _: without(plan, "pension-db"),
    "machine of nobody": lambda plan, made: made.machines.pop("portal-2") and plan,
    "too small": lambda plan, _: changed(plan, "files", size=size(2, 1024, 40)),
    "host missing": lambda plan, _: replace(plan, hosts=plan.hosts[1:]),
    "server forgotten": lambda plan, _: replace(plan, servers=plan.servers[1:]),
    "server otherwise": lambda plan, made: made.servers.update(
        {"pension-hsm": replace(made.servers["pension-hsm"], disposition=Disposition.RETIRE)}
    ) or plan,
    "retired server lives": lambda plan, _: replace(
        plan, servers=tuple(replace(s, machine="files") if s.id == "pension-fax" else s for s in plan.servers)
    ),
    "uuid twice": lambda plan, _: changed(plan, "portal-1", uuid=plan.machines[1].uuid),
    "mac twice": lambda plan, _: changed_nic(plan, "portal-1", mac=plan.machines[1].nics[0].mac),
    "address twice": lambda plan, _: changed_nic(plan, "portal-1", address="192.0.2.7"),
    "address outside": lambda plan, _: changed_nic(plan, "portal-1", address="198.51.100.9"),
    "prefix": lambda plan, _: changed_nic(plan, "portal-1", prefix_length=25),
    "gateway": lambda plan, _: changed_nic(plan, "portal-1", address="192.0.2.1"),
    "reserved": lambda plan, _: changed_nic(plan, "portal-1", address="192.0.2.3"),
    "address of a server": lambda plan, _: changed_nic(plan, "files", address="203.0.113.4"),
    "unknown network": lambda plan, _: changed_nic(plan, "files", network="nowhere"),
    "network of another ministry": lambda plan, _: networks_everywhere(
        changed_nic(plan, "portal-1", network="mhlw", address="203.0.113.50", gateway="203.0.113.1")
    ),
    "replicas together": lambda plan, _: changed(changed(plan, "portal-1", host="hv1"), "portal-2", host="hv1"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_each_way_to_break_a_plan_is_caught(name):
    made = small_estate()
    plan = planned(made)
    assert critical(plan, made) == []
    assert critical(BROKEN[name](plan, made), made) != []


def test_each_rule_about_hosts_is_caught():
    made = small_estate()
    plan = planned(made)
    where = {each.id: each.host for each in plan.machines}

    def breaks(**changes):
        broken = small_estate()
        broken.hosts[where["files"]] = replace(broken.hosts[where["files"]], **changes)
        return "\n".join(critical(plan, broken))

    assert "in maintenance" in breaks(maintenance=True)
    assert "has grade 2" in breaks(confidentiality=(1,))
    assert "does not carry network mhlw" in breaks(networks={"shared": ""})
    assert "may promise" in breaks(capacity=size(4, 4096, 100))
    foreign = observed(made, **{where["files"]: {"used": size(0, 6000, 0)}})
    assert "may promise" in "\n".join(critical(plan, made, foreign))


def test_a_loss_that_cannot_be_survived_is_caught():
    made = estate(
        (host("hv1", 1), host("hv2", 2)), systems=(system("portal", tier="high"), system("files")),
        machines=(machine("a", size=size(1, 4096, 10)), machine("filler", "files", size=size(1, 4096, 10))),
    )  # fmt: skip
    plan = planned(made)
    assert critical(plan, made) == []
    small = replace(made, hosts={key: replace(each, capacity=size(4, 6144, 100)) for key, each in made.hosts.items()})
    apart = networks_everywhere(changed(changed(plan, "a", host="hv1"), "filler", host="hv2"))
    assert [text.split(":")[0] for text in critical(apart, small)] == ["loss of hv1"]


def test_what_stands_already_is_a_warning_not_a_bar():
    made = small_estate()
    plan = planned(made)
    seen = applied(made, plan)
    crowded = {key: replace(each, capacity=size(4, 3072, 100)) for key, each in made.hosts.items()}
    findings = check_plan(plan, replace(made, hosts=crowded), seen)
    assert findings
    assert all(finding.severity is Severity.WARNING for finding in findings)


def test_a_namesake_on_the_host_is_caught():
    made = estate((host("hv1"),), machines=(machine("a"),))
    plan = planned(made)
    [other] = applied(made, plan).hosts["hv1"].machines
    seen = observed(made, hv1={"machines": (replace(other, uuid="99999999-0000-4000-8000-000000000000", mark=None),)})
    assert "name of another machine" in critical(plan, made, seen)[0]
