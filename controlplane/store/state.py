"""The store: frozen values in, frozen values out; the same on SQLite and PostgreSQL."""

import json
import os
import socket
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter
from sqlalchemy import Engine, delete, func, insert, select, update
from sqlalchemy.engine import Row

from controlplane.errors import KasumiError
from controlplane.model.document import canonical, digest, plan_from_json
from controlplane.model.drift import Drift
from controlplane.model.migration import Migration
from controlplane.model.observed import HostObservation, Observation
from controlplane.model.plan import Plan
from controlplane.store.decisions import DecisionStore
from controlplane.store.evidence import EvidenceChain, EvidenceRecord
from controlplane.store.facts import FactsStore
from controlplane.store.lock import advisory_lock, file_lock
from controlplane.store.schema import drift, machines, migrations, native_ids, observations, plans, runs
from controlplane.store.series import SeriesStore

KEPT_OBSERVATIONS = 10
"""Per host; a look at a host with 1,000 machines is 0.7 MB, and Prometheus keeps the history."""

_CLOCK_SLACK_SECONDS = 2.0
"""The kernel tells the instant of boot in whole seconds."""

_OBSERVATION = TypeAdapter(HostObservation)
_MIGRATION = TypeAdapter(Migration)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a verb. `result`: ok or failed; empty while it runs; interrupted when its process is gone."""

    id: int
    verb: str
    plan: str
    actor: str
    started_at: datetime
    ended_at: datetime | None
    result: str
    summary: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """That a plan was accepted, when and by whom."""

    digest: str
    at: datetime
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingDrift:
    """One difference, and the first of the looks since which every look found it."""

    drift: Drift
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRecord:
    """The drift left at the latest look."""

    at: datetime
    standing: tuple[StandingDrift, ...]

    @property
    def drift(self) -> tuple[Drift, ...]:
        """The differences alone."""
        return tuple(each.drift for each in self.standing)


_DRIFT = TypeAdapter(tuple[StandingDrift, ...])


class Store:
    """What the controller remembers, by estate. Methods may be called from several threads."""

    def __init__(self, engine: Engine, home: Path) -> None:
        self._engine = engine
        self._home = home
        self._chain = EvidenceChain(engine)
        self.series = SeriesStore(engine)
        self.decisions = DecisionStore(engine, self._chain)
        self.facts = FactsStore(engine)

    def close(self) -> None:
        """Drop all connections."""
        self._engine.dispose()

    def controller_lock(self, name: str, *, verb: str) -> AbstractContextManager[None]:
        """Hold the lock of an estate (or `estate/machine`). Raises LockedError that says who holds it."""
        if self._engine.dialect.name == "postgresql":
            return advisory_lock(self._engine, name, verb=verb)
        return file_lock(self._home / "locks", name, verb=verb)

    def accepted_plan(self, estate: str) -> Plan | None:
        """The plan accepted last."""
        query = select(plans.c.document, plans.c.digest).where(plans.c.estate == estate).order_by(plans.c.id.desc()).limit(1)
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return plan_from_json(row.document, f"accepted plan {row.digest[:12]}") if row is not None else None

    def accept_plan(self, plan: Plan, *, actor: str, at: datetime) -> None:
        """Make it the accepted plan, and put the uuids of its machines on record; nothing happens when it is already."""
        name = digest(plan)
        accepted = self.accepted_plan(plan.estate)
        if accepted is not None and digest(accepted) == name:
            return
        document = canonical({"digest": name} | json.loads(canonical(plan))).decode()
        with self._engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            connection.execute(
                insert(plans).values(estate=plan.estate, digest=name, document=document, accepted_at=at, accepted_by=actor)
            )
            known = {row.uuid for row in connection.execute(select(machines.c.uuid).where(machines.c.estate == plan.estate))}
            new = [
                {"estate": plan.estate, "uuid": machine.uuid, "machine": machine.id, "first_plan": name}
                for machine in plan.machines
                if machine.uuid not in known
            ]
            if new:
                connection.execute(insert(machines), new)
            self._chain.append_within(
                connection, plan.estate, actor=actor, action="plan:accepted", subject=name, detail={"parent": plan.parent}, at=at
            )

    def acceptance(self, estate: str) -> Acceptance | None:
        """Which plan was accepted last and when, without reading the plan."""
        query = select(plans).where(plans.c.estate == estate).order_by(plans.c.id.desc()).limit(1)
        with self._engine.connect() as connection:
            row = connection.execute(query.with_only_columns(plans.c.digest, plans.c.accepted_at, plans.c.accepted_by)).first()
        return Acceptance(digest=row.digest, at=_utc(row.accepted_at), actor=row.accepted_by) if row is not None else None

    def plan(self, estate: str, digest_prefix: str) -> Plan:
        """An accepted plan, also of the past, by the beginning of its digest. Raises KasumiError when none or several fit."""
        query = select(plans.c.document, plans.c.digest).where(
            plans.c.estate == estate, plans.c.digest.startswith(digest_prefix, autoescape=True)
        )
        with self._engine.connect() as connection:
            found = {row.digest: row.document for row in connection.execute(query)}
        if len(found) != 1:
            raise KasumiError(f"plan {digest_prefix}: {len(found)} accepted plans begin so; give more of the digest or a file")
        ((name, document),) = found.items()
        return plan_from_json(document, f"accepted plan {name[:12]}")

    def recorded_uuids(self, estate: str) -> frozenset[str]:
        """The uuids of all machines that any accepted plan ever had."""
        with self._engine.connect() as connection:
            return frozenset(connection.scalars(select(machines.c.uuid).where(machines.c.estate == estate)))

    def native_ids(self, estate: str) -> dict[str, str]:
        """The id that a provider gave by itself, by the uuid of our machine."""
        query = select(native_ids.c.uuid, native_ids.c.native_id).where(native_ids.c.estate == estate)
        with self._engine.connect() as connection:
            return {row.uuid: row.native_id for row in connection.execute(query)}

    def record_native_ids(self, estate: str, found: Mapping[str, str], at: datetime) -> None:
        """Put ids on record, by uuid; one that is on record stays as it is until it is forgotten."""
        with self._engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            known = set(connection.scalars(select(native_ids.c.uuid).where(native_ids.c.estate == estate)))
            new = [
                {"estate": estate, "uuid": uuid, "native_id": native_id, "recorded_at": at}
                for uuid, native_id in found.items()
                if uuid not in known
            ]
            if new:
                connection.execute(insert(native_ids), new)

    def forget_native_ids(self, estate: str, uuids: Collection[str]) -> None:
        """Take ids off the record, before their machines are made anew and get others."""
        if not uuids:
            return
        with self._engine.begin() as connection:
            connection.execute(delete(native_ids).where(native_ids.c.estate == estate, native_ids.c.uuid.in_(uuids)))

    def record_observation(self, estate: str, seen: HostObservation) -> None:
        """Keep a look at one host; old ones beyond KEPT_OBSERVATIONS go, but never the last good one."""
        mine = (observations.c.estate == estate) & (observations.c.host == seen.host)
        with self._engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            connection.execute(
                insert(observations).values(
                    estate=estate, host=seen.host, observed_at=seen.observed_at, reachable=int(seen.reachable),
                    document=_OBSERVATION.dump_json(seen).decode(),
                )
            )  # fmt: skip
            oldest = connection.scalar(
                select(observations.c.id).where(mine).order_by(observations.c.id.desc()).offset(KEPT_OBSERVATIONS).limit(1)
            )
            good = connection.scalar(select(func.max(observations.c.id)).where(mine & (observations.c.reachable == 1)))
            if oldest is not None:
                connection.execute(
                    delete(observations).where(mine, observations.c.id <= oldest, observations.c.id != (good or 0))
                )

    def latest_observation(self, estate: str) -> Observation:
        """The last look at each host, whether it answered or not."""
        return self._observation(estate, only_good=False)

    def last_good_observation(self, estate: str) -> Observation:
        """The last look at each host at which it answered."""
        return self._observation(estate, only_good=True)

    def _observation(self, estate: str, *, only_good: bool) -> Observation:
        newest = select(func.max(observations.c.id)).where(observations.c.estate == estate)
        if only_good:
            newest = newest.where(observations.c.reachable == 1)
        query = select(observations.c.document).where(observations.c.id.in_(newest.group_by(observations.c.host)))
        with self._engine.connect() as connection:
            seen = [_OBSERVATION.validate_json(document) for document in connection.scalars(query)]
        return Observation(hosts={host.host: host for host in seen})

    def record_drift(self, estate: str, left: tuple[Drift, ...], at: datetime) -> None:
        """Replace the drift of the latest look; a difference that stood before keeps its `since`."""
        with self._engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            document = connection.scalar(select(drift.c.document).where(drift.c.estate == estate))
            before = {_place(each.drift): each.since for each in (_DRIFT.validate_json(document) if document else ())}
            standing = tuple(StandingDrift(drift=each, since=before.get(_place(each), at)) for each in left)
            values = {"at": at, "document": _DRIFT.dump_json(standing).decode()}
            if document is None:
                connection.execute(insert(drift).values(estate=estate, **values))
            else:
                connection.execute(update(drift).where(drift.c.estate == estate).values(values))

    def latest_drift(self, estate: str) -> DriftRecord | None:
        """The drift left at the latest look."""
        with self._engine.connect() as connection:
            row = connection.execute(select(drift).where(drift.c.estate == estate)).first()
        return DriftRecord(at=_utc(row.at), standing=_DRIFT.validate_json(row.document)) if row is not None else None

    def begin_run(self, estate: str, verb: str, plan_digest: str, actor: str, at: datetime) -> int:
        """Record that a verb begins; returns the id for `end_run`."""
        values = {"estate": estate, "verb": verb, "plan": plan_digest, "actor": actor, "started_at": at}
        with self._engine.begin() as connection:
            done = connection.execute(insert(runs).values(pid=os.getpid(), host=socket.gethostname(), **values))
        key = done.inserted_primary_key
        if key is None:
            raise KasumiError("store: the database gave no id for a new run")
        return int(key[0])

    def end_run(self, run_id: int, result: str, summary: dict[str, object], at: datetime) -> None:
        """Record how it ended."""
        values = {"result": result, "summary": canonical(summary).decode(), "ended_at": at}
        with self._engine.begin() as connection:
            connection.execute(update(runs).where(runs.c.id == run_id).values(values))

    def runs(self, estate: str, *, limit: int | None = None) -> tuple[Run, ...]:
        """Runs, newest first; one whose process on this machine is gone without an end is interrupted."""
        query = select(runs).where(runs.c.estate == estate).order_by(runs.c.id.desc())
        with self._engine.connect() as connection:
            rows = connection.execute(query.limit(limit) if limit is not None else query).all()
        return tuple(_run(row) for row in rows)

    def runs_after(self, estate: str, run_id: int) -> tuple[Run, ...]:
        """The runs begun after that one, oldest first."""
        query = select(runs).where(runs.c.estate == estate, runs.c.id > run_id).order_by(runs.c.id)
        with self._engine.connect() as connection:
            return tuple(_run(row) for row in connection.execute(query))

    def save_migration(self, record: Migration) -> None:
        """Write the record of one machine's migration, replacing what was there."""
        where = (migrations.c.estate == record.estate) & (migrations.c.machine == record.machine)
        document = _MIGRATION.dump_json(record).decode()
        with self._engine.begin() as connection:
            if not connection.execute(update(migrations).where(where).values(document=document)).rowcount:
                connection.execute(insert(migrations).values(estate=record.estate, machine=record.machine, document=document))

    def migration(self, estate: str, machine: str) -> Migration | None:
        """The record of one machine's migration."""
        query = select(migrations.c.document).where(migrations.c.estate == estate, migrations.c.machine == machine)
        with self._engine.connect() as connection:
            document = connection.scalar(query)
        return _MIGRATION.validate_json(document) if document is not None else None

    def migrations(self, estate: str) -> tuple[Migration, ...]:
        """All migrations on record, by machine."""
        query = select(migrations.c.document).where(migrations.c.estate == estate).order_by(migrations.c.machine)
        with self._engine.connect() as connection:
            return tuple(_MIGRATION.validate_json(document) for document in connection.scalars(query))

    def append_evidence(
        self, estate: str, *, actor: str, action: str, subject: str, detail: dict[str, object], at: datetime
    ) -> None:
        """Add one record to the evidence chain of the estate."""
        self._chain.append(estate, actor=actor, action=action, subject=subject, detail=detail, at=at)

    def evidence(self, estate: str, *, limit: int | None = None) -> tuple[EvidenceRecord, ...]:
        """The evidence of the estate in order, or its last `limit` records."""
        return self._chain.records(estate, limit=limit)

    def evidence_count(self, estate: str) -> int:
        """How many records the evidence of the estate has."""
        return self._chain.count(estate)

    def first_broken_evidence(self, estate: str) -> int | None:
        """Number of the first evidence record that was tampered with; None when the chain is whole."""
        return self._chain.first_broken(estate)


def _run(row: Row[tuple[object, ...]]) -> Run:
    started_at = _utc(row.started_at)
    elsewhere = row.host != socket.gethostname()
    return Run(
        id=row.id, verb=row.verb, plan=row.plan, actor=row.actor, started_at=started_at,
        ended_at=_utc(row.ended_at) if row.ended_at is not None else None,
        result=row.result or ("" if elsewhere or _runs_since(row.pid, started_at) else "interrupted"),
        summary=json.loads(row.summary) if row.summary else {},
    )  # fmt: skip


def _runs_since(pid: int, at: datetime) -> bool:
    """True while the process that had this number then still runs; a later process with the same number is another."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19])
        boot = next(int(line.split()[1]) for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
    except OSError:
        return False
    return boot + ticks / os.sysconf("SC_CLK_TCK") <= at.timestamp() + _CLOCK_SLACK_SECONDS


def _place(found: Drift) -> tuple[str, str, str]:
    """What stays the same while a difference stands, though what is found there may change."""
    return found.host, found.subject, found.what


def _utc(at: datetime) -> datetime:
    """SQLite gives instants back without their zone; all were written in UTC."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
