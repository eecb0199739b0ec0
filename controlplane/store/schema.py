"""The tables, as Alembic's migrations have made them. Documents are JSON text: the values of `model`, readable by hand."""

from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, LargeBinary, MetaData, String, Table, Text, UniqueConstraint

metadata = MetaData()

_AT = DateTime(timezone=True)
_ROW_ID = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only for a column typed INTEGER."""

plans = Table(
    "plans",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("estate", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("document", Text, nullable=False),
    Column("accepted_at", _AT, nullable=False),
    Column("accepted_by", String(255), nullable=False),
)
Index("plans_by_estate", plans.c.estate, plans.c.id)

machines = Table(
    "machines",
    metadata,
    Column("estate", String(64), primary_key=True),
    Column("uuid", String(36), primary_key=True),
    Column("machine", String(255), nullable=False),
    Column("first_plan", String(64), nullable=False),
)

native_ids = Table(
    "native_ids",
    metadata,
    Column("estate", String(64), primary_key=True),
    Column("uuid", String(36), primary_key=True),
    Column("native_id", String(255), nullable=False),
    Column("recorded_at", _AT, nullable=False),
)

observations = Table(
    "observations",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("estate", String(64), nullable=False),
    Column("host", String(255), nullable=False),
    Column("observed_at", _AT, nullable=False),
    Column("reachable", Integer, nullable=False),
    Column("document", Text, nullable=False),
)
Index("observations_by_host", observations.c.estate, observations.c.host, observations.c.id)

runs = Table(
    "runs",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("estate", String(64), nullable=False),
    Column("verb", String(32), nullable=False),
    Column("plan", String(64), nullable=False),
    Column("actor", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("host", String(255), nullable=False),
    Column("started_at", _AT, nullable=False),
    Column("ended_at", _AT),
    Column("result", String(32)),
    Column("summary", Text),
)
Index("runs_by_estate", runs.c.estate, runs.c.id)

drift = Table(
    "drift",
    metadata,
    Column("estate", String(64), primary_key=True),
    Column("at", _AT, nullable=False),
    Column("document", Text, nullable=False),
)

migrations = Table(
    "migrations",
    metadata,
    Column("estate", String(64), primary_key=True),
    Column("machine", String(255), primary_key=True),
    Column("document", Text, nullable=False),
)

series = Table(
    "series",
    metadata,
    Column("estate", String(64), primary_key=True),
    Column("server", String(255), primary_key=True),
    Column("month", String(7), primary_key=True),
    Column("dimension", String(64), primary_key=True),
    Column("source", String(32), primary_key=True),
    Column("step_seconds", Integer, primary_key=True),
    Column("samples", LargeBinary, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("estate", String(64), primary_key=True),
    Column("server", String(255), primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("document", Text, nullable=False),
)

assessments = Table(
    "assessments",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("estate", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("made_at", _AT, nullable=False),
    Column("document", LargeBinary, nullable=False),
)
Index("assessments_by_estate", assessments.c.estate, assessments.c.id)
collections = Table(
    "collections",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("estate", String(64), nullable=False),
    Column("server", String(255), nullable=False),
    Column("source", String(32), nullable=False),
    Column("collected_at", _AT, nullable=False),
    Column("answer", String(32), nullable=False),
    Column("has_facts", Integer, nullable=False),
    Column("document", LargeBinary, nullable=False),
)
Index(
    "collections_by_server",
    collections.c.estate,
    collections.c.server,
    collections.c.source,
    collections.c.has_facts,
    collections.c.id,
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("estate", String(64), nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", String(40), nullable=False),
    Column("actor", String(255), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("detail", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    UniqueConstraint("estate", "number", name="evidence_has_one_successor"),
)
