"""One message under examination, with what its checks share computed once.

1. The two ends, looked up among the participants.
2. The *lots*: each block of the message as the central ledger sees it, with the ledger's blocks
   that it touches and the serials that the ledger has not met.
3. The authorization that governs each piece of a lot: the latest version for units not yet first
   transferred, the version they carry for the others (4/CMA.6 para 7).

Lots are computed when first asked for, which is after the schema stage: only then are serials in
order. A case reads the facts and changes nothing.
"""

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from hub.checks.facts import Facts, MessageContext, ParticipantKind
from hub.international_registry.accounts import ADAPTATION_FUND_PARTY, Account
from hub.international_registry.authorizations import (
    Authorization,
    FirstTransferDefinition,
    definition_in_force,
)
from hub.international_registry.first_transfer import (
    TransferAction,
    event_of_cancellation,
    event_of_omge,
    event_of_retirement,
    event_of_transfer,
    event_of_use,
    expected_actions,
)
from hub.international_registry.purposes import includes_ndc
from hub.international_registry.units import (
    Attributes,
    FirstTransferEvent,
    LedgerBlock,
    Range,
    Series,
)
from message_schemas.blocks import Block
from message_schemas.messages.actions import ActionCancellation, ActionUse
from message_schemas.messages.article64 import A64AuthorizationChange, A64FirstTransfer
from message_schemas.messages.transfers import (
    TransferAcknowledgement,
    TransferCancellation,
    TransferNotification,
    TransferProposal,
    TransferRecognition,
)

Proposal = TransferProposal | TransferNotification
Answer = TransferAcknowledgement | TransferRecognition
Action = ActionUse | ActionCancellation
Movement = Proposal | A64FirstTransfer
UnitMessage = Movement | Action | A64AuthorizationChange

# isinstance is asked of tuples, which is several times faster than of unions.
PROPOSALS: Final = (TransferProposal, TransferNotification)
ANSWERS: Final = (TransferAcknowledgement, TransferRecognition)
ACTIONS: Final = (ActionUse, ActionCancellation)
STATING_PURPOSE: Final = (*PROPOSALS, ActionUse)
MOVEMENTS: Final = (*PROPOSALS, A64FirstTransfer)
UNIT_MESSAGES: Final = (*MOVEMENTS, *ACTIONS, A64AuthorizationChange)

BodyT_co = TypeVar("BodyT_co", covariant=True)

DECLINING: Final = frozenset({"reject", "decline"})


@dataclass(frozen=True, slots=True)
class Lot:
    """One block of the message, as the ledger sees it.

    ``known`` are the ledger's blocks it touches, in order; they may reach beyond it. ``gaps`` are
    its serials that the ledger has not met. ``has_unflagged`` and ``has_flagged`` tell whether any
    unit is not, or is, first transferred. ``authorization`` is the latest version of the one that
    the block names, of its own first transferring Party, if that is on record.
    """

    index: int
    block: Block
    range: Range
    attributes: Attributes
    known: tuple[LedgerBlock, ...]
    gaps: tuple[Range, ...]
    has_unflagged: bool
    has_flagged: bool
    authorization: Authorization | None

    @property
    def path(self) -> str:
        """Return where the block stands in the message's body."""
        return f"/blocks/{self.index}"

    def part(self, known: LedgerBlock) -> Range:
        """Return the serials that this lot has in common with a ledger block it touches."""
        first, last = max(known.first, self.range.first), min(known.last, self.range.last)
        return Range(self.range.series, first, last)

    @property
    def unflagged_quantity(self) -> int:
        """Return how many units are not first transferred yet."""
        new = sum(gap.quantity for gap in self.gaps)
        unflagged = (block for block in self.known if block.first_transfer is None)
        return new + sum(self.part(block).quantity for block in unflagged)


PUSH_EVENTS: Final = {
    "forwarding": FirstTransferEvent.INTERNATIONAL_TRANSFER,
    "sop_adaptation": FirstTransferEvent.ADAPTATION_FUND,
    "omge": FirstTransferEvent.OMGE,
}
"""What a push of the mechanism registry is: always a first transfer, also to the host's own account
(7/CMA.4 annex I paras 39-41; 4/CMA.6 paras 16-17)."""


