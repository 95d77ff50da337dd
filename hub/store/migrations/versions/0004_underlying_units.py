"""Underlying units are found by their numbers too, not by an equal first id alone.

What the new columns hold is made from the rows, once, by the rule of ``hub.checks.underlying`` as
of this version; it is written out here: a later change of the rule does not change the past.
"""

import json
import re

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NUMBERED = re.compile(r"(.*?)([0-9]{1,30})", re.DOTALL)
_INDEXES = (
    ("underlying_first", ["underlying_registry", "underlying_first"]),
    ("underlying_last", ["underlying_registry", "underlying_last"]),
    ("underlying_low", ["underlying_registry", "underlying_beginning", "underlying_low"]),
)


def upgrade() -> None:
    """Add the columns, fill them, and make the indexes."""
    op.add_column("unit_block", sa.Column("underlying_registry", sa.String(100), nullable=True))
    op.add_column("unit_block", sa.Column("underlying_beginning", sa.String(200), nullable=True))
    op.add_column("unit_block", sa.Column("underlying_low", sa.String(30), nullable=True))
    op.add_column("unit_block", sa.Column("underlying_high", sa.String(30), nullable=True))
    _fill(op.get_bind())
    op.drop_index("ix_unit_block_underlying_first", "unit_block")
    for name, columns in _INDEXES:
        op.create_index(
            f"ix_unit_block_{name}",
            "unit_block",
            columns,
            unique=False,
            sqlite_where=sa.text(f"{name} IS NOT NULL"),
            postgresql_where=sa.text(f"{name} IS NOT NULL"),
        )


def _fill(connection: sa.Connection) -> None:
    rows = connection.execute(
        sa.text(
            "SELECT block_id, underlying_first, underlying_last, content FROM unit_block "
            "JOIN unit_attributes USING (attributes_id) "
            "WHERE underlying_first IS NOT NULL AND underlying_last IS NOT NULL"
        )
    ).all()
    for block_id, first_id, last_id, content in rows:
        registry = json.loads(content).get("underlying_registry")
        if registry is None:
            continue
        values = {"registry": registry, "beginning": None, "low": None, "high": None}
        first, last = _NUMBERED.fullmatch(first_id), _NUMBERED.fullmatch(last_id)
        if first is not None and last is not None and first[1] == last[1]:
            low, high = sorted((int(first[2]), int(last[2])))
            values |= {"beginning": first[1], "low": f"{low:030}", "high": f"{high:030}"}
        connection.execute(
            sa.text(
                "UPDATE unit_block SET underlying_registry = :registry, "
                "underlying_beginning = :beginning, underlying_low = :low, "
                "underlying_high = :high WHERE block_id = :block_id"
            ),
            {**values, "block_id": block_id},
        )


def downgrade() -> None:
    """Not supported: a log only goes forward. Restore a backup instead."""
    raise RuntimeError("a hub database is never migrated backwards: restore a backup")
