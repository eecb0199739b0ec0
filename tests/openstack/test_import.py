"""Servers that somebody made in a real project come into the inventory, and the cloud is as it was."""

import json
import secrets

import pytest

from controlplane.inventory import load
from controlplane.model.resources import Resources
from tests.openstack.guests import BOOT_SECONDS, ground
from tests.openstack.world import make_world

pytestmark = [pytest.mark.lab, pytest.mark.slow]

ADDRESS, MAC = "10.20.0.41", "52:54:00:20:00:41"


@pytest.fixture
def world(running_cloud, tmp_path, monkeypatch):
    """An inventory that knows the cloud; nothing of it is applied."""
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(running_cloud.clouds_yaml))
    return make_world(
        tmp_path, f"cloud-{secrets.token_hex(2)}", running_cloud.clouds_yaml, running_cloud.member, running_cloud.admin
    )


def everything(hand):
    """All that the project holds, in full: a change of any property shows."""
    listings = (
        ("compute", "/servers/detail", "servers"),
        ("block_storage", "/volumes/detail", "volumes"),
        ("image", "/images", "images"),
        ("network", "/ports", "ports"),
        ("network", "/networks", "networks"),
        ("network", "/security-groups", "security_groups"),
    )
    return {key: in_order(hand.cloud.every(service, path, key)) for service, path, key in listings}


def in_order(found):
    """Lists of things by their id, at every depth: a service gives them as they come from its database."""
    if isinstance(found, dict):
        return {key: in_order(value) for key, value in found.items()}
    if isinstance(found, list):
        return sorted(map(in_order, found), key=lambda one: one["id"] if isinstance(one, dict) and "id" in one else str(one))
    return found


def test_servers_made_by_hand_are_imported_and_the_cloud_is_as_it_was(running_cloud, world):
    uri = f"openstack://{running_cloud.member}"
    with running_cloud.connect(running_cloud.member) as cloud, ground(cloud, "import") as made:
        cloud.image.update_image(made.image_id, os_distro="debian", os_version="11", os_type="linux", hw_firmware_type="bios")
        port = cloud.network.create_port(network_id=made.network_id, fixed_ips=[{"ip_address": ADDRESS}], mac_address=MAC)
        fixed = made.boot("Old-Web.mof.example", networks=[{"port": port.id}], availability_zone="az2")
        storage = cloud.block_storage
        volumes = [
            storage.create_volume(name="old-db-root", size=3, image_id=made.image_id),
            storage.create_volume(name="old-db-data", size=2),
        ]
        for one in volumes:
            storage.wait_for_status(one, status="available", failures=["error"], interval=0.3, wait=BOOT_SECONDS)
        mappings = [
            {"boot_index": index, "uuid": one.id, "source_type": "volume", "destination_type": "volume"}
            for index, one in zip((0, -1), volumes, strict=True)
        ]
        db = made.boot("old-db", image_id="", block_device_mapping=mappings)
        cloud.compute.stop_server(db)
        cloud.compute.wait_for_server(db, status="SHUTOFF", interval=0.3, wait=BOOT_SECONDS)
        mark = {"kasumi_estate": world.estate, "kasumi_machine": "ledger-1", "kasumi_uuid": secrets.token_hex(16)}
        ours = made.boot("ledger-1", metadata=mark)
        before = everything(world.hand)

        done = world.kasumi("inventory", "import", uri, "--ministry", "mof", "--system", "ledger", "-o", "json")
        document = json.loads(done.stdout)
        assert sorted(change["server"] for change in document["changes"]) == ["old-db", "old-web"]
        told = [remark["what"] for remark in document["remarks"] if ours.id in remark["where"]]
        assert told == [f"'ledger-1': is machine ledger-1 of estate {world.estate}, not imported"]
        assert not [remark for remark in document["remarks"] if remark["severity"] == "critical"]

        world.kasumi("inventory", "check")
        servers = load(world.folder / "inventory").servers
        web, database = servers["old-web"], servers["old-db"]
        assert (web.os, web.address, web.mac) == ("debian-11", ADDRESS, MAC)
        assert web.size == Resources(vcpus=1, memory_mib=512, disk_gib=1)
        assert (database.os, database.size) == ("debian-11", Resources(vcpus=1, memory_mib=512, disk_gib=5))
        assert facts_of(web)["location"] == "az2"
        assert facts_of(web)["hypervisor"] == {"cluster": uri, "name": "Old-Web.mof.example", "id": fixed.id}
        assert facts_of(web)["boot.mode"] == "bios"
        assert [facts_of(one)["power.state"] for one in (web, database)] == ["running", "stopped"]
        assert [disk["name"] for disk in facts_of(database)["disks"]] == ["old-db-root", "old-db-data"]

        again = world.kasumi("inventory", "import", uri, "--ministry", "mof", "--system", "ledger")
        assert "2 unchanged" in again.stderr
        assert "nothing to write" in again.stderr
        assert everything(world.hand) == before


def facts_of(server):
    return {value.field: value.value for value in server.ledger}
