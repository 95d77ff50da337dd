"""The registry's side of a reconciliation: all of it, on the standard library alone.

A registry lends the responder its book: ``applied_to``, the log index up to which it has applied
its messages, and ``blocks(series, low, high)``, its blocks with a serial in the window as (series,
first, last, owned); series None asks for all of them. A series is (approach, registry, Party,
vintage), ``owned`` the values of OWNED in order, texts or None. ``answer`` takes a question as
JSON values and returns the answer; it changes nothing, so it may be asked again.

    cut           -> cut-ack   the digest of all units
    digests-asked -> digests   one for each chunk that is not zero
    blocks-asked  -> blocks    cut to the windows asked for, at most PAGE or so; then ``rest``

1. An edge is the first 16 bytes of SHA-256(key | fields | position in 8 bytes, big end first).
   A field is its length in bytes, a colon and its UTF-8; or a single ``-`` if there is none.
2. A block adds its edge at ``first`` and takes off its edge at ``last + 1``, modulo 2^128, each in
   the chunk ``position >> shift`` of its series.
3. Sums are made by reading the book once after each change of ``applied_to``. A registry that keeps
   a ``Sums`` itself, adding and taking away blocks as they change, lends it and saves the reading.
"""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

OWNED = (
    *("status", "first_transferred", "metric", "mitigation_type", "authorization_id"),
    *("authorization_version", "sector", "activity_type", "non_ghg_metric", "gwp_values"),
    *("underlying_registry", "underlying_first", "underlying_last"),
)
BASE, PAGE = 16, 10_000


class Book(Protocol):
    """What a registry lends."""

    applied_to: int

    def blocks(self, series: Any, low: int, high: int) -> Any:
        """Yield (series, first, last, owned) of blocks with a serial from low to high."""


class Sums:
    """Digests by series and chunk of 2^16 positions; ``units`` are added or taken away."""

    def __init__(self, key: bytes, shift: int = BASE) -> None:
        self.key, self.shift = hashlib.sha256(key), shift
        self.chunks: dict[Any, dict[int, int]] = {}
        self._states: dict[Any, Any] = {}

    def add(self, series: Any, first: int, last: int, owned: Any, sign: int = 1) -> None:
        """Add a block; with ``sign`` -1 take it away."""
        name = (series, owned)
        if name not in self._states:
            fields = (None if f is None else str(f).encode() for f in (*series, *owned))
            text = b"".join(b"-" if f is None else b"%d:%b" % (len(f), f) for f in fields)
            self._states[name] = self.key.copy()
            self._states[name].update(text)
        chunks = self.chunks.setdefault(series, {})
        for position, change in ((first, sign), (last + 1, -sign)):
            edge = self._states[name].copy()
            edge.update(position.to_bytes(8, "big"))
            value = change * int.from_bytes(edge.digest()[:16], "big")
            chunk = position >> self.shift
            chunks[chunk] = (chunks.get(chunk, 0) + value) % 2**128

    def at(self, series: Any, shift: int, low: int, high: int) -> dict[int, int]:
        """Return the digests of a window's chunks at the same or a greater shift."""
        found: dict[int, int] = {}
        for chunk, value in self.chunks.get(series, {}).items():
            wide = chunk >> (shift - self.shift)
            if low >> shift <= wide <= high >> shift:
                found[wide] = (found.get(wide, 0) + value) % 2**128
        return {chunk: value for chunk, value in found.items() if value}


class Responder:
    """Answers the hub's questions about a book, under the key of one link and year."""

    def __init__(self, key: bytes, key_id: str, book: Book, sums: Sums | None = None) -> None:
        self.key, self.key_id, self.book = key, key_id, book
        self.kept, self._read, self._read_at = sums, sums, -1

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a question; KeyError or ValueError if it is none."""
        says = {"session": question["session"], "number": question["number"]}
        kind = question["kind"]
        if kind == "cut" and question["key_id"] != self.key_id:
            return {"kind": "refused", **says, "reason": f"the key here is {self.key_id}"}
        if kind == "cut" and question["owned"] != list(OWNED):
            return {"kind": "refused", **says, "reason": "another list of owned attributes"}
        says["applied_to"] = self.book.applied_to
        if kind == "cut":
            root = sum(sum(chunks.values()) for chunks in self._sums().chunks.values())
            return {"kind": "cut-ack", **says, "digest": f"{root % 2**128:032x}"}
        windows = [(tuple(series), its) for series, its in question["windows"]]
        if kind == "digests-asked":
            return {"kind": "digests", **says, "chunks": self._digests(question["shift"], windows)}
        if kind == "blocks-asked":
            return {"kind": "blocks", **says, **self._blocks(windows)}
        raise ValueError(f"there is no question of kind {kind!r}")

    def _sums(self) -> Sums:
        if self._read is None or (self.kept is None and self._read_at != self.book.applied_to):
            self._read, self._read_at = Sums(self.key), self.book.applied_to
            for block in self.book.blocks(None, 0, 2**63):
                self._read.add(*block)
        return self._read

    def _digests(self, shift: int, windows: list[Any]) -> list[Any]:
        rows = []
        for series, its in windows or [
            (series, [(0, 2**63 - 1)]) for series in self._sums().chunks
        ]:
            found: dict[int, int] = {}
            for low, high in its:
                sums = self._sums()
                if shift < BASE:
                    sums = Sums(self.key, shift)
                    for block in self.book.blocks(series, low - 1, high):
                        sums.add(*block)
                found.update(sums.at(series, shift, low, high))
            if found:
                rows.append([list(series), [[c, f"{v:032x}"] for c, v in sorted(found.items())]])
        return rows

    def _blocks(self, windows: list[Any]) -> dict[str, Any]:
        table: dict[Any, int] = {}
        rows: dict[Any, list[Any]] = {}
        rest: dict[Any, list[Any]] = {}
        count = 0
        for series, its in windows:
            for low, high in its:
                if count >= PAGE:
                    rest.setdefault(series, []).append([low, high])
                    continue
                end, page = high, sorted(self.book.blocks(series, low, high), key=lambda b: b[1])
                if later := [b[1] for b in page[PAGE - count :] if b[1] > low]:
                    end = later[0] - 1  # a page ends where a block begins
                    rest.setdefault(series, []).append([end + 1, high])
                for _, first, last, owned in page:
                    if first <= end:
                        row = [max(first, low), min(last, end), table.setdefault(owned, len(table))]
                        rows.setdefault(series, []).append(row)
                        count += 1
        return {
            "owned": [list(owned) for owned in table],
            "blocks": [[list(series), found] for series, found in rows.items()],
            "rest": [[list(series), its] for series, its in rest.items()],
        }
