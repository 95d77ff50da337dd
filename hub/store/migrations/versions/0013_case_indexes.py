"""Cases are found by the message behind them and by what an entry of the log did with them.

On SQLite the index of frozen serials had a condition that no query is written with: whoever asked
for what is frozen read all that ever was.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two indexes, and make the third one anew."""
    op.create_index(
        "ix_reconciliation_case_cause",
        "reconciliation_case",
        ["cause_index"],
        unique=False,
        sqlite_where=sa.text("cause_index IS NOT NULL"),
        postgresql_where=sa.text("cause_index IS NOT NULL"),
    )
    op.create_index(
        "ix_reconciliation_case_event_log_index",
        "reconciliation_case_event",
        ["log_index"],
        unique=False,
    )
    op.drop_index("ix_reconciliation_case_range_frozen", "reconciliation_case_range")
    op.create_index(
        "ix_reconciliation_case_range_frozen",
        "reconciliation_case_range",
        ["case_id", "ordinal"],
        unique=False,
        sqlite_where=sa.text("is_frozen = 1"),
        postgresql_where=sa.text("is_frozen"),
    )


def downgrade() -> None:
    """Not supported: a log only goes forward. Restore a backup instead."""
    raise RuntimeError("a hub database is never migrated backwards: restore a backup")
