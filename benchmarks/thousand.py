"""A thousand domains with our mark on a real libvirtd of the lab, and the plan that wants them; removed at the end."""

from collections.abc import Iterator
from contextlib import contextmanager

import libvirt

from controlplane.model.estate import StoragePool
from controlplane.model.plan import Method, Plan, PlannedAccess, PlannedHost, PlannedMachine, PlannedNetwork, PlannedNic
from controlplane.model.resources import Resources
from controlplane.providers.libvirt_domain import domain_xml
from lab import hosts, layout, lifecycle

ESTATE = "bench"
NETWORK = "kasumi-bench"
DISKS = "/var/lib/libvirt/kasumi-bench"
POOL = f"<pool type='dir'><name>kasumi-bench</name><target><path>{DISKS}</path></target></pool>"
DISK = "<volume><name>{name}.qcow2</name><capacity>1048576</capacity><target><format type='qcow2'/></target></volume>"


def socket_uri() -> str:
    """hv1 by its own socket: no ssh in what is measured."""
    return f"qemu+unix:///system?socket={layout.host_socket(layout.hosts(2)[0])}"


def machine(number: int) -> PlannedMachine:
    """The planned machine of a number below 65536."""
    return PlannedMachine(
        id=f"bench-{number:04d}",
        uuid=f"00000000-0000-4000-9000-{number:012d}",
        system="bench",
        ministry="bench",
        host="hv1",
        size=Resources(vcpus=1, memory_mib=64, disk_gib=1),
        method=Method.IMAGE,
        nics=(
            PlannedNic(
                network="bench", mac=f"52:54:00:fe:{number >> 8:02x}:{number & 255:02x}", address="192.0.2.1", prefix_length=24
            ),
        ),
        image="blank",
        confidentiality=1,
        tier="standard",
        order=number,
        reasons=("benchmark",),
        derived_from=(),
        autostart=False,
    )


def plan(machines: tuple[PlannedMachine, ...]) -> Plan:
    """A plan of these machines on hv1."""
    nothing = Resources()
    host = PlannedHost(
        id="hv1",
        uri=socket_uri(),
        site="east",
        rack="r1",
        pool=StoragePool(name="kasumi", path="/var/lib/libvirt/kasumi"),
        virtualisation="qemu",
        physical=nothing,
        promised_capacity=nothing,
        allocated_before=nothing,
        allocated_after=nothing,
    )
    return Plan(
        estate=ESTATE,
        parent="",
        inputs={},
        access=PlannedAccess(user="kasumi", authorized_keys=(), identity_file="", ssh_config=""),
        ministries={"bench": "Benchmark"},
        systems=(),
        hosts=(host,),
        networks=(PlannedNetwork(host="hv1", network="bench", name=NETWORK, bridge="br-shared"),),
        images=(),
        machines=machines,
        servers=(),
    )


@contextmanager
def thousand_domains(count: int = 1000, *, running: int = 0) -> Iterator[tuple[libvirt.virConnect, Plan]]:
    """The domains, defined; the first ones run, each on an empty disk, the others are stopped."""
    lifecycle.up()
    connection = libvirt.open(socket_uri())
    network = connection.networkDefineXML(
        f"<network><name>{NETWORK}</name><forward mode='bridge'/><bridge name='br-shared'/></network>"
    )
    network.create()
    network.setAutostart(1)
    pool = connection.storagePoolCreateXML(POOL, libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD)
    machines = tuple(machine(number) for number in range(count))
    try:
        for each in machines:
            connection.defineXML(
                domain_xml(
                    each,
                    estate=ESTATE,
                    plan="0" * 64,
                    virtualisation="qemu",
                    network_names={"bench": NETWORK},
                    root_path=f"{DISKS}/{each.id}.qcow2",
                    seed_path=None,
                )
            )
        for each in machines[:running]:
            pool.createXML(DISK.format(name=each.id))
            connection.lookupByName(each.id).create()
        yield connection, plan(machines)
    finally:
        for domain in connection.listAllDomains():
            if domain.name().startswith("bench-"):
                if domain.isActive():
                    domain.destroy()
                domain.undefine()
        for volume in pool.listAllVolumes():
            volume.delete()
        pool.destroy()
        network.destroy()
        network.undefine()
        connection.close()


def virsh(*arguments: str) -> str:
    """virsh on hv1."""
    return hosts.virsh(layout.hosts(2)[0], *arguments)
