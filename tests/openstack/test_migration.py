"""Machines of an old libvirt host that move to a cloud: a real libvirtd, real exports and copies, real Glance, Cinder and Nova.

Nova's hypervisors are made up, so nothing answers on a machine that moved there; what moves has no services. In the order a person
would do it; each test stands on the world that the one before left.
"""

import json
import secrets
import signal
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml

from lab.openstack import layout as cloud_layout
from tests.openstack.old_host import old_host, virsh
from tests.openstack.relay import Relay
from tests.openstack.world import World, clear, make_world

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(2400)]

DISK_MIB = 64
DATA_MIB = 8
"""Of each disk something is written, and the rest is empty."""
CUT_BYTES = 16 * 2**20
_SERVER = """
        {name}:
          kasumi_server:
            kind: virtual
            size: {{vcpus: 1, memory: 512MiB, disk: 1GiB}}
            disposition: rehost
            reason: its host is out of support
            os: none
            network: mof
            address: {address}
            mac: "{mac}"
            only_on: [{host}]
            source: {{uri: "{uri}", domain: {name}}}
"""
_DOMAIN = """
<domain type='qemu'>
  <name>{name}</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/><source file='{disk}'/><target dev='vda' bus='virtio'/>
    </disk>
    <interface type='user'><mac address='{mac}'/></interface>
  </devices>
</domain>
"""


@dataclass(frozen=True, kw_only=True)
class Old:
    """One machine on the old host that is to move."""

    name: str
    host: str
    address: str
    mac: str
    folder: Path
    uri: str

    @property
    def disk(self) -> Path:
        return self.folder / f"{self.name}.qcow2"

    def virsh(self, verb: str) -> str:
        return virsh(self.uri, verb, self.name)

    def state(self) -> str:
        return self.virsh("domstate").strip()

    def define(self) -> None:
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(self.disk), f"{DISK_MIB}M"], check=True)
        subprocess.run(["qemu-io", "-c", f"write -q -P 7 4M {DATA_MIB}M", str(self.disk)], check=True)
        xml = self.folder / f"{self.name}.xml"
        xml.write_text(_DOMAIN.format(name=self.name, mac=self.mac, disk=self.disk), encoding="utf-8")
        virsh(self.uri, "define", str(xml))


@dataclass(frozen=True, kw_only=True)
class Moving(World):
    """A world with an old host."""

    old: dict[str, Old]

    def through(self, relay: Relay) -> "Moving":
        """The same, where the way to Glance leads through a relay."""
        clouds = yaml.safe_load(self.clouds_yaml.read_text(encoding="utf-8"))
        clouds["clouds"][cloud_layout.MEMBER_CLOUD]["image_endpoint_override"] = f"http://127.0.0.1:{relay.port}"
        changed = self.folder / "relayed.yaml"
        changed.touch(mode=0o600)
        changed.write_text(yaml.safe_dump(clouds), encoding="utf-8")
        return replace(self, clouds_yaml=changed)

    def migration(self, name: str) -> dict:
        """Its record."""
        (found,) = json.loads(self.kasumi("migrate", "status", name, "-o", "json").stdout)["migrations"]
        return found

    def copies(self) -> list[dict]:
        """Images of disks that moved or are moving."""
        found = self.hand.cloud.every("image", "/images", "images", owner=self.hand.cloud.project_id)
        return [image for image in found if image["name"].startswith("kasumi-copy-")]

    def gathered(self) -> list[str]:
        """Files on the controller."""
        return [path.name for path in (self.folder / "home" / "copies").rglob("*.raw")]


