"""The table of probes, in the order in which a server is asked: what cannot block first, what may need root or time last."""

from controlplane.discovery.probe import Family, Probe
from controlplane.discovery.probes import (
    access,
    databases,
    hardware,
    memory,
    network,
    sockets,
    software,
    storage,
    system,
    traces,
    web,
)

PROBES: tuple[Probe, ...] = (
    system.OS,
    system.BOOT,
    system.BOOT_BSD,
    hardware.HARDWARE,
    hardware.HARDWARE_BSD,
    hardware.CPU,
    hardware.CPU_BSD,
    hardware.USB,
    memory.MEMORY,
    memory.MEMORY_BSD,
    storage.DISKS,
    storage.DISKS_BSD,
    storage.RAID,
    storage.RAID_BSD,
    storage.MOUNTS,
    storage.MOUNTS_BSD,
    network.ADDRESSES,
    network.ADDRESSES_BSD,
    network.ROUTES,
    network.ROUTES_BSD,
    network.MULTICAST,
    network.DNS,
    network.NTP,
    access.ACCOUNTS,
    storage.FILE_SYSTEMS,
    storage.FILE_SYSTEMS_BSD,
    software.SERVICES,
    software.SERVICES_BSD,
    software.SCHEDULES,
    software.PACKAGES,
    software.PACKAGES_BSD,
    web.WEB,
    access.CERTIFICATES,
    traces.PROGRAMS,
    traces.HARD_CODED,
    traces.HISTORY,
    hardware.SERIAL,
    access.SSHD,
    sockets.SOCKETS,
    sockets.SOCKETS_BSD,
    storage.VOLUMES,
    databases.DATABASES,
)


def by_name(name: str, family: Family) -> Probe:
    """The probe of this name for such a system. Raises KeyError when there is none."""
    return next((probe for probe in PROBES if probe.name == name and family in probe.families), None) or _missing(name)


def _missing(name: str) -> Probe:
    raise KeyError(name)
