"""The running cloud is a real one, as its users and the tests of the provider rely on it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import openstack
import pytest

from lab.openstack import faults, layout, lifecycle, packages, services, status
from lab.processes import living
from tests.openstack.cloud import RunningCloud
from tests.openstack.guests import BOOT_SECONDS, Ground, ground

pytestmark = [pytest.mark.lab, pytest.mark.slow]


@pytest.fixture(scope="module")
def member_ground(running_cloud: RunningCloud) -> Iterator[Ground]:
    with running_cloud.connect(running_cloud.member) as cloud, ground(cloud, "member-ground") as made:
        yield made


@pytest.fixture(scope="module")
def admin(running_cloud: RunningCloud) -> Iterator[openstack.connection.Connection]:
    with running_cloud.connect(running_cloud.admin) as cloud:
        yield cloud


@pytest.fixture
def knobs(running_cloud: RunningCloud) -> Iterator[None]:
    yield
    faults.turn()


def cli(running_cloud: RunningCloud, *arguments: str) -> object:
    environment = os.environ | {"OS_CLIENT_CONFIG_FILE": str(running_cloud.clouds_yaml), "OS_CLOUD": running_cloud.member}
    command = [str(packages.place() / "bin" / "openstack"), *arguments, "-f", "json"]
    return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def test_the_command_finds_all_of_it_up(running_cloud):
    kasumi = str(Path(sys.executable).with_name("kasumi"))
    done = subprocess.run([kasumi, "lab", "up", "--openstack"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "made" not in done.stderr
    shown = subprocess.run([kasumi, "lab", "status", "-o", "json"], capture_output=True, text=True, check=True).stdout
    assert json.loads(shown)["clouds_yaml"] == str(running_cloud.clouds_yaml)


def test_every_piece_is_up(running_cloud):
    assert {piece.name: piece.state for piece in status.pieces()} == {"cloud": "up"} | dict.fromkeys(services.names(), "up")


def test_a_second_up_starts_nothing(running_cloud, capsys):
    before = {piece.name: piece.pid for piece in status.pieces()}
    lifecycle.up()
    assert {piece.name: piece.pid for piece in status.pieces()} == before
    assert "started" not in capsys.readouterr().err


def test_the_clients_configuration_is_for_its_owner_only(running_cloud):
    assert running_cloud.clouds_yaml.stat().st_mode & 0o077 == 0


def test_no_password_is_on_a_command_line(running_cloud):
    secrets = (layout.state() / "secrets.json").read_text().split('"')[3::4]
    assert len(secrets) == 5
    found = list(living())
    assert len(found) > len(services.names())
    assert not [process for process in found if any(secret in process.arguments for secret in secrets)]


def test_computes_stand_in_their_zones(admin):
    zones = {zone.name: set(zone.hosts) for zone in admin.compute.availability_zones(details=True) if zone.name in layout.ZONES}
    assert zones == {name: set(hosts) for name, hosts in layout.ZONES.items()}


def test_placement_knows_what_the_computes_have(admin):
    providers = {provider.name: provider for provider in admin.placement.resource_providers()}
    assert set(providers) == {host for hosts in layout.ZONES.values() for host in hosts}
    stock = {found.resource_class: found.total for found in admin.placement.resource_provider_inventories(providers["cmp01"])}
    assert stock == {
        "VCPU": layout.COMPUTE_VCPUS,
        "MEMORY_MB": layout.COMPUTE_MEMORY_MIB,
        "DISK_GB": layout.COMPUTE_DISK_GIB,
    }


def test_a_member_is_no_administrator(member_ground):
    with pytest.raises(openstack.exceptions.ForbiddenException):
        list(member_ground.cloud.compute.hypervisors())
    with pytest.raises(openstack.exceptions.ForbiddenException):
        member_ground.cloud.compute.create_flavor(name="mine", vcpus=1, ram=1, disk=1)


def test_a_server_boots_on_the_address_its_member_chose_and_the_command_line_client_shows_it(member_ground, running_cloud):
    cloud = member_ground.cloud
    group = cloud.network.create_security_group(name="web")
    cloud.network.create_security_group_rule(
        security_group_id=group.id, direction="ingress", protocol="tcp", port_range_min=443, port_range_max=443
    )
    port = cloud.network.create_port(
        network_id=member_ground.network_id,
        fixed_ips=[{"ip_address": "10.20.0.77"}],
        mac_address="52:54:00:20:00:77",
        security_group_ids=[group.id],
    )
    server = member_ground.boot("portal", networks=[{"port": port.id}], availability_zone="az2", metadata={"ministry": "mof"})
    assert cloud.network.get_port(port.id).status == "ACTIVE"
    shown = cli(running_cloud, "server", "list")
    assert [(row["Name"], row["Status"], row["Networks"]) for row in shown if row["ID"] == server.id] == [
        ("portal", "ACTIVE", {"member-ground": ["10.20.0.77"]})
    ]
    cloud.compute.delete_server(server)
    cloud.compute.wait_for_delete(server, interval=0.2, wait=BOOT_SECONDS)
    cloud.network.delete_port(port.id)
    cloud.network.delete_security_group(group)


def test_a_host_that_fails_is_passed_over_and_an_abort_is_an_error_with_its_reason(member_ground, admin, knobs):
    hosts = [host for hosts in layout.ZONES.values() for host in hosts]
    faults.turn(spawn_fails_on=hosts[:-1])
    server = member_ground.boot("passed-on")
    assert admin.compute.get_server(server.id).compute_host == hosts[-1]
    faults.turn(spawn_aborts_on=hosts)
    with pytest.raises(openstack.exceptions.ResourceFailure):
        member_ground.boot("aborted")
    [failed] = [found for found in member_ground.cloud.compute.servers() if found.name == "aborted"]
    assert (failed.status, failed.fault["code"]) == ("ERROR", 500)


def test_a_router_joins_two_networks(member_ground):
    cloud = member_ground.cloud
    [subnet] = cloud.network.subnets(network_id=member_ground.network_id)
    router = cloud.network.create_router(name="between")
    cloud.network.add_interface_to_router(router, subnet=subnet)
    [port] = cloud.network.ports(device_id=router.id)
    assert [fixed["ip_address"] for fixed in port.fixed_ips] == ["10.20.0.1"]
    cloud.network.remove_interface_from_router(router, subnet=subnet)
    cloud.network.delete_router(router)


def test_servers_move_alive_and_are_resized(member_ground, admin):
    server = member_ground.boot("mover", availability_zone="az1")
    source = admin.compute.get_server(server.id).compute_host
    admin.compute.live_migrate_server(server.id, block_migration="auto")
    deadline = time.monotonic() + BOOT_SECONDS
    while (found := admin.compute.get_server(server.id)).compute_host == source or found.task_state:
        assert time.monotonic() < deadline, f"still on {source}, {found.status}"
        time.sleep(0.3)
    assert found.status == "ACTIVE"
    assert found.compute_host in layout.ZONES["az1"]
    larger = member_ground.cloud.compute.find_flavor("m1.small", ignore_missing=False)
    member_ground.cloud.compute.resize_server(server, larger.id)
    member_ground.cloud.compute.wait_for_server(server, status="VERIFY_RESIZE", interval=0.3, wait=BOOT_SECONDS)
    member_ground.cloud.compute.confirm_server_resize(server)
    assert member_ground.cloud.compute.wait_for_server(server, interval=0.3, wait=BOOT_SECONDS).flavor.ram == 2048


def test_a_server_boots_from_a_volume_that_holds_the_image_and_outlives_it(member_ground):
    cloud = member_ground.cloud
    volume = cloud.block_storage.create_volume(name="root", size=1, image_id=member_ground.image_id)
    volume = cloud.block_storage.wait_for_status(volume, status="available", failures=["error"], interval=0.3, wait=BOOT_SECONDS)
    with (layout.state() / "cinder" / "volumes" / f"volume-{volume.id}").open("rb") as file:
        assert file.read(20) == b"not a disknot a disk"
        assert file.seek(0, os.SEEK_END) == 1 << 30
    mapping = {"boot_index": 0, "uuid": volume.id, "source_type": "volume", "destination_type": "volume"}
    server = member_ground.boot("from-volume", image_id="", block_device_mapping=[mapping | {"delete_on_termination": False}])
    assert cloud.block_storage.get_volume(volume.id).attachments[0]["server_id"] == server.id
    cloud.compute.delete_server(server)
    cloud.compute.wait_for_delete(server, interval=0.3, wait=BOOT_SECONDS)
    cloud.block_storage.wait_for_status(volume, status="available", failures=["error"], interval=0.3, wait=BOOT_SECONDS)


def test_a_volume_is_snapshotted_extended_and_attached(member_ground):
    storage = member_ground.cloud.block_storage
    volume = storage.wait_for_status(
        storage.create_volume(name="data", size=1), status="available", interval=0.3, wait=BOOT_SECONDS
    )
    snapshot = storage.create_snapshot(volume_id=volume.id, name="data")
    storage.wait_for_status(snapshot, status="available", interval=0.3, wait=BOOT_SECONDS)
    copy = storage.create_volume(name="copy", size=2, snapshot_id=snapshot.id)
    storage.wait_for_status(copy, status="available", interval=0.3, wait=BOOT_SECONDS)
    storage.extend_volume(volume, 3)
    deadline = time.monotonic() + BOOT_SECONDS
    while (found := storage.get_volume(volume.id)).size != 3:
        assert time.monotonic() < deadline, found.status
        time.sleep(0.3)
    assert storage.get_volume(copy.id).size == 2
    server = member_ground.boot("with-data")
    member_ground.cloud.compute.create_volume_attachment(server, volume_id=copy.id)
    storage.wait_for_status(copy, status="in-use", interval=0.3, wait=BOOT_SECONDS)
    storage.delete_snapshot(snapshot)
    storage.wait_for_delete(snapshot, interval=0.3, wait=BOOT_SECONDS)
