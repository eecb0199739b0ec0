"""Watches an estate: one thread for each host looks at it again and again, one reads the store; readers get the last view.

A host has one thread and so never more than one call outstanding. A call that hangs holds its own thread and nothing else:
whether a host answers is judged by the clock of the reader, so a hung host is down as soon as its deadline has passed.
"""

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from controlplane.errors import KasumiError
from controlplane.execution.observe import OBSERVE_DEADLINE_SECONDS, HostTarget, targets_of_estate, targets_of_plan
from controlplane.model.estate import Estate
from controlplane.model.observed import HostObservation
from controlplane.providers.protocol import Provider
from controlplane.reporting.books import BookKeeper
from controlplane.reporting.cloud_use import CloudUse, ministries_of_projects
from controlplane.reporting.consumption import Consumption
from controlplane.reporting.watched import Books, HostView, Watched
from controlplane.store import Store

_BOOKS_SECONDS = 10.0
"""The store is read this often: a few queries of a local file, and runs and drift of other commands show soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """What one host's thread last said. `began`: monotonic start of the look under way, None between looks."""

    up: bool | None = None
    error: str = ""
    good: HostObservation | None = None
    duration_seconds: float | None = None
    began: float | None = None


class HostWatch:
    """Looks at one host until stopped. `seen` is told of every look that is over."""

    def __init__(
        self,
        target: HostTarget,
        *,
        interval_seconds: float,
        deadline_seconds: float,
        last_good: HostObservation | None,
        seen: Callable[[HostObservation], None],
    ) -> None:
        self.target = target
        self._interval_seconds = interval_seconds
        self._deadline_seconds = deadline_seconds
        self._seen = seen
        self._stopping = threading.Event()
        self._standing = _Standing(good=last_good)

    def start(self) -> None:
        """Begin, in a thread that never keeps the process alive."""
        threading.Thread(target=self._run, name=f"watch {self.target.id}", daemon=True).start()

    def stop(self) -> None:
        """Begin no further look."""
        self._stopping.set()

    def view(self, site: str, ministry: str = "") -> HostView:
        """How the host stands now."""
        now, standing = time.monotonic(), self._standing
        if standing.began is not None and now - standing.began > self._deadline_seconds:
            waited = now - standing.began
            standing = replace(
                standing, up=False, duration_seconds=waited,
                error=f"no answer within {self._deadline_seconds:g} s; look at the host's libvirtd (or the cloud's services) and network",
            )  # fmt: skip
        return HostView(
            id=self.target.id, pool=self.target.pool.name, site=site, ministry=ministry, up=standing.up, error=standing.error,
            good=standing.good, duration_seconds=standing.duration_seconds,
        )  # fmt: skip

    def _run(self) -> None:
        provider: Provider | None = None
        while not self._stopping.is_set():
            began = time.monotonic()
            self._standing = replace(self._standing, began=began)
            try:
                provider = provider or self.target.open()
                look = provider.observe()
                self._standing = _Standing(up=True, good=look, duration_seconds=time.monotonic() - began)
            except Exception as error:  # whatever it is, the watch goes on and the host is shown as down with this error
                text = str(error) if isinstance(error, KasumiError) else f"host {self.target.id}: {error!r}"
                took = time.monotonic() - began
                look = HostObservation(host=self.target.id, observed_at=datetime.now(UTC), duration_seconds=took, error=text)
                self._standing = replace(self._standing, up=False, error=text, duration_seconds=took, began=None)
                if provider is not None:
                    provider.close()
            self._seen(look)
            self._stopping.wait(self._interval_seconds)
        if provider is not None:
            provider.close()


class Watch:
    """All hosts of the accepted plan, or of the inventory while there is none; follows plans accepted later."""

    def __init__(
        self, store: Store, estate: Estate, *, interval_seconds: float, deadline_seconds: float = OBSERVE_DEADLINE_SECONDS
    ) -> None:
        self._store = store
        self._estate = estate
        self._interval_seconds = interval_seconds
        self._deadline_seconds = deadline_seconds
        self._keeper = BookKeeper(store, estate.id)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._hosts: dict[str, HostWatch] = {}
        self._sites: dict[str, str] = {}
        self._tenants: dict[str, str] = {}
        self._ministries: dict[str, str] = {}
        self._consumption = Consumption()
        self._cloud_use = CloudUse()
        self._books = Books(read_at=datetime.now(UTC))

    def start(self) -> None:
        """Read the store once, so that its trouble shows here, then watch. Raises KasumiError."""
        self._read_books()
        threading.Thread(target=self._keep_books, name="read the store", daemon=True).start()

    def stop(self) -> None:
        """Begin no further look."""
        self._stopping.set()
        for host in self._hosts.values():
            host.stop()

    def state(self) -> Watched:
        """The view now; from memory, in no time."""
        with self._lock:
            hosts, sites, books, consumption = dict(self._hosts), self._sites, self._books, self._consumption
            tenants, cloud_use = self._tenants, self._cloud_use
        return Watched(
            estate=self._estate.id,
            at=datetime.now(UTC),
            interval_seconds=self._interval_seconds,
            hosts=tuple(host.view(sites.get(name, ""), tenants.get(name, "")) for name, host in sorted(hosts.items())),
            books=books,
            consumption=consumption,
            cloud_use=cloud_use,
        )

    def _keep_books(self) -> None:
        while not self._stopping.wait(min(self._interval_seconds, _BOOKS_SECONDS)):
            try:
                self._read_books()
            except Exception as error:  # the heartbeat metric stands still and says so; the next reading may succeed
                print(f"kasumi: the store cannot be read: {error}", file=sys.stderr, flush=True)

    def _read_books(self) -> None:
        books = self._keeper.read(answers=self._answers)
        plan = books.plan
        targets = targets_of_plan(plan) if plan is not None else targets_of_estate(self._estate)
        sites = {host.id: host.site for host in (plan.hosts if plan is not None else self._estate.hosts.values())}
        tenants = ministries_of_projects({target.id: target.uri for target in targets}, self._estate.clouds.values())
        good = self._store.last_good_observation(self._estate.id).hosts if {t.id for t in targets} - set(self._hosts) else {}
        fresh = []
        with self._lock:
            self._books, self._sites, self._tenants = books, sites, tenants
            self._ministries = {machine.uuid: machine.ministry for machine in plan.machines} if plan is not None else {}
            wanted = {target.id: target for target in targets}
            for name in [name for name, host in self._hosts.items() if wanted.get(name) != host.target]:
                self._hosts.pop(name).stop()
            for target in targets:
                if target.id not in self._hosts:
                    self._hosts[target.id] = self._watch_of(target, good.get(target.id))
                    fresh.append(self._hosts[target.id])
        for host in fresh:
            host.start()

    def _watch_of(self, target: HostTarget, last_good: HostObservation | None) -> HostWatch:
        return HostWatch(
            target,
            interval_seconds=self._interval_seconds,
            deadline_seconds=self._deadline_seconds,
            last_good=last_good,
            seen=self._look_is_over,
        )

    def _look_is_over(self, look: HostObservation) -> None:
        with self._lock:
            if look.reachable:
                self._consumption = self._consumption.after(look, self._ministries)
                self._cloud_use = self._cloud_use.after(look)
        try:
            self._store.record_observation(self._estate.id, look)
        except Exception as error:  # the look is served from memory all the same
            print(f"kasumi: a look at {look.host} was not recorded: {error}", file=sys.stderr, flush=True)

    def _answers(self, host: str) -> bool:
        watch = self._hosts.get(host)
        return watch is not None and watch.view("").up is True
