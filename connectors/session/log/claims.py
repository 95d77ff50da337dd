"""What the hub promised: an entry of the log at an index, which commits to bytes that we hold.

1. A receipt promises an entry from us to the recipient, over our envelope and the receipt itself.
2. A delivered item promises an entry that names us; with an envelope in it, over that envelope.
3. A delivery promises an entry from the hub to us, over the delivery's bytes. It explains the
   entries of earlier deliveries of the same items that it names, signed by a key since revoked.
4. A claim is filed in the transaction that stores what it is about, so none is ever forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from sqlalchemy import Connection, bindparam, func, select, update
from sqlalchemy.dialects.sqlite import insert

from connectors.session.deliveries import ArrivedItem, CheckedDelivery
from connectors.session.log.tables import log_claim
from hub.transparency_log.entries import commitment, decode_salt
from message_schemas.envelopes import Receipt

__all__ = [
    "Claim",
    "claims_at",
    "claims_between",
    "claims_of_delivery",
    "claims_of_receipt",
    "count_by_state",
    "file_claims",
    "oldest_pending",
    "pending_indices",
    "settle",
    "told_through",
]


_INDICES_A_QUERY: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One promise. `commitments` are digests by name, as the entry must show them.

    `at` is the hub's time as it was told; empty if it was not.
    """

    log_index: int
    role: str
    reference: str
    sender: str | None
    recipient: str | None
    at: str
    salt: str | None
    commitments: Mapping[str, str]

    @property
    def words(self) -> str:
        """The claim as an operator reads it."""
        return f"{self.role} {self.reference}"


def claims_of_receipt(receipt: Receipt, envelope: bytes, raw: bytes, to: str) -> list[Claim]:
    """Return what a verified receipt promises: nothing if nothing was recorded."""
    if receipt.log_index is None or receipt.entry_salt is None:
        return []
    salt = decode_salt(receipt.entry_salt)
    return [
        Claim(
            log_index=receipt.log_index,
            role="receipt",
            reference=receipt.receipt_for,
            sender=receipt.recipient,
            recipient=to,
            at=receipt.received_at,
            salt=receipt.entry_salt,
            commitments={
                "envelope": commitment(salt, envelope),
                "receipt": commitment(salt, raw),
            },
        )
    ]


def claims_of_delivery(checked: CheckedDelivery, items: Iterable[ArrivedItem]) -> list[Claim]:
    """Return what a verified delivery and its new items promise."""
    delivery = checked.delivery
    salt = decode_salt(delivery.entry_salt)
    promised = [
        Claim(
            log_index=delivery.log_index,
            role="delivery",
            reference=checked.sha256,
            sender=delivery.sender,
            recipient=delivery.recipient,
            at=delivery.created_at,
            salt=delivery.entry_salt,
            commitments={"delivery": commitment(salt, checked.raw)},
        )
    ]
    promised += [_claim_of_replaced(checked, index) for index in delivery.replaces]
    return promised + [_claim_of_item(item) for item in items]


def _claim_of_replaced(checked: CheckedDelivery, log_index: int) -> Claim:
    """Nothing is known of an earlier sealing but its place: its items are those of the new one."""
    return Claim(
        log_index=log_index,
        role="replaced",
        reference=checked.sha256,
        sender=checked.delivery.sender,
        recipient=checked.delivery.recipient,
        at="",
        salt=None,
        commitments={},
    )


def _claim_of_item(item: ArrivedItem) -> Claim:
    commitments: dict[str, str] = {}
    if item.envelope_raw is not None and item.entry_salt is not None:
        salt = decode_salt(item.entry_salt)
        commitments["envelope"] = commitment(salt, item.envelope_raw)
    envelope = item.envelope
    return Claim(
        log_index=item.log_index,
        role="item",
        reference=str(item.sequence),
        sender=None if envelope is None else envelope.sender,
        recipient=None if envelope is None else envelope.recipient,
        at=item.recorded_at,
        salt=item.entry_salt,
        commitments=commitments,
    )


