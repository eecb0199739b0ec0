"""Assessing 10,000 servers with 30 days of 5-minute samples: `python -m benchmarks.assessment [SERVERS]`.

Facts and series are made up, stored in a fresh SQLite database by the product's own store, and then assessed in a process of
its own that does what `kasumi assess -o FILE` does, so that its time and memory are those of the verb. The bar: 60 s, 1 GB.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np

from controlplane.execution.assessing import make_assessment
from controlplane.model.assessment import SizingPolicy
from controlplane.model.document import assessment_to_json
from controlplane.model.estate import Access, Disposition, Estate, LibvirtSource, Ministry, Network, Server, System
from controlplane.model.facts import Answer, Fact, ServerFacts, Source, Value
from controlplane.model.resources import Resources
from controlplane.model.series import Dimension, Series
from controlplane.settings import Settings
from controlplane.store import Store, open_store

AS_OF = date(2026, 6, 1)
START = datetime(2026, 5, 2, 15, tzinfo=UTC)
SAMPLES = 30 * 288
MINISTRIES, SERVERS_OF_A_SYSTEM, PACKAGES = 22, 8, 200
BATCH = 50


def made_estate(servers: int) -> Estate:
    systems = max(1, servers // SERVERS_OF_A_SYSTEM)
    return Estate(
        id="scale",
        name="規模",
        access=Access(),
        ministries={f"min{number}": Ministry(id=f"min{number}", name="府省", name_en="Ministry") for number in range(MINISTRIES)},
        systems={
            f"s{number}": System(
                id=f"s{number}", ministry=f"min{number % MINISTRIES}", name=f"情報システム{number}", name_en=f"System {number}",
                study_class=1 + number % 4, confidentiality=2,
            )
            for number in range(systems)
        },
        servers={server.id: server for server in (_server(number, systems) for number in range(servers))},
        machines={},
        sites={},
        hosts={},
        networks={"wan": Network(id="wan", cidr="10.0.0.0/8", confidentiality=2)},
        images={},
        tiers={},
    )  # fmt: skip


def _address(number: int) -> str:
    return f"10.{number >> 14 & 255}.{number >> 7 & 127}.{(number & 127) + 1}"


def _server(number: int, systems: int) -> Server:
    return Server(
        id=f"sv{number:05}", system=f"s{number % systems}", kind="physical", size=Resources(vcpus=8, memory_mib=16384, disk_gib=300),
        disposition=Disposition.REHOST, os="rhel-7", address=_address(number), network="wan", mac="52:54:00:00:00:01",
        source=LibvirtSource(uri="qemu+ssh://old/system", domain=f"sv{number}"),
    )  # fmt: skip


def _facts(number: int, servers: int) -> ServerFacts:
    def talk(other: int, port: int) -> Value:
        return {
            "protocol": "tcp", "local_address": _address(number), "local_port": 40000, "remote_address": _address(other % servers),
            "remote_port": port, "process": "java", "direction": "out",
        }  # fmt: skip

    values: dict[str, Value] = {
        "os.family": "linux", "os.id": "rhel", "os.version": "7.9", "os.architecture": "x86_64", "boot.mode": "bios",
        "boot.uptime_seconds": 1_000_000 + number * 5_000, "hardware.virtualisation": "none", "hardware.usb": [],
        "cpu.model": "Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", "cpu.count": 8, "cpu.mhz": 2400,
        "memory.total_mib": 16000 if number % 50 else 8000, "disks.total_gib": 300,
        "addresses": [{"interface": "eth0", "address": _address(number), "prefix_length": 25, "mac": ""}],
        "disks": [{"name": "sda", "size_gib": 300, "kind": "disk", "transport": "sas", "read_only": False}],
        "filesystems": [
            {"mount": mount, "device": "/dev/sda1", "type": "xfs", "size_mib": 100_000, "used_mib": 20_000, "encrypted": False}
            for mount in ("/", "/var", "/home")
        ],
        "connections": [talk(number + step, port) for step, port in ((1, 5432), (7, 8009), (400, 53), (401, 25))],
        "listeners": [{"protocol": "tcp", "address": "*", "port": port, "process": name} for port, name in ((22, "sshd"), (8009, "java"))],
        "packages": [{"name": f"package-{index}", "version": "1.2.3-4.el7"} for index in range(PACKAGES)],
        "ntp.servers": ["ntp1"], "ntp.offset_seconds": 0.01, "multicast": [], "certificates": [], "databases": [], "licences": [],
        "cluster": [], "backup": [], "mounts.remote": [], "hard_coded_addresses": [],
    }  # fmt: skip
    at = datetime(2026, 6, 1, tzinfo=UTC)
    facts = tuple(
        Fact(field=name, value=value, source=Source.SSH, observed_at=at, confidence=0.95, by="probe")
        for name, value in values.items()
    )
    return ServerFacts(
        server=f"sv{number:05}", source=Source.SSH, collected_at=at, duration_seconds=1.0, answer=Answer.ANSWERED, facts=facts
    )


def _series(number: int, random: np.random.Generator) -> Iterator[Series]:
    """A working day of its own phase and size, with noise; a tenth of the samples of every fifth server is missing."""
    hours = (np.arange(SAMPLES) / 12 + 9 + number % 7) % 24
    busy = np.where((hours > 8) & (hours < 19), 1.0, 0.15) * random.gamma(8, 1 / 8, SAMPLES)
    levels = {
        Dimension.CPU_CORES: busy * (0.5 + number % 6),
        Dimension.MEMORY_USED_MIB: 6000 + 300 * busy,
        Dimension.DISK_USED_MIB: np.linspace(50_000, 51_000 + number % 3000, SAMPLES),
        Dimension.DISK_OPERATIONS_PER_SECOND: busy * 80,
        Dimension.DISK_BYTES_PER_SECOND: busy * 2e6,
        Dimension.NETWORK_BYTES_PER_SECOND: busy * 5e5,
    }
    missing = random.random(SAMPLES) < (0.1 if number % 5 == 0 else 0)
    for dimension, values in levels.items():
        yield Series(
            server=f"sv{number:05}", dimension=dimension, source=Source.SSH, started_at=START, step_seconds=300,
            values=np.where(missing, np.nan, values).astype(np.float32),
        )  # fmt: skip


def fill(store: Store, servers: int) -> None:
    """Store facts and series of all servers."""
    random = np.random.default_rng(1)
    for first in range(0, servers, BATCH):
        numbers = range(first, min(first + BATCH, servers))
        store.facts.record("scale", [_facts(number, servers) for number in numbers])
        store.series.append("scale", [one for number in numbers for one in _series(number, random)])


def open_in(folder: Path) -> Store:
    return open_store(Settings(home=folder, database_url=f"sqlite:///{folder}/kasumi.db", inventory=folder))


def assess_in(folder: Path, servers: int) -> None:
    """What the measured process does; prints what it took."""
    store = open_in(folder)
    estate = made_estate(servers)
    began, cpu = time.perf_counter(), time.process_time()
    made = make_assessment(estate, store, policy=SizingPolicy(), as_of=AS_OF, rules=None)
    text = assessment_to_json(made)
    (folder / "assessment.json").write_text(text, encoding="utf-8")
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    measured = sum(1 for server in made.servers if server.size.stars >= 4)
    assert measured == servers, f"{servers - measured} servers were not measured"
    assert any(server.waits_for for server in made.servers), "no planted contradiction was found"
    print(
        json.dumps(
            {
                "servers": servers,
                "seconds": round(seconds, 1),
                "cpu_seconds": round(cpu_seconds, 1),
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                "document_mib": len(text.encode()) >> 20,
            }
        )
    )


def main() -> None:
    servers = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory(prefix="kasumi-bench-") as name:
        folder = Path(name)
        store = open_in(folder)
        began = time.perf_counter()
        fill(store, servers)
        samples = servers * len(Dimension) * SAMPLES
        stored = store.series.stored_bytes("scale")
        print(
            f"stored {samples / 1e6:.0f} million samples in {stored / 1e6:.0f} MB: {stored / samples:.2f} bytes a sample, "
            f"in {time.perf_counter() - began:.0f} s",
            flush=True,
        )
        store.close()
        script = f"from pathlib import Path; from benchmarks.assessment import assess_in; assess_in(Path({name!r}), {servers})"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        print(done.stdout.strip())
        print("bar: 60 s and 1 GB (1,000 MB) for 10,000 servers", flush=True)


if __name__ == "__main__":
    main()
