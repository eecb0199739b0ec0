"""Changes of a domain that exists: sizes, network cards, root disk. Never a new domain or disk; UUID, MAC and firmware stay.

Each change goes into the persistent definition, and into the running instance as far as it can follow; what it cannot follow
shows as drift of the running instance until its next restart.
"""

import time
from collections.abc import Mapping

import libvirt

from controlplane.errors import RefusedError
from controlplane.model.observed import ObservedNic
from controlplane.model.resources import Resources
from controlplane.providers.libvirt_domain import interface_xml, new_interface_xml, shape_of
from controlplane.providers.libvirt_network import bridge_of

_CONFIG = libvirt.VIR_DOMAIN_AFFECT_CONFIG
_LIVE = libvirt.VIR_DOMAIN_AFFECT_LIVE
_GIB = 2**30
_BALLOON_SECONDS = 30.0
"""A guest gives or takes back memory in its own time, some seconds; one without a balloon driver never does."""
_LOOK_SECONDS = 0.2


def adjust_size(domain: libvirt.virDomain, size: Resources) -> bool:
    """vCPUs and memory; true when anything was changed. Raises libvirt.libvirtError."""
    kept = shape_of(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
    if kept.vcpus != size.vcpus:
        _set_vcpus(domain, size.vcpus)
    if kept.memory_mib != size.memory_mib:
        domain.setMemoryFlags(size.memory_mib * 1024, _CONFIG | libvirt.VIR_DOMAIN_MEM_MAXIMUM)
        domain.setMemoryFlags(size.memory_mib * 1024, _CONFIG)
    changed = (kept.vcpus, kept.memory_mib) != (size.vcpus, size.memory_mib)
    if domain.isActive():
        changed |= _set_live_size(domain, size)
    return changed


def adjust_nics(domain: libvirt.virDomain, wanted: Mapping[str, str]) -> bool:
    """Cards to be exactly these (MAC to network name); true when anything was changed. Raises libvirt.libvirtError."""
    changed = _set_nics(domain, wanted, libvirt.VIR_DOMAIN_XML_INACTIVE, _CONFIG)
    if domain.isActive():
        changed |= _set_nics(domain, wanted, 0, _LIVE)
    return changed


def adjust_disk(
    domain: libvirt.virDomain, volume: libvirt.virStorageVol, *, wanted_gib: int, least_bytes: int, machine: str
) -> bool:
    """Grow the root disk to what is wanted, at least to what lies below it; true when it grew.

    Raises RefusedError for one that would have to shrink, libvirt.libvirtError.
    """
    wanted_bytes, found_bytes = max(wanted_gib * _GIB, least_bytes), volume.info()[1]
    if found_bytes > wanted_bytes:
        raise RefusedError(
            f"machine {machine}: wanted a disk of {wanted_gib} GiB, found {found_bytes / _GIB:g} GiB; a disk is never made "
            "smaller: plan at least what it has"
        )
    if found_bytes == wanted_bytes:
        return False
    if domain.isActive():
        domain.blockResize(volume.path(), wanted_bytes, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)
    else:
        volume.resize(wanted_bytes)
    return True


def _set_vcpus(domain: libvirt.virDomain, vcpus: int) -> None:
    """The maximum follows the number, so that a machine holds no more than it is promised; the larger goes first."""
    if vcpus > domain.vcpusFlags(_CONFIG | libvirt.VIR_DOMAIN_VCPU_MAXIMUM):
        domain.setVcpusFlags(vcpus, _CONFIG | libvirt.VIR_DOMAIN_VCPU_MAXIMUM)
    domain.setVcpusFlags(vcpus, _CONFIG)
    domain.setVcpusFlags(vcpus, _CONFIG | libvirt.VIR_DOMAIN_VCPU_MAXIMUM)


def _set_live_size(domain: libvirt.virDomain, size: Resources) -> bool:
    changed = False
    current = domain.vcpusFlags(_LIVE)
    if current != size.vcpus and size.vcpus <= domain.vcpusFlags(_LIVE | libvirt.VIR_DOMAIN_VCPU_MAXIMUM):
        try:
            domain.setVcpusFlags(size.vcpus, _LIVE)
            changed = True
        except libvirt.libvirtError as error:  # the first vCPUs of an x86 machine cannot be unplugged
            if error.get_error_code() not in {libvirt.VIR_ERR_OPERATION_UNSUPPORTED, libvirt.VIR_ERR_OPERATION_INVALID}:
                raise
    _, maximum_kib, current_kib, *_ = domain.info()
    if current_kib != size.memory_mib * 1024 <= maximum_kib:
        domain.setMemoryFlags(size.memory_mib * 1024, _LIVE)
        deadline = time.monotonic() + _BALLOON_SECONDS
        while domain.info()[2] != size.memory_mib * 1024 and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        changed = True
    return changed


def _network_of(domain: libvirt.virDomain, nic: ObservedNic, wanted: Mapping[str, str]) -> str:
    """The network of a card; one that is plugged straight into the bridge of the wanted network counts as on it."""
    name = wanted.get(nic.mac, "")
    if not (nic.bridge and name):
        return nic.network
    return name if bridge_of(domain.connect().networkLookupByName(name).XMLDesc()) == nic.bridge else nic.network


def _set_nics(domain: libvirt.virDomain, wanted: Mapping[str, str], read: int, affect: int) -> bool:
    xml = domain.XMLDesc(read)
    found = {nic.mac: _network_of(domain, nic, wanted) for nic in shape_of(xml).nics}
    for mac in found.keys() - wanted.keys():
        domain.detachDeviceFlags(new_interface_xml(mac, found[mac]), affect)
    for mac, network in wanted.items():
        if mac not in found:
            domain.attachDeviceFlags(new_interface_xml(mac, network), affect)
        elif found[mac] != network:
            domain.updateDeviceFlags(interface_xml(xml, mac, network), affect)
    return found != dict(wanted)
