"""The one schema, the same on SQLite and PostgreSQL.

Five families:

- *head*: one row. Whoever holds its lock may write; ``log_index`` is the total order of the intake,
  the index of the newest leaf of the log, ``compact_range`` the right edge of its tree.
- *reference*: participants, keys, accounts, approaches, authorizations, suspensions. Small, cached;
  every change raises ``reference_version`` (or ``trust_version`` for keys) in the head.
- *ledger*: series and attribute sets (interned), unit blocks, and the journal of postings, which is
  only ever added to. Blocks are a projection of the journal; ``db check`` re-proves it.
- *exchange*: envelopes with their stored receipts, transfers, mailboxes, deliveries, alerts.
- *transparency log*: entries, full tiles, each participant's counter, checkpoints, cosignatures.

Serials, quantities and log indices are 64-bit integers; instants are milliseconds (``instants``).
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from hub.store.instants import Instant

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

head = Table(
    "head",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="single"), primary_key=True),
    Column("log_index", BigInteger, nullable=False),
    Column("compact_range", LargeBinary, nullable=False),
    Column("next_block_id", BigInteger, nullable=False),
    Column("trust_version", BigInteger, nullable=False),
    Column("reference_version", BigInteger, nullable=False),
)

# --- reference ---------------------------------------------------------------------------------

participant = Table(
    "participant",
    metadata,
    Column("code", String(5), primary_key=True),
    Column("party", String(3), nullable=False),
    Column("kind", String(30), nullable=False),
    Column("name", String(200), nullable=False),
    Column("state", String(20), nullable=False),
    Column("delivery_mode", String(4), nullable=False),
    Column("endpoint", String(500), nullable=True),
    Column("binding", String(4), nullable=False),
    Column("suites", String(200), nullable=False),
    Column("added_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=True),
)

participant_key = Table(
    "participant_key",
    metadata,
    Column("key_id", String(40), primary_key=True),
    Column("participant", String(5), ForeignKey("participant.code"), nullable=False),
    Column("algorithm", String(20), nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("valid_from", Instant, nullable=False),
    Column("valid_until", Instant, nullable=True),
    Column("revoked_at", Instant, nullable=True),
)

account = Table(
    "account",
    metadata,
    Column("registry", String(5), primary_key=True),
    Column("account_id", String(50), primary_key=True),
    Column("type", Integer, nullable=False),
    Column("party", String(3), nullable=False),
    Column("entity", String(100), nullable=True),
    Column("cooperative_approach", String(6), nullable=True),
    Column("metric", String(20), nullable=False),
    Column("status", String(20), nullable=False),
    Column("opened_at", Instant, nullable=False),
)

record = Table(
    "record",
    metadata,
    # kind: cooperative_approach | authorization | entity_authorization; owner: the Party, or ""
    Column("kind", String(30), primary_key=True),
    Column("owner", String(6), primary_key=True),
    Column("record_id", String(100), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("body", Text, nullable=False),
    Column("log_index", BigInteger, nullable=False),
)

issuance = Table(
    "issuance",
    metadata,
    Column("issuance_id", String(30), primary_key=True),
    Column("body", Text, nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("sop_done", BigInteger, nullable=False),
    Column("omge_done", BigInteger, nullable=False),
    Column("forwarded", BigInteger, nullable=False),
    Column("authorized_later", BigInteger, nullable=False, server_default="0"),
    Column("sop_later", BigInteger, nullable=False, server_default="0"),
    Column("omge_later", BigInteger, nullable=False, server_default="0"),
)

later_authorization = Table(
    "later_authorization",
    metadata,
    Column("series_id", BigInteger, ForeignKey("series.series_id"), primary_key=True),
    Column("first_serial", BigInteger, primary_key=True),
    Column("last_serial", BigInteger, nullable=False),
    Column("change_id", String(30), nullable=False),
)

suspension = Table(
    "suspension",
    metadata,
    Column("level", String(20), primary_key=True),
    Column("subject", String(120), primary_key=True),
    Column("placed_at", Instant, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("lifted_at", Instant, nullable=True),
    Index("ix_suspension_open", "level", "subject", "lifted_at"),
)

act = Table(
    "act",
    metadata,
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("kind", String(50), nullable=False),
    Column("actor", String(100), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("salt", LargeBinary, nullable=False),
)

administrator = Table(
    "administrator",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("key_id", String(40), nullable=False, unique=True),
    Column("algorithm", String(20), nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("added_at", Instant, nullable=False),
    Column("removed_at", Instant, nullable=True),
    Column("role", String(15), nullable=False, server_default="administrator"),
)

# What one administrator proposed (a signed statement) and what another one said to it.
act_proposal = Table(
    "act_proposal",
    metadata,
    Column("proposal_id", String(36), primary_key=True),
    Column("kind", String(50), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("statement", LargeBinary, nullable=False),
    Column("proposed_by", String(100), nullable=False),
    Column("proposed_at", Instant, nullable=False),
    Column("state", String(12), nullable=False),
    Column("decided_by", String(100), nullable=True),
    Column("decided_at", Instant, nullable=True),
)

act_statement = Table(
    "act_statement",
    metadata,
    # every statement of an administrator that was ever used: none counts twice
    Column("statement_id", String(36), primary_key=True),
    Column("log_index", BigInteger, nullable=False),
)

# --- ledger ------------------------------------------------------------------------------------

series = Table(
    "series",
    metadata,
    Column("series_id", BigInteger, primary_key=True, autoincrement=False),
    Column("cooperative_approach", String(6), nullable=False),
    Column("originating_registry", String(5), nullable=False),
    Column("first_transferring_party", String(3), nullable=False),
    Column("vintage", Integer, nullable=False),
    UniqueConstraint(
        "cooperative_approach", "originating_registry", "first_transferring_party", "vintage"
    ),
)

unit_attributes = Table(
    "unit_attributes",
    metadata,
    Column("attributes_id", BigInteger, primary_key=True, autoincrement=False),
    Column("content", Text, nullable=False, unique=True),
)

unit_block = Table(
    "unit_block",
    metadata,
    Column("block_id", BigInteger, primary_key=True, autoincrement=False),
    Column("series_id", BigInteger, ForeignKey("series.series_id"), nullable=False),
    Column("first_serial", BigInteger, nullable=False),
    Column("last_serial", BigInteger, nullable=False),
    Column(
        "attributes_id", BigInteger, ForeignKey("unit_attributes.attributes_id"), nullable=False
    ),
    Column("registry", String(5), nullable=False),
    Column("account", String(50), nullable=True),
    Column("status", String(12), nullable=False),
    Column("first_transfer", String(24), nullable=True),
    Column("reserved_by", String(30), nullable=True),
    Column("introduced_by", String(30), nullable=True),
    Column("hold", String(60), nullable=True),
    Column("underlying_first", String(200), nullable=True),
    Column("underlying_last", String(200), nullable=True),
    # What the underlying units are found by (see ``underlying``): made from the row itself.
    Column("underlying_registry", String(100), nullable=True),
    Column("underlying_beginning", String(200), nullable=True),
    Column("underlying_low", String(30), nullable=True),
    Column("underlying_high", String(30), nullable=True),
    CheckConstraint("first_serial >= 1 AND first_serial <= last_serial", name="serials"),
    Index("ix_unit_block_serials", "series_id", "first_serial"),
    Index("ix_unit_block_registry", "registry", "series_id", "first_serial"),
)
# Of a Party registry's accounts the ledger knows nothing.
Index(
    "ix_unit_block_account",
    unit_block.c.account,
    unit_block.c.series_id,
    unit_block.c.first_serial,
    sqlite_where=unit_block.c.account.is_not(None),
    postgresql_where=unit_block.c.account.is_not(None),
)
# Only the few blocks in flight, on hold or with an underlying unit carry these: partial indexes.
for _before, _column in (
    ((), "reserved_by"),
    ((), "hold"),
    (("underlying_registry",), "underlying_first"),
    (("underlying_registry",), "underlying_last"),
    (("underlying_registry", "underlying_beginning"), "underlying_low"),
):
    Index(
        f"ix_unit_block_{_column}",
        *(unit_block.c[name] for name in (*_before, _column)),
        sqlite_where=unit_block.c[_column].is_not(None),
        postgresql_where=unit_block.c[_column].is_not(None),
    )

posting = Table(
    "posting",
    metadata,
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(20), nullable=False),
    Column("series_id", BigInteger, nullable=False),
    Column("first_serial", BigInteger, nullable=False),
    Column("last_serial", BigInteger, nullable=False),
    Column("attributes_id", BigInteger, nullable=False),
    Column("from_registry", String(5), nullable=True),
    Column("from_account", String(50), nullable=True),
    Column("to_registry", String(5), nullable=True),
    Column("to_account", String(50), nullable=True),
    Column("reference", String(60), nullable=False),
    Column("first_transfer", String(24), nullable=True),
    Column("status", String(12), nullable=True),
    Column("underlying_first", String(200), nullable=True),
    Column("underlying_last", String(200), nullable=True),
    Column("was_status", String(12), nullable=True),
    Column("was_first_transferred", Boolean, nullable=True),
    Index("ix_posting_series", "series_id", "log_index", "ordinal"),
    Index("ix_posting_reference", "reference"),
)

# Which transfer brought a unit where it is: only moves, found by serial.
Index(
    "ix_posting_moved",
    posting.c.series_id,
    posting.c.first_serial,
    sqlite_where=posting.c.kind == "moved",
    postgresql_where=posting.c.kind == "moved",
)

authorization_usage = Table(
    "authorization_usage",
    metadata,
    Column("party", String(3), primary_key=True),
    Column("authorization_id", String(50), primary_key=True),
    Column("first_transferred", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
)

# --- exchange ----------------------------------------------------------------------------------

envelope = Table(
    "envelope",
    metadata,
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("sender", String(5), nullable=False),
    Column("envelope_id", String(36), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("recipient", String(5), nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("key_ids", String(100), nullable=False),
    # Says that a key is whose: never erased, later evidence rests on it.
    Column("changes_keys", Boolean, nullable=False),
    # Erased after the time of retention; the entry of the log stays.
    Column("salt", LargeBinary, nullable=True),
    Column("body", LargeBinary, nullable=True),
    Column("receipt", LargeBinary, nullable=True),
    UniqueConstraint("sender", "envelope_id"),
)

transfer = Table(
    "transfer",
    metadata,
    Column("transfer_id", String(30), primary_key=True),
    Column("mode", String(20), nullable=False),
    Column("initiator", String(5), nullable=False),
    Column("acquirer", String(5), nullable=False),
    Column("state", String(12), nullable=False),
    Column("action", String(20), nullable=False),
    Column("cooperative_approach", String(6), nullable=False),
    Column("transferring_account", String(50), nullable=False),
    Column("acquiring_account", String(50), nullable=False),
    Column("acquiring_entity", String(100), nullable=True),
    Column("purpose", String(20), nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("respond_by", Instant, nullable=False),
    Column("proposal_sha256", String(64), nullable=False),
    Column("proposed_log_index", BigInteger, nullable=False),
    Column("proposed_at", Instant, nullable=False),
    Column("closed_log_index", BigInteger, nullable=True),
    Column("closed_at", Instant, nullable=True),
)
# The sweeper's index: only transfers still in flight.
Index(
    "ix_transfer_open",
    transfer.c.respond_by,
    sqlite_where=transfer.c.state == "proposed",
    postgresql_where=transfer.c.state == "proposed",
)
# What the timelines, the velocity limit and the onward delay look back at.
Index("ix_transfer_proposed_at", transfer.c.proposed_at)
Index(
    "ix_transfer_closed_at",
    transfer.c.closed_at,
    sqlite_where=transfer.c.closed_at.is_not(None),
    postgresql_where=transfer.c.closed_at.is_not(None),
)
acted = Table(
    "acted",
    metadata,
    # natural ids of actions and first transfers already taken: the second one is a duplicate
    Column("natural_id", String(60), primary_key=True),
    Column("type", String(40), nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("result", Text, nullable=False),
)

mailbox = Table(
    "mailbox",
    metadata,
    Column("recipient", String(5), ForeignKey("participant.code"), primary_key=True),
    Column("last_sequence", BigInteger, nullable=False),
    Column("stored_sequence", BigInteger, nullable=False),
    Column("acknowledged_sequence", BigInteger, nullable=False),
    Column("failure_count", Integer, nullable=False),
    Column("next_attempt_at", Instant, nullable=True),
    Column("last_error", Text, nullable=True),
    Column("resend_from", BigInteger, nullable=True),
    Column("resend_to", BigInteger, nullable=True),
)

mailbox_item = Table(
    "mailbox_item",
    metadata,
    Column("recipient", String(5), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("log_index", BigInteger, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("carries_envelope", Boolean, nullable=False),
    Column("verdicts", Text, nullable=True),
    Column("notices", Text, nullable=True),
)

delivery = Table(
    "delivery",
    metadata,
    Column("recipient", String(5), primary_key=True),
    Column("first_sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("last_sequence", BigInteger, nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("acknowledged_at", Instant, nullable=True),
    Column("acknowledged_log_index", BigInteger, nullable=True),
    Column("salt", LargeBinary, nullable=True),
    Column("body", LargeBinary, nullable=True),
    UniqueConstraint("recipient", "last_sequence"),
)

delivery_replaced = Table(
    "delivery_replaced",
    metadata,
    # deliveries sealed again because a key that had signed them was revoked: their leaves stay
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("recipient", String(5), nullable=False),
    Column("first_sequence", BigInteger, nullable=False),
    Column("last_sequence", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("acknowledged_at", Instant, nullable=True),
    Column("acknowledged_log_index", BigInteger, nullable=True),
    Column("replaced_by", BigInteger, nullable=False),
    # Erased together with the delivery that took their place.
    Column("salt", LargeBinary, nullable=True),
    Column("body", LargeBinary, nullable=True),
    Index("ix_delivery_replaced_items", "recipient", "first_sequence"),
)

# --- transparency log ----------------------------------------------------------------------------

log_entry = Table(
    "log_entry",
    metadata,
    # the leaf's bytes: public, never changed, never erased
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("entry", LargeBinary, nullable=False),
)

log_tile = Table(
    "log_tile",
    metadata,
    # full tiles only: no row is ever written again
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("tile_index", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
    Column("root", LargeBinary, nullable=False),
)

log_party = Table(
    "log_party",
    metadata,
    # each participant's own counter and its newest entry
    Column("code", String(5), primary_key=True),
    Column("entry_count", BigInteger, nullable=False),
    Column("last_index", BigInteger, nullable=False),
)

log_checkpoint = Table(
    "log_checkpoint",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("at", Instant, nullable=False),
    Column("note", Text, nullable=False),
    Column("settlement", Boolean, nullable=False),
)

log_cosignature = Table(
    "log_cosignature",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("witness", String(200), primary_key=True),
    Column("key_id", String(8), primary_key=True),
    Column("line", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

alert = Table(
    "alert",
    metadata,
    Column("alert_id", String(36), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("kind", String(50), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("detail", Text, nullable=False),
    Column("count", Integer, nullable=False),
    UniqueConstraint("kind", "subject"),
)
