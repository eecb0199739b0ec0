"""The administrator of a libvirt host, for the contract tests."""

import libvirt
from lxml import etree

from controlplane.model.estate import StoragePool
from controlplane.model.plan import PlannedImage, PlannedMachine
from controlplane.providers.libvirt_connection import Connection
from controlplane.providers.libvirt_domain import NAMESPACE
from controlplane.providers.libvirt_storage import image_volume, pool_xml, root_volume, volume_xml

_NOTE = "urn:somebody:else"


class LibvirtHand:
    """Implements `contract.Hand` over a connection of its own, or, on a test driver, over the provider's."""

    def __init__(self, connection: Connection, pool: str) -> None:
        self._connection = connection
        self._pool = pool

    def _connect(self) -> libvirt.virConnect:
        with self._connection.errors("by hand"):
            return self._connection.open()

    def pause(self, name: str) -> None:
        self._domain(name).suspend()

    def power_off(self, name: str) -> None:
        self._domain(name).destroy()

    def set_kept_vcpus(self, name: str, vcpus: int) -> None:
        flags = libvirt.VIR_DOMAIN_AFFECT_CONFIG
        self._domain(name).setVcpusFlags(vcpus, flags | libvirt.VIR_DOMAIN_VCPU_MAXIMUM)
        self._domain(name).setVcpusFlags(vcpus, flags)

    def set_kept_memory(self, name: str, memory_mib: int) -> None:
        flags = libvirt.VIR_DOMAIN_AFFECT_CONFIG
        self._domain(name).setMemoryFlags(memory_mib * 1024, flags | libvirt.VIR_DOMAIN_MEM_MAXIMUM)
        self._domain(name).setMemoryFlags(memory_mib * 1024, flags)

    def move_kept_card(self, name: str, mac: str, network: str) -> None:
        domain = etree.fromstring(self._domain(name).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        card = domain.find(f"devices/interface/mac[@address='{mac}']/..")
        card.find("source").set("network", network)
        self._connect().defineXML(etree.tostring(domain, encoding="unicode"))

    def set_autostart(self, name: str, *, autostart: bool) -> None:
        self._domain(name).setAutostart(int(autostart))

    def add_note(self, name: str) -> None:
        flags = libvirt.VIR_DOMAIN_AFFECT_CONFIG
        self._domain(name).setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "<note/>", "other", _NOTE, flags)

    def has_note(self, name: str) -> bool:
        return _NOTE in self._domain(name).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)

    def make_foreign(self, name: str, uuid: str, *, vcpus: int, memory_mib: int) -> None:
        connection = self._connect()
        domain = etree.Element("domain", {"type": "test" if connection.getType() == "TEST" else "qemu"})
        etree.SubElement(domain, "name").text = name
        etree.SubElement(domain, "uuid").text = uuid
        etree.SubElement(domain, "memory", {"unit": "MiB"}).text = str(memory_mib)
        etree.SubElement(domain, "vcpu").text = str(vcpus)
        etree.SubElement(etree.SubElement(domain, "os"), "type").text = "hvm"
        connection.defineXML(etree.tostring(domain, encoding="unicode"))

    def make_adoptable(self, machine: PlannedMachine, name: str) -> None:
        """Running, with the machine's card on its network: the tests' networks bear the name of their estate, as the pool does."""
        network = f"{self._pool}-{machine.nics[0].network}"
        self.make_running(name, machine.nics[0].mac, network=network, memory_mib=machine.size.memory_mib)

    def make_running(self, name: str, mac: str, *, memory_mib: int, disks: tuple[str, ...] = ("vda",), **source: str) -> None:
        """A running domain with disks of 1 GiB each and a card; `source` is the network or the bridge that it is plugged into."""
        connection = self._connect()
        (kind,) = source
        domain = etree.Element("domain", {"type": "test" if connection.getType() == "TEST" else "qemu"})
        etree.SubElement(domain, "name").text = name
        etree.SubElement(domain, "memory", {"unit": "MiB"}).text = str(memory_mib)
        etree.SubElement(domain, "vcpu").text = "1"
        etree.SubElement(etree.SubElement(domain, "os"), "type").text = "hvm"
        devices = etree.SubElement(domain, "devices")
        for target in disks:
            disk = etree.SubElement(devices, "disk", {"type": "file", "device": "disk"})
            etree.SubElement(disk, "driver", {"name": "qemu", "type": "qcow2"})
            etree.SubElement(disk, "source", {"file": self._gibibyte(f"{name}-{target}.qcow2")})
            etree.SubElement(disk, "target", {"dev": target, "bus": "virtio"})
        card = etree.SubElement(devices, "interface", {"type": kind})
        etree.SubElement(card, "mac", {"address": mac})
        etree.SubElement(card, "source", {kind: source[kind]})
        connection.defineXML(etree.tostring(domain, encoding="unicode")).create()

    def _gibibyte(self, name: str) -> str:
        """The path of a volume of 1 GiB, made where there is none of this name."""
        pool = self._connect().storagePoolLookupByName(self._pool)
        there = [volume for volume in pool.listAllVolumes() if volume.name() == name]
        return (there[0] if there else pool.createXML(volume_xml(name, 2**30, "qcow2"))).path()

    def remove_running(self, name: str) -> None:
        """Nothing happens where it was never made."""
        for domain in self._connect().listAllDomains():
            if domain.name() == name:
                if domain.isActive():
                    domain.destroy()
                domain.undefine()

    def make_pool(self, path: str) -> None:
        pool = self._connect().storagePoolDefineXML(pool_xml(StoragePool(name=self._pool, path=path)))
        pool.build()
        pool.create()

    def networks(self) -> set[str]:
        return {network.name() for network in self._connect().listAllNetworks()}

    def is_marked(self, name: str) -> bool:
        """Kept and running must say the same."""
        (found,) = {NAMESPACE in self._domain(name).XMLDesc(flags) for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE)}
        return found

    def without_mark(self, name: str) -> tuple[str, ...]:
        """The definition, kept and running, but for our mark."""
        domain = self._domain(name)
        return tuple(_unmarked(domain.XMLDesc(flags)) for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE))

    def boots(self, name: str) -> int:
        """libvirt gives a domain another number at each start."""
        return self._domain(name).ID()

    def remove_foreign(self, name: str) -> None:
        self._domain(name).undefine()

    def forget(self, name: str) -> None:
        self._domain(name).undefine()

    def disks(self) -> set[str]:
        pool = self._connect().storagePoolLookupByName(self._pool)
        pool.refresh()
        return {volume.name() for volume in pool.listAllVolumes()}

    def disk_size_bytes(self, machine: str) -> int:
        pool = self._connect().storagePoolLookupByName(self._pool)
        return pool.storageVolLookupByName(root_volume(machine)).info()[1]

    def grow_disk(self, machine: str) -> None:
        pool = self._connect().storagePoolLookupByName(self._pool)
        pool.storageVolLookupByName(root_volume(machine)).resize(2 * 2**30)

    def leave_half_disk(self, machine: str) -> None:
        pool = self._connect().storagePoolLookupByName(self._pool)
        pool.createXML(volume_xml(root_volume(machine), 0, "raw"))

    def cut_upload(self, image: PlannedImage) -> None:
        pool = self._connect().storagePoolLookupByName(self._pool)
        name = image_volume(image)
        pool.storageVolLookupByName(f"{name}.verified").delete()
        pool.storageVolLookupByName(name).delete()
        pool.createXML(volume_xml(name, 2**20, "raw"))

    def remove_image(self, image: PlannedImage) -> None:
        pool = self._connect().storagePoolLookupByName(self._pool)
        pool.refresh()
        for name in (image_volume(image), f"{image_volume(image)}.verified"):
            pool.storageVolLookupByName(name).delete()

    def place_disk(self, machine: str) -> None:
        pool = self._connect().storagePoolLookupByName(self._pool)
        pool.createXML(volume_xml(root_volume(machine), 2**30, "qcow2"))

    def make_other_network(self, name: str) -> None:
        self._connect().networkDefineXML(f"<network><name>{name}</name><forward mode='bridge'/><bridge name='br0'/></network>")

    def stop_network(self, name: str) -> None:
        self._connect().networkLookupByName(name).destroy()

    def remove_network(self, name: str) -> None:
        network = self._connect().networkLookupByName(name)
        if network.isActive():
            network.destroy()
        network.undefine()

    def remove_pool(self) -> None:
        pool = self._connect().storagePoolLookupByName(self._pool)
        pool.refresh()
        for volume in pool.listAllVolumes():
            volume.delete()
        pool.destroy()
        pool.delete()
        pool.undefine()

    def _domain(self, name: str) -> libvirt.virDomain:
        return self._connect().lookupByName(name)


def _unmarked(xml: str) -> str:
    """An element for metadata that holds nothing more is as good as none."""
    definition = etree.fromstring(xml, etree.XMLParser(remove_blank_text=True))
    for metadata in definition.findall("metadata"):
        for mark in metadata.findall(f"{{{NAMESPACE}}}machine"):
            metadata.remove(mark)
        if len(metadata) == 0:
            definition.remove(metadata)
    return etree.tostring(definition, encoding="unicode", pretty_print=True)
