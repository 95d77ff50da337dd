"""Envelopes as they came, with the receipts they were given.

Body, receipt and salt are None once their time of retention is over: the log's entry stays.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from hub.store.many_rows import Insert
from hub.store.pairs import PairLookup
from hub.store.parts import in_parts
from hub.store.tables import envelope


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What a repeated envelope is compared with and answered by."""

    sha256: str
    receipt: bytes | None


@dataclass(frozen=True, slots=True)
class EnvelopeRow:
    """One envelope to record. ``body`` and ``receipt`` are exact bytes; ``salt`` has 16.

    One that ``changes_keys`` is kept for ever: evidence rests on who registered which key.
    """

    log_index: int
    sender: str
    envelope_id: str
    sha256: str
    recipient: str
    received_at: datetime
    key_ids: str
    salt: bytes
    body: bytes
    receipt: bytes
    changes_keys: bool = False


# Statements of the hot path are made once: SQLAlchemy then compiles and keys them once too.
_FIND_ANSWERS = PairLookup(
    (envelope.c.sender, envelope.c.envelope_id, envelope.c.sha256, envelope.c.receipt),
    envelope.c.sender,
    envelope.c.envelope_id,
)
_BODIES = select(envelope.c.log_index, envelope.c.body, envelope.c.receipt).where(
    envelope.c.log_index.in_(bindparam("log_indices", expanding=True))
)
_ADD = Insert(
    envelope,
    (
        "log_index",
        "sender",
        "envelope_id",
        "sha256",
        "recipient",
        "received_at",
        "key_ids",
        "changes_keys",
        "salt",
        "body",
        "receipt",
    ),
)


def find_answers(
    connection: Connection, ids: Collection[tuple[str, str]]
) -> dict[tuple[str, str], StoredAnswer]:
    """Return the stored answers of those (sender, envelope id) pairs that were seen before."""
    return {
        (row[0], row[1]): StoredAnswer(row[2], None if row[3] is None else bytes(row[3]))
        for row in _FIND_ANSWERS.rows(connection, ids)
    }


def add(connection: Connection, rows: Sequence[EnvelopeRow]) -> None:
    """Record envelopes with their receipts."""
    _ADD.run(
        connection,
        [
            {
                "log_index": row.log_index,
                "sender": row.sender,
                "envelope_id": row.envelope_id,
                "sha256": row.sha256,
                "recipient": row.recipient,
                "received_at": row.received_at,
                "key_ids": row.key_ids,
                "changes_keys": row.changes_keys,
                "salt": row.salt,
                "body": row.body,
                "receipt": row.receipt,
            }
            for row in rows
        ],
    )


def bodies(
    connection: Connection, log_indices: Collection[int]
) -> Mapping[int, tuple[bytes, bytes]]:
    """Return the exact bytes of the envelopes recorded at ``log_indices``, and their receipts.

    Those that were erased are left out.
    """
    return {
        row[0]: (bytes(row[1]), bytes(row[2]))
        for part in in_parts(log_indices)
        for row in connection.execute(_BODIES, {"log_indices": part})
        if row[1] is not None
    }


@dataclass(frozen=True, slots=True)
class LoggedEnvelope:
    """One recorded envelope as a timeline shows it; without body and receipt once erased."""

    log_index: int
    sender: str
    recipient: str
    envelope_id: str
    sha256: str
    received_at: datetime
    salt: bytes | None
    body: bytes | None
    receipt: bytes | None


def at(connection: Connection, log_index: int) -> LoggedEnvelope | None:
    """Return the envelope recorded at ``log_index``, or None if that entry is an act."""
    row = connection.execute(
        select(
            envelope.c.log_index,
            envelope.c.sender,
            envelope.c.recipient,
            envelope.c.envelope_id,
            envelope.c.sha256,
            envelope.c.received_at,
            envelope.c.salt,
            envelope.c.body,
            envelope.c.receipt,
        ).where(envelope.c.log_index == log_index)
    ).one_or_none()
    return None if row is None else LoggedEnvelope(*row)
