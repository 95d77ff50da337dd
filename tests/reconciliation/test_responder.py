"""The registry's side: the published vectors, its pages, its size, and what it refuses."""

import ast
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from message_schemas import xml_codec
from message_schemas.validation import schema_errors
from reconciliation import responder
from reconciliation.digests import SERIES_SHIFT
from reconciliation.messages import (
    Blocks,
    BlocksAsked,
    Cut,
    Digests,
    DigestsAsked,
    Question,
    Refused,
    Totals,
    TotalsAsked,
    Windows,
    question_notice,
)
from reconciliation.owned import OWNED, POSITION_MAX, Block, Series
from reconciliation.responder import Responder, Sums
from reconciliation.run_states import answered, require_progress, series_reached
from tests.reconciliation.sessions import B, C, asked_of, carried, heard, many
from tests.reconciliation.vectors import (
    BOOKS,
    BY,
    FOLDER,
    KEY,
    KEY_ID,
    SESSION,
    A,
    X,
    vector,
)
from tests.reconciliation.worlds import Grid, RegistryBook, with_field

SOURCE = Path(responder.__file__)


def vectors() -> list[Path]:
    """Return the published vectors."""
    return sorted(FOLDER.glob("*.json"))


def side_of(document: dict[str, Any], *, kept: bool) -> Responder:
    """Return a responder over the book of a vector, with sums of its own or kept ones."""
    held = [
        Block(
            Series(*(row[name] for name in Series._fields)),
            row["first_serial"],
            row["last_serial"],
            tuple(row["owned"].get(name) for name in OWNED),
        )
        for row in document["blocks"]
    ]
    book = RegistryBook(Grid(1, 1), document["applied_to"], held)
    sums = Sums(bytes.fromhex(document["key"])) if kept else None
    for block in held if sums else ():
        assert sums is not None
        sums.add(*block)
    return Responder(bytes.fromhex(document["key"]), document["key_id"], book, sums)


def unordered(body: dict[str, Any]) -> dict[str, Any]:
    """Return an answer with what a registry may name in any order in one order."""
    if "units" in body:
        cells = [{**row, "totals": sorted(row["totals"], key=repr)} for row in body["units"]]
        return {**body, "units": sorted(cells, key=repr)}
    return {k: sorted(v, key=repr) if k == "blocks" else v for k, v in body.items()}


@pytest.mark.parametrize("kept", [False, True], ids=["read", "kept"])
@pytest.mark.parametrize("path", vectors(), ids=lambda path: path.stem)
def test_every_published_vector_is_answered_as_it_says(path: Path, kept: bool) -> None:
    """A registry in another language that answers the vectors so can take part."""
    document = json.loads(path.read_text(encoding="ascii"))
    side = side_of(document, kept=kept)
    for exchange in document["exchanges"]:
        asked, expected = exchange["question"], exchange["answer"]
        assert schema_errors(asked["type"], 1, asked["body"]) == ()
        kind, answer = side.answer(asked["type"], asked["body"])
        assert kind == expected["type"]
        assert unordered(carried(kind, answer)) == unordered(expected["body"])


def test_the_published_vectors_are_thirty_and_made_by_the_rules() -> None:
    """What is published is what the rules, written out once more, make of the books."""
    published = {path.stem: json.loads(path.read_text(encoding="ascii")) for path in vectors()}
    assert len(published) == 30
    assert published == {n: json.loads(json.dumps(vector(n, b))) for n, b in BOOKS.items()}


def test_vectors_tell_apart_what_must_not_be_equal() -> None:
    """A split changes no digest; anything else that differs in the vectors does."""
    roots = {
        name: vector(name, book)["exchanges"][0]["answer"]["body"]["digest"]
        for name, book in BOOKS.items()
    }
    assert roots.pop("04-split") == roots.pop("05-split-in-three-out-of-order")
    assert len(set(roots.values())) == len(roots)


