"""Sums, blocks, serials and the log as desks tell them, on both databases."""

from dataclasses import replace

import pytest
from sqlalchemy import delete, update

from hub.bootstrap_console import ground_of
from hub.config import Settings
from hub.international_registry.ledger import LedgerWindow
from hub.international_registry.units import BlockStatus, FirstTransferEvent, Range
from hub.services.console.ground import Ground
from hub.services.console.ledger import holdings_book, holdings_pivot, ledger_desk, serial_desk
from hub.services.console.ledger.holdings_book import HoldingsBook
from hub.services.console.ledger.ledger_desk import BlockFilter, LedgerDesk
from hub.services.console.ledger.serial_desk import Cut, Link, SerialDesk
from hub.services.console.ledger.serial_forms import read_units
from hub.services.console.log.log_desk import LogDesk
from hub.store import ledger
from hub.store.console import holdings_sums
from hub.store.database import Database
from hub.store.holdings import HoldingRow
from hub.store.interning import Interning
from hub.store.tables import log_entry, posting
from hub.transparency_log.proofs import verify_consistency, verify_inclusion
from tests.hub.log_world import grow, log_keys, published
from tests.hub.store.console.test_holdings_sums import History
from tests.hub.store.samples import ATTRIBUTES, SERIES
from tests.hub.world import World
from tests.integration.peers import now

UNIT = "CA0001-THA01-THA-{}-2022"


@pytest.fixture
def ground(either: Database) -> Ground:
    """Return what desks need, over a database of either kind."""
    settings = Settings(database_url=either.url.render_as_string(hide_password=False))
    return ground_of(settings, either)


@pytest.fixture
def played(ground: Ground) -> World:
    """Return a world in which units moved on in smaller and smaller pieces."""
    world = World(ground.database)
    world.begin()
    world.transfer("THA01-1", 1, 99)
    world.propose("THA01-2", 100, 149)
    return world


@pytest.fixture
def random_ledger(ground: Ground, run_seed: int) -> Ground:
    """Fill the ledger with a random history."""
    with ground.database.writing() as connection:
        history = History(connection, run_seed)
        for _ in range(25):
            history.batch()
    return ground


def test_the_book_follows_the_journal_and_notices_another_past(random_ledger: Ground) -> None:
    """Counted once, folded on; a database that was put back is counted anew."""
    database = random_ledger.database
    book = HoldingsBook(database)
    first = book.now(30)
    assert first is not None
    with database.writing() as connection:
        history = History(connection, 77)
        history.next_block, history.number = 10_000, 500
        history.batch()
        counted = holdings_sums.count(connection)
    second = book.now()
    assert second is not None
    assert second.sums.units == counted.units
    assert second.sums.counted_at == first.log_index < second.log_index
    with database.writing() as connection:
        connection.execute(
            update(log_entry)
            .where(log_entry.c.log_index == second.log_index)
            .values(entry=b"another past")
        )
    third = book.now(30)
    assert third is not None
    assert third.sums.counted_at == second.log_index


