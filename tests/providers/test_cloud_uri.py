"""Which pools of clouds are understood, and what is said of a URI that names none well."""

import pytest

from controlplane.errors import KasumiError, RefusedError
from controlplane.model.cloud import CloudPool, CloudUriError, FlavorPolicy, cloud_pool, is_cloud
from controlplane.model.estate import StoragePool
from controlplane.providers.opening import open_copy_host, open_provider

POOL = StoragePool(name="kasumi", path="/none")


@pytest.mark.parametrize(
    ("uri", "pool"),
    [
        ("openstack://west", {"cloud": "west"}),
        ("openstack://West_1/az1", {"cloud": "West_1", "zone": "az1"}),
        ("openstack://west/?project=mail", {"cloud": "west", "project": "mail"}),
        ("openstack://west/az1?flavors=make", {"cloud": "west", "zone": "az1", "flavors": FlavorPolicy.MAKE}),
    ],
)
def test_understood(uri, pool):
    assert is_cloud(uri)
    assert cloud_pool(uri) == CloudPool(uri=uri, **pool)
    assert open_provider("cloud1", uri, POOL, estate="lab").host == "cloud1"


@pytest.mark.parametrize(
    ("uri", "what", "remedy"),
    [
        ("openstack://[west", "is not a URI", "openstack://CLOUD"),
        ("openstack:///az1", "names no cloud", "openstack://CLOUD"),
        ("openstack://me:secret@west", "holds a user, password or port", "clouds.yaml"),
        ("openstack://west:5000", "holds a user, password or port", "clouds.yaml"),
        ("openstack://west/az1/rack2", "has more after the zone", "openstack://CLOUD/ZONE"),
        ("openstack://west?region=x", "unknown option 'region'", "project and flavors"),
        ("openstack://west?flavors=big", "unknown flavors=big", "nearest, make, exact"),
    ],
)
def test_not_understood(uri, what, remedy):
    with pytest.raises(CloudUriError, match=what) as caught:
        cloud_pool(uri)
    assert remedy in caught.value.remedy
    with pytest.raises(KasumiError, match=what):
        open_provider("cloud1", uri, POOL, estate="lab")


def test_a_cloud_takes_in_no_migrated_disk():
    with pytest.raises(RefusedError, match="takes in no migrated disk yet; plan the machine on a libvirt host"):
        open_copy_host("cloud1", "openstack://west", POOL, estate="lab")


def test_a_cloud_that_nobody_described_says_where_to_describe_it(monkeypatch, tmp_path):
    (tmp_path / "clouds.yaml").write_text("clouds: {east: {auth: {auth_url: 'http://127.0.0.1:9'}}}")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    with pytest.raises(KasumiError, match=r"host cloud1 on openstack://west: .*west.*; describe cloud west in clouds.yaml"):
        open_provider("cloud1", "openstack://west", POOL, estate="lab").observe()