def test_the_responder_is_one_short_module_on_the_standard_library() -> None:
    """A registry can take it as it is, in at most 150 lines."""
    text = SOURCE.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(text))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= sys.stdlib_module_names


def test_both_sides_know_the_same_attributes() -> None:
    """The responder writes the list out, so that it needs nothing of ours."""
    assert responder.OWNED == OWNED


def test_what_cannot_be_answered_is_refused_with_the_reason() -> None:
    """Sums under different keys, or of different things, must not be compared."""
    side = Responder(KEY, KEY_ID, RegistryBook(Grid(1, 1), 3))
    _, cut = question_notice(Cut(SESSION, 1, 3, KEY_ID, BY))
    refused = "reconciliation.refused"
    kind, said = side.answer("reconciliation.cut", {**cut, "key_id": "CHE02-2025"})
    assert (kind, said["code"], KEY_ID in said["reason"]) == (refused, "key_unknown", True)
    for asked in ("reconciliation.cut", "reconciliation.totals_asked"):
        kind, said = side.answer(asked, {**cut, "owned": list(OWNED)[:-1]})
        assert (kind, said["code"]) == (refused, "other_attributes")
        carried(kind, said)
    kind, said = side.answer("reconciliation.records_asked", {"session": SESSION, "number": 1})
    assert (kind, said["code"]) == (refused, "not_implemented")
    carried(kind, said)


