"""Cases are listed a page at a time in several orders, and found by assignee, reference, serial."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replace the index of registries, and add the others."""
    op.drop_index("ix_reconciliation_case_registry", "reconciliation_case")
    for name, columns in (
        ("registry", ["registry", "state", "opened_at"]),
        ("changed", ["state", "changed_at"]),
        ("due", ["state", "due_on"]),
        ("units", ["state", "units"]),
    ):
        op.create_index(
            f"ix_reconciliation_case_{name}", "reconciliation_case", columns, unique=False
        )
    for column, more in (("assignee", ["state", "opened_at"]), ("reference", [])):
        op.create_index(
            f"ix_reconciliation_case_{column}",
            "reconciliation_case",
            [column, *more],
            unique=False,
            sqlite_where=sa.text(f"{column} IS NOT NULL"),
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
        )
    op.create_index(
        "ix_reconciliation_case_range_serials",
        "reconciliation_case_range",
        [
            "cooperative_approach",
            "originating_registry",
            "first_transferring_party",
            "vintage",
            "first_serial",
            "last_serial",
        ],
        unique=False,
    )


def downgrade() -> None:
    """Not supported: a log only goes forward. Restore a backup instead."""
    raise RuntimeError("a hub database is never migrated backwards: restore a backup")
