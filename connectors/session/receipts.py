"""Is this the hub's receipt for exactly these bytes? Only then is it believed.

1. The hub's signature over a receipt, in either binding, by a key valid when it was given.
2. `receipt_for` is our envelope, and `envelope_sha256` is there and is the digest of our bytes:
   a receipt without a digest proves nothing.
3. Sender and recipient are the hub and we.
4. Every message has exactly one outcome, and nothing else has one.

Whatever is wrong, the envelope stays in the outbox and is sent again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from connectors.session.trust import Trust, open_hub_word
from hub.protocol.signed_objects import ObjectRefusedError
from keys.errors import KeysError
from message_schemas import timestamps
from message_schemas.blocks import IdentifierInconsistentError
from message_schemas.envelopes import Receipt
from message_schemas.json_codec import decode_receipt
from message_schemas.validation import schema_errors

__all__ = ["ReceiptInvalidError", "open_receipt", "require_entry"]


class ReceiptInvalidError(Exception):
    """The answer is no receipt for these bytes. `key_unknown` hints at a list out of date."""

    def __init__(self, detail: str, *, key_unknown: bool = False) -> None:
        super().__init__(detail)
        self.key_unknown = key_unknown


def open_receipt(
    raw: bytes,
    *,
    trust: Trust,
    participant: str,
    envelope_id: str,
    envelope_sha256: str,
    message_ids: Iterable[str],
    now: datetime,
    skew: timedelta,
) -> Receipt:
    """Return the verified receipt for an envelope of ours.

    Raises:
        ReceiptInvalidError: one of the four rules is broken; the text says which.
    """
    try:
        word = open_hub_word(raw, "receipt", trust.store, trust.hub, now)
    except KeysError as error:
        unknown = error.reason == "key-unknown"
        raise ReceiptInvalidError(f"signature: {error.detail}", key_unknown=unknown) from error
    except ObjectRefusedError as error:
        raise ReceiptInvalidError(f"payload {error.path}: {error}") from error
    if errors := schema_errors("receipt", 1, word.document):
        raise ReceiptInvalidError(f"payload {errors[0].path}: {errors[0].text}")
    try:
        receipt = decode_receipt(word.document)
    except IdentifierInconsistentError as error:
        raise ReceiptInvalidError(f"payload {error.path}: {error}") from error
    _check_names(receipt, trust.hub, participant, envelope_id, envelope_sha256)
    received_at = timestamps.parse(receipt.received_at)
    if not word.is_in_time(received_at) or received_at > now + skew:
        raise ReceiptInvalidError(f"received_at {receipt.received_at} is not a time of its key")
    _check_outcomes(receipt, list(message_ids))
    if (receipt.log_index is None) != (receipt.entry_salt is None):
        raise ReceiptInvalidError("log_index and entry_salt are given together, or neither")
    return receipt


def require_entry(receipt: Receipt) -> None:
    """Check that the receipt of what is no question promises an entry of the log.

    Without one nobody could show later that the envelope was left out. Raises ReceiptInvalidError.
    """
    if receipt.log_index is None:
        raise ReceiptInvalidError("it promises no entry of the log, and this envelope becomes one")


def _check_names(
    receipt: Receipt, hub: str, participant: str, envelope_id: str, envelope_sha256: str
) -> None:
    for name, said, wanted in (
        ("sender", receipt.sender, hub),
        ("recipient", receipt.recipient, participant),
        ("receipt_for", receipt.receipt_for, envelope_id),
        ("envelope_sha256", receipt.envelope_sha256, envelope_sha256),
    ):
        if said != wanted:
            raise ReceiptInvalidError(f"{name} is {said}, not {wanted}")


def _check_outcomes(receipt: Receipt, message_ids: list[str]) -> None:
    answered = [outcome.message_id for outcome in receipt.outcomes]
    if sorted(answered) != sorted(message_ids):
        missing = sorted(set(message_ids) - set(answered))
        raise ReceiptInvalidError(
            f"{len(answered)} outcomes for {len(message_ids)} messages; missing {missing[:3]}"
        )
