"""The plan: an immutable, complete, readable document named by the digest of its content.

Written by `planning`, carried out by `execution`, which has nothing left to decide. It holds no instant and no secret, so
the same inputs give the same bytes. `inputs` are the facts it rests on, entity by entity, so that a stale plan can say
which facts moved; `derived_from` of each machine names the entities whose change touches it.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from controlplane.model.estate import Disposition, LibvirtSource, Service, StoragePool
from controlplane.model.resources import Resources

PLAN_SCHEMA_VERSION = 1

LATER = {"left_out_when_empty": True}
"""Marks what came to the document after others had been written: left out when empty, so that their digests stay."""

Scalar = str | int | float | bool | None
Facts = dict[str, Scalar]
"""Flat facts of one entity: field path to value."""


class Method(StrEnum):
    """How a machine comes to be."""

    IMAGE = "image"
    """Created from a base image by `kasumi apply`."""
    COLD = "cold"
    """Moved with its disk from an old libvirt host by `kasumi migrate`, source shut down."""
    ADOPT = "adopt"
    """Stood on its host before, taken over by `kasumi adopt`; never made anew and never deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedNic:
    """A network card: network id, MAC (lower case), address with prefix length, gateway or empty, DNS servers."""

    network: str
    mac: str
    address: str
    prefix_length: int
    gateway: str = ""
    dns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMachine:
    """Everything needed to make one machine. `order` sorts creation; `reasons` say why this size, host and address."""

    id: str
    uuid: str
    system: str
    ministry: str
    host: str
    size: Resources
    method: Method
    nics: tuple[PlannedNic, ...]
    image: str = ""
    source: LibvirtSource | None = None
    server: str = ""
    confidentiality: int
    tier: str
    replica_group: str = ""
    roles: tuple[str, ...] = ()
    services: tuple[Service, ...] = ()
    variables: dict[str, object] = field(default_factory=dict, hash=False)
    autostart: bool = True
    order: int
    reasons: tuple[str, ...]
    derived_from: tuple[str, ...]
    disk_class: str = field(default="", metadata={"left_out_when_empty": True})
    """Class of the pool that its disk is to stand in; empty: the host's own pool."""
    together: str = field(default="", metadata={"left_out_when_empty": True})
    """Group of its system that shares its host; empty: none."""

    @property
    def in_own_pool(self) -> Resources:
        """What it takes of its host, of disk only what stands in the host's own pool."""
        return replace(self.size, disk_gib=0) if self.disk_class else self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedReservation:
    """Room held for one machine that does not exist yet; `id` is that of the reservation with a number."""

    id: str
    system: str
    ministry: str
    host: str
    size: Resources
    until: str
    """The last day, as in 2027-03-31."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedNetwork:
    """One network on one host. `name` is the provider-side name; `bridge` empty means an isolated bridge made for it."""

    host: str
    network: str
    name: str
    bridge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedImage:
    """A base image by content. `file` is the path on the controller, `sha256` of the file's bytes."""

    id: str
    file: str
    format: str
    sha256: str
    os: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedHost:
    """A host as the plan sees it: what may be promised there, before (foreign and kept) and after this plan."""

    id: str
    uri: str
    site: str
    rack: str
    pool: StoragePool
    virtualisation: str
    physical: Resources
    promised_capacity: Resources
    """Capacity after reservation and overcommit."""
    allocated_before: Resources
    allocated_after: Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedServer:
    """What becomes of one existing server, and why; `machine` is the machine that takes its place, or empty.

    `size` is None where no ledger states all of it.
    """

    id: str
    system: str
    ministry: str
    size: Resources | None
    disposition: Disposition
    machine: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSystem:
    """The part of a system that reports need: names, class, promised savings in thousand yen a year (None: none stated)."""

    id: str
    ministry: str
    name: str
    name_en: str
    study_class: int
    promised_saving_thousand_yen: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAccess:
    """How machines are reached after creation: user, public keys placed on them, key file and ssh_config by path."""

    user: str
    authorized_keys: tuple[str, ...]
    identity_file: str
    ssh_config: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole decision. Tuples are sorted by id (machines by order, then id)."""

    schema_version: int = PLAN_SCHEMA_VERSION
    estate: str
    parent: str
    """Digest of the accepted plan this one was built on, or empty."""
    inputs: dict[str, Facts] = field(hash=False)
    access: PlannedAccess
    ministries: dict[str, str] = field(hash=False)
    """Ministry id to English name."""
    systems: tuple[PlannedSystem, ...]
    hosts: tuple[PlannedHost, ...]
    networks: tuple[PlannedNetwork, ...]
    images: tuple[PlannedImage, ...]
    machines: tuple[PlannedMachine, ...]
    servers: tuple[PlannedServer, ...]
    warnings: tuple[str, ...] = ()
    reservations: tuple[PlannedReservation, ...] = field(default=(), metadata=LATER)
