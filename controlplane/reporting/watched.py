"""What metrics and page are made of: one frozen view of the estate as last seen. Read from memory, never from a host.

Three sources, each with its own clock: the looks at hosts (`watch`), what the store says (`books`), and the plan. Every
figure that ages carries its instant, so that a reader can tell old from new.
"""

from dataclasses import dataclass, field
from datetime import datetime

from controlplane.model.migration import Migration, Phase
from controlplane.model.observed import HostObservation, ObservedMachine, PowerState
from controlplane.model.plan import Method, Plan, PlannedMachine
from controlplane.reporting.cloud_use import CloudUse
from controlplane.reporting.consumption import Consumption
from controlplane.reporting.run_tally import RunTally
from controlplane.store import Run
from controlplane.store.state import Acceptance, DriftRecord

RUNNING = PowerState.RUNNING.value
ABSENT = "absent"
UNKNOWN = "unknown"
AWAITED = "awaited"
_ARRIVED = frozenset({Phase.CUT_OVER, Phase.FINALIZED})


@dataclass(frozen=True, slots=True, kw_only=True)
class HostView:
    """One host: the last look that succeeded (None: never) and how long the last look took.

    `up`: whether it answers now; None until the first look of this process is over. `ministry`: in whose project of a cloud it stands.
    """

    id: str
    pool: str
    site: str = ""
    ministry: str = ""
    up: bool | None
    error: str = ""
    good: HostObservation | None = None
    duration_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What the store said at `read_at`. `evidence_whole` None: not verified yet."""

    read_at: datetime
    plan: Plan | None = None
    acceptance: Acceptance | None = None
    drift: DriftRecord | None = None
    migrations: tuple[Migration, ...] = ()
    recent_runs: tuple[Run, ...] = ()
    runs: dict[str, RunTally] = field(default_factory=dict, hash=False)
    evidence_records: int = 0
    evidence_whole: bool | None = None
    evidence_verified_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """Everything a scrape shows, at the instant `at`; hosts sorted by id."""

    estate: str
    at: datetime
    interval_seconds: float
    hosts: tuple[HostView, ...]
    books: Books
    consumption: Consumption
    cloud_use: CloudUse = field(default_factory=CloudUse)

    @property
    def plan(self) -> Plan | None:
        """The accepted plan."""
        return self.books.plan

    def planned_and_seen(self) -> tuple[tuple[PlannedMachine, str, ObservedMachine | None, str], ...]:
        """Every planned machine with its host, the machine as last seen there, and its state in words that never lie:

        a PowerState; `absent` when its host answers and has none; `unknown` when its host does not answer now; `awaited` when
        it comes by a migration that has not cut over.
        """
        if self.plan is None:
            return ()
        views = {host.id: host for host in self.hosts}
        seen = {
            machine.uuid: (host.id, machine) for host in self.hosts if host.good is not None for machine in host.good.machines
        }
        arrived = {record.machine for record in self.books.migrations if record.phase in _ARRIVED}
        rows = []
        for planned in self.plan.machines:
            where, machine = seen.get(planned.uuid, (planned.host, None))
            host = views.get(where)
            here = machine.state.value if machine is not None else ABSENT
            state = here if host is not None and host.up else UNKNOWN
            if planned.method is Method.COLD and planned.id not in arrived:
                state = AWAITED
            rows.append((planned, where, machine, state))
        return tuple(rows)
