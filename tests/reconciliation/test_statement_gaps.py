"""Whole comparisons by statements: what agrees agrees in any cut, and any change is found."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciliation.discrepancies import Finding, FindingKind
from reconciliation.movements import Piece
from reconciliation.owned import OWNED, Block
from reconciliation.run_states import Outcome
from reconciliation.statement_gaps import completed, shown
from reconciliation.totals import compare_statement
from tests.reconciliation.sessions import USED, A, B, C, Sides, X, Y, sides
from tests.reconciliation.statement_rows import ALL, BY_ID, read, recut, table_of
from tests.reconciliation.worlds import values, with_field

BOOK = [
    Block(A, 1, 1_000, X),
    Block(A, 1_001, 1_200, Y),
    Block(B, 5, 70_000, X),
    Block(B, 90_001, 90_001, USED),
    Block(C, 2**40, 2**40 + 9, Y),
]
PARTIAL = (*BY_ID, "quantity", "status", "sector")


def outcome_of(
    both: Sides,
    blocks: Sequence[Block],
    columns: Sequence[str] = ALL,
    *,
    as_of: int | None = None,
    acknowledged_to: int | None = None,
) -> Outcome:
    """Return what a statement of blocks comes to."""
    index = both.ledger.head if as_of is None else as_of
    view = both.ledger.view(index)
    statement = read(table_of(blocks, columns))
    return shown(
        compare_statement(
            "S",
            index,
            view,
            completed(statement, view, both.explainer),
            both.ledger.hasher,
            both.explainer,
            index if acknowledged_to is None else acknowledged_to,
        ),
        statement,
    )


def places(outcome: Outcome) -> list[tuple[FindingKind, object, int, int]]:
    """Return kind, series and serials of the findings."""
    return [(one.kind, one.series, one.first, one.last) for one in outcome.findings]


@pytest.mark.parametrize("columns", [ALL, PARTIAL, (*BY_ID, "quantity")], ids=len)
@given(seed=st.integers(0, 2**32))
def test_the_ledgers_own_units_agree_in_any_cut_and_order(
    columns: tuple[str, ...], seed: int
) -> None:
    """With all columns or some, and without statuses also when used units are not listed."""
    held = [block for block in BOOK if block.owned[0] == "held"]
    blocks = BOOK if "status" in columns else held
    outcome = outcome_of(sides(BOOK, []), recut(blocks, random.Random(seed)), columns)
    assert (outcome.agreed, outcome.findings) == (True, ())
    assert outcome.is_partial == (columns != ALL)


Change = Callable[[Block, random.Random], tuple[list[Block], FindingKind, tuple[str, ...]]]


def _lost(block: Block, dice: random.Random) -> tuple[list[Block], FindingKind, tuple[str, ...]]:
    return [], FindingKind.MISSING_AT_REGISTRY, ()


def _twice(block: Block, dice: random.Random) -> tuple[list[Block], FindingKind, tuple[str, ...]]:
    return [block, block], FindingKind.HELD_TWICE, ()


def _used(block: Block, dice: random.Random) -> tuple[list[Block], FindingKind, tuple[str, ...]]:
    status = "held" if block.owned[0] == "used" else "cancelled"
    owned = with_field(block.owned, "status", status)
    return [block._replace(owned=owned)], FindingKind.ENDED_ON_ONE_SIDE, ("status",)


def _other(block: Block, dice: random.Random) -> tuple[list[Block], FindingKind, tuple[str, ...]]:
    name = dice.choice([name for name in OWNED if name not in ("status", "first_transferred")])
    text = "77" if name == "authorization_version" else "another"
    owned = with_field(block.owned, name, text)
    return [block._replace(owned=owned)], FindingKind.ATTRIBUTE_DIFFERS, (name,)


@pytest.mark.parametrize("change", [_lost, _twice, _used, _other], ids=lambda one: one.__name__)
@given(seed=st.integers(0, 2**32))
def test_any_single_change_is_found_with_its_serials_and_its_kind(
    change: Change, seed: int
) -> None:
    """Any run of serials of any block, in a statement that is cut at will otherwise."""
    dice = random.Random(seed)
    at = dice.randrange(len(BOOK))
    block = BOOK[at]
    first = dice.randint(block.first, block.last)
    part = block._replace(first=first, last=dice.randint(first, block.last))
    changed, kind, fields = change(part, dice)
    rest = [
        block._replace(first=low, last=high)
        for low, high in ((block.first, part.first - 1), (part.last + 1, block.last))
        if low <= high
    ]
    blocks = recut([*BOOK[:at], *BOOK[at + 1 :], *rest, *changed], dice)
    outcome = outcome_of(sides(BOOK, []), blocks)
    assert not outcome.agreed
    assert places(outcome) == [(kind, part.series, part.first, part.last)]
    assert outcome.findings[0].fields == fields


@given(seed=st.integers(0, 2**32))
def test_units_that_the_ledger_does_not_have_are_found(seed: int) -> None:
    """Anywhere beside the ledger's, in a known series or a new one."""
    dice = random.Random(seed)
    first = dice.randint(100_000, 200_000)
    extra = Block(dice.choice([A, B, C]), first, first + dice.randint(0, 99), values(3))
    for columns in (ALL, PARTIAL, (*BY_ID, "quantity")):
        held = [b for b in BOOK if "status" in columns or b.owned[0] == "held"]
        outcome = outcome_of(sides(BOOK, []), recut([*held, extra], dice), columns)
        assert places(outcome) == [
            (FindingKind.MISSING_AT_LEDGER, extra.series, extra.first, extra.last)
        ]


