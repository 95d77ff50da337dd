"""Records compared: transfers that moved no units, page by page."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message_schemas.messages.reconciliation import RecordedTransfer
from reconciliation.messages import CutAck, MessageError, Refused
from reconciliation.records import HubRecord, Records, RecordsAsked, RecordsComparison, kind_of
from reconciliation.run_states import Basis

N = 1_000


def record(
    number: int,
    state: Literal["completed", "rejected", "cancelled", "expired"] = "completed",
    quantity: int = 5,
) -> RecordedTransfer:
    """Return a transfer as it is on record."""
    return RecordedTransfer(transfer_id=f"CHE01-{number:05}", state=state, quantity=quantity)


def at(index: int, transfer: RecordedTransfer) -> tuple[str, HubRecord]:
    """Return a transfer that ended at the hub at an index."""
    return transfer.transfer_id, HubRecord(transfer, index)


def comparison(
    ended: Mapping[str, HubRecord], others: Mapping[str, HubRecord] | None = None
) -> RecordsComparison:
    """Return a session of the span (0, N]."""

    def find(ids: Collection[str]) -> dict[str, HubRecord]:
        return {name: one for name, one in (others or {}).items() if name in ids}

    return RecordsComparison(RecordsAsked("S", 1, N, 0), ended, find)


def page(*transfers: RecordedTransfer, number: int = 1, to: int = N, more: bool = False) -> Records:
    """Return an answer."""
    return Records("S", number, to, transfers, more)


def test_equal_records_agree_after_one_question() -> None:
    """In any state."""
    listed = [record(1), record(2, "rejected"), record(3, "expired"), record(4, "cancelled")]
    session = comparison(dict(at(n, one) for n, one in enumerate(listed, start=1)))
    assert session.start() == RecordsAsked("S", 1, N, 0)
    assert session.receive(page(*listed)) is None
    outcome = session.outcome
    assert outcome is not None
    assert (outcome.agreed, outcome.basis, outcome.as_of) == (True, Basis.RECORDS, N)
    assert session.record_findings == []


def test_what_one_side_lacks_or_has_otherwise_is_found() -> None:
    """Missing here, missing there, another state, another quantity."""
    ended = dict([at(1, record(1)), at(2, record(2)), at(3, record(3)), at(4, record(4))])
    session = comparison(ended)
    session.receive(page(record(1), record(2, "expired"), record(3, quantity=6), record(9)))
    found = [(kind_of(one), one.transfer_id[-1]) for one in session.record_findings]
    assert found == [
        ("record_differs", "2"),
        ("record_differs", "3"),
        ("missing_at_registry", "4"),
        ("missing_at_ledger", "9"),
    ]
    assert session.outcome is not None
    assert not session.outcome.agreed


def test_what_ended_behind_the_answer_is_on_its_way_and_compared_again() -> None:
    """The registry has applied up to 500: an end at 501 is no finding, and the span goes to 500."""
    session = comparison(dict([at(500, record(1)), at(501, record(2))]))
    session.receive(page(record(1), to=500))
    assert session.outcome is not None
    assert (session.outcome.agreed, session.outcome.as_of) == (True, 500)
    assert session.waiting_count == 1


def test_a_transfer_outside_the_span_is_looked_up() -> None:
    """Ended later, ended before, still in flight at the hub; or never heard of."""
    others = dict([at(N + 5, record(1)), at(N + 6, record(2))])
    others["CHE01-00003"] = HubRecord(None, 7)
    session = comparison({}, others)
    session.receive(page(record(1), record(2, "expired"), record(3), record(4)))
    found = [(kind_of(one), one.transfer_id[-1]) for one in session.record_findings]
    assert found == [("record_differs", "2"), ("missing_at_ledger", "4")]


@given(seed=st.integers(0, 2**32))
def test_pages_of_any_size_find_the_same(seed: int) -> None:
    """What differs is found on whatever page it lies, between pages and behind the last too."""
    dice = random.Random(seed)
    ours = {n for n in range(30) if dice.random() < 0.6}
    theirs = [n for n in range(30) if (n in ours) == (dice.random() < 0.9)]
    session = comparison(dict(at(1, record(n)) for n in ours))
    asked: RecordsAsked | None = session.start()
    while asked is not None:
        left = [n for n in theirs if record(n).transfer_id > (asked.after_transfer or "")]
        count = dice.randint(1, 7)
        more = len(left) > count
        told = [record(n) for n in left[:count]]
        asked = session.receive(page(*told, number=asked.number, more=more))
    found = {(kind_of(one), int(one.transfer_id[-5:])) for one in session.record_findings}
    assert found == {("missing_at_registry", n) for n in ours - set(theirs)} | {
        ("missing_at_ledger", n) for n in set(theirs) - ours
    }


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (page(record(2), record(1)), "does not come behind CHE01-00002"),
        (page(record(2), record(2)), "does not come behind"),
        (page(more=True), "an empty page cannot have others"),
        (CutAck("S", 1, N, 0), "CutAck is no answer"),
    ],
    ids=["order", "twice", "empty", "kind"],
)
def test_an_answer_that_cannot_be_one_changes_nothing(answer: Records | CutAck, text: str) -> None:
    """It is refused, and the right one is still taken."""
    session = comparison(dict([at(1, record(1))]))
    with pytest.raises(MessageError, match=text):
        session.receive(answer)
    session.receive(page(record(1)))
    assert session.outcome is not None
    assert session.outcome.agreed


def test_answers_to_other_questions_are_passed_over() -> None:
    """Twice, late, or of another session."""
    session = comparison(dict([at(1, record(1)), at(2, record(2))]))
    assert session.receive(page(record(1), number=2)) is None
    asked = session.receive(page(record(1), more=True))
    assert asked == RecordsAsked("S", 2, N, 0, "", "CHE01-00001")
    assert session.receive(page(record(1), more=True)) is None
    assert session.receive(page(record(2), number=2)) is None
    assert session.outcome is not None
    assert session.outcome.agreed


def test_a_page_behind_the_last_id_is_refused() -> None:
    """A page goes on where the last one ended."""
    session = comparison({})
    session.receive(page(record(5), more=True))
    with pytest.raises(MessageError, match="does not come behind CHE01-00005"):
        session.receive(page(record(5), number=2))


def test_a_registry_that_cannot_answer_says_why() -> None:
    """That is no agreement, and no finding."""
    session = comparison(dict([at(1, record(1)), at(2, record(2))]))
    session.receive(page(record(2), more=True))
    assert session.record_findings != []
    session.receive(Refused("S", 2, "not_now", "closed for the year"))
    assert session.outcome is not None
    assert (session.outcome.agreed, session.outcome.reason) == (False, "closed for the year")
    assert session.record_findings == []
