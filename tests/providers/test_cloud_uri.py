"""Which pools of clouds are understood, and what is said of a URI that names none well."""

from pathlib import Path

import pytest

from controlplane.errors import KasumiError
from controlplane.model.cloud import BootPolicy, CloudPool, CloudUriError, FlavorPolicy, cloud_pool, is_cloud
from controlplane.model.estate import StoragePool
from controlplane.providers.opening import open_copy_host, open_provider
from controlplane.providers.protocol import CopyPlace

POOL = StoragePool(name="kasumi", path="/none")


@pytest.mark.parametrize(
    ("uri", "pool"),
    [
        ("openstack://west", {"cloud": "west"}),
        ("openstack://West_1/az1", {"cloud": "West_1", "zone": "az1"}),
        ("openstack://west/?project=mail", {"cloud": "west", "project": "mail"}),
        (
            "openstack://west?boot=volume&volume_type=fast%20disks",
            {"cloud": "west", "boot": BootPolicy.VOLUME, "volume_type": "fast disks"},
        ),
        ("openstack://west?router=way%20out", {"cloud": "west", "router": "way out"}),
        ("openstack://west?keypair=operations", {"cloud": "west", "keypair": "operations"}),
        ("openstack://west/az1?aggregate=ssd=true", {"cloud": "west", "zone": "az1", "aggregate": ("ssd=true",)}),
        ("openstack://west?aggregate=tier=gold,ssd=true", {"cloud": "west", "aggregate": ("ssd=true", "tier=gold")}),
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
        (
            "openstack://west?region=x",
            "unknown option 'region'",
            "aggregate, boot, flavors, keypair, project, router, volume_type",
        ),
        ("openstack://west?flavors=big", "unknown flavors=big", "nearest, make, exact"),
        ("openstack://west?boot=disk", "unknown boot=disk", "image, volume"),
        ("openstack://west?router=", "names an empty router", "router=NAME"),
        ("openstack://west?aggregate=fast", "names no properties of an aggregate: aggregate=fast", "aggregate=KEY=VALUE"),
        ("openstack://west?aggregate=", "names no properties of an aggregate", "aggregate=KEY=VALUE"),
        ("openstack://west?aggregate=ssd=true,ssd=false", "names no properties of an aggregate", "aggregate=KEY=VALUE"),
        ("openstack://west?keypair=", "names an empty keypair", "keypair=NAME"),
        ("openstack://west?volume_type=fast", "names a volume_type, but its servers boot from images", "boot=volume"),
    ],
)
def test_not_understood(uri, what, remedy):
    with pytest.raises(CloudUriError, match=what) as caught:
        cloud_pool(uri)
    assert remedy in caught.value.remedy
    with pytest.raises(KasumiError, match=what):
        open_provider("cloud1", uri, POOL, estate="lab")


def test_a_cloud_takes_in_migrated_disks_by_way_of_this_controller(tmp_path):
    host = open_copy_host("cloud1", "openstack://west", POOL, estate="lab", ssh_config="", copies=tmp_path / "copies")
    assert host.copy_place == CopyPlace(uri="", folder=tmp_path / "copies")
    old = open_copy_host("hv1", "qemu+ssh://root@hv1/system", POOL, estate="lab", ssh_config="", copies=tmp_path)
    assert old.copy_place == CopyPlace(uri="qemu+ssh://root@hv1/system", folder=Path("/none"))


def test_a_cloud_that_nobody_described_says_where_to_describe_it(monkeypatch, tmp_path):
    (tmp_path / "clouds.yaml").write_text("clouds: {east: {auth: {auth_url: 'http://127.0.0.1:9'}}}")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    with pytest.raises(KasumiError, match=r"host cloud1 on openstack://west: .*west.*; describe cloud west in clouds.yaml"):
        open_provider("cloud1", "openstack://west", POOL, estate="lab").observe()
