"""Putting the own book right, where a comparison showed that the hub is right: with a reason.

| kind | of | does |
|---|---|---|
| completion | a transfer | gives a completion its effect that the hub told and the book lost |
| action | a use or cancellation | the same for its record |
| doubled | serials | leaves one of several copies of units that were credited more than once |
| value | serials | sets one of the values that both sides own |
| vintage | serials | moves units that are in the series of a wrong vintage to the right one |
| restore | serials | puts back what the journal says, after the blocks were tampered with |
| take_out | serials | removes units that are not ours |
| put_in | serials | enters units that are ours |

Each is one transaction: it writes what it found and what it left into the journal and keeps the
reason and the case. Units in the middle of a transfer are not touched: that ends first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, insert, select, update

from connectors.party_registry import (
    book,
    book_store,
    closings,
    notified,
    schema_steps,
    stored_notices,
    tracking,
)
from connectors.party_registry.blocks import ATTRIBUTES
from connectors.party_registry.book import BookError
from connectors.party_registry.book_tables import book_correction
from connectors.party_registry.check_book import journal_of
from connectors.party_registry.commands import CommandError
from connectors.party_registry.requests import CorrectionRequest
from connectors.party_registry.selection import read_range
from connectors.party_registry.units import BlockStatus, HeldBlock, Span, divided, total
from connectors.session.handler import Transaction

__all__ = ["correct", "list_corrections", "with_value"]

_STATUS: Final[Mapping[str, BlockStatus]] = MappingProxyType(
    {
        "held": BlockStatus.ITMO,
        "used": BlockStatus.USED,
        "cancelled": BlockStatus.CANCELLED,
    }
)
_UNDERLYING: Final[Mapping[str, str]] = MappingProxyType(
    {
        "underlying_registry": "registry",
        "underlying_first": "first_unit_id",
        "underlying_last": "last_unit_id",
    }
)


@dataclass(frozen=True, slots=True)
class _Correction:
    """One correction on its way: what was asked, and the reference in the journal."""

    transaction: Transaction
    request: CorrectionRequest
    reference: str

    @property
    def connection(self) -> Connection:
        return self.transaction.connection

    def spans(self) -> list[Span]:
        if not self.request.ranges:
            raise CommandError(f"a correction of kind {self.request.kind} names ranges")
        return [read_range(named) for named in self.request.ranges]

    def named(self) -> str:
        if self.request.reference is None:
            raise CommandError(f"a correction of kind {self.request.kind} names a reference")
        return self.request.reference

    def journal(self, kind: str, blocks: Iterable[HeldBlock]) -> None:
        book_store.journal(self.connection, kind, blocks, self.reference, self.transaction.at)


def correct(transaction: Transaction, request: CorrectionRequest) -> dict[str, Any]:
    """Put the book right and return what was done: id, kind and the quantity of units.

    Raises:
        CommandError: there is nothing to put right in this way, or units are in a transfer.
    """
    connection = transaction.connection
    made = connection.execute(
        insert(book_correction).values(
            kind=request.kind,
            subject="",
            reason=request.reason,
            case_id=request.case_id,
            quantity=0,
            recorded_at=transaction.at,
        )
    )
    key = made.inserted_primary_key
    assert key is not None, "SQLite returns the key of an inserted row"
    one = _Correction(transaction, request, f"correction-{key[0]}")
    try:
        subject, quantity = _KINDS[request.kind](one)
    except BookError as error:
        raise CommandError(str(error)) from error
    if quantity == 0:
        raise CommandError(f"{subject}: there is nothing to put right in this way")
    connection.execute(
        update(book_correction)
        .where(book_correction.c.correction_id == key[0])
        .values(subject=subject[:200], quantity=quantity)
    )
    schema_steps.guard_serials(connection)
    return {"correction_id": key[0], "kind": request.kind, "quantity": quantity}


def list_corrections(connection: Connection, limit: int = 100) -> list[dict[str, Any]]:
    """Return up to `limit` corrections, the last first."""
    query = select(book_correction).order_by(book_correction.c.correction_id.desc()).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]


# --- what the hub told and the book lost ----------------------------------------------------------


def _completion(one: _Correction) -> tuple[str, int]:
    transfer_id = one.named()
    transfer = tracking.fetch_transfer(one.connection, transfer_id)
    if transfer is None:
        raise CommandError(f"there is no transfer {transfer_id}")
    body = stored_notices.completion_of(one.connection, transfer_id)
    if body is None:
        raise CommandError(f"the hub told no completion of {transfer_id}: nothing was lost here")
    if transfer.state in tracking.FINAL_STATES and not _is_without_effect(one, transfer):
        raise CommandError(f"{transfer_id} is {transfer.state} here: nothing was lost")
    text = f"given effect again, {one.reference}: {one.request.reason}"
    tracking.note(one.connection, transfer_id, one.transaction.at, "corrected", text)
    closings.give_effect(one.transaction, transfer, body, has_book=True)
    if transfer.mode == "move" and not book_store.was_moved_by(one.connection, transfer_id):
        raise CommandError(
            f"{transfer_id} still has no effect: units of it are here already, or none are "
            "reserved for it. Take out or put in what differs"
        )
    return transfer_id, transfer.quantity


def _is_without_effect(one: _Correction, transfer: tracking.Transfer) -> bool:
    """Tell whether a transfer was completed and the book could not follow: there was an alarm."""
    is_move = transfer.state == "completed" and transfer.mode == "move"
    return is_move and not book_store.was_moved_by(one.connection, transfer.transfer_id)


def _action(one: _Correction) -> tuple[str, int]:
    action_id = one.named()
    action = tracking.fetch_action(one.connection, action_id)
    if action is None or action.state == "recorded":
        raise CommandError(f"{action_id} is no action that waits for its record here")
    body = stored_notices.record_of(one.connection, action_id)
    if body is None:
        raise CommandError(f"the hub told no record of {action_id}: nothing was lost here")
    closings.apply_notice(one.transaction, body, has_book=True)
    return action_id, action.quantity


# --- what the book has otherwise than the hub ----------------------------------------------------


def _doubled(one: _Correction) -> tuple[str, int]:
    removed = 0
    for span in one.spans():
        blocks = book_store.fetch_overlapping(one.connection, span)
        if _count(blocks, span) == span.quantity:
            continue
        parts = book.inside(one.connection, span)
        kept = _one_layer(parts)
        removed += total(parts) - total(kept)
        _exchange(one, parts, kept)
    return _names(one), removed


def _count(blocks: Iterable[HeldBlock], span: Span) -> int:
    return sum(min(b.last, span.last) - max(b.first, span.first) + 1 for b in blocks)


def _one_layer(parts: Sequence[HeldBlock]) -> list[HeldBlock]:
    """Return each serial once; where copies differ, what is in a transfer or came first."""
    kept: list[HeldBlock] = []
    for block in sorted(parts, key=lambda b: (b.reserved_by is None, b.block_id)):
        taken = [one.span for one in kept]
        kept += [
            replace(block, first=part.first, last=part.last, block_id=None)
            for part, is_taken in divided(block.span, taken)
            if not is_taken
        ]
    return sorted(kept, key=lambda b: b.first)


def _exchange(one: _Correction, before: Sequence[HeldBlock], after: Sequence[HeldBlock]) -> None:
    book_store.delete_blocks(one.connection, before)
    book_store.insert_blocks(one.connection, after)
    gone = [b for b in before if b.series not in {a.series for a in after}]
    one.journal("removed", gone)
    one.journal("corrected", after)


def _free_parts(one: _Correction, span: Span) -> list[HeldBlock]:
    parts = book.inside(one.connection, span)
    for block in parts:
        if block.reserved_by is not None:
            raise CommandError(f"{block.span} is in {block.reserved_by}: that ends first")
    return parts


def _changed(one: _Correction, change: Callable[[HeldBlock], HeldBlock]) -> tuple[str, int]:
    count = 0
    for span in one.spans():
        parts = _free_parts(one, span)
        if _count(parts, span) > span.quantity:
            raise CommandError(f"{span} lies here more than once: put that right first")
        pairs = [(block, replace(change(block), block_id=None)) for block in parts]
        differing = [(b, a) for b, a in pairs if replace(b, block_id=None) != a]
        for _, after in differing:
            if after.series != span.series and book_store.fetch_overlapping(
                one.connection, after.span
            ):
                raise CommandError(f"{after.span} is here already")
        _exchange(one, [b for b, _ in differing], [a for _, a in differing])
        count += total([a for _, a in differing])
    return _names(one), count


def _value(one: _Correction) -> tuple[str, int]:
    name, value = one.request.name or "", one.request.value
    return _changed(one, lambda block: with_value(block, name, value))


def with_value(block: HeldBlock, name: str, value: str | None) -> HeldBlock:
    """Return a block with another of the values that both sides own; without it, if none is given.

    Raises:
        CommandError: there is no such value.
    """
    if name == "status":
        status = _STATUS.get(value or "")
        if status is None:
            raise CommandError(f"the status is one of {', '.join(_STATUS)}")
        return replace(block, status=status, known_to_hub=True)
    if name == "first_transferred":
        if value not in {"yes", "no"}:
            raise CommandError("first_transferred is yes or no")
        event = (block.first_transfer or "earlier") if value == "yes" else None
        return replace(block, first_transfer=event)
    if name in ATTRIBUTES or name in _UNDERLYING:
        return replace(block, attributes=_with(block.attributes, name, value))
    names = ", ".join(("status", "first_transferred", *ATTRIBUTES, *_UNDERLYING))
    raise CommandError(f"the values that both sides own are {names}")


def _with(attributes: str, name: str, value: str | None) -> str:
    """Return attributes with one of them set, or without it."""
    said: dict[str, Any] = msgspec.json.decode(attributes)
    if name in _UNDERLYING:
        unit = {**said.get("underlying_unit", {}), _UNDERLYING[name]: value}
        unit = {key: text for key, text in unit.items() if text is not None}
        said["underlying_unit"] = unit or None
    elif name == "authorization_version" and value is not None:
        if not value.isdigit():
            raise CommandError("authorization_version is a whole number")
        said[name] = int(value)
    else:
        said[name] = value
    present = {key: text for key, text in said.items() if text is not None}
    return msgspec.json.encode(present, order="sorted").decode()


def _vintage(one: _Correction) -> tuple[str, int]:
    year = one.request.vintage
    if year is None:
        raise CommandError("say the right vintage")
    return _changed(one, lambda b: replace(b, series=b.series._replace(vintage=year)))


def _restore(one: _Correction) -> tuple[str, int]:
    changed = 0
    for span in one.spans():
        before = _free_parts(one, span)
        after = [
            HeldBlock(
                span.series,
                max(first, span.first),
                min(last, span.last),
                attributes,
                account,
                BlockStatus(status),
                first_transfer=event,
                known_to_hub=known,
            )
            for first, last, (account, status, event, known, attributes) in journal_of(
                one.connection, span.series
            )
            if first <= span.last and last >= span.first
        ]
        if _joined(before) == _joined(after):
            continue
        _exchange(one, before, after)
        changed += span.quantity
    return _names(one), changed


def _joined(blocks: Iterable[HeldBlock]) -> list[HeldBlock]:
    joined: list[HeldBlock] = []
    for block in sorted(blocks, key=lambda b: b.first):
        plain = replace(block, block_id=None)
        longer = replace(joined[-1], last=plain.last) if joined else None
        touches = bool(joined) and joined[-1].last + 1 == plain.first
        if longer is not None and touches and replace(longer, first=plain.first) == plain:
            joined[-1] = longer
        else:
            joined.append(plain)
    return joined


def _take_out(one: _Correction) -> tuple[str, int]:
    removed = 0
    for span in one.spans():
        parts = _free_parts(one, span)
        _exchange(one, parts, [])
        removed += total(parts) + notified.take_recorded(one.connection, span)
    return _names(one), removed


def _put_in(one: _Correction) -> tuple[str, int]:
    request = one.request
    if request.account is None or request.attributes is None:
        raise CommandError("say the account and the attributes of the units")
    book.require_open(one.connection, request.account)
    attributes = msgspec.json.encode(request.attributes, order="sorted").decode()
    count = 0
    for span in one.spans():
        if there := book_store.fetch_overlapping(one.connection, span):
            raise CommandError(f"{there[0].span} is here already")
        block = HeldBlock(
            span.series,
            span.first,
            span.last,
            attributes,
            request.account,
            BlockStatus.ITMO,
            first_transfer="earlier" if request.value != "no" else None,
            known_to_hub=True,
        )
        _exchange(one, [], [block])
        count += block.quantity
    return _names(one), count


def _names(one: _Correction) -> str:
    return ", ".join(str(span) for span in one.spans())


_KINDS: Final[Mapping[str, Callable[[_Correction], tuple[str, int]]]] = MappingProxyType(
    {
        "completion": _completion,
        "action": _action,
        "doubled": _doubled,
        "value": _value,
        "vintage": _vintage,
        "restore": _restore,
        "take_out": _take_out,
        "put_in": _put_in,
    }
)
