"""A domain with two disks that somebody made on a real hypervisor comes under management, is kept, and is let go of; it never stops."""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from controlplane.providers.libvirt_connection import Connection
from lab import layout
from tests.providers.libvirt_hand import LibvirtHand

pytestmark = [pytest.mark.lab, pytest.mark.slow]

KASUMI = str(Path(sys.executable).with_name("kasumi"))
URI = f"qemu+ssh://root@{layout.shared_host(1).address}/system"
SSH = layout.ssh_home()
MAC = "52:54:00:ad:09:7e"
DOMAIN = "before-us"
INVENTORY = """
hypervisors:
  hosts:
    hv1:
      kasumi_host:
        uri: {uri}
        site: east
        rack: r1
        power_feed: a
        capacity: {{vcpus: 8, memory: 8GiB, disk: 20GiB}}
        confidentiality: [1, 2]
        networks: {{shared: br-shared}}
        pool: {{name: {pool}, path: /var/lib/libvirt/{pool}}}
ministry_mof:
  vars:
    kasumi_ministry: {{name: 財務省, name_en: Ministry of Finance}}
  children:
    system_mail:
      vars:
        kasumi_system: {{name: 電子メール, name_en: Mail, study_class: 2, confidentiality: 2}}
      hosts:
        mof-mail:
          kasumi_server:
            kind: virtual
            size: {{vcpus: 1, memory: 64MiB, disk: 3GiB}}
            disposition: rehost
            network: shared
            address: 10.77.10.250
            mac: {mac}
            source: {{uri: "{uri}", domain: {domain}}}
"""
SHARED = """
kasumi_estate:
  id: {estate}
  name: 引継
  access: {{identity_file: {ssh}/id_ed25519, authorized_key_files: [{ssh}/id_ed25519.pub], ssh_config: {ssh}/config}}
kasumi_tiers: {{standard: {{host_failures: 0}}}}
kasumi_sites: {{east: {{name: 東}}}}
kasumi_networks: {{shared: {{cidr: 10.77.10.0/24, gateway: 10.77.10.1, confidentiality: 2}}}}
"""


@pytest.fixture(scope="module")
def world(running_lab, tmp_path_factory):
    """A controller whose inventory has hv1, and there a running domain that is not ours."""
    folder = tmp_path_factory.mktemp("adopt")
    estate = f"adopt-{secrets.token_hex(3)}"
    (folder / "inventory" / "group_vars" / "all").mkdir(parents=True)
    hosts = folder / "inventory" / "hosts.yml"
    hosts.write_text(INVENTORY.format(uri=URI, pool=estate, mac=MAC, domain=DOMAIN), encoding="utf-8")
    shared = folder / "inventory" / "group_vars" / "all" / "estate.yml"
    shared.write_text(SHARED.format(estate=estate, ssh=SSH), encoding="utf-8")
    environment = os.environ | {"KASUMI_HOME": str(folder / "home"), "KASUMI_INVENTORY": str(folder / "inventory")}

    def kasumi(*words, code=0):
        done = subprocess.run([KASUMI, *words], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, f"kasumi {words} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    connection = Connection(URI, ssh_config=str(SSH / "config"))
    hand = LibvirtHand(connection, estate)
    before = hand.networks()
    hand.make_pool(f"/var/lib/libvirt/{estate}")
    try:
        hand.make_running(DOMAIN, MAC, bridge="br-shared", memory_mib=64, disks=("vda", "vdb"))
        hand.set_autostart(DOMAIN, autostart=True)
        yield SimpleNamespace(kasumi=kasumi, hand=hand, inventory=hosts, plan=str(folder / "plan.json"))
    finally:
        hand.remove_running(DOMAIN)
        for network in hand.networks() - before:
            hand.remove_network(network)
        hand.remove_pool()
        connection.close()


def state(world):
    return world.hand.without_mark(DOMAIN), world.hand.boots(DOMAIN)


def edit(world, old, new):
    text = world.inventory.read_text(encoding="utf-8")
    assert old in text
    world.inventory.write_text(text.replace(old, new), encoding="utf-8")


def test_from_foreign_to_kept_and_back(world):
    before = state(world)
    told = " ".join(world.kasumi("plan", "-o", world.plan).stdout.split())
    assert "server mof-mail: stands on shared host" in told
    assert "is not adopted" in told

    shown = json.loads(world.kasumi("adopt", "hv1", "--dry-run", "-o", "json").stdout)
    assert [(row["machine"], row["found"], row["adopted"]) for row in shown["machines"]] == [("mof-mail", DOMAIN, False)]
    assert [(row["what"], row["wanted"], row["found"]) for row in shown["differences"]] == [("disk GiB", "3", "2")]
    assert "not confirmed, nothing was changed" in world.kasumi("adopt", "hv1", code=5).stderr
    assert (state(world), world.hand.is_marked(DOMAIN)) == (before, False)

    edit(world, "disk: 3GiB", "disk: 2GiB")  # that of both its disks
    shown = world.kasumi("adopt", "hv1", "mof-mail", "--yes")
    assert "differs" not in shown.stderr
    assert "1 adopted" in shown.stderr
    assert (state(world), world.hand.is_marked(DOMAIN)) == (before, True)
    assert "1 already ours" in world.kasumi("adopt", "hv1").stderr
    world.kasumi("adopt", "hv1", "mof-mail", "--release")
    assert (state(world), world.hand.is_marked(DOMAIN)) == (before, False)
    world.kasumi("adopt", "hv1", "--yes")

    world.kasumi("plan", "-o", world.plan)
    world.kasumi("apply", world.plan)
    assert "reconcile: nothing to do" in world.kasumi("reconcile", "--once").stderr
    assert state(world) == before
    refused = world.kasumi("adopt", "hv1", "mof-mail", "--release", code=5).stderr
    assert "the accepted plan has it" in refused

    world.hand.power_off(DOMAIN)
    assert "1 done" in world.kasumi("reconcile", "--once").stderr
    started = state(world)
    assert started[1] > before[1]

    edit(world, "disposition: rehost", "disposition: retain")
    world.kasumi("plan", "-o", world.plan)
    assert "lets go of adopted machines, which run on without our mark" in world.kasumi("apply", world.plan, code=5).stderr
    world.kasumi("apply", world.plan, "--yes")
    assert (state(world), world.hand.is_marked(DOMAIN)) == (started, False)
    assert "apply: nothing to do" in world.kasumi("apply", world.plan, "--yes").stderr
    actions = [row["action"] for row in json.loads(world.kasumi("evidence", "-o", "json").stdout)["evidence"]]
    assert {"adopt:intent", "adopt:done", "release:intent", "release:done"} <= set(actions)
