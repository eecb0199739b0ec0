"""What is known of a server, field by field: the value, who says so, when, and how surely.

Written by `discovery` (ssh, hypervisors) and by ledgers; read by `assessment`. Several sources may speak of one field; nobody
overwrites another, and what they disagree about is a finding. A field that nobody answered is absent, never zero or empty.
"""

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import JsonValue

Value = JsonValue
"""What JSON can hold. Lists of things are lists of objects with the keys that the catalogue names."""


class Source(StrEnum):
    """Who says so."""

    LEDGER = "ledger"
    """An inventory or an imported file: what somebody once wrote down."""
    SSH = "ssh"
    HYPERVISOR = "hypervisor"
    PROMETHEUS = "prometheus"
    PERSON = "person"
    """A named person accepted or corrected it, with a reason."""


class Answer(StrEnum):
    """How an attempt to collect ended, for a whole server or for one probe."""

    ANSWERED = "answered"
    PARTLY = "partly"
    """Some probes failed; what the others said counts."""
    ABSENT = "absent"
    """The probed thing is not there (no such program or file): an answer, not a failure."""
    UNREACHABLE = "unreachable"
    HOST_KEY = "host-key"
    """No host key on record, or another one than on record."""
    REFUSED = "refused"
    """Login or sudo was refused."""
    TIMED_OUT = "timed-out"
    GARBLED = "garbled"
    """It answered something that its parser does not understand, or too much of it."""
    FAILED = "failed"
    UNSUPPORTED = "unsupported"
    """No probe speaks to this kind of server (Windows); known from ledgers only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One statement about one field of a server.

    `confidence` from 0 to 1; `by` names the probe, `file:line:column`, `file:sheet!cell` or the person.
    """

    field: str
    value: Value = dataclasses.field(hash=False)
    source: Source
    observed_at: datetime
    confidence: float
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswer:
    """How one probe went; `message` says why when it did not answer."""

    probe: str
    answer: Answer
    seconds: float
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """One collection from one server by one source; a failed one has a message and no facts."""

    server: str
    source: Source
    collected_at: datetime
    duration_seconds: float
    answer: Answer
    message: str = ""
    facts: tuple[Fact, ...] = ()
    probes: tuple[ProbeAnswer, ...] = ()


CATALOGUE: dict[str, str] = {
    "os.family": "linux, freebsd or windows",
    "os.id": "debian, ubuntu, rhel, rocky, centos, sles, alpine, freebsd, … as /etc/os-release writes it",
    "os.name": "the long name",
    "os.version": "as the vendor counts: 12, 7.9, 15.4",
    "os.kernel": "release of the running kernel",
    "os.architecture": "x86_64, aarch64, i686, …",
    "boot.mode": "bios or uefi",
    "boot.uptime_seconds": "since the last boot",
    "hardware.vendor": "of the machine or its hypervisor",
    "hardware.model": "product name",
    "hardware.serial": "serial number",
    "hardware.virtualisation": "none, kvm, qemu, vmware, hyperv, xen, container, …",
    "hardware.usb": "[{vendor, product, name}]: what is plugged in, dongles among it",
    "cpu.model": "model name as the processor states it",
    "cpu.count": "logical processors",
    "cpu.sockets": "physical packages",
    "cpu.mhz": "nominal clock",
    "memory.total_mib": "seen by the kernel",
    "memory.used_mib": "without page cache and buffers",
    "memory.swap_mib": "swap configured",
    "disks": "[{name, size_gib, kind, transport, read_only, mode, shared}]: whole block devices; kind is disk, raid, lvm, multipath, "
    "…, raw for one passed through by a hypervisor; mode as VMware has it (persistent, independent_persistent, …)",
    "disks.total_gib": "sum of the local disks",
    "raids": "[{name, level, state, members}]",
    "volumes": "[{group, name, size_gib}]: logical volumes",
    "filesystems": "[{mount, device, type, size_mib, used_mib, encrypted}]: local ones; no tmpfs, no image mounts",
    "mounts.remote": "[{mount, source, type}]: NFS, SMB, cluster file systems",
    "addresses": "[{interface, address, prefix_length, mac}]: IPv4 and IPv6 without loopback",
    "routes": "[{destination, gateway, interface}]",
    "multicast": "[group address]: groups joined beyond those every machine joins",
    "dns.servers": "[address]",
    "ntp.servers": "[name or address]",
    "ntp.offset_seconds": "this clock minus the controller's, halved round trip taken off",
    "listeners": "[{protocol, address, port, process}]",
    "connections": "[{protocol, local_address, local_port, remote_address, remote_port, process, direction}]; direction in or out",
    "packages": "[{name, version}]",
    "services": "[{name, state, enabled}]",
    "schedules": "[{kind, owner, when, command}]; kind is cron or timer",
    "users": "[{name, uid, home, shell, login}]: login is true when the shell lets somebody in",
    "groups": "[{name, gid, members}]",
    "sshd": "{setting: value}: effective settings that matter to policy",
    "certificates": "[{path, subject, not_after}]",
    "databases": "[{engine, version, name, size_mib}]; name and size may be absent where rights do not reach",
    "web_sites": "[{server, name, port, root}]: virtual hosts of nginx, Apache, Tomcat",
    "hard_coded_addresses": "[{file, line, address}]: IPv4 addresses of others in configuration files",
    "licences": "[{name, bound_to}]: licence managers and keys bound to hardware",
    "cluster": "[{kind, name}]: pacemaker, corosync, keepalived, drbd, shared disks",
    "backup": "[{kind, name}]: backup agents and schedules found",
    "label": "the name that people use, as the ledger writes it",
    "kind": "physical or virtual",
    "number": "management or asset number",
    "purpose": "what it is for, as the ledger writes it",
    "status": "as the ledger writes it, where it is none of `power.state`",
    "power.state": "running, stopped, paused or decommissioned",
    "location": "site, room or rack, as the ledger writes it",
    "contact": "who answers for it, as the ledger writes it",
    "notes": "what the ledger notes",
    "hardware.installed_on": "ISO date, or year and month",
    "contract.ends_on": "end of lease or maintenance: ISO date, or year and month",
    "hypervisor": "{host, cluster, datacenter, name, id, version}: where a guest runs and what it is called there",
    "snapshots": "[{name, created_at, size_mib}]: snapshots of a guest's disks",
    "removable": "[{kind, name, connected}]: virtual CD and floppy drives that hold something or are connected",
    "networks": "[{card, network, mac, connected}]: a guest's cards and the hypervisor's networks",
    "history": "[{day, cpu_ratio_mean, cpu_ratio_max}]: what sar kept",
}
"""Every field: what it holds and in which unit. A probe fills fields of this table and no others."""
