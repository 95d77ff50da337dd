"""Holdings are paged by series and serial, histories of a series by place in the log.

A page then costs the same however large the ledger is, and block ids mean nothing to who reads it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replace the two indexes, and add the one of accounts."""
    op.drop_index("ix_unit_block_registry", "unit_block")
    op.create_index(
        "ix_unit_block_registry",
        "unit_block",
        ["registry", "series_id", "first_serial"],
        unique=False,
    )
    op.create_index(
        "ix_unit_block_account",
        "unit_block",
        ["account", "series_id", "first_serial"],
        unique=False,
        sqlite_where=sa.text("account IS NOT NULL"),
        postgresql_where=sa.text("account IS NOT NULL"),
    )
    op.drop_index("ix_posting_series", "posting")
    op.create_index(
        "ix_posting_series", "posting", ["series_id", "log_index", "ordinal"], unique=False
    )


def downgrade() -> None:
    """Not supported: a log only goes forward. Restore a backup instead."""
    raise RuntimeError("a hub database is never migrated backwards: restore a backup")