def test_a_long_silence_is_caught_up_beside_the_page(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks gets what is known so far with its index; soon all of it."""
    monkeypatch.setattr(holdings_book, "ENTRIES_AT_ONCE_MAX", 2)
    book = HoldingsBook(ground.database)
    first = book.now(30)
    assert first is not None
    size = grow(ground.database, 30)
    second = book.now()
    assert second is not None
    assert first.log_index < second.log_index <= first.log_index + 2
    indices = [one.log_index for _ in range(200) if (one := book.now()) is not None]
    assert indices[-1] == size - 1


def test_old_postings_that_do_not_tell_are_counted_anew(random_ledger: Ground) -> None:
    """Instead of guessed."""
    book = HoldingsBook(random_ledger.database)
    first = book.now(30)
    assert first is not None
    with random_ledger.database.writing() as connection:
        history = History(connection, 5)
        history.next_block, history.number = 20_000, 900
        for _ in range(6):
            history.batch()
        connection.execute(update(posting).values(was_status=None, was_first_transferred=None))
        counted = holdings_sums.count(connection)
    found = book.now(30)
    assert found is not None
    assert found.sums.units == counted.units


@pytest.mark.parametrize("rows", holdings_pivot.DIMENSIONS)
@pytest.mark.parametrize("filters", [{}, {"status": "itmo"}, {"approach": "CA0001"}])
def test_every_pivot_adds_up(random_ledger: Ground, rows: str, filters: dict[str, str]) -> None:
    """Rows, columns and the whole; what is not shown is in the rest."""
    snapshot = HoldingsBook(random_ledger.database).now(30)
    assert snapshot is not None
    whole = sum(
        units
        for held, units in snapshot.sums.units.items()
        if filters.get("status") in (None, held.status)
        and filters.get("approach") in (None, snapshot.series[held.series_id].cooperative_approach)
    )
    for columns in holdings_pivot.DIMENSIONS:
        if columns == rows:
            continue
        found = holdings_pivot.pivot(snapshot, (rows, columns), filters)
        assert found.total == whole == sum(found.totals) + (found.rest or 0)
        assert sum(row.total for row in found.rows) == whole
        assert all(sum(row.cells) + row.rest == row.total for row in found.rows)


@pytest.mark.parametrize(
    "wanted",
    [
        BlockFilter(),
        BlockFilter(registry="CHE01"),
        BlockFilter(status="itmo"),
        BlockFilter(registry="THA01", status="used", approach="CA0001"),
        BlockFilter(vintage=2023),
        BlockFilter(party="ZZZ"),
    ],
    ids=str,
)
def test_a_filter_finds_exactly_its_blocks_page_by_page(
    random_ledger: Ground, wanted: BlockFilter
) -> None:
    """Whether the sums tell where to look or not."""
    desk = LedgerDesk(random_ledger)
    desk._book.now(30)
    everything = desk.blocks(BlockFilter(), limit=10_000).rows
    expected = [
        row
        for row in everything
        if wanted.registry in (None, row.registry)
        and wanted.status in (None, row.status)
        and wanted.approach in (None, row.cooperative_approach)
        and wanted.vintage in (None, row.vintage)
        and wanted.party in (None, row.first_transferring_party)
    ]
    for limit in (1, 3, 500):
        found: list[HoldingRow] = []
        place = ledger_desk.START
        while True:
            page = desk.blocks(wanted, place, limit)
            found += page.rows
            assert len(page.rows) <= limit
            if page.next is None:
                break
            assert page.next > place
            place = page.next
        assert found == expected
    lines = b"".join(desk.csv(wanted)).decode().splitlines()
    assert len(lines) == 1 + len(expected)


def test_a_serial_tells_its_life_and_when_its_block_was_split(
    ground: Ground, played: World
) -> None:
    """From the introduction on; each step leads to its transfer and its entry."""
    desk = SerialDesk(ground)
    life = desk.life(read_units(UNIT.format(15)))
    assert [step.kind for step in life.steps] == ["introduced", "reserved", "moved"]
    assert [step.cut for step in life.steps] == [Cut.BEGINNING, Cut.SAME, Cut.SAME]
    assert {step.reference.link for step in life.steps} == {Link.TRANSFER}
    assert all(step.at is not None and step.entry_kind == "envelope" for step in life.steps)
    (piece,) = life.pieces
    assert (piece.registry, piece.status, piece.block_quantity) == ("CHE01", "itmo", 99)
    assert life.next_step is None
    assert life.next_serial is None


def test_splits_and_joins_are_told_of_a_single_serial(ground: Ground, run_seed: int) -> None:
    """A hold of a part splits the block; the act behind it is named."""
    with ground.database.writing() as connection:
        history = History(connection, run_seed)
        window = LedgerWindow([], 1)
        whole, part = Range(SERIES[0], 1, 100), Range(SERIES[0], 10, 20)
        window.introduce(
            whole,
            ATTRIBUTES[1],
            "THA01",
            None,
            BlockStatus.ITMO,
            FirstTransferEvent.ISSUANCE,
            "ISS-1",
            ("VCS-1", "VCS-9"),
        )
        window.hold([part], "S:7")
        window.unhold(part)
        window.coalesce()
        window.use([whole], "THA01-U1", None)
        changes = window.changes()
        ledger.record(connection, Interning(), changes, [history.index + 1] * 4)
        history._begin(history.index + 1)
    life = SerialDesk(ground).life(read_units(UNIT.format(15)))
    assert [step.kind for step in life.steps] == ["introduced", "held", "unheld", "used"]
    assert [step.cut for step in life.steps] == [Cut.BEGINNING, Cut.SPLIT, Cut.SAME, Cut.JOINED]
    assert life.steps[1].reference.link is Link.ACT
    assert life.steps[1].reference.target == "7"
    assert life.steps[0].reference.link is Link.NOTHING
    assert life.pieces[0].underlying == ("VCS-1", "VCS-9")


def test_a_range_is_told_in_pages_without_gaps(
    random_ledger: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks and what is between them make the whole range; postings come once each."""
    monkeypatch.setattr(serial_desk, "PIECES_OF_A_PAGE", 2)
    monkeypatch.setattr(serial_desk, "STEPS_OF_A_PAGE", 3)
    desk = SerialDesk(random_ledger)
    asked = Range(SERIES[0], 1, 40_000)
    at, units = asked.first, 0
    while True:
        life = desk.life(asked, at)
        units += sum(piece.quantity for piece in life.pieces)
        if life.next_serial is None:
            break
        at = life.next_serial
    assert units == asked.quantity
    places: list[tuple[int, int]] = []
    after = (0, 0)
    while True:
        life = desk.life(asked, after=after)
        places += [(step.log_index, step.ordinal) for step in life.steps]
        if life.next_step is None:
            break
        after = life.next_step
    assert places == sorted(set(places))
    whole = SerialDesk(random_ledger).life(asked)
    monkeypatch.setattr(serial_desk, "STEPS_OF_A_PAGE", 10_000)
    assert len(places) == len(SerialDesk(random_ledger).life(asked).steps) > 3
    assert len(whole.steps) == 3


def test_the_log_desk_proves_what_it_shows(ground: Ground) -> None:
    """Entries in the newest tree, and old trees in new ones."""
    first = published(ground.database, 20)
    second = published(ground.database, 300)
    desk = LogDesk(ground)
    page = desk.page()
    assert page.vkeys == tuple(log_keys().vkeys)
    assert [one.size for one in page.checkpoints][:2] == [second.size, first.size]
    _, _, hashes = desk.consistency(str(first.size), str(second.size))
    verify_consistency(first.size, second.size, first.root, second.root, hashes)
    for index in (0, 5, 255, 256, second.size - 1):
        found = desk.entry(index)
        assert found is not None
        assert found.size == second.size
        verify_inclusion(index, second.size, found.leaf, found.proof, second.root)
    assert desk.entry(second.size) is None
    grow(ground.database, 1)
    uncovered = desk.entry(second.size)
    assert uncovered is not None
    assert uncovered.note is None


def test_an_entry_that_is_damaged_is_shown_as_such(ground: Ground) -> None:
    """Its bytes and leaf are told; that it is none of ours too."""
    size = published(ground.database, 5).size
    with ground.database.writing() as connection:
        connection.execute(
            update(log_entry).where(log_entry.c.log_index == size - 1).values(entry=b"{}")
        )
    found = LogDesk(ground).entry(size - 1)
    assert found is not None
    assert found.entry is None
    with ground.database.writing() as connection:
        connection.execute(delete(log_entry).where(log_entry.c.log_index == size - 1))
    assert LogDesk(ground).entry(size - 1) is None


def test_a_log_without_witnesses_has_none_to_show(ground: Ground) -> None:
    """And needs no clock for it."""
    published(ground.database)
    page = LogDesk(replace(ground, clock=now)).page()
    assert page.witnesses == ()
