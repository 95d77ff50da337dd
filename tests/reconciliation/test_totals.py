"""A registry without digests: totals, then blocks; and statements that were uploaded."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciliation.books import LedgerView
from reconciliation.discrepancies import FindingKind
from reconciliation.messages import Blocks, BlocksAsked, MessageError, Refused, Totals, TotalsAsked
from reconciliation.movements import Piece
from reconciliation.owned import OWNED, Block
from reconciliation.run_states import Basis
from reconciliation.totals import (
    LISTED_ALL,
    TotalsComparison,
    compare_statement,
    listed_in_turn,
    totals_of,
)
from tests.reconciliation.sessions import BY, SESSION, USED, A, B, C, Sides, X, Y, credit, sides


def session(both: Sides, acknowledged_to: int = 0, listed: Any = ()) -> TotalsComparison:
    """Return a session by totals at the head of the ledger's book."""
    return TotalsComparison(
        TotalsAsked(SESSION, 1, both.ledger.head, BY),
        both.ledger.view,
        both.ledger.hasher,
        both.explainer,
        acknowledged_to,
        listed,
    )


def totals(both: Sides, fields: tuple[str, ...] = OWNED) -> Totals:
    """Return what the registry's totals are."""
    return Totals(SESSION, 1, both.book.applied_to, fields, totals_of(both.book.held, fields))


def test_equal_totals_end_the_session_and_say_that_no_block_was_seen() -> None:
    """The outcome names the series on which it rests on totals alone."""
    both = sides([Block(A, 1, 100, X)], [Block(A, 1, 60, X), Block(A, 61, 100, X)])
    comparison = session(both)
    assert comparison.receive(totals(both)) is None
    outcome = comparison.outcome
    assert outcome is not None
    assert (outcome.agreed, outcome.basis, outcome.by_totals_alone) == (True, Basis.TOTALS, (A,))


def test_only_series_whose_totals_differ_are_listed() -> None:
    """One series differs by ten units; its blocks alone are asked for."""
    both = sides(
        [Block(A, 1, 100, X), Block(B, 1, 50, Y)], [Block(A, 1, 100, X), Block(B, 1, 40, Y)]
    )
    comparison = session(both)
    asked = comparison.receive(totals(both, ("status",)))
    assert isinstance(asked, BlocksAsked)
    assert set(asked.windows) == {B}
    assert comparison.receive(Blocks(SESSION, 2, 0, [Block(B, 1, 40, Y)], {})) is None
    assert comparison.outcome is not None
    (finding,) = comparison.outcome.findings
    assert (finding.kind, finding.first, finding.last) == (FindingKind.MISSING_AT_REGISTRY, 41, 50)
    assert comparison.outcome.by_totals_alone == (A,)


def test_equal_and_opposite_errors_hide_in_totals_until_the_series_is_listed() -> None:
    """Ten units too few here, ten others too many there: the caller lists series in turn."""
    both = sides([Block(A, 1, 100, X)], [Block(A, 11, 110, X)])
    hidden = session(both)
    assert hidden.receive(totals(both)) is None
    assert hidden.outcome is not None
    assert hidden.outcome.by_totals_alone == (A,)
    comparison = session(both, listed=[A, C])
    asked = comparison.receive(totals(both))
    assert isinstance(asked, BlocksAsked)
    comparison.receive(Blocks(SESSION, 2, 0, both.book.held, {}))
    assert comparison.outcome is not None
    assert [finding.kind for finding in comparison.outcome.findings] == [
        FindingKind.MISSING_AT_REGISTRY,
        FindingKind.MISSING_AT_LEDGER,
    ]
    assert comparison.outcome.by_totals_alone == ()


def test_a_statement_finds_what_a_session_with_digests_finds() -> None:
    """The same lost message, by its cause."""
    both = sides([Block(A, 1, 100, X)], [Block(A, 1, 100, X)])
    both.move(4, credit(B, 1, 9))
    both.book.applied_to = 4
    by_digests = both.compare(4)
    view = both.ledger.view(4)
    statement = compare_statement(
        SESSION, 4, view, both.book.held, both.ledger.hasher, both.explainer, 4
    )
    assert statement.findings == by_digests.findings != ()
    assert statement.basis is Basis.EXPLANATION


