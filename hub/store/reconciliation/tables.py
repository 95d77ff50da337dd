"""The tables of reconciliation, beside those of ``hub.store.tables``, in the same schema.

- *link*, *digest*, *movement*: the kept sums of each registry's units, folded from the journal of
  postings; nothing of them is written when a message is recorded.
- *night*, *request*, *session*, *question*, *answer*, *finding*: what ran, what was said, what came
  of it. A session is rebuilt from its answers after a restart.
- *case*, *range*, *event*: the discrepancies that people work on, and what is frozen meanwhile.
- *alert*: what is still to be told by webhook and e-mail.

Series are written out where a registry may name one that the ledger never saw. Dates are texts
``YYYY-MM-DD``, digests 16 bytes, instants milliseconds.
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
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

from hub.store.instants import Instant
from hub.store.tables import metadata, transfer

link: Final = Table(
    "reconciliation_link",
    metadata,
    Column("registry", String(5), ForeignKey("participant.code"), primary_key=True),
    # digests | totals | statement | records | off
    Column("mode", String(12), nullable=False),
    Column("key_year", SmallInteger, nullable=True),
    # Tells one key from another, and nothing of either.
    Column("key_check", LargeBinary, nullable=True),
    Column("folded_to", BigInteger, nullable=True),
    Column("root", LargeBinary, nullable=True),
    Column("built_at", Instant, nullable=True),
    # Movements after this index are told one by one; no view goes back before it.
    Column("movements_from", BigInteger, nullable=True),
    # The last cut on which both sides agreed.
    Column("agreed_to", BigInteger, nullable=True),
    Column("agreed_at", Instant, nullable=True),
)

digest: Final = Table(
    "reconciliation_digest",
    metadata,
    Column("registry", String(5), primary_key=True),
    Column("key_year", SmallInteger, primary_key=True, autoincrement=False),
    Column("shift", SmallInteger, primary_key=True, autoincrement=False),
    Column("series_id", BigInteger, primary_key=True, autoincrement=False),
    Column("chunk", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False),
)

movement: Final = Table(
    "reconciliation_movement",
    metadata,
    Column("registry", String(5), primary_key=True),
    Column("key_year", SmallInteger, primary_key=True, autoincrement=False),
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("reference", String(60), nullable=False),
    # The sum of its edges: by it a lost or doubled message is found.
    Column("total", LargeBinary, nullable=False),
    Index("ix_reconciliation_movement_total", "total"),
)

night: Final = Table(
    "reconciliation_night",
    metadata,
    Column("night", String(10), primary_key=True),
    # running | finished | missed
    Column("state", String(12), nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("started_at", Instant, nullable=True),
    Column("finished_at", Instant, nullable=True),
    # The check of the hub's own books, and what the report needs of then, as JSON.
    Column("own_books", Text, nullable=True),
    Column("summary", Text, nullable=True),
)

request: Final = Table(
    "reconciliation_request",
    metadata,
    Column("request_id", Integer, primary_key=True, autoincrement=True),
    Column("asked_at", Instant, nullable=False),
    Column("actor", String(100), nullable=False),
    # None: every registry that is compared
    Column("registry", String(5), nullable=True),
    Column("case_id", String(20), nullable=True),
    # waiting | running | finished | refused
    Column("state", String(12), nullable=False),
    Column("finished_at", Instant, nullable=True),
    Column("detail", Text, nullable=True),
)

session: Final = Table(
    "reconciliation_session",
    metadata,
    # <registry>-<log index of the cut>
    Column("session", String(40), primary_key=True),
    Column("registry", String(5), ForeignKey("participant.code"), nullable=False),
    Column("night", String(10), nullable=True),
    Column("request_id", Integer, nullable=True),
    # night | request | movements | case | statement
    Column("trigger", String(12), nullable=False),
    Column("mode", String(12), nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("key_id", String(40), nullable=True),
    # asking | done | refused | silent | failed
    Column("state", String(12), nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("answer_by", Instant, nullable=False),
    Column("finished_at", Instant, nullable=True),
    Column("as_of", BigInteger, nullable=True),
    Column("agreed", Boolean, nullable=True),
    Column("basis", String(12), nullable=True),
    Column("question_count", Integer, nullable=True),
    Column("finding_count", Integer, nullable=True),
    Column("result_log_index", BigInteger, nullable=True),
    Column("reason", Text, nullable=True),
    Index("ix_reconciliation_session_registry", "registry", "log_index"),
    Index("ix_reconciliation_session_night", "night", "registry"),
    Index("ix_reconciliation_session_request", "request_id"),
    Index("ix_reconciliation_session_state", "state"),
)

question: Final = Table(
    "reconciliation_question",
    metadata,
    Column("session", String(40), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("log_index", BigInteger, nullable=False),
    # the type of the notice, and its body as JSON
    Column("type", String(40), nullable=False),
    Column("body", Text, nullable=False),
    Column("asked_at", Instant, nullable=False),
)

answer: Final = Table(
    "reconciliation_answer",
    metadata,
    Column("session", String(40), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("log_index", BigInteger, nullable=False),
    # the type of the message, and its body as JSON
    Column("type", String(40), nullable=False),
    Column("body", Text, nullable=False),
    Column("received_at", Instant, nullable=False),
)

finding: Final = Table(
    "reconciliation_finding",
    metadata,
    Column("session", String(40), primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(40), nullable=False),
    # A row of the result, as JSON: serials, both views, cause.
    Column("body", Text, nullable=False),
    Column("case_id", String(20), nullable=True),
)

case: Final = Table(
    "reconciliation_case",
    metadata,
    # <date it was opened>/<number of the day>
    Column("case_id", String(20), primary_key=True),
    Column("registry", String(5), ForeignKey("participant.code"), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("state", String(20), nullable=False),
    Column("summary", Text, nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("cause_index", BigInteger, nullable=True),
    Column("reference", String(60), nullable=True),
    Column("assignee", String(100), nullable=True),
    Column("due_on", String(10), nullable=True),
    Column("opened_at", Instant, nullable=False),
    Column("opened_session", String(40), nullable=False),
    Column("last_session", String(40), nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("closed_at", Instant, nullable=True),
    Column("closed_session", String(40), nullable=True),
    Column("reopened_count", Integer, nullable=False),
    Index("ix_reconciliation_case_state", "state", "opened_at"),
    Index("ix_reconciliation_case_registry", "registry", "state", "opened_at"),
    # Lists in another order than by age, a page at a time.
    Index("ix_reconciliation_case_changed", "state", "changed_at"),
    Index("ix_reconciliation_case_due", "state", "due_on"),
    Index("ix_reconciliation_case_units", "state", "units"),
)
# Few cases are somebody's, or about one message.
Index(
    "ix_reconciliation_case_assignee",
    case.c.assignee,
    case.c.state,
    case.c.opened_at,
    sqlite_where=case.c.assignee.is_not(None),
    postgresql_where=case.c.assignee.is_not(None),
)
Index(
    "ix_reconciliation_case_reference",
    case.c.reference,
    sqlite_where=case.c.reference.is_not(None),
    postgresql_where=case.c.reference.is_not(None),
)

Index(
    "ix_reconciliation_case_cause",
    case.c.cause_index,
    sqlite_where=case.c.cause_index.is_not(None),
    postgresql_where=case.c.cause_index.is_not(None),
)

case_range: Final = Table(
    "reconciliation_case_range",
    metadata,
    Column("case_id", String(20), primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("cooperative_approach", String(6), nullable=False),
    Column("originating_registry", String(5), nullable=False),
    Column("first_transferring_party", String(3), nullable=False),
    Column("vintage", Integer, nullable=False),
    Column("first_serial", BigInteger, nullable=False),
    Column("last_serial", BigInteger, nullable=False),
    # The newest finding of these serials as JSON: both views, fields.
    Column("body", Text, nullable=False),
    Column("is_frozen", Boolean, nullable=False),
    # The message type by which the registry may correct frozen units, if there is one.
    Column("allows", String(40), nullable=True),
    # Which cases there are over some serials.
    Index(
        "ix_reconciliation_case_range_serials",
        "cooperative_approach",
        "originating_registry",
        "first_transferring_party",
        "vintage",
        "first_serial",
        "last_serial",
    ),
)
Index(
    "ix_reconciliation_case_range_frozen",
    case_range.c.case_id,
    case_range.c.ordinal,
    # As SQLite's queries are written: with another condition it would not be used.
    sqlite_where=text("is_frozen = 1"),
    postgresql_where=case_range.c.is_frozen,
)

case_event: Final = Table(
    "reconciliation_case_event",
    metadata,
    Column("case_id", String(20), primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("log_index", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("kind", String(30), nullable=False),
    Column("text", Text, nullable=False),
    Index("ix_reconciliation_case_event_log_index", "log_index"),
)

alert: Final = Table(
    "reconciliation_alert",
    metadata,
    Column("alert_id", Integer, primary_key=True, autoincrement=True),
    # webhook | mail
    Column("channel", String(10), nullable=False),
    Column("target", String(500), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    # waiting | sent | given_up
    Column("state", String(10), nullable=False),
    Column("failure_count", Integer, nullable=False),
    Column("next_attempt_at", Instant, nullable=True),
    Column("last_error", Text, nullable=True),
    Column("done_at", Instant, nullable=True),
    Index("ix_reconciliation_alert_state", "state", "next_attempt_at"),
)

# What two Parties notified and recorded, by when it ended.
Index(
    "ix_transfer_recorded",
    transfer.c.closed_log_index,
    sqlite_where=transfer.c.mode == "notify_and_record",
    postgresql_where=transfer.c.mode == "notify_and_record",
)