@pytest.fixture(scope="module")
def world(running_cloud, tmp_path_factory):
    folder = tmp_path_factory.mktemp("moving")
    with pytest.MonkeyPatch.context() as environment, old_host(tmp_path_factory.mktemp("old")) as uri:
        environment.setenv("OS_CLIENT_CONFIG_FILE", str(running_cloud.clouds_yaml))
        estate = f"moving-{secrets.token_hex(2)}"
        made = make_world(folder, estate, running_cloud.clouds_yaml, running_cloud.member, running_cloud.admin)
        old = {
            name: Old(name=name, host=host, address=f"10.77.20.{last}", mac=f"52:54:00:77:aa:{last}", folder=folder, uri=uri)
            for name, host, last in (("old-files", "cloud-1", 31), ("old-ledger", "cloud-2", 32))
        }
        made = Moving(folder=folder, estate=estate, clouds_yaml=made.clouds_yaml, hand=made.hand, old=old)
        _describe(made)
        try:
            for each in old.values():
                each.define()
            yield made
        finally:
            clear(made)
            for volume in made.hand.volumes():
                made.hand.remove_volume(volume["id"])


def _describe(world):
    """The inventory: two machines come from the old host, and none is made from an image."""
    hosts_file = world.folder / "inventory" / "hosts.yml"
    text = hosts_file.read_text(encoding="utf-8")
    before, _, _ = text.partition("          machines:\n")
    servers = "".join(
        _SERVER.format(name=o.name, host=o.host, address=o.address, mac=o.mac, uri=o.uri) for o in world.old.values()
    )
    hosts_file.write_text(f"{before}      hosts:{servers}", encoding="utf-8")
    world.edit("hosts.yml", "/az2", "/az2?boot=volume")


def test_such_machines_are_planned_on_a_cloud_and_apply_leaves_them_to_their_migration(world):
    world.kasumi("plan", "-o", world.plan)
    done = json.loads(world.kasumi("apply", world.plan, "-o", "json").stdout)
    assert {outcome["action"] for outcome in done["outcomes"] if outcome["subject"] in world.old} == {"migrate"}
    assert world.made() == set()


def test_a_controller_killed_while_it_uploads_leaves_a_named_phase_and_no_server(world):
    glance = (cloud_layout.ADDRESS, 9292)
    with Relay(glance, passes_bytes=CUT_BYTES, stands_still=True) as relay:
        process = world.through(relay).start("migrate", "start", "old-files", "--yes")
        world.hand.until(lambda: relay.reached.is_set() or process.poll() is not None)
        process.send_signal(signal.SIGKILL)
        said = process.communicate()
        assert relay.reached.is_set(), said
    record = world.migration("old-files")
    assert (record["phase"], record["copied_bytes"]) == ("verified", DISK_MIB * 2**20)
    assert record["source_sha256"] == record["target_sha256"] != ""
    assert len(world.gathered()) == 1
    assert world.made() == {"port kasumi-old-files"}
    assert "active" not in {image["status"] for image in world.copies()}


def test_an_upload_that_is_cut_says_so_and_is_done_again_as_a_whole(world):
    glance = (cloud_layout.ADDRESS, 9292)
    with Relay(glance, passes_bytes=CUT_BYTES, stands_still=False) as relay:
        cut = world.through(relay).run("migrate", "start", "old-files", "--yes")
        assert relay.reached.is_set()
    assert cut.returncode == 4, cut.stderr
    assert "copy of old-files on openstack://" in cut.stderr
    record = world.migration("old-files")
    assert record["phase"] == "verified"
    assert "no answer" in record["problem"]
    done = world.kasumi("migrate", "start", "old-files", "--yes")
    assert f"uploaded {DISK_MIB} of {DISK_MIB} MiB" in done.stderr
    assert "copied" not in done.stderr, "what was gathered and proved is not copied from the old host again"
    assert world.migration("old-files")["phase"] == "ready"
    assert world.gathered() == []
    (image,) = world.copies()
    assert (image["status"], image["size"]) == ("active", DISK_MIB * 2**20)
    found = world.hand.cloud.call("image", "GET", f"/images/{image['id']}/file").content
    assert found == b"\0" * (4 * 2**20) + b"\7" * (DATA_MIB * 2**20) + b"\0" * ((DISK_MIB - 4 - DATA_MIB) * 2**20)
    assert world.made() == {"port kasumi-old-files"}, "Nova boots what it makes, so nothing is made before the cutover"
    assert world.old["old-files"].state() == "shut off"


