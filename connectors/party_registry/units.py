"""Unit blocks as values: a series, the first and last serial, and what never changes about them.

The series (cooperative approach, originating registry, first transferring Party, vintage) and the
serial identify a unit (6/CMA.4 annex I para 5). Two blocks of one series never overlap. Splitting
a block changes nothing about its units: the parts inherit everything, the first transfer too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

__all__ = ["BlockStatus", "HeldBlock", "Series", "Span", "divided", "merge_spans", "total"]


class BlockStatus(StrEnum):
    """What a unit is: the words of the rules (2/CMA.3 annex paras 1 and 21(e))."""

    AUTHORIZED = "authorized"  # a mitigation outcome authorized for use, not first transferred
    ITMO = "itmo"
    USED = "used"
    CANCELLED = "cancelled"


TERMINAL = frozenset({BlockStatus.USED, BlockStatus.CANCELLED})


class Series(NamedTuple):
    """What the serials of a block count within."""

    cooperative_approach: str
    originating_registry: str
    first_transferring_party: str
    vintage: int

    def __str__(self) -> str:
        head = f"{self.cooperative_approach}-{self.originating_registry}"
        return f"{head}-{self.first_transferring_party}-*-{self.vintage}"


class Span(NamedTuple):
    """Serials `first` to `last`, both included, of a series."""

    series: Series
    first: int
    last: int

    @property
    def quantity(self) -> int:
        """How many units the span holds."""
        return self.last - self.first + 1

    def render(self, serial: int) -> str:
        """Return the full identifier of one unit of the series (6/CMA.4 annex I para 5)."""
        s = self.series
        head = f"{s.cooperative_approach}-{s.originating_registry}-{s.first_transferring_party}"
        return f"{head}-{serial}-{s.vintage}"

    def __str__(self) -> str:
        return f"{self.render(self.first)} to {self.render(self.last)}"


@dataclass(frozen=True, slots=True)
class HeldBlock:
    """A block as it lies in an account. `attributes` is their canonical JSON text.

    `known_to_hub`: the hub told us of these units, so both sides compare them.
    """

    series: Series
    first: int
    last: int
    attributes: str
    account_id: str
    status: BlockStatus
    reserved_by: str | None = None
    first_transfer: str | None = None
    block_id: int | None = None
    known_to_hub: bool = False

    @property
    def span(self) -> Span:
        """The serials of the block."""
        return Span(self.series, self.first, self.last)

    @property
    def quantity(self) -> int:
        """How many units the block holds."""
        return self.last - self.first + 1

    def cut(self, span: Span) -> list[HeldBlock]:
        """Return the block in one to three parts, of which one is its overlap with `span`.

        The first part keeps the block's id; the units are the same before and after.
        """
        assert span.series == self.series, "a span of another series"
        first, last = max(self.first, span.first), min(self.last, span.last)
        assert first <= last, "the span does not touch the block"
        borders = [self.first, first, last + 1, self.last + 1]
        parts = [
            replace(self, first=left, last=right - 1, block_id=None)
            for left, right in pairwise(borders)
            if left < right
        ]
        parts[0] = replace(parts[0], block_id=self.block_id)
        assert total(parts) == self.quantity, "splitting made or lost units"
        return parts


def total(blocks: Iterable[HeldBlock | Span]) -> int:
    """Return the number of units in the blocks."""
    return sum(block.quantity for block in blocks)


def merge_spans(spans: Iterable[Span]) -> list[Span]:
    """Return the spans in order, with those that touch joined.

    Raises:
        ValueError: two of them overlap, or one runs backwards.
    """
    merged: list[Span] = []
    for span in sorted(spans):
        if span.first > span.last:
            raise ValueError(f"{span} runs backwards")
        before = merged[-1] if merged else None
        if before is None or before.series != span.series or before.last + 1 < span.first:
            merged.append(span)
        elif before.last + 1 == span.first:
            merged[-1] = Span(span.series, before.first, span.last)
        else:
            raise ValueError(f"{before} and {span} overlap")
    return merged


def divided(span: Span, named: Iterable[Span]) -> list[tuple[Span, bool]]:
    """Return the span cut at the borders of others, and whether each part lies in one of them."""
    inside = [s for s in named if s.series == span.series]
    borders = {span.first, span.last + 1}
    for one in inside:
        borders |= {b for b in (one.first, one.last + 1) if span.first < b <= span.last}
    return [
        (
            Span(span.series, left, right - 1),
            any(one.first <= left <= one.last for one in inside),
        )
        for left, right in pairwise(sorted(borders))
    ]
