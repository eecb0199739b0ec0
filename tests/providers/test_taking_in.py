"""A migrated disk on a libvirt host, on libvirt's test driver: what is booted lies on the copy that was proved, on nothing else."""

import pytest

from controlplane.errors import RefusedError
from controlplane.model.estate import StoragePool
from controlplane.providers.libvirt_connection import Connection
from controlplane.providers.libvirt_storage import Storage


@pytest.fixture
def storage():
    connection = Connection("test:///default")
    storage = Storage(StoragePool(name="taking-in", path="/nowhere/taking-in"), connection.open)
    storage.ensure()
    yield storage
    connection.close()


def test_an_overlay_on_another_volume_does_not_pass_for_one_on_the_copy(storage):
    for name in ("base.qcow2", "web1-copy.raw"):
        storage.ensure_raw(name, size_bytes=2**20)
    storage.refuse_overlay_on_other("web1.qcow2", backing="web1-copy.raw")
    storage.ensure_overlay("web1.qcow2", backing="base.qcow2", backing_format="raw", size_gib=1)
    storage.refuse_overlay_on_other("web1.qcow2", backing="base.qcow2")
    with pytest.raises(RefusedError, match=r"wanted an overlay on web1-copy.raw, found one on /nowhere/taking-in/base.qcow2"):
        storage.refuse_overlay_on_other("web1.qcow2", backing="web1-copy.raw")
