"""Contribution units that were authorized later: how many of an issuance, and which."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add three counts to the issuances, and the ranges; nothing on record was authorized later."""
    for name in ("authorized_later", "sop_later", "omge_later"):
        column = sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")
        op.add_column("issuance", column)
    op.create_table(
        "later_authorization",
        sa.Column("series_id", sa.BigInteger(), sa.ForeignKey("series.series_id"), nullable=False),
        sa.Column("first_serial", sa.BigInteger(), nullable=False),
        sa.Column("last_serial", sa.BigInteger(), nullable=False),
        sa.Column("change_id", sa.String(30), nullable=False),
        sa.PrimaryKeyConstraint("series_id", "first_serial"),
    )


def downgrade() -> None:
    """Not supported: a log only goes forward. Restore a backup instead."""
    raise RuntimeError("a hub database is never migrated backwards: restore a backup")
