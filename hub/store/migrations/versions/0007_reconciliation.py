"""Reconciliation: kept digests, sessions, cases; and how units stood before a posting."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two columns to the journal, empty for what is in it, and the tables of reconciliation."""
    op.add_column("posting", sa.Column("was_status", sa.String(12), nullable=True))
    op.add_column("posting", sa.Column("was_first_transferred", sa.Boolean(), nullable=True))
    op.create_index(
        "ix_transfer_recorded",
        "transfer",
        ["closed_log_index"],
        sqlite_where=sa.text("mode = 'notify_and_record'"),
        postgresql_where=sa.text("mode = 'notify_and_record'"),
    )
    _add_links()
    _add_sessions()
    _add_talk()
    _add_cases()
    _add_alerts()


def _add_links() -> None:
    op.create_table(
        "reconciliation_link",
        sa.Column("registry", sa.String(length=5), nullable=False),
        sa.Column("mode", sa.String(length=12), nullable=False),
        sa.Column("key_year", sa.SmallInteger(), nullable=True),
        sa.Column("key_check", sa.LargeBinary(), nullable=True),
        sa.Column("folded_to", sa.BigInteger(), nullable=True),
        sa.Column("root", sa.LargeBinary(), nullable=True),
        sa.Column("built_at", sa.BigInteger(), nullable=True),
        sa.Column("movements_from", sa.BigInteger(), nullable=True),
        sa.Column("agreed_to", sa.BigInteger(), nullable=True),
        sa.Column("agreed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["registry"], ["participant.code"], name=op.f("fk_reconciliation_link_registry")
        ),
        sa.PrimaryKeyConstraint("registry", name=op.f("pk_reconciliation_link")),
    )
    op.create_table(
        "reconciliation_digest",
        sa.Column("registry", sa.String(length=5), nullable=False),
        sa.Column("key_year", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("shift", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("series_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("chunk", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(
            "registry",
            "key_year",
            "shift",
            "series_id",
            "chunk",
            name=op.f("pk_reconciliation_digest"),
        ),
    )
    op.create_table(
        "reconciliation_movement",
        sa.Column("registry", sa.String(length=5), nullable=False),
        sa.Column("key_year", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reference", sa.String(length=60), nullable=False),
        sa.Column("total", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(
            "registry", "key_year", "log_index", name=op.f("pk_reconciliation_movement")
        ),
    )
    op.create_index(
        "ix_reconciliation_movement_total",
        "reconciliation_movement",
        ["total"],
        unique=False,
    )


def _add_sessions() -> None:
    op.create_table(
        "reconciliation_night",
        sa.Column("night", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("own_books", sa.Text(), nullable=True),
        sa.Column("summary", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("night", name=op.f("pk_reconciliation_night")),
    )
    op.create_table(
        "reconciliation_request",
        sa.Column("request_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("registry", sa.String(length=5), nullable=True),
        sa.Column("case_id", sa.String(length=20), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_reconciliation_request")),
    )
    op.create_table(
        "reconciliation_session",
        sa.Column("session", sa.String(length=40), nullable=False),
        sa.Column("registry", sa.String(length=5), nullable=False),
        sa.Column("night", sa.String(length=10), nullable=True),
        sa.Column("request_id", sa.Integer(), nullable=True),
        sa.Column("trigger", sa.String(length=12), nullable=False),
        sa.Column("mode", sa.String(length=12), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.String(length=40), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("answer_by", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("as_of", sa.BigInteger(), nullable=True),
        sa.Column("agreed", sa.Boolean(), nullable=True),
        sa.Column("basis", sa.String(length=12), nullable=True),
        sa.Column("question_count", sa.Integer(), nullable=True),
        sa.Column("finding_count", sa.Integer(), nullable=True),
        sa.Column("result_log_index", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["registry"], ["participant.code"], name=op.f("fk_reconciliation_session_registry")
        ),
        sa.PrimaryKeyConstraint("session", name=op.f("pk_reconciliation_session")),
    )
    op.create_index(
        "ix_reconciliation_session_night",
        "reconciliation_session",
        ["night", "registry"],
        unique=False,
    )
    op.create_index(
        "ix_reconciliation_session_registry",
        "reconciliation_session",
        ["registry", "log_index"],
        unique=False,
    )
    op.create_index(
        "ix_reconciliation_session_request", "reconciliation_session", ["request_id"], unique=False
    )
    op.create_index(
        "ix_reconciliation_session_state", "reconciliation_session", ["state"], unique=False
    )


def _add_talk() -> None:
    op.create_table(
        "reconciliation_question",
        sa.Column("session", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session", "number", name=op.f("pk_reconciliation_question")),
    )
    op.create_table(
        "reconciliation_answer",
        sa.Column("session", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session", "number", name=op.f("pk_reconciliation_answer")),
    )
    op.create_table(
        "reconciliation_finding",
        sa.Column("session", sa.String(length=40), nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("case_id", sa.String(length=20), nullable=True),
        sa.PrimaryKeyConstraint("session", "ordinal", name=op.f("pk_reconciliation_finding")),
    )


def _add_cases() -> None:
    op.create_table(
        "reconciliation_case",
        sa.Column("case_id", sa.String(length=20), nullable=False),
        sa.Column("registry", sa.String(length=5), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("cause_index", sa.BigInteger(), nullable=True),
        sa.Column("reference", sa.String(length=60), nullable=True),
        sa.Column("assignee", sa.String(length=100), nullable=True),
        sa.Column("due_on", sa.String(length=10), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("opened_session", sa.String(length=40), nullable=False),
        sa.Column("last_session", sa.String(length=40), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_session", sa.String(length=40), nullable=True),
        sa.Column("reopened_count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["registry"], ["participant.code"], name=op.f("fk_reconciliation_case_registry")
        ),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_reconciliation_case")),
    )
    op.create_index(
        "ix_reconciliation_case_registry",
        "reconciliation_case",
        ["registry", "state"],
        unique=False,
    )
    op.create_index(
        "ix_reconciliation_case_state", "reconciliation_case", ["state", "opened_at"], unique=False
    )
    op.create_table(
        "reconciliation_case_range",
        sa.Column("case_id", sa.String(length=20), nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cooperative_approach", sa.String(length=6), nullable=False),
        sa.Column("originating_registry", sa.String(length=5), nullable=False),
        sa.Column("first_transferring_party", sa.String(length=3), nullable=False),
        sa.Column("vintage", sa.Integer(), nullable=False),
        sa.Column("first_serial", sa.BigInteger(), nullable=False),
        sa.Column("last_serial", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("is_frozen", sa.Boolean(), nullable=False),
        sa.Column("allows", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("case_id", "ordinal", name=op.f("pk_reconciliation_case_range")),
    )
    op.create_index(
        "ix_reconciliation_case_range_frozen",
        "reconciliation_case_range",
        ["case_id"],
        unique=False,
        sqlite_where=sa.text("is_frozen"),
        postgresql_where=sa.text("is_frozen"),
    )
    op.create_table(
        "reconciliation_case_event",
        sa.Column("case_id", sa.String(length=20), nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", "ordinal", name=op.f("pk_reconciliation_case_event")),
    )


def _add_alerts() -> None:
    op.create_table(
        "reconciliation_alert",
        sa.Column("alert_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("target", sa.String(length=500), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("failure_count", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_reconciliation_alert")),
    )
    op.create_index(
        "ix_reconciliation_alert_state",
        "reconciliation_alert",
        ["state", "next_attempt_at"],
        unique=False,
    )


def downgrade() -> None:
    """Not supported: a log only goes forward. Restore a backup instead."""
    raise RuntimeError("a hub database is never migrated backwards: restore a backup")
