"""What assessment keeps: utilisation over time, decisions of people about servers, and the assessments made."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)
_ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "series",
        sa.Column("estate", sa.String(64), primary_key=True),
        sa.Column("server", sa.String(255), primary_key=True),
        sa.Column("month", sa.String(7), primary_key=True),
        sa.Column("dimension", sa.String(64), primary_key=True),
        sa.Column("source", sa.String(32), primary_key=True),
        sa.Column("step_seconds", sa.Integer, primary_key=True),
        sa.Column("samples", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "decisions",
        sa.Column("estate", sa.String(64), primary_key=True),
        sa.Column("server", sa.String(255), primary_key=True),
        sa.Column("subject", sa.String(255), primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "assessments",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("estate", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("made_at", _AT, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
    )
    op.create_index("assessments_by_estate", "assessments", ["estate", "id"])
