"""A libvirt host behind `providers.protocol`: looks before it acts, never recreates, and changes only what carries our mark.

The parts: `libvirt_connection` (URI, ssh, errors), `libvirt_observe` (the look and what it costs), `libvirt_storage` (pool,
volumes), `libvirt_network`, `libvirt_domain` (definitions), `libvirt_adjust` (changes of what exists), `libvirt_adopt` (what
stood there before us), `libvirt_guest` (agent).
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import libvirt

from controlplane.errors import KasumiError, RefusedError
from controlplane.model.estate import StoragePool
from controlplane.model.observed import HostObservation
from controlplane.model.plan import Method, PlannedImage, PlannedMachine, PlannedNetwork
from controlplane.providers import libvirt_guest, libvirt_network
from controlplane.providers.libvirt_adjust import adjust_disk, adjust_nics, adjust_size
from controlplane.providers.libvirt_adopt import grow_adopted, look_at, put_mark, take_mark
from controlplane.providers.libvirt_connection import Connection
from controlplane.providers.libvirt_domain import domain_xml, shape_of
from controlplane.providers.libvirt_observe import (
    observe_capacity,
    observe_machines,
    observe_networks,
    virtualisation_of,
    with_usage,
)
from controlplane.providers.libvirt_storage import Storage, copy_volume, root_volume, seed_volume
from controlplane.providers.protocol import CopyPlace, Foreign, MachineRef, Seed
from controlplane.providers.seed import seed_iso

_LOOK_SECONDS = 0.5
_PRESS_AGAIN_SECONDS = 20.0
"""Guests drop a power button event that comes while they boot, so it is pressed again."""
_SHUTDOWN_SECONDS = 120.0
_RUNNING_SECONDS = 30.0
_ON = frozenset({libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_BLOCKED})
_WITH_ITS_STATE = libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
_WITH_ITS_FIRMWARE = libvirt.VIR_DOMAIN_UNDEFINE_NVRAM | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
"""Unknown to libvirt's test driver."""


