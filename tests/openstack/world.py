"""One controller, an inventory of two pools of the lab's cloud, and the cloud as its administrator sees it."""

import os
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from controlplane.model.cloud import cloud_pool
from controlplane.providers.openstack_cloud import Cloud
from controlplane.providers.openstack_mark import ESTATE
from tests.openstack.openstack_hand import OpenStackHand

KASUMI = str(Path(sys.executable).with_name("kasumi"))

_INVENTORY = """
hypervisors:
  hosts:
    cloud-1: {{kasumi_host: &host {{uri: "openstack://{cloud}/az1", site: east, rack: r1, power_feed: a, {rest}}}}}
    cloud-2: {{kasumi_host: {{<<: *host, uri: "openstack://{cloud}/az2", rack: r2}}}}
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
          machines:
            ledger-1: &ledger
              size: {{vcpus: 1, memory: 512MiB, disk: 1GiB}}
              image: empty
              network: mof
              replica_group: ledger
              services: [{{name: web, port: 443}}]
            ledger-2: *ledger
            ledger-db: {{size: {{vcpus: 1, memory: 700MiB, disk: 1GiB}}, image: empty, network: mof}}
"""
_REST = "capacity: {vcpus: 8, memory: 16GiB, disk: 100GiB}, confidentiality: [1, 2], networks: {mof: ''}"
_SHARED = """
kasumi_estate: {{id: {estate}, name: 雲}}
kasumi_tiers: {{standard: {{host_failures: 0}}}}
kasumi_sites: {{east: {{name: 東}}}}
kasumi_networks: {{mof: {{cidr: 10.77.20.0/24, gateway: 10.77.20.1, confidentiality: 2, ministry: mof}}}}
kasumi_images: {{empty: {{file: {image}, format: qcow2, os: none, sha256: "{digest}"}}}}
"""


@dataclass(frozen=True, kw_only=True)
class World:
    """What a person at a terminal has, and `hand`, who changes things past them."""

    folder: Path
    estate: str
    clouds_yaml: Path
    hand: OpenStackHand

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "KASUMI_HOME": str(self.folder / "home"),
            "KASUMI_INVENTORY": str(self.folder / "inventory"),
            "OS_CLIENT_CONFIG_FILE": str(self.clouds_yaml),
        }

    @property
    def plan(self) -> str:
        return str(self.folder / "plan.json")

    def kasumi(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run the command and insist on its exit code."""
        done = self.run(*arguments)
        assert done.returncode == code, f"kasumi {arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command, however it ends."""
        return subprocess.run([KASUMI, *arguments], env=self.environment, capture_output=True, text=True, check=False)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Run the command beside us."""
        return subprocess.Popen([KASUMI, *arguments], env=self.environment, stderr=subprocess.PIPE, text=True)

    def edit(self, file: str, old: str, new: str) -> None:
        """Change the inventory."""
        path = self.folder / "inventory" / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def ours(self) -> list[dict]:
        """The servers with our estate's mark."""
        return [server for server in self.hand.servers() if server["metadata"].get(ESTATE) == self.estate]

    def made(self) -> set[str]:
        """Servers and ports, so that what is there twice or is left over shows."""
        servers = [f"server {s['name']} {s['status']}" for s in self.ours()]
        ports = [f"port {p['name']}" for p in self.hand.ports() if f"kasumi machine {self.estate}/" in p["description"]]
        assert len(servers) == len(set(servers)), servers
        assert len(ports) == len(set(ports)), ports
        return {*servers, *ports}


def make_world(folder: Path, estate: str, clouds_yaml: Path, cloud: str, admin: str) -> World:
    """Write inventory and image."""
    image = folder / "empty.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(image), "64M"], check=True)
    inventory = folder / "inventory"
    (inventory / "group_vars" / "all").mkdir(parents=True)
    (inventory / "hosts.yml").write_text(_INVENTORY.format(cloud=cloud, rest=_REST), encoding="utf-8")
    shared = _SHARED.format(estate=estate, image=image, digest=sha256(image.read_bytes()).hexdigest())
    (inventory / "group_vars" / "all" / "estate.yml").write_text(shared, encoding="utf-8")
    member, administrator = (Cloud(cloud_pool(f"openstack://{name}")) for name in (cloud, admin))
    hand = OpenStackHand(member, estate, ("kasumi-mof",), administrator)
    return World(folder=folder, estate=estate, clouds_yaml=clouds_yaml, hand=hand)


def clear(world: World) -> None:
    """Remove everything the estate made."""
    for server in world.ours():
        world.hand.cloud.delete("compute", f"/servers/{server['id']}")
    for server in world.ours():
        world.hand.until(lambda server=server: world.hand.cloud.find("compute", f"/servers/{server['id']}") is None)
    world.hand.remove_network("kasumi-mof")
    world.hand.remove_groups()
    for group in world.hand.cloud.every("compute", "/os-server-groups", "server_groups"):
        if group["name"].startswith(f"kasumi-{world.estate}-"):
            world.hand.cloud.delete("compute", f"/os-server-groups/{group['id']}")
    for image in world.hand.cloud.every("image", "/images", "images", owner=world.hand.cloud.project_id):
        if image["name"].startswith("kasumi-"):
            world.hand.cloud.delete("image", f"/images/{image['id']}")
