"""Transfers that move no units, in the book: in whose name the ledger has the units afterwards.

The ledger changes the holder on record, so that nobody trades the units twice, while they stay
where they lie. Both books are compared with the ledger all the same:

1. The registry in which they lie no longer counts them among what the hub knows as its own.
2. The registry that recognized them keeps them as `recorded_unit`, unless they lie in its own book.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.sql.elements import ColumnElement

from connectors.party_registry import book, book_store
from connectors.party_registry.book_tables import recorded_unit
from connectors.party_registry.tracking import Transfer
from connectors.party_registry.units import Series, Span, divided

__all__ = ["Units", "add_recorded", "record", "take_recorded"]

Units = Iterable[tuple[Span, str, str | None]]
"""Serials, attributes, and the event they are first transferred by, if any."""

_SERIALS = (
    "cooperative_approach",
    "originating_registry",
    "first_transferring_party",
    "vintage",
    "first_serial",
    "last_serial",
)


def record(connection: Connection, transfer: Transfer, units: Units, at: str) -> None:
    """Note a completed transfer that moved no units."""
    is_ours, reference = transfer.direction == "incoming", transfer.transfer_id
    for span, attributes, event in units:
        take_recorded(connection, span)
        marked = [
            replace(part, first_transfer=part.first_transfer or event, known_to_hub=is_ours)
            for part in book.inside(connection, span)
        ]
        book_store.mark_blocks(connection, marked)
        kind = "recognized" if is_ours else "notified"
        book_store.journal(connection, kind, marked, reference, at)
        if is_ours:
            for part, lies_here in divided(span, [block.span for block in marked]):
                if not lies_here:
                    add_recorded(connection, part, attributes, event, reference)


def add_recorded(
    connection: Connection, span: Span, attributes: str, event: str | None, transfer_id: str
) -> None:
    """Keep units that lie elsewhere and are on record as ours."""
    connection.execute(
        insert(recorded_unit).values(
            **span.series._asdict(),
            first_serial=span.first,
            last_serial=span.last,
            attributes=attributes,
            first_transfer=event,
            transfer_id=transfer_id,
        )
    )


def take_recorded(connection: Connection, span: Span) -> int:
    """Forget units of a span that are on record as ours; return how many there were."""
    table = recorded_unit
    rows = connection.execute(
        select(
            table.c.record_id,
            *(table.c[name] for name in _SERIALS[4:]),
            table.c.attributes,
            table.c.first_transfer,
            table.c.transfer_id,
        ).where(
            *_of_series(span.series),
            table.c.first_serial <= span.last,
            table.c.last_serial >= span.first,
        )
    ).all()
    taken = 0
    for record_id, first, last, *rest in rows:
        connection.execute(delete(table).where(table.c.record_id == record_id))
        for part, is_taken in divided(Span(span.series, first, last), [span]):
            taken += part.quantity if is_taken else 0
            if not is_taken:
                add_recorded(connection, part, *rest)
    return taken


def _of_series(series: Series) -> list[ColumnElement[bool]]:
    return [recorded_unit.c[name] == value for name, value in series._asdict().items()]
