"""What was seen on hosts, when, and what could not be seen. Written by `providers`, read by planning, drift and metrics.

Instants are UTC-aware. A missing measure is None, never zero.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from controlplane.model.resources import Resources


class PowerState(StrEnum):
    """State of a machine, in words both providers share."""

    RUNNING = "running"
    STOPPED = "stopped"
    PAUSED = "paused"
    CRASHED = "crashed"
    CHANGING = "changing"
    """Between two states; ask again later."""
    FAILED = "failed"
    """It never came to be, so it holds no data; it is made anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Our ownership mark as found on a machine. Ours only together with the recorded uuid.

    `adopted`: it stood there before us, so it counts only with the id on record, and is let go of instead of deleted.
    """

    estate: str
    machine: str
    plan: str
    adopted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedNic:
    """A network card: provider-side network name (empty when attached otherwise) and MAC in lower case.

    `address` is what the provider itself gives the card, `security_groups` the names of those that guard it; None where the
    provider knows no such thing.
    """

    network: str
    mac: str
    address: str | None = None
    security_groups: tuple[str, ...] | None = None
    bridge: str = ""
    """The host's bridge of a card that is plugged in there without a network; empty for every other card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Real use at the instant of observation. `cpu_seconds` counts since start; memory is what the guest really uses."""

    cpu_seconds: float | None = None
    memory_used_mib: int | None = None
    disk_allocated_mib: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedMachine:
    """One domain or server, foreign ones included (`mark` None).

    `vcpus` and `memory_mib` are of the persistent configuration; `live_*` of the running instance, None when stopped.
    """

    name: str
    uuid: str
    mark: Mark | None
    state: PowerState
    vcpus: int
    memory_mib: int
    live_vcpus: int | None
    live_memory_mib: int | None
    autostart: bool
    nics: tuple[ObservedNic, ...]
    live_nics: tuple[ObservedNic, ...] | None = None
    disk_gib: int | None = None
    """The root disk as we last made sure of it; None when nothing tells."""
    usage: Usage = Usage()
    native_id: str = ""
    """The id that the provider itself gave, where we could not choose it; empty where `uuid` is that id."""
    made_for: Resources | None = None
    """The size asked for, where the provider gives sizes in steps and this step was taken for it; None: the size is exact."""
    fault: str = ""
    """Why it is crashed or failed, as the provider says."""
    resize_unconfirmed: bool = False
    """A resize was begun and waits to be confirmed."""

    @property
    def given_id(self) -> str:
        """The id that the provider itself knows it by."""
        return self.native_id or self.uuid


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedNetwork:
    """A provider-side network. `bridge` is the host bridge it uses."""

    name: str
    active: bool
    autostart: bool
    bridge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedGroup:
    """A security group of ours, and the rules that it has, in the words of `model.security`."""

    name: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCapacity:
    """Physical capacity. `used_by_foreign`: allocated to domains not ours.

    Disk is that of the pool's file system, 0 while there is no pool to measure.
    """

    total: Resources
    used_by_foreign: Resources
    hypervisor: str
    version: str
    architecture: str
    virtualisation: str
    """kvm, qemu (software emulation) or test; cloud where hypervisors are not ours to see."""
    basis: str = ""
    """What a cloud's capacity rests on: `quota`, or `quota and placement` with an administrator's rights; empty for a host."""


UNLIMITED = 2**31 - 1
"""A dimension of a cloud's capacity that nothing limits as far as we may see; what the inventory declares counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """One quota of our project at a cloud, in the cloud's own name and unit; `limit` None: unlimited."""

    name: str
    limit: int | None
    used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiUse:
    """Requests made of one service of a cloud for one look; `failures` were answered with an error, or not at all."""

    service: str
    requests: int
    failures: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HostObservation:
    """All of one host at one instant. When it did not answer, `error` says why and everything else is empty or None."""

    host: str
    observed_at: datetime
    duration_seconds: float
    error: str = ""
    capacity: HostCapacity | None = None
    machines: tuple[ObservedMachine, ...] = ()
    networks: tuple[ObservedNetwork, ...] = ()
    security_groups: tuple[ObservedGroup, ...] = ()
    """Those with our mark; empty where the provider knows no such thing."""
    disk_free_gib: int | None = None
    believed: bool = False
    """True when nobody looked: this is what the inventory declares and the accepted plan says. Such a plan is never applied."""
    quotas: tuple[Quota, ...] = ()
    api_use: tuple[ApiUse, ...] = ()

    @property
    def reachable(self) -> bool:
        """True when the host answered in full."""
        return self.error == ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One look at all hosts, keyed by host id."""

    hosts: dict[str, HostObservation] = field(hash=False)
