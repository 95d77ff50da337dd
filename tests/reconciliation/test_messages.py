"""Questions written and answers read: as the schemas say, and what they cannot say is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message_schemas import json_codec, strict_xml, xml_codec
from message_schemas.messages.reconciliation import ReconciliationExplanation
from message_schemas.validation import schema_errors
from reconciliation.discrepancies import Finding, FindingKind
from reconciliation.messages import (
    VIEW_MAX,
    Blocks,
    BlocksAsked,
    Cut,
    CutAck,
    Digests,
    DigestsAsked,
    MessageError,
    Question,
    Refused,
    Totals,
    TotalsAsked,
    answer_of,
    finding_from,
    finding_row,
    owned_from,
    owned_values,
    question_notice,
)
from reconciliation.owned import OWNED, POSITION_MAX, SERIAL_MAX, Block, Owned, Series
from reconciliation.responder import Responder
from tests.reconciliation.sessions import (
    BY,
    KEY,
    KEY_ID,
    SESSION,
    A,
    B,
    X,
    Y,
    asked_of,
    carried,
    heard,
)
from tests.reconciliation.worlds import SERIES, Grid, RegistryBook, values

HEAD = {"session": SESSION, "number": 1, "applied_to": 3}
NAMED = A._asdict()

all_series = st.sampled_from(SERIES)
positions = st.one_of(st.integers(0, 5_000), st.integers(0, POSITION_MAX))
serials = st.one_of(st.integers(1, 5_000), st.integers(1, SERIAL_MAX))
characters = st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")
texts = st.text(characters, max_size=200)
all_owned: st.SearchStrategy[Owned] = st.tuples(
    st.sampled_from(["held", "used", "cancelled", ""]), *[st.none() | texts] * (len(OWNED) - 1)
)
pairs_of_positions = st.tuples(positions, positions).map(lambda p: (min(p), max(p)))
all_windows = st.dictionaries(
    all_series, st.lists(pairs_of_positions, min_size=1, max_size=3), min_size=1
)


def numbered(kind: Any, *fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw a question of a kind."""
    return st.builds(kind, st.just(SESSION), st.integers(1, 1_000_000), *fields)


questions = st.one_of(
    numbered(Cut, st.integers(0, SERIAL_MAX), st.just(KEY_ID), st.just(BY)),
    numbered(DigestsAsked, st.integers(0, 63), all_windows),
    numbered(DigestsAsked, st.just(63), st.just({}), st.none() | all_series),
    numbered(BlocksAsked, all_windows),
    numbered(TotalsAsked, st.integers(0, SERIAL_MAX), st.just(BY)),
)


@st.composite
def books(draw: st.DrawFn) -> list[Block]:
    """Draw blocks of any values, anywhere; some overlap."""
    ends = st.tuples(serials, serials).map(lambda p: (min(p), max(p)))
    rows = st.tuples(all_series, ends, all_owned)
    return [Block(s, *span, owned) for s, span, owned in draw(st.lists(rows, max_size=6))]


def survives(type_: str, body: dict[str, Any]) -> None:
    """Check that a body satisfies its schema and is the same in dataclass, JSON and XML."""
    assert schema_errors(type_, 1, body) == ()
    read = json_codec.decode_body(type_, 1, body)
    assert json_codec.encode_body(read) == body
    assert json_codec.parse_strict(json_codec.encode(read)) == body
    element = strict_xml.parse_strict(xml_codec.encode(type_, read))
    assert xml_codec.decode(type_, element) == read


@given(question=questions, book=books())
def test_every_question_and_answer_is_a_message_of_the_exchange(
    question: Question, book: list[Block]
) -> None:
    """Whatever is asked of whatever book: schema, dataclass, JSON and XML hold it."""
    type_, body = question_notice(question)
    survives(type_, body)
    survives(*Responder(KEY, KEY_ID, RegistryBook(Grid(1, 1), 3, book)).answer(type_, body))


@given(book=books())
def test_blocks_are_heard_as_the_registry_has_them(book: list[Block]) -> None:
    """Asked for all series whole, the hub hears the book, however its values look."""
    side = Responder(KEY, KEY_ID, RegistryBook(Grid(1, 1), 3, book))
    windows = {series: [(0, POSITION_MAX)] for series in SERIES}
    answer = heard(*asked_of(side, BlocksAsked(SESSION, 1, windows)))
    assert isinstance(answer, Blocks)
    assert sorted(answer.blocks, key=repr) == sorted(book, key=repr)
    assert answer.rest == {}


def test_answers_are_read_as_they_were_meant() -> None:
    """A cut-ack, digests, blocks, totals and a refusal, with all their parts."""
    digest = f"{5:032x}"
    assert heard("reconciliation.cut_ack", {**HEAD, "digest": digest}) == CutAck(SESSION, 1, 3, 5)
    chunks = [{**NAMED, "digests": [f"7:{digest}"]}]
    digests = heard("reconciliation.digests", {**HEAD, "chunks": chunks, "more": True})
    assert digests == Digests(SESSION, 1, 3, {A: {7: 5}}, more=True)
    blocks = heard(*blocks_of("1-9:0", "10-10:0"))
    assert isinstance(blocks, Blocks)
    assert blocks.blocks[1] == (A, 10, 10, X)
    cells = [{"values": {"status": "held"}, "quantity": 9}]
    totals = heard("reconciliation.totals", totals_of(["status", "sector"], cells))
    assert isinstance(totals, Totals)
    assert totals.units == {(A, ("held", None)): 9}
    said = {"session": SESSION, "number": 1, "code": "not_now", "reason": "closed"}
    assert heard("reconciliation.refused", said) == Refused(SESSION, 1, "not_now", "closed")


