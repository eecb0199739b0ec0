"""Drift is kept with the look since which it stands; the list of the last look is dropped, the next look writes it anew."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the old form."""
    op.execute("DELETE FROM drift")
