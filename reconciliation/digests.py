"""Keyed edge sums: digests of sets of blocks that do not depend on how the blocks are cut.

1. A block [a, b] of a series with owned values X has two edges: +h(series, X, a) where it begins
   and -h(series, X, b + 1) behind its end. A digest is the sum of the edges modulo 2^128. Where
   equal blocks touch, the inner edges cancel: a split or a merge changes nothing.
2. h is the first 16 bytes of SHA-256(key of 64 bytes | fields | position). Each field is written as
   its length in bytes, a colon and its UTF-8 bytes, or ``-`` where there is none: no two different
   lists give the same bytes, none is the beginning of another. The position is 8 bytes, big end
   first. Fields: the four of the series, then the owned values.
3. A chunk at a shift is all positions p with the same p >> shift. Sums are kept for each series
   and chunk at the shifts 63 (the whole series), 26, 21 and 16; finer ones are summed from blocks.
4. Sums are linear: a movement is added, and can be taken away again.

With the key out of reach of who chooses serials and attributes, h is a pseudo-random function, and
two different multisets have equal digests with probability 2^-128 (ADR 0019).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from reconciliation.link_keys import KEY_BYTES
from reconciliation.owned import Block, Owned, Series

MODULUS: Final = 2**128
MASK: Final = MODULUS - 1
SERIES_SHIFT: Final = 63
KEPT_SHIFTS: Final = (63, 26, 21, 16)
BASE_SHIFT: Final = 16
FINEST_SHIFT: Final = 11

Chunks = dict[Series, dict[int, int]]
"""Digests by series and chunk at one shift; what is not there is zero."""

_CACHE_MAX: Final = 100_000


def field_bytes(values: Iterable[str | int | None]) -> bytes:
    """Return the fields as bytes that no other list of fields gives."""
    parts: list[bytes] = []
    for value in values:
        text = None if value is None else str(value).encode()
        parts.append(b"-" if text is None else b"%d:%b" % (len(text), text))
    return b"".join(parts)


class EdgeHasher:
    """The function h under one key; ValueError unless the key has 64 bytes."""

    __slots__ = ("_keyed", "_states")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the key of the sums has {KEY_BYTES} bytes, not {len(key)}")
        self._keyed = hashlib.sha256(key)
        self._states: dict[tuple[Series, Owned], hashlib._Hash] = {}

    def state(self, series: Series, owned: Owned) -> hashlib._Hash:
        """Return the hash fed with all but the position; copy it, do not update it."""
        state = self._states.get((series, owned))
        if state is None:
            if len(self._states) >= _CACHE_MAX:
                self._states.clear()
            state = self._keyed.copy()
            state.update(field_bytes((*series, *owned)))
            self._states[series, owned] = state
        return state

    def edge(self, series: Series, owned: Owned, position: int) -> int:
        """Return h of one edge: a number below 2^128, without a sign."""
        state = self.state(series, owned).copy()
        state.update(position.to_bytes(8, "big"))
        return int.from_bytes(state.digest()[:16], "big")

    def block(self, block: Block) -> int:
        """Return the digest of one block."""
        series, first, last, owned = block
        return (self.edge(series, owned, first) - self.edge(series, owned, last + 1)) & MASK

    def chunks_of(self, blocks: Iterable[Block], shift: int) -> Chunks:
        """Return the digests of blocks in any order, by series and chunk; zero ones are left out.

        Where a block begins right behind an equal one, neither edge is hashed.
        """
        sums: Chunks = {}
        of_series: dict[int, int] = {}
        series: Series | None = None
        end, before, state = -1, None, None
        from_bytes = int.from_bytes
        for block_series, first, last, owned in blocks:
            if block_series is not series and block_series != series:
                self._close(of_series, series, before, end, shift)
                series, end, before = block_series, -1, None
                of_series = sums.setdefault(series, {})
            if owned is not before and owned != before:
                self._close(of_series, series, before, end, shift)
                before, state = owned, self.state(series, owned)
            elif first == end:
                end = last + 1
                continue
            else:
                self._close(of_series, series, before, end, shift)
            assert state is not None, "a state belongs to the values before"
            hasher = state.copy()
            hasher.update(first.to_bytes(8, "big"))
            chunk = first >> shift
            of_series[chunk] = of_series.get(chunk, 0) + from_bytes(hasher.digest()[:16], "big")
            end = last + 1
        self._close(of_series, series, before, end, shift)
        return _reduced(sums)

    def _close(
        self,
        sums: dict[int, int],
        series: Series | None,
        owned: Owned | None,
        end: int,
        shift: int,
    ) -> None:
        """Take off the edge behind a run of equal touching blocks, if there is one."""
        if series is not None and owned is not None and end >= 0:
            chunk = end >> shift
            sums[chunk] = sums.get(chunk, 0) - self.edge(series, owned, end)


def _reduced(sums: Chunks) -> Chunks:
    """Return the sums modulo 2^128, without zeros."""
    reduced: Chunks = {}
    for series, chunks in sums.items():
        kept = {chunk: rest for chunk, value in chunks.items() if (rest := value & MASK)}
        if kept:
            reduced[series] = kept
    return reduced


def rolled_up(chunks: Chunks, by: int) -> Chunks:
    """Return the same sums for chunks 2^by times as wide."""
    wider: Chunks = {}
    for series, narrow in chunks.items():
        wide: dict[int, int] = {}
        for chunk, value in narrow.items():
            wide[chunk >> by] = wide.get(chunk >> by, 0) + value
        wider[series] = wide
    return _reduced(wider)


def added(values: dict[int, int], changes: dict[int, int]) -> dict[int, int]:
    """Return the digests of chunks with changes added to them, modulo 2^128, without zeros."""
    merged = dict(values)
    for chunk, change in changes.items():
        value = (merged.get(chunk, 0) + change) & MASK
        if value:
            merged[chunk] = value
        else:
            merged.pop(chunk, None)
    return merged


def total_of(chunks: Chunks) -> int:
    """Return the sum of all: the root."""
    return sum(value for of_series in chunks.values() for value in of_series.values()) & MASK


EdgeDeltas = tuple[tuple[Series, int, int], ...]
"""What a movement does to the sums: (series, position, change), the change below 2^128."""


class DigestTable:
    """The digests of one registry's units: root, series, and chunks at the kept shifts.

    ``units`` is not kept here: a digest says whether two sides agree, not how many units there are.
    """

    __slots__ = ("_levels", "root")

    def __init__(self) -> None:
        self._levels: dict[int, Chunks] = {shift: {} for shift in KEPT_SHIFTS}
        self.root = 0
        """The sum of all edges."""

    @classmethod
    def build(cls, hasher: EdgeHasher, blocks: Iterable[Block]) -> DigestTable:
        """Return the table of blocks; fastest when they come in order of series and serial."""
        table = cls()
        chunks, at = hasher.chunks_of(blocks, BASE_SHIFT), BASE_SHIFT
        for shift in sorted(KEPT_SHIFTS):
            chunks, at = (rolled_up(chunks, shift - at), shift) if shift > at else (chunks, at)
            table._levels[shift] = chunks
        table.root = total_of(table._levels[SERIES_SHIFT])
        return table

    def level(self, shift: int) -> Chunks:
        """Return all digests at a kept shift; KeyError at another."""
        return self._levels[shift]

    def chunk(self, shift: int, series: Series, chunk: int) -> int:
        """Return one digest at a kept shift."""
        return self._levels[shift].get(series, {}).get(chunk, 0)

    def fold(self, deltas: EdgeDeltas, sign: int = 1) -> None:
        """Add a movement's edges, or take them away again with ``sign`` -1."""
        for series, position, change in deltas:
            signed = change if sign == 1 else -change
            self.root = (self.root + signed) & MASK
            for shift, of_level in self._levels.items():
                of_series = of_level.get(series)
                if of_series is None:
                    of_series = of_level[series] = {}
                chunk = position >> shift
                value = (of_series.get(chunk, 0) + signed) & MASK
                if value:
                    of_series[chunk] = value
                else:
                    of_series.pop(chunk, None)
                    if not of_series:
                        del of_level[series]


def digest_text(digest: int) -> str:
    """Return a digest as 32 hexadecimal digits, the way it travels."""
    return f"{digest:032x}"


def commitment(index: int, digest: int) -> str:
    """Return what may be published of a digest: SHA-256 of it together with the log index.

    The sum itself stays on its link: differences of sums would be hashes of single edges.
    """
    return hashlib.sha256(b"%d:%d" % (index, digest)).hexdigest()
