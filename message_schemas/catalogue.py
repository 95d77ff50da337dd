"""The catalogue: every message type and notice type of version 1, in one table each.

A type says who may send it and to whom: ``participant`` messages are handed on to another
participant, ``hub`` messages are for the hub itself. Read-only messages are answered anew each
time and never recorded; those that ``mechanism_answers`` may be asked of the mechanism registry
instead, and are then recorded and handed on like any message between participants.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from message_schemas.messages import (
    actions,
    article64,
    notices,
    participants,
    queries,
    reconciliation,
    records,
    session,
    transfers,
)

PARTY: Final = "party_registry"
MECHANISM: Final = "mechanism_registry"
INTERNATIONAL: Final = "international_registry"
ALL: Final = frozenset({PARTY, MECHANISM, INTERNATIONAL})
RECONCILED: Final = frozenset({PARTY})
RECORD_KEEPERS: Final = frozenset({PARTY, INTERNATIONAL})


@dataclass(frozen=True, slots=True)
class MessageType:
    """One message type: its body, who may send it, who it is for, and one sentence."""

    name: str
    body_class: type
    senders: frozenset[str]
    recipient: Literal["participant", "hub"]
    summary: str
    read_only: bool = False
    mechanism_answers: bool = False
    version: int = 1


@dataclass(frozen=True, slots=True)
class NoticeType:
    """One notice type: its body and one sentence. The hub alone sends notices."""

    name: str
    body_class: type
    summary: str
    version: int = 1


_MESSAGES: Final = (
    MessageType(
        "participant.hello",
        participants.ParticipantHello,
        ALL,
        "hub",
        "Says what the participant's software can do, and how it wants its deliveries.",
    ),
    MessageType(
        "key.rotate",
        session.KeyRotate,
        ALL,
        "hub",
        "Announces a new key, signed with a current one.",
    ),
    MessageType("key.revoke", session.KeyRevoke, ALL, "hub", "Ends one of the sender's keys."),
    MessageType(
        "mailbox.fetch",
        session.MailboxFetch,
        ALL,
        "hub",
        "Pulls the next delivery.",
        read_only=True,
    ),
    MessageType(
        "delivery.acknowledgement",
        session.DeliveryAcknowledgement,
        ALL,
        "hub",
        "Says that deliveries up to a sequence number are stored.",
    ),
    MessageType(
        "delivery.resend",
        session.DeliveryResend,
        ALL,
        "hub",
        "Asks for delivery items once more.",
    ),
    MessageType(
        "cooperative_approach.record",
        records.CooperativeApproachRecord,
        RECORD_KEEPERS,
        "hub",
        "Records a version of a cooperative approach.",
    ),
    MessageType(
        "authorization.record",
        records.AuthorizationRecord,
        RECORD_KEEPERS,
        "hub",
        "Records a version of an authorization of use.",
    ),
    MessageType(
        "entity_authorization.record",
        records.EntityAuthorizationRecord,
        RECORD_KEEPERS,
        "hub",
        "Records a version of the authorization of an entity.",
    ),
    MessageType(
        "transfer.proposal",
        transfers.TransferProposal,
        ALL,
        "participant",
        "Proposes to move unit blocks to another registry.",
    ),
    MessageType(
        "transfer.acknowledgement",
        transfers.TransferAcknowledgement,
        ALL,
        "participant",
        "Accepts or rejects a proposal.",
    ),
    MessageType(
        "transfer.cancellation",
        transfers.TransferCancellation,
        ALL,
        "participant",
        "Withdraws a proposal that is not answered yet.",
    ),
    MessageType(
        "transfer.status",
        transfers.TransferStatus,
        ALL,
        "hub",
        "Asks where a transfer stands.",
        read_only=True,
    ),
    MessageType(
        "transfer.notification",
        transfers.TransferNotification,
        RECORD_KEEPERS,
        "participant",
        "Tells the acquirer of a transfer that moves no units.",
    ),
    MessageType(
        "transfer.recognition",
        transfers.TransferRecognition,
        RECORD_KEEPERS,
        "participant",
        "Recognizes or declines a transfer that moves no units.",
    ),
    MessageType(
        "a64.issuance_notice",
        article64.A64IssuanceNotice,
        frozenset({MECHANISM}),
        "hub",
        "Tells of an issuance of A6.4ERs and the shares taken from it.",
    ),
    MessageType(
        "a64.first_transfer",
        article64.A64FirstTransfer,
        frozenset({MECHANISM}),
        "hub",
        "Pushes first-transferred A6.4ERs into an international registry account.",
    ),
    MessageType(
        "a64.authorization_change",
        article64.A64AuthorizationChange,
        frozenset({MECHANISM}),
        "hub",
        "Tells of contribution units that were authorized later, with their shares.",
    ),
    MessageType(
        "action.use",
        actions.ActionUse,
        ALL,
        "hub",
        "Records blocks as used towards an NDC or for OIMP.",
    ),
    MessageType(
        "action.cancellation",
        actions.ActionCancellation,
        ALL,
        "hub",
        "Records blocks as cancelled.",
    ),
    MessageType(
        "holdings.query",
        queries.HoldingsQuery,
        ALL,
        "hub",
        "Asks for blocks held, page by page; of the mechanism registry too.",
        read_only=True,
        mechanism_answers=True,
    ),
    MessageType(
        "history.query",
        queries.HistoryQuery,
        ALL,
        "hub",
        "Asks for the history of a transfer or of serial numbers; of the mechanism registry too.",
        read_only=True,
        mechanism_answers=True,
    ),
    MessageType(
        "holdings.answer",
        queries.HoldingsAnswer,
        frozenset({MECHANISM}),
        "participant",
        "Answers a holdings query with a page of A6.4ERs.",
    ),
    MessageType(
        "history.answer",
        queries.HistoryAnswer,
        frozenset({MECHANISM}),
        "participant",
        "Answers a history query with a page of what happened to A6.4ERs.",
    ),
    MessageType(
        "reconciliation.cut_ack",
        reconciliation.ReconciliationCutAck,
        RECONCILED,
        "hub",
        "Answers a cut with the digest of all units.",
    ),
    MessageType(
        "reconciliation.digests",
        reconciliation.ReconciliationDigests,
        RECONCILED,
        "hub",
        "Answers with the digests asked for.",
    ),
    MessageType(
        "reconciliation.blocks",
        reconciliation.ReconciliationBlocks,
        RECONCILED,
        "hub",
        "Answers with the blocks asked for.",
    ),
    MessageType(
        "reconciliation.totals",
        reconciliation.ReconciliationTotals,
        RECONCILED,
        "hub",
        "Answers with units by series, from a registry that has no digests.",
    ),
    MessageType(
        "reconciliation.records",
        reconciliation.ReconciliationRecords,
        RECONCILED,
        "hub",
        "Answers with the transfers on record that moved no units.",
    ),
    MessageType(
        "reconciliation.refused",
        reconciliation.ReconciliationRefused,
        RECONCILED,
        "hub",
        "Says why a question of a reconciliation cannot be answered.",
    ),
    MessageType(
        "reconciliation.explanation",
        reconciliation.ReconciliationExplanation,
        RECONCILED,
        "hub",
        "Explains a difference, or says that it was corrected.",
    ),
    MessageType(
        "administrator.note",
        participants.AdministratorNote,
        ALL,
        "participant",
        "Carries free text between registry administrators.",
    ),
)

_NOTICES: Final = (
    NoticeType("transfer.completed", notices.TransferCompleted, "A transfer took effect."),
    NoticeType("transfer.rejected", notices.TransferClosed, "The acquirer declined a transfer."),
    NoticeType("transfer.cancelled", notices.TransferClosed, "The initiator withdrew a transfer."),
    NoticeType("transfer.expired", notices.TransferClosed, "Nobody answered a transfer in time."),
    NoticeType(
        "first_transfer.notice",
        notices.FirstTransferNotice,
        "Blocks of the recipient's Party were first transferred.",
    ),
    NoticeType("action.recorded", notices.ActionRecorded, "A use or cancellation is on record."),
    NoticeType(
        "account.credited",
        notices.AccountCredited,
        "Units arrived in an account of the international registry.",
    ),
    NoticeType(
        "cooperative_approach.recorded",
        notices.CooperativeApproachRecorded,
        "A version of a cooperative approach is on record.",
    ),
    NoticeType(
        "authorization.recorded",
        notices.AuthorizationRecorded,
        "A version of an authorization is on record.",
    ),
    NoticeType("suspension.placed", notices.SuspensionChanged, "Something was suspended."),
    NoticeType("suspension.lifted", notices.SuspensionChanged, "A suspension ended."),
    NoticeType("rulebook.published", notices.RulebookPublished, "A new rulebook is in force."),
    NoticeType(
        "reconciliation.cut",
        reconciliation.ReconciliationCut,
        "Asks for the digest of all units as of this notice's own log index.",
    ),
    NoticeType(
        "reconciliation.digests_asked",
        reconciliation.ReconciliationDigestsAsked,
        "Asks for digests of parts of series.",
    ),
    NoticeType(
        "reconciliation.blocks_asked",
        reconciliation.ReconciliationBlocksAsked,
        "Asks for the blocks of parts of series.",
    ),
    NoticeType(
        "reconciliation.totals_asked",
        reconciliation.ReconciliationTotalsAsked,
        "Asks for units by series, of a registry that has no digests.",
    ),
    NoticeType(
        "reconciliation.records_asked",
        reconciliation.ReconciliationRecordsAsked,
        "Asks for the transfers on record that moved no units.",
    ),
    NoticeType(
        "reconciliation.result",
        reconciliation.ReconciliationResult,
        "How a comparison ended: agreed, or what differs, with the cases.",
    ),
    NoticeType("key.changed", notices.KeyChanged, "A key of a participant changed."),
)

MESSAGE_TYPES: Final[Mapping[str, MessageType]] = MappingProxyType({t.name: t for t in _MESSAGES})
NOTICE_TYPES: Final[Mapping[str, NoticeType]] = MappingProxyType({t.name: t for t in _NOTICES})
