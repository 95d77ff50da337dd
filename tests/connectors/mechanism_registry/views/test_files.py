"""Exports as books: the same rows in CSV and JSON lines, page by page, for one Party."""

import asyncio
import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.mechanism_registry.views.files import FileViews
from connectors.mechanism_registry.views.port import (
    ViewQuestion,
    ViewRefusedError,
    ViewUnavailableError,
)
from tests.connectors.mechanism_registry.books import Row, happened, held

parties = st.sampled_from(["THA", "CHE", "GHA"])


def write_lines(path: Path, rows: list[Row]) -> Path:
    """Write rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_csv(path: Path, rows: list[Row]) -> Path:
    """Write rows as CSV, what does not apply left empty."""
    names = sorted({name for row in rows for name in row})
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    return path


def look(path: Path, **asked: Any) -> Any:
    """Return one page of a file's holdings for CHE, unless asked otherwise."""
    view = asked.pop("view", "holdings")
    question = ViewQuestion(
        view, asked.pop("party", "CHE"), asked.pop("filters", {}), asked.pop("limit", 10), **asked
    )
    return asyncio.run(FileViews(path, path).look(question))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(parties, parties), max_size=12), st.integers(1, 4), parties)
def test_the_pages_join_to_what_is_the_partys(
    tmp_path_factory: pytest.TempPathFactory,
    owners: list[tuple[str, str]],
    limit: int,
    party: str,
) -> None:
    """In either format, by pages of any size: each row once, in the order of the file."""
    rows = [held(10 * n + 1, 10 * n + 5, host, account) for n, (host, account) in enumerate(owners)]
    wanted = [
        row for row in rows if party in {row["first_transferring_party"], row["account_party"]}
    ]
    folder = tmp_path_factory.mktemp("books")
    for path in (write_lines(folder / "x.jsonl", rows), write_csv(folder / "x.csv", rows)):
        found: list[Row] = []
        after = None
        while True:
            page = look(path, party=party, limit=limit, after=after)
            found += page.rows
            if (after := page.next) is None:
                break
        assert found == wanted


def test_filters_narrow_and_serials_match_what_they_share(tmp_path: Path) -> None:
    """Holdings by their members, history by reference or by serials."""
    rows = [held(1, 9, "THA", "CHE"), held(20, 29, "THA", "CHE", vintage=2023)]
    path = write_csv(tmp_path / "h.csv", rows)
    assert look(path, filters={"vintage": 2023}).rows == (rows[1],)
    told = [
        happened("moved", 1, 9, "THA", reference="XMR01-4", to_party="CHE"),
        happened("moved", 10, 19, "THA", reference="XMR01-5", from_party="CHE"),
        happened("moved", 1, 19, "THA", reference="XMR01-5", to_party="GHA"),
    ]
    path = write_lines(tmp_path / "t.jsonl", told)
    assert look(path, view="history", filters={"transfer_id": "XMR01-5"}).rows == (told[1],)
    serials = {"first_serial": 9, "last_serial": 9}
    assert look(path, view="history", filters=serials).rows == (told[0],)


def test_a_place_is_good_for_one_writing_of_the_file(tmp_path: Path) -> None:
    """A file that was replaced is read from its beginning."""
    rows = [held(n, n, "CHE", None) for n in range(1, 6)]
    path = write_lines(tmp_path / "x.jsonl", rows)
    page = look(path, limit=2)
    assert look(path, limit=2, after=page.next).rows == tuple(rows[2:4])
    os.utime(path, ns=(1, 1))
    with pytest.raises(ViewRefusedError, match="anew"):
        look(path, limit=2, after=page.next)


@pytest.mark.parametrize(
    "text",
    [
        b"{CHE}\n",
        b'["CHE"]\n',
        b'"CHE"\n',
        b"CHE" * 30_000,
        b'{"account_party": "CHE\xff"}\n',
        b'{"CHE": ' + b"[" * 10_000 + b"\n",
        b'{"account_party": ["CHE"]}\n',
        b'{"account_party": "CHE", "first_serial": 1}\n',
    ],
)
def test_a_broken_line_is_a_fault_of_the_books(tmp_path: Path, text: bytes) -> None:
    """Nothing is skipped in silence."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(text)
    with pytest.raises(ViewUnavailableError):
        look(path, filters={"first_serial": 1, "last_serial": 2})
    path = tmp_path / "x.csv"
    path.write_text("account_party,vintage\nCHE,soon\n", encoding="utf-8")
    with pytest.raises(ViewUnavailableError, match="soon"):
        look(path)


def test_a_missing_file_is_asked_for_again_and_none_named_is_a_refusal(tmp_path: Path) -> None:
    """The first may come back; the second is how the connector is set up."""
    with pytest.raises(ViewUnavailableError):
        look(tmp_path / "nothing.jsonl")
    with pytest.raises(ViewRefusedError, match="history"):
        asyncio.run(FileViews(tmp_path, None).look(ViewQuestion("history", "CHE", {}, 1)))