# The same delivery may be stored before, when it overlaps another: its claim is the same.
_FILE: Final = insert(log_claim).on_conflict_do_nothing()


def file_claims(connection: Connection, claims: Sequence[Claim], at: str) -> None:
    """Write claims that are still to be proven; one that is there already stays as it is."""
    if claims:
        connection.execute(
            _FILE,
            [
                {
                    "log_index": claim.log_index,
                    "role": claim.role,
                    "reference": claim.reference,
                    "sender": claim.sender,
                    "recipient": claim.recipient,
                    "at": claim.at,
                    "salt": claim.salt,
                    "commitments": msgspec.json.encode(claim.commitments).decode(),
                    "filed_at": at,
                    "state": "pending",
                }
                for claim in claims
            ],
        )


_COLUMNS: Final = tuple(log_claim.c[name] for name in Claim.__dataclass_fields__)
_AT: Final = select(*_COLUMNS).where(
    log_claim.c.log_index.in_(bindparam("indices", expanding=True))
)


def claims_at(connection: Connection, indices: Iterable[int]) -> dict[int, list[Claim]]:
    """Return the claims about these entries, by index."""
    found: dict[int, list[Claim]] = {}
    for row in connection.execute(_AT, {"indices": list(indices)}).mappings():
        fields = {**row, "commitments": msgspec.json.decode(row["commitments"])}
        claim = Claim(**fields)
        found.setdefault(claim.log_index, []).append(claim)
    return found


def pending_indices(connection: Connection, limit: int) -> list[int]:
    """Return the entries still to be proven, the newest first; older ones wait for the audit."""
    query = (
        select(log_claim.c.log_index)
        .where(log_claim.c.state == "pending")
        .order_by(log_claim.c.log_index.desc())
        .distinct()
        .limit(limit)
    )
    return [int(index) for index in connection.execute(query).scalars()]


def oldest_pending(connection: Connection, beyond: int) -> tuple[int, str] | None:
    """Return index and filing time of the oldest pending claim at or beyond a tree's size."""
    query = (
        select(log_claim.c.log_index, log_claim.c.filed_at)
        .where(log_claim.c.state == "pending", log_claim.c.log_index >= beyond)
        .order_by(log_claim.c.filed_at)
        .limit(1)
    )
    row = connection.execute(query).first()
    return None if row is None else (int(row[0]), str(row[1]))


def settle(connection: Connection, index: int, state: str) -> None:
    """Note that an entry was proven, audited, or differs; a proof outranks an audit."""
    before = ("pending",) if state == "audited" else ("pending", "audited", "proven")
    connection.execute(
        update(log_claim)
        .where(log_claim.c.log_index == index, log_claim.c.state.in_(before))
        .values(state=state)
    )


def claims_between(connection: Connection, first: int, end: int) -> dict[int, list[Claim]]:
    """Return the claims about the entries from `first` up to `end`, by index, in order."""
    where = (log_claim.c.log_index >= first, log_claim.c.log_index < end)
    query = select(log_claim.c.log_index).where(*where).order_by(log_claim.c.log_index).distinct()
    indices = [int(index) for index in connection.execute(query).scalars()]
    found: dict[int, list[Claim]] = {}
    for start in range(0, len(indices), _INDICES_A_QUERY):
        found |= claims_at(connection, indices[start : start + _INDICES_A_QUERY])
    return found


def told_through(connection: Connection, role: str) -> int:
    """Return the last entry of which an item or delivery told us; -1 before the first."""
    query = select(func.max(log_claim.c.log_index)).where(log_claim.c.role == role)
    last = connection.execute(query).scalar()
    return -1 if last is None else int(last)


def count_by_state(connection: Connection) -> dict[str, int]:
    """Return how many claims are in each state."""
    counts = dict.fromkeys(("pending", "proven", "audited", "differs"), 0)
    query = select(log_claim.c.state, func.count()).group_by(log_claim.c.state)
    counts.update({str(state): int(count) for state, count in connection.execute(query)})
    return counts
