"""`kasumi apply` of 20 machines against plain `virsh define` and `start` in a loop, and against `virt-install --import`."""

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.thousand import socket_uri, virsh
from benchmarks.timing import report
from lab import layout, lifecycle

COUNT = 20
KASUMI = str(Path(sys.executable).with_name("kasumi"))
POOL = "/var/lib/libvirt/kasumi-bench"
ROUNDS = 2

INVENTORY = """
kasumi_estate: {{id: bench, name: bench}}
kasumi_tiers: {{standard: {{host_failures: 0}}}}
kasumi_sites: {{east: {{name: east}}}}
kasumi_networks: {{shared: {{cidr: 192.0.2.0/24, gateway: 192.0.2.1, confidentiality: 1}}}}
kasumi_images: {{blank: {{file: {image}, format: qcow2, os: none}}}}
"""
HOST = """
hypervisors:
  hosts:
    hv1:
      kasumi_host:
        uri: "{uri}"
        site: east
        rack: r1
        power_feed: a
        capacity: {{vcpus: 64, memory: 8GiB, disk: 100GiB}}
        overcommit: {{vcpus: 32, memory: 4}}
        confidentiality: [1]
        networks: {{shared: br-shared}}
        pool: {{name: kasumi-bench, path: {pool}}}
"""
SYSTEM = """
ministry_bench:
  vars: {kasumi_ministry: {name: bench, name_en: bench}}
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


def main() -> None:
    """Print both ratios; everything made is removed."""
    lifecycle.up()
    with tempfile.TemporaryDirectory(prefix="kasumi-bench-") as name:
        folder = Path(name)
        environment = _write_inventory(folder)
        _kasumi(environment, "plan", "-o", str(folder / "plan.json"))
        ours, raw, installed = float("inf"), float("inf"), float("inf")
        for _ in range(ROUNDS):
            ours = min(ours, _timed(lambda: _kasumi(environment, "apply", str(folder / "plan.json"))))
            xmls = _definitions(folder)
            _remove_domains()
            raw = min(raw, _timed(partial(_raw, xmls)))
            _remove_domains()
            installed = min(installed, _timed(_virt_install))
            _remove_domains()
            _remove_disks_and_network()
        report(
            f"kasumi apply of {COUNT} machines, disks and seeds included",
            ours,
            "virsh define and start, disks ready",
            raw,
            "at most 1.3",
        )
        report(
            f"kasumi apply of {COUNT} machines, disks and seeds included",
            ours,
            "virt-install --import, disks ready",
            installed,
            "none",
        )


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _kasumi(environment: dict[str, str], *arguments: str) -> None:
    subprocess.run([KASUMI, *arguments], env=environment, check=True, capture_output=True)


def _write_inventory(folder: Path) -> dict[str, str]:
    image = folder / "blank.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(image), "1G"], check=True)
    (folder / "blank.qcow2.sha256").write_text(hashlib.sha256(image.read_bytes()).hexdigest())
    variables = folder / "inventory" / "group_vars" / "all"
    variables.mkdir(parents=True)
    (variables / "estate.yml").write_text(INVENTORY.format(image=image))
    (folder / "inventory" / "hosts.yml").write_text(HOST.format(uri=socket_uri(), pool=POOL))
    lines = "".join(
        f"            bench-{number:02d}: {{size: {{vcpus: 1, memory: 64MiB, disk: 1GiB}}, image: blank, network: shared}}\n"
        for number in range(COUNT)
    )
    (folder / "inventory" / "bench.yml").write_text(SYSTEM + lines)
    return os.environ | {"KASUMI_HOME": str(folder / "home"), "KASUMI_INVENTORY": str(folder / "inventory")}


def _definitions(folder: Path) -> list[Path]:
    """The very definitions kasumi made; their disks stay in place: what is left to the loop is define and start."""
    files = []
    for number in range(COUNT):
        file = folder / f"bench-{number:02d}.xml"
        file.write_text(virsh("dumpxml", "--inactive", f"bench-{number:02d}"))
        files.append(file)
    return files


def _raw(files: list[Path]) -> None:
    for file in files:
        subprocess.run(["virsh", "-q", "-c", socket_uri(), "define", str(file)], check=True, capture_output=True)
        subprocess.run(["virsh", "-q", "-c", socket_uri(), "start", file.stem], check=True, capture_output=True)


def _virt_install() -> None:
    root = layout.host_home(layout.hosts(2)[0])
    if not root.is_dir():
        raise AssertionError(f"no lab host at {root}")
    for number in range(COUNT):
        name = f"bench-{number:02d}"
        command = ["virt-install", "--connect", socket_uri(), "--import", "--name", name, "--memory", "64", "--vcpus", "1"]
        command += ["--disk", f"vol=kasumi-bench/{name}.qcow2", "--network", "network=kasumi-shared", "--graphics", "none"]
        command += ["--noautoconsole", "--osinfo", "generic", "--virt-type", "qemu"]
        subprocess.run(command, check=True, capture_output=True)


def _remove_domains() -> None:
    for name in virsh("list", "--name").split():
        if name.startswith("bench-"):
            virsh("destroy", name)
    for name in virsh("list", "--all", "--name").split():
        if name.startswith("bench-"):
            virsh("undefine", name)


def _remove_disks_and_network() -> None:
    for line in virsh("vol-list", "kasumi-bench").splitlines():
        virsh("vol-delete", "--pool", "kasumi-bench", line.split()[0])
    virsh("pool-destroy", "kasumi-bench")
    virsh("pool-undefine", "kasumi-bench")
    virsh("net-destroy", "kasumi-shared")
    virsh("net-undefine", "kasumi-shared")


if __name__ == "__main__":
    main()