def blocks_of(*rows: str) -> tuple[str, dict[str, Any]]:
    """Return an answer of blocks of one series."""
    owned = [json_codec.encode_body(owned_values(X))]
    body: dict[str, Any] = {
        **HEAD,
        "owned": owned,
        "blocks": [{**NAMED, "blocks": list(rows)}],
        "rest": [],
    }
    return "reconciliation.blocks", body


def totals_of(fields: list[str], cells: list[Any]) -> dict[str, Any]:
    """Return an answer of totals of one series."""
    return {**HEAD, "fields": fields, "units": [{**NAMED, "totals": cells}]}


def digests_of(*rows: tuple[Series, list[str]]) -> tuple[str, dict[str, Any]]:
    """Return an answer of digests."""
    chunks = [{**series._asdict(), "digests": its} for series, its in rows]
    return "reconciliation.digests", {**HEAD, "chunks": chunks, "more": False}


def rest_of(*rows: tuple[Series, list[str]]) -> tuple[str, dict[str, Any]]:
    """Return an answer that leaves windows."""
    rest = [{**series._asdict(), "windows": its} for series, its in rows]
    return "reconciliation.blocks", {**HEAD, "owned": [], "blocks": [], "rest": rest}


ONE, TWO = f"{1:032x}", f"{2:032x}"
HELD = {"values": {"status": "held"}, "quantity": 1}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (blocks_of("3-2:0"), "is no block"),
        (blocks_of(f"1-{POSITION_MAX}:0"), "is no block"),
        (blocks_of("1-2:1"), "is no block"),
        (digests_of((A, [f"{POSITION_MAX + 1}:{ONE}"])), "lies beyond"),
        (digests_of((A, [f"1:{ONE}", f"1:{TWO}"])), "told twice"),
        (digests_of((A, [f"1:{ONE}"]), (A, [f"2:{ONE}"])), "told twice"),
        (rest_of((A, ["5-4"])), "runs backwards"),
        (rest_of((A, [f"5-{POSITION_MAX + 1}"])), "lies beyond"),
        (rest_of((A, ["1-2"]), (B, ["1-2"]), (A, ["5-6"])), "told twice"),
        (("reconciliation.totals", totals_of(["account"], [HELD])), "owned attributes"),
        (("reconciliation.totals", totals_of([], [HELD])), "that fields leave out"),
        (("reconciliation.totals", totals_of(["status"], [HELD, HELD])), "told twice"),
    ],
)
def test_what_a_schema_cannot_refuse_is_refused_in_words(
    answer: tuple[str, dict[str, Any]], why: str
) -> None:
    """The schema takes each of them; reading names what cannot be."""
    with pytest.raises(MessageError, match=why):
        heard(answer[0], carried(*answer))


def test_what_is_no_answer_is_refused() -> None:
    """Another message of the same name space, or nothing of it."""
    said = ReconciliationExplanation(case_id="2026-11-23/1", text="We look.", corrected=False)
    others: list[object] = [said, None, {}]
    for other in others:
        with pytest.raises(MessageError, match="is no answer"):
            answer_of(other)


@given(owned=all_owned)
def test_values_survive_the_way(owned: Owned) -> None:
    """None and the empty text stay two things."""
    assert owned_from(owned_values(owned)) == owned


@given(
    kind=st.sampled_from(FindingKind),
    ledger=st.lists(all_owned, max_size=3),
    registry=st.lists(all_owned, max_size=3),
    ends=st.tuples(serials, serials).map(sorted),
    cause=st.none() | st.integers(0, SERIAL_MAX),
)
def test_findings_survive_the_way(
    kind: FindingKind, ledger: list[Owned], registry: list[Owned], ends: list[int], cause: Any
) -> None:
    """A result tells a registry what the hub found, all of it."""
    reference = None if cause is None else "CHE02-5"
    finding = Finding(
        kind, A, ends[0], ends[1], tuple(ledger), tuple(registry), ("status",), cause, reference
    )
    row = finding_row(finding, "2026-11-23/1", frozen=True)
    body: dict[str, Any] = {
        "session": SESSION,
        "log_index": 1,
        "as_of": 1,
        "agreed": False,
        "basis": "blocks",
        "finding_count": 1,
        "findings": [json_codec.encode_body(row)],
    }
    survives("reconciliation.result", body)
    assert finding_from(row) == finding
    assert (row.case_id, row.frozen, row.quantity) == ("2026-11-23/1", True, finding.quantity)


def test_a_unit_held_very_often_is_told_as_far_as_a_result_goes() -> None:
    """A view of any length may be found; of a message it takes VIEW_MAX values."""
    views = tuple(values(n) for n in range(VIEW_MAX + 5))
    row = finding_row(Finding(FindingKind.HELD_TWICE, A, 1, 1, (Y,), views), None, frozen=False)
    assert len(row.registry) == VIEW_MAX
