"""What two plans differ in, field by field; what is no difference."""

from dataclasses import replace

import pytest

from controlplane.model.resources import Resources
from controlplane.planning.bounds import hosts_used
from controlplane.planning.difference import FieldChange, diff_plans
from tests.planning.estates import estate, host, machine, planned, size, small_estate


@pytest.fixture
def plan():
    return planned(small_estate())


def with_change(plan, machine_id, **changes):
    return replace(plan, machines=tuple(replace(each, **changes) if each.id == machine_id else each for each in plan.machines))


def test_everything_is_new_against_nothing(plan):
    difference = diff_plans(None, plan)
    assert (len(difference.added), difference.before, difference.hosts_added) == (5, "", ("hv1", "hv2", "hv3"))


def test_a_plan_does_not_differ_from_itself(plan):
    assert diff_plans(plan, plan).is_empty


def test_reasons_order_and_inputs_are_no_difference(plan):
    other = replace(with_change(plan, "files", reasons=("other",), order=99, derived_from=()), inputs={}, parent="x")
    assert diff_plans(plan, other).is_empty


def test_fields_are_named_by_path(plan):
    [files] = [each for each in plan.machines if each.id == "files"]
    other = with_change(
        plan, "files", size=Resources(vcpus=4, memory_mib=2048, disk_gib=40), roles=("nginx",),
        nics=(replace(files.nics[0], address="203.0.113.8"),),
    )  # fmt: skip
    [change] = diff_plans(plan, other).changed
    assert change.moved is None
    assert change.fields == (
        FieldChange(field="nics[0].address", found="203.0.113.9", wanted="203.0.113.8"),
        FieldChange(field="roles[0]", found="none", wanted="nginx"),
        FieldChange(field="size.vcpus", found="2", wanted="4"),
    )


def test_another_host_is_a_move(plan):
    [files] = [each for each in plan.machines if each.id == "files"]
    [change] = diff_plans(plan, with_change(plan, "files", host="hv3")).changed
    assert (change.moved, change.fields) == ((files.host, "hv3"), ())


def test_hosts_and_servers_that_come_and_go_are_named(plan):
    other = replace(plan, hosts=plan.hosts[1:], servers=plan.servers[1:])
    difference = diff_plans(plan, other)
    assert difference.hosts_removed == ("hv1",)
    assert [(each.id, each.found, each.wanted) for each in difference.servers] == [("mailbox-1", "replatform", None)]


@pytest.mark.parametrize(
    ("sizes", "group", "bound"),
    [
        ([8192, 8192, 8192], "", (3, "memory")),
        ([4096, 4096, 4096], "", (2, "memory")),
        ([512, 512, 512], "g", (3, "replicas of g")),
    ],
)
def test_the_lower_bound_says_what_binds(sizes, group, bound):
    machines = [machine(f"m{n}", size=size(1, memory, 3), replica_group=group) for n, memory in enumerate(sizes)]
    use = hosts_used(planned(estate([host(f"hv{n}", n) for n in range(1, 5)], machines=machines)))
    assert (use.bound, use.binding) == bound
    assert use.used == use.bound
