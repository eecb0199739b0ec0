"""Hosts that are pools of clouds: no pool, no bridges, no overcommit, and no server in two of them."""

import pytest

from controlplane.inventory import load, read
from tests.inventory.mistakes import HOSTS


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
    ],
)
def test_pools_that_hold_the_same_servers_are_refused(change, first, second, overlap):
    _, findings = read(as_clouds(change, first, second))
    assert [finding.what for finding in findings] == (["uri holds servers of hv1 too"] if overlap else [])