@pytest.mark.parametrize("page", [1, 2, 3, 5, 100])
def test_pages_put_together_are_all_blocks_and_no_more(
    page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However small the pages, units held twice come twice and no unit is lost at a border."""
    monkeypatch.setattr(responder, "PAGE", page)
    spans = [(1, 100), (1, 100), (40, 60), (61, 61), (61, 90), (95, 300)]
    held = [Block(A, first, last, X) for first, last in spans]
    side = Responder(KEY, KEY_ID, RegistryBook(Grid(1, 1), 3, held))
    windows: Windows = {A: [(2, 50), (55, 250)]}
    counts: dict[int, int] = {}
    questions = 0
    while windows:
        answer = heard(*asked_of(side, BlocksAsked(SESSION, 1, windows)))
        assert isinstance(answer, Blocks)
        require_progress(windows, answer.rest)
        windows, questions = answer.rest, questions + 1
        for _, first, last, _ in answer.blocks:
            for serial in range(first, last + 1):
                counts[serial] = counts.get(serial, 0) + 1
    asked = [*range(2, 51), *range(55, 251)]
    expected = {s: sum(first <= s <= last for first, last in spans) for s in asked}
    assert counts == {serial: count for serial, count in expected.items() if count}
    assert questions > 1 or page == 100


def test_windows_that_a_page_has_no_room_for_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are in the rest as they were asked for: a page costs a page, however long the book."""
    read: list[Any] = []

    class Counting(RegistryBook):
        def blocks(self, series: Any, low: int, high: int) -> Any:
            read.append((series, low, high))
            return super().blocks(series, low, high)

    monkeypatch.setattr(responder, "PAGE", 40)
    held = many(A, 40) + many(B, 40) + many(C, 40)
    side = Responder(KEY, KEY_ID, Counting(Grid(1, 1), 3, held))
    windows: Windows = {series: [(0, POSITION_MAX)] for series in (A, B, C)}
    answer = heard(*asked_of(side, BlocksAsked(SESSION, 1, windows)))
    assert isinstance(answer, Blocks)
    assert len(read) == 1
    assert {B: windows[B], C: windows[C]}.items() <= answer.rest.items()


@pytest.mark.parametrize("page", [1, 4, 9, 100])
@pytest.mark.parametrize("shift", [63, 26, 16, 11])
def test_pages_of_digests_put_together_are_all_of_them(
    page: int, shift: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page by page the hub hears the digests that one long answer would have had."""
    ledger = many(A, 40, step=5_000) + many(B, 3) + many(C, 12, step=3_000)
    side = Responder(KEY, KEY_ID, RegistryBook(Grid(1, 1), 3, ledger))
    asked = DigestsAsked(SESSION, 1, shift)
    if shift != SERIES_SHIFT:
        end = (1 << max(17, shift)) - 1
        asked = replace(asked, windows={C: [(0, end), (end + 1, 2 * end + 1)], A: [(0, end)]})
    whole = heard(*asked_of(side, asked))
    assert isinstance(whole, Digests)
    assert not whole.more
    monkeypatch.setattr(responder, "PAGE", page)
    found: dict[Series, dict[int, int]] = {}
    questions = 0
    while True:
        answer = heard(*asked_of(side, asked))
        assert isinstance(answer, Digests)
        questions += 1
        for series, chunks in answer.chunks.items():
            assert not found.get(series, {}).keys() & chunks.keys()
            found.setdefault(series, {}).update(chunks)
        if not answer.more:
            break
        if asked.windows:
            asked = replace(asked, windows=answered(shift, asked.windows, answer.chunks)[1])
        else:
            asked = replace(asked, after=series_reached(answer.chunks, asked.after, more=True))
    assert found == whole.chunks
    assert questions > 1 or page > 1


def long_book(count: int) -> RegistryBook:
    """Return a book in which every block has values and, now and then, a series of its own."""
    held = []
    for number in range(count):
        owned = with_field(with_field(X, "underlying_first", f"é{number}" * 9), "sector", "S" * 200)
        series = A._replace(cooperative_approach=f"CA{number // 4:04}", vintage=2020 + number % 4)
        held.append(Block(series, 2**62 + number, 2**62 + number, owned))
    return RegistryBook(Grid(1, 1), 3, held)


def test_no_answer_is_longer_than_an_envelope_may_be() -> None:
    """However long the values and however many the series, an answer keeps below half a megabyte.

    An envelope has at most 1 MiB, and in a signed one each three bytes take four.
    """
    book = long_book(5_000)
    side = Responder(KEY, KEY_ID, book)
    windows = {block.series: [(0, POSITION_MAX)] for block in book.held[:2_000]}
    questions: list[Question] = [
        DigestsAsked(SESSION, 1, 63),
        DigestsAsked(SESSION, 1, 16, windows),
        BlocksAsked(SESSION, 1, windows),
    ]
    for question in questions:
        type_, body = question_notice(question)
        kind, answer = side.answer(type_, carried(type_, body))
        assert len(json.dumps(answer)) < 500_000, kind
        assert len(xml_codec.encode_document(kind, carried(kind, answer))) < 1_000_000, kind


def test_totals_that_are_too_many_are_grouped_by_less() -> None:
    """By the status alone, where all values are too long; a registry of too many series says so."""
    side = Responder(KEY, KEY_ID, long_book(1_500))
    asked = TotalsAsked(SESSION, 1, 3, BY)
    kind, body = asked_of(side, asked)
    assert len(json.dumps(body)) < 500_000
    answer = heard(kind, body)
    assert isinstance(answer, Totals)
    assert answer.fields == ("status",)
    assert sum(answer.units.values()) == 1_500
    refusal = heard(*asked_of(Responder(KEY, KEY_ID, long_book(5_000)), asked))
    assert isinstance(refusal, Refused)
    assert "series" in refusal.reason


def test_sums_read_before_a_change_are_not_used_after_it() -> None:
    """A registry without kept sums reads its book again once it has applied another message."""
    book = RegistryBook(Grid(1, 1), 3, [Block(A, 1, 10, X)])
    side = Responder(KEY, KEY_ID, book)
    question = DigestsAsked(SESSION, 1, 63)
    _, before = asked_of(side, question)
    book.held.append(Block(A, 11, 20, X))
    book.applied_to = 4
    _, after = asked_of(side, question)
    assert after["applied_to"] == 4
    assert before["chunks"] != after["chunks"]
