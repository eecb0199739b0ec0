"""The evidence chain: what was decided and done, by whom, each record sealed with the digest of the one before.

A record's digest is the SHA-256 of its canonical JSON together with the previous digest, so that no record can be
changed, dropped or put between others unseen. The last digest, written down elsewhere, seals the whole chain.
"""

import json
import threading
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, Row, func, insert, select, text

from controlplane.model.document import canonical, digest
from controlplane.store.schema import evidence

FIRST = "0" * 64
_SEALED = ("estate", "number", "at", "actor", "action", "subject", "detail", "previous")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRecord:
    """One record as stored; `number` counts from 1 within its estate, `at` is ISO 8601 in UTC."""

    estate: str
    number: int
    at: str
    actor: str
    action: str
    subject: str
    detail: dict[str, object]
    previous: str
    digest: str


class EvidenceChain:
    """Append and read; safe for threads and for several controllers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._one_at_a_time = threading.Lock()

    def append(
        self, estate: str, *, actor: str, action: str, subject: str, detail: dict[str, object], at: datetime
    ) -> EvidenceRecord:
        """Add one record at the end."""
        with self._one_at_a_time, self._engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            return self.append_within(connection, estate, actor=actor, action=action, subject=subject, detail=detail, at=at)

    def append_within(
        self,
        connection: Connection,
        estate: str,
        *,
        actor: str,
        action: str,
        subject: str,
        detail: dict[str, object],
        at: datetime,
    ) -> EvidenceRecord:
        """The same inside a transaction that writes already, so that a change and its evidence are kept or lost together."""
        if connection.dialect.name == "postgresql":
            connection.execute(text("LOCK TABLE evidence IN SHARE ROW EXCLUSIVE MODE"))
        last = connection.execute(
            select(evidence.c.number, evidence.c.digest)
            .where(evidence.c.estate == estate)
            .order_by(evidence.c.number.desc())
            .limit(1)
        ).first()
        number, previous = (last.number + 1, last.digest) if last is not None else (1, FIRST)
        content: dict[str, object] = {
            "estate": estate,
            "number": number,
            "at": at.isoformat(),
            "actor": actor,
            "action": action,
            "subject": subject,
            "detail": detail,
            "previous": previous,
        }
        sealed = digest(content)
        connection.execute(insert(evidence).values(content | {"detail": canonical(detail).decode(), "digest": sealed}))
        return EvidenceRecord(
            estate=estate, number=number, at=at.isoformat(), actor=actor, action=action, subject=subject, detail=detail,
            previous=previous, digest=sealed,
        )  # fmt: skip

    def count(self, estate: str) -> int:
        """How many records there are."""
        with self._engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(evidence).where(evidence.c.estate == estate)) or 0

    def records(self, estate: str, *, limit: int | None = None) -> tuple[EvidenceRecord, ...]:
        """All records in order, or the last `limit` of them."""
        query = select(evidence).where(evidence.c.estate == estate).order_by(evidence.c.number.desc())
        with self._engine.connect() as connection:
            rows = connection.execute(query.limit(limit) if limit is not None else query).all()
        return tuple(_record(row) for row in reversed(rows))

    def first_broken(self, estate: str) -> int | None:
        """Number of the first record that does not fit its seal, its number or the one before; None when whole.

        Reads all records, a thousand at a time.
        """
        query = select(evidence).where(evidence.c.estate == estate).order_by(evidence.c.number)
        previous = FIRST
        with self._engine.connect() as connection, connection.execution_options(yield_per=1000).execute(query) as rows:
            for expected, row in enumerate(rows, start=1):
                record = _record(row)
                content = {name: getattr(record, name) for name in _SEALED}
                if record.number != expected or record.previous != previous or record.digest != digest(content):
                    return expected
                previous = record.digest
        return None


def _record(row: Row[tuple[object, ...]]) -> EvidenceRecord:
    return EvidenceRecord(
        estate=row.estate, number=row.number, at=row.at, actor=row.actor, action=row.action, subject=row.subject,
        detail=json.loads(row.detail), previous=row.previous, digest=row.digest,
    )  # fmt: skip
