"""Quotas that follow from what is declared or planned, and how what is there differs from them."""

from dataclasses import replace

import pytest

from controlplane.errors import KasumiError
from controlplane.model.tenancy import CloudPolicy, FoundQuota, FoundTenant, Step, Tenancy
from controlplane.planning.tenancy import differences_of, tenants_of
from tests.execution.plans import machine, plan
from tests.planning.estates import host, size, small_estate

CLOUD = CloudPolicy(
    id="west",
    administrator="west-admin",
    member="kasumi",
    member_domain="Default",
    tenancy=Tenancy.PROJECT,
    domain="Default",
    headroom_percent=None,
    ministries={"mof": "west-mof"},
)


def pool(host_id, uri, **networks):
    return host(host_id, uri=uri, networks=networks, capacity=size(8, 16384, 100))


TWO = (pool("c1", "openstack://west-mof/az1", mof=""), pool("c2", "openstack://west-mof/az2", mof="", front="provider"))


def declared(*hosts):
    return replace(small_estate(), hosts={each.id: each for each in hosts})


def amounts(tenant):
    return {quota.name: quota.amount for quota in tenant.quotas}


def test_declared_quotas_are_the_capacity_of_the_hosts_of_the_project():
    other = pool("c3", "openstack://west-mhlw/az1", mhlw="")
    (tenant,) = tenants_of(declared(*TWO, other), CLOUD, None)
    found = amounts(tenant)
    assert (found["cores"], found["ram"], found["instances"]) == (16, 32768, 16)
    assert (found["network"], found["port"], found["security_group"]) == (1, 17, 19)
    assert not {"gigabytes", "volumes", "router"} & set(found)
    assert [quota.name for quota in tenant.quotas if not quota.at_least] == ["cores", "ram", "instances"]
    assert (tenant.domain, tenant.domain_uuid, tenant.login) == ("Default", "", "west-mof")


def test_a_project_whose_servers_boot_from_volumes_has_quotas_of_volumes():
    (tenant,) = tenants_of(declared(pool("c1", "openstack://west-mof?boot=volume&router=edge", mof="")), CLOUD, None)
    assert {"gigabytes": 100, "volumes": 8, "router": 1}.items() <= amounts(tenant).items()


def test_demand_and_headroom_are_rounded_up_and_count_the_project_alone():
    asked = plan(machine("a", host="c1"), machine("b", host="c2"), machine("c", host="elsewhere"))
    (tenant,) = tenants_of(declared(*TWO), replace(CLOUD, headroom_percent=20), asked)
    found = amounts(tenant)
    assert (found["cores"], found["ram"], found["instances"]) == (3, 1229, 3)


def test_quotas_that_follow_demand_want_a_plan():
    with pytest.raises(KasumiError, match="no plan is accepted; name a plan"):
        tenants_of(declared(*TWO), replace(CLOUD, headroom_percent=20), None)


def test_a_domain_for_each_ministry_is_ours_and_named_like_its_project():
    (tenant,) = tenants_of(declared(*TWO), replace(CLOUD, tenancy=Tenancy.DOMAIN), None)
    assert tenant.domain == tenant.name
    assert tenant.domain_uuid
    assert tenant.domain_uuid != tenant.uuid


def test_differences_and_what_is_done_about_each():
    (tenant,) = tenants_of(declared(*TWO), CLOUD, None)
    assert {d.step for d in differences_of(tenant, FoundTenant(domain_id="default"), {})} == {Step.MAKE, Step.SET, Step.GIVE}
    (gone, *_) = differences_of(tenant, FoundTenant(domain_id="default"), {tenant.uuid: "p0"})
    assert (gone.what, gone.found, gone.step) == ("project", "p0 is gone", Step.MAKE)

    quotas = {(quota.service, quota.name): FoundQuota(limit=quota.amount, used=0) for quota in tenant.quotas}
    found = FoundTenant(domain_id="default", project_id="p1", is_member=True, quotas=quotas)
    assert differences_of(tenant, found, {tenant.uuid: "p1"}) == ()
    (unrecorded,) = differences_of(tenant, found, {})
    assert (unrecorded.what, unrecorded.step) == ("project", Step.RECORD)

    changed = quotas | {
        ("compute", "cores"): FoundQuota(limit=64, used=20),
        ("compute", "ram"): FoundQuota(limit=None, used=0),
        ("compute", "instances"): FoundQuota(limit=3, used=3),
        ("network", "port"): FoundQuota(limit=None, used=90),
        ("network", "network"): FoundQuota(limit=100, used=90),
        ("network", "security_group"): FoundQuota(limit=10, used=1),
    }
    differences = differences_of(tenant, replace(found, quotas=changed), {tenant.uuid: "p1"})
    assert [(d.what, d.found, d.step) for d in differences] == [
        ("quota cores", "64, 20 used", Step.LEAVE),
        ("quota ram", "unlimited", Step.SET),
        ("quota instances", "3", Step.SET),
        ("quota security_group", "10", Step.SET),
    ]
