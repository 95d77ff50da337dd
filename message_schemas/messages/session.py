"""Keys, mailbox and deliveries: what keeps the session of a participant with the hub going."""

from dataclasses import dataclass

from message_schemas.extensions import Extensions


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotate:
    """A new key, announced with the old one and starting in the future.

    ``key_document`` is the new key's own signed document (JWS text, proof of possession).
    The old keys stay valid for ``overlap_seconds`` after ``starts_at``.
    """

    key_document: str
    starts_at: str
    overlap_seconds: int
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRevoke:
    """Ends a key at once. What it signed before stays valid."""

    key_id: str
    reason: str
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxFetch:
    """Asks for the delivery after a sequence number, waiting up to ``wait_seconds`` for one."""

    after_sequence: int
    wait_seconds: int
    items_max: int | None = None
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryAcknowledgement:
    """The participant has stored every delivery item up to a sequence number.

    ``delivery_sha256`` is the digest of the exact bytes of the delivery that ends there.
    """

    up_to_sequence: int
    delivery_sha256: str
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryResend:
    """Asks for items to be delivered once more; both ends of the range are included."""

    from_sequence: int
    to_sequence: int
    extensions: Extensions | None = None
