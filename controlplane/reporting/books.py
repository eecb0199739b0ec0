"""Reads for the watch what the store says, and writes there what drift the looks show; never in the course of a scrape."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from controlplane.execution.apply import memory_of
from controlplane.execution.drift import differences
from controlplane.model.observed import Observation
from controlplane.model.plan import Plan
from controlplane.reporting.run_tally import RunTally, tally
from controlplane.reporting.watched import Books
from controlplane.store import Store
from controlplane.store.state import Acceptance

_RECENT_RUNS = 10
_VERIFY_EVERY = timedelta(minutes=10)
"""Verification reads every record, some 40 µs each, and old ones must be read again to see that nobody changed them."""


class BookKeeper:
    """One estate's books. Used by one thread."""

    def __init__(self, store: Store, estate: str) -> None:
        self._store = store
        self._estate = estate
        self._plan: tuple[Acceptance, Plan] | None = None
        self._counted: dict[str, RunTally] = {}
        self._counted_up_to = 0
        self._verified: tuple[datetime, bool] | None = None

    def read(self, *, answers: Callable[[str], bool]) -> Books:
        """The books now. `answers` says of a host whether it answers; what differs on others is not known."""
        now = datetime.now(UTC)
        accepted = self._accepted()
        acceptance, plan = accepted if accepted is not None else (None, None)
        if plan is not None:
            self._look_for_drift(plan, answers)
        if self._verified is None or now - self._verified[0] >= _VERIFY_EVERY:
            self._verified = (now, self._store.first_broken_evidence(self._estate) is None)
        return Books(
            read_at=now,
            plan=plan,
            acceptance=acceptance,
            drift=self._store.latest_drift(self._estate) if plan is not None else None,
            migrations=self._store.migrations(self._estate),
            recent_runs=self._store.runs(self._estate, limit=_RECENT_RUNS),
            runs=self._runs(),
            evidence_records=self._store.evidence_count(self._estate),
            evidence_verified_at=self._verified[0],
            evidence_whole=self._verified[1],
        )

    def _accepted(self) -> tuple[Acceptance, Plan] | None:
        """The accepted plan; read again only when another was accepted."""
        acceptance = self._store.acceptance(self._estate)
        if acceptance is not None and (self._plan is None or self._plan[0] != acceptance):
            self._plan = (acceptance, self._store.plan(self._estate, acceptance.digest))
        return self._plan

    def _look_for_drift(self, plan: Plan, answers: Callable[[str], bool]) -> None:
        """From the newest look at each host, whoever took it: after a repair ours may be older than reconcile's own."""
        latest = self._store.latest_observation(self._estate).hosts
        answering = {host: seen for host, seen in latest.items() if answers(host) and seen.reachable}
        if answering:
            found = differences(plan, Observation(hosts=answering), memory_of(self._store, self._estate))
            self._store.record_drift(self._estate, found, datetime.now(UTC))

    def _runs(self) -> dict[str, RunTally]:
        """Counts each run once it is over; from the first that still goes on, all are read again the next time."""
        newer = self._store.runs_after(self._estate, self._counted_up_to)
        over = next((index for index, run in enumerate(newer) if not run.result), len(newer))
        if over:
            self._counted = tally(newer[:over], self._counted)
            self._counted_up_to = newer[over - 1].id
        return tally(newer[over:], self._counted)
