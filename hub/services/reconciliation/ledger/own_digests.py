"""The kept digests proved from the blocks they are of: the hub's own books, second part.

The sums of a series are made again from its blocks, as of the entry the kept ones are folded to,
at every kept shift; a row too many, one missing and one that differs are the same fault.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec import MsgspecError
from sqlalchemy import Connection
from sqlalchemy.exc import NoResultFound

from hub.international_registry.replay import span_of
from hub.international_registry.units import LedgerBlock, Series
from hub.services.reconciliation.ledger.book_faults import BookFault, FaultKind
from hub.store.interning import Interning
from hub.store.reconciliation import movements
from hub.store.reconciliation import own_books as rows
from hub.store.reconciliation.movements import Journal, TotalKey
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
from reconciliation.movements import UnknownChangeError, edge_deltas
from reconciliation.owned import Block, owned_of, series_of

_SHIFTS: Final = tuple(sorted(KEPT_SHIFTS))
UNREADABLE: Final = (NoResultFound, ValueError, KeyError, MsgspecError)
"""What reading a row raises that nobody but an editor of the database could have written."""

_POSTINGS_IN_PART: Final = 20_000
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
        return key is not None and (key.year, key.check) == (kept.key_year, kept.key_check)

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

    def movement_faults(
        self, connection: Connection, interning: Interning, links: Sequence[KeptLink], since: int
    ) -> Iterator[BookFault]:
        """Yield the registries whose kept totals of movements are not what the journal moved.

        Looked at are the entries behind ``since`` of which totals are kept.
        """
        kept = {
            one.registry: {
                found.log_index: found.total
                for found in movements.totals_between(
                    connection,
                    TotalKey(one.registry, one.key_year),
                    max(since, one.movements_from),
                    one.folded_to,
                )
            }
            for one in links
        }
        try:
            expected = self._totals(Journal(connection, interning), links, since)
        except (*UNREADABLE, UnknownChangeError) as error:
            yield BookFault(FaultKind.MOVEMENT, "journal", f"a posting cannot be read: {error}")
            return
        for registry, ours in expected.items():
            theirs = kept[registry]
            self.count += len(theirs)
            if ours != theirs:
                differing = sorted(
                    index
                    for index in ours.keys() | theirs.keys()
                    if ours.get(index) != theirs.get(index)
                )
                text = f"{len(differing)} kept totals are not what the journal moved; first of "
                yield BookFault(FaultKind.MOVEMENT, registry, f"{text}log index {differing[0]}")

    def _totals(
        self, journal: Journal, links: Sequence[KeptLink], since: int
    ) -> dict[str, dict[int, int]]:
        """Return what each entry moved, by registry, where totals of it are kept."""
        spans = {one.registry: (max(since, one.movements_from), one.folded_to) for one in links}
        found: dict[str, dict[int, int]] = {registry: {} for registry in spans}
        at = min((after for after, _ in spans.values()), default=0)
        end = max((up_to for _, up_to in spans.values()), default=0)
        while at < end:
            entries, at = journal.part(at, end, _POSTINGS_IN_PART)
            for log_index, _, by_registry in entries:
                for registry, pieces in by_registry.items():
                    after, up_to = spans.get(registry, (end, end))
                    if after < log_index <= up_to:
                        deltas = edge_deltas(self._hasher(registry), pieces)
                        found[registry][log_index] = sum(one[2] for one in deltas) & MASK
        return found

    def _hasher(self, registry: str) -> EdgeHasher:
        hasher = self._hashers.get(registry)
        if hasher is None:
            hasher = self._hashers[registry] = EdgeHasher(self._keys[registry].secret)
        return hasher

    def _sums(self, registry: str, blocks: Sequence[Block]) -> _Sums:
        if not blocks:
            return {}
        hasher = self._hasher(registry)
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
