"""The assessment: what is true of each server, how large it must be, what stands in its way, on whom it depends, its fate.

One immutable document named by the digest of its content, written by `assessment`, taken by `planning` and `reporting`. It
holds the day as of which it was made, no instant of its making: the same facts and policy give the same bytes.
"""

import dataclasses
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from controlplane.model.estate import Disposition
from controlplane.model.finding import Severity
from controlplane.model.resources import Resources

ASSESSMENT_SCHEMA_VERSION = 1

_FLOOR = Resources(vcpus=1, memory_mib=512, disk_gib=4)
_CEILING = Resources(vcpus=64, memory_mib=524_288, disk_gib=16_384)


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingPolicy:
    """How sizes follow from utilisation. Hours are local; 540 minutes east of UTC is Japan, which has no summer time."""

    days: int = 30
    percentile: float = 95.0
    window_start_hour: int = 8
    window_end_hour: int = 20
    utc_offset_minutes: int = 540
    comfort_factor: float = 1.2
    growth_days: int = 365
    floor: Resources = _FLOOR
    ceiling: Resources = _CEILING


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One dimension of one server over the days looked at, in the unit of the dimension's name.

    `typical` is the percentile over the business window, `peak` the largest sample at any hour, `growth_per_year` a robust
    trend (0 when there is none that is sure), `share` the part present of all samples that the policy's days would have.
    """

    dimension: str
    source: str
    typical: float
    typical_outside: float
    peak: float
    growth_per_year: float
    wanted: float
    samples: int
    days: float
    share: float
    stars: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeAdvice:
    """The size wanted, next to what was declared and what measurement alone gives; `stars` 0: declared only."""

    declared: Resources | None
    target: Resources | None
    measured: Resources | None
    wanted: Resources | None
    """None: neither declared nor measured."""
    stars: int
    measurements: tuple[Measured, ...]
    cpu_factor: float
    cpu_family: str
    busy_cores_by_hour: tuple[float | None, ...]
    """Mean by local hour of the day, 24 values, or empty; None where an hour has no samples."""
    reasons: tuple[str, ...]


class Reading(StrEnum):
    """How a rule came out for a server; what came out well is not listed."""

    MET = "met"
    UNKNOWN = "unknown"
    """A fact that the rule needs is missing: it does not pass."""
    WAIVED = "waived"
    """Met, and a named person answers for it with a reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleText:
    """A readiness rule as people read it."""

    id: str
    severity: Severity
    what: str
    what_ja: str
    remedy: str
    remedy_ja: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One rule for one server: what met it, or which facts are missing."""

    rule: str
    reading: Reading
    severity: Severity
    """Of this outcome for what becomes of the server: critical only where it blocks."""
    details: tuple[str, ...] = ()
    waived_by: str = ""
    waived_because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What one source says of a contradicted field, as text."""

    source: str
    value: str
    at: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """A field on which sources do not agree; `accepted_by` empty: open. `critical`: a plan rests on it."""

    field: str
    critical: bool
    used: str
    statements: tuple[Statement, ...]
    accepted_by: str = ""
    accepted_because: str = ""

    @property
    def is_open(self) -> bool:
        """True when nobody accepted a value."""
        return not self.accepted_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of a server. `advised` follows from facts; `decided` is what planning takes, and `decided_by` says whose word it is:
    a person's, the inventory's, or the assessment's."""

    declared: Disposition
    advised: Disposition
    decided: Disposition
    decided_by: str
    into: str
    reasons: tuple[str, ...]
    would_change: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessedServer:
    """One server. `answer` is how the latest look ended, empty when nobody looked; `truth_score` 0 to 100."""

    id: str
    system: str
    ministry: str
    os: str
    answer: str
    looked_on: date | None
    truth_score: int
    contradictions: tuple[Contradiction, ...]
    size: SizeAdvice
    readiness: tuple[Outcome, ...]
    functions: tuple[str, ...]
    idle: bool | None
    """None: not measured, or not seen."""
    ghost: str
    """Why it is a ghost, or empty."""
    fate: Fate
    waits_for: tuple[str, ...] = ()
    """Rules and fields that stop a plan for it, as `kasumi accept` takes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """`client` uses `server` at a port; either may be an address outside the estate (`external`)."""

    client: str
    server: str
    protocol: str
    port: int
    process: str
    evidence: str
    """observed, observed at both ends, or declared."""
    strong: bool
    external: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Servers that must move together, and what ties them."""

    servers: tuple[str, ...]
    ministries: tuple[str, ...]
    ties: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedDependency:
    """A server that other systems use."""

    server: str
    port: int
    systems: tuple[str, ...]
    ministries: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """An address that is talked to and is in no ledger; `inside`: the declared network it lies in, or empty (external)."""

    address: str
    inside: str
    ports: tuple[int, ...]
    servers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Who depends on whom."""

    dependencies: tuple[Dependency, ...]
    cohorts: tuple[Cohort, ...]
    shared: tuple[SharedDependency, ...]
    strangers: tuple[Stranger, ...]
    observed_servers: int
    """How many servers told of their connections; what the others use is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessedSystem:
    """A system: its truth score, and whether a named contact confirmed on a date that it is needed."""

    id: str
    ministry: str
    name: str
    name_en: str
    study_class: int
    truth_score: int
    confirmed_by: str
    confirmed_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessedMinistry:
    """The summary a ministry signs. Sizes are sums over servers that do not retire or stay."""

    id: str
    name: str
    name_en: str
    servers: int
    seen: int
    truth_score: int
    open_contradictions: int
    critical: int
    warnings: int
    unknown: int
    dispositions: dict[str, int] = dataclasses.field(hash=False)
    declared: Resources
    wanted: Resources
    stars: float
    """Mean over servers that move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The whole document. Tuples are sorted by id."""

    schema_version: int = ASSESSMENT_SCHEMA_VERSION
    estate: str
    as_of: date
    policy: SizingPolicy
    rules: tuple[RuleText, ...]
    ministries: tuple[AssessedMinistry, ...]
    systems: tuple[AssessedSystem, ...]
    servers: tuple[AssessedServer, ...]
    graph: Graph