def test_a_statement_from_before_the_last_messages_is_timing_and_agrees() -> None:
    """What the registry has not acknowledged is not lost."""
    both = sides([Block(A, 1, 100, X)], [Block(A, 1, 100, X)])
    both.move(4, Piece(A, 1, 10, X, USED))
    view = both.ledger.view(4)
    outcome = compare_statement(
        SESSION, 4, view, both.book.held, both.ledger.hasher, both.explainer, 3
    )
    assert outcome.agreed
    assert [finding.kind for finding in outcome.findings] == [FindingKind.TIMING]


def test_an_index_the_ledger_cannot_go_to_is_refused() -> None:
    """Ahead of the log, or before the last good cut."""
    both = sides([Block(A, 1, 100, X)], [Block(A, 1, 100, X)], 5)
    for index in (4, 6):
        with pytest.raises(MessageError, match="is not within"):
            session(both).receive(Totals(SESSION, 1, index, (), {}))


def test_blocks_as_of_another_index_than_the_totals_are_refused() -> None:
    """A statement does not change between two questions."""
    both = sides([Block(A, 1, 100, X)], [])
    both.move(4, credit(B, 1, 9))
    comparison = session(both, listed=LISTED_ALL)
    assert comparison.receive(Totals(SESSION, 1, 0, (), {})) is not None
    with pytest.raises(MessageError, match="blocks as of 4, totals of 0"):
        comparison.receive(Blocks(SESSION, 2, 4, [], {}))


def test_a_registry_that_cannot_answer_says_why() -> None:
    """The outcome has its reason and is no agreement."""
    comparison = session(sides([], []))
    assert comparison.receive(Refused(SESSION, 1, "not_now", "closed for the year")) is None
    assert comparison.outcome is not None
    assert (comparison.outcome.agreed, comparison.outcome.reason) == (False, "closed for the year")


@given(count=st.integers(0, 60), turns=st.integers(1, 14), start=st.integers(0, 99))
def test_every_series_is_listed_once_in_as_many_turns(count: int, turns: int, start: int) -> None:
    """Whatever turn one begins with; so equal and opposite errors are found within that time."""
    known = [A._replace(vintage=1990 + number) for number in range(count)]
    shares = [listed_in_turn(known, turn, turns=turns) for turn in range(start, start + turns)]
    assert sorted(series for share in shares for series in share) == known


def test_a_series_has_its_turn_whichever_others_there_are() -> None:
    """A new series moves nobody out of turn."""
    known = [A._replace(vintage=1990 + number) for number in range(50)]
    for turn in range(7):
        few = listed_in_turn(known[:20], turn, turns=7)
        assert few == listed_in_turn(known, turn, turns=7) & set(known[:20])


def test_series_of_open_cases_are_listed_always() -> None:
    """Also one that the ledger does not know."""
    assert all(listed_in_turn([A], turn, turns=5, always=[B]) >= {B} for turn in range(5))
    with pytest.raises(ValueError, match="0 turns"):
        listed_in_turn([A], 1, turns=0)


def test_a_statement_does_not_look_into_series_that_agree() -> None:
    """The cost follows what differs: equal series are settled by their digests."""
    both = sides([Block(A, 1, 100, X), Block(B, 1, 50, Y)], [])
    view = both.ledger.view(0)
    looked: list[Any] = []

    class Watched:
        """The view, with an eye on what is read of it."""

        def __getattr__(self, name: str) -> Any:
            return getattr(view, name)

        def items(self, series: Any, window: Any) -> Any:
            looked.append(series)
            return view.items(series, window)

    outcome = compare_statement(
        SESSION,
        0,
        cast(LedgerView, Watched()),
        [Block(A, 1, 100, X), Block(B, 1, 49, Y)],
        both.ledger.hasher,
        both.explainer,
        0,
    )
    assert [(one.series, one.first) for one in outcome.findings] == [(B, 50)]
    assert set(looked) == {B}
