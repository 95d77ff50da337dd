"""What is signed: envelopes by participants, receipts and deliveries by the hub.

Each is the payload of a JWS in General JSON Serialization; its digest is the SHA-256 of those
exact bytes, in lower hex. Here they are values only: signing and verifying happen in ``keys``.
Message and notice bodies stay plain mappings until ``json_codec.decode_body`` is asked for them,
because each message is judged on its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from message_schemas.blocks import BlockRange

PROTOCOL: Final = "itmo-exchange/1"
ENVELOPE_TYP: Final = "itmo-envelope+jws"
RECEIPT_TYP: Final = "itmo-receipt+jws"
DELIVERY_TYP: Final = "itmo-delivery+jws"

Body: TypeAlias = Mapping[str, object]
OutcomeName: TypeAlias = Literal["accepted", "refused", "duplicate-of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of an envelope; ``body`` is as parsed, not yet validated."""

    message_id: str
    type: str
    version: int
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """1 to 500 messages of one sender to one recipient, under one signature."""

    protocol: str
    envelope_id: str
    sender: str
    recipient: str
    sent_at: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found: which rule, where, what to do, by which paragraph.

    ``path`` is a JSON pointer into the message body. ``severity`` ``stop`` refuses the message.
    """

    rule: int
    name: str
    severity: Literal["stop", "warning"]
    text: str
    remedy: str
    paragraph: str
    path: str | None = None
    blocks: tuple[BlockRange, ...] = ()
    hub_view: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The hub's decision on one message; ``code`` 0 is OK."""

    message_id: str
    outcome: OutcomeName
    code: int
    name: str
    findings: tuple[Finding, ...]
    result: Body | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The hub has the envelope, and this is what it decided.

    ``log_index`` is None when nothing was recorded (read-only messages). ``entry_salt`` opens the
    commitments of the log's entry there, to the envelope and to this receipt. ``rulebook`` is the
    date of the check catalogue that was applied.
    """

    protocol: str
    receipt_for: str
    sender: str
    recipient: str
    envelope_sha256: str
    received_at: str
    log_index: int | None
    entry_salt: str | None
    rulebook: str
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The hub's decision on one message of an envelope handed on to its recipient."""

    message_id: str
    outcome: OutcomeName
    code: int
    result: Body | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something the hub tells; ``body`` is one of the notice types of the catalogue."""

    type: str
    version: int
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryItem:
    """All that one log entry means for one recipient.

    ``envelope`` is the sender's original bytes as text, in either binding. ``verdicts`` and
    ``entry_salt`` (which opens the entry's commitment to it) stand exactly when it does.
    ``content`` is the value that a delivery in the other binding says it has.
    """

    sequence: int
    log_index: int
    recorded_at: str
    envelope: str | None = None
    content: Envelope | None = None
    entry_salt: str | None = None
    verdicts: tuple[Verdict, ...] = ()
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Items of one recipient's own sequence, gap-free, in order.

    ``log_index`` is the delivery's own place in the log, ``entry_salt`` opens the entry there.
    ``replaces`` are the places of earlier deliveries of the same items, signed by a key since
    revoked.
    """

    protocol: str
    sender: str
    recipient: str
    first_sequence: int
    last_sequence: int
    log_index: int
    entry_salt: str
    created_at: str
    items: tuple[DeliveryItem, ...]
    replaces: tuple[int, ...] = ()
