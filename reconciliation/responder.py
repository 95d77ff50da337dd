"""The registry's side of a reconciliation: all of it, on the standard library alone.

A registry lends its book: ``applied_to``, the log index up to which it has applied its messages,
and ``blocks(series, low, high)``, the blocks with a serial in the window, or all for series None:
(series, first, last, owned). A series is a tuple of SERIES, owned one of OWNED, texts or None.

1. An edge is the first 16 bytes of SHA-256(key | fields | position in 8 bytes, big end first).
   A field is its length in bytes, a colon and its UTF-8; or a single ``-`` if there is none.
2. A block adds its edge at ``first`` and takes off its edge at ``last + 1``, modulo 2^128, each in
   the chunk ``position >> shift`` of its series.
3. Sums are made by reading the book after each change of ``applied_to``, or kept and lent.
"""

import hashlib
import json
from collections import Counter, defaultdict
from operator import itemgetter
from typing import Any

OWNED = (
    *("status", "first_transferred", "metric", "mitigation_type", "authorization_id"),
    *("authorization_version", "sector", "activity_type", "non_ghg_metric", "gwp_values"),
    *("underlying_registry", "underlying_first", "underlying_last"),
)
SERIES = ("cooperative_approach", "originating_registry", "first_transferring_party", "vintage")
BASE, PAGE, ENTRY = 16, 9_000, 50  # an answer has at most PAGE entries of about ENTRY bytes


class Sums:
    """Digests by series and chunk of 2^16 positions; ``units`` are added or taken away."""

    def __init__(self, key: bytes, shift: int = BASE, states: Any = None) -> None:
        self.key, self.shift, self.states = key, shift, {} if states is None else states
        self.chunks: dict[Any, dict[int, int]] = {}

    def add(self, series: Any, first: int, last: int, owned: Any, sign: int = 1) -> None:
        """Add a block; with ``sign`` -1 take it away."""
        state = self.states.get((series, owned))
        if state is None:
            fields = (None if f is None else str(f).encode() for f in (*series, *owned))
            text = b"".join(b"-" if f is None else b"%d:%b" % (len(f), f) for f in fields)
            state = self.states[series, owned] = hashlib.sha256(self.key + text)
        chunks = self.chunks.setdefault(series, {})
        for position, change in ((first, sign), (last + 1, -sign)):
            edge, chunk = state.copy(), position >> self.shift
            edge.update(position.to_bytes(8, "big"))
            value = change * int.from_bytes(edge.digest()[:16], "big")
            chunks[chunk] = (chunks.get(chunk, 0) + value) % 2**128

    def at(self, series: Any, shift: int, low: int, high: int) -> list[tuple[int, int]]:
        """Return a window's chunks that are not zero, in order, at the same or a greater shift."""
        found: Counter[int] = Counter()
        for chunk, value in self.chunks.get(series, {}).items():
            if low >> shift <= chunk >> (shift - self.shift) <= high >> shift:
                found[chunk >> (shift - self.shift)] += value
        return sorted((chunk, value % 2**128) for chunk, value in found.items() if value % 2**128)


