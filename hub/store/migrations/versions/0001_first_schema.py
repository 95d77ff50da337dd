"""The first schema: head, reference data, ledger and exchange.

Every table is spelled out: what ``tables`` becomes later does not change where a database that was
made by this migration begins. Instants are whole milliseconds in a BIGINT (``instants``).
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table of version 1."""
    # reference data
    _create_head()
    _create_participant()
    _create_participant_key()
    _create_account()
    _create_record()
    _create_issuance()
    _create_suspension()
    _create_act()
    # the ledger
    _create_series()
    _create_unit_attributes()
    _create_unit_block()
    _create_posting()
    _create_authorization_usage()
    # the exchange
    _create_envelope()
    _create_transfer()
    _create_acted()
    _create_mailbox()
    _create_mailbox_item()
    _create_delivery()
    _create_alert()


def downgrade() -> None:
    """Not supported: the ledger only goes forward. Restore a backup instead."""
    raise RuntimeError("a hub database is never migrated backwards: restore a backup")


def _create_head() -> None:
    op.create_table(
        "head",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("compact_range", sa.LargeBinary(), nullable=False),
        sa.Column("next_block_id", sa.BigInteger(), nullable=False),
        sa.Column("trust_version", sa.BigInteger(), nullable=False),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_head_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_head")),
    )


