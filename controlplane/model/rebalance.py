"""A rebalance: the moves that lead from where machines stand today to where they would stand better, one after the other.

A document of its own and no plan: `kasumi apply` never moves a machine between shared hosts, and a plan that said so would
make it a second time. Holds no instant and no secret, so the same inputs give the same bytes.
"""

from dataclasses import dataclass

REBALANCE_SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RebalancePolicy:
    """When a move is worth it. Loads are shares of what a host may promise, of its fullest dimension.

    `least_gain`: by how much the fuller of two hosts must become less full. `fill_up_to`: how full a host may become so that
    another can be emptied; room is left above it, so that what was switched off is not switched on next week.
    `moves_per_window`: moves carried out in one change window.
    """

    least_gain: float = 0.1
    fill_up_to: float = 0.85
    moves_per_window: int = 10
    empty_hosts: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One machine to another host. `order` counts from 1; `window` is the change window; memory and disk are what is copied."""

    order: int
    window: int
    machine: str
    found: str
    wanted: str
    memory_mib: int
    disk_gib: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLoad:
    """How full a host is before and after, and how many machines of the plan stand there."""

    host: str
    before: float
    after: float
    machines_before: int
    machines_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebalance:
    """All moves, in order; each state after a move keeps every rule. `left`: what stands against a rule and stays so."""

    schema_version: int = REBALANCE_SCHEMA_VERSION
    estate: str
    parent: str
    """Digest of the accepted plan, or empty."""
    policy: RebalancePolicy
    moves: tuple[Move, ...]
    hosts: tuple[HostLoad, ...]
    held: tuple[str, ...]
    """Machines that came to their host too recently to be moved."""
    left: tuple[str, ...]

    @property
    def hosts_before(self) -> int:
        """Hosts in use now."""
        return sum(host.machines_before > 0 for host in self.hosts)

    @property
    def hosts_after(self) -> int:
        """Hosts in use after all moves."""
        return sum(host.machines_after > 0 for host in self.hosts)
