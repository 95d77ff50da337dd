"""The kept digests proved from the blocks they are of: the hub's own books, second part.

The sums of a series are made again from its blocks, as of the entry the kept ones are folded to,
at every kept shift; a row too many, one missing and one that differs are the same fault.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection

from hub.international_registry.replay import span_of
from hub.international_registry.units import LedgerBlock, Series
from hub.services.reconciliation.book_faults import BookFault, FaultKind
from hub.store.reconciliation import own_books as rows
from hub.store.reconciliation.own_books import KeptLink
from reconciliation.digests import (
    BASE_SHIFT,
    KEPT_SHIFTS,
    MASK,
    SERIES_SHIFT,
    EdgeHasher,
    rolled_up,
)
from reconciliation.link_keys import LinkKey
from reconciliation.owned import Block, owned_of, series_of

_SHIFTS: Final = tuple(sorted(KEPT_SHIFTS))
_Sums = dict[tuple[int, int], int]
"""Sums by shift and chunk."""


def compared(row: LedgerBlock) -> list[Block]:
    """Return a row as what both sides own of it: one block, none while it is not compared."""
    owned = owned_of(span_of(row).standing)
    return [] if owned is None else [Block(series_of(row.series), row.first, row.last, owned)]


def root_faults(connection: Connection, links: Sequence[KeptLink]) -> Iterator[BookFault]:
    """Yield the registries whose root is not the sum of what is kept of their series."""
    for kept in links:
        parts = rows.kept_level(connection, kept, SERIES_SHIFT)
        if sum(map(_number, parts)) & MASK != _number(kept.root):
            text = f"its root is not the sum of the {len(parts)} series kept of it"
            yield BookFault(FaultKind.ROOT, kept.registry, text)


class OwnDigests:
    """Compares kept sums with those of blocks; ``count`` is how many were looked at."""

    def __init__(self, keys: Mapping[str, LinkKey]) -> None:
        self._keys = keys
        self._hashers: dict[str, EdgeHasher] = {}
        self.count = 0

    def is_keyed(self, kept: KeptLink) -> bool:
        """Tell whether the key of what is kept is at hand."""
        key = self._keys.get(kept.registry)
        return key is not None and key.year == kept.key_year

    def faults(
        self,
        connection: Connection,
        series_id: int,
        series: Series,
        links: Sequence[KeptLink],
        blocks: Mapping[str, list[Block]],
    ) -> Iterator[BookFault]:
        """Yield the registries whose kept sums of a series are not those of ``blocks``."""
        years = {one.registry: one.key_year for one in links}
        found: dict[str, _Sums] = {}
        for row in rows.kept_digests(connection, years, series_id, _SHIFTS):
            self.count += 1
            if (number := _number(row.digest)) != 0:
                found.setdefault(row.registry, {})[row.shift, row.chunk] = number
        for registry in years:
            expected = self._sums(registry, blocks[registry])
            kept = found.get(registry, {})
            if expected != kept:
                text = _told(expected, kept)
                subject = f"{registry} {series_of(series)}"
                yield BookFault(FaultKind.DIGEST, subject, text, series_id)

    def _sums(self, registry: str, blocks: Sequence[Block]) -> _Sums:
        if not blocks:
            return {}
        hasher = self._hashers.get(registry)
        if hasher is None:
            hasher = self._hashers[registry] = EdgeHasher(self._keys[registry].secret)
        sums: _Sums = {}
        chunks, at = hasher.chunks_of(blocks, BASE_SHIFT), BASE_SHIFT
        for shift in _SHIFTS:
            chunks, at = (rolled_up(chunks, shift - at), shift) if shift > at else (chunks, at)
            for of_series in chunks.values():
                sums.update({(shift, chunk): value for chunk, value in of_series.items()})
        return sums


def _told(expected: _Sums, kept: _Sums) -> str:
    """Say how many sums differ, and where the finest of them is."""
    differing = sorted(
        place for place in expected.keys() | kept.keys() if expected.get(place) != kept.get(place)
    )
    shift, chunk = differing[0]
    place = (
        "the whole series"
        if shift == SERIES_SHIFT
        else f"serials {max(1, chunk << shift)} to {((chunk + 1) << shift) - 1}"
    )
    return f"{len(differing)} kept sums are not those of the blocks; first {place}"


def _number(digest: bytes) -> int:
    return int.from_bytes(digest, "big")