def _create_participant() -> None:
    op.create_table(
        "participant",
        sa.Column("code", sa.String(length=5), nullable=False),
        sa.Column("party", sa.String(length=3), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("delivery_mode", sa.String(length=4), nullable=False),
        sa.Column("endpoint", sa.String(length=500), nullable=True),
        sa.Column("binding", sa.String(length=4), nullable=False),
        sa.Column("suites", sa.String(length=200), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_participant")),
    )


def _create_participant_key() -> None:
    op.create_table(
        "participant_key",
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("participant", sa.String(length=5), nullable=False),
        sa.Column("algorithm", sa.String(length=20), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["participant"], ["participant.code"], name=op.f("fk_participant_key_participant")
        ),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_participant_key")),
    )


def _create_account() -> None:
    op.create_table(
        "account",
        sa.Column("registry", sa.String(length=5), nullable=False),
        sa.Column("account_id", sa.String(length=50), nullable=False),
        sa.Column("type", sa.Integer(), nullable=False),
        sa.Column("party", sa.String(length=3), nullable=False),
        sa.Column("entity", sa.String(length=100), nullable=True),
        sa.Column("cooperative_approach", sa.String(length=6), nullable=True),
        sa.Column("metric", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("registry", "account_id", name=op.f("pk_account")),
    )


def _create_record() -> None:
    op.create_table(
        "record",
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("owner", sa.String(length=6), nullable=False),
        sa.Column("record_id", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "owner", "record_id", "version", name=op.f("pk_record")),
    )


def _create_issuance() -> None:
    op.create_table(
        "issuance",
        sa.Column("issuance_id", sa.String(length=30), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("sop_done", sa.BigInteger(), nullable=False),
        sa.Column("omge_done", sa.BigInteger(), nullable=False),
        sa.Column("forwarded", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("issuance_id", name=op.f("pk_issuance")),
    )


def _create_suspension() -> None:
    op.create_table(
        "suspension",
        sa.Column("level", sa.String(length=20), nullable=False),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("placed_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("lifted_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("level", "subject", "placed_at", name=op.f("pk_suspension")),
    )
    op.create_index(
        "ix_suspension_open", "suspension", ["level", "subject", "lifted_at"], unique=False
    )


def _create_act() -> None:
    op.create_table(
        "act",
        sa.Column("log_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=50), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log_index", name=op.f("pk_act")),
    )


def _create_series() -> None:
    op.create_table(
        "series",
        sa.Column("series_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("cooperative_approach", sa.String(length=6), nullable=False),
        sa.Column("originating_registry", sa.String(length=5), nullable=False),
        sa.Column("first_transferring_party", sa.String(length=3), nullable=False),
        sa.Column("vintage", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("series_id", name=op.f("pk_series")),
        sa.UniqueConstraint(
            "cooperative_approach",
            "originating_registry",
            "first_transferring_party",
            "vintage",
            name=op.f(
                "uq_series_cooperative_approach_originating_registry_first_transferring_party_vintage"
            ),
        ),
    )


def _create_unit_attributes() -> None:
    op.create_table(
        "unit_attributes",
        sa.Column("attributes_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("attributes_id", name=op.f("pk_unit_attributes")),
        sa.UniqueConstraint("content", name=op.f("uq_unit_attributes_content")),
    )


def _create_unit_block() -> None:
    op.create_table(
        "unit_block",
        sa.Column("block_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("series_id", sa.BigInteger(), nullable=False),
        sa.Column("first_serial", sa.BigInteger(), nullable=False),
        sa.Column("last_serial", sa.BigInteger(), nullable=False),
        sa.Column("attributes_id", sa.BigInteger(), nullable=False),
        sa.Column("registry", sa.String(length=5), nullable=False),
        sa.Column("account", sa.String(length=50), nullable=True),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("first_transfer", sa.String(length=24), nullable=True),
        sa.Column("reserved_by", sa.String(length=30), nullable=True),
        sa.Column("introduced_by", sa.String(length=30), nullable=True),
        sa.Column("hold", sa.String(length=60), nullable=True),
        sa.Column("underlying_first", sa.String(length=200), nullable=True),
        sa.Column("underlying_last", sa.String(length=200), nullable=True),
        sa.CheckConstraint(
            "first_serial >= 1 AND first_serial <= last_serial", name=op.f("ck_unit_block_serials")
        ),
        sa.ForeignKeyConstraint(
            ["attributes_id"],
            ["unit_attributes.attributes_id"],
            name=op.f("fk_unit_block_attributes_id"),
        ),
        sa.ForeignKeyConstraint(
            ["series_id"], ["series.series_id"], name=op.f("fk_unit_block_series_id")
        ),
        sa.PrimaryKeyConstraint("block_id", name=op.f("pk_unit_block")),
    )
    op.create_index(
        "ix_unit_block_hold",
        "unit_block",
        ["hold"],
        unique=False,
        sqlite_where=sa.text("hold IS NOT NULL"),
        postgresql_where=sa.text("hold IS NOT NULL"),
    )
    op.create_index(
        "ix_unit_block_registry",
        "unit_block",
        ["registry", "block_id"],
        unique=False,
    )
    op.create_index(
        "ix_unit_block_reserved_by",
        "unit_block",
        ["reserved_by"],
        unique=False,
        sqlite_where=sa.text("reserved_by IS NOT NULL"),
        postgresql_where=sa.text("reserved_by IS NOT NULL"),
    )
    op.create_index(
        "ix_unit_block_serials", "unit_block", ["series_id", "first_serial"], unique=False
    )
    op.create_index(
        "ix_unit_block_underlying_first",
        "unit_block",
        ["underlying_first"],
        unique=False,
        sqlite_where=sa.text("underlying_first IS NOT NULL"),
        postgresql_where=sa.text("underlying_first IS NOT NULL"),
    )


def _create_posting() -> None:
    op.create_table(
        "posting",
        sa.Column("log_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("series_id", sa.BigInteger(), nullable=False),
        sa.Column("first_serial", sa.BigInteger(), nullable=False),
        sa.Column("last_serial", sa.BigInteger(), nullable=False),
        sa.Column("attributes_id", sa.BigInteger(), nullable=False),
        sa.Column("from_registry", sa.String(length=5), nullable=True),
        sa.Column("from_account", sa.String(length=50), nullable=True),
        sa.Column("to_registry", sa.String(length=5), nullable=True),
        sa.Column("to_account", sa.String(length=50), nullable=True),
        sa.Column("reference", sa.String(length=60), nullable=False),
        sa.Column("first_transfer", sa.String(length=24), nullable=True),
        sa.Column("status", sa.String(length=12), nullable=True),
        sa.Column("underlying_first", sa.String(length=200), nullable=True),
        sa.Column("underlying_last", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("log_index", "ordinal", name=op.f("pk_posting")),
    )
    op.create_index("ix_posting_reference", "posting", ["reference"], unique=False)
    op.create_index(
        "ix_posting_moved",
        "posting",
        ["series_id", "first_serial"],
        unique=False,
        sqlite_where=sa.text("kind = 'moved'"),
        postgresql_where=sa.text("kind = 'moved'"),
    )
    op.create_index("ix_posting_series", "posting", ["series_id", "log_index"], unique=False)


def _create_authorization_usage() -> None:
    op.create_table(
        "authorization_usage",
        sa.Column("party", sa.String(length=3), nullable=False),
        sa.Column("authorization_id", sa.String(length=50), nullable=False),
        sa.Column("first_transferred", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("party", "authorization_id", name=op.f("pk_authorization_usage")),
    )


def _create_envelope() -> None:
    op.create_table(
        "envelope",
        sa.Column("log_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sender", sa.String(length=5), nullable=False),
        sa.Column("envelope_id", sa.String(length=36), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("recipient", sa.String(length=5), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("key_ids", sa.String(length=100), nullable=False),
        sa.Column("changes_keys", sa.Boolean(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("receipt", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("log_index", name=op.f("pk_envelope")),
        sa.UniqueConstraint("sender", "envelope_id", name=op.f("uq_envelope_sender_envelope_id")),
    )


def _create_transfer() -> None:
    op.create_table(
        "transfer",
        sa.Column("transfer_id", sa.String(length=30), nullable=False),
        sa.Column("mode", sa.String(length=20), nullable=False),
        sa.Column("initiator", sa.String(length=5), nullable=False),
        sa.Column("acquirer", sa.String(length=5), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("cooperative_approach", sa.String(length=6), nullable=False),
        sa.Column("transferring_account", sa.String(length=50), nullable=False),
        sa.Column("acquiring_account", sa.String(length=50), nullable=False),
        sa.Column("acquiring_entity", sa.String(length=100), nullable=True),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("respond_by", sa.BigInteger(), nullable=False),
        sa.Column("proposal_sha256", sa.String(length=64), nullable=False),
        sa.Column("proposed_log_index", sa.BigInteger(), nullable=False),
        sa.Column("proposed_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_log_index", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("transfer_id", name=op.f("pk_transfer")),
    )
    op.create_index(
        "ix_transfer_open",
        "transfer",
        ["respond_by"],
        unique=False,
        sqlite_where=sa.text("state = 'proposed'"),
        postgresql_where=sa.text("state = 'proposed'"),
    )
    op.create_index("ix_transfer_proposed_at", "transfer", ["proposed_at"], unique=False)
    op.create_index(
        "ix_transfer_closed_at",
        "transfer",
        ["closed_at"],
        unique=False,
        sqlite_where=sa.text("closed_at IS NOT NULL"),
        postgresql_where=sa.text("closed_at IS NOT NULL"),
    )


def _create_acted() -> None:
    op.create_table(
        "acted",
        sa.Column("natural_id", sa.String(length=60), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("natural_id", name=op.f("pk_acted")),
    )


def _create_mailbox() -> None:
    op.create_table(
        "mailbox",
        sa.Column("recipient", sa.String(length=5), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("stored_sequence", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged_sequence", sa.BigInteger(), nullable=False),
        sa.Column("failure_count", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("resend_from", sa.BigInteger(), nullable=True),
        sa.Column("resend_to", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["recipient"], ["participant.code"], name=op.f("fk_mailbox_recipient")
        ),
        sa.PrimaryKeyConstraint("recipient", name=op.f("pk_mailbox")),
    )


def _create_mailbox_item() -> None:
    op.create_table(
        "mailbox_item",
        sa.Column("recipient", sa.String(length=5), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("carries_envelope", sa.Boolean(), nullable=False),
        sa.Column("verdicts", sa.Text(), nullable=True),
        sa.Column("notices", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("recipient", "sequence", name=op.f("pk_mailbox_item")),
    )


def _create_delivery() -> None:
    op.create_table(
        "delivery",
        sa.Column("recipient", sa.String(length=5), nullable=False),
        sa.Column("first_sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_log_index", sa.BigInteger(), nullable=True),
        sa.Column("salt", sa.LargeBinary(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("recipient", "first_sequence", name=op.f("pk_delivery")),
        sa.UniqueConstraint(
            "recipient", "last_sequence", name=op.f("uq_delivery_recipient_last_sequence")
        ),
    )


def _create_alert() -> None:
    op.create_table(
        "alert",
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=50), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_alert")),
        sa.UniqueConstraint("kind", "subject", name=op.f("uq_alert_kind_subject")),
    )
