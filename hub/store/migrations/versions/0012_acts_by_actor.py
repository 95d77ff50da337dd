"""Acts are found by who did them, and sign-ins by whose they are."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the two indexes; acts and sign-ins are few and written rarely."""
    op.create_index("ix_act_actor", "act", ["actor", "log_index"], unique=False)
    op.create_index("ix_sign_in_event_name", "sign_in_event", ["name", "at"], unique=False)


def downgrade() -> None:
    """Not supported: a log only goes forward. Restore a backup instead."""
    raise RuntimeError("a hub database is never migrated backwards: restore a backup")
