"""The book on its own: whatever is done to it in whatever order, no unit is made or lost."""

from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Connection, delete, insert, update

from connectors.party_registry import book, book_store, book_tables, tracking_tables
from connectors.party_registry.book import BookError
from connectors.party_registry.book_store import Account
from connectors.party_registry.check_book import check_book
from connectors.party_registry.units import (
    BlockStatus,
    HeldBlock,
    Series,
    Span,
    merge_spans,
    total,
)
from connectors.session.database import open_engine

AT = "2026-11-22T10:00:00.000Z"
SERIES = Series("CA0001", "THA01", "THA", 2022)
ATTRIBUTES = '{"metric":"GHG"}'


def open_book(path: Path) -> Connection:
    """Return an open transaction on an empty book with two accounts."""
    engine = open_engine(path / "book.sqlite")
    connection = engine.connect()
    connection.begin()
    for tables in (book_tables.METADATA, tracking_tables.METADATA):
        tables.create_all(connection)
    for account in ("A-1", "A-2"):
        opened = Account(account, "holding", "THA", None, None, "open", AT)
        assert book_store.open_account(connection, opened)
    return connection


def issue(connection: Connection, quantity: int, account: str = "A-1") -> HeldBlock:
    """Issue units at the next serials."""
    return book.issue(connection, account, SERIES, quantity, ATTRIBUTES, reference="TH-1", at=AT)


def note_transfer(connection: Connection, transfer_id: str) -> None:
    """Track an open transfer, so that its reservation is not stale."""
    connection.execute(
        insert(tracking_tables.action).values(
            action_id=transfer_id,
            type="action.use",
            state="submitted",
            quantity=1,
            body=b"{}",
            created_at=AT,
            changed_at=AT,
            detail="",
        )
    )


class BookMachine(RuleBasedStateMachine):
    """Draws what happens to a book, beside a model that is a plain dictionary of units."""

    @initialize()
    def open(self) -> None:
        """Begin with an empty book and an empty model."""
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.connection = open_book(Path(self.folder.name))
        self.units: dict[int, tuple[str, str | None]] = {}  # serial -> status, reserved by
        self.away: set[int] = set()
        self.references = 0
        self.open_references: list[str] = []

    @rule(quantity=st.integers(1, 40))
    def issue(self, quantity: int) -> None:
        """New serials follow the ones issued before."""
        block = issue(self.connection, quantity)
        self.units |= dict.fromkeys(range(block.first, block.last + 1), ("authorized", None))

    @rule(first=st.integers(1, 120), length=st.integers(1, 40))
    def reserve(self, first: int, length: int) -> None:
        """A range is reserved whole if every unit is free, and not at all otherwise."""
        wanted = range(first, first + length)
        free = all(
            self.units.get(serial) in {("authorized", None), ("itmo", None)} for serial in wanted
        )
        reference = f"THA01-{self.references + 1}"
        span = Span(SERIES, first, first + length - 1)
        before = self.connection.begin_nested()
        try:
            book.reserve(self.connection, "A-1", [span], reference, AT)
        except BookError:
            before.rollback()
            assert not free
            return
        assert free
        self.references += 1
        self.open_references.append(reference)
        note_transfer(self.connection, reference)
        for serial in wanted:
            self.units[serial] = (self.units[serial][0], reference)

    @rule(data=st.data(), ending=st.sampled_from(["release", "debit", "use", "cancel"]))
    def end(self, data: st.DataObject, ending: str) -> None:
        """A reservation ends in one of four ways, for exactly the units that it held."""
        if not self.open_references:
            return
        reference = data.draw(st.sampled_from(self.open_references))
        self.open_references.remove(reference)
        held = [serial for serial, (_, by) in self.units.items() if by == reference]
        if ending == "release":
            assert book.release(self.connection, reference, AT) == len(held)
            self.units |= {serial: (self.units[serial][0], None) for serial in held}
        elif ending == "debit":
            assert book.debit(self.connection, reference, AT) == len(held)
            for serial in held:
                del self.units[serial]
            self.away.update(held)
        else:
            status = BlockStatus.USED if ending == "use" else BlockStatus.CANCELLED
            assert book.retire(self.connection, reference, status, ending, AT) == len(held)
            self.units |= dict.fromkeys(held, (status.value, None))

    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        """A unit that went away may return once, and not while it is here."""
        if not self.away:
            return
        serial = data.draw(st.sampled_from(sorted(self.away)))
        arrived = [(Span(SERIES, serial, serial), ATTRIBUTES, "earlier")]
        book.credit(self.connection, "A-1", arrived, "CHE01-1", AT)
        with pytest.raises(BookError, match="here already"):
            book.credit(self.connection, "A-1", arrived, "CHE01-2", AT)
        self.away.remove(serial)
        self.units[serial] = ("itmo", None)

    @invariant()
    def the_book_is_the_model(self) -> None:
        """Every serial has the status and reservation of the model, and the book is sound."""
        found = {
            serial: (block.status.value, block.reserved_by)
            for block in book_store.fetch_holdings(self.connection)
            for serial in range(block.first, block.last + 1)
        }
        assert found == self.units
        assert check_book(self.connection) == []

    def teardown(self) -> None:
        """Close the book."""
        self.connection.close()
        self.folder.cleanup()


