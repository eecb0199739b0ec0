"""libvirt networks: one for each planned network, over a bridge that the host has, or over one that libvirt makes.

libvirt keeps no metadata on networks before 9.7, so a network is ours by its planned name and shape; one of that name with
another shape is refused, and none is ever deleted.
"""

import libvirt
from lxml import etree

from controlplane.errors import RefusedError
from controlplane.model.plan import PlannedNetwork
from controlplane.providers.libvirt_domain import XML_PARSER


def ensure_network(connection: libvirt.virConnect, planned: PlannedNetwork) -> None:
    """Define, start and autostart. Raises RefusedError for a network of this name with another shape, libvirt.libvirtError."""
    found = next((each for each in connection.listAllNetworks() if each.name() == planned.name), None)
    if found is None:
        found = connection.networkDefineXML(network_xml(planned))
    _refuse_another(found.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE), planned)
    if not found.isActive():
        found.create()
    if not found.autostart():
        found.setAutostart(1)


def network_xml(planned: PlannedNetwork) -> str:
    """A network over the host's bridge; without one, isolated: libvirt makes a bridge with no address and no way out."""
    network = etree.Element("network")
    etree.SubElement(network, "name").text = planned.name
    if planned.bridge:
        etree.SubElement(network, "forward", {"mode": "bridge"})
        etree.SubElement(network, "bridge", {"name": planned.bridge})
    return str(etree.tostring(network, encoding="unicode"))


def bridge_of(xml: str) -> str:
    """The host bridge a network uses, or empty."""
    bridge = etree.fromstring(xml, XML_PARSER).find("bridge")
    return bridge.get("name", "") if bridge is not None else ""


def _refuse_another(xml: str, planned: PlannedNetwork) -> None:
    forward = etree.fromstring(xml, XML_PARSER).find("forward")
    mode = "isolated" if forward is None else forward.get("mode", "nat")
    wanted = "bridge" if planned.bridge else "isolated"
    bridge = bridge_of(xml)
    if mode != wanted or (planned.bridge and bridge != planned.bridge):
        raise RefusedError(
            f"network {planned.name} on {planned.host}: wanted {_words(wanted, planned.bridge)}, found {_words(mode, bridge)}; "
            "it is somebody else's: rename or remove it by hand, then run again"
        )


def _words(mode: str, bridge: str) -> str:
    return f"mode {mode}" + (f" over bridge {bridge}" if mode == "bridge" else "")
