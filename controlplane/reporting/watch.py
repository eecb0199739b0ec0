"""Looks at every host on its own clock: a slow or hung host delays nobody, and never has more than one look outstanding."""

import threading
from datetime import UTC, datetime

from controlplane.execution.apply import memory_of
from controlplane.execution.drift import differences
from controlplane.execution.observe import OBSERVE_DEADLINE_SECONDS, HostTarget, observe_host, targets_of_plan
from controlplane.store import Store


class HostWatch:
    """One daemon thread for each host of the accepted plan; every look goes to the store."""

    def __init__(self, store: Store, estate: str, *, interval_seconds: float) -> None:
        self._store = store
        self._estate = estate
        self._interval_seconds = interval_seconds
        self._stop = threading.Event()
        self._watched: set[str] = set()
        self._drift_lock = threading.Lock()

    def start(self) -> None:
        """Begin to watch, and keep up with hosts that later plans bring."""
        threading.Thread(target=self._keep_up, name="watch hosts", daemon=True).start()

    def stop(self) -> None:
        """Begin no further look."""
        self._stop.set()

    def _keep_up(self) -> None:
        while True:
            plan = self._store.accepted_plan(self._estate)
            for target in targets_of_plan(plan) if plan is not None else ():
                if target.id not in self._watched:
                    self._watched.add(target.id)
                    threading.Thread(target=self._watch, args=(target,), name=f"watch {target.id}", daemon=True).start()
            if self._stop.wait(self._interval_seconds):
                return

    def _watch(self, target: HostTarget) -> None:
        while True:
            # A look beyond its deadline leaves one abandoned thread; the next look is not begun before a whole interval passed.
            self._store.record_observation(self._estate, observe_host(target, deadline_seconds=OBSERVE_DEADLINE_SECONDS))
            self._record_drift()
            if self._stop.wait(self._interval_seconds):
                return

    def _record_drift(self) -> None:
        with self._drift_lock:
            plan = self._store.accepted_plan(self._estate)
            if plan is not None:
                found = differences(plan, self._store.latest_observation(self._estate), memory_of(self._store, self._estate))
                self._store.record_drift(self._estate, found, datetime.now(UTC))
