"""Utilisation from a real Prometheus that holds recorded metrics of three exporters."""

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from controlplane.model.series import Dimension
from controlplane.settings import load
from controlplane.store import open_store
from tests.connectors.sshd import free_port
from tests.monitoring.prometheus import running_prometheus

MINUTES = 120
MIB = 1024 * 1024
END = datetime.fromtimestamp(int(datetime.now(UTC).timestamp()) // 300 * 300, UTC) - timedelta(minutes=5)


def recorded() -> str:
    """OpenMetrics: a Linux, a Windows and a guest, each busy in a way that is known; the Linux was silent for half an hour."""
    families: dict[str, list[str]] = {}

    def add(family: str, kind: str, labels: str, value: float, at: int, suffix: str = "") -> None:
        families.setdefault(f"{family} {kind}", []).append(f"{family}{suffix}{{{labels}}} {value} {at}")

    begin = int(END.timestamp()) - MINUTES * 60
    for minute in range(MINUTES + 1):
        at, seconds = begin + minute * 60, minute * 60
        if not 40 <= minute < 70:
            node = 'instance="10.9.0.5:9100"'
            add("node_cpu_seconds", "counter", f'{node},cpu="0",mode="user"', seconds * 0.5, at, "_total")
            add("node_cpu_seconds", "counter", f'{node},cpu="1",mode="system"', seconds * 0.25, at, "_total")
            add("node_cpu_seconds", "counter", f'{node},cpu="1",mode="idle"', seconds * 1.25, at, "_total")
            for name, mib in (
                ("MemTotal", 8000),
                ("MemFree", 1000),
                ("Buffers", 500),
                ("Cached", 3000),
                ("SReclaimable", 250),
                ("Shmem", 100),
            ):
                add(f"node_memory_{name}_bytes", "gauge", node, mib * MIB, at)
            for mount in ("/", "/bind"):
                disk = f'{node},device="/dev/sda1",fstype="ext4",mountpoint="{mount}"'
                add("node_filesystem_size_bytes", "gauge", disk, 40000 * MIB, at)
                add("node_filesystem_free_bytes", "gauge", disk, 10000 * MIB, at)
            for name, rate in (("reads_completed", 3), ("writes_completed", 7), ("read_bytes", 1000), ("written_bytes", 4000)):
                add(f"node_disk_{name}", "counter", f'{node},device="sda"', seconds * rate, at, "_total")
                add(f"node_disk_{name}", "counter", f'{node},device="dm-0"', seconds * rate, at, "_total")
            for name in ("receive", "transmit"):
                add(f"node_network_{name}_bytes", "counter", f'{node},device="eth0"', seconds * 500, at, "_total")
                add(f"node_network_{name}_bytes", "counter", f'{node},device="lo"', seconds * 9000, at, "_total")
        for host, share in (("fax2.mof.example", 0.2), ("fax2.moj.example", 0.7), ("fax3.mof.example", 0.4)):
            for job in ("windows", "again") if host.startswith("fax3") else ("windows",):
                labels = f'instance="{host}:9182",job="{job}",core="0,0",mode="user"'
                add("windows_cpu_time", "counter", labels, seconds * share, at, "_total")
        for host, domain, share in (
            ("10.9.0.1", "Web.Old", 0.4), ("10.9.0.2", "Web.Old", 0.9), ("hva", "twin", 0.1), ("hvb", "twin", 0.2)
        ):  # fmt: skip
            labels = f'domain="{domain}",instance="{host}:9177"'
            add("libvirt_domain_info_cpu_time_seconds", "counter", labels, seconds * share, at, "_total")
        fax = 'instance="fax.mof.example:9182"'
        add("windows_cpu_time", "counter", f'{fax},core="0,0",mode="user"', seconds * 0.1, at, "_total")
        add("windows_cpu_time", "counter", f'{fax},core="0,0",mode="idle"', seconds * 0.9, at, "_total")
        add("windows_cs_physical_memory_bytes", "gauge", fax, 2048 * MIB, at)
        add("windows_memory_available_bytes", "gauge", fax, 512 * MIB, at)
        add(
            "libvirt_domain_info_cpu_time_seconds",
            "counter",
            'domain="old-guest",instance="hv:9177"',
            seconds * 0.3,
            at,
            "_total",
        )
    text = []
    for heading, lines in families.items():
        text += [f"# TYPE {heading}", *lines]
    return "\n".join([*text, "# EOF", ""])


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "recorded").write_text(recorded())
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(folder / "recorded"), str(folder / "data")],
        check=True, capture_output=True,
    )  # fmt: skip
    with running_prometheus(folder, target=f"127.0.0.1:{free_port()}") as running:
        yield f"http://{running._address}"


