"""A libvirt host behind `providers.protocol`: looks before it acts, never recreates, and changes only what carries our mark.

Cost of an observation: one `listAllDomains` with names and uuids, one with autostart only, one `getAllDomainStats` of the cheap
groups, and the definition of each domain (two for a running one), because libvirt gives neither marks nor persistent settings in
bulk. That is about 0.2 ms for a stopped domain on a local socket; no other call is made for each domain, and none of them asks the
guest or waits for its monitor.
"""

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import libvirt
import libvirt_qemu
from lxml import etree

from controlplane.errors import KasumiError, RefusedError
from controlplane.model.estate import StoragePool
from controlplane.model.observed import HostCapacity, HostObservation, ObservedMachine, ObservedNetwork
from controlplane.model.plan import PlannedImage, PlannedMachine, PlannedNetwork
from controlplane.model.resources import Resources, total
from controlplane.providers.libvirt_connection import Connection
from controlplane.providers.libvirt_domain import (
    NAMESPACE,
    PREFIX,
    XML_PARSER,
    Shape,
    domain_xml,
    mark_element,
    observed_machine,
    shape_of,
)
from controlplane.providers.libvirt_storage import Storage, copy_volume, root_volume, seed_volume
from controlplane.providers.protocol import MachineRef, Seed
from controlplane.providers.seed import seed_iso

_STATS = (
    libvirt.VIR_DOMAIN_STATS_STATE | libvirt.VIR_DOMAIN_STATS_CPU_TOTAL | libvirt.VIR_DOMAIN_STATS_BALLOON | libvirt.VIR_DOMAIN_STATS_VCPU
)
_LOOK_SECONDS = 0.5
_PRESS_AGAIN_SECONDS = 20.0
_RUNNING_SECONDS = 30.0
_AGENT_SECONDS = 3
_HOST_KEYS = ("ssh_host_ed25519_key.pub", "ssh_host_ecdsa_key.pub", "ssh_host_rsa_key.pub")


