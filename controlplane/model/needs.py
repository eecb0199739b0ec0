"""What a machine asks of its host beyond its size, and what a host offers; part of the estate, read by `planning`."""

from dataclasses import dataclass
from typing import Literal

Domain = Literal["host", "rack", "power_feed", "site"]
"""What machines may share, and what may be lost at once; racks and power feeds are named within their site."""

HOURS_OF_A_DAY = 24
HOURS_OF_A_WEEK = 168


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """Instructions of a processor. `baseline`: level of the x86-64 psABI; each includes those below it. Empty: not stated."""

    architecture: str = ""
    baseline: str = ""
    features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a machine asks for; empty and 0 ask for nothing.

    `load`: name of a load profile; without one all its vCPUs count at every hour.
    `together`: failure domain and name of a group of its system; machines of one name share that domain.
    `licences`: products that are licensed by the socket. `disk_class`: class of the pool for its disk, empty: the host's own pool.
    """

    network_mbps: int = 0
    iops: int = 0
    load: str = ""
    cpu: Cpu = Cpu()
    together: tuple[tuple[str, str], ...] = ()
    licences: tuple[str, ...] = ()
    disk_class: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What a host has for machines, its own reserve taken off. 0: not stated, and then nothing may ask for it there."""

    network_mbps: int = 0
    iops: int = 0
    cpu: Cpu = Cpu()
    sockets: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """A product that is licensed by the socket: on hosts of at most so many in all its machines may run."""

    id: str
    sockets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadProfile:
    """Share of its vCPUs that a machine is expected to use in each hour, in per cent: of a day, or of a week from Monday on."""

    id: str
    percent: tuple[int, ...]