class LibvirtProvider:
    """Implements Provider and CopyHost; calls may come from several threads, those for one machine run one after another."""

    def __init__(self, host: str, connection: Connection, pool: StoragePool, *, estate: str) -> None:
        self._host = host
        self._connection = connection
        self._storage = Storage(pool, connection.open)
        self._estate = estate
        self._preparing = threading.Lock()
        self._machine_locks: dict[str, threading.RLock] = {}
        self._virtualisation: str | None = None

    @property
    def host(self) -> str:
        """Id of the host it stands for."""
        return self._host

    def close(self) -> None:
        """Drop the connection."""
        self._connection.close()

    def observe(self) -> HostObservation:
        """Everything on the host; see `libvirt_observe` for what it costs."""
        began = time.monotonic()
        with self._connection.errors(f"host {self._host}"):
            connection = self._connection.open()
            machines = observe_machines(self._connection)
            networks = observe_networks(connection)
            space = self._storage.total_and_free_gib()
            capacity = observe_capacity(
                connection,
                machines,
                estate=self._estate,
                disk_gib=space[0] if space is not None else 0,
                virtualisation=self._domain_type(connection),
            )
            machines = with_usage(self._connection, machines)
        return HostObservation(
            host=self._host,
            observed_at=datetime.now(UTC),
            duration_seconds=time.monotonic() - began,
            capacity=capacity,
            machines=machines,
            networks=networks,
            disk_free_gib=space[1] if space is not None else None,
        )

    def ensure_network(self, network: PlannedNetwork) -> None:
        """Define, start and autostart. Raises RefusedError for a network of this name with another shape."""
        with self._connection.errors(f"network {network.name}"), self._preparing:
            libvirt_network.ensure_network(self._connection.open(), network)

    def ensure_storage(self) -> None:
        """Make and start our pool."""
        with self._connection.errors(f"storage of {self._host}"):
            self._storage.ensure()

    def ensure_image(self, image: PlannedImage) -> None:
        """Place the base image, whole and verified."""
        with self._connection.errors(f"image {image.id}"):
            self._storage.ensure_image(image)

    @property
    def copy_place(self) -> CopyPlace:
        """Our pool on the host."""
        return CopyPlace(uri=self._connection.uri, folder=Path(self._storage.folder))

    def obstacles(self, machine: PlannedMachine, *, size_bytes: int) -> tuple[str, ...]:
        """A disk of another life in its place: it would pass for the copy, and the way back would delete it."""
        try:
            with self._connection.errors(f"machine {machine.id}"):
                self._storage.refuse_overlay_on_other(root_volume(machine.id), backing=copy_volume(machine.id))
        except KasumiError as error:
            return (str(error),)
        return ()

    def ensure_copy_file(self, machine: PlannedMachine, *, size_bytes: int) -> Path:
        """The raw volume for the pristine copy."""
        with self._connection.errors(f"copy of {machine.id}"), self._of(machine.id):
            return Path(self._storage.ensure_raw(copy_volume(machine.id), size_bytes=size_bytes))

    def take_in(
        self,
        machine: PlannedMachine,
        *,
        plan: str,
        network_names: dict[str, str],
        sha256: str,
        size_bytes: int,
        told: Callable[[str], None],
    ) -> str:
        """The root disk as an overlay on the pristine copy, and the domain, stopped."""
        with self._connection.errors(f"disk of {machine.id}"), self._of(machine.id):
            self._storage.refuse_overlay_on_other(root_volume(machine.id), backing=copy_volume(machine.id))
            self._storage.ensure_overlay(
                root_volume(machine.id), backing=copy_volume(machine.id), backing_format="raw", size_gib=machine.size.disk_gib
            )
        self.ensure_machine(machine, plan=plan, network_names=network_names, image=None, seed=None)
        return f"overlay on {copy_volume(machine.id)}"

    def ensure_machine(
        self,
        machine: PlannedMachine,
        *,
        plan: str,
        network_names: dict[str, str],
        image: PlannedImage | None,
        seed: Seed | None,
        native_id: str = "",
        starting: bool = False,
    ) -> str:
        """Define what is missing, adjust what differs; disk and domain that exist are kept."""
        with self._connection.errors(f"machine {machine.id}"), self._of(machine.id):
            domain = self._find(self._ref(machine, native_id))
            if domain is None and machine.method is Method.ADOPT:
                raise RefusedError(
                    f"machine {machine.id} on {self._host}: it was adopted, so it is never made anew; bring it back by hand, or "
                    "take it out of the inventory"
                )
            if domain is None:
                domain = self._define(machine, plan, network_names, image, seed)
            else:
                self._adjust(domain, machine, plan, network_names)
            if bool(domain.autostart()) != machine.autostart:
                domain.setAutostart(int(machine.autostart))
        return ""

    def start(self, ref: MachineRef) -> None:
        """Power on, resume, wake, or start again after a crash."""
        with self._connection.errors(f"machine {ref.machine}"), self._of(ref.machine):
            domain = self._owned(ref)
            deadline = time.monotonic() + _RUNNING_SECONDS
            while (state := domain.state()[0]) not in _ON:
                if time.monotonic() > deadline:
                    raise KasumiError(
                        f"machine {ref.machine} on {self._host}: started, but does not run after {_RUNNING_SECONDS:.0f} s; "
                        "look at its log on the host"
                    )
                if state == libvirt.VIR_DOMAIN_SHUTOFF:
                    domain.create()
                elif state == libvirt.VIR_DOMAIN_PAUSED:
                    domain.resume()
                elif state == libvirt.VIR_DOMAIN_PMSUSPENDED:
                    domain.pMWakeup()
                elif state == libvirt.VIR_DOMAIN_CRASHED:
                    domain.destroy()
                else:
                    time.sleep(_LOOK_SECONDS)

    def stop(self, ref: MachineRef, *, force_after_seconds: float | None) -> None:
        """Ask the guest to shut down; force it off only after the given time. What crashed runs no guest that could be asked."""
        with self._connection.errors(f"machine {ref.machine}"), self._of(ref.machine):
            domain = self._find(ref)
            began = time.monotonic()
            pressed_at: float | None = None
            while domain is not None and (state := domain.state()[0]) != libvirt.VIR_DOMAIN_SHUTOFF:
                now = time.monotonic()
                if state == libvirt.VIR_DOMAIN_CRASHED or (
                    force_after_seconds is not None and now - began >= force_after_seconds
                ):
                    domain.destroy()
                    continue
                if force_after_seconds is None and now - began > _SHUTDOWN_SECONDS:
                    raise KasumiError(
                        f"machine {ref.machine} on {self._host}: asked to shut down, still running after "
                        f"{_SHUTDOWN_SECONDS:.0f} s; shut it down from inside"
                    )
                if state == libvirt.VIR_DOMAIN_PAUSED:
                    domain.resume()
                if pressed_at is None or now - pressed_at > _PRESS_AGAIN_SECONDS:
                    _press(domain)
                    pressed_at = now
                time.sleep(_LOOK_SECONDS)

    def set_autostart(self, ref: MachineRef, *, autostart: bool) -> None:
        """Whether it starts with its host."""
        with self._connection.errors(f"machine {ref.machine}"), self._of(ref.machine):
            self._owned(ref).setAutostart(int(autostart))

    def remove(self, ref: MachineRef) -> None:
        """Undefine and delete the volumes made for it. Raises KasumiError when it runs."""
        with self._connection.errors(f"machine {ref.machine}"), self._of(ref.machine):
            domain = self._find(ref)
            if domain is not None:
                if domain.UUIDString() != ref.uuid:
                    raise RefusedError(
                        f"machine {ref.machine} on {self._host}: it was adopted, so it and its disks are not ours to delete"
                    )
                if domain.isActive():
                    raise KasumiError(
                        f"machine {ref.machine} on {self._host}: wanted stopped before removal, found running; stop it first"
                    )
                real = self._domain_type(self._connection.open()) != "test"
                domain.undefineFlags(_WITH_ITS_STATE | (_WITH_ITS_FIRMWARE if real else 0))
            for name in (root_volume(ref.machine), seed_volume(ref.machine), copy_volume(ref.machine)):
                self._storage.delete(name)

    def ssh_host_keys(self, ref: MachineRef) -> tuple[str, ...]:
        """Read through the guest agent; empty while it does not answer."""
        with self._connection.errors(f"machine {ref.machine}"):
            return libvirt_guest.ssh_host_keys(self._owned(ref))

    def look_at_foreign(self, native_id: str) -> Foreign:
        """Its disk, and what a plan cannot say of it."""
        with self._connection.errors(f"domain {native_id}"):
            return look_at(self._connection.open().lookupByUUIDString(native_id))

    def adopt(self, machine: PlannedMachine, *, native_id: str, plan: str) -> None:
        """Write our mark into the definition, persistent and running; nothing else changes."""
        with self._connection.errors(f"machine {machine.id}"), self._of(machine.id):
            domain = self._connection.open().lookupByUUIDString(native_id)
            shape = shape_of(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
            if shape.mark is not None and (shape.mark.estate, shape.mark.machine, shape.planned_uuid) != (
                self._estate,
                machine.id,
                machine.uuid,
            ):
                raise RefusedError(
                    f"machine {machine.id} on {self._host}: domain {domain.name()} bears the mark of "
                    f"{shape.mark.estate}/{shape.mark.machine}; nothing was touched"
                )
            found_gib = look_at(domain).disk_gib
            as_found = replace(machine.size, disk_gib=machine.size.disk_gib if found_gib is None else found_gib)
            put_mark(domain, replace(machine, size=as_found), estate=self._estate, plan=plan)

    def release(self, ref: MachineRef) -> None:
        """Take our mark out of the definition, persistent and running; nothing else changes."""
        with self._connection.errors(f"machine {ref.machine}"), self._of(ref.machine):
            connection = self._connection.open()
            domain = _lookup(lambda: connection.lookupByUUIDString(ref.native_id))
            if domain is None or shape_of(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)).mark is None:
                return
            take_mark(self._owned(ref))

    def _of(self, machine: str) -> threading.RLock:
        """The lock of one machine, under which its mark and uuid are looked at again and then acted on."""
        return self._machine_locks.setdefault(machine, threading.RLock())

    def _ref(self, machine: PlannedMachine, native_id: str) -> MachineRef:
        return MachineRef(estate=self._estate, machine=machine.id, uuid=machine.uuid, native_id=native_id)

    def _domain_type(self, connection: libvirt.virConnect) -> str:
        if self._virtualisation is None:
            self._virtualisation = virtualisation_of(connection.getCapabilities())
        return self._virtualisation

    def _find(self, ref: MachineRef) -> libvirt.virDomain | None:
        """Our domain, or None; raises RefusedError when the name or the uuid belongs to somebody else.

        An adopted one keeps its own uuid, which is on record; its mark says which planned one it stands for.
        """
        connection = self._connection.open()
        by_uuid = _lookup(lambda: connection.lookupByUUIDString(ref.native_id or ref.uuid))
        if by_uuid is None:
            namesake = _lookup(lambda: connection.lookupByName(ref.machine))
            if namesake is not None:
                raise RefusedError(
                    f"machine {ref.machine} on {self._host}: wanted uuid {ref.uuid}, found a domain of this name with uuid "
                    f"{namesake.UUIDString()}; rename or remove it by hand"
                )
            return None
        shape = shape_of(by_uuid.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        mark = shape.mark
        stands_for = shape.planned_uuid or by_uuid.UUIDString()
        if mark is None or (mark.estate, mark.machine, stands_for) != (ref.estate, ref.machine, ref.uuid):
            found = "no mark" if mark is None else f"the mark of {mark.estate}/{mark.machine}"
            raise RefusedError(
                f"machine {ref.machine} on {self._host}: domain {by_uuid.name()} has our uuid but {found}; "
                "nothing was touched, clear it up by hand"
            )
        return by_uuid

    def _owned(self, ref: MachineRef) -> libvirt.virDomain:
        domain = self._find(ref)
        if domain is None:
            raise KasumiError(f"machine {ref.machine}: not on {self._host}; apply the plan again")
        return domain

    def _define(
        self, machine: PlannedMachine, plan: str, names: Mapping[str, str], image: PlannedImage | None, seed: Seed | None
    ) -> libvirt.virDomain:
        """Disks first, definition last: what a crash leaves before it is found again by name, and carries no data yet."""
        connection = self._connection.open()
        if image is not None:
            root = self._storage.ensure_overlay(
                root_volume(machine.id),
                backing=self._storage.image_name(image),
                backing_format=image.format,
                size_gib=machine.size.disk_gib,
            )
        else:
            root = self._storage.path_of(root_volume(machine.id))
        return connection.defineXML(
            domain_xml(
                machine,
                estate=self._estate,
                plan=plan,
                virtualisation=self._domain_type(connection),
                network_names=names,
                root_path=root,
                os=image.os if image is not None else "",
                seed_path=self._storage.replace_content(seed_volume(machine.id), seed_iso(seed)) if seed is not None else None,
            )
        )

    def _adjust(self, domain: libvirt.virDomain, machine: PlannedMachine, plan: str, names: Mapping[str, str]) -> None:
        """The mark names the plan that last changed the machine, so a plan that changes nothing here writes nothing here."""
        kept_gib = shape_of(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)).disk_gib
        changed = kept_gib != machine.size.disk_gib
        changed |= adjust_size(domain, machine.size)
        changed |= adjust_nics(domain, {nic.mac: names[nic.network] for nic in machine.nics})
        if machine.method is not Method.ADOPT:
            volume, below_bytes = self._storage.root(machine.id)
            changed |= adjust_disk(domain, volume, wanted_gib=machine.size.disk_gib, least_bytes=below_bytes, machine=machine.id)
        elif changed and kept_gib != machine.size.disk_gib:
            grow_adopted(domain, machine, self._host)
        if changed:
            put_mark(domain, machine, estate=self._estate, plan=plan)


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
