"""One message under examination, with what its checks share computed once.

1. The two ends, looked up among the participants.
2. The *lots*: each block of the message as the central ledger sees it, with the ledger's blocks
   that it touches and the serials that the ledger has not met.
3. The authorization that governs each piece of a lot: the latest version for units not yet first
   transferred, the version they carry for the others (4/CMA.6 para 7).

Lots are computed when first asked for, which is after the schema stage: only then are serials in
order. A case reads the facts and changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Generic, TypeVar

from hub.checks.facts import Facts, MessageContext, ParticipantKind
from hub.international_registry.accounts import ADAPTATION_FUND_PARTY, Account
from hub.international_registry.authorizations import Authorization, definition_in_force
from hub.international_registry.first_transfer import (
    event_of_adaptation_fund,
    event_of_cancellation,
    event_of_move,
    event_of_omge,
    event_of_use,
)
from hub.international_registry.units import (
    Attributes,
    FirstTransferEvent,
    LedgerBlock,
    Range,
    Series,
)
from message_schemas.blocks import Block
from message_schemas.messages.actions import ActionCancellation, ActionUse
from message_schemas.messages.article64 import A64FirstTransfer
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
UnitMessage = Movement | Action

BodyT_co = TypeVar("BodyT_co", covariant=True)

DECLINING: Final = frozenset({"reject", "decline"})


@dataclass(frozen=True, slots=True)
class Lot:
    """One block of the message, as the ledger sees it.

    ``known`` are the ledger's blocks it touches, in order; they may reach beyond it. ``gaps`` are
    its serials that the ledger has not met. ``path`` is the block's JSON pointer in the body.
    """

    index: int
    block: Block
    range: Range
    attributes: Attributes
    known: tuple[LedgerBlock, ...]
    gaps: tuple[Range, ...]

    @property
    def path(self) -> str:
        """Return where the block stands in the message's body."""
        return f"/blocks/{self.index}"

    def part(self, known: LedgerBlock) -> Range:
        """Return the serials that this lot has in common with a ledger block it touches."""
        first, last = max(known.first, self.range.first), min(known.last, self.range.last)
        return Range(self.range.series, first, last)

    @property
    def has_unflagged(self) -> bool:
        """Tell whether any unit is not first transferred yet, as far as the ledger knows."""
        return bool(self.gaps) or any(block.first_transfer is None for block in self.known)

    @property
    def has_flagged(self) -> bool:
        """Tell whether any unit is first transferred already."""
        return any(block.first_transfer is not None for block in self.known)

    @property
    def unflagged_quantity(self) -> int:
        """Return how many units are not first transferred yet."""
        new = sum(gap.quantity for gap in self.gaps)
        unflagged = (block for block in self.known if block.first_transfer is None)
        return new + sum(self.part(block).quantity for block in unflagged)


