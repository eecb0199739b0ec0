"""Hosts that are pools of clouds: no pool, no bridges, no overcommit, and no server in two of them."""

import pytest

from controlplane.inventory import load, read
from tests.inventory.mistakes import ESTATE, HOSTS


def as_clouds(change, first, second):
    """The base with its two hosts in clouds."""
    change(HOSTS, "        overcommit: {vcpus: 4}\n", "")
    change(HOSTS, "networks: {shared: br-shared, mof: br-mof}", 'networks: {shared: "", mof: provider-net}')
    change(HOSTS, "qemu+ssh://root@10.0.0.1/system", first)
    return change(HOSTS, "qemu+ssh://root@10.0.0.2/system", second)


def test_two_zones_of_one_cloud_are_two_hosts(change):
    estate = load(as_clouds(change, "openstack://west/az1", "openstack://west/az2?flavors=make"))
    assert [host.uri for host in estate.hosts.values()] == ["openstack://west/az1", "openstack://west/az2?flavors=make"]
    assert estate.hosts["hv1"].networks == {"shared": "", "mof": "provider-net"}


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        ("openstack://west", "openstack://west/az2", True),
        ("openstack://west/az1", "openstack://west/az1?flavors=make", True),
        ("openstack://west?project=a", "openstack://west?project=b", False),
        ("openstack://west", "openstack://east/az1", False),
        ("openstack://west/az1", "openstack://west/az1?aggregate=ssd=true", False),
        ("openstack://west?aggregate=ssd=true", "openstack://west?aggregate=tier=gold", False),
        ("openstack://west?aggregate=ssd=true", "openstack://west/az1?aggregate=ssd=true", True),
    ],
)
def test_pools_that_hold_the_same_servers_are_refused(change, first, second, overlap):
    _, findings = read(as_clouds(change, first, second))
    assert [finding.what for finding in findings] == (["uri holds servers of hv1 too"] if overlap else [])


CLOUDS = "kasumi_clouds: {west: {administrator: west-admin, member: kasumi, ministries: {mof: west-mof}}}\nkasumi_sites:"


def with_policy(change, clouds=CLOUDS, *, networks="networks: {mof: ''}", uri="openstack://west-mof/az1"):
    """The base with its second host, of other networks than the first, in the project of a ministry."""
    change(ESTATE, "kasumi_sites:", clouds)
    change(HOSTS, "<<: *host", f"<<: *host\n        {networks}")
    return as_clouds(change, "openstack://east/az1", uri)


def test_a_ministry_has_a_project_of_its_own(change):
    (cloud,) = load(with_policy(change)).clouds.values()
    assert (cloud.id, cloud.administrator, cloud.member, cloud.ministries) == (
        "west",
        "west-admin",
        "kasumi",
        {"mof": "west-mof"},
    )
    assert (cloud.tenancy, cloud.domain, cloud.member_domain, cloud.headroom_percent) == ("project", "Default", "Default", None)


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        (
            {"networks": "networks: {mof: '', shared: ''}"},
            "network shared is of everybody, and the host stands in the project of mof",
        ),
        ({"uri": "openstack://west-mof/az1?project=other"}, "names a project, which kasumi_clouds does for it"),
        ({"uri": "openstack://west/az1"}, "no host stands in west-mof"),
        ({"clouds": CLOUDS.replace("mof: west-mof", "mofa: west-mof")}, "no ministry 'mofa'"),
        ({"clouds": CLOUDS.replace("west-admin", "west-mof")}, "an administrator's credentials would make machines"),
        (
            {"clouds": CLOUDS.replace("member", "tenancy: domain, domain: gov, member")},
            "each ministry has a domain of its own here",
        ),
        ({"clouds": CLOUDS.replace("member", "tenancy: region, member")}, "wanted one of project, domain, found 'region'"),
    ],
)
def test_a_policy_that_cannot_hold_is_refused(change, changed, found):
    _, findings = read(with_policy(change, **changed))
    assert found in [finding.what for finding in findings], findings
