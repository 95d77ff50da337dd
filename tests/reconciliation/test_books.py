"""The ledger's view of a registry: as of any index, based anew, and made from the real ledger."""

import random
from dataclasses import replace

import pytest

from hub.international_registry.ledger import LedgerWindow
from hub.international_registry.postings import EFFECTS, Posting, PostingKind
from hub.international_registry.replay import SeriesReplay, Standing
from hub.international_registry.units import BlockStatus, FirstTransferEvent
from reconciliation.books import LedgerBook
from reconciliation.digests import KEPT_SHIFTS, EdgeHasher
from reconciliation.movements import Movement, UnknownChangeError, change_of, pieces_of
from reconciliation.owned import HELD, OWNED, POSITION_MAX, Block, blocks_of, owned_of
from reconciliation.steps import runs
from tests.hub.international_registry.samples import ATTRIBUTES, INTERNATIONAL, SERIES, units
from tests.reconciliation.faults import begin, write_log
from tests.reconciliation.sessions import KEY, A, B, X, credit, sides
from tests.reconciliation.worlds import SERIES as ALL

HASHER = EdgeHasher(KEY)
WHOLE = (0, POSITION_MAX)


def blocks_at(book: LedgerBook, index: int) -> list[Block]:
    """Return the ledger's units as of an index, in the longest blocks."""
    view = book.view(index)
    return [
        Block(series, run.first, run.last, run.ledger[0])
        for series in ALL
        for run in runs(view.items(series, WHOLE), ())
    ]


@pytest.mark.parametrize("seed", range(60))
def test_a_view_as_of_any_index_is_a_table_built_from_the_blocks_of_then(seed: int) -> None:
    """At every level, and for any window, whatever the head has come to meanwhile."""
    history = begin(seed)
    base = history.grid.blocks(history.truth.items())
    book = LedgerBook(HASHER, base, history.base_index)
    write_log(history)
    for movement in history.movements:
        book.apply(movement)
    dice = random.Random(seed)
    for index in {history.base_index, book.head, dice.randint(history.base_index, book.head)}:
        view, blocks = book.view(index), blocks_at(book, index)
        built = LedgerBook(HASHER, blocks, index).view(index)
        assert view.root == built.root
        for shift in (*KEPT_SHIFTS, 11):
            for series in ALL:
                position = history.grid.first(dice.randrange(40))
                low = position >> shift << shift
                high = min(POSITION_MAX, low + (3 << shift) - 1)
                asked = built.digests(shift, series, (low, high))
                assert view.digests(shift, series, (low, high)) == asked
        assert {s: c for s, c in view.level(16).items() if c} == built.level(16)


@pytest.mark.parametrize("seed", range(20))
def test_a_book_based_at_a_good_cut_goes_on_as_before(seed: int) -> None:
    """The base moves on, the journal becomes shorter, the views stay the same."""
    history = begin(seed)
    base = history.grid.blocks(history.truth.items())
    book = LedgerBook(HASHER, base, history.base_index)
    write_log(history)
    for movement in history.movements:
        book.apply(movement)
    cut = random.Random(seed).randint(history.base_index, book.head)
    later = book.based_at(cut)
    assert (later.base_index, later.head) == (cut, book.head)
    assert {movement.log_index for movement in later.journal} == {
        movement.log_index for movement in book.journal if movement.log_index > cut
    }
    for index in (cut, book.head):
        assert later.view(index).root == book.view(index).root
        assert blocks_at(later, index) == blocks_at(book, index)


def test_movements_come_in_the_order_of_the_log() -> None:
    """An index that was passed, or one that is not there yet, is refused."""
    both = sides([Block(A, 1, 10, X)], [], 5)
    both.move(7, credit(B, 1, 2))
    with pytest.raises(ValueError, match="does not come after 7"):
        both.move(7, credit(B, 3, 4))
    for index in (4, 8):
        with pytest.raises(ValueError, match="is not within 5 to 7"):
            both.ledger.view(index)
    both.ledger.pass_to(9)
    assert both.ledger.view(9).root == both.ledger.view(7).root


def standing(replay: SeriesReplay, posting: Posting) -> Standing | None:
    """Return what the replay has of a posting's units."""
    for span in replay:
        if span.first <= posting.first <= span.last:
            return span.standing
    return None


