"""Decisions of people about servers, and the assessments made: the latest of each is what counts.

A decision and its evidence are written in one transaction, so that neither can be without the other.
"""

import zlib
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Engine, delete, insert, select

from controlplane.model.decision import Decision
from controlplane.model.document import to_data
from controlplane.store.evidence import EvidenceChain
from controlplane.store.schema import assessments, decisions

KEPT_ASSESSMENTS = 10
"""Of each estate; a plan carries what it took from its assessment, so an old one is for reading only."""

_DECISION = TypeAdapter(Decision)


class DecisionStore:
    """What people decided about servers, and assessments by digest."""

    def __init__(self, engine: Engine, chain: EvidenceChain) -> None:
        self._engine = engine
        self._chain = chain

    def record(self, estate: str, decision: Decision) -> None:
        """Let a decision stand in place of an earlier one about the same thing."""
        key = _key(estate, decision.server, decision.subject)
        with self._engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            connection.execute(delete(decisions).where(key))
            connection.execute(
                insert(decisions).values(
                    estate=estate, server=decision.server, subject=decision.subject,
                    document=_DECISION.dump_json(decision).decode(),
                )
            )  # fmt: skip
            detail = {
                "subject": decision.subject,
                "value": to_data(decision.value),
                "reason": decision.reason,
                "seen": decision.seen,
            }
            self._chain.append_within(
                connection,
                estate,
                actor=decision.actor,
                action="server:decided",
                subject=decision.server,
                detail=detail,
                at=decision.at,
            )

    def withdraw(self, estate: str, server: str, subject: str, *, actor: str, reason: str, at: datetime) -> bool:
        """Take a decision back; False when there is none."""
        with self._engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            if not connection.execute(delete(decisions).where(_key(estate, server, subject))).rowcount:
                return False
            self._chain.append_within(
                connection, estate, actor=actor, action="server:withdrawn", subject=server,
                detail={"subject": subject, "reason": reason}, at=at,
            )  # fmt: skip
            return True

    def standing(self, estate: str) -> tuple[Decision, ...]:
        """All decisions that stand, by server and subject."""
        query = select(decisions.c.document).where(decisions.c.estate == estate)
        with self._engine.connect() as connection:
            found = connection.scalars(query.order_by(decisions.c.server, decisions.c.subject))
            return tuple(_DECISION.validate_json(document) for document in found)

    def keep_assessment(self, estate: str, digest: str, document: str, at: datetime) -> None:
        """Keep an assessment as the latest one; of older ones KEPT_ASSESSMENTS stay."""
        with self._engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            packed = zlib.compress(document.encode(), 1)
            connection.execute(insert(assessments).values(estate=estate, digest=digest, made_at=at, document=packed))
            mine = assessments.c.estate == estate
            oldest = connection.scalar(
                select(assessments.c.id).where(mine).order_by(assessments.c.id.desc()).offset(KEPT_ASSESSMENTS).limit(1)
            )
            if oldest is not None:
                connection.execute(delete(assessments).where(mine, assessments.c.id <= oldest))

    def latest_assessment(self, estate: str) -> str | None:
        """The document of the assessment made last."""
        query = select(assessments.c.document).where(assessments.c.estate == estate).order_by(assessments.c.id.desc()).limit(1)
        with self._engine.connect() as connection:
            packed = connection.scalar(query)
        return zlib.decompress(packed).decode() if packed is not None else None


def _key(estate: str, server: str, subject: str) -> ColumnElement[bool]:
    return (decisions.c.estate == estate) & (decisions.c.server == server) & (decisions.c.subject == subject)
