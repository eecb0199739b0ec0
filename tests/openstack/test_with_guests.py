"""A server that is a real guest, under Nova's libvirt driver: planned, made and configured as any machine, and moved alive."""

import json
import secrets
import subprocess
from hashlib import sha256

import pytest

from controlplane.model.cloud import cloud_pool
from controlplane.providers.openstack_cloud import Cloud
from lab import image
from lab.openstack import layout, lifecycle
from tests.openstack.openstack_hand import HOST, OpenStackHand
from tests.openstack.world import KASUMI, World

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(2400)]

INVENTORY = """
hypervisors:
  hosts:
    cloud-1:
      kasumi_host:
        uri: openstack://{cloud}/{zone}
        site: east
        rack: r1
        power_feed: a
        capacity: {{vcpus: 1, memory: 1GiB, disk: 8GiB}}
        confidentiality: [2]
        networks: {{mof: ''}}
ministry_mof:
  vars:
    kasumi_ministry: {{name: 財務省, name_en: Ministry of Finance}}
  children:
    system_ledger:
      vars:
        kasumi_system:
          name: 台帳
          name_en: Ledger
          study_class: 2
          confidentiality: 2
          tier: standard
          machines: {{real-1: {{size: {{vcpus: 1, memory: 512MiB, disk: 4GiB}}, image: debian-12, network: mof}}}}
"""
ESTATE = """
kasumi_estate:
  id: {estate}
  name: 雲
  access: {{user: kasumi, identity_file: {key}, authorized_key_files: [{key}.pub]}}
kasumi_tiers: {{standard: {{host_failures: 0}}}}
kasumi_sites: {{east: {{name: 東}}}}
kasumi_networks: {{mof: {{cidr: 10.78.40.0/24, gateway: 10.78.40.1, confidentiality: 2, ministry: mof}}}}
kasumi_images: {{debian-12: {{file: {image}, format: qcow2, os: debian-12, sha256: "{digest}"}}}}
"""


@pytest.fixture
def guests(running_cloud):
    """The cloud with the hosts of real guests, which go with the reset."""
    try:
        subprocess.run([KASUMI, "lab", "up", "--guests"], check=True)
        yield running_cloud
    finally:
        lifecycle.reset()


@pytest.fixture
def world(guests, tmp_path, monkeypatch):
    """An inventory with one machine for those hosts, and an administrator, who may empty one."""
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(guests.clouds_yaml))
    file = image.ensure_cache() / image.IMAGE
    digest = sha256(file.read_bytes()).hexdigest()
    key = tmp_path / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "kasumi", "-f", str(key)], check=True)
    estate = f"guests-{secrets.token_hex(2)}"
    shared = tmp_path / "inventory" / "group_vars" / "all"
    shared.mkdir(parents=True)
    hosts = INVENTORY.format(cloud=guests.admin, zone=layout.GUEST_ZONE)
    (tmp_path / "inventory" / "hosts.yml").write_text(hosts, encoding="utf-8")
    text = ESTATE.format(estate=estate, image=file, digest=digest, key=key)
    (shared / "estate.yml").write_text(text, encoding="utf-8")
    hand = OpenStackHand(Cloud(cloud_pool(f"openstack://{guests.admin}")), estate, ("kasumi-mof",))
    return World(folder=tmp_path, estate=estate, clouds_yaml=guests.clouds_yaml, hand=hand)


def test_a_real_guest_is_made_and_configured_and_moves_alive(world):
    world.kasumi("plan", "-o", world.plan)
    world.kasumi("apply", world.plan)
    assert world.made() == {"server real-1 ACTIVE", "port kasumi-real-1"}
    world.kasumi("configure", "real-1", "--wait", "1200")
    before, boot = world.hand.server("real-1"), boot_id(world)

    world.hand.change_service(before[HOST], status="disabled")
    try:
        assert "1 moved, 0 of ours left there" in world.kasumi("drain", "cloud-1", "--hypervisor", before[HOST], "--yes").stderr
    finally:
        world.hand.change_service(before[HOST], status="enabled")
    after = world.hand.server("real-1")
    assert {before[HOST], after[HOST]} == {host.name for host in layout.GUEST_HOSTS}
    assert (after["id"], after["status"], after["metadata"]) == (before["id"], "ACTIVE", before["metadata"])
    assert boot_id(world) == boot
    assert "reconcile: nothing to do" in world.kasumi("reconcile", "--once").stderr
    second = json.loads(world.kasumi("configure", "real-1", "-o", "json").stdout)
    (rows,) = (value for value in second.values() if isinstance(value, list))
    assert [(row["machine"], row["changed"]) for row in rows] == [("real-1", 0)]


def boot_id(world):
    """What the guest's kernel calls this boot, over ssh at its address."""
    (port,) = world.hand.ports(device_id=world.hand.server("real-1")["id"])
    address = port["fixed_ips"][0]["ip_address"]
    known = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=60"]
    login = ["ssh", "-i", str(world.folder / "id_ed25519"), *known, "-o", "BatchMode=yes", f"kasumi@{address}"]
    return subprocess.run([*login, "cat /proc/sys/kernel/random/boot_id"], check=True, capture_output=True, text=True).stdout
