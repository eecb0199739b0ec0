"""Domains that stood on a host before us: what we could not keep of one, and our mark put on it and taken off again.

The mark is the only thing that changes, in the persistent definition and in the running instance alike.
"""

import libvirt
from lxml import etree

from controlplane.model.plan import PlannedMachine
from controlplane.providers.libvirt_domain import NAMESPACE, PREFIX, mark_text, read_xml
from controlplane.providers.protocol import Foreign

_GIB = 2**30


def look_at(domain: libvirt.virDomain) -> Foreign:
    """The size of its root disk, and what a plan cannot say of it. Raises libvirt.libvirtError."""
    obstacles = []
    if not domain.isPersistent():
        obstacles.append(
            "it is transient, so it and our mark vanish when it stops; define it first (`virsh dumpxml`, `virsh define`)"
        )
    disks = read_xml(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)).findall("devices/disk")
    fixed = [disk for disk in disks if disk.get("device", "disk") == "disk" and disk.find("readonly") is None]
    if len(fixed) != 1:
        obstacles.append(f"it has {len(fixed)} disks, a plan knows one; bring its data onto one disk, or leave it foreign")
        return Foreign(disk_gib=None, obstacles=tuple(obstacles))
    size_bytes = _size_bytes(domain, fixed[0])
    if size_bytes is None:
        obstacles.append("the size of its disk is not known, as it is neither file nor block device of the host")
    return Foreign(disk_gib=None if size_bytes is None else -(-size_bytes // _GIB), obstacles=tuple(obstacles))


def root_path(domain: libvirt.virDomain) -> str:
    """Where the one disk of an adopted domain lies; empty when there is no such. Raises libvirt.libvirtError."""
    disks = read_xml(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)).findall("devices/disk")
    return next((_path(disk) for disk in disks if disk.get("device", "disk") == "disk" and disk.find("readonly") is None), "")


def put_mark(domain: libvirt.virDomain, machine: PlannedMachine, *, estate: str, plan: str) -> None:
    """Write our mark, kept and running. Raises libvirt.libvirtError."""
    _set_mark(domain, mark_text(machine, estate=estate, plan=plan))


def take_mark(domain: libvirt.virDomain) -> None:
    """Take our mark off, kept and running. Raises libvirt.libvirtError."""
    _set_mark(domain, None)


def _set_mark(domain: libvirt.virDomain, text: str | None) -> None:
    flags = libvirt.VIR_DOMAIN_AFFECT_CONFIG | (libvirt.VIR_DOMAIN_AFFECT_LIVE if domain.isActive() else 0)
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, text, PREFIX, NAMESPACE, flags)


def _size_bytes(domain: libvirt.virDomain, disk: etree._Element) -> int | None:
    path = _path(disk)
    if not path:
        return None
    capacity, _, _ = domain.blockInfo(path)
    return int(capacity)


def _path(disk: etree._Element) -> str:
    source = disk.find("source")
    return "" if source is None else str(source.get("file") or source.get("dev") or "")
