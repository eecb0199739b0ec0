"""A pool of an OpenStack cloud behind `providers.protocol`: looks before it acts, and changes only what carries our mark.

The parts: `openstack_cloud` (line, pages, errors), `openstack_faults` (what a no means), `openstack_mark` (ownership),
`openstack_observe` (the look and what it costs), `openstack_image`, `openstack_copy` (migrated disks), `openstack_volume` (root
disks at Cinder), `openstack_flavor`, `openstack_network` (networks and security groups), `openstack_router`, `openstack_port`,
`openstack_group` (replicas apart, others together), `openstack_keypair`, `openstack_server`, `openstack_adopt` (what stood there before us),
`openstack_console`.
"""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_interface
from typing import TypeVar, cast

from controlplane.errors import KasumiError, RefusedError
from controlplane.model.cloud import BootPolicy
from controlplane.model.observed import HostObservation, PowerState
from controlplane.model.plan import Method, PlannedImage, PlannedMachine, PlannedNetwork, PlannedNic
from controlplane.model.resources import Resources
from controlplane.model.security import SecurityGroup, security_groups
from controlplane.providers import openstack_console, openstack_drain, openstack_image, openstack_network
from controlplane.providers.openstack_adopt import look_at, put_mark, refuse_larger_volume, take_mark
from controlplane.providers.openstack_cloud import Cloud, Json
from controlplane.providers.openstack_copy import note_booted, remove_copy, unbooted_copy
from controlplane.providers.openstack_faults import ApiError
from controlplane.providers.openstack_flavor import Choice, choose_flavor
from controlplane.providers.openstack_group import Affinity, ensure_server_group
from controlplane.providers.openstack_keypair import known_keypair
from controlplane.providers.openstack_mark import ADOPTED, AUTOSTART, MADE_FOR, PLAN, made_for, made_for_text, metadata
from controlplane.providers.openstack_observe import (
    capacity_of,
    groups_of,
    listing,
    machines_of,
    networks_of,
    quotas_of,
    see_zone,
    state_of,
)
from controlplane.providers.openstack_port import ensure_port, plug, ports_of, unplug
from controlplane.providers.openstack_server import (
    Disk,
    act,
    at_rest,
    confirmed,
    create_server,
    delete_server,
    find_server,
    note,
    resize_server,
    settled,
)
from controlplane.providers.openstack_volume import (
    delete_volume,
    ensure_volume,
    find_volume,
    grow,
    is_volume_backed,
    root_volume,
)
from controlplane.providers.protocol import Foreign, Hypervisor, MachineRef, Seed

T = TypeVar("T")
_STOPPED = frozenset({PowerState.STOPPED, PowerState.CRASHED, PowerState.FAILED})
_WAKE: dict[str, tuple[str, object]] = {
    "SHUTOFF": ("os-start", None),
    "PAUSED": ("unpause", None),
    "SUSPENDED": ("resume", None),
    "SHELVED": ("unshelve", None),
    "SHELVED_OFFLOADED": ("unshelve", None),
    "ERROR": ("reboot", {"type": "HARD"}),
}
"""What brings a server of this status to run."""


