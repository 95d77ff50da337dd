"""Notices: what the hub tells a participant. A registry changes its book on these only."""

from dataclasses import dataclass
from typing import Literal

from message_schemas.blocks import BlockRange
from message_schemas.extensions import Extensions
from message_schemas.messages.transfers import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferClosed:
    """A transfer reached its final state: completed, rejected, cancelled or expired.

    ``previous_sha256`` is the digest of the envelope that decided; of the proposal when the
    transfer expired. ``quantity`` is the transfer's whole quantity.
    """

    transfer_id: str
    mode: Literal["move", "notify_and_record"]
    state: Literal["completed", "rejected", "cancelled", "expired"]
    closed_at: str
    log_index: int
    quantity: int
    initiator: str
    acquirer: str
    previous_sha256: str
    reasons: tuple[Reason, ...] = ()
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferCompleted(TransferClosed):
    """A transfer took effect. All its units are first transferred now, but those it names.

    Units authorized for other international mitigation purposes alone may change registry before
    they are first transferred (2/CMA.3 annex para 2(b)).
    """

    not_first_transferred: tuple[BlockRange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstTransferNotice:
    """Tells the first transferring Party that blocks were first transferred (4/CMA.6 para 13)."""

    cooperative_approach: str
    event: Literal[
        "authorization",
        "issuance",
        "international_transfer",
        "use",
        "cancellation",
        "omge",
        "adaptation_fund",
    ]
    registry: str
    reference: str
    occurred_at: str
    quantity: int
    ranges: tuple[BlockRange, ...]
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRecorded:
    """A use or cancellation is in the central ledger.

    ``not_first_transferred`` are those of the ranges that are not first transferred even now.
    """

    action_id: str
    kind: Literal["use", "cancellation"]
    registry: str
    quantity: int
    ranges: tuple[BlockRange, ...]
    recorded_at: str
    purpose: str | None = None
    calendar_year: int | None = None
    not_first_transferred: tuple[BlockRange, ...] = ()
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCredited:
    """Units arrived in an account of the international registry, by first transfer or transfer.

    ``first_transfer_id`` is the id of either.
    """

    first_transfer_id: str
    account: str
    quantity: int
    ranges: tuple[BlockRange, ...]
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CooperativeApproachRecorded:
    """A version of a cooperative approach is on record."""

    cooperative_approach: str
    version: int
    status: Literal["active", "ended"]
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRecorded:
    """A version of an authorization is on record."""

    authorization_id: str
    version: int
    cooperative_approach: str
    status: Literal["in_force", "revoked"]
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspensionChanged:
    """A suspension was placed or lifted; ``subject`` names what, at the given level."""

    level: Literal["block", "account", "message_type", "participant", "pair", "hub"]
    subject: str
    reason: str
    at: str
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RulebookPublished:
    """A new version of the check catalogue is in force; ``rulebook`` is its date."""

    rulebook: str
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChanged:
    """A participant's key was added or revoked."""

    participant: str
    key_id: str
    change: Literal["added", "revoked"]
    at: str
    extensions: Extensions | None = None