class LibvirtProvider:
    """Implements Provider and CopyHost; calls may come from several threads."""

    def __init__(self, host: str, connection: Connection, pool: StoragePool, *, estate: str) -> None:
        self._host = host
        self._connection = connection
        self._storage = Storage(pool, connection.open)
        self._estate = estate
        self._preparing = threading.Lock()

    @property
    def host(self) -> str:
        """Id of the host it stands for."""
        return self._host

    def close(self) -> None:
        """Drop the connection."""
        self._connection.close()

    def observe(self) -> HostObservation:
        """Everything on the host; see the module for what it costs."""
        began = time.monotonic()
        with self._connection.errors(f"host {self._host}"):
            connection = self._connection.open()
            starting = {domain.UUIDString() for domain in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_AUTOSTART)}
            machines = tuple(
                seen
                for domain, stats in connection.getAllDomainStats(_STATS, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT)
                if (seen := _observed(domain, stats, starting)) is not None
            )
            networks = tuple(_network(network) for network in connection.listAllNetworks())
            space = self._storage.total_and_free_gib()
            capacity = self._capacity(connection, machines, space[0] if space is not None else 0)
        return HostObservation(
            host=self._host,
            observed_at=datetime.now(UTC),
            duration_seconds=time.monotonic() - began,
            capacity=capacity,
            machines=tuple(sorted(machines, key=lambda machine: machine.name)),
            networks=networks,
            disk_free_gib=space[1] if space is not None else None,
        )

    def ensure_network(self, network: PlannedNetwork) -> None:
        """Define, start and autostart. Raises RefusedError for a network of this name on another bridge."""
        with self._connection.errors(f"network {network.name}"), self._preparing:
            connection = self._connection.open()
            found = next((each for each in connection.listAllNetworks() if each.name() == network.name), None)
            if found is None:
                found = connection.networkDefineXML(_network_xml(network))
            elif network.bridge and _network(found).bridge != network.bridge:
                bridge = _network(found).bridge or "none"
                raise RefusedError(f"network {network.name} on {self._host}: wanted bridge {network.bridge}, found {bridge}; clear it up by hand")
            if not found.isActive():
                found.create()
            if not found.autostart():
                found.setAutostart(1)

    def ensure_storage(self) -> None:
        """Make and start our pool."""
        with self._connection.errors(f"storage of {self._host}"), self._preparing:
            self._storage.ensure()

    def ensure_image(self, image: PlannedImage) -> None:
        """Place the base image, whole and verified."""
        with self._connection.errors(f"image {image.id}"), self._preparing:
            self._storage.ensure_image(image)

    def ensure_copy_volume(self, machine: PlannedMachine, *, size_bytes: int) -> Path:
        """The raw volume for the pristine copy."""
        with self._connection.errors(f"copy of {machine.id}"), self._preparing:
            return Path(self._storage.ensure_raw(copy_volume(machine.id), size_bytes=size_bytes))

    def ensure_overlay(self, machine: PlannedMachine) -> None:
        """The root disk over the pristine copy."""
        with self._connection.errors(f"disk of {machine.id}"), self._preparing:
            self._storage.ensure_overlay(
                root_volume(machine.id),
                backing_path=self._storage.path_of(copy_volume(machine.id)),
                backing_format="raw",
                size_gib=machine.size.disk_gib,
            )

    def ensure_machine(
        self, machine: PlannedMachine, *, plan: str, network_names: dict[str, str], image: PlannedImage | None, seed: Seed | None
    ) -> None:
        """Define what is missing, adjust what differs; disk and domain that exist are kept."""
        with self._connection.errors(f"machine {machine.id}"):
            ref = MachineRef(estate=self._estate, machine=machine.id, uuid=machine.uuid)
            domain = self._find(ref)
            if domain is None:
                self._define(machine, plan, network_names, image, seed)
                domain = self._owned(ref)
            else:
                self._adjust(domain, machine, plan, network_names)
            if bool(domain.autostart()) != machine.autostart:
                domain.setAutostart(int(machine.autostart))

    def start(self, ref: MachineRef) -> None:
        """Power on, resume, or start again after a crash."""
        with self._connection.errors(f"machine {ref.machine}"):
            domain = self._owned(ref)
            deadline = time.monotonic() + _RUNNING_SECONDS
            while (state := domain.state()[0]) not in {libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_BLOCKED}:
                if time.monotonic() > deadline:
                    raise KasumiError(f"machine {ref.machine} on {self._host}: started, but does not run after {_RUNNING_SECONDS:.0f} s")
                if state == libvirt.VIR_DOMAIN_SHUTOFF:
                    domain.create()
                elif state == libvirt.VIR_DOMAIN_PAUSED:
                    domain.resume()
                elif state == libvirt.VIR_DOMAIN_CRASHED:
                    domain.destroy()
                else:
                    time.sleep(_LOOK_SECONDS)

    def stop(self, ref: MachineRef, *, force_after_seconds: float | None) -> None:
        """Ask the guest to shut down; force it off only after the given time."""
        with self._connection.errors(f"machine {ref.machine}"):
            domain = self._find(ref)
            began = time.monotonic()
            pressed = None
            while domain is not None and domain.isActive():
                now = time.monotonic()
                if force_after_seconds is not None and now - began > force_after_seconds:
                    domain.destroy()
                    continue
                if force_after_seconds is None and now - began > _PRESS_AGAIN_SECONDS * 6:
                    raise KasumiError(f"machine {ref.machine} on {self._host}: asked to shut down, still running; shut it down from inside")
                if pressed is None or now - pressed > _PRESS_AGAIN_SECONDS:
                    _press(domain)
                    pressed = now
                time.sleep(_LOOK_SECONDS)

    def remove(self, ref: MachineRef) -> None:
        """Undefine and delete the volumes made for it. Raises KasumiError when it runs."""
        with self._connection.errors(f"machine {ref.machine}"), self._preparing:
            domain = self._find(ref)
            if domain is not None:
                if domain.isActive():
                    raise KasumiError(f"machine {ref.machine} on {self._host}: wanted stopped before removal, found running; stop it first")
                domain.undefineFlags(
                    libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
                    | libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
                    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
                    | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
                )
            for name in (root_volume(ref.machine), seed_volume(ref.machine), copy_volume(ref.machine)):
                self._storage.delete(name)

    def ssh_host_keys(self, ref: MachineRef) -> tuple[str, ...]:
        """Read through the guest agent; empty while it does not answer."""
        with self._connection.errors(f"machine {ref.machine}"):
            domain = self._owned(ref)
            try:
                keys = [_read_by_agent(domain, f"/etc/ssh/{name}") for name in _HOST_KEYS]
            except libvirt.libvirtError as error:
                if error.get_error_code() in {
                    libvirt.VIR_ERR_AGENT_UNRESPONSIVE,
                    libvirt.VIR_ERR_AGENT_UNSYNCED,
                    libvirt.VIR_ERR_OPERATION_INVALID,
                }:
                    return ()
                raise
        return tuple(" ".join(key.split()[:2]) for key in keys if key)

    def _capacity(self, connection: libvirt.virConnect, machines: tuple[ObservedMachine, ...], disk_gib: int) -> HostCapacity:
        model, memory_mib, cpus, *_ = connection.getInfo()
        foreign = [
            Resources(vcpus=machine.vcpus, memory_mib=machine.memory_mib)
            for machine in machines
            if machine.mark is None or machine.mark.estate != self._estate
        ]
        version = connection.getLibVersion()
        return HostCapacity(
            total=Resources(vcpus=cpus, memory_mib=memory_mib, disk_gib=disk_gib),
            used_by_foreign=total(foreign),
            hypervisor=connection.getType(),
            version=f"{version // 1_000_000}.{version // 1000 % 1000}.{version % 1000}",
            architecture=str(model),
            virtualisation=_virtualisation(connection),
        )

    def _find(self, ref: MachineRef) -> libvirt.virDomain | None:
        """Our domain, or None; raises RefusedError when the name or the uuid belongs to somebody else."""
        connection = self._connection.open()
        by_uuid = _lookup(lambda: connection.lookupByUUIDString(ref.uuid))
        if by_uuid is None:
            namesake = _lookup(lambda: connection.lookupByName(ref.machine))
            if namesake is not None:
                raise RefusedError(
                    f"machine {ref.machine} on {self._host}: wanted uuid {ref.uuid}, found a domain of this name with uuid "
                    f"{namesake.UUIDString()}; rename or remove it by hand"
                )
            return None
        mark = shape_of(by_uuid.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)).mark
        if mark is None or mark.estate != ref.estate or mark.machine != ref.machine:
            found = "no mark" if mark is None else f"the mark of {mark.estate}/{mark.machine}"
            raise RefusedError(
                f"machine {ref.machine} on {self._host}: domain {by_uuid.name()} has our uuid but {found}; nothing was touched, clear it up by hand"
            )
        return by_uuid

    def _owned(self, ref: MachineRef) -> libvirt.virDomain:
        domain = self._find(ref)
        if domain is None:
            raise KasumiError(f"machine {ref.machine}: not on {self._host}; apply the plan again")
        return domain

    def _define(
        self, machine: PlannedMachine, plan: str, names: Mapping[str, str], image: PlannedImage | None, seed: Seed | None
    ) -> None:
        with self._preparing:
            connection = self._connection.open()
            if image is not None:
                root = self._storage.ensure_overlay(
                    root_volume(machine.id),
                    backing_path=self._storage.image_path(image),
                    backing_format=image.format,
                    size_gib=machine.size.disk_gib,
                )
            else:
                root = self._storage.path_of(root_volume(machine.id))
            seed_path = self._storage.replace_content(seed_volume(machine.id), seed_iso(seed)) if seed is not None else None
            connection.defineXML(
                domain_xml(
                    machine,
                    estate=self._estate,
                    plan=plan,
                    virtualisation=_virtualisation(connection),
                    network_names=names,
                    root_path=root,
                    seed_path=seed_path,
                )
            )

    def _adjust(self, domain: libvirt.virDomain, machine: PlannedMachine, plan: str, names: Mapping[str, str]) -> None:
        kept = shape_of(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        changed = False
        if kept.vcpus != machine.size.vcpus:
            _set_config_vcpus(domain, machine.size.vcpus)
            changed = True
        if kept.memory_mib != machine.size.memory_mib:
            _set_config_memory(domain, machine.size.memory_mib)
            changed = True
        wanted = {nic.mac: names[nic.network] for nic in machine.nics}
        changed |= _set_nics(domain, kept, wanted, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
        if domain.isActive():
            _set_live_size(domain, machine.size)
            changed |= _set_nics(domain, shape_of(domain.XMLDesc()), wanted, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        if changed:
            mark = etree.tostring(mark_element(machine, estate=self._estate, plan=plan), encoding="unicode")
            flags = libvirt.VIR_DOMAIN_AFFECT_CONFIG | (libvirt.VIR_DOMAIN_AFFECT_LIVE if domain.isActive() else 0)
            domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, mark, PREFIX, NAMESPACE, flags)


def _observed(domain: libvirt.virDomain, stats: dict[str, int], starting: set[str]) -> ObservedMachine | None:
    """None for a domain that vanished while we looked."""
    try:
        kept = shape_of(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        active = stats.get("state.state") not in {libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_NOSTATE}
        live = shape_of(domain.XMLDesc()) if active else None
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise
    uuid = domain.UUIDString()
    return observed_machine(domain.name(), uuid, kept, live, stats, autostart=uuid in starting)


def _network(network: libvirt.virNetwork) -> ObservedNetwork:
    bridge = etree.fromstring(network.XMLDesc(), XML_PARSER).find("bridge")
    return ObservedNetwork(
        name=network.name(),
        active=bool(network.isActive()),
        autostart=bool(network.autostart()),
        bridge=bridge.get("name", "") if bridge is not None else "",
    )


def _network_xml(network: PlannedNetwork) -> str:
    xml = etree.Element("network")
    etree.SubElement(xml, "name").text = network.name
    if network.bridge:
        etree.SubElement(xml, "forward", {"mode": "bridge"})
        etree.SubElement(xml, "bridge", {"name": network.bridge})
    return etree.tostring(xml, encoding="unicode")


def _virtualisation(connection: libvirt.virConnect) -> str:
    """kvm where libvirt's own probe of QEMU found it to work, qemu where it did not, test for the test driver."""
    capabilities = etree.fromstring(connection.getCapabilities(), XML_PARSER)
    types = {domain.get("type") for domain in capabilities.iterfind("guest/arch[@name='x86_64']/domain")}
    types |= {domain.get("type") for domain in capabilities.iterfind("guest/arch/domain")}
    return next(kind for kind in ("kvm", "qemu", "test") if kind in types)


def _lookup(find: Callable[[], libvirt.virDomain]) -> libvirt.virDomain | None:
    try:
        return find()
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise


def _press(domain: libvirt.virDomain) -> None:
    try:
        domain.shutdown()
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_OPERATION_INVALID:  # it went down just before
            raise


def _set_config_vcpus(domain: libvirt.virDomain, vcpus: int) -> None:
    config = libvirt.VIR_DOMAIN_AFFECT_CONFIG
    if vcpus > domain.vcpusFlags(config | libvirt.VIR_DOMAIN_VCPU_MAXIMUM):
        domain.setVcpusFlags(vcpus, config | libvirt.VIR_DOMAIN_VCPU_MAXIMUM)
    domain.setVcpusFlags(vcpus, config)
    domain.setVcpusFlags(vcpus, config | libvirt.VIR_DOMAIN_VCPU_MAXIMUM)


def _set_config_memory(domain: libvirt.virDomain, memory_mib: int) -> None:
    config = libvirt.VIR_DOMAIN_AFFECT_CONFIG
    domain.setMemoryFlags(memory_mib * 1024, config | libvirt.VIR_DOMAIN_MEM_MAXIMUM)
    domain.setMemoryFlags(memory_mib * 1024, config)


def _set_live_size(domain: libvirt.virDomain, size: Resources) -> None:
    """As far as the running machine can follow; the rest shows as drift until its restart."""
    live = libvirt.VIR_DOMAIN_AFFECT_LIVE
    current = domain.vcpusFlags(live)
    if current != size.vcpus and size.vcpus <= domain.vcpusFlags(live | libvirt.VIR_DOMAIN_VCPU_MAXIMUM):
        domain.setVcpusFlags(size.vcpus, live)
    _, maximum_kib, current_kib, *_ = domain.info()
    if current_kib != size.memory_mib * 1024 <= maximum_kib:
        domain.setMemoryFlags(size.memory_mib * 1024, live)


def _set_nics(domain: libvirt.virDomain, shape: Shape, wanted: Mapping[str, str], flag: int) -> bool:
    found = {nic.mac: nic.network for nic in shape.nics}
    for mac in found.keys() - wanted.keys():
        domain.detachDeviceFlags(_nic_xml(mac, found[mac]), flag)
    for mac, network in wanted.items():
        if mac not in found:
            domain.attachDeviceFlags(_nic_xml(mac, network), flag)
        elif found[mac] != network:
            domain.updateDeviceFlags(_nic_xml(mac, network), flag)
    return found != dict(wanted)


def _nic_xml(mac: str, network: str) -> str:
    interface = etree.Element("interface", {"type": "network"})
    etree.SubElement(interface, "mac", {"address": mac})
    etree.SubElement(interface, "source", {"network": network})
    etree.SubElement(interface, "model", {"type": "virtio"})
    return etree.tostring(interface, encoding="unicode")


def _read_by_agent(domain: libvirt.virDomain, path: str) -> str:
    """A small file in the guest, or empty when it is not there."""

    def ask(execute: str, arguments: dict[str, object]) -> object:
        command = json.dumps({"execute": execute, "arguments": arguments})
        return json.loads(libvirt_qemu.qemuAgentCommand(domain, command, _AGENT_SECONDS, 0))["return"]

    try:
        handle = ask("guest-file-open", {"path": path, "mode": "r"})
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_INTERNAL_ERROR:  # what libvirt makes of the agent's "no such file"
            return ""
        raise
    try:
        answer = ask("guest-file-read", {"handle": handle, "count": 4096})
    finally:
        ask("guest-file-close", {"handle": handle})
    if not isinstance(answer, dict):
        return ""
    return base64.b64decode(answer["buf-b64"]).decode().strip()
