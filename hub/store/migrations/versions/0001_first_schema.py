"""The first schema: head, reference data, ledger and exchange."""

from alembic import op

from hub.store.tables import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table of version 1."""
    metadata.create_all(op.get_bind())


def downgrade() -> None:
    """Not supported: the ledger only goes forward. Restore a backup instead."""
    raise RuntimeError("a hub database is never migrated backwards: restore a backup")
