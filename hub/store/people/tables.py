"""The tables of the console's people, beside those of ``hub.store.tables``, in the same schema.

- *person*, *passkey*: who may sign in, with what, in which role. Passwords are argon2 hashes,
  secrets of second factors are sealed with a key that is not in the database.
- *session*, *flow*: what is open in a browser. Tokens stand here as SHA-256 only, so that a copy of
  the database opens no session.
- *limit*, *event*: how often somebody failed to sign in, and who signed in from where.
- *filter*: searches that a person keeps.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from hub.store.instants import Instant
from hub.store.tables import metadata

person: Final = Table(
    "person",
    metadata,
    Column("person_id", String(36), primary_key=True),
    # What is typed to sign in: lower case, never given to another person.
    Column("name", String(100), nullable=False, unique=True),
    Column("display_name", String(100), nullable=False),
    # viewer | officer | operator | administrator | auditor
    Column("role", String(15), nullable=False),
    # invited | active | disabled
    Column("state", String(12), nullable=False),
    # Under which name an administrator's key of theirs signs acts, if there is one.
    Column("administrator", String(100), nullable=True),
    Column("password_hash", String(300), nullable=True),
    Column("password_changed_at", Instant, nullable=True),
    Column("totp_secret", LargeBinary, nullable=True),
    # The last time step a code was used of: none counts twice.
    Column("totp_step", BigInteger, nullable=True),
    Column("oidc_issuer", String(300), nullable=True),
    Column("oidc_subject", String(255), nullable=True),
    Column("invitation_sha256", LargeBinary, nullable=True),
    Column("invitation_until", Instant, nullable=True),
    # A public key (DER) made in their browser that waits to be registered as an administrator's.
    Column("offered_key", LargeBinary, nullable=True),
    Column("language", String(5), nullable=True),
    # light | dark; none: as the browser likes it
    Column("theme", String(5), nullable=True),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("signed_in_at", Instant, nullable=True),
    UniqueConstraint("oidc_issuer", "oidc_subject"),
)

passkey: Final = Table(
    "person_passkey",
    metadata,
    Column("credential_id", LargeBinary, primary_key=True),
    Column("person_id", String(36), ForeignKey("person.person_id"), nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("name", String(100), nullable=False),
    Column("added_at", Instant, nullable=False),
    Column("used_at", Instant, nullable=True),
    Index("ix_person_passkey_person", "person_id"),
)

session: Final = Table(
    "person_session",
    metadata,
    Column("token_sha256", LargeBinary, primary_key=True),
    # What lists and ends it; opens nothing.
    Column("session_id", String(36), nullable=False, unique=True),
    Column("person_id", String(36), ForeignKey("person.person_id"), nullable=False),
    # password | password+totp | passkey | oidc
    Column("method", String(20), nullable=False),
    Column("address", String(64), nullable=False),
    Column("agent", String(200), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Index("ix_person_session_person", "person_id"),
    Index("ix_person_session_ends", "ends_at"),
)

flow: Final = Table(
    "sign_in_flow",
    metadata,
    # A step in the middle: a second factor, a challenge of a passkey, the way to a provider.
    Column("token_sha256", LargeBinary, primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("person_id", String(36), nullable=True),
    Column("data", Text, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Index("ix_sign_in_flow_ends", "ends_at"),
)

limit: Final = Table(
    "sign_in_limit",
    metadata,
    # Whose failures are counted: a name at an address, a name, an address.
    Column("bucket", String(200), primary_key=True),
    Column("failure_count", Integer, nullable=False),
    Column("failed_at", Instant, nullable=False),
    Column("blocked_until", Instant, nullable=True),
)

event: Final = Table(
    "sign_in_event",
    metadata,
    Column("event_id", Integer, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("name", String(100), nullable=False),
    Column("person_id", String(36), nullable=True),
    Column("method", String(20), nullable=False),
    Column("address", String(64), nullable=False),
    # signed_in | refused | blocked | signed_out | ended | set_up
    Column("outcome", String(20), nullable=False),
    Column("detail", String(200), nullable=True),
    Index("ix_sign_in_event_at", "at"),
    Index("ix_sign_in_event_name", "name", "at"),
)

saved_filter: Final = Table(
    "saved_filter",
    metadata,
    Column("filter_id", Integer, primary_key=True, autoincrement=True),
    Column("person_id", String(36), ForeignKey("person.person_id"), nullable=False),
    # Of which page: cases | transfers
    Column("page", String(20), nullable=False),
    Column("name", String(60), nullable=False),
    # The query of the page's address, as the page itself writes it.
    Column("query", Text, nullable=False),
    # Shown when the page is opened without a query; one of a person and page at most.
    Column("is_default", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("person_id", "page", "name"),
)
