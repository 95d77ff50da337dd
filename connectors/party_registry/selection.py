"""Which units a request means: the ones it names, or as many as it asks for."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from connectors.party_registry import book
from connectors.party_registry.book import BookError
from connectors.party_registry.requests import RangeRequest
from connectors.party_registry.units import Series, Span, total
from message_schemas.blocks import parse_identifier

__all__ = ["choose", "read_range"]


def read_range(named: RangeRequest) -> Span:
    """Return the span between two full identifiers of one series.

    Raises:
        BookError: an identifier is malformed, or the two are of different series.
    """
    try:
        first, last = parse_identifier(named.first_id), parse_identifier(named.last_id)
    except ValueError as error:
        raise BookError(str(error)) from None
    series = Series(
        first.cooperative_approach,
        first.originating_registry,
        first.first_transferring_party,
        first.vintage,
    )
    if first._replace(serial=last.serial) != last:
        raise BookError(f"{named.first_id} and {named.last_id} are of different series")
    return Span(series, first.serial, last.serial)


def choose(
    connection: Connection,
    account_id: str,
    cooperative_approach: str,
    quantity: int | None,
    ranges: Sequence[RangeRequest] | None,
) -> list[Span]:
    """Return the spans that a request means.

    Raises:
        BookError: neither quantity nor ranges, or both that disagree, or units of another
            cooperative approach, or fewer free units than asked for.
    """
    if not ranges:
        if quantity is None:
            raise BookError("say a quantity or ranges")
        return book.pick(connection, account_id, cooperative_approach, quantity)
    spans = [read_range(named) for named in ranges]
    if quantity is not None and quantity != total(spans):
        raise BookError(f"the ranges hold {total(spans)} units, not {quantity}")
    foreign = [s for s in spans if s.series.cooperative_approach != cooperative_approach]
    if foreign:
        raise BookError(f"{foreign[0]} is not of {cooperative_approach}")
    return spans
