"""The contract where servers boot from volumes: what it says of disks, and of machines with a disk that outlives its server."""

import pytest

from controlplane.errors import RefusedError
from controlplane.model.observed import PowerState
from tests.openstack.openstack_hand import OnVolumes
from tests.openstack.test_contract import places
from tests.providers.contract import ImageContract, KeptDiskContract, MachineContract

pytestmark = [pytest.mark.lab, pytest.mark.slow]


@pytest.fixture(scope="module")
def place(running_cloud, tmp_path_factory):
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OS_CLIENT_CONFIG_FILE", str(running_cloud.clouds_yaml))
        yield from places(f"openstack://{running_cloud.admin}?flavors=make&boot=volume", OnVolumes, tmp_path_factory)


class TestDisks:
    """Those to whom it makes a difference that the disk is a volume; the others are tested where servers boot from images."""

    cleared = ImageContract.cleared
    test_grows_a_disk_and_never_shrinks_it = ImageContract.test_grows_a_disk_and_never_shrinks_it
    test_makes_a_half_made_disk_anew = ImageContract.test_makes_a_half_made_disk_anew
    test_removes_only_what_is_stopped_and_only_its_disks = MachineContract.test_removes_only_what_is_stopped_and_only_its_disks


class TestKeptDisks(KeptDiskContract):
    pass


def test_room_is_what_the_quota_of_volumes_leaves_and_a_second_volume_with_the_mark_is_refused(place):
    machine = place.machine()
    before = place.provider.observe()
    place.ensure(machine)
    after = place.provider.observe()
    quotas = {quota.name: quota for quota in after.quotas}
    assert after.capacity.total.disk_gib == quotas["volumes_gib"].limit
    assert after.disk_free_gib == before.disk_free_gib - machine.size.disk_gib
    assert after.capacity.used_by_foreign == before.capacity.used_by_foreign
    (made,) = [volume for volume in place.hand.volumes() if volume["name"] == f"kasumi-{machine.id}"]
    body = {"volume": {"size": 1, "name": "restored", "metadata": made["metadata"]}}
    copy = place.hand.cloud.post("block_storage", "/volumes", body)["volume"]["id"]
    try:
        with pytest.raises(RefusedError, match=r"wanted one volume with its mark, found .*; take the metadata off the copies"):
            place.provider.remove(place.ref(machine))
        assert place.seen(machine).state is PowerState.STOPPED
    finally:
        place.hand.remove_volume(copy)
        place.clear()
