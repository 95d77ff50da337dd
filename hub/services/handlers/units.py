"""From the words of a message's blocks to the ledger's values."""

from collections.abc import Iterable
from typing import Any

from hub.checks.facts import Facts
from hub.international_registry.authorizations import (
    Authorization,
    FirstTransferDefinition,
    definition_in_force,
)
from hub.international_registry.units import Attributes, LedgerBlock, Range, Series
from message_schemas.blocks import Block, BlockRange, render_identifier


def series_of(block: Block | BlockRange) -> Series:
    """Return the series a wire block names."""
    return Series(
        block.cooperative_approach,
        block.originating_registry,
        block.first_transferring_party,
        block.vintage,
    )


def range_of(block: Block | BlockRange) -> Range:
    """Return the serials a wire block names; ValueError when reversed."""
    return Range(series_of(block), block.first_serial, block.last_serial)


def attributes_of(block: Block) -> Attributes:
    """Return the attributes a wire block states."""
    return Attributes(
        metric=block.metric,
        mitigation_type=block.mitigation_type,
        authorization_id=block.authorization_id,
        authorization_version=block.authorization_version,
        sector=block.sector,
        activity_type=block.activity_type,
        non_ghg_metric=block.non_ghg_metric,
        gwp_values=block.gwp_values,
        underlying_registry=None
        if block.underlying_unit is None
        else block.underlying_unit.registry,
    )


def underlying_of(block: Block) -> tuple[str, str] | None:
    """Return the first and last underlying unit a wire block states, or None."""
    unit = block.underlying_unit
    return None if unit is None else (unit.first_unit_id, unit.last_unit_id)


def note_underlying(facts: Facts, block: Block) -> None:
    """Let the next message of the batch see the underlying units that a block brought in (5010)."""
    if block.underlying_unit is not None:
        facts.underlying_new.add(block.underlying_unit, range_of(block))


def definition_of(facts: Facts, authorization: Authorization) -> FirstTransferDefinition | None:
    """Return the OIMP first-transfer definition that applies to an authorization."""
    return definition_in_force(
        authorization, facts.approaches.get(authorization.cooperative_approach)
    )


def wire_range(range_: Range) -> dict[str, str]:
    """Return a range as notices and results show it."""
    series = range_.series
    return {
        "first_id": series.identifier(range_.first),
        "last_id": series.identifier(range_.last),
    }


def joined(units: Iterable[LedgerBlock | Range]) -> list[Range]:
    """Return the ranges of blocks in order, touching ones as one."""
    found: list[list[Any]] = []
    for one in sorted(units, key=lambda one: (one.series, one.first)):
        if found and found[-1][0] == one.series and found[-1][2] + 1 == one.first:
            found[-1][2] = one.last
        else:
            found.append([one.series, one.first, one.last])
    return [Range(series, first, last) for series, first, last in found]


def wire_ranges(units: Iterable[LedgerBlock | Range]) -> list[dict[str, str]]:
    """Return the ranges of blocks as notices show them, touching ones joined."""
    return [wire_range(range_) for range_ in joined(units)]


__all__ = [
    "attributes_of",
    "definition_of",
    "joined",
    "note_underlying",
    "range_of",
    "render_identifier",
    "series_of",
    "underlying_of",
    "wire_range",
    "wire_ranges",
]