def test_what_was_not_compared_is_shown_of_neither_side() -> None:
    """Nothing that was filled in is told as the registry's word."""
    wrong = with_field(X, "sector", "Waste management")
    blocks = [block if block.owned is not X else block._replace(owned=wrong) for block in BOOK]
    outcome = outcome_of(sides(BOOK, []), blocks, PARTIAL)
    assert {one.kind for one in outcome.findings} == {FindingKind.ATTRIBUTE_DIFFERS}
    for one in outcome.findings:
        assert one.fields == ("sector",)
        for view, sector in ((one.ledger, "Energy"), (one.registry, "Waste management")):
            told = dict(zip(OWNED, view[0], strict=True))
            assert {n: v for n, v in told.items() if v} == {"status": "held", "sector": sector}
    assert outcome.compared == ("status", "sector")


def test_a_difference_in_a_column_that_is_missing_is_not_found_and_not_vouched_for() -> None:
    """It agrees in what it says; it is partial, so nothing is proved clean."""
    wrong = with_field(Y, "gwp_values", "AR4")
    blocks = [block if block.owned is not Y else block._replace(owned=wrong) for block in BOOK]
    assert not outcome_of(sides(BOOK, []), blocks).agreed
    outcome = outcome_of(sides(BOOK, []), blocks, PARTIAL)
    assert outcome.agreed
    assert outcome.is_partial


@pytest.mark.parametrize("columns", [ALL, PARTIAL, (*BY_ID, "quantity")], ids=len)
def test_a_lost_message_is_named_whatever_columns_there_are(columns: tuple[str, ...]) -> None:
    """A credit, a debit and a use that the registry did not apply, each by its entry."""
    pieces = {
        5: Piece(A, 5_001, 5_100, None, X),
        6: Piece(B, 5, 500, X, None),
        7: Piece(A, 1, 10, X, USED),
    }
    for index, piece in pieces.items():
        both = sides(BOOK, [])
        both.move(index, piece)
        blocks = [b for b in BOOK if "status" in columns or b.owned[0] == "held"]
        outcome = outcome_of(both, blocks, columns)
        assert places(outcome) == [
            (FindingKind.LOST_MESSAGE, piece.series, piece.first, piece.last)
        ]
        assert outcome.findings[0].cause_index == index
        waiting = outcome_of(both, blocks, columns, acknowledged_to=index - 1)
        assert waiting.agreed
        assert [one.kind for one in waiting.findings] == [FindingKind.TIMING]


def test_a_use_that_also_was_the_first_transfer_is_recognised_by_its_status_alone() -> None:
    """The attribute without a column is taken from before the message."""
    unmoved = values(0, first="no")
    both = sides([Block(A, 1, 100, unmoved)], [])
    both.move(3, Piece(A, 1, 40, unmoved, USED))
    outcome = outcome_of(both, [Block(A, 1, 100, unmoved)], PARTIAL)
    assert places(outcome) == [(FindingKind.LOST_MESSAGE, A, 1, 40)]


def test_a_statement_of_an_earlier_moment_is_compared_as_of_then() -> None:
    """What came later is not missing."""
    both = sides(BOOK, [])
    both.move(8, Piece(A, 5_001, 5_100, None, X))
    both.move(9, Piece(B, 5, 70_000, X, None))
    assert outcome_of(both, BOOK, as_of=7).agreed
    assert len(outcome_of(both, BOOK).findings) == 2


def test_findings_that_were_cut_by_what_is_hidden_are_one() -> None:
    """The ledger's blocks differ in what was not compared: the officer sees one run of serials."""
    book = [Block(A, 1, 10, X), Block(A, 11, 20, with_field(X, "gwp_values", "SAR"))]
    outcome = outcome_of(sides(book, []), [Block(B, 1, 1, Y)], PARTIAL)
    found: list[Finding] = [one for one in outcome.findings if one.series == A]
    assert [(one.first, one.last) for one in found] == [(1, 20)]
