"""Transfers between registries: proposed, answered, withdrawn, asked about.

Two modes. *Move*: proposal and acknowledgement, the units change registry. *Notify and record*:
notification and recognition, for agreements under which no unit moves. Every answer carries
``previous_sha256``, the digest of the envelope it answers, so that neither side can later deny
existence, type, time or content (6/CMA.4 annex I, para 10).
"""

from dataclasses import dataclass
from typing import Literal

from message_schemas.blocks import Block, BlockRange
from message_schemas.extensions import Extensions


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferProposal:
    """The initiator offers blocks it holds and has reserved (2/CMA.3 annex, para 29).

    ``quantity`` is the sum of the blocks' quantities. Without ``respond_by`` the hub sets one.
    """

    transfer_id: str
    action: Literal["first_transfer", "transfer"]
    cooperative_approach: str
    transferring_account: str
    acquiring_account: str
    purpose: str
    quantity: int
    blocks: tuple[Block, ...]
    action_subtype: str | None = None
    acquiring_entity: str | None = None
    respond_by: str | None = None
    reference: str | None = None
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a transfer is not taken; ``blocks`` names the ones concerned, empty means all."""

    text: str
    code: str | None = None
    blocks: tuple[BlockRange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferAcknowledgement:
    """The acquirer's vote. ``reasons`` is empty on ``accept`` and never empty on ``reject``."""

    transfer_id: str
    decision: Literal["accept", "reject"]
    previous_sha256: str
    reasons: tuple[Reason, ...]
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferCancellation:
    """The initiator withdraws a proposal before it was answered."""

    transfer_id: str
    previous_sha256: str
    reason: str | None = None
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferStatus:
    """Asks where a transfer stands."""

    transfer_id: str
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferNotification:
    """Notify and record: a transfer that moves no units, told to the acquirer.

    As TransferProposal, with ``adjustment_method``: how the corresponding adjustment is made.
    """

    transfer_id: str
    action: Literal["first_transfer", "transfer"]
    cooperative_approach: str
    transferring_account: str
    acquiring_account: str
    purpose: str
    quantity: int
    blocks: tuple[Block, ...]
    adjustment_method: str
    action_subtype: str | None = None
    acquiring_entity: str | None = None
    respond_by: str | None = None
    reference: str | None = None
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRecognition:
    """The acquirer's answer to a notification. ``reasons`` is empty on ``recognize`` only."""

    transfer_id: str
    decision: Literal["recognize", "decline"]
    previous_sha256: str
    reasons: tuple[Reason, ...]
    recorded_reference: str | None = None
    extensions: Extensions | None = None
