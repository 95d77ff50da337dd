"""The published vectors of the registry's side, and how they are made.

    python -m tests.reconciliation.vectors     writes message_schemas/examples/reconciliation/*.json

Each file is a key, the blocks of a book, and questions with the exact answers, as they travel. The
answers are not made by the responder: the digests come from the rules written out here once more,
and the blocks and totals from the list itself.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from reconciliation.owned import OWNED, POSITION_MAX, SERIAL_MAX, Owned, Series
from tests.reconciliation.worlds import SERIES, values, with_field

FOLDER = Path(__file__).resolve().parents[2] / "message_schemas/examples/reconciliation"
KEY = hashlib.sha512(b"the key of the vectors, known to all").digest()
KEY_ID = "CHE02-2026"
APPLIED_TO = 4711
SESSION, BY = "CHE02-4711", "2026-11-23T05:30:00.000Z"

Row = tuple[Series, int, int, Owned]
Windows = list[tuple[Series, list[tuple[int, int]]]]
A, B, C = SERIES
X, Y = values(0), values(1)
EMPTY, ODD = with_field(X, "sector", ""), with_field(X, "sector", "Énergie: 5|-")

BOOKS: dict[str, list[Row]] = {
    "01-empty": [],
    "02-one-unit": [(A, 1, 1, X)],
    "03-one-block": [(A, 1, 100, X)],
    "04-split": [(A, 1, 40, X), (A, 41, 100, X)],
    "05-split-in-three-out-of-order": [(A, 90, 100, X), (A, 1, 2, X), (A, 3, 89, X)],
    "06-touching-unequal": [(A, 1, 40, X), (A, 41, 100, Y)],
    "07-gap": [(A, 1, 40, X), (A, 61, 100, X)],
    "08-held-twice": [(A, 1, 100, X), (A, 1, 100, X)],
    "09-overlap": [(A, 1, 60, X), (A, 50, 100, X)],
    "10-overlap-unequal": [(A, 1, 60, X), (A, 50, 100, Y)],
    "11-held-three-times": [(A, 5, 5, X)] * 3,
    "12-two-series": [(A, 1, 100, X), (B, 1, 100, X)],
    "13-same-serials-three-series": [(A, 7, 9, X), (B, 7, 9, Y), (C, 7, 9, X)],
    "14-vintage-differs-from-03": [(B, 1, 100, X)],
    "15-used": [(A, 1, 100, values(0, "used"))],
    "16-cancelled": [(A, 1, 100, values(0, "cancelled"))],
    "17-not-first-transferred": [(A, 1, 100, values(0, "held", "no"))],
    "18-partly-used": [(A, 1, 30, X), (A, 31, 60, values(0, "used")), (A, 61, 100, X)],
    "19-null-is-not-empty": [(A, 1, 50, with_field(X, "sector", None)), (A, 51, 100, EMPTY)],
    "20-utf-8-and-separators": [(A, 1, 100, ODD)],
    "21-last-serial": [(A, SERIAL_MAX, SERIAL_MAX, X)],
    "22-all-serials": [(A, 1, SERIAL_MAX, X)],
    "23-around-2-to-the-16": [(A, 65_535, 65_535, X), (A, 65_536, 65_536, Y)],
    "24-ends-at-the-edge-of-a-chunk": [(A, 65_000, 65_535, X)],
    "25-begins-at-the-edge-of-a-chunk": [(A, 65_536, 70_000, X)],
    "26-across-many-chunks": [(A, 1, 10_000_000, X)],
    "27-around-2-to-the-26": [(A, 2**26 - 10, 2**26 + 10, X), (A, 2**26 + 11, 2**26 + 20, Y)],
    "28-around-2-to-the-32": [(A, 2**32 - 1, 2**32, X), (A, 2**32 + 1, 2**32 + 1, Y)],
    "29-beyond-2-to-the-53": [(A, 2**53, 2**53 + 1, X), (A, 2**53 + 2, 2**53 + 3, Y)],
    "30-many-blocks": [(A, 1 + 700 * n, 500 + 700 * n, (X, Y)[n % 2]) for n in range(200)],
}


def edge(series: Series, owned: Owned, position: int) -> int:
    """Return h of an edge, straight from the rule."""
    text = KEY
    for value in (*series, *owned):
        raw = str(value).encode()
        text += b"-" if value is None else str(len(raw)).encode() + b":" + raw
    return int.from_bytes(hashlib.sha256(text + position.to_bytes(8, "big")).digest()[:16], "big")


def edges(book: list[Row]) -> list[tuple[Series, int, int]]:
    """Return all edges of a book: series, position, signed hash."""
    found = []
    for series, first, last, owned in book:
        found.append((series, first, edge(series, owned, first)))
        found.append((series, last + 1, -edge(series, owned, last + 1)))
    return found


def named(series: Series) -> dict[str, Any]:
    """Return the members of a series, as every list by series has them."""
    return series._asdict()


def told(owned: Owned, fields: tuple[str, ...] = OWNED) -> dict[str, str]:
    """Return values as they travel: one that there is not is left out."""
    return {n: v for n, v in zip(fields, owned, strict=True) if v is not None}


def pair(
    number: int, asked: str, question: dict[str, Any], said: str, answer: dict[str, Any]
) -> dict[str, Any]:
    """Return a question and its answer with their types."""
    head = {"session": SESSION, "number": number}
    return {
        "question": {"type": f"reconciliation.{asked}", "body": {**head, **question}},
        "answer": {
            "type": f"reconciliation.{said}",
            "body": {**head, "applied_to": APPLIED_TO, **answer},
        },
    }


def asked_for(windows: Windows) -> dict[str, Any]:
    """Return windows as they travel."""
    return {
        "windows": [
            {**named(series), "windows": [f"{low}-{high}" for low, high in its]}
            for series, its in windows
        ]
    }


def digests_pair(book: list[Row], number: int, shift: int, windows: Windows) -> dict[str, Any]:
    """Return a question for digests and its answer; without windows for every series."""
    chunks: dict[Series, dict[int, int]] = {}
    for series, position, value in edges(book):
        inside = [w for s, its in windows for w in its if s == series]
        if not windows or any(low <= position <= high for low, high in inside):
            of_series = chunks.setdefault(series, {})
            of_series[position >> shift] = (of_series.get(position >> shift, 0) + value) % 2**128
    rows = [
        {**named(series), "digests": [f"{c}:{v:032x}" for c, v in sorted(found.items()) if v]}
        for series, found in sorted(chunks.items())
        if any(found.values())
    ]
    question = {"shift": shift, **(asked_for(windows) if windows else {})}
    return pair(number, "digests_asked", question, "digests", {"chunks": rows, "more": False})


def blocks_pair(book: list[Row], number: int, windows: Windows) -> dict[str, Any]:
    """Return a question for blocks and its answer."""
    table: list[Owned] = []
    rows: dict[Series, list[str]] = {}
    for series, its in windows:
        for low, high in its:
            for s, first, last, owned in sorted(book, key=lambda row: row[1]):
                if s == series and first <= high and last >= low:
                    if owned not in table:
                        table.append(owned)
                    row = f"{max(first, low)}-{min(last, high)}:{table.index(owned)}"
                    rows.setdefault(s, []).append(row)
    answer = {
        "owned": [told(owned) for owned in table],
        "blocks": [{**named(series), "blocks": found} for series, found in rows.items()],
        "rest": [],
    }
    return pair(number, "blocks_asked", asked_for(windows), "blocks", answer)


def totals_pair(book: list[Row], number: int) -> dict[str, Any]:
    """Return a question for totals and its answer, by all the attributes."""
    units: dict[Series, dict[Owned, int]] = {}
    for series, first, last, owned in book:
        of_series = units.setdefault(series, {})
        of_series[owned] = of_series.get(owned, 0) + last + 1 - first
    rows = [
        {**named(s), "totals": [{"values": told(v), "quantity": n} for v, n in found.items()]}
        for s, found in units.items()
    ]
    question = {"log_index": APPLIED_TO, "owned": list(OWNED), "answer_by": BY}
    return pair(number, "totals_asked", question, "totals", {"fields": list(OWNED), "units": rows})


def vector(name: str, book: list[Row]) -> dict[str, Any]:
    """Return a vector: a book, questions about it, and their answers."""
    root = sum(value for _, _, value in edges(book)) % 2**128
    cut = {"log_index": APPLIED_TO, "key_id": KEY_ID, "owned": list(OWNED), "answer_by": BY}
    middle = book[0][1] if book else 5
    low = middle >> 11 << 11
    return {
        "name": name,
        "key": KEY.hex(),
        "key_id": KEY_ID,
        "applied_to": APPLIED_TO,
        "blocks": [
            {**named(series), "first_serial": first, "last_serial": last, "owned": told(owned)}
            for series, first, last, owned in book
        ],
        "exchanges": [
            pair(1, "cut", cut, "cut_ack", {"digest": f"{root:032x}"}),
            digests_pair(book, 2, 63, []),
            digests_pair(book, 3, 26, [(A, [(0, POSITION_MAX)])]),
            digests_pair(book, 4, 16, [(A, [(0, 65_535), (131_072, 196_607)])]),
            digests_pair(book, 5, 11, [(A, [(low, low + 2047)])]),
            blocks_pair(book, 6, [(A, [(0, POSITION_MAX)]), (B, [(5, 50)])]),
            blocks_pair(book, 7, [(A, [(middle, middle)])]),
            totals_pair(book, 8),
        ],
    }


def main() -> None:
    """Write all vectors."""
    FOLDER.mkdir(exist_ok=True)
    for name, book in BOOKS.items():
        text = json.dumps(vector(name, book), indent=1, ensure_ascii=True) + "\n"
        (FOLDER / f"{name}.json").write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
