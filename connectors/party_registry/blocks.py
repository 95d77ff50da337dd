"""Between the words of the wire and the book: `Block` there, span and attributes text here."""

from __future__ import annotations

from typing import Any

import msgspec

from connectors.party_registry.units import HeldBlock, Series, Span
from message_schemas.blocks import Block, BlockRange, UnderlyingUnit

__all__ = ["ATTRIBUTES", "attributes_of", "block_of", "range_of", "span_of"]

ATTRIBUTES = (
    "metric",
    "mitigation_type",
    "authorization_id",
    "authorization_version",
    "sector",
    "activity_type",
    "non_ghg_metric",
    "gwp_values",
)
"""The names of what is fixed for a block's life, but for its underlying unit."""


def span_of(block: Block | BlockRange) -> Span:
    """Return the serials of a block of the wire."""
    series = Series(
        block.cooperative_approach,
        block.originating_registry,
        block.first_transferring_party,
        block.vintage,
    )
    return Span(series, block.first_serial, block.last_serial)


def attributes_of(block: Block) -> str:
    """Return what is fixed for a block's life, as one canonical JSON text."""
    values: dict[str, Any] = {name: getattr(block, name) for name in ATTRIBUTES}
    if block.underlying_unit is not None:
        values["underlying_unit"] = msgspec.to_builtins(block.underlying_unit)
    present = {name: value for name, value in values.items() if value is not None}
    return msgspec.json.encode(present, order="sorted").decode()


def block_of(held: HeldBlock) -> Block:
    """Return a block of the book as the wire says it."""
    values: dict[str, Any] = msgspec.json.decode(held.attributes)
    underlying = values.pop("underlying_unit", None)
    return Block(
        **held.series._asdict(),
        first_serial=held.first,
        last_serial=held.last,
        quantity=held.quantity,
        underlying_unit=None if underlying is None else UnderlyingUnit(**underlying),
        **values,
    )


def range_of(span: Span) -> BlockRange:
    """Return a span as the wire says it."""
    return BlockRange(*span.series, span.first, span.last)
