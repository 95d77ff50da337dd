"""The tables of the transparency log at a participant's end.

1. `log_pin`: origin and verifier keys of the log as first learned; one row.
2. `log_head`: the last tree believed, with the note that says so; one row. `log_checkpoint` keeps
   the last ones before it, so that an old note can be compared with what was believed then.
3. `log_claim`: what the hub promised, by entry, role and object. `salt` and `commitments` are
   computed when the bytes are at hand; an erased body changes nothing about them.
4. `log_proof`: tlog-proof texts that verified, each with its entry as extra data.
5. `log_own_entry`: every entry that names us, with our own count; from proofs and from audits.
6. `log_audit`: how far the audit came; a confirmed place, and the working place after it.
7. `log_acknowledgement`: the acknowledgements given, because their entries are ours too.
8. `log_pause`: since when and why the session stands still, and why it went on.
9. `log_evidence`: what the hub said when it contradicted itself, whole, for ever.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

__all__ = [
    "LOG_METADATA",
    "log_acknowledgement",
    "log_audit",
    "log_checkpoint",
    "log_claim",
    "log_evidence",
    "log_head",
    "log_own_entry",
    "log_pause",
    "log_pin",
    "log_proof",
]

LOG_METADATA: Final = MetaData()

log_pin: Final = Table(
    "log_pin",
    LOG_METADATA,
    Column("pin", Integer, primary_key=True),  # 1
    Column("origin", Text, nullable=False),
    Column("vkeys", Text, nullable=False),  # one a line
    Column("pinned_at", String(24), nullable=False),
    Column("reason", Text, nullable=False),
)

log_head: Final = Table(
    "log_head",
    LOG_METADATA,
    Column("origin", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("verified_at", String(24), nullable=False),
    Column("cosigned_at", String(24)),
)

log_checkpoint: Final = Table(
    "log_checkpoint",
    LOG_METADATA,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("verified_at", String(24), nullable=False),
)

log_claim: Final = Table(
    "log_claim",
    LOG_METADATA,
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("role", String(16), primary_key=True),  # receipt, item, delivery
    # receipt: envelope id; item: sequence number; delivery: digest of its bytes. Part of the key:
    # one entry promised for two things is two claims, of which one will differ.
    Column("reference", String(64), primary_key=True),
    Column("sender", String(5)),  # what the entry must name; nothing: not known
    Column("recipient", String(5)),
    Column("at", String(24), nullable=False),  # the hub's time, as it was told
    Column("salt", String(22)),
    Column("commitments", Text, nullable=False),  # JSON object: name -> digest in lower hex
    Column("filed_at", String(24), nullable=False),
    Column("state", String(12), nullable=False),  # pending, proven, audited, differs
    Index("log_claim_state", "state", "log_index"),
)

log_proof: Final = Table(
    "log_proof",
    LOG_METADATA,
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("entry", LargeBinary, nullable=False),
    Column("proof", LargeBinary, nullable=False),  # the tlog-proof's text
    Column("size", BigInteger, nullable=False),  # of the tree it is about
    Column("got_at", String(24), nullable=False),
)

log_own_entry: Final = Table(
    "log_own_entry",
    LOG_METADATA,
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("own_count", BigInteger, nullable=False),
    Column("previous", BigInteger),
    Column("kind", String(16), nullable=False),
    Column("sender", String(5), nullable=False),
    Column("recipient", String(5), nullable=False),
    Column("entry", LargeBinary, nullable=False),
    Column("audited", Boolean, nullable=False),
    # known: a claim or an acknowledgement of ours; awaited: may still come; unknown: an alarm
    Column("state", String(12), nullable=False),
    Index("log_own_entry_count", "own_count"),
    Index("log_own_entry_state", "state"),
)

log_acknowledgement: Final = Table(
    "log_acknowledgement",
    LOG_METADATA,
    Column("envelope_id", String(36), primary_key=True),
    Column("message_id", String(36), nullable=False),
    Column("delivery_sha256", String(64), nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("sealed_at", String(24), nullable=False),
    Column("receipt", LargeBinary),
    Column("log_index", BigInteger),
    Index("log_acknowledgement_open", "log_index"),
)

log_audit: Final = Table(
    "log_audit",
    LOG_METADATA,
    Column("place", String(12), primary_key=True),  # confirmed, working
    Column("size", BigInteger, nullable=False),
    Column("compact_range", LargeBinary, nullable=False),
    Column("at", String(24), nullable=False),
)

log_pause: Final = Table(
    "log_pause",
    LOG_METADATA,
    Column("pause_id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    Column("paused_at", String(24), nullable=False),
    Column("resumed_at", String(24)),
    Column("reason", Text),  # why the operator let it go on
    sqlite_autoincrement=True,
)

log_evidence: Final = Table(
    "log_evidence",
    LOG_METADATA,
    Column("evidence_id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(64), nullable=False),
    Column("reference", String(200), nullable=False),
    Column("detail", Text, nullable=False),
    Column("found_at", String(24), nullable=False),
    Column("believed_note", LargeBinary),
    Column("other_note", LargeBinary),
    Column("other", LargeBinary),  # an entry, a proof, hashes: what does not fit
    sqlite_autoincrement=True,
)
