"""The first tables: plans, machines on record, observations, runs, drift, migrations, evidence."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)
_ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "plans",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("estate", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("accepted_at", _AT, nullable=False),
        sa.Column("accepted_by", sa.String(255), nullable=False),
    )
    op.create_index("plans_by_estate", "plans", ["estate", "id"])
    op.create_table(
        "machines",
        sa.Column("estate", sa.String(64), primary_key=True),
        sa.Column("uuid", sa.String(36), primary_key=True),
        sa.Column("machine", sa.String(255), nullable=False),
        sa.Column("first_plan", sa.String(64), nullable=False),
    )
    op.create_table(
        "observations",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("estate", sa.String(64), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("observed_at", _AT, nullable=False),
        sa.Column("reachable", sa.Integer, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("observations_by_host", "observations", ["estate", "host", "id"])
    op.create_table(
        "runs",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("estate", sa.String(64), nullable=False),
        sa.Column("verb", sa.String(32), nullable=False),
        sa.Column("plan", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("started_at", _AT, nullable=False),
        sa.Column("ended_at", _AT),
        sa.Column("result", sa.String(32)),
        sa.Column("summary", sa.Text),
    )
    op.create_index("runs_by_estate", "runs", ["estate", "id"])
    op.create_table(
        "drift",
        sa.Column("estate", sa.String(64), primary_key=True),
        sa.Column("at", _AT, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "migrations",
        sa.Column("estate", sa.String(64), primary_key=True),
        sa.Column("machine", sa.String(255), primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "evidence",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("estate", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.UniqueConstraint("estate", "number", name="evidence_has_one_successor"),
    )
