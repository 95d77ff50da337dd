"""The registry's side: the published vectors, its pages, its size, and what it refuses."""

import ast
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from reconciliation import responder
from reconciliation.owned import OWNED, Block
from reconciliation.responder import Responder, Sums
from tests.reconciliation.vectors import BOOKS, FOLDER, KEY, KEY_ID, A, X, vector
from tests.reconciliation.worlds import Grid, RegistryBook

SOURCE = Path(responder.__file__)


def vectors() -> list[Path]:
    """Return the published vectors."""
    return sorted(FOLDER.glob("*.json"))


def side_of(document: dict[str, Any], *, kept: bool) -> Responder:
    """Return a responder over the book of a vector, with sums of its own or kept ones."""
    held = [
        Block(tuple(series), first, last, tuple(owned))  # type: ignore[arg-type]  # lists of JSON
        for series, first, last, owned in document["blocks"]
    ]
    book = RegistryBook(Grid(1, 1), document["applied_to"], held)
    sums = Sums(bytes.fromhex(document["key"])) if kept else None
    for block in held if sums else ():
        assert sums is not None
        sums.add(*block)
    return Responder(bytes.fromhex(document["key"]), document["key_id"], book, sums)


def unordered(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer with its series in order: a registry may name them in any."""
    return {k: sorted(v, key=repr) if k in {"chunks", "blocks"} else v for k, v in answer.items()}


@pytest.mark.parametrize("kept", [False, True], ids=["read", "kept"])
@pytest.mark.parametrize("path", vectors(), ids=lambda path: path.stem)
def test_every_published_vector_is_answered_as_it_says(path: Path, kept: bool) -> None:
    """A registry in another language that answers the vectors so can take part."""
    document = json.loads(path.read_text(encoding="ascii"))
    side = side_of(document, kept=kept)
    for exchange in document["exchanges"]:
        answer = json.loads(json.dumps(side.answer(exchange["question"])))
        assert unordered(answer) == unordered(exchange["answer"])


def test_the_published_vectors_are_thirty_and_made_by_the_rules() -> None:
    """What is published is what the rules, written out once more, make of the books."""
    published = {path.stem: json.loads(path.read_text(encoding="ascii")) for path in vectors()}
    assert len(published) == 30
    assert published == {n: json.loads(json.dumps(vector(n, b))) for n, b in BOOKS.items()}


def test_vectors_tell_apart_what_must_not_be_equal() -> None:
    """A split changes no digest; anything else that differs in the vectors does."""
    roots = {
        name: vector(name, book)["exchanges"][0]["answer"]["digest"] for name, book in BOOKS.items()
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


def test_another_key_or_another_list_of_attributes_is_refused_with_the_reason() -> None:
    """Sums under different keys, or of different things, must not be compared."""
    side = Responder(KEY, KEY_ID, RegistryBook(Grid(1, 1), 3))
    cut = {"kind": "cut", "session": "S", "number": 1, "index": 3, "key_id": KEY_ID}
    other_key = side.answer({**cut, "key_id": "CHE02-2025", "owned": list(OWNED)})
    assert (other_key["kind"], KEY_ID in other_key["reason"]) == ("refused", True)
    other_list = side.answer({**cut, "owned": list(OWNED)[:-1]})
    assert (other_list["kind"], "attributes" in other_list["reason"]) == ("refused", True)
    with pytest.raises(ValueError, match="no question"):
        side.answer({**cut, "kind": "totals", "windows": []})


@pytest.mark.parametrize("page", [1, 2, 3, 5, 100])
def test_pages_put_together_are_all_blocks_and_no_more(
    page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However small the pages, units held twice come twice and no unit is lost at a border."""
    monkeypatch.setattr(responder, "PAGE", page)
    spans = [(1, 100), (1, 100), (40, 60), (61, 61), (61, 90), (95, 300)]
    held = [Block(A, first, last, X) for first, last in spans]
    side = Responder(KEY, KEY_ID, RegistryBook(Grid(1, 1), 3, held))
    windows: list[Any] = [[list(A), [[2, 50], [55, 250]]]]
    counts: dict[int, int] = {}
    questions = 0
    while windows:
        question = {"kind": "blocks-asked", "session": "S", "number": 1, "windows": windows}
        answer = side.answer(question)
        windows, questions = answer["rest"], questions + 1
        for _, rows in answer["blocks"]:
            for first, last, _ in rows:
                for serial in range(first, last + 1):
                    counts[serial] = counts.get(serial, 0) + 1
    asked = [*range(2, 51), *range(55, 251)]
    expected = {s: sum(first <= s <= last for first, last in spans) for s in asked}
    assert counts == {serial: count for serial, count in expected.items() if count}
    assert questions > 1 or page == 100


def test_sums_read_before_a_change_are_not_used_after_it() -> None:
    """A registry without kept sums reads its book again once it has applied another message."""
    book = RegistryBook(Grid(1, 1), 3, [Block(A, 1, 10, X)])
    side = Responder(KEY, KEY_ID, book)
    question = {"session": "S", "number": 1, "kind": "digests-asked", "shift": 63, "windows": []}
    before = side.answer(question)
    book.held.append(Block(A, 11, 20, X))
    book.applied_to = 4
    after = side.answer(question)
    assert after["applied_to"] == 4
    assert before["chunks"] != after["chunks"]