def real_ledger() -> LedgerWindow:
    """Return a ledger in which units were transferred, used, cancelled, held and corrected."""
    window = LedgerWindow([], 1)
    window.introduce(
        units(1, 100), ATTRIBUTES, "GHA01", None, BlockStatus.AUTHORIZED, None, "T-1", ("u1", "u9")
    )
    window.reserve([units(1, 100)], "T-1")
    window.move("T-1", "CHE01", None, INTERNATIONAL)
    window.reserve([units(31, 60)], "T-2")
    window.move("T-2", "KEN01", None, INTERNATIONAL)
    window.reserve([units(31, 40)], "T-3")
    window.release("T-3")
    window.use([units(1, 5)], "A-1")
    window.cancel([units(41, 42)], "A-2")
    window.hold([units(50, 70)], "H-1")
    window.unhold(units(50, 70))
    window.correct(units(90, 95), "K-1", "CHE01", "KEN01", None)
    window.introduce(
        units(201, 300), ATTRIBUTES, "GHA01", None, BlockStatus.AUTHORIZED, None, "T-4"
    )
    window.reserve([units(201, 300)], "T-4")
    window.introduce(
        units(501, 510), ATTRIBUTES, "GHA01", None, BlockStatus.AUTHORIZED, None, "T-5"
    )
    window.settle([units(501, 508)], "A-4", FirstTransferEvent.AUTHORIZATION)
    window.introduce(
        units(401, 410), ATTRIBUTES, "GHA01", None, BlockStatus.CANCELLED, INTERNATIONAL, "A-3"
    )
    return window


def test_movements_made_of_the_ledgers_own_postings_fold_to_its_blocks() -> None:
    """Each registry's book, fed from the journal, is what its blocks in the ledger say.

    Reservations, holds and units on the word of a transfer in flight move nothing.
    """
    window = real_ledger()
    books = {name: LedgerBook(HASHER, [], 0) for name in ("GHA01", "CHE01", "KEN01")}
    moved: list[tuple[str, list[str]]] = []
    for index, posting in enumerate(window.changes().postings, start=1):
        pieces = pieces_of(posting)
        moved.append((posting.kind.value, sorted(pieces)))
        for registry, piece in pieces.items():
            books[registry].apply(Movement(index, posting.reference, (piece,)))
    rows = list(window)
    for registry, book in books.items():
        expected = LedgerBook(HASHER, blocks_of(rows, registry), 0)
        assert book.table.root == expected.table.root, registry
    assert ("moved", ["CHE01", "KEN01"]) in moved
    still = {kind for kind, registries in moved if not registries}
    assert {"reserved", "released", "held", "unheld"} <= still


def test_a_posting_alone_tells_what_the_journal_before_it_would() -> None:
    """Before and after are those of a replay of the whole journal, for every kind of posting."""
    replay, kinds = SeriesReplay(), set()
    for posting in real_ledger().changes().postings:
        before = standing(replay, posting)
        replay.apply(posting)
        after = standing(replay, posting)
        expected = tuple(None if one is None else owned_of(one) for one in (before, after))
        told = change_of(posting)
        assert told == expected or (told == (None, None) and expected[0] == expected[1])
        kinds.add(posting.kind)
    assert kinds >= EFFECTS


def test_a_posting_from_before_it_told_how_units_stood_is_refused() -> None:
    """It changed something that nobody can tell from it alone."""
    moved = next(p for p in real_ledger().changes().postings if p.kind is PostingKind.MOVED)
    with pytest.raises(UnknownChangeError, match=f"{moved.reference}: how the units stood"):
        pieces_of(replace(moved, was_status=None, was_first_transferred=None))


def test_what_the_ledger_owns_of_a_unit_is_told_in_the_words_of_both_sides() -> None:
    """Provisional units are left out; the others have every owned attribute in its place."""
    blocks = blocks_of(real_ledger(), "CHE01")
    assert sum(block.last - block.first + 1 for block in blocks) == 64
    owned = dict(zip(OWNED, blocks[-1].owned, strict=True))
    assert owned["status"] == HELD
    assert owned["first_transferred"] == "yes"
    assert owned["authorization_version"] == "1"
    assert (owned["underlying_first"], owned["underlying_last"]) == ("u1", "u9")
    assert owned["activity_type"] is None
    assert tuple(blocks[0].series)[:1] == (SERIES.cooperative_approach,)
    assert {b.first for b in blocks_of(real_ledger(), "GHA01")} == {401, 501}
