"""Counters of the kernel at one instant, and what two of them say about the time between. Pure.

A counter that went back (a reboot, a disk that was taken out) says nothing about that time: no sample, never a zero.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.discovery.probe import Family
from controlplane.discovery.probes.memory import meminfo, used_kib
from controlplane.discovery.reading import columns, first, number, parts, whole
from controlplane.model.series import Dimension

COMMAND = """
say uptime; cat /proc/uptime
say stat; grep -E '^cpu' /proc/stat
say meminfo; cat /proc/meminfo
say disks; cat /proc/diskstats
say net; cat /proc/net/dev
say df; df -kPl 2>/dev/null || df -kP
"""
FAMILIES = frozenset({Family.LINUX})
_WHOLE_DISK = re.compile(
    r"(?:[shv]d[a-z]{1,3}|xvd[a-z]{1,2}|nvme[0-9]+n[0-9]+|cciss!c[0-9]+d[0-9]+|c[0-9]+d[0-9]+|mmcblk[0-9]+|dasd[a-z]+)"
)
_NOT_WIRES = re.compile(r"(?:lo|docker|veth|br-|virbr|vnet|tap|tun|bond[0-9]+\.|vlan)")
_IMAGES = ("tmpfs", "devtmpfs", "udev", "none", "overlay", "shm", "squashfs", "/dev/loop", "cgroup", "run")
_SECTOR_BYTES = 512
_MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What has been counted since boot, and what is in use now. None where the kernel does not say."""

    uptime_seconds: float
    cpu_total: float
    cpu_idle: float
    processors: int
    memory_used_mib: float | None
    disk_used_mib: float | None
    disk_operations: int | None
    disk_bytes: int | None
    network_bytes: int | None


def read(output: str) -> Counters | None:
    """The counters, or None when the first of them, uptime and CPU, cannot be read."""
    found = parts(output)
    uptime = number(first(found.get("uptime", [])).partition(" ")[0], most=1e10)
    cpu = next((line.split()[1:] for line in found.get("stat", []) if line.startswith("cpu ")), [])
    ticks = [value for word in cpu[:8] if (value := whole(word)) is not None]  # guest time is within user time already
    processors = sum(1 for line in found.get("stat", []) if re.match(r"cpu[0-9]+ ", line))
    if not uptime or len(ticks) < 4 or sum(ticks) <= 0 or not processors:
        return None
    used = used_kib(meminfo(found.get("meminfo", [])))
    operations, moved = _disks(found.get("disks", []))
    return Counters(
        uptime_seconds=uptime, cpu_total=float(sum(ticks)), cpu_idle=float(ticks[3] + (ticks[4] if len(ticks) > 4 else 0)),
        processors=processors, memory_used_mib=used / 1024 if used else None, disk_used_mib=_disk_used(found.get("df", [])),
        disk_operations=operations, disk_bytes=moved, network_bytes=_network(found.get("net", [])),
    )  # fmt: skip


def between(before: Counters, after: Counters) -> Mapping[Dimension, float]:
    """What the time between two readings held; a dimension that cannot be told is absent."""
    seconds = after.uptime_seconds - before.uptime_seconds
    values: dict[Dimension, float] = {}
    if after.memory_used_mib is not None:
        values[Dimension.MEMORY_USED_MIB] = after.memory_used_mib
    if after.disk_used_mib is not None:
        values[Dimension.DISK_USED_MIB] = after.disk_used_mib
    if seconds <= 0:
        return values
    total, idle = after.cpu_total - before.cpu_total, after.cpu_idle - before.cpu_idle
    if total > 0 and 0 <= idle <= total:
        values[Dimension.CPU_CORES] = after.processors * (1 - idle / total)
    for dimension, old, new in (
        (Dimension.DISK_OPERATIONS_PER_SECOND, before.disk_operations, after.disk_operations),
        (Dimension.DISK_BYTES_PER_SECOND, before.disk_bytes, after.disk_bytes),
        (Dimension.NETWORK_BYTES_PER_SECOND, before.network_bytes, after.network_bytes),
    ):
        if old is not None and new is not None and new >= old:
            values[dimension] = (new - old) / seconds
    return values


def _disks(lines: list[str]) -> tuple[int | None, int | None]:
    """Reads and writes of whole disks: layers above them would be counted twice."""
    operations = moved = 0
    seen = False
    for words in columns(lines, 11):
        counted = [whole(words[at]) for at in (3, 5, 7, 9)]
        if _WHOLE_DISK.fullmatch(words[2].replace("/", "!")) and None not in counted:
            reads, read_sectors, writes, written = (value or 0 for value in counted)
            operations, moved, seen = operations + reads + writes, moved + (read_sectors + written) * _SECTOR_BYTES, True
    return (operations, moved) if seen else (None, None)


def _network(lines: list[str]) -> int | None:
    total, seen = 0, False
    for line in lines:
        name, mark, rest = line.partition(":")
        words = rest.split()
        if not mark or len(words) < 16 or _NOT_WIRES.match(name.strip()):
            continue
        received, sent = whole(words[0]), whole(words[8])
        if received is not None and sent is not None:
            total, seen = total + received + sent, True
    return total if seen else None


def _disk_used(lines: list[str]) -> float | None:
    used, seen = 0, set()
    for words in columns(lines, 6, 6):
        value = whole(words[2])
        if value is not None and words[0].startswith("/") and not words[0].startswith(_IMAGES) and words[0] not in seen:
            used += value
            seen.add(words[0])
    return used / 1024 if seen and used else None
