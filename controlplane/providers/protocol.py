"""What every provider can do. Written for libvirt and OpenStack alike; `docs/architecture.md` says how each serves it.

A provider stands for one host (a libvirt URI, or a capacity pool of a cloud). It decides nothing: each call makes one
planned thing true, may be repeated at any time, and looks before it acts. Calls raise KasumiError (UnreachableError when
the host does not answer); deadlines around them are the caller's. Nothing without our mark *and* the wanted uuid is ever
changed: such a call raises RefusedError.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from controlplane.model.observed import HostObservation
from controlplane.model.plan import PlannedImage, PlannedMachine, PlannedNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """First-boot data of a machine made from an image (cloud-init NoCloud or config drive): file texts, no secrets."""

    user_data: str
    meta_data: str
    network_config: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRef:
    """A machine by id and recorded uuid; both must match what is on the host.

    `native_id`: the id that the provider gave it and that is on record, where it gives ids of its own; empty: none on record.
    """

    estate: str
    machine: str
    uuid: str
    native_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """What a look at one machine that is not ours adds to the observation, before it is adopted.

    `obstacles`: why we could not keep it as it is later, each with what to do about it.
    """

    disk_gib: int | None
    obstacles: tuple[str, ...]


class Provider(Protocol):
    """One host. Implementations: `libvirt.LibvirtProvider`, `openstack.OpenStackProvider`."""

    @property
    def host(self) -> str:
        """Id of the host it stands for."""

    def observe(self) -> HostObservation:
        """Everything on the host, foreign machines included, in a constant number of calls (not one per machine)."""

    def ensure_network(self, network: PlannedNetwork) -> None:
        """Define, start and autostart the network."""

    def ensure_storage(self) -> None:
        """Make and start the storage pool."""

    def ensure_image(self, image: PlannedImage) -> None:
        """Place the base image on the host, whole and verified by its SHA-256, once per content."""

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
        """Define the machine as planned, stopped or running as it is: disk, seed, configuration, autostart, mark.

        Makes what is missing and adjusts what differs (live too where the hypervisor can); never recreates a disk.
        `network_names` maps network ids to provider-side names. `image` None: the root disk must exist already
        (placed by a migration). `native_id` as in MachineRef. `starting`: `start` follows at once, so where making a
        machine starts it, it need not be stopped first. Returns what a person should know about how it was made (another
        size than asked for); empty when it is as planned.
        """

    def start(self, ref: MachineRef) -> None:
        """Power on (also from paused or crashed); done when the second look says running."""

    def stop(self, ref: MachineRef, *, force_after_seconds: float | None) -> None:
        """Ask the guest to shut down and wait; force only after the given time, never when None (then raises KasumiError)."""

    def set_autostart(self, ref: MachineRef, *, autostart: bool) -> None:
        """Whether our machine starts with its hypervisor; nothing else of it changes."""

    def remove(self, ref: MachineRef) -> None:
        """Delete the machine and the disks we made for it. Must be stopped, and not adopted."""

    def look_at_foreign(self, native_id: str) -> Foreign:
        """What adopting must know of a machine that is not ours, by the id that the provider gave it. Changes nothing."""

    def adopt(self, machine: PlannedMachine, *, native_id: str, plan: str) -> None:
        """Put our mark on the machine of this id, which stands there already, and change nothing else of it.

        Raises RefusedError when it bears a mark of another estate or machine.
        """

    def release(self, ref: MachineRef) -> None:
        """Take our mark off an adopted machine and change nothing else; nothing happens when it is gone or unmarked."""

    def ssh_host_keys(self, ref: MachineRef) -> tuple[str, ...]:
        """Public ssh host keys ("ssh-ed25519 AAAA…") read through the trusted channel of the hypervisor; empty: not ready yet."""

    def close(self) -> None:
        """Drop the connection; the provider may be used again and then reconnects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyPlace:
    """Where ranges of a migrated disk are written: a folder on the host of a libvirt URI, or, where `uri` is empty, of this controller."""

    uri: str
    folder: Path


class CopyHost(Provider, Protocol):
    """What a host that can take in disks offers beside Provider. A copy is gathered in a file, proved, and then taken in."""

    @property
    def copy_place(self) -> CopyPlace:
        """Where `ensure_copy_file` makes its files."""

    def obstacles(self, machine: PlannedMachine, *, size_bytes: int) -> tuple[str, ...]:
        """What would stop the machine from being taken in or booted, as far as it can be known before; makes nothing."""

    def ensure_copy_file(self, machine: PlannedMachine, *, size_bytes: int) -> Path:
        """A raw file of exactly this size in `copy_place` that will hold the pristine copy."""

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
        """Everything up to a machine that `ensure_machine` and `start` can boot from the proven copy; boots nothing.

        The pristine copy is kept and never written to. Returns how the host came to hold it, for evidence.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypervisor:
    """One hypervisor inside a cloud. `up`: it answers its cloud; `enabled`: the cloud may place new servers there.

    `servers` are the ids of all servers there, those of others included.
    """

    name: str
    up: bool
    enabled: bool
    servers: frozenset[str]


class DrainHost(Provider, Protocol):
    """What a host of several hypervisors, that places by itself, offers beside Provider to those with an administrator's rights."""

    def hypervisor(self, name: str) -> Hypervisor:
        """One of its hypervisors as it is now. Raises KasumiError when there is none of this name."""

    def move_off(self, ref: MachineRef, hypervisor: str) -> str:
        """Have the machine moved to another hypervisor of the same zone; returns which. Nothing happens when it stands elsewhere.

        Live where it runs, cold where it is stopped, and made anew from its disk where the hypervisor is down. Raises KasumiError
        when it stays.
        """
