"""What can happen to units in this registry, each a function of an open transaction.

    issue      serials of a new mitigation outcome appear in an account
    reserve    they may be given away, used or cancelled by one transfer or action only
    release    they may not after all
    debit      they left for another registry: the hub said `transfer.completed`
    credit     they arrived from another registry, by the same word
    retire     they were used or cancelled, for ever (2/CMA.3 annex para 21(e))

Every function asserts that no unit was made or lost on the way, and writes the journal. What the
caller may have wrong raises `BookError`; what only we can have wrong is an assertion.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection

from connectors.party_registry import book_store
from connectors.party_registry.units import (
    TERMINAL,
    BlockStatus,
    HeldBlock,
    Series,
    Span,
    merge_spans,
    total,
)

__all__ = [
    "BookError",
    "credit",
    "debit",
    "inside",
    "issue",
    "mark_first_transfer",
    "pick",
    "release",
    "reserve",
    "retire",
]

_SERIAL_MAX: Final = 9_223_372_036_854_775_806


class BookError(Exception):
    """The book does not allow this; nothing was changed. One sentence for the operator."""


def issue(  # noqa: PLR0913 - a new block has many facts, all named at the call
    connection: Connection,
    account_id: str,
    series: Series,
    quantity: int,
    attributes: str,
    *,
    reference: str,
    at: str,
    first: int | None = None,
    first_transfer: str | None = None,
) -> HeldBlock:
    """Issue authorized units into an open holding account; without `first`, at the next serial.

    Raises:
        BookError: the account cannot receive, or the serials exist or run past the last number.
    """
    require_open(connection, account_id)
    start = book_store.next_serial(connection, series) if first is None else first
    block = HeldBlock(
        series,
        start,
        start + quantity - 1,
        attributes,
        account_id,
        BlockStatus.AUTHORIZED,
        first_transfer=first_transfer,
    )
    if quantity < 1 or start < 1 or block.last > _SERIAL_MAX:
        raise BookError(f"the serials {start} to {block.last} cannot be issued")
    if start < book_store.next_serial(connection, series):
        raise BookError(f"serials of {series} up to {start} were issued before")
    book_store.insert_blocks(connection, [block])
    book_store.journal(connection, "issued", [block], reference, at)
    return block


def require_open(connection: Connection, account_id: str) -> None:
    """Make sure that the account is here and open.

    Raises:
        BookError: it is not.
    """
    row = book_store.fetch_account(connection, account_id)
    if row is None:
        raise BookError(f"there is no account {account_id}")
    if row.status != "open":
        raise BookError(f"the account {account_id} is {row.status}")


def pick(
    connection: Connection, account_id: str, cooperative_approach: str, quantity: int
) -> list[Span]:
    """Choose free units of an account, the oldest vintage and lowest serials first.

    Raises:
        BookError: the account holds fewer free units than asked for.
    """
    chosen: list[Span] = []
    missing = quantity
    for block in book_store.fetch_free(connection, account_id, cooperative_approach):
        if missing <= 0:
            break
        taken = min(block.quantity, missing)
        chosen.append(Span(block.series, block.first, block.first + taken - 1))
        missing -= taken
    if missing > 0 or quantity < 1:
        raise BookError(f"{account_id} holds {quantity - missing} free units of {quantity} asked")
    return merge_spans(chosen)


def reserve(
    connection: Connection,
    account_id: str,
    spans: Iterable[Span],
    reference: str,
    at: str,
) -> list[HeldBlock]:
    """Set units of an account aside for one transfer or action; return the blocks, as they lie.

    Raises:
        BookError: a unit is not in the account, is reserved, used or cancelled, or named twice.
    """
    try:
        wanted = merge_spans(spans)
    except ValueError as error:
        raise BookError(str(error)) from None
    reserved: list[HeldBlock] = []
    for span in wanted:
        found = _covering(connection, span)
        for block in found:
            _require_free(block, account_id)
        reserved += _set_aside(connection, span, found, reference)
    assert total(reserved) == total(wanted), "reserving made or lost units"
    book_store.journal(connection, "reserved", reserved, reference, at)
    return reserved


def _covering(connection: Connection, span: Span) -> list[HeldBlock]:
    blocks = book_store.fetch_overlapping(connection, span)
    position = span.first
    for block in blocks:
        if block.first > position:
            break
        position = block.last + 1
    if position <= span.last:
        raise BookError(f"{span.render(position)} is not held here")
    return blocks


def _require_free(block: HeldBlock, account_id: str) -> None:
    if block.account_id != account_id:
        raise BookError(f"{block.span} is in the account {block.account_id}, not {account_id}")
    if block.reserved_by is not None:
        raise BookError(f"{block.span} is reserved by {block.reserved_by}")
    if block.status in TERMINAL:
        raise BookError(f"{block.span} was {block.status}: final")


def _set_aside(
    connection: Connection, span: Span, found: Sequence[HeldBlock], reference: str
) -> list[HeldBlock]:
    taken = [part for block in found for part in _cut_to(connection, block, span)]
    book_store.set_reserved(connection, taken, reference)
    return taken


def release(connection: Connection, reference: str, at: str) -> int:
    """Give back what a transfer or action had reserved; return the quantity, 0 if nothing."""
    blocks = book_store.fetch_reserved(connection, reference)
    book_store.set_reserved(connection, blocks, None)
    book_store.journal(connection, "released", blocks, reference, at)
    return total(blocks)


def debit(connection: Connection, reference: str, at: str) -> int:
    """Let reserved units go to another registry; return the quantity, 0 if nothing was reserved."""
    blocks = book_store.fetch_reserved(connection, reference)
    book_store.delete_blocks(connection, blocks)
    book_store.journal(connection, "debited", blocks, reference, at)
    return total(blocks)


def credit(
    connection: Connection,
    account_id: str,
    arrived: Iterable[tuple[Span, str, str | None]],
    reference: str,
    at: str,
) -> int:
    """Take in units from another registry as ITMOs; return the quantity.

    With the serials come their attributes, and the event they are first transferred by, if any.
    Units that still lie here, and were given away by a transfer that moved none, come back: what
    lies here makes room for what arrives.

    Raises:
        BookError: a unit is here already: two registries cannot both hold it.
    """
    blocks = [
        HeldBlock(
            span.series,
            span.first,
            span.last,
            attributes,
            account_id,
            BlockStatus.ITMO,
            first_transfer=event,
            known_to_hub=True,
        )
        for span, attributes, event in arrived
    ]
    for block in blocks:
        _require_absent(connection, block.span)
    for block in blocks:
        returning = inside(connection, block.span)
        book_store.delete_blocks(connection, returning)
        book_store.journal(connection, "removed", returning, reference, at)
    book_store.insert_blocks(connection, blocks)
    book_store.journal(connection, "credited", blocks, reference, at)
    return total(blocks)


def _require_absent(connection: Connection, span: Span) -> None:
    for there in book_store.fetch_overlapping(connection, span):
        is_elsewhere = not there.known_to_hub and there.reserved_by is None
        if not is_elsewhere or not book_store.was_notified(connection, there.span):
            raise BookError(f"{there.span} is here already, in {there.account_id}")


def retire(
    connection: Connection,
    reference: str,
    status: BlockStatus,
    event: str,
    at: str,
    *,
    not_first_transferred: Iterable[Span] = (),
) -> int:
    """Use or cancel reserved units for ever; return the quantity, 0 if nothing was reserved.

    `event` is the first transfer this is, for units that had none (2/CMA.3 annex para 2(b)); but
    the hub names those that are `not_first_transferred` even now.
    """
    assert status in TERMINAL, "only use and cancellation are final"
    blocks = book_store.fetch_reserved(connection, reference)
    parts = _parted(connection, blocks, list(not_first_transferred))
    named = [(block, None if is_named else event) for block, is_named in parts]
    retired = book_store.retire_blocks(connection, named, status)
    assert total(retired) == total(blocks), "retiring made or lost units"
    book_store.journal(connection, status.value, retired, reference, at)
    return total(retired)


def mark_first_transfer(
    connection: Connection,
    span: Span,
    event: str,
    reference: str,
    at: str,
    *,
    known_to_hub: bool = False,
) -> int:
    """Note that units held here count as first transferred; once marked, they stay as they are.

    `known_to_hub`: it happened here, so that the hub has the units in our name now. Returns the
    quantity marked now; units that are not held here are not ours to mark.
    """
    marked: list[HeldBlock] = []
    for block in book_store.fetch_overlapping(connection, span):
        if block.first_transfer is not None and (block.known_to_hub or not known_to_hub):
            continue
        marked += [
            replace(
                part,
                first_transfer=part.first_transfer or event,
                known_to_hub=part.known_to_hub or known_to_hub,
            )
            for part in _cut_to(connection, block, span)
        ]
    book_store.mark_blocks(connection, marked)
    book_store.journal(connection, "first-transfer", marked, reference, at)
    return total(marked)


def inside(connection: Connection, span: Span) -> list[HeldBlock]:
    """Return the blocks with serials of the span, cut to it and stored so."""
    return [
        part
        for block in book_store.fetch_overlapping(connection, span)
        for part in _cut_to(connection, block, span)
    ]


def _cut_to(connection: Connection, block: HeldBlock, span: Span) -> list[HeldBlock]:
    parts = book_store.replace_block(connection, block, block.cut(span))
    return [part for part in parts if span.first <= part.first <= span.last]


def _parted(
    connection: Connection, blocks: Iterable[HeldBlock], named: Sequence[Span]
) -> list[tuple[HeldBlock, bool]]:
    """Return the blocks cut at the borders of the spans, and whether each part is in one."""
    parts = [(block, False) for block in blocks]
    for span in named:
        cut: list[tuple[HeldBlock, bool]] = []
        for block, is_named in parts:
            if block.series != span.series or block.first > span.last or block.last < span.first:
                cut.append((block, is_named))
                continue
            stored = book_store.replace_block(connection, block, block.cut(span))
            cut += [(one, is_named or span.first <= one.first <= span.last) for one in stored]
        parts = cut
    return parts