class Case(Generic[BodyT_co]):
    """A message, its two ends and its lots, against one set of facts."""

    def __init__(self, context: MessageContext, body: BodyT_co, facts: Facts) -> None:
        self.context = context
        self.body = body
        self.facts = facts
        self.sender = facts.participants.get(context.sender)
        self.recipient = facts.participants.get(context.recipient)

    @property
    def sender_party(self) -> str:
        """Return the sender's Party code; empty for an unknown sender."""
        return self.sender.party if self.sender else ""

    @property
    def releases_units(self) -> bool:
        """Tell whether the message only gives reserved units back: it withdraws or declines."""
        body = self.body
        if isinstance(body, TransferAcknowledgement | TransferRecognition):
            return body.decision in DECLINING
        return isinstance(body, TransferCancellation)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Return the blocks of the message; none if its type has none."""
        body = self.body
        if isinstance(body, UnitMessage):
            return body.blocks
        return ()

    @cached_property
    def lots(self) -> tuple[Lot, ...]:
        """Return the message's blocks as the ledger sees them. Serials must be in order."""
        return tuple(self._lot_of(index, block) for index, block in enumerate(self.blocks))

    def _lot_of(self, index: int, block: Block) -> Lot:
        series = series_of(block)
        range_ = Range(series, block.first_serial, block.last_serial)
        if range_ in self.facts.crowded:  # not loaded; check 5008 says so
            return Lot(index, block, range_, attributes_of(block), (), ())
        window = self.facts.window
        known = tuple(window.overlapping(series, range_.first, range_.last))
        whole = len(known) == 1 and known[0].first <= range_.first and range_.last <= known[0].last
        gaps = () if whole else tuple(window.gaps(range_))
        return Lot(index, block, range_, attributes_of(block), known, gaps)

    @cached_property
    def acquiring_account(self) -> Account | None:
        """Return the international registry's account that is to be credited, if it is one."""
        body, registry = self.body, self.facts.international_registry
        if isinstance(body, A64FirstTransfer):
            return self.facts.accounts.get((registry, body.acquiring_account))
        if isinstance(body, Proposal) and self.context.recipient == registry:
            return self.facts.accounts.get((registry, body.acquiring_account))
        return None

    @cached_property
    def acquiring_party(self) -> str | None:
        """Return the Party that is to hold or use the units: by account, registry or message."""
        body = self.body
        if isinstance(body, ActionUse):
            return body.using_party
        if isinstance(body, ActionCancellation):
            return body.cancelling_party
        if self.acquiring_account is not None:
            return self.acquiring_account.party
        if self.recipient is None or self.context.recipient in self._central_systems:
            return None
        return self.recipient.party

    @property
    def _central_systems(self) -> tuple[str, str]:
        return (self.facts.hub, self.facts.international_registry)

    @property
    def giving_party(self) -> str:
        """Return the Party the units leave: of the giving account, else of the sender."""
        body, registry = self.body, self.facts.international_registry
        if isinstance(body, Proposal) and self.context.sender == registry:
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
    def purpose(self) -> str | None:
        """Return the purpose code that the message states, if its type states one."""
        body = self.body
        return body.purpose if isinstance(body, Proposal | ActionUse) else None

    @property
    def acting_entity(self) -> str | None:
        """Return the entity that is to hold, use or cancel the units, if one is."""
        body = self.body
        if isinstance(body, ActionUse):
            return body.using_entity
        if isinstance(body, ActionCancellation):
            return body.cancelling_entity
        stated = body.acquiring_entity if isinstance(body, Proposal) else None
        account = self.acquiring_account
        return stated or (account.entity if account else None)

    @property
    def goes_to_adaptation_fund(self) -> bool:
        """Tell whether the units are to be credited to the Adaptation Fund."""
        body = self.body
        if isinstance(body, A64FirstTransfer):
            return body.kind == "sop_adaptation"
        return isinstance(body, Proposal) and self.acquiring_party == ADAPTATION_FUND_PARTY

    def latest_authorization(self, lot: Lot) -> Authorization | None:
        """Return the latest version of the authorization the lot names, of its own Party."""
        party = lot.range.series.first_transferring_party
        return self.facts.authorizations.get((party, lot.attributes.authorization_id))

    def governing_authorization(
        self, lot: Lot, latest: Authorization, *, flagged: bool
    ) -> Authorization:
        """Return the version whose terms apply to the lot's units (4/CMA.6 para 7).

        Units first transferred (``flagged``) stay under the version they carry, unless the latest
        version's terms say that changes reach them.
        """
        if not flagged or latest.changes_apply_to_first_transferred:
            return latest
        party, version = latest.authorizing_party, lot.attributes.authorization_version
        key = (party, latest.authorization_id, version)
        return self.facts.authorization_versions.get(key, latest)

    def governing(self, lot: Lot) -> Iterator[tuple[Authorization, bool]]:
        """Yield the authorization of the lot's units, and whether these are first transferred.

        One pair for the units not yet first transferred and one for the others; none without an
        authorization on record.
        """
        latest = self.latest_authorization(lot)
        if latest is None:
            return
        if lot.has_unflagged:
            yield latest, False
        if lot.has_flagged:
            yield self.governing_authorization(lot, latest, flagged=True), True

    def first_transfer_event(self, authorization: Authorization) -> FirstTransferEvent | None:
        """Return the event by which this message makes unflagged units first transferred."""
        body = self.body
        approach = self.facts.approaches.get(authorization.cooperative_approach)
        definition = definition_in_force(authorization, approach)
        purposes = authorization.purposes
        if isinstance(body, A64FirstTransfer) and body.kind == "omge":
            return event_of_omge(None)
        if self.goes_to_adaptation_fund:
            return event_of_adaptation_fund(None)
        if isinstance(body, ActionUse):
            return event_of_use(None, purposes, definition)
        if isinstance(body, ActionCancellation):
            if body.kind == "omge":
                return event_of_omge(None)
            return event_of_cancellation(None, purposes, definition)
        international = self.moves_internationally(authorization)
        return event_of_move(None, purposes, definition, international=international)


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