TestBook = BookMachine.TestCase
TestBook.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)


def test_the_check_finds_what_was_tampered_with(tmp_path: Path) -> None:
    """A block made longer, one deleted, and a reservation of nobody are all told."""
    connection = open_book(tmp_path)
    issue(connection, 100)
    assert check_book(connection) == []
    blocks = book_tables.unit_block
    connection.execute(update(blocks).values(last_serial=101))
    assert len(check_book(connection)) == 2
    connection.execute(update(blocks).values(last_serial=100, reserved_by="THA01-9"))
    assert check_book(connection) == ["THA01-9 holds a reservation but is not known"]
    connection.execute(delete(blocks))
    assert any("the journal accounts for 100" in problem for problem in check_book(connection))
    connection.close()


def test_a_first_transfer_is_marked_once_and_inherited(tmp_path: Path) -> None:
    """Marking a part splits it off; a second mark changes nothing (4/CMA.6 paras 12 and 17)."""
    connection = open_book(tmp_path)
    issue(connection, 100)
    span = Span(SERIES, 31, 60)
    assert book.mark_first_transfer(connection, span, "omge", "R-1", AT) == 30
    whole = Span(SERIES, 1, 100)
    assert book.mark_first_transfer(connection, whole, "use", "R-2", AT) == 70
    marks = {(b.first, b.last): b.first_transfer for b in book_store.fetch_holdings(connection)}
    assert marks == {(1, 30): "use", (31, 60): "omge", (61, 100): "use"}
    assert check_book(connection) == []
    connection.close()


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        (1, 101, "is not held here"),
        (101, 110, "is not held here"),
        (10, 5, "runs backwards"),
    ],
)
def test_what_is_not_here_cannot_be_reserved(
    tmp_path: Path, first: int, last: int, text: str
) -> None:
    """The refusal names the first unit that is missing."""
    connection = open_book(tmp_path)
    issue(connection, 100)
    with pytest.raises(BookError, match=text):
        book.reserve(connection, "A-1", [Span(SERIES, first, last)], "THA01-1", AT)
    with pytest.raises(BookError, match="is in the account A-1"):
        book.reserve(connection, "A-2", [Span(SERIES, 1, 10)], "THA01-1", AT)
    connection.close()


def test_units_are_picked_oldest_first_and_never_too_few(tmp_path: Path) -> None:
    """Lower serials go first; asking for more than is free is refused with the number."""
    connection = open_book(tmp_path)
    issue(connection, 10)
    issue(connection, 10)
    assert book.pick(connection, "A-1", "CA0001", 15) == [Span(SERIES, 1, 15)]
    with pytest.raises(BookError, match="holds 20 free units of 21"):
        book.pick(connection, "A-1", "CA0001", 21)
    connection.close()


def test_overlapping_spans_are_refused_and_touching_ones_joined() -> None:
    """A unit is named once."""
    touching = [Span(SERIES, 6, 9), Span(SERIES, 1, 5)]
    assert merge_spans(touching) == [Span(SERIES, 1, 9)]
    assert total(touching) == 9
    with pytest.raises(ValueError, match="overlap"):
        merge_spans([Span(SERIES, 1, 5), Span(SERIES, 5, 9)])


def test_units_given_away_without_moving_make_room_when_they_arrive(tmp_path: Path) -> None:
    """They lie here once, on record as ours; one that was never given away is in the way."""
    connection = open_book(tmp_path)
    issue(connection, 10)
    away = book.inside(connection, Span(SERIES, 3, 6))
    book_store.journal(connection, "notified", away, "THA01-1", AT)
    event = "international_transfer"
    both = [(Span(SERIES, 3, 4), ATTRIBUTES, event), (Span(SERIES, 6, 7), ATTRIBUTES, event)]
    with pytest.raises(BookError, match="is here already"):
        book.credit(connection, "A-2", both, "CHE01-1", AT)
    assert {block.account_id for block in book_store.fetch_holdings(connection)} == {"A-1"}
    book.credit(connection, "A-2", [(Span(SERIES, 4, 6), ATTRIBUTES, event)], "CHE01-2", AT)
    lying = [(b.first, b.last, b.account_id, b.known_to_hub) for b in _in_order(connection)]
    assert lying == [
        (1, 2, "A-1", False),
        (3, 3, "A-1", False),
        (4, 6, "A-2", True),
        (7, 10, "A-1", False),
    ]
    assert check_book(connection) == []
    connection.close()


def _in_order(connection: Connection) -> list[HeldBlock]:
    return sorted(book_store.fetch_holdings(connection), key=lambda block: block.first)
