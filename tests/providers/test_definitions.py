"""What we send to libvirt, as golden files, and that libvirt itself takes it and gives it back."""

from dataclasses import replace

import libvirt
import pytest
from lxml import etree

from controlplane.model.estate import StoragePool
from controlplane.model.observed import ObservedNic
from controlplane.model.plan import Method, PlannedMachine, PlannedNetwork, PlannedNic
from controlplane.model.resources import Resources
from controlplane.providers.libvirt_domain import domain_xml, interface_xml, mark_text, shape_of
from controlplane.providers.libvirt_network import network_xml
from controlplane.providers.libvirt_observe import virtualisation_of
from controlplane.providers.libvirt_storage import pool_xml, volume_xml

MACHINE = PlannedMachine(
    id="portal-1",
    uuid="c8f6ac8f-3735-500a-a9eb-16e5795a7ad6",
    system="portal",
    ministry="mic",
    host="hv1",
    size=Resources(vcpus=2, memory_mib=768, disk_gib=4),
    method=Method.IMAGE,
    nics=(
        PlannedNic(network="shared", mac="52:54:00:29:8a:11", address="192.0.2.9", prefix_length=24, gateway="192.0.2.1"),
        PlannedNic(network="mof", mac="52:54:00:29:8a:12", address="198.51.100.9", prefix_length=24),
    ),
    image="debian-12",
    confidentiality=1,
    tier="standard",
    order=1,
    reasons=(),
    derived_from=(),
)
NAMES = {"shared": "kasumi-shared", "mof": "kasumi-mof"}


def definition(machine=MACHINE, *, virtualisation="qemu", seed_path="/pool/portal-1-seed.iso"):
    return domain_xml(
        machine,
        estate="lab",
        plan="5d42176c",
        virtualisation=virtualisation,
        network_names=NAMES,
        root_path="/pool/portal-1.qcow2",
        seed_path=seed_path,
        os="debian-12" if machine.image else "",
    )


@pytest.mark.parametrize("virtualisation", ["kvm", "qemu"])
def test_machine_from_an_image(golden, virtualisation):
    golden(f"domain-image-{virtualisation}.xml", definition(virtualisation=virtualisation))


def test_machine_that_migrated(golden):
    golden("domain-cold-qemu.xml", definition(replace(MACHINE, method=Method.COLD, image=""), seed_path=None))


def test_networks_pool_and_volumes(golden):
    texts = [
        network_xml(PlannedNetwork(host="hv1", network="shared", name="kasumi-shared", bridge="br-shared")),
        network_xml(PlannedNetwork(host="hv1", network="mof", name="kasumi-mof", bridge="")),
        pool_xml(StoragePool(name="kasumi", path="/var/lib/kasumi/pool")),
        volume_xml("a.raw", 2**30, "raw"),
        volume_xml("a.qcow2", 2**30, "qcow2", backing=("/pool/base.qcow2", "qcow2")),
    ]
    golden("others.xml", "\n".join(texts) + "\n")


def test_what_we_write_is_what_we_read():
    shape = shape_of(_given_back(definition(virtualisation="test")))
    assert (shape.vcpus, shape.memory_mib) == (2, 768)
    assert shape.nics == (
        ObservedNic(network="kasumi-shared", mac="52:54:00:29:8a:11"),
        ObservedNic(network="kasumi-mof", mac="52:54:00:29:8a:12"),
    )
    assert shape.mark is not None
    assert (shape.mark.estate, shape.mark.machine, shape.mark.plan) == ("lab", "portal-1", "5d42176c")


@pytest.mark.parametrize("cards", [0, 1, 2])
def test_reading_by_layout_reads_the_same_as_reading_all(cards):
    given = _given_back(definition(replace(MACHINE, nics=MACHINE.nics[:cards]), virtualisation="test"))
    flat = etree.tostring(etree.fromstring(given, etree.XMLParser(remove_blank_text=True)), encoding="unicode")
    assert shape_of(given) == shape_of(flat)
    assert len(shape_of(given).nics) == cards


def test_metadata_of_others_cannot_pass_for_devices():
    fake = "\n  <devices>\n    <interface type='network'>\n      <source network='x'/>\n    </interface>\n  </devices>\n"
    given = _given_back(
        definition(virtualisation="test").replace("</metadata>", f"<o xmlns='urn:o'><![CDATA[{fake}]]></o></metadata>")
    )
    assert fake in given
    assert [nic.network for nic in shape_of(given).nics] == ["kasumi-shared", "kasumi-mof"]


def test_no_name_breaks_out_of_its_place():
    hostile = replace(MACHINE, system='"/><on_crash>destroy</on_crash><x a="', ministry="]]>&lt;mof")
    domain = etree.fromstring(definition(hostile))
    assert [each.text for each in domain.iterfind("on_crash")] == ["restart"]
    assert domain.findtext("title") == f"{hostile.ministry}/{hostile.system}/portal-1"
    assert etree.fromstring(mark_text(hostile, estate="lab", plan="x")).get("system") == hostile.system


def test_entities_in_a_definition_are_not_followed(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("7")
    xml = f'<!DOCTYPE d [<!ENTITY e SYSTEM "file://{secret}">]><domain><memory>&e;</memory><vcpu>1</vcpu></domain>'
    with pytest.raises((TypeError, ValueError)):
        shape_of(xml)


def test_a_moved_card_keeps_what_somebody_set_on_it():
    xml = (
        "<domain><devices><interface type='bridge'><mac address='52:54:00:29:8a:11'/><source bridge='br9'/><target dev='vnet3'/>"
        "<model type='e1000'/><bandwidth><inbound average='1000'/></bandwidth></interface></devices></domain>"
    )
    card = etree.fromstring(interface_xml(xml, "52:54:00:29:8a:11", "kasumi-mof"))
    assert card.get("type") == "network"
    assert [source.attrib for source in card.iterfind("source")] == [{"network": "kasumi-mof"}]
    assert card.find("target") is None
    assert card.find("model").get("type") == "e1000"
    assert card.find("bandwidth/inbound").get("average") == "1000"


@pytest.mark.parametrize(("types", "found"), [(("qemu", "kvm"), "kvm"), (("qemu",), "qemu"), (("test",), "test"), ((), "none")])
def test_what_a_host_offers(types, found):
    offers = "".join(f"<domain type='{kind}'/>" for kind in types)
    assert virtualisation_of(f"<capabilities><guest><arch name='x86_64'>{offers}</arch></guest></capabilities>") == found


def _given_back(xml):
    connection = libvirt.open("test:///default")
    try:
        return connection.defineXML(xml).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    finally:
        connection.close()