class OpenStackProvider:
    """Implements Provider; calls may come from several threads, those for one machine run one after another."""

    def __init__(self, host: str, cloud: Cloud, *, estate: str) -> None:
        self._host = host
        self._cloud = cloud
        self._estate = estate
        self._prepared: dict[Hashable, object] = {}
        self._machine_locks: dict[str, threading.RLock] = {}
        self._seen_running: set[str] = set()
        """Machines that were seen to run when they were made, for the `start` that follows at once."""

    @property
    def host(self) -> str:
        """Id of the host it stands for."""
        return self._host

    def close(self) -> None:
        """Drop the connection, and what was learnt over it."""
        with self._cloud.preparing:
            self._prepared.clear()
        self._cloud.close()

    def observe(self) -> HostObservation:
        """Everything of the pool that our project may see; see `openstack_observe` for what it costs."""
        began = time.monotonic()
        with self._cloud.errors(f"host {self._host}"):
            found = listing(self._cloud)
            machines = machines_of(found)
            if self._cloud.pool.zone and not machines:
                see_zone(self._cloud)
            quotas = quotas_of(*self._limits())
            capacity, disk_free_gib = capacity_of(self._cloud, machines, quotas, estate=self._estate)
        return HostObservation(
            host=self._host,
            observed_at=datetime.now(UTC),
            duration_seconds=time.monotonic() - began,
            capacity=capacity,
            machines=machines,
            networks=networks_of(found, self._estate),
            security_groups=groups_of(found, self._estate),
            disk_free_gib=disk_free_gib,
            quotas=quotas,
            api_use=self._cloud.taken_use(),
        )

    def ensure_network(self, network: PlannedNetwork) -> None:
        """The network of our project, or the one that the inventory names. Raises RefusedError for somebody else's."""
        with self._cloud.errors(f"network {network.name}"), self._cloud.preparing:
            openstack_network.ensure_network(self._cloud, network, estate=self._estate)

    def ensure_storage(self) -> None:
        """Nothing to make: a cloud gives disks with servers, or as volumes. Sees that the cloud lets us in."""
        with self._cloud.errors(f"storage of {self._host}"):
            self._limits()

    def ensure_image(self, image: PlannedImage) -> None:
        """Upload the base image unless it is there, whole and verified."""
        with self._cloud.errors(f"image {image.id}"), self._cloud.preparing:
            openstack_image.ensure_image(self._cloud, image)

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
        """Make what is missing, adjust what differs. A resize restarts a running server: Nova knows no other way."""
        ref = MachineRef(estate=self._estate, machine=machine.id, uuid=machine.uuid, native_id=native_id)
        with self._cloud.errors(f"machine {machine.id}"), self._of(machine.id):
            server = find_server(self._cloud, ref, self._host)
            if server is not None and state_of(server) is PowerState.FAILED:
                if ADOPTED in server["metadata"]:
                    raise RefusedError(
                        f"machine {machine.id} on {self._host}: it was adopted and its server is in ERROR; it is not deleted to be "
                        "made anew: bring it back by hand"
                    )
                delete_server(self._cloud, server, f"machine {machine.id}: failed server {server['id']}")
                server, ref = None, replace(ref, native_id="")
            if server is None and machine.method is Method.ADOPT:
                raise RefusedError(
                    f"machine {machine.id} on {self._host}: it was adopted, so it is never made anew; bring it back by hand, or "
                    "take it out of the inventory"
                )
            if server is None:
                return self._make(ref, machine, plan, network_names, image, seed, starting=starting)
            if image is None:
                note_booted(self._cloud, ref, server)
            return self._adjust(ref, server, machine, plan, network_names)

    def start(self, ref: MachineRef) -> None:
        """Power on, unpause, resume, unshelve, or start again after a crash."""
        with self._cloud.errors(f"machine {ref.machine}"), self._of(ref.machine):
            if ref.uuid in self._seen_running:
                self._seen_running.remove(ref.uuid)
                return
            server = self._owned(ref)
            what = f"machine {ref.machine}: server {server['id']}"
            if server["status"] == "ERROR" and state_of(server) is PowerState.FAILED:
                raise KasumiError(f"machine {ref.machine} on {self._host}: its server never came to be; apply the plan again")
            if server["status"] != "ERROR":
                server = at_rest(self._cloud, server, what)
            if server["status"] in _WAKE:
                act(self._cloud, server, *_WAKE[server["status"]])
                settled(self._cloud, server["id"], what, wanted=lambda found: bool(found["status"] == "ACTIVE"))
            elif server["status"] != "ACTIVE":
                raise KasumiError(
                    f"machine {ref.machine} on {self._host}: wanted running, its server is {server['status']}; "
                    "bring it back by hand, then run again"
                )

    def stop(self, ref: MachineRef, *, force_after_seconds: float | None) -> None:
        """Ask Nova, which asks the guest and forces it off after a time of its own (`shutdown_timeout`, 60 s by default)."""
        with self._cloud.errors(f"machine {ref.machine}"), self._of(ref.machine):
            server = find_server(self._cloud, ref, self._host)
            if server is None or state_of(server) in _STOPPED:
                return
            what = f"machine {ref.machine}: server {server['id']}"
            server = at_rest(self._cloud, server, what)
            if state_of(server) is PowerState.PAUSED:
                act(self._cloud, server, *_WAKE[server["status"]])
                server = settled(self._cloud, server["id"], what, wanted=lambda found: bool(found["status"] == "ACTIVE"))
            if state_of(server) not in _STOPPED:
                act(self._cloud, server, "os-stop")
                settled(self._cloud, server["id"], what, wanted=lambda found: state_of(found) is PowerState.STOPPED)

    def set_autostart(self, ref: MachineRef, *, autostart: bool) -> None:
        """Noted in the metadata; the cloud's own setting decides."""
        with self._cloud.errors(f"machine {ref.machine}"), self._of(ref.machine):
            note(self._cloud, self._owned(ref), ref.uuid, {AUTOSTART: "on" if autostart else "off"})

    def remove(self, ref: MachineRef) -> None:
        """Delete the server, then its ports, volume and copy that bear our mark. Raises KasumiError when it runs."""
        with self._cloud.errors(f"machine {ref.machine}"), self._of(ref.machine):
            server = find_server(self._cloud, ref, self._host)
            of_volume = self._on_volume or (server is not None and is_volume_backed(server))
            volume = find_volume(self._cloud, ref) if of_volume else None
            if server is not None:
                if ADOPTED in server["metadata"]:
                    raise RefusedError(
                        f"machine {ref.machine} on {self._host}: it was adopted, so it and its disks are not ours to delete"
                    )
                state = state_of(server)
                if state not in _STOPPED:
                    raise KasumiError(
                        f"machine {ref.machine} on {self._host}: wanted stopped before removal, found {state}; stop it first"
                    )
                delete_server(self._cloud, server, f"machine {ref.machine}: server {server['id']}")
            for port in ports_of(self._cloud, ref):
                if port["device_id"] in {"", server["id"] if server is not None else ""}:
                    self._cloud.delete("network", f"/ports/{port['id']}")
            if volume is not None:
                delete_volume(self._cloud, ref, volume)
            remove_copy(self._cloud, ref)

    def ssh_host_keys(self, ref: MachineRef) -> tuple[str, ...]:
        """Read from the console, where cloud-init writes them; empty while they are not there."""
        with self._cloud.errors(f"machine {ref.machine}"):
            server = self._owned(ref)
            if server["status"] != "ACTIVE":
                return ()
            body: Json = {"os-getConsoleOutput": {}}
            try:
                output = self._cloud.post("compute", f"/servers/{server['id']}/action", body)["output"]
            except ApiError as error:
                if error.status in {404, 409, 501}:  # not ready yet, or a hypervisor without consoles
                    return ()
                raise
            return openstack_console.ssh_host_keys(output or "")

    def look_at_foreign(self, native_id: str) -> Foreign:
        """What a plan cannot say of it."""
        with self._cloud.errors(f"server {native_id}"):
            return look_at(self._cloud, self._cloud.get("compute", f"/servers/{native_id}")["server"])

    def adopt(self, machine: PlannedMachine, *, native_id: str, plan: str) -> None:
        """Metadata and a tag on the server, the description of its ports; nothing else changes."""
        ref = MachineRef(estate=self._estate, machine=machine.id, uuid=machine.uuid, native_id=native_id)
        with self._cloud.errors(f"machine {machine.id}"), self._of(machine.id):
            put_mark(self._cloud, ref, self._host, plan=plan, autostart=machine.autostart)

    def release(self, ref: MachineRef) -> None:
        """Take metadata, tag and descriptions off; nothing else changes."""
        with self._cloud.errors(f"machine {ref.machine}"), self._of(ref.machine):
            take_mark(self._cloud, ref, self._host)

    def hypervisor(self, name: str) -> Hypervisor:
        """One hypervisor of the cloud, as its administrator sees it."""
        with self._cloud.errors(f"hypervisor {name}"):
            return openstack_drain.look_at(self._cloud, name)

    def move_off(self, ref: MachineRef, hypervisor: str) -> str:
        """Have Nova move our server off it; returns where it is then."""
        with self._cloud.errors(f"machine {ref.machine}"), self._of(ref.machine):
            server = self._owned(ref)
            return openstack_drain.move_off(self._cloud, server, hypervisor, f"machine {ref.machine}: server {server['id']}")

    def _of(self, machine: str) -> threading.RLock:
        """The lock of one machine, under which its mark and id are looked at again and then acted on."""
        return self._machine_locks.setdefault(machine, threading.RLock())

    def _owned(self, ref: MachineRef) -> Json:
        server = find_server(self._cloud, ref, self._host)
        if server is None:
            raise KasumiError(f"machine {ref.machine}: not on {self._host}; apply the plan again")
        return server

    @property
    def _on_volume(self) -> bool:
        """True where new servers boot from volumes; one made under another policy stays as it is."""
        return self._cloud.pool.boot is BootPolicy.VOLUME

    def _limits(self) -> list[Json]:
        services = ("compute", "block_storage") if self._on_volume else ("compute",)
        return [self._cloud.get(service, "/limits") for service in services]

    def _disk(self, ref: MachineRef, machine: PlannedMachine, image: PlannedImage | None) -> Disk:
        def content() -> str:
            return unbooted_copy(self._cloud, ref) if image is None else openstack_image.whole_image(self._cloud, image)

        if not self._on_volume:
            return Disk(image=content())
        return Disk(volume=ensure_volume(self._cloud, ref, content, machine.size.disk_gib)["id"])

    def _make(
        self,
        ref: MachineRef,
        machine: PlannedMachine,
        plan: str,
        names: dict[str, str],
        image: PlannedImage | None,
        seed: Seed | None,
        *,
        starting: bool,
    ) -> str:
        """Ports first, the server last: what a crash leaves before it is found again by its mark.

        A migrated machine has keys of its own, and no keypair.
        """
        keypair = self._once("keypair", lambda: known_keypair(self._cloud)) if image is not None else ""
        group = self._group(machine)
        disk = self._disk(ref, machine, image)
        choice = self._flavor(machine.size, on_volume=bool(disk.volume))
        ports = self._ports(ref, machine, names)
        server = create_server(
            self._cloud,
            ref,
            disk=disk,
            config_drive=image is not None,
            keypair=keypair,
            flavor=choice.flavor.id,
            ports=[port["id"] for port in ports],
            metadata=metadata(machine, self._cloud.pool, estate=self._estate, plan=plan, flavor=choice.flavor.name),
            seed=seed,
            group=group,
        )
        if image is None:
            note_booted(self._cloud, ref, server)
        if starting:
            self._seen_running.add(ref.uuid)
        else:
            act(self._cloud, server, "os-stop")
            what = f"machine {machine.id}: server {server['id']}"
            settled(self._cloud, server["id"], what, wanted=lambda found: state_of(found) is PowerState.STOPPED)
        return choice.note

    def _adjust(self, ref: MachineRef, server: Json, machine: PlannedMachine, plan: str, names: dict[str, str]) -> str:
        """The mark names the plan that last changed the machine, so a plan that changes nothing here writes nothing here."""
        what = f"machine {machine.id}: server {server['id']}"
        if state_of(server) is PowerState.CHANGING:
            server = settled(self._cloud, server["id"], what)
        before = server["flavor"]["original_name"]
        noted = {AUTOSTART: "on" if machine.autostart else "off"}
        told = ""
        volume = root_volume(self._cloud, server) if is_volume_backed(server) else None
        choice = None
        found = _size_of(server, volume)
        if found != machine.size:
            choice = self._flavor(machine.size, on_volume=volume is not None)
            if machine.size.disk_gib < found.disk_gib and (volume is not None or choice.flavor.name != before):
                raise RefusedError(
                    f"machine {machine.id} on {self._host}: wanted a disk of {machine.size.disk_gib} GiB, found {found.disk_gib} GiB; "
                    f"a disk never shrinks, as that would cut off data: {_way_back(server)}plan the larger size"
                )
            refuse_larger_volume(server, volume, machine, self._host)
        server = confirmed(self._cloud, server, what)
        if choice is not None:
            if choice.flavor.name != before:
                server = resize_server(self._cloud, server, choice.flavor.id, choice.flavor.name, what)
            if volume is not None:
                grow(self._cloud, ref, volume, machine.size.disk_gib)
            noted |= {PLAN: plan, MADE_FOR: made_for_text(machine.size, choice.flavor.name)}
            told = choice.note
        if self._connect(ref, server, machine, names):
            noted |= {PLAN: plan}
        note(self._cloud, server, ref.uuid, noted)
        return told

    def _connect(self, ref: MachineRef, server: Json, machine: PlannedMachine, names: dict[str, str]) -> bool:
        """Plug in what is planned, unplug what is not; True when anything was changed."""
        plugged = self._cloud.every("network", "/ports", "ports", device_id=server["id"])
        wanted = {(self._network(names[nic.network])["id"], nic.mac) for nic in machine.nics}
        surplus = [port for port in plugged if (port["network_id"], port["mac_address"].lower()) not in wanted]
        if surplus and ADOPTED in server["metadata"]:
            cards = ", ".join(sorted(port["mac_address"] for port in surplus))
            raise RefusedError(
                f"machine {machine.id} on {self._host}: wanted its cards as planned, found also {cards}; the machine was adopted, and "
                "a card of somebody else's making is not ours to take out: do it by hand"
            )
        for port in surplus:
            unplug(self._cloud, ref, server, port)
        before = {port["id"]: port for port in plugged}
        changed = bool(surplus)
        for port in self._ports(ref, machine, names):
            changed |= plug(self._cloud, ref, server, port)
            changed |= port["id"] in before and port != before[port["id"]]
        return changed

    def _ports(self, ref: MachineRef, machine: PlannedMachine, names: dict[str, str]) -> list[Json]:
        there = ports_of(self._cloud, ref)
        return [self._port(ref, machine, nic, names[nic.network], there) for nic in machine.nics]

    def _port(self, ref: MachineRef, machine: PlannedMachine, nic: PlannedNic, name: str, there: list[Json]) -> Json:
        network = self._network(name)
        subnet = self._once(
            ("subnet", name, ip_interface(f"{nic.address}/{nic.prefix_length}").network),
            lambda: openstack_network.ensure_subnet(self._cloud, network, nic, estate=self._estate),
        )
        groups = [self._security(group) for group in security_groups(self._estate, machine, nic)]
        return ensure_port(self._cloud, ref, nic, network=network["id"], subnet=subnet, groups=groups, there=there)

    def _security(self, wanted: SecurityGroup) -> str:
        return self._once(wanted, lambda: openstack_network.ensure_group(self._cloud, wanted, estate=self._estate))

    def _network(self, name: str) -> Json:
        return self._once(("network", name), lambda: openstack_network.find_network(self._cloud, name, estate=self._estate))

    def _flavor(self, size: Resources, *, on_volume: bool) -> Choice:
        return self._once((size, on_volume), lambda: choose_flavor(self._cloud, size, on_volume=on_volume))

    def _group(self, machine: PlannedMachine) -> str:
        if machine.replica_group and machine.together:
            raise RefusedError(
                f"machine {machine.id} on {self._cloud.pool.uri}: wanted apart from replicas of {machine.replica_group} and on one "
                f"hypervisor with {machine.together}; Nova takes a server into one server group: plan it onto a libvirt host, or leave "
                "replica_group or `needs.together` out"
            )
        if not machine.replica_group and not machine.together:
            return ""
        policy = Affinity.APART if machine.replica_group else Affinity.TOGETHER
        name = f"kasumi-{self._estate}-{machine.system}-{machine.replica_group or f'{machine.together}-together'}"
        return self._once(("group", name), lambda: ensure_server_group(self._cloud, name, policy))

    def _once(self, key: Hashable, prepare: Callable[[], T]) -> T:
        """What several machines share is looked at once while we are connected, and by one thread at a time, those of other pools too."""
        with self._cloud.preparing:
            if key not in self._prepared:
                self._prepared[key] = prepare()
            return cast("T", self._prepared[key])


def _way_back(server: Json) -> str:
    """A resize of somebody's that still waits can be taken back; what was written since is lost then, so that a person must say so."""
    if server["status"] != "VERIFY_RESIZE":
        return ""
    return (
        f"somebody's resize to flavor {server['flavor']['original_name']} waits to be confirmed, so `openstack server resize revert "
        f"{server['id']}` takes it back, with what was written since; or "
    )


def _size_of(server: Json, volume: Json | None) -> Resources:
    """The size that was asked for, while the server has the flavor taken for it; else its flavor's. A volume has its own."""
    flavor = server["flavor"]
    exact = Resources(vcpus=flavor["vcpus"], memory_mib=flavor["ram"], disk_gib=flavor["disk"])
    found = made_for(server["metadata"], flavor["original_name"]) or exact
    return replace(found, disk_gib=volume["size"]) if volume is not None else found
