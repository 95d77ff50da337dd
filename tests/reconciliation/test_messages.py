"""Answers read from JSON: what is not as agreed is refused with the place."""

from typing import Any

import pytest

from reconciliation.messages import Blocks, CutAck, MessageError, Totals, answer_from_json
from reconciliation.owned import OWNED, POSITION_MAX
from tests.reconciliation.sessions import A, X

HEAD = {"session": "S", "number": 1, "applied_to": 3}
SERIES_JSON = list(A)


def test_answers_are_read_as_they_were_meant() -> None:
    """A cut-ack, blocks and totals, with all their parts."""
    assert answer_from_json({**HEAD, "kind": "cut-ack", "digest": f"{5:032x}"}) == CutAck(
        "S", 1, 3, 5
    )
    rows = [[SERIES_JSON, [[1, 9, 0], [10, 10, 0]]]]
    blocks = answer_from_json(
        {**HEAD, "kind": "blocks", "owned": [list(X)], "blocks": rows, "rest": []}
    )
    assert isinstance(blocks, Blocks)
    assert blocks.blocks[1] == (A, 10, 10, X)
    totals = answer_from_json(
        {**HEAD, "kind": "totals", "fields": ["status"], "units": [[SERIES_JSON, [[["held"], 9]]]]}
    )
    assert isinstance(totals, Totals)
    assert totals.units == {(A, ("held",)): 9}


def blocks_of(row: Any, owned: Any = X) -> dict[str, Any]:
    """Return an answer of one block."""
    rows = [[SERIES_JSON, [row]]]
    return {**HEAD, "kind": "blocks", "owned": [list(owned)], "blocks": rows, "rest": []}


@pytest.mark.parametrize(
    "value",
    [
        [],
        {**HEAD, "kind": "other"},
        {**HEAD, "kind": "cut-ack"},
        {**HEAD, "kind": "cut-ack", "digest": "5"},
        {**HEAD, "kind": "cut-ack", "digest": "-" + "0" * 31},
        {**HEAD, "kind": "cut-ack", "digest": "A" * 32},
        {**HEAD, "kind": "cut-ack", "digest": f"{5:033x}"},
        {**HEAD, "kind": "cut-ack", "digest": f"{5:032x}", "applied_to": -1},
        {**HEAD, "kind": "cut-ack", "digest": f"{5:032x}", "applied_to": True},
        {**HEAD, "kind": "cut-ack", "digest": f"{5:032x}", "session": 5},
        {**HEAD, "kind": "digests", "chunks": [[SERIES_JSON, [[1.5, f"{5:032x}"]]]]},
        {**HEAD, "kind": "digests", "chunks": [[["CA0003", "GHA01", 5, 2023], []]]},
        {**HEAD, "kind": "digests", "chunks": [[SERIES_JSON, [[1]]]]},
        {**HEAD, "kind": "refused", "reason": None},
        blocks_of([1, 2]),
        blocks_of([0, 2, 0]),
        blocks_of([3, 2, 0]),
        blocks_of([1, POSITION_MAX, 0]),
        blocks_of([1, 2, 1]),
        blocks_of([1, 2, 0], X[:-1]),
        blocks_of([1, 2, 0], [*X[:-1], 5]),
        {**HEAD, "kind": "totals", "fields": ["account"], "units": []},
        {**HEAD, "kind": "totals", "fields": [OWNED[0]] * 2, "units": []},
        {**HEAD, "kind": "totals", "fields": [], "units": [[SERIES_JSON, [[[], 1], [[], 2]]]]},
        {**HEAD, "kind": "totals", "fields": [], "units": [[SERIES_JSON, [[["held"], 1]]]]},
    ],
)
def test_what_is_not_an_answer_is_refused(value: Any) -> None:
    """Each with a sentence; never with an error of ours."""
    with pytest.raises(MessageError, match=r"\w"):
        answer_from_json(value)
