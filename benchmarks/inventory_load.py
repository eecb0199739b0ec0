"""Reading and checking a large inventory: `python -m benchmarks.inventory_load [SYSTEMS SERVERS]` (default 2000 10000).

The measure beside it is PyYAML's C parser alone over the same files, `yaml.compose(…, CSafeLoader)`: the least that anything
built on it can take. Each is run three times in turn and the fastest counts; garbage of one run is not paid by the next.
"""

import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from controlplane.inventory import load

MINISTRIES = 20
RUNS = 3
BAR_SECONDS = 5.0

_SHARED = """\
kasumi_estate: {id: large, name: 大規模}
kasumi_tiers: {standard: {host_failures: 0}, high: {host_failures: 1, spread_over: rack}}
kasumi_sites: {east: {name: 東}, west: {name: 西}}
kasumi_images: {debian-12: {file: /srv/debian-12.qcow2, format: qcow2, os: debian-12}}
kasumi_networks:
"""
_DISPOSITIONS = (
    "disposition: retire\n            reason: no user for a year",
    "disposition: retain\n            reason: its contract ends next year",
    "disposition: merge\n            into: {system}-app-1\n            reason: the shared application takes over",
    "disposition: replatform\n            image: debian-12\n            roles: [nginx]\n            reason: its system is out of support",
    "disposition: rehost\n            reason: moves as it is",
)


def write_inventory(directory: Path, systems: int, servers: int) -> None:
    """Write a valid inventory of this size, a file for each ministry."""
    shared = directory / "group_vars" / "all"
    shared.mkdir(parents=True)
    networks = "".join(
        f"  m{n}: {{cidr: 10.{n}.0.0/16, gateway: 10.{n}.0.1, vlan: {100 + n}, confidentiality: 2, ministry: m{n}, "
        f"reserved: [10.{n}.0.2-10.{n}.0.20]}}\n"
        for n in range(MINISTRIES)
    )
    (shared / "estate.yml").write_text(_SHARED + networks, encoding="utf-8")
    (directory / "10-hosts.yml").write_text(_hosts(100), encoding="utf-8")
    per_system = [servers // systems + (n < servers % systems) for n in range(systems)]
    for ministry in range(MINISTRIES):
        text = [
            (
                f"ministry_m{ministry}:\n  vars:\n    kasumi_ministry: {{name: 府省{ministry}, name_en: Ministry {ministry}}}\n"
                "  children:\n"
            )
        ]
        address = 300
        for number in range(ministry, systems, MINISTRIES):
            text.append(_system(f"s{number}", ministry))
            for place in range(per_system[number]):
                address += 1
                text.append(_server(f"s{number}-{place}", f"s{number}", ministry, place, address))
        (directory / f"20-m{ministry}.yml").write_text("".join(text), encoding="utf-8")


def _hosts(count: int) -> str:
    carried = ", ".join(f"m{n}: br-m{n}" for n in range(MINISTRIES))
    hosts = "".join(
        f"    host-{n}:\n      kasumi_host:\n        uri: qemu+ssh://root@host-{n}.example/system\n"
        f"        site: {'east' if n % 2 else 'west'}\n        rack: r{n // 4}\n        power_feed: {'a' if n % 2 else 'b'}\n"
        f"        capacity: {{vcpus: 64, memory: 512GiB, disk: 10TiB}}\n        confidentiality: [1, 2]\n"
        f"        networks: {{{carried}}}\n"
        for n in range(count)
    )
    return f"hypervisors:\n  hosts:\n{hosts}"


def _system(system: str, ministry: int) -> str:
    return (
        f"    system_{system}:\n      vars:\n        kasumi_system:\n          name: 情報システム{system}\n"
        f"          name_en: System {system}\n          study_class: 2\n          confidentiality: 2\n"
        f"          savings: [{{label: 情報網絡, cost_thousand_yen: 1000, cost_fiscal_year: 2013}}]\n"
        f"          machines:\n            {system}-app-1:\n              size: {{vcpus: 2, memory: 4GiB, disk: 40GiB}}\n"
        f"              image: debian-12\n              network: m{ministry}\n              roles: [nginx]\n      hosts:\n"
    )


def _server(server: str, system: str, ministry: int, place: int, address: int) -> str:
    return (
        f"        {server}:\n          ansible_user: root\n          kasumi_server:\n            kind: virtual\n"
        f"            size: {{vcpus: 4, memory: 16GiB, disk: 200GiB}}\n"
        f"            {_DISPOSITIONS[place % len(_DISPOSITIONS)].format(system=system)}\n            os: debian-10\n"
        f"            network: m{ministry}\n            address: 10.{ministry}.{address // 256}.{address % 256}\n"
        f'            mac: "52:54:00:{ministry:02x}:{address // 256:02x}:{address % 256:02x}"\n'
        f"            services: [{{name: ssh, port: 22}}]\n"
    )


def measure(systems: int, servers: int) -> dict[str, float | int]:
    """Seconds of both, their ratio, and what was read."""
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place) / "inventory"
        write_inventory(directory, systems, servers)
        texts = [file.read_text(encoding="utf-8") for file in sorted(directory.rglob("*.yml"))]

        def parse_alone() -> None:
            for text in texts:
                yaml.compose(text, Loader=yaml.CSafeLoader)

        loads, parses = [], []
        for _ in range(RUNS):
            parses.append(_seconds(parse_alone))
            loads.append(_seconds(lambda: load(directory)))
        estate = load(directory)
    assert (len(estate.systems), len(estate.servers)) == (systems, servers)
    return {
        "systems": systems,
        "servers": servers,
        "bytes": sum(len(text.encode()) for text in texts),
        "load_and_check_seconds": round(min(loads), 2),
        "compose_alone_seconds": round(min(parses), 2),
        "ratio": round(min(loads) / min(parses), 2),
        "bar_seconds": BAR_SECONDS,
    }


def _seconds(work: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main(systems: int = 2000, servers: int = 10_000) -> None:
    """Measure and print."""
    print(json.dumps(measure(systems, servers), indent=1))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