class Responder:
    """Answers the hub's questions about a book, under the key of one link and year."""

    def __init__(self, key: bytes, key_id: str, book: Any, sums: Sums | None = None) -> None:
        self.key, self.key_id, self.book = key, key_id, book
        self.kept, self._read, self._read_at = sums, sums, -1

    def answer(self, notice_type: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return type and body of the answer; KeyError or ValueError if it is no question."""
        found: dict[str, Any] = {"code": "not_implemented", "reason": f"no answer to {notice_type}"}
        kind = notice_type.removeprefix("reconciliation.").removesuffix("_asked")
        if body.get("key_id", self.key_id) != self.key_id:
            found = {"code": "key_unknown", "reason": f"the key here is {self.key_id}"}
        elif body.get("owned", list(OWNED)) != list(OWNED):
            found = {"code": "other_attributes", "reason": f"they are {', '.join(OWNED)} here"}
        elif kind == "cut":
            root = sum(sum(chunks.values()) for chunks in self._sums().chunks.values())
            kind, found = "cut_ack", {"digest": f"{root % 2**128:032x}"}
        elif kind in {"digests", "blocks", "totals"}:
            found = getattr(self, f"_{kind}")(body)
        says = {"session": body["session"], "number": body["number"]}
        if "code" in found:
            return "reconciliation.refused", {**says, **found}
        return f"reconciliation.{kind}", {**says, "applied_to": self.book.applied_to, **found}

    def _sums(self) -> Sums:
        if self._read is None or (self.kept is None and self._read_at != self.book.applied_to):
            self._read, self._read_at = Sums(self.key), self.book.applied_to
            for block in self.book.blocks(None, 0, 2**63):
                self._read.add(*block)
        return self._read

    def _digests(self, body: dict[str, Any]) -> dict[str, Any]:
        shift, kept, room, rows = body["shift"], self._sums(), PAGE, defaultdict[Any, Any](list)
        after = tuple(body["after"][name] for name in SERIES) if "after" in body else ()
        every = ((series, 0, 2**63 - 1) for series in sorted(kept.chunks) if series > after)
        for series, low, high in _windows(body) if "windows" in body else every:
            sums = kept if shift >= BASE else Sums(self.key, shift, kept.states)
            if shift < BASE:
                for block in self.book.blocks(series, low - 1, high):
                    sums.add(*block)
            for chunk, digest in sums.at(series, shift, low, high):
                if room <= 0:
                    return {"chunks": _by_series("digests", rows), "more": True}
                room -= 1 if series in rows else 4
                rows[series].append(f"{chunk}:{digest:032x}")
        return {"chunks": _by_series("digests", rows), "more": False}

    def _blocks(self, body: dict[str, Any]) -> dict[str, Any]:
        rows, rest = defaultdict[Any, list[Any]](list), defaultdict[Any, list[Any]](list)
        table, room = dict[Any, int](), PAGE - len(json.dumps(body)) // ENTRY  # as long a rest
        for series, low, high in _windows(body):
            none = [(series, low, low, None)] if room <= 0 and rows else None  # is not read
            end, page = high, none or sorted(self.book.blocks(series, low, high), key=itemgetter(1))
            for _, first, _, owned in page:
                if room <= 0 and (rows or first > low):
                    end = max(low, first) - 1  # a page ends where a block begins
                    rest[series].append(f"{end + 1}-{high}")
                    break
                room -= 1 if owned in table else 2 + len(json.dumps(_values(owned))) // ENTRY
                table.setdefault(owned, len(table))
            for _, first, last, owned in page:
                if first <= end >= low:
                    rows[series].append(f"{max(first, low)}-{min(last, end)}:{table[owned]}")
        found = {"blocks": _by_series("blocks", rows), "rest": _by_series("windows", rest)}
        return {"owned": [_values(owned) for owned in table], **found}

    def _totals(self, _: dict[str, Any]) -> dict[str, Any]:
        for count in (len(OWNED), 1, 0):  # by all values, by the status or by none: what fits
            rows, units = defaultdict[Any, list[Any]](list), Counter[Any]()
            for series, first, last, owned in self.book.blocks(None, 0, 2**63):
                units[series, owned[:count]] += last - first + 1
            for (series, owned), quantity in units.items():
                rows[series].append({"values": _values(owned), "quantity": quantity})
            found = {"fields": list(OWNED[:count]), "units": _by_series("totals", rows)}
            if len(json.dumps(found)) <= PAGE * ENTRY:
                return found
        return {"code": "not_implemented", "reason": "too many series for one answer"}


def _windows(body: dict[str, Any]) -> Any:
    for of in body["windows"]:
        for window in of["windows"]:
            yield (tuple(of[name] for name in SERIES), *map(int, window.split("-")))


def _by_series(name: str, rows: dict[Any, list[Any]]) -> list[Any]:
    return [{**dict(zip(SERIES, series, strict=True)), name: its} for series, its in rows.items()]


def _values(owned: Any) -> dict[str, str]:
    return {name: text for name, text in zip(OWNED, owned, strict=False) if text is not None}
