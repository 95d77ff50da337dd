"""The ledger window: the part of the ledger that one batch may touch, and what can be done to it.

The caller loads all blocks that overlap the ranges asked for, and those reserved by the transfers
named; it checks every message first, and then calls the operations here. Afterwards ``changes()``
tells which rows to write and which postings to append.

Each operation

1. looks at all its units first, and raises LedgerInvariantError before it changes anything;
2. splits blocks on demand: the parts inherit everything;
3. conserves units, asserted at each replacement and again in ``changes()``;
4. appends one posting for each piece it changed, and returns the pieces as they are now.

A transfer of units the ledger has not met introduces them, provisionally, and reserves them. If it
completes, ``move`` makes them ITMOs of the acquirer; if it comes to nothing, ``withdraw`` removes
what it introduced and ``release`` frees what it only reserved: call the two in this order.

A hold (freeze, suspension) stops every *new* reservation, use and cancellation. It does not undo a
reservation made before: it travels along with the units. Nor can it be shaken off: what a failed
transfer introduced and a hold stops stays in the ledger, and leaves it when the hold is lifted.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from hub.international_registry.block_editor import BlockEditor, LedgerChanges
from hub.international_registry.block_index import LedgerInvariantError
from hub.international_registry.postings import Posting, PostingKind
from hub.international_registry.units import (
    Attributes,
    BlockStatus,
    FirstTransferEvent,
    LedgerBlock,
    Range,
    Series,
)

__all__ = ["LedgerChanges", "LedgerInvariantError", "LedgerWindow", "Posting", "PostingKind"]


class LedgerWindow:
    """The blocks one batch may touch.

    ``next_block_id`` is the first id free for new blocks; ids below it are taken by rows of the
    ledger, loaded or not. Raises LedgerInvariantError if loaded blocks share an id or a unit.
    """

    __slots__ = ("_editor", "_index")

    def __init__(self, blocks: Iterable[LedgerBlock], next_block_id: int) -> None:
        self._editor = BlockEditor(blocks, next_block_id)
        self._index = self._editor.index

    # --- reading -------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[LedgerBlock]:
        """Iterate over the window's blocks in order of series and serial."""
        return iter(self._index)

    def overlapping(self, series: Series, first: int, last: int) -> list[LedgerBlock]:
        """Return the blocks with any unit of serials ``first`` to ``last``, in order."""
        return self._index.overlapping(series, first, last)

    def gaps(self, range_: Range) -> list[Range]:
        """Return the parts of the range that are not in the ledger, in order."""
        gaps: list[Range] = []
        expected = range_.first
        for block in self._index.overlapping(range_.series, range_.first, range_.last):
            if block.first > expected:
                gaps.append(Range(range_.series, expected, block.first - 1))
            expected = block.last + 1
        if expected <= range_.last:
            gaps.append(Range(range_.series, expected, range_.last))
        return gaps

    def reserved_by(self, transfer_id: str) -> list[LedgerBlock]:
        """Return the blocks a transfer in flight reserves, in order of series and serial."""
        return self._index.reserved_by(transfer_id)

    def held_by(self, reference: str) -> list[LedgerBlock]:
        """Return the blocks a freeze or suspension holds, in order of series and serial."""
        return self._index.held_by(reference)

    @property
    def posting_count(self) -> int:
        """Return how many postings the batch made so far (its caller numbers them by entry)."""
        return self._editor.posting_count

    def changes(self) -> LedgerChanges:
        """Return all that happened since the window was made; the window stays usable.

        Raises LedgerInvariantError if units were made or lost on the way.
        """
        return self._editor.changes()

    def coalesce(self) -> None:
        """Join each block this batch touched with neighbours equal in all but id and serials.

        The older id survives. Units keep their state, so there is no posting.
        """
        self._editor.coalesce()

    # --- units come and go ---------------------------------------------------------------------

    def introduce(
        self,
        range_: Range,
        attributes: Attributes,
        registry: str,
        account: str | None,
        status: BlockStatus,
        first_transfer: FirstTransferEvent | None,
        reference: str,
        underlying: tuple[str, str] | None = None,
    ) -> LedgerBlock:
        """Bring units into the ledger, held by ``registry``; LedgerInvariantError if any is known.

        Introduced as AUTHORIZED they are provisional (``introduced_by``) until moved, used,
        cancelled or settled. Introduced as anything else they are here for good. ``underlying`` is
        the first and the last id of the underlying units.
        """
        block = LedgerBlock(
            self._editor.new_id(),
            range_.series,
            range_.first,
            range_.last,
            attributes,
            registry,
            account,
            status,
            first_transfer,
            None,
            reference if status is BlockStatus.AUTHORIZED else None,
            None,
            *(underlying or (None, None)),
        )
        self._editor.bring_in(block, reference)
        return block

    def withdraw(self, reference: str) -> list[LedgerBlock]:
        """Remove what the reference introduced and still reserves; nothing there is no error.

        Units on hold stay: free, on nobody's word, here for the sake of their hold alone. Else the
        sender could shake off a hold by giving up the transfer. Returns the blocks removed.
        """
        removed: list[LedgerBlock] = []
        for block in self.reserved_by(reference):
            if block.introduced_by != reference:
                continue
            if block.hold is None:
                self._editor.take_out(block, reference)
                removed.append(block)
            else:
                kept = replace(block, reserved_by=None, introduced_by=None)
                self._editor.become(block, kept, (PostingKind.RELEASED, reference))
        return removed

    # --- a transfer ----------------------------------------------------------------------------

    def reserve(self, ranges: Sequence[Range], transfer_id: str) -> list[LedgerBlock]:
        """Reserve units for a transfer; LedgerInvariantError unless all are known and free.

        Free: not reserved, not held, not terminal.
        """
        return self._editor.alter(
            ranges,
            _why_not_free,
            lambda block: block.reserved_for(transfer_id),
            (PostingKind.RESERVED, transfer_id),
        )

    def release(self, transfer_id: str) -> list[LedgerBlock]:
        """Free what a transfer reserves; LedgerInvariantError if it introduced some of it.

        Call ``withdraw`` first: units on nobody's word must not stay behind.
        """
        blocks = self.reserved_by(transfer_id)
        for block in blocks:
            if block.introduced_by == transfer_id:
                raise LedgerInvariantError(f"{block.range} is here only by {transfer_id}")
        act = (PostingKind.RELEASED, transfer_id)
        return [self._editor.become(block, block.reserved_for(None), act) for block in blocks]

    def move(
        self,
        transfer_id: str,
        to_registry: str,
        to_account: str | None,
        first_transfer: FirstTransferEvent | None,
    ) -> list[LedgerBlock]:
        """Give what a transfer reserves to the acquirer, as ITMOs, no longer reserved.

        ``first_transfer`` is what the move is for units not yet first transferred; the others keep
        their flag. Raises LedgerInvariantError if the transfer reserves nothing.
        """
        blocks = self.reserved_by(transfer_id)
        if not blocks:
            raise LedgerInvariantError(f"{transfer_id} reserves nothing")
        act = (PostingKind.MOVED, transfer_id)
        return [
            self._editor.become(block, _moved(block, to_registry, to_account, first_transfer), act)
            for block in blocks
        ]

    # --- ends, and the first transfer in place -------------------------------------------------

    def use(
        self,
        ranges: Sequence[Range],
        reference: str,
        first_transfer: FirstTransferEvent | None = None,
        *,
        account: str | None = None,
    ) -> list[LedgerBlock]:
        """Mark units as used, for ever (2/CMA.3 a.21(e)), in the account named or where they lie.

        ``first_transfer`` is what the use is for units not yet first transferred. Raises
        LedgerInvariantError unless all are known and free.
        """
        end = _Ending(BlockStatus.USED, first_transfer, account)
        return self._editor.alter(ranges, _why_not_free, end, (PostingKind.USED, reference))

    def cancel(
        self,
        ranges: Sequence[Range],
        reference: str,
        first_transfer: FirstTransferEvent | None = None,
        *,
        account: str | None = None,
    ) -> list[LedgerBlock]:
        """Mark units as cancelled, for ever; otherwise as ``use`` (4/CMA.6 para 17 for OMGE)."""
        end = _Ending(BlockStatus.CANCELLED, first_transfer, account)
        return self._editor.alter(ranges, _why_not_free, end, (PostingKind.CANCELLED, reference))

    def settle(
        self, ranges: Sequence[Range], reference: str, first_transfer: FirstTransferEvent
    ) -> list[LedgerBlock]:
        """Record the first transfer of units where they lie: authorization or issuance did it.

        They become ITMOs and are no longer provisional. Raises LedgerInvariantError unless all are
        known, free and not first transferred.
        """
        return self._editor.alter(
            ranges,
            _why_not_to_settle,
            lambda block: replace(
                block, status=BlockStatus.ITMO, first_transfer=first_transfer, introduced_by=None
            ),
            (PostingKind.FIRST_TRANSFERRED, reference),
        )

    # --- corrections ---------------------------------------------------------------------------

    def correct(
        self, range_: Range, reference: str, holder: str, to_registry: str, to_account: str | None
    ) -> list[LedgerBlock]:
        """Give ITMOs that ``holder`` has to another registry, to put a mistake right.

        They stay first transferred as they were. Raises LedgerInvariantError unless all are known,
        free, first transferred and held by ``holder``.
        """
        return self._editor.alter(
            [range_],
            lambda block: _why_not_to_correct(block, holder),
            lambda block: replace(block, registry=to_registry, account=to_account),
            (PostingKind.CORRECTED, reference),
        )

    # --- holds ---------------------------------------------------------------------------------

    def hold(self, ranges: Sequence[Range], reference: str) -> list[LedgerBlock]:
        """Freeze units under a reference, reserved and terminal ones too.

        Raises LedgerInvariantError if any is unknown or held already.
        """
        return self._editor.alter(
            ranges,
            lambda block: None if block.hold is None else f"held by {block.hold}",
            lambda block: replace(block, hold=reference),
            (PostingKind.HELD, reference),
        )

    def unhold(self, range_: Range) -> list[LedgerBlock]:
        """Lift every freeze from the units of a range, and from no others; return them, free.

        Units not held, or not known, are passed over. Units that were here for the sake of their
        hold alone (see ``withdraw``) leave the ledger, as they would have without it.
        """
        freed: list[LedgerBlock] = []
        for held in self.overlapping(range_.series, range_.first, range_.last):
            part = held.range.intersect(range_)
            if held.hold is None or part is None:
                continue
            (piece,) = self._editor.alter(
                [part],
                _no_objection,
                lambda block: replace(block, hold=None),
                (PostingKind.UNHELD, held.hold),
            )
            freed.append(piece)
            if _is_on_nobody_s_word(piece):
                self._editor.take_out(piece, held.hold)
        return freed