def test_what_a_prometheus_kept_becomes_series(controller, prometheus):
    controller.declare(
        {
            "web": "address: 10.9.0.5",
            "fax": "os: windows-2012",
            "guest": "address: 10.9.0.7, source: {uri: 'qemu+ssh://root@10.9.0.1/system', domain: old-guest}",
            "unknown": "address: 10.9.0.8",
        }
    )
    done = controller.kasumi("discover", "--prometheus", prometheus, "--days", "0.2", "--every", "300s", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert "3 servers" in done.stderr
    assert "nothing of unknown" in done.stderr
    assert {row["server"] for row in json.loads(done.stdout)["series"]} == {"web", "fax", "guest"}
    store = open_store(load(home=controller.folder / "home"))
    kept = {
        server: store.series.of_server("test", server, END - timedelta(hours=3), END + timedelta(hours=1))
        for server in ("web", "fax", "guest")
    }
    store.close()
    web = {dimension: float(np.nanmedian(one.values)) for dimension, one in kept["web"].items()}
    assert web == pytest.approx(
        {
            Dimension.CPU_CORES: 0.75,
            Dimension.MEMORY_USED_MIB: 3350,
            Dimension.DISK_USED_MIB: 30000,
            Dimension.DISK_OPERATIONS_PER_SECOND: 10,
            Dimension.DISK_BYTES_PER_SECOND: 5000,
            Dimension.NETWORK_BYTES_PER_SECOND: 1000,
        },
        rel=0.01,
    )
    assert np.isnan(kept["web"][Dimension.CPU_CORES].values).sum() >= 4, "the half hour of silence is a gap"
    assert float(np.nanmedian(kept["fax"][Dimension.CPU_CORES].values)) == pytest.approx(0.1, rel=0.01)
    assert float(np.nanmedian(kept["fax"][Dimension.MEMORY_USED_MIB].values)) == pytest.approx(1536, rel=0.01)
    assert float(np.nanmedian(kept["guest"][Dimension.CPU_CORES].values)) == pytest.approx(0.3, rel=0.01)


def test_a_series_that_may_be_another_servers_is_told_and_not_taken(controller, prometheus):
    guest = "source: {{uri: 'qemu+ssh://root@{}/system', domain: {}}}"
    controller.declare(
        {
            "fax2": "os: windows-2012",
            "fax3": "os: windows-2012",
            "one": f"address: 10.9.0.11, {guest.format('10.9.0.1', 'Web.Old')}",
            "two": f"address: 10.9.0.12, {guest.format('10.9.0.2', 'Web.Old')}",
            "three": f"address: 10.9.0.13, {guest.format('10.9.0.3', 'twin')}",
            "four": f"address: 10.9.0.14, {guest.format('10.9.0.4', 'Web.Old')}",
        }
    )
    done = controller.kasumi("discover", "--prometheus", prometheus, "--days", "0.2", "--every", "300s", "-o", "json")
    assert done.returncode == 3, done.stderr
    assert {row["server"] for row in json.loads(done.stdout)["series"]} == {"one", "two", "fax3"}
    assert [line for line in done.stderr.splitlines() if line.startswith("warning: ")] == [
        (
            "warning: fax2: may be any of fax2.mof.example:9182, fax2.moj.example:9182, not read; "
            "make the exporter's `instance` its address or id"
        ),
        "warning: three: may be any of twin of hva:9177, twin of hvb:9177, not read; make the exporter's `instance` its address or id",
    ]
    store = open_store(load(home=controller.folder / "home"))
    loads = {
        server: float(np.nanmedian(
            store.series.of_server("test", server, END - timedelta(hours=3), END + timedelta(hours=1))[Dimension.CPU_CORES].values
        ))
        for server in ("one", "two", "fax3")
    }  # fmt: skip
    store.close()
    assert loads == pytest.approx({"one": 0.4, "two": 0.9, "fax3": 0.4}, rel=0.01)
    alone = controller.kasumi("discover", "four", "--prometheus", prometheus, "--days", "0.2", "--every", "300s")
    assert "nothing of four" in alone.stderr, "a guest of that name on another host is another server's"


def test_a_prometheus_that_is_none_is_named(controller, prometheus):
    nobody = controller.kasumi("discover", "--prometheus", f"http://127.0.0.1:{free_port()}")
    assert nobody.returncode == 4
    assert "is the URL right?" in nobody.stderr
    assert controller.kasumi("discover", "--prometheus", "prometheus:9090").returncode == 64
    assert controller.kasumi("discover", "--prometheus", "http://me:secret@127.0.0.1:1").returncode == 64
    elsewhere = controller.kasumi("discover", "--prometheus", f"{prometheus}/elsewhere")
    assert elsewhere.returncode == 1
    assert "is it a Prometheus?" in elsewhere.stderr
