"""What a scrape shows: read from the store in a few queries, never from a host."""

from dataclasses import dataclass
from datetime import datetime

from controlplane.model.migration import Migration
from controlplane.model.observed import Observation
from controlplane.model.plan import Plan
from controlplane.store import Run, Store
from controlplane.store.state import DriftRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One consistent view for metrics and page. `latest` is the last look at each host, `good` the last that succeeded."""

    estate: str
    plan: Plan | None
    latest: Observation
    good: Observation
    drift: DriftRecord | None
    migrations: tuple[Migration, ...]
    runs: tuple[Run, ...]
    evidence_whole: bool
    at: datetime


def read_state(store: Store, estate: str, at: datetime, *, evidence_whole: bool) -> State:
    """The state of an estate; `evidence_whole` is what the last check of the chain said."""
    return State(
        estate=estate,
        plan=store.accepted_plan(estate),
        latest=store.latest_observation(estate),
        good=store.last_good_observation(estate),
        drift=store.latest_drift(estate),
        migrations=store.migrations(estate),
        runs=store.runs(estate),
        evidence_whole=evidence_whole,
        at=at,
    )
