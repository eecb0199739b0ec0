"""`kasumi apply` of servers on the lab's OpenStack against a plain openstacksdk loop with as many threads, in turn in one run.

The loop makes what apply makes (a port with its address, a server with config drive) and waits for each as openstacksdk does, a
look each second; it keeps no record, marks nothing and looks for nothing first. Then what a reconcile that finds nothing to do
asks of the cloud. `python -m benchmarks.cloud_apply [COUNT]`; both times stand side by side, with what is left to say about them.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openstack
from openstack.connection import Connection

from benchmarks.timing import report
from controlplane.execution.converge import Permissions
from controlplane.execution.observe import HostTarget
from controlplane.model.estate import StoragePool
from lab.openstack import layout, lifecycle

KASUMI = str(Path(sys.executable).with_name("kasumi"))
THREADS = Permissions().machines_per_host
ROUNDS = 2
_INVENTORY = """
hypervisors:
  hosts:
    cloud-1:
      kasumi_host:
        uri: openstack://{cloud}
        site: east
        rack: r1
        power_feed: a
        capacity: {{vcpus: 1000, memory: 1000GiB, disk: 10TiB}}
        confidentiality: [1]
        networks: {{bench: ""}}
ministry_bench:
  vars: {{kasumi_ministry: {{name: bench, name_en: bench}}}}
  children:
    system_bench:
      vars:
        kasumi_system:
          name: bench
          name_en: bench
          study_class: 1
          confidentiality: 1
          machines:
"""
_SHARED = """
kasumi_estate: {{id: bench, name: bench}}
kasumi_tiers: {{standard: {{host_failures: 0}}}}
kasumi_sites: {{east: {{name: east}}}}
kasumi_networks: {{bench: {{cidr: 10.90.0.0/16, reserved: [10.90.128.0-10.90.255.254], confidentiality: 1}}}}
kasumi_images: {{blank: {{file: {image}, format: qcow2, os: none, sha256: "{digest}"}}}}
"""


def main() -> None:
    """Print the ratio and the requests; everything made is removed."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    lifecycle.up()
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(layout.clouds_yaml())
    with (
        openstack.connect(cloud=layout.ADMIN_CLOUD) as admin,
        openstack.connect(cloud=layout.MEMBER_CLOUD) as cloud,
        tempfile.TemporaryDirectory(prefix="kasumi-bench-") as name,
    ):
        project = str(cloud.current_project_id)
        admin.set_compute_quotas(project, instances=2 * count + 10, cores=2 * count + 10, ram=1024 * (2 * count + 10))
        environment = _write_inventory(Path(name), count)
        plan = str(Path(name) / "plan.json")
        try:
            _kasumi(environment, "plan", "-o", plan)
            ours, raw = [], []
            for _ in range(ROUNDS):
                ours.append(_timed(lambda: _kasumi(environment, "apply", plan)))
                _requests(environment)
                _remove_servers(cloud)
                raw.append(_timed(lambda: _loop(cloud, count)))
                _remove_servers(cloud)
            report(f"kasumi apply of {count} servers", min(ours), "openstacksdk loop", min(raw), "at most 1.25")
        finally:
            _remove_all(cloud)
            admin.delete_compute_quotas(project)


def _requests(environment: dict[str, str]) -> None:
    """What a look asks of the cloud while all servers are there."""
    done = _kasumi(environment, "reconcile", "--once")
    if "nothing to do" not in done.stderr:
        raise AssertionError(done.stderr)
    pool = StoragePool(name="none", path="/none")
    provider = HostTarget(id="cloud-1", uri=f"openstack://{layout.MEMBER_CLOUD}", pool=pool, estate="bench").open()
    look = provider.observe()
    provider.close()
    asked = ", ".join(f"{use.service} {use.requests}" for use in look.api_use)
    print(f"a look at {len(look.machines)} servers: {look.duration_seconds:.2f} s, requests: {asked}", flush=True)


def _loop(cloud: Connection, count: int) -> None:
    network, flavor = (
        cloud.network.find_network("kasumi-bench", ignore_missing=False),
        cloud.compute.find_flavor("m1.tiny", ignore_missing=False),
    )
    image = next(each for each in cloud.image.images() if each.name.startswith("kasumi-"))

    def one(number: int) -> None:
        address = f"10.90.{128 + number // 250}.{number % 250 + 1}"
        port = cloud.network.create_port(network_id=network.id, name=f"raw-{number}", fixed_ips=[{"ip_address": address}])
        server: Any = cloud.compute.create_server(
            name=f"raw-{number}", image_id=image.id, flavor_id=flavor.id, networks=[{"port": port.id}], config_drive=True
        )
        cloud.compute.wait_for_server(server, interval=1, wait=300)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(one, range(count)))


def _remove_servers(cloud: Connection) -> None:
    servers = [each for each in cloud.compute.servers() if each.name.startswith(("raw-", "bench-"))]
    for server in servers:
        cloud.compute.delete_server(server)
    for server in servers:
        cloud.compute.wait_for_delete(server, interval=0.5)
    for port in list(cloud.network.ports()):
        if port.name.startswith(("raw-", "kasumi-bench-")):
            cloud.network.delete_port(port)


def _remove_all(cloud: Connection) -> None:
    _remove_servers(cloud)
    for network in list(cloud.network.networks(name="kasumi-bench")):
        cloud.network.delete_network(network)
    for group in list(cloud.network.security_groups()):
        if group.name.startswith("kasumi-bench-"):
            cloud.network.delete_security_group(group)
    for image in list(cloud.image.images()):
        if image.name.startswith("kasumi-"):
            cloud.image.delete_image(image.id)


def _timed(act: Any) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _kasumi(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([KASUMI, *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"kasumi {' '.join(arguments)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def _write_inventory(folder: Path, count: int) -> dict[str, str]:
    image = folder / "blank.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(image), "64M"], check=True)
    variables = folder / "inventory" / "group_vars" / "all"
    variables.mkdir(parents=True)
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    (variables / "estate.yml").write_text(_SHARED.format(image=image, digest=digest), encoding="utf-8")
    lines = "".join(
        f"            bench-{number:03d}: {{size: {{vcpus: 1, memory: 512MiB, disk: 1GiB}}, image: blank, network: bench}}\n"
        for number in range(count)
    )
    (folder / "inventory" / "hosts.yml").write_text(_INVENTORY.format(cloud=layout.MEMBER_CLOUD) + lines, encoding="utf-8")
    return os.environ | {"KASUMI_HOME": str(folder / "home"), "KASUMI_INVENTORY": str(folder / "inventory")}


if __name__ == "__main__":
    main()
