"""Acts are found by what they are about, and by their kind."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the two indexes; acts are few and written rarely."""
    op.create_index("ix_act_subject", "act", ["subject", "log_index"], unique=False)
    op.create_index("ix_act_kind", "act", ["kind", "log_index"], unique=False)


def downgrade() -> None:
    """Not supported: a log only goes forward. Restore a backup instead."""
    raise RuntimeError("a hub database is never migrated backwards: restore a backup")
