"""Domain XML: built from a planned machine, and read back into an observed one. Pure; knows no connection.

Our mark is one element in our own namespace under <metadata>; elements of others there are left alone.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

import libvirt
from lxml import etree

from controlplane.model.observed import Mark, ObservedNic, PowerState
from controlplane.model.plan import Method, PlannedMachine

NAMESPACE = "urn:kasumi:machine:1"
PREFIX = "kasumi"
_OSINFO = "http://libosinfo.org/xmlns/libvirt/domain/1.0"
_OSINFO_IDS = {"debian-12": "http://debian.org/debian/12"}
_parsers = threading.local()

_STATES = {
    libvirt.VIR_DOMAIN_RUNNING: PowerState.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: PowerState.RUNNING,
    libvirt.VIR_DOMAIN_PAUSED: PowerState.PAUSED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: PowerState.PAUSED,
    libvirt.VIR_DOMAIN_SHUTDOWN: PowerState.CHANGING,
    libvirt.VIR_DOMAIN_SHUTOFF: PowerState.STOPPED,
    libvirt.VIR_DOMAIN_CRASHED: PowerState.CRASHED,
    libvirt.VIR_DOMAIN_NOSTATE: PowerState.CHANGING,
}


def read_xml(text: str) -> etree._Element:
    """A document of libvirt. Titles and metadata in it are anybody's input: entities and the network stay shut.

    One parser a thread: lxml lets only one thread at a time use a parser.
    """
    parser = getattr(_parsers, "one", None)
    if parser is None:
        parser = _parsers.one = etree.XMLParser(resolve_entities=False, no_network=True)
    return etree.fromstring(text, parser)


def power_state(libvirt_state: int) -> PowerState:
    """libvirt's domain state in words both providers share."""
    return _STATES.get(libvirt_state, PowerState.CHANGING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a domain definition says about the things we manage."""

    vcpus: int
    memory_mib: int
    nics: tuple[ObservedNic, ...]
    mark: Mark | None
    disk_gib: int | None
    """What our mark says of the root disk; None without one. A definition names a disk's file, never its size."""
    planned_uuid: str = ""
    """The uuid by which plans know an adopted domain, whose own is another; it stands in our mark. Empty for every other."""


def domain_xml(
    machine: PlannedMachine,
    *,
    estate: str,
    plan: str,
    virtualisation: str,
    network_names: Mapping[str, str],
    root_path: str,
    seed_path: str | None,
    os: str = "",
) -> str:
    """The definition of a planned machine; `virtualisation` is kvm, qemu or test, `os` an image's (empty: not known)."""
    domain = etree.Element("domain", {"type": virtualisation})
    _leaf(domain, "name", machine.id)
    _leaf(domain, "uuid", machine.uuid)
    _leaf(domain, "title", f"{machine.ministry}/{machine.system}/{machine.id}")
    metadata = etree.SubElement(domain, "metadata")
    etree.SubElement(metadata, f"{{{NAMESPACE}}}machine", _mark_attributes(machine, estate, plan), nsmap={PREFIX: NAMESPACE})
    if os in _OSINFO_IDS:
        info = etree.SubElement(metadata, f"{{{_OSINFO}}}libosinfo", nsmap={"libosinfo": _OSINFO})
        etree.SubElement(info, f"{{{_OSINFO}}}os", {"id": _OSINFO_IDS[os]})
    _leaf(domain, "memory", str(machine.size.memory_mib), unit="MiB")
    _leaf(domain, "currentMemory", str(machine.size.memory_mib), unit="MiB")
    _leaf(domain, "vcpu", str(machine.size.vcpus), placement="static")
    system = etree.SubElement(domain, "os")
    if virtualisation == "test":
        _leaf(system, "type", "hvm")
    else:
        _leaf(system, "type", "hvm", arch="x86_64", machine="q35")
    etree.SubElement(system, "boot", {"dev": "hd"})
    features = etree.SubElement(domain, "features")
    etree.SubElement(features, "acpi")
    etree.SubElement(features, "apic")
    if virtualisation == "kvm":
        etree.SubElement(domain, "cpu", {"mode": "host-model"})
    elif virtualisation == "qemu":
        cpu = etree.SubElement(domain, "cpu", {"mode": "custom", "match": "exact"})
        _leaf(cpu, "model", "qemu64")  # boots a sixth faster under emulation than all features together
    etree.SubElement(domain, "clock", {"offset": "utc"})
    for event, action in (("on_poweroff", "destroy"), ("on_reboot", "restart"), ("on_crash", "restart")):
        _leaf(domain, event, action)
    _devices(domain, machine, network_names, root_path, seed_path, real=virtualisation != "test")
    return str(etree.tostring(domain, pretty_print=True, encoding="unicode"))


def _devices(
    domain: etree._Element,
    machine: PlannedMachine,
    names: Mapping[str, str],
    root_path: str,
    seed_path: str | None,
    *,
    real: bool,
) -> None:
    devices = etree.SubElement(domain, "devices")
    _disk(devices, root_path, "qcow2", "vda")
    if seed_path is not None:
        _disk(devices, seed_path, "raw", "vdb", readonly=True)
    for nic in machine.nics:
        _interface(devices, nic.mac, names[nic.network])
    console = etree.SubElement(devices, "console", {"type": "pty"})
    etree.SubElement(console, "target", {"type": "serial", "port": "0"})
    if not real:
        return
    channel = etree.SubElement(devices, "channel", {"type": "unix"})
    etree.SubElement(channel, "target", {"type": "virtio", "name": "org.qemu.guest_agent.0"})
    rng = etree.SubElement(devices, "rng", {"model": "virtio"})
    _leaf(rng, "backend", "/dev/urandom", model="random")
    balloon = etree.SubElement(devices, "memballoon", {"model": "virtio"})
    etree.SubElement(balloon, "stats", {"period": "10"})
    etree.SubElement(devices, "watchdog", {"model": "i6300esb", "action": "reset"})
    etree.SubElement(devices, "panic", {"model": "isa"})


def _disk(devices: etree._Element, path: str, image_format: str, target: str, *, readonly: bool = False) -> None:
    disk = etree.SubElement(devices, "disk", {"type": "file", "device": "disk"})
    etree.SubElement(disk, "driver", {"name": "qemu", "type": image_format, "discard": "unmap"})
    etree.SubElement(disk, "source", {"file": path})
    etree.SubElement(disk, "target", {"dev": target, "bus": "virtio"})
    if readonly:
        etree.SubElement(disk, "readonly")


def _interface(devices: etree._Element, mac: str, network: str) -> etree._Element:
    interface = etree.SubElement(devices, "interface", {"type": "network"})
    etree.SubElement(interface, "mac", {"address": mac})
    etree.SubElement(interface, "source", {"network": network})
    etree.SubElement(interface, "model", {"type": "virtio"})
    return interface


def _leaf(parent: etree._Element, tag: str, text: str, **attributes: str) -> None:
    etree.SubElement(parent, tag, attributes).text = text


def mark_text(machine: PlannedMachine, *, estate: str, plan: str) -> str:
    """Our mark as libvirt's `setMetadata` wants it: without the namespace, which libvirt adds and would not take twice."""
    return str(etree.tostring(etree.Element("machine", _mark_attributes(machine, estate, plan)), encoding="unicode"))


def _mark_attributes(machine: PlannedMachine, estate: str, plan: str) -> dict[str, str]:
    """`plan` is the digest of the plan that made or last changed the machine."""
    return {
        "estate": estate,
        "id": machine.id,
        "ministry": machine.ministry,
        "system": machine.system,
        "disk-gib": str(machine.size.disk_gib),
        "plan": plan,
        **({"uuid": machine.uuid} if machine.method is Method.ADOPT else {}),
    }


def shape_of(xml: str) -> Shape:
    """Read a definition. One walk over its children: this runs for each domain of each host at each look."""
    vcpus, memory_mib, current_mib = 0, 0, None
    nics: list[ObservedNic] = []
    mark, disk_gib, planned_uuid = None, None, ""
    for child in read_xml(_without_other_devices(xml)):
        if child.tag == "vcpu":
            vcpus = int(child.get("current") or child.text)
        elif child.tag == "memory":
            memory_mib = _mib(child)
        elif child.tag == "currentMemory":
            current_mib = _mib(child)
        elif child.tag == "metadata":
            mark, disk_gib, planned_uuid = _mark(child)
        elif child.tag == "devices":
            nics = [_nic(interface) for interface in child.iterchildren("interface")]
    return Shape(
        vcpus=vcpus,
        memory_mib=memory_mib if current_mib is None else current_mib,
        nics=tuple(nics),
        mark=mark,
        disk_gib=disk_gib,
        planned_uuid=planned_uuid,
    )


def _without_other_devices(xml: str) -> str:
    """The same definition with no devices but network cards: most of a definition are controllers, and to parse them is half of
    what a look at many domains costs us. Relies on libvirt's own layout; a text that is laid out otherwise is returned whole.

    Nobody's metadata can pass for devices: they come after it, and only the last line of this form begins them.
    """
    begin = xml.rfind("\n  <devices>\n")
    end = xml.find("\n  </devices>\n", begin)
    if begin < 0 or end < 0:
        return xml
    cards = []
    at = xml.find("\n    <interface ", begin, end)
    while at >= 0:
        close = xml.find("\n    </interface>", at, end)
        cards.append(xml[at : close + len("\n    </interface>")])
        at = xml.find("\n    <interface ", close, end)
    return f"{xml[:begin]}<devices>{''.join(cards)}</devices></domain>"


def interface_xml(xml: str, mac: str, network: str) -> str:
    """The card with this MAC as the definition has it (model, address, filters kept), put on another network."""
    interface = next(
        each
        for each in read_xml(xml).iterfind("devices/interface")
        if (found := each.find("mac")) is not None and found.get("address", "").lower() == mac
    )
    interface.set("type", "network")
    for tag in ("source", "target", "virtualport"):
        for element in interface.findall(tag):
            interface.remove(element)
    etree.SubElement(interface, "source", {"network": network})
    return str(etree.tostring(interface, encoding="unicode"))


def new_interface_xml(mac: str, network: str) -> str:
    """A card as `domain_xml` makes them."""
    devices = etree.Element("devices")
    return str(etree.tostring(_interface(devices, mac, network), encoding="unicode"))


def _mark(metadata: etree._Element) -> tuple[Mark | None, int | None, str]:
    """Our mark, the size of the root disk in it, and the planned uuid of an adopted domain."""
    found = next(metadata.iterchildren(f"{{{NAMESPACE}}}machine"), None)
    if found is None:
        return None, None, ""
    size, uuid = found.get("disk-gib", ""), found.get("uuid", "")
    mark = Mark(estate=found.get("estate", ""), machine=found.get("id", ""), plan=found.get("plan", ""), adopted=bool(uuid))
    return mark, int(size) if size.isdecimal() else None, uuid


def _mib(memory: etree._Element) -> int:
    """libvirt prints KiB, whatever unit a definition was written in."""
    return int(memory.text) // 1024


def _nic(interface: etree._Element) -> ObservedNic:
    network = mac = bridge = ""
    for child in interface.iterchildren("source", "mac"):
        if child.tag == "mac":
            mac = child.get("address", "").lower()
        else:
            network, bridge = child.get("network", ""), child.get("bridge", "")
    return ObservedNic(network=network, mac=mac, bridge="" if network else bridge)