def test_the_server_is_made_at_the_cutover_with_its_old_mac_and_address_and_only_once(world):
    world.kasumi("reconcile", "--once")
    assert world.made() == {"port kasumi-old-files"}, "reconcile leaves a machine that is being moved alone"
    process = world.start("migrate", "cutover", "old-files")
    world.hand.until(lambda: bool(world.ours()) or process.poll() is not None)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    world.kasumi("migrate", "cutover", "old-files")
    assert world.made() == {"server old-files ACTIVE", "port kasumi-old-files"}
    (server,) = world.ours()
    assert server["OS-EXT-AZ:availability_zone"] == "az1"
    assert not server["config_drive"], "a guest that knows clouds would take itself for new"
    (port,) = world.hand.ports(device_id=server["id"])
    old = world.old["old-files"]
    assert (port["mac_address"], port["fixed_ips"][0]["ip_address"]) == (old.mac, old.address)
    assert "reconcile: nothing to do" in world.kasumi("reconcile", "--once").stderr


def test_rolling_back_stops_the_server_and_starts_the_source(world):
    world.kasumi("migrate", "rollback", "old-files", "--yes")
    assert world.made() == {"server old-files SHUTOFF", "port kasumi-old-files"}
    old = world.old["old-files"]
    assert old.state() == "running"


def test_moving_again_makes_all_of_it_anew_and_finalizing_closes_the_way_back(world):
    (before,) = world.ours()
    world.old["old-files"].virsh("destroy")
    world.kasumi("migrate", "start", "old-files", "--yes")
    assert world.made() == {"port kasumi-old-files"}
    world.kasumi("migrate", "cutover", "old-files")
    (server,) = world.ours()
    assert server["id"] != before["id"]
    assert len(world.copies()) == 1
    world.kasumi("reconcile", "--once")
    world.kasumi("migrate", "finalize", "old-files", "--yes")
    world.kasumi("migrate", "rollback", "old-files", "--yes", code=5)
    assert world.old["old-files"].state() == "shut off"
    assert world.old["old-files"].disk.exists()


def test_a_moved_server_that_is_gone_is_not_made_again_of_its_old_data(world):
    world.hand.forget("old-files")
    done = world.run("reconcile", "--once")
    assert done.returncode in {1, 5}
    assert "is gone, and its disk with it" in done.stderr + done.stdout
    assert {name for name in world.made() if name.startswith("server")} == set()


def test_with_volumes_a_moved_server_that_is_gone_comes_back_with_its_disk(world):
    world.kasumi("migrate", "start", "old-ledger", "--yes")
    (volume,) = world.hand.volumes()
    assert (volume["size"], volume["status"], volume["bootable"]) == (1, "available", "true")
    file = cloud_layout.state() / "cinder" / "volumes" / f"volume-{volume['id']}"
    with file.open("rb") as content:
        assert content.read(5 * 2**20)[-4:] == b"\7\7\7\7"
    world.kasumi("migrate", "cutover", "old-ledger")
    world.hand.forget("old-ledger")
    world.run("reconcile", "--once")
    assert "server old-ledger ACTIVE" in world.made()
    assert [found["id"] for found in world.hand.volumes()] == [volume["id"]]
    assert world.hand.volumes()[0]["attachments"][0]["server_id"] == world.hand.server("old-ledger")["id"]
    world.kasumi("migrate", "rollback", "old-ledger", "--yes")
    assert world.old["old-ledger"].state() == "running"
    assert "server old-ledger SHUTOFF" in world.made()


def test_rolling_back_before_the_cutover_leaves_nothing_in_the_cloud(world):
    world.old["old-ledger"].virsh("destroy")
    world.kasumi("migrate", "start", "old-ledger", "--yes")
    assert len(world.hand.volumes()) == 1
    world.kasumi("migrate", "rollback", "old-ledger", "--yes")
    assert world.hand.volumes() == []
    assert [image for image in world.copies() if image["name"] == "kasumi-copy-old-ledger"] == []
    assert {name for name in world.made() if "ledger" in name} == set()
    assert world.old["old-ledger"].state() == "running"
