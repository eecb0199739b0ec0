"""Counters of two instants, a short sampling of a real sshd, and gaps that stay gaps."""

import json
import threading
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from controlplane.discovery.counters import Counters, between, read
from controlplane.discovery.sampling import Sampling, series_of
from controlplane.model.series import Dimension
from controlplane.settings import load
from controlplane.store import open_store

OUTPUT = """\
== uptime
{uptime} 900.00
== stat
cpu  {user} 0 100 {idle} 50 0 0 0 0 0
cpu0 1 0 1 1 1 0 0 0 0 0
cpu1 1 0 1 1 1 0 0 0 0 0
== meminfo
MemTotal:        4000000 kB
MemFree:         1000000 kB
Buffers:          200000 kB
Cached:           800000 kB
Shmem:             48000 kB
== disks
   8       0 sda {reads} 0 {sectors} 0 200 0 400 0 0 0 0
   8       1 sda1 9000 0 9000 0 9000 0 9000 0 0 0 0
 253       0 dm-0 9000 0 9000 0 9000 0 9000 0 0 0 0
== net
Inter-|   Receive                                                |  Transmit
    lo: 99999999 1 0 0 0 0 0 0 99999999 1 0 0 0 0 0 0
  eth0:{received} 1 0 0 0 0 0 0 1000 1 0 0 0 0 0 0
== df
Filesystem 1024-blocks Used Available Capacity Mounted on
/dev/sda1 40000000 10240000 29000000 27% /
/dev/sda1 40000000 10240000 29000000 27% /var/bind
tmpfs 1000 500 500 50% /run
"""


def counted(**changes: float) -> Counters:
    values = {"uptime": "1000.00", "user": 400, "idle": 1000, "reads": 100, "sectors": 200, "received": 5000} | changes
    found = read(OUTPUT.format(**values))
    assert found is not None
    return found


def test_two_readings_make_rates_in_the_servers_own_units():
    values = between(counted(), counted(uptime="1010.00", user=900, idle=2500, reads=150, sectors=2248, received=25000))
    assert values[Dimension.CPU_CORES] == pytest.approx(2 * 0.25)
    assert values[Dimension.MEMORY_USED_MIB] == pytest.approx(2048000 / 1024)
    assert values[Dimension.DISK_USED_MIB] == pytest.approx(10000)
    assert values[Dimension.DISK_OPERATIONS_PER_SECOND] == pytest.approx(5)
    assert values[Dimension.DISK_BYTES_PER_SECOND] == pytest.approx(2048 * 512 / 10)
    assert values[Dimension.NETWORK_BYTES_PER_SECOND] == pytest.approx(2000)


def test_a_reboot_or_a_disk_taken_out_is_a_gap_not_a_zero():
    rebooted = between(counted(), counted(uptime="12.00", user=1, idle=2))
    assert set(rebooted) == {Dimension.MEMORY_USED_MIB, Dimension.DISK_USED_MIB}
    shrunk = between(counted(reads=500), counted(uptime="1010.00", user=900, idle=2500, reads=100))
    assert Dimension.DISK_OPERATIONS_PER_SECOND not in shrunk
    assert Dimension.CPU_CORES in shrunk


def test_missing_samples_are_nan():
    at = datetime(2026, 1, 1, tzinfo=UTC)
    (one,) = series_of("web", at, 60, [{Dimension.CPU_CORES: 1.0}, {}, {Dimension.CPU_CORES: 0.0}])
    assert (one.started_at, one.step_seconds) == (at, 60)
    assert np.isnan(one.values[1])
    assert list(one.values[[0, 2]]) == [1.0, 0.0]


def test_a_server_is_sampled_and_its_series_kept(trusted):
    busy, stop = threading.Thread(target=lambda: [sum(range(50_000)) for _ in iter(stop.is_set, True)]), threading.Event()
    busy.start()
    done = trusted.kasumi("discover", "one", "--sample", "3s", "--every", "1s", "-o", "json")
    stop.set()
    busy.join()
    documents = done.stdout.replace("}\n{", "}\x00{").split("\x00")
    (sampled,) = json.loads(documents[1])["samples"]
    assert sampled["wanted"] == 3
    assert sampled["got"] >= 2, done.stderr
    store = open_store(load(home=trusted.folder / "home"))
    now = datetime.now(UTC)
    series = store.series.of_server("test", "one", now - timedelta(minutes=5), now + timedelta(minutes=1))
    store.close()
    assert {Dimension.CPU_CORES, Dimension.MEMORY_USED_MIB} <= set(series)
    assert np.nanmax(series[Dimension.CPU_CORES].values) > 0
    assert np.nanmin(series[Dimension.MEMORY_USED_MIB].values) > 10


def test_spans_are_read_as_people_write_them(controller):
    assert "wanted a number and s, m, h or d" in controller.kasumi("discover", "--sample", "yesterday").stderr
    assert controller.kasumi("discover", "--sample", "1h", "--once").returncode == 64
    assert Sampling(seconds=3600, every_seconds=60).samples == 60
