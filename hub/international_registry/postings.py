"""The journal's vocabulary: one posting says what happened to one piece of units.

Every operation that changes a holder, a status, a reservation, a hold or a first-transfer flag
appends one posting for each piece of units that was in one state before. The journal is only ever
added to; the blocks are a projection of it, and ``replay`` makes them again from nothing.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hub.international_registry.units import (
    Attributes,
    BlockStatus,
    FirstTransferEvent,
    LedgerBlock,
    Series,
)


class PostingKind(StrEnum):
    """What happened to the units."""

    INTRODUCED = "introduced"
    WITHDRAWN = "withdrawn"
    RESERVED = "reserved"
    RELEASED = "released"
    MOVED = "moved"
    USED = "used"
    CANCELLED = "cancelled"
    HELD = "held"
    UNHELD = "unheld"
    FIRST_TRANSFERRED = "first_transferred"
    CORRECTED = "corrected"


EFFECTS: Final = frozenset(
    {
        PostingKind.MOVED,
        PostingKind.USED,
        PostingKind.CANCELLED,
        PostingKind.FIRST_TRANSFERRED,
        PostingKind.CORRECTED,
    }
)
"""What alters units that are in the ledger for all to see; the others come, go or set aside."""


@dataclass(frozen=True, slots=True)
class Posting:
    """One change of serials ``first`` to ``last``.

    ``from_*`` is the holder before (None: the units were not in the ledger), ``to_*`` the holder
    after (None: they left it). ``reference`` is the transfer, action, issuance, freeze or
    correction behind it. ``first_transfer`` is set exactly when this posting made the units first
    transferred (or brought them in as such). ``status`` is set on INTRODUCED only. ``was_*`` is how
    the units stood before, set on EFFECTS only; ``underlying_*`` is set on both: so what a posting
    changed can be told from it alone, without the rest of the journal.
    """

    kind: PostingKind
    series: Series
    first: int
    last: int
    attributes: Attributes
    from_registry: str | None
    from_account: str | None
    to_registry: str | None
    to_account: str | None
    reference: str
    first_transfer: FirstTransferEvent | None = None
    status: BlockStatus | None = None
    underlying_first: str | None = None
    underlying_last: str | None = None
    was_status: BlockStatus | None = None
    was_first_transferred: bool | None = None

    @property
    def quantity(self) -> int:
        """Return the number of units the posting is about."""
        return self.last - self.first + 1

    @property
    def balance(self) -> int:
        """Return the units the posting adds to the ledger: negative if it takes some out."""
        match self.kind:
            case PostingKind.INTRODUCED:
                return self.quantity
            case PostingKind.WITHDRAWN:
                return -self.quantity
            case _:
                return 0


def introduction(block: LedgerBlock, reference: str) -> Posting:
    """Return the posting that brings a new block in; it alone tells status and underlying units."""
    return Posting(
        PostingKind.INTRODUCED,
        block.series,
        block.first,
        block.last,
        block.attributes,
        None,
        None,
        block.registry,
        block.account,
        reference,
        block.first_transfer,
        block.status,
        block.underlying_first,
        block.underlying_last,
    )


def withdrawal(block: LedgerBlock, reference: str) -> Posting:
    """Return the posting that takes a block out again."""
    return Posting(
        PostingKind.WITHDRAWN,
        block.series,
        block.first,
        block.last,
        block.attributes,
        block.registry,
        block.account,
        None,
        None,
        reference,
    )


def alteration(
    kind: PostingKind, before: LedgerBlock, after: LedgerBlock, reference: str
) -> Posting:
    """Return the posting of a change in place; it names the first transfer if it brought one."""
    is_effect = kind in EFFECTS
    return Posting(
        kind,
        after.series,
        after.first,
        after.last,
        after.attributes,
        before.registry,
        before.account,
        after.registry,
        after.account,
        reference,
        after.first_transfer if before.first_transfer is None else None,
        None,
        before.underlying_first if is_effect else None,
        before.underlying_last if is_effect else None,
        before.status if is_effect else None,
        before.first_transfer is not None if is_effect else None,
    )
