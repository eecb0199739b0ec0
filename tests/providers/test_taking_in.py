"""A migrated disk on a host: what is booted lies on the copy that was proved, on nothing else."""

from types import SimpleNamespace

import pytest

from controlplane.errors import RefusedError
from controlplane.model.estate import StoragePool
from controlplane.model.plan import Method
from controlplane.providers.libvirt import LibvirtProvider
from controlplane.providers.libvirt_connection import Connection
from controlplane.providers.libvirt_storage import Storage
from controlplane.providers.openstack_volume import problem_of_left_volume
from controlplane.providers.protocol import MachineRef
from tests.execution.plans import machine

POOL = StoragePool(name="taking-in", path="/nowhere/taking-in")


@pytest.fixture
def connection():
    connection = Connection("test:///default")
    yield connection
    connection.close()


@pytest.fixture
def storage(connection):
    storage = Storage(POOL, connection.open)
    storage.ensure()
    return storage


def test_an_overlay_on_another_volume_does_not_pass_for_one_on_the_copy(storage):
    for name in ("base.qcow2", "web1-copy.raw"):
        storage.ensure_raw(name, size_bytes=2**20)
    storage.refuse_overlay_on_other("web1.qcow2", backing="web1-copy.raw")
    storage.ensure_overlay("web1.qcow2", backing="base.qcow2", backing_format="raw", size_gib=1)
    storage.refuse_overlay_on_other("web1.qcow2", backing="base.qcow2")
    with pytest.raises(RefusedError, match=r"wanted an overlay on web1-copy.raw, found one on /nowhere/taking-in/base.qcow2"):
        storage.refuse_overlay_on_other("web1.qcow2", backing="web1-copy.raw")


def test_a_disk_of_another_life_is_an_obstacle_before_the_source_is_touched(connection, storage):
    provider, web = LibvirtProvider("t1", connection, POOL, estate="test"), machine("web1", method=Method.COLD)
    assert provider.obstacles(web, size_bytes=1) == ()
    for name in ("base.qcow2", "web1-copy.raw"):
        storage.ensure_raw(name, size_bytes=2**20)
    storage.ensure_overlay("web1.qcow2", backing="web1-copy.raw", backing_format="raw", size_gib=1)
    assert provider.obstacles(web, size_bytes=1) == ()
    storage.delete("web1.qcow2")
    storage.delete("web1-copy.raw")
    storage.ensure_overlay("web1.qcow2", backing="base.qcow2", backing_format="raw", size_gib=1)
    (said,) = provider.obstacles(web, size_bytes=1)
    assert "volume web1.qcow2: wanted an overlay on web1-copy.raw, found one on /nowhere/taking-in/base.qcow2" in said


@pytest.mark.parametrize(
    ("volumes", "said"),
    [
        ([], ""),
        ([{"status": "error", "bootable": "false"}], ""),
        ([{"status": "available", "bootable": "true"}], "volume v1: has its mark and data, but no server is there"),
        ([{"status": "error", "bootable": "true"}], "volume v1: has its mark and data, but no server is there"),
    ],
    ids=["none", "never made", "whole", "damaged"],
)
def test_a_volume_of_another_life_is_an_obstacle_too(volumes, said):
    ref = MachineRef(estate="lab", machine="web1", uuid="u1")
    mark = {"kasumi_estate": "lab", "kasumi_machine": "web1", "kasumi_uuid": "u1"}
    found = [{"id": "v1", "metadata": mark, "attachments": []} | volume for volume in volumes]
    cloud = SimpleNamespace(pool=SimpleNamespace(uri="openstack://west"), every=lambda *_, **__: found)
    problem = problem_of_left_volume(cloud, ref)
    assert said in problem
    assert bool(problem) == bool(said)