class Case(Generic[BodyT_co]):
    """A message, its two ends and its lots, against one set of facts."""

    __slots__ = (
        "_lots",
        "acquiring_account",
        "acquiring_party",
        "blocks",
        "body",
        "context",
        "facts",
        "recipient",
        "sender",
    )

    def __init__(self, context: MessageContext, body: BodyT_co, facts: Facts) -> None:
        self.context = context
        self.body = body
        self.facts = facts
        self.sender = facts.participants.get(context.sender)
        self.recipient = facts.participants.get(context.recipient)
        self.blocks: tuple[Block, ...] = body.blocks if isinstance(body, UNIT_MESSAGES) else ()
        self.acquiring_account = self._account_to_credit()
        self.acquiring_party = self._party_to_hold()
        self._lots: tuple[Lot, ...] | None = None

    @property
    def sender_party(self) -> str:
        """Return the sender's Party code; empty for an unknown sender."""
        return self.sender.party if self.sender else ""

    @property
    def releases_units(self) -> bool:
        """Tell whether the message only gives reserved units back: it withdraws or declines."""
        body = self.body
        if isinstance(body, ANSWERS):
            return body.decision in DECLINING
        return isinstance(body, TransferCancellation)

    @property
    def lots(self) -> tuple[Lot, ...]:
        """Return the message's blocks as the ledger sees them. Serials must be in order."""
        if self._lots is None:
            self._lots = tuple(self._lot_of(i, block) for i, block in enumerate(self.blocks))
        return self._lots

    def _lot_of(self, index: int, block: Block) -> Lot:
        facts, series, attributes = self.facts, series_of(block), attributes_of(block)
        range_ = Range(series, block.first_serial, block.last_serial)
        key = (block.first_transferring_party, block.authorization_id)
        authorization = facts.authorizations.get(key)
        known: tuple[LedgerBlock, ...] = ()
        gaps: tuple[Range, ...] = ()
        if not facts.crowded or range_ not in facts.crowded:  # else not loaded; check 5008 says so
            known = tuple(facts.window.overlapping(series, range_.first, range_.last))
            gaps = self._gaps(range_, known)
        unflagged, flagged = bool(gaps), False
        for part in known:
            flagged = flagged or part.first_transfer is not None
            unflagged = unflagged or part.first_transfer is None
        return Lot(index, block, range_, attributes, known, gaps, unflagged, flagged, authorization)

    def _gaps(self, range_: Range, known: tuple[LedgerBlock, ...]) -> tuple[Range, ...]:
        if not known:
            return (range_,)
        if len(known) == 1 and known[0].first <= range_.first and range_.last <= known[0].last:
            return ()
        return tuple(self.facts.window.gaps(range_))

    def _account_to_credit(self) -> Account | None:
        """Return the international registry's account that is to be credited, if it is one."""
        body, registry = self.body, self.facts.international_registry
        if isinstance(body, A64FirstTransfer):
            return self.facts.accounts.get((registry, body.acquiring_account))
        if isinstance(body, PROPOSALS) and self.context.recipient == registry:
            return self.facts.accounts.get((registry, body.acquiring_account))
        return None

    def _party_to_hold(self) -> str | None:
        """Return the Party that is to hold or use the units: by account, registry or message."""
        body = self.body
        if isinstance(body, ActionUse):
            return body.using_party
        if isinstance(body, ActionCancellation):
            return body.cancelling_party
        if self.acquiring_account is not None:
            return self.acquiring_account.party
        account_id = body.acquiring_account if isinstance(body, PROPOSALS) else ""
        return party_to_hold(self.facts, self.context.recipient, account_id)

    @property
    def giving_party(self) -> str:
        """Return the Party the units leave: of the giving account, else of the sender."""
        body, registry = self.body, self.facts.international_registry
        if isinstance(body, PROPOSALS) and self.context.sender == registry:
            account = self.facts.accounts.get((registry, body.transferring_account))
            return account.party if account else self.sender_party
        return self.sender_party

    def moves_internationally(self, authorization: Authorization) -> bool:
        """Tell whether a move takes units out of the Party that holds them.

        What the mechanism registry holds and has not first transferred is still the host Party's.
        """
        if self.sender and self.sender.kind == ParticipantKind.MECHANISM_REGISTRY:
            return self.acquiring_party != authorization.authorizing_party
        return self.acquiring_party != self.giving_party

    @property
    def comes_from_mechanism(self) -> bool:
        """Tell whether the mechanism registry sends."""
        return self.sender is not None and self.sender.kind == ParticipantKind.MECHANISM_REGISTRY

    def retires_abroad(self, host_party: str) -> bool:
        """Tell whether A6.4ERs end in the mechanism registry for the NDC of another Party."""
        body = self.body
        return (
            isinstance(body, ActionUse)
            and self.comes_from_mechanism
            and includes_ndc(body.purpose)
            and body.using_party != host_party
        )

    @property
    def purpose(self) -> str | None:
        """Return the purpose code that the message states, if its type states one."""
        body = self.body
        return body.purpose if isinstance(body, STATING_PURPOSE) else None

    @property
    def acting_entity(self) -> str | None:
        """Return the entity that is to hold, use or cancel the units, if one is."""
        body = self.body
        if isinstance(body, ActionUse):
            return body.using_entity
        if isinstance(body, ActionCancellation):
            return body.cancelling_entity
        stated = body.acquiring_entity if isinstance(body, PROPOSALS) else None
        account = self.acquiring_account
        return stated or (account.entity if account else None)

    @property
    def goes_to_adaptation_fund(self) -> bool:
        """Tell whether the units are to be credited to the Adaptation Fund."""
        body = self.body
        if isinstance(body, A64FirstTransfer):
            return body.kind == "sop_adaptation"
        return isinstance(body, PROPOSALS) and self.acquiring_party == ADAPTATION_FUND_PARTY

    def governing(self, lot: Lot) -> tuple[tuple[Authorization, bool], ...]:
        """Return the authorization of the lot's units, and whether these are first transferred.

        One pair for the units not yet first transferred and one for the others; none without an
        authorization on record. Units first transferred stay under the version they carry, unless
        the latest version's terms say that changes reach them (4/CMA.6 para 7).
        """
        latest = lot.authorization
        if latest is None:
            return ()
        if not lot.has_flagged:
            return ((latest, False),)
        carried = latest
        if not latest.changes_apply_to_first_transferred:
            party, version = latest.authorizing_party, lot.attributes.authorization_version
            key = (party, latest.authorization_id, version)
            carried = self.facts.authorization_versions.get(key, latest)
        return ((latest, False), (carried, True)) if lot.has_unflagged else ((carried, True),)

    def first_transfer_event(self, authorization: Authorization) -> FirstTransferEvent | None:
        """Return the event by which this message makes unflagged units first transferred."""
        body = self.body
        definition = self._definition(authorization)
        purposes = authorization.purposes
        if isinstance(body, A64FirstTransfer):
            return PUSH_EVENTS[body.kind]
        if isinstance(body, A64AuthorizationChange):
            # Those of the shares now, the others at the latest when they leave: all of them count.
            return FirstTransferEvent.INTERNATIONAL_TRANSFER
        if isinstance(body, ActionUse):
            if self.retires_abroad(authorization.authorizing_party):
                return event_of_retirement(None, purposes, definition)
            return event_of_use(None, purposes, definition)
        if isinstance(body, ActionCancellation):
            if body.kind == "omge":
                return event_of_omge(None)
            return event_of_cancellation(None, purposes, definition)
        return event_of_transfer(
            None,
            purposes,
            definition,
            international=self.moves_internationally(authorization),
            to_adaptation_fund=self.goes_to_adaptation_fund,
        )

    def expected_actions(self, authorization: Authorization) -> frozenset[TransferAction]:
        """Return how a transfer of unflagged units may be called here; two names for the Fund."""
        return expected_actions(
            None,
            authorization.purposes,
            self._definition(authorization),
            international=self.moves_internationally(authorization),
            to_adaptation_fund=self.goes_to_adaptation_fund,
        )

    def _definition(self, authorization: Authorization) -> FirstTransferDefinition | None:
        approach = self.facts.approaches.get(authorization.cooperative_approach)
        return definition_in_force(authorization, approach)


def party_to_hold(facts: Facts, registry: str, account_id: str) -> str | None:
    """Return the Party that holds what is credited there: of a central account, its own Party."""
    if registry == facts.international_registry:
        account = facts.accounts.get((registry, account_id))
        return account.party if account else None
    participant = facts.participants.get(registry)
    return None if participant is None or registry == facts.hub else participant.party


def series_of(block: Block) -> Series:
    """Return the identifier of a block's units without their serials."""
    return Series(
        block.cooperative_approach,
        block.originating_registry,
        block.first_transferring_party,
        block.vintage,
    )


def attributes_of(block: Block) -> Attributes:
    """Return what the message says is fixed for the life of a block's units."""
    return Attributes(
        block.metric,
        block.mitigation_type,
        block.authorization_id,
        block.authorization_version,
        block.sector,
        block.activity_type,
        block.non_ghg_metric,
        block.gwp_values,
        block.underlying_unit.registry if block.underlying_unit else None,
    )
