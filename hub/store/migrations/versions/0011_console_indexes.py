"""Indexes of the console's searches (``hub.store.console.indexes`` says what each is for)."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the indexes."""
    _add("ix_transfer_initiator", "transfer", ["initiator", "proposed_at", "transfer_id"])
    _add("ix_transfer_acquirer", "transfer", ["acquirer", "proposed_at", "transfer_id"])
    _add(
        "ix_transfer_unsettled",
        "transfer",
        ["state", "proposed_at", "transfer_id"],
        "state != 'completed'",
    )
    _add("ix_posting_corrected", "posting", ["series_id", "first_serial"], "kind = 'corrected'")
    _add("ix_delivery_log_index", "delivery", ["log_index"])


def _add(name: str, table: str, columns: list[str], where: str | None = None) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(
        name, table, columns, unique=False, sqlite_where=condition, postgresql_where=condition
    )


def downgrade() -> None:
    """Not supported: a log only goes forward. Restore a backup instead."""
    raise RuntimeError("a hub database is never migrated backwards: restore a backup")