class _Ending:
    """The alteration that ends units: a use or a cancellation."""

    __slots__ = ("_account", "_first_transfer", "_status")

    def __init__(
        self, status: BlockStatus, first_transfer: FirstTransferEvent | None, account: str | None
    ) -> None:
        self._status = status
        self._first_transfer = first_transfer
        self._account = account

    def __call__(self, block: LedgerBlock) -> LedgerBlock:
        return replace(
            block,
            account=self._account or block.account,
            status=self._status,
            first_transfer=block.first_transfer or self._first_transfer,
            introduced_by=None,
        )


def _moved(
    block: LedgerBlock,
    registry: str,
    account: str | None,
    first_transfer: FirstTransferEvent | None,
) -> LedgerBlock:
    return LedgerBlock(
        block.block_id,
        block.series,
        block.first,
        block.last,
        block.attributes,
        registry,
        account,
        BlockStatus.ITMO,
        block.first_transfer or first_transfer,
        None,
        None,
        block.hold,
        block.underlying_first,
        block.underlying_last,
    )


def _no_objection(_: LedgerBlock) -> None:
    return None


def _is_on_nobody_s_word(block: LedgerBlock) -> bool:
    """Tell whether only a hold keeps the units: their transfer came to nothing."""
    return (
        block.status is BlockStatus.AUTHORIZED
        and block.introduced_by is None
        and block.reserved_by is None
    )


def _why_not_free(block: LedgerBlock) -> str | None:
    if block.reserved_by is not None:
        return f"reserved by {block.reserved_by}"
    if block.hold is not None:
        return f"held by {block.hold}"
    return f"already {block.status}" if block.is_terminal else None


def _why_not_to_settle(block: LedgerBlock) -> str | None:
    if block.first_transfer is not None:
        return f"first transferred by {block.first_transfer}"
    return _why_not_free(block)


def _why_not_to_correct(block: LedgerBlock, holder: str) -> str | None:
    if block.registry != holder:
        return f"in {block.registry}"
    if block.first_transfer is None or block.status is BlockStatus.AUTHORIZED:
        return "not first transferred yet"
    return _why_not_free(block)
