"""Looks at all hosts at once: a deadline for each, and a host that does not answer stops nobody else."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from controlplane.errors import KasumiError
from controlplane.model.estate import Estate, Host, StoragePool
from controlplane.model.observed import HostObservation, Observation
from controlplane.model.plan import Plan
from controlplane.providers.deadline import with_deadline
from controlplane.providers.opening import open_provider
from controlplane.providers.protocol import Provider

OBSERVE_DEADLINE_SECONDS = 20.0
"""Long enough for an ssh handshake to a busy host and one bulk call; a host that needs more is not healthy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTarget:
    """How to reach one host; `estate` is whose mark counts as ours there."""

    id: str
    uri: str
    pool: StoragePool
    estate: str
    ssh_config: str = ""

    def open(self) -> Provider:
        """The provider for this host; connects at its first use."""
        return open_provider(self.id, self.uri, self.pool, estate=self.estate, ssh_config=self.ssh_config)


def declared_host(estate: Estate, host: str, *, verb: str) -> Host:
    """The host of this id. Raises KasumiError when the inventory has none."""
    if host not in estate.hosts:
        raise KasumiError(f"{verb}: {host} is no host of the inventory; `kasumi inventory list hosts` shows them")
    return estate.hosts[host]


def targets_of_estate(estate: Estate) -> tuple[HostTarget, ...]:
    """The hosts an inventory declares, sorted by id."""
    return tuple(
        HostTarget(id=host.id, uri=host.uri, pool=host.pool, estate=estate.id, ssh_config=estate.access.ssh_config)
        for _, host in sorted(estate.hosts.items())
    )


def targets_of_plan(plan: Plan) -> tuple[HostTarget, ...]:
    """The hosts a plan knows, in its order."""
    return tuple(
        HostTarget(id=host.id, uri=host.uri, pool=host.pool, estate=plan.estate, ssh_config=plan.access.ssh_config)
        for host in plan.hosts
    )


def observe_hosts(targets: Sequence[HostTarget], *, deadline_seconds: float = OBSERVE_DEADLINE_SECONDS) -> Observation:
    """Observe all hosts in parallel; never raises for a host that fails, its observation carries the error."""
    if not targets:
        return Observation(hosts={})
    with ThreadPoolExecutor(max_workers=len(targets)) as pool:
        seen = pool.map(lambda target: observe_host(target, deadline_seconds=deadline_seconds), targets)
    return Observation(hosts={observation.host: observation for observation in seen})


def observe_host(target: HostTarget, *, deadline_seconds: float = OBSERVE_DEADLINE_SECONDS) -> HostObservation:
    """Observe one host over a connection of its own; never raises for its failure."""

    def look() -> HostObservation:
        provider = target.open()
        try:
            return provider.observe()
        finally:
            provider.close()

    return observation_or_error(target.id, look, deadline_seconds)


def observation_or_error(host: str, look: Callable[[], HostObservation], deadline_seconds: float) -> HostObservation:
    """Run one look under its deadline; a failure becomes an observation that carries the error."""
    began = time.monotonic()
    try:
        return with_deadline(look, seconds=deadline_seconds, what=f"host {host}")
    except KasumiError as error:
        return HostObservation(
            host=host, observed_at=datetime.now(UTC), duration_seconds=time.monotonic() - began, error=str(error)
        )
