"""Domains that stood on a host before us: what we could not keep of one, and our mark put on it and taken off again.

The mark is the only thing that changes, in the persistent definition and in the running instance alike.
"""

import libvirt
from lxml import etree

from controlplane.errors import RefusedError
from controlplane.model.plan import PlannedMachine
from controlplane.providers.libvirt_adjust import adjust_disk
from controlplane.providers.libvirt_domain import NAMESPACE, PREFIX, mark_text, read_xml
from controlplane.providers.protocol import Foreign

_GIB = 2**30


def look_at(domain: libvirt.virDomain) -> Foreign:
    """The size of its disks, all together, and what a plan cannot say of it. Raises libvirt.libvirtError."""
    obstacles = []
    if not domain.isPersistent():
        obstacles.append(
            "it is transient, so it and our mark vanish when it stops; define it first (`virsh dumpxml`, `virsh define`)"
        )
    paths = disk_paths(domain)
    if not paths:
        obstacles.append("it has no disk, and a plan knows one at least; leave it foreign")
    elif "" in paths:
        obstacles.append("the size of a disk of it is not known, as that is neither file nor block device of the host")
    if not paths or "" in paths:
        return Foreign(disk_gib=None, obstacles=tuple(obstacles))
    return Foreign(disk_gib=-(-sum(int(domain.blockInfo(path)[0]) for path in paths) // _GIB), obstacles=tuple(obstacles))


def disk_paths(domain: libvirt.virDomain) -> list[str]:
    """Where its disks lie, but for those it cannot write; empty for one that is no file or device. Raises libvirt.libvirtError."""
    disks = read_xml(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)).findall("devices/disk")
    return [_path(disk) for disk in disks if disk.get("device", "disk") == "disk" and disk.find("readonly") is None]


def put_mark(domain: libvirt.virDomain, machine: PlannedMachine, *, estate: str, plan: str) -> None:
    """Write our mark, kept and running. Raises libvirt.libvirtError."""
    _set_mark(domain, mark_text(machine, estate=estate, plan=plan))


def take_mark(domain: libvirt.virDomain) -> None:
    """Take our mark off, kept and running. Raises libvirt.libvirtError."""
    _set_mark(domain, None)


def grow_adopted(domain: libvirt.virDomain, machine: PlannedMachine, host: str) -> None:
    """The disk of an adopted machine lies where it lay; only libvirt's own pools know how to grow it.

    Of several, which together have the size of the plan, none is ours to choose: they are grown by hand. Raises RefusedError,
    libvirt.libvirtError.
    """
    path, *more = disk_paths(domain)
    if more:
        found_gib = look_at(domain).disk_gib
        if found_gib != machine.size.disk_gib:
            raise RefusedError(
                f"machine {machine.id} on {host}: wanted disks of {machine.size.disk_gib} GiB together, found {found_gib} GiB on "
                f"{len(more) + 1} disks; which is to change is not known: do it by hand, or plan the size they have"
            )
        return
    try:
        volume = domain.connect().storageVolLookupByPath(path)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_STORAGE_VOL:
            raise
        raise RefusedError(
            f"machine {machine.id} on {host}: wanted a disk of {machine.size.disk_gib} GiB; its disk {path} lies in no storage pool, so "
            "it is not grown: define a pool over its folder, or plan the size it has"
        ) from None
    adjust_disk(domain, volume, wanted_gib=machine.size.disk_gib, least_bytes=0, machine=machine.id)


def _set_mark(domain: libvirt.virDomain, text: str | None) -> None:
    flags = libvirt.VIR_DOMAIN_AFFECT_CONFIG | (libvirt.VIR_DOMAIN_AFFECT_LIVE if domain.isActive() else 0)
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, text, PREFIX, NAMESPACE, flags)


def _path(disk: etree._Element) -> str:
    source = disk.find("source")
    return "" if source is None else str(source.get("file") or source.get("dev") or "")
