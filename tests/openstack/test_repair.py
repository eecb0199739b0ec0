"""Kill anything, and `up` repairs it; `reset` empties the cloud; `down` leaves nothing."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.errors import RefusedError
from lab import processes
from lab.command import run
from lab.openstack import faults, layout, lifecycle, network, services, status
from lab.processes import inside
from tests.openstack.cloud import RunningCloud
from tests.openstack.guests import ground

pytestmark = [pytest.mark.lab, pytest.mark.slow]


@pytest.fixture
def cloud_to_break(running_cloud: RunningCloud) -> Iterator[RunningCloud]:
    """The cloud for tests that kill or remove: only when nobody's servers are in it."""
    with running_cloud.connect(running_cloud.admin) as admin:
        if found := [server.name for server in admin.compute.servers(all_projects=True)]:
            pytest.fail(f"the lab's OpenStack holds servers of somebody: {', '.join(found)}; `kasumi lab reset` first")
    yield running_cloud
    lifecycle.up()


def kasumi(*words: str) -> str:
    command = [str(Path(sys.executable).with_name("kasumi")), *words]
    return subprocess.run(command, check=True, stderr=subprocess.PIPE, text=True).stderr


def pids() -> dict[str, int | None]:
    return {piece.name: piece.pid for piece in status.pieces() if piece.kind == "service"}


def test_a_service_stops_and_starts_by_name(cloud_to_break):
    before = pids()
    assert "stop glance: done" in kasumi("lab", "service", "stop", "glance")
    assert not faults.stop("glance")
    assert pids() == before | {"glance": None}
    assert "start glance: done" in kasumi("lab", "service", "start", "glance")
    assert not faults.start("glance")
    assert {name for name, pid in pids().items() if pid != before[name]} == {"glance"}


def test_killed_database_messages_and_computes_come_back_and_servers_are_still_there(cloud_to_break):
    with cloud_to_break.connect(cloud_to_break.member) as cloud, ground(cloud, "repair") as made:
        kept = made.boot("kept", availability_zone="az1")
        for name in ("mariadb", "rabbitmq", "epmd", "keystone", "nova-compute-az1"):
            assert faults.kill(name)
        lifecycle.up()
        assert cloud.compute.get_server(kept.id).status == "ACTIVE"
        made.boot("new", availability_zone="az1")


def test_after_killing_everything_up_repairs_everything(cloud_to_break):
    before = pids()
    assert processes.end(network.inhabited()) >= len(before)
    assert set(pids().values()) == {None}
    lifecycle.up()
    assert {piece.state for piece in status.pieces()} == {"up"}


def test_reset_empties_the_cloud_and_keeps_its_identities(cloud_to_break):
    credentials = layout.clouds_yaml().read_text()
    with cloud_to_break.connect(cloud_to_break.admin) as admin:
        admin.identity.create_project(name="leftover", domain_id="default")
        admin.network.create_network(name="leftover")
    kasumi("lab", "reset")
    assert layout.clouds_yaml().read_text() == credentials
    with cloud_to_break.connect(cloud_to_break.admin) as admin:
        assert admin.identity.find_project("leftover") is None
        assert list(admin.network.networks()) == list(admin.image.images()) == []
        assert list(admin.compute.servers(all_projects=True)) == []


def seen_from_outside() -> dict[str, object]:
    return {
        "links": sorted(line.split(": ")[1] for line in run(["ip", "-oneline", "link"]).splitlines() if ": kl1" in line),
        "namespaces": [line for line in run(["ip", "netns"]).splitlines() if line.startswith(layout.NAMESPACE)],
        "mounts": [line for line in Path("/proc/mounts").read_text().splitlines() if "openstack" in line],
        "processes": [process.arguments for process in inside(network.inhabited())],
        "home": layout.home().exists(),
    }


def test_down_leaves_nothing_and_refuses_what_is_foreign(cloud_to_break):
    kasumi("lab", "down", "--openstack")
    assert seen_from_outside() == {"links": [], "namespaces": [], "mounts": [], "processes": [], "home": False}
    assert not lifecycle.down()
    run(["ip", "link", "add", layout.UPLINK, "type", "bridge"])
    try:
        for verb in (lifecycle.up, lifecycle.down):
            with pytest.raises(RefusedError, match=f"wanted interface {layout.UPLINK} to be free or ours"):
                verb()
    finally:
        run(["ip", "link", "delete", layout.UPLINK])
    assert services.all_found() == {}
