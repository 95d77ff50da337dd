"""The evidence of one transfer from this end's own book: it needs no good will of the hub's.

1. What we sent about the transfer, with the hub's receipts; what we were delivered of it, with the
   deliveries' exact bytes; the acknowledgements we gave for them and have receipts of.
2. Receipts, items and deliveries carry the salts that open the log's commitments.
3. The proofs are those we verified and kept, or newer ones of the hub's that cover more witnesses.
4. Keys stand in the hub's signed list of participants, which goes into the bundle whole.

So it works when the hub erased its bodies. What only the other party and the hub have, such as the
receipt of the other party's envelope, is not in it, and the verifier says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, or_, select

from connectors.party_registry import tracking
from connectors.session import state
from connectors.session.log.proving import load_proof
from connectors.session.log.tables import log_acknowledgement
from connectors.session.tables import inbox_delivery, inbox_item, outbox_envelope, outbox_message
from connectors.session.trust import Trust
from hub.evidence import bundles, stories
from hub.evidence.bundles import BundleItem, BundleKey, Evidence
from hub.protocol.signed_objects import (
    ObjectKind,
    ObjectRefusedError,
    UnverifiedObject,
    open_object,
)
from hub.transparency_log.checkpoints import read_checkpoint
from hub.transparency_log.entries import decode, decode_salt
from hub.transparency_log.proof_files import ProofFile
from keys.documents import to_document
from keys.errors import MalformedJwsError, MalformedXmlError

__all__ = ["EvidenceUnavailableError", "Found", "assemble", "gather"]

_ROLES: Final = {
    "transfer.proposal": "proposal",
    "transfer.notification": "proposal",
    "transfer.acknowledgement": "answer",
    "transfer.recognition": "answer",
    "transfer.cancellation": "withdrawal",
}
_NAMES: Final = {
    "envelope": ("envelope", "receipt"),
    "delivery": ("delivery",),
    "act": ("act",),
}


class EvidenceUnavailableError(ValueError):
    """This end has no evidence of the transfer, or not yet; the text says what to do."""


@dataclass(slots=True)
class Piece:
    """What is known here of one entry of the log."""

    role: str
    salt: str | None = None
    contents: dict[str, bytes] = field(default_factory=dict)

    def add(self, salt: str | None, **contents: bytes) -> None:
        """Take contents and the salt that opens them."""
        self.salt = self.salt or salt
        self.contents.update(contents)


@dataclass(slots=True)
class Found:
    """All that this end has of a transfer: pieces by log index, and the proofs kept of them."""

    transfer_id: str
    pieces: dict[int, Piece]
    proofs: dict[int, bytes]
    participants: bytes


def gather(connection: Connection, transfer_id: str) -> Found:
    """Return what the database holds of a transfer. Raises EvidenceUnavailableError."""
    known = tracking.fetch_transfer(connection, transfer_id)
    if known is None:
        raise EvidenceUnavailableError(
            f"no transfer {transfer_id} is known here; `registry transfer list` shows them"
        )
    pieces: dict[int, Piece] = {}
    for index, role, salt, envelope, receipt in _sent(connection, transfer_id):
        pieces.setdefault(index, Piece(role)).add(salt, envelope=envelope, receipt=receipt)
    about = {known.log_index, *pieces} - {None}
    for item in _items(connection, about, known.proposal_sha256):
        _take_item(connection, pieces, item)
    if not pieces:
        raise EvidenceUnavailableError(
            f"the hub has answered nothing about {transfer_id} yet: wait for its receipt"
        )
    participants = state.load(connection, state.PARTICIPANTS)
    if participants is None:
        raise EvidenceUnavailableError("the hub's list of participants was never fetched")
    kept = ((index, load_proof(connection, index)) for index in pieces)
    proofs = {index: proof.text for index, proof in kept if proof is not None}
    return Found(transfer_id, pieces, proofs, participants)


def _sent(connection: Connection, transfer_id: str) -> Iterator[tuple[int, str, str, bytes, bytes]]:
    """Yield the envelopes that we sent about a transfer and that are in the log."""
    rows = connection.execute(
        select(outbox_message.c.type, outbox_envelope.c.raw, outbox_envelope.c.receipt)
        .join(outbox_envelope, outbox_envelope.c.envelope_id == outbox_message.c.envelope_id)
        .where(
            outbox_message.c.reference == transfer_id,
            outbox_message.c.type.in_(_ROLES),
            outbox_message.c.outcome == "accepted",
            outbox_envelope.c.receipt.is_not(None),
        )
    )
    for type_, envelope, receipt in rows:
        told = _payload(receipt, "receipt")
        if told["log_index"] is not None:
            yield told["log_index"], _ROLES[type_], told["entry_salt"], envelope, receipt


def _items(
    connection: Connection, indices: Iterable[int | None], proposal_sha256: str | None
) -> list[dict[str, Any]]:
    """Return the delivered items about entries of the log, or with the proposal in them."""
    rows = connection.execute(
        select(inbox_item.c.item, inbox_item.c.delivery_sha256)
        .where(
            or_(
                inbox_item.c.log_index.in_([one for one in indices if one is not None]),
                inbox_item.c.envelope_sha256 == proposal_sha256,
            )
        )
        .order_by(inbox_item.c.sequence)
    )
    return [{**json.loads(row[0]), "delivery_sha256": row[1]} for row in rows]


def _take_item(connection: Connection, pieces: dict[int, Piece], item: Mapping[str, Any]) -> None:
    """Take a delivered item: its entry, the delivery it came in, and our acknowledgement."""
    index = item["log_index"]
    envelope = item.get("envelope")
    if envelope is not None:
        first = _payload(envelope.encode(), "envelope")["messages"][0]
        role = _ROLES.get(first["type"], "envelope")
        pieces.setdefault(index, Piece(role)).add(item["entry_salt"], envelope=envelope.encode())
    else:
        pieces.setdefault(index, Piece("what ended it"))
    sha256 = item["delivery_sha256"]
    raw = connection.execute(
        select(inbox_delivery.c.raw).where(inbox_delivery.c.sha256 == sha256)
    ).scalar_one()
    told = _payload(raw, "delivery")
    piece = pieces.setdefault(told["log_index"], Piece("delivery"))
    piece.add(told["entry_salt"], delivery=raw)
    given = connection.execute(
        select(log_acknowledgement.c.raw, log_acknowledgement.c.receipt).where(
            log_acknowledgement.c.delivery_sha256 == sha256,
            log_acknowledgement.c.receipt.is_not(None),
        )
    ).all()
    for acknowledgement, receipt in given:
        answer = _payload(receipt, "receipt")
        piece = pieces.setdefault(answer["log_index"], Piece("acknowledgement"))
        piece.add(answer["entry_salt"], envelope=acknowledgement, receipt=receipt)


def _payload(raw: bytes, kind: ObjectKind) -> Any:
    try:
        return _opened(raw, kind).read().document
    except ObjectRefusedError as error:
        raise _damaged(error) from error


def _opened(raw: bytes, kind: ObjectKind) -> UnverifiedObject:
    """Return a signed object of the book. Raises EvidenceUnavailableError if it is damaged."""
    try:
        return open_object(raw, kind)
    except (MalformedJwsError, MalformedXmlError) as error:
        raise _damaged(error) from error


def _damaged(error: Exception) -> EvidenceUnavailableError:
    return EvidenceUnavailableError(
        f"what is held here does not prove the transfer: a kept object is damaged: {error}"
    )


def assemble(found: Found, trust: Trust, *, made_by: str, made_at: str) -> bytes:
    """Return the bundle. Raises EvidenceUnavailableError while a proof is missing."""
    missing = sorted(found.pieces.keys() - found.proofs.keys())
    if missing:
        raise EvidenceUnavailableError(
            f"entry {missing[0]} has no proof yet ({len(missing)} in all): run the connector until "
            "it has looked at the log, or export while the hub can be reached"
        )
    parsed = {index: ProofFile.parse(found.proofs[index]) for index in found.pieces}
    notes = {index: proof.checkpoint_note for index, proof in parsed.items()}
    newest, _ = max((read_checkpoint(note) for note in notes.values()), key=_size)
    evidence = Evidence(
        transfer_id=found.transfer_id,
        made_at=made_at,
        made_by=made_by,
        log_origin=newest.origin,
        checkpoint=next(
            note.encode() for note in notes.values() if read_checkpoint(note)[0] == newest
        ),
        items=[_item(index, found, parsed[index]) for index in sorted(found.pieces)],
        keys=_keys(found, trust),
        participants=found.participants,
    )
    return bundles.write(evidence, stories.render(evidence))


def _size(one: tuple[Any, Any]) -> int:
    return int(one[0].size)


def _item(index: int, found: Found, proof: ProofFile) -> BundleItem:
    assert proof.extra is not None, "only proofs that show their entry are kept"
    piece, kind = found.pieces[index], decode(proof.extra).kind
    return BundleItem(
        index=index,
        kind=kind,
        role=piece.role,
        entry=proof.extra,
        proof=found.proofs[index],
        salt=None if piece.salt is None else decode_salt(piece.salt),
        contents={name: piece.contents.get(name) for name in _NAMES[kind]},
    )


def _keys(found: Found, trust: Trust) -> list[BundleKey]:
    """Return every key of those who said anything in the bundle, and of the hub."""
    codes = {trust.hub}
    for piece in found.pieces.values():
        raw = piece.contents.get("envelope")
        if raw is not None:
            codes |= {key_id[:5] for key_id in _opened(raw, "envelope").key_ids}
    keys: list[BundleKey] = []
    for record in sorted(trust.store.records(), key=lambda one: one.key_id):
        if record.participant in codes:
            document = to_document(record)
            keys.append(
                BundleKey.of(
                    record.key_id,
                    record.algorithm.value,
                    record.public_key_der,
                    valid_from=document["valid_from"],
                    valid_until=document["valid_until"],
                    revoked_at=document["revoked_at"],
                )
            )
    return keys
