"""People of the console: accounts, sessions, sign-ins; the role of an administrator's key."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables of people; administrators of before may sign every act, as they could."""
    op.add_column(
        "administrator",
        sa.Column("role", sa.String(15), nullable=False, server_default="administrator"),
    )
    _add_people()
    _add_sessions()
    _add_sign_ins()


def _add_people() -> None:
    op.create_table(
        "person",
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("display_name", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=15), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("administrator", sa.String(length=100), nullable=True),
        sa.Column("password_hash", sa.String(length=300), nullable=True),
        sa.Column("password_changed_at", sa.BigInteger(), nullable=True),
        sa.Column("totp_secret", sa.LargeBinary(), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), nullable=True),
        sa.Column("oidc_issuer", sa.String(length=300), nullable=True),
        sa.Column("oidc_subject", sa.String(length=255), nullable=True),
        sa.Column("invitation_sha256", sa.LargeBinary(), nullable=True),
        sa.Column("invitation_until", sa.BigInteger(), nullable=True),
        sa.Column("offered_key", sa.LargeBinary(), nullable=True),
        sa.Column("language", sa.String(length=5), nullable=True),
        sa.Column("theme", sa.String(length=5), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("signed_in_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_person")),
        sa.UniqueConstraint("name", name=op.f("uq_person_name")),
        sa.UniqueConstraint(
            "oidc_issuer", "oidc_subject", name=op.f("uq_person_oidc_issuer_oidc_subject")
        ),
    )
    op.create_table(
        "person_passkey",
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.person_id"], name=op.f("fk_person_passkey_person_id")
        ),
        sa.PrimaryKeyConstraint("credential_id", name=op.f("pk_person_passkey")),
    )
    op.create_index("ix_person_passkey_person", "person_passkey", ["person_id"], unique=False)


def _add_sessions() -> None:
    op.create_table(
        "person_session",
        sa.Column("token_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("session_id", sa.String(length=36), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("method", sa.String(length=20), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("agent", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.person_id"], name=op.f("fk_person_session_person_id")
        ),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_person_session")),
        sa.UniqueConstraint("session_id", name=op.f("uq_person_session_session_id")),
    )
    op.create_index("ix_person_session_ends", "person_session", ["ends_at"], unique=False)
    op.create_index("ix_person_session_person", "person_session", ["person_id"], unique=False)
    op.create_table(
        "saved_filter",
        sa.Column("filter_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("page", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.person_id"], name=op.f("fk_saved_filter_person_id")
        ),
        sa.PrimaryKeyConstraint("filter_id", name=op.f("pk_saved_filter")),
        sa.UniqueConstraint(
            "person_id", "page", "name", name=op.f("uq_saved_filter_person_id_page_name")
        ),
    )


def _add_sign_ins() -> None:
    op.create_table(
        "sign_in_event",
        sa.Column("event_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=True),
        sa.Column("method", sa.String(length=20), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("detail", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_sign_in_event")),
    )
    op.create_index("ix_sign_in_event_at", "sign_in_event", ["at"], unique=False)
    op.create_table(
        "sign_in_flow",
        sa.Column("token_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_sign_in_flow")),
    )
    op.create_index("ix_sign_in_flow_ends", "sign_in_flow", ["ends_at"], unique=False)
    op.create_table(
        "sign_in_limit",
        sa.Column("bucket", sa.String(length=200), nullable=False),
        sa.Column("failure_count", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.BigInteger(), nullable=False),
        sa.Column("blocked_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("bucket", name=op.f("pk_sign_in_limit")),
    )


def downgrade() -> None:
    """Not supported: a log only goes forward. Restore a backup instead."""
    raise RuntimeError("a hub database is never migrated backwards: restore a backup")
