"""Kinds of findings without a cause, explanations, and what a lookup may not claim."""

import pytest

from reconciliation.digests import MASK, EdgeHasher
from reconciliation.discrepancies import FindingKind, kind_without_cause
from reconciliation.explain import Cause, CauseKind, Explainer, Situation
from reconciliation.movements import Movement, Piece, edge_deltas
from reconciliation.owned import OWNED, Block
from reconciliation.steps import StepError, View, runs
from tests.reconciliation.sessions import KEY, USED, A, B, X, Y, credit, sides
from tests.reconciliation.worlds import values, with_field

HASHER = EdgeHasher(KEY)
CANCELLED = values(0, "cancelled")


@pytest.mark.parametrize(
    ("ledger", "registry", "kind"),
    [
        ((X,), (), FindingKind.MISSING_AT_REGISTRY),
        ((), (X,), FindingKind.MISSING_AT_LEDGER),
        ((X,), (X, X), FindingKind.HELD_TWICE),
        ((), (X, Y), FindingKind.HELD_TWICE),
        ((X,), (USED,), FindingKind.ENDED_ON_ONE_SIDE),
        ((CANCELLED,), (X,), FindingKind.ENDED_ON_ONE_SIDE),
        ((USED,), (CANCELLED,), FindingKind.ATTRIBUTE_DIFFERS),
        ((X,), (Y,), FindingKind.ATTRIBUTE_DIFFERS),
        ((X,), (with_field(X, "status", "lost"),), FindingKind.ATTRIBUTE_DIFFERS),
    ],
)
def test_a_difference_without_a_cause_has_one_kind(
    ledger: View, registry: View, kind: FindingKind
) -> None:
    """What each side has decides, and nothing else."""
    assert kind_without_cause(ledger, registry) is kind


@pytest.mark.parametrize("name", OWNED)
def test_a_change_of_any_owned_attribute_is_found_and_named(name: str) -> None:
    """On three units in the middle of a block, at either side."""
    other = with_field(X, name, "other")
    whole = [Block(A, 1, 100, X)]
    parts = [Block(A, 1, 40, X), Block(A, 41, 43, other), Block(A, 44, 100, X)]
    for ledger, registry in ((whole, parts), (parts, whole)):
        (finding,) = sides(ledger, registry).compare(0).findings
        assert (finding.first, finding.last, finding.fields) == (41, 43, (name,))


def explainer_of(*movements: Movement, in_flight: bool = False) -> tuple[Explainer, list[int]]:
    """Return an explainer, and what each movement adds to the root."""
    explainer, totals = Explainer(), []
    for movement in movements:
        deltas = edge_deltas(HASHER, movement.pieces)
        explainer.add(movement, deltas, in_flight=in_flight)
        totals.append(sum(change for _, _, change in deltas) & MASK)
    return explainer, totals


@pytest.mark.parametrize(
    ("as_of", "acknowledged_to", "sign", "kind"),
    [
        (9, 9, -1, CauseKind.LOST_MESSAGE),
        (9, 9, 1, CauseKind.DOUBLED_MESSAGE),
        (9, 4, -1, CauseKind.TIMING),
        (4, 4, 1, CauseKind.TIMING),
        (4, 4, -1, None),
    ],
)
def test_what_a_missing_or_additional_movement_means_depends_on_where_both_are(
    as_of: int, acknowledged_to: int, sign: int, kind: CauseKind | None
) -> None:
    """The registry cannot lack what the ledger does not have yet."""
    explainer, (total,) = explainer_of(Movement(7, "T-7", (credit(A, 1, 10),)))
    causes = explainer.of_all(sign * total & MASK, Situation(as_of, acknowledged_to))
    assert [cause.kind for cause in causes or []] == ([] if kind is None else [kind])


def test_a_transfer_in_flight_that_was_booked_already_is_told_as_such() -> None:
    """It passes by itself: nothing is frozen for it."""
    movement = Movement(0, "HUB-T-1", (Piece(A, 1, 10, X, None),))
    explainer, (total,) = explainer_of(movement, in_flight=True)
    causes = explainer.of_all(total, Situation(9, 9))
    assert causes == [Cause(CauseKind.IN_FLIGHT, movement, 1)]
    assert explainer.of_all(-total & MASK, Situation(9, 9)) is None


def test_movements_that_undo_each_other_explain_by_the_latest() -> None:
    """Units went, came back and went again: the last message lost says the same as the first."""
    out, back = Piece(A, 1, 10, X, None), Piece(A, 1, 10, None, X)
    moves = [Movement(index, f"T-{index}", (p,)) for index, p in ((1, out), (2, back), (3, out))]
    explainer, totals = explainer_of(*moves)
    (cause,) = explainer.of_all(-totals[0] & MASK, Situation(3, 3)) or []
    assert (cause.kind, cause.movement.log_index) == (CauseKind.LOST_MESSAGE, 3)
    assert explainer.of_all(1, Situation(3, 3)) is None


def test_an_entry_that_changes_nothing_both_own_explains_nothing() -> None:
    """Its sum is zero, like that of equal books."""
    explainer, _ = explainer_of(Movement(1, "T-1", (Piece(A, 1, 10, X, X),)))
    assert explainer.of_all(0, Situation(1, 1)) is None


def test_a_repeated_use_that_a_drill_down_finds_is_given_its_cause() -> None:
    """Two faults in one series: each is told by its own cause, and the stray one by none."""
    both = sides([Block(A, 1, 100, X)], [Block(A, 1, 100, X)])
    both.move(3, credit(A, 201, 300, Y))
    both.move(4, Piece(A, 11, 20, X, USED))
    both.move(5, credit(B, 1, 5))
    both.book.held = [Block(A, 1, 90, X), Block(A, 201, 300, Y), Block(A, 201, 300, Y)]
    both.book.held.append(Block(B, 1, 5, X))
    both.book.applied_to = 5
    outcome = both.compare(5)
    assert [(f.kind, f.first, f.last, f.cause_index) for f in outcome.findings] == [
        (FindingKind.LOST_MESSAGE, 11, 20, 4),
        (FindingKind.MISSING_AT_REGISTRY, 91, 100, None),
        (FindingKind.DOUBLED_MESSAGE, 201, 300, 3),
    ]


def test_what_a_later_movement_touched_does_not_hide_a_lost_message() -> None:
    """Half of the units that never arrived were used later; the other half tells the cause."""
    both = sides([], [])
    both.move(3, credit(A, 1, 100))
    both.move(4, Piece(A, 1, 50, X, USED))
    both.move(5, credit(B, 1, 100))
    both.book.held = [Block(B, 1, 60, X)]
    both.book.applied_to = 5
    outcome = both.compare(5)
    assert [(f.kind, f.series, f.first, f.last, f.cause_index) for f in outcome.findings] == [
        (FindingKind.MISSING_AT_REGISTRY, A, 1, 50, None),
        (FindingKind.LOST_MESSAGE, A, 51, 100, 3),
        (FindingKind.MISSING_AT_REGISTRY, B, 61, 100, None),
    ]


def test_less_than_nothing_of_a_unit_is_an_error() -> None:
    """A prediction that would need it is no explanation."""
    both = sides([Block(A, 1, 10, X)], [])
    view = both.ledger.view(0)
    items = view.items(A, (1, 10))
    with pytest.raises(StepError):
        list(runs(items, [items[0]._replace(times=-1)]))
