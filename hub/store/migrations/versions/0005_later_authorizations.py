"""How many contribution units of an issuance were authorized later, and how many of its shares."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the three counts to the issuances; of those on record nothing was authorized later."""
    for name in ("authorized_later", "sop_later", "omge_later"):
        column = sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")
        op.add_column("issuance", column)


def downgrade() -> None:
    """Not supported: a log only goes forward. Restore a backup instead."""
    raise RuntimeError("a hub database is never migrated backwards: restore a backup")
