"""The hub's own books: silent when sound, and each planted edit is named, on either database."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select, text

from hub.services.reconciliation.ledger import own_books
from hub.services.reconciliation.ledger.book_faults import BookFault, FaultKind, OwnBooks
from hub.services.reconciliation.ledger.folding import bring_up_to_date
from hub.store.database import Database
from hub.store.reconciliation import tables
from reconciliation.digests import KEPT_SHIFTS
from reconciliation.link_keys import key_of_year
from tests.hub.world import World
from tests.integration.peers import now

NIGHT = date(2026, 11, 22)
KEYS = {code: key_of_year(b"a link's secret, for tests alone!", code, 2026) for code in ("CHE01",)}


@pytest.fixture
def kept_world(either_world: World) -> World:
    """Return a world with units moved, units in flight, and the digests of CHE01 kept."""
    either_world.begin()
    either_world.transfer("THA01-1", 1, 100)
    either_world.transfer("THA01-2", 70_001, 70_100)
    either_world.propose("THA01-3", 101, 150)
    bring_up_to_date(either_world.database, KEYS)
    either_world.transfer("THA01-4", 60_001, 60_100)
    bring_up_to_date(either_world.database, KEYS)
    return either_world


def check(database: Database, night: date = NIGHT, *, everything: bool = False) -> OwnBooks:
    """Check the books with the key of CHE01."""
    return own_books.check(database, keys=KEYS, night=night, everything=everything)


def edit(database: Database, *statements: str) -> None:
    """Edit rows as nobody should."""
    with database.writing() as connection:
        if database.is_sqlite:
            connection.execute(text("PRAGMA ignore_check_constraints = ON"))
        for statement in statements:
            assert connection.execute(text(statement)).rowcount > 0, f"no damage by {statement}"


def test_sound_books_are_silent(kept_world: World) -> None:
    """Blocks, journal and digests are looked at, and nothing is found, all or in a night's turn."""
    for everything in (False, True):
        checked = check(kept_world.database, everything=everything)
        assert checked.is_sound, checked.faults
        assert checked.series_checked == checked.series_known == 1
        assert checked.block_count >= 3
        assert checked.posting_count >= 5
        assert checked.digest_count >= len(KEPT_SHIFTS)
        assert checked.unkeyed == ()


DAMAGE = {
    "a block dropped": ("DELETE FROM unit_block WHERE first_serial = 1", "conservation"),
    "a block longer, into another": (
        "UPDATE unit_block SET last_serial = 120 WHERE first_serial = 1",
        "overlap",
    ),
    "a block in other hands": (
        "UPDATE unit_block SET registry = 'GHA01' WHERE first_serial = 1",
        "difference",
    ),
    "a block used by nobody": (
        "UPDATE unit_block SET status = 'used' WHERE first_serial = 1",
        "difference",
    ),
    "a posting dropped": ("DELETE FROM posting WHERE kind = 'moved'", "difference"),
    "a posting changed": (
        "UPDATE posting SET last_serial = 200 WHERE kind = 'moved' AND first_serial = 1",
        "journal",
    ),
    "units brought in twice": (
        "UPDATE posting SET first_serial = 1 WHERE kind = 'introduced' AND first_serial > 60000",
        "journal",
    ),
    "a block of CHE01 gone, for its digests": (
        "DELETE FROM unit_block WHERE first_serial = 1",
        "digest",
    ),
    "a kept sum dropped": ("DELETE FROM reconciliation_digest WHERE shift = 16", "digest"),
    "a kept sum of another chunk": (
        "UPDATE reconciliation_digest SET chunk = 5 WHERE shift = 16 AND chunk = 1",
        "digest",
    ),
    "a kept total of a movement dropped": ("DELETE FROM reconciliation_movement", "movement"),
    "a movement of another entry": (
        "UPDATE reconciliation_movement SET log_index = log_index - 1",
        "movement",
    ),
    "a status that there is not": (
        "UPDATE unit_block SET status = 'lost' WHERE first_serial = 1",
        "series",
    ),
    "attributes that nobody recorded": (
        "UPDATE posting SET attributes_id = 999 WHERE kind = 'moved' AND first_serial = 1",
        "series",
    ),
    "a journal of a series that is not on record": (
        "UPDATE posting SET series_id = 999 WHERE first_serial = 70001",
        "series",
    ),
    "a kept sum of a series": ("DELETE FROM reconciliation_digest WHERE shift = 63", "root"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_each_planted_edit_is_named(kept_world: World, kind: str) -> None:
    """Dropped, altered, overlapping rows of blocks, journal and sums: each with its kind."""
    statement, expected = DAMAGE[kind]
    edit(kept_world.database, statement)
    found = check(kept_world.database, everything=True)
    assert FaultKind(expected) in {one.kind for one in found.faults}, found.faults
    assert found.fault_count == len(found.faults)
    assert all(one.subject and one.text for one in found.faults)


def test_a_changed_sum_is_found_wherever_it_lies(kept_world: World) -> None:
    """One bit of any kept row of the registry, at any shift, is a fault."""
    database = kept_world.database
    with database.reading() as connection:
        kept = connection.execute(select(tables.digest)).mappings().all()
    for row in kept:
        changed = bytes([row["digest"][0] ^ 1]) + row["digest"][1:]
        place = [tables.digest.c[name] == row[name] for name in ("shift", "series_id", "chunk")]
        with database.writing() as connection:
            connection.execute(tables.digest.update().where(*place).values(digest=changed))
        found = {one.kind for one in check(database, everything=True).faults}
        assert FaultKind.DIGEST in found, row
        assert (FaultKind.ROOT in found) == (row["shift"] == 63)
        with database.writing() as connection:
            connection.execute(tables.digest.update().where(*place).values(digest=row["digest"]))
    assert check(database, everything=True).is_sound


def test_digests_are_proved_as_of_where_they_are_folded_to(kept_world: World) -> None:
    """Trading that went on since is taken off by the journal; an edit is seen all the same."""
    kept_world.transfer("THA01-9", 201, 300)
    kept_world.say("CHE01", "XHB01", ("administrator.note", {"subject": "a", "text": "b"}))
    checked = check(kept_world.database, everything=True)
    assert checked.is_sound, checked.faults
    edit(kept_world.database, "DELETE FROM reconciliation_digest WHERE shift = 26")
    assert [one.kind for one in check(kept_world.database, everything=True).faults] == ["digest"]


def test_frozen_serials_of_a_closed_case_are_a_fault(kept_world: World) -> None:
    """Thawing went wrong: the range and its case are named; an open case's range is none."""
    with kept_world.database.writing() as connection:
        for number, state in enumerate(("open", "closed"), start=1):
            plant_case(connection, f"2026-11-22/{number}", state)
    (fault,) = check(kept_world.database).faults
    assert fault.kind is FaultKind.FREEZE
    assert fault.subject == "case 2026-11-22/2"
    assert "THA-*-2022 1 to 10" in fault.text


def plant_case(connection: Connection, case_id: str, state: str) -> None:
    """Write a case with one frozen range."""
    at = now()
    connection.execute(
        insert(tables.case).values(
            case_id=case_id,
            registry="CHE01",
            kind="missing_at_registry",
            state=state,
            summary="10 units are missing at CHE01",
            units=10,
            opened_at=at,
            opened_session="CHE01-1",
            last_session="CHE01-1",
            changed_at=at,
            reopened_count=0,
        )
    )
    connection.execute(
        insert(tables.case_range).values(
            case_id=case_id,
            ordinal=0,
            cooperative_approach="CA0001",
            originating_registry="THA01",
            first_transferring_party="THA",
            vintage=2022,
            first_serial=1,
            last_serial=10,
            body="{}",
            is_frozen=True,
        )
    )


def test_a_registry_without_its_key_is_named_and_not_judged(kept_world: World) -> None:
    """No key, no digests: that is said, and the other proofs go on."""
    checked = own_books.check(kept_world.database, keys={}, night=NIGHT)
    assert checked.unkeyed == ("CHE01",)
    assert checked.digest_count == 0
    assert checked.is_sound


def test_a_key_that_made_other_digests_judges_none(kept_world: World) -> None:
    """After the link's secret was changed, the old digests are not called wrong."""
    other = {"CHE01": key_of_year(b"another secret, and as long as it is!", "CHE01", 2026)}
    checked = own_books.check(kept_world.database, keys=other, night=NIGHT)
    assert (checked.unkeyed, checked.is_sound) == (("CHE01",), True)


def keep_check(database: Database, night: date, checked: OwnBooks) -> None:
    """Keep a check with its night, as the night's run does."""
    with database.writing() as connection:
        connection.execute(
            insert(tables.night).values(
                night=night.isoformat(), state="finished", due_at=now(), own_books=checked.as_json()
            )
        )


def test_a_night_looks_at_what_was_touched_and_a_share_of_the_rest(kept_world: World) -> None:
    """A quiet series waits for its turn; a posting, or a fault last time, makes it due at once."""
    database = kept_world.database
    quiet = next(
        night
        for night in (NIGHT + timedelta(days) for days in range(own_books.NIGHTS))
        if not own_books.chosen([1], (), (), night - timedelta(1), night)
    )
    keep_check(database, quiet - timedelta(1), check(database))
    edit(database, "DELETE FROM posting WHERE kind = 'moved'")
    assert check(database, quiet).series_checked == 0
    kept_world.propose("THA01-5", 301, 310)
    found = check(database, quiet)
    assert not found.is_sound
    keep_check(database, quiet, found)
    assert not check(database, quiet + timedelta(1)).is_sound


@given(
    known=st.sets(st.integers(1, 500), min_size=1),
    start=st.dates(date(2024, 1, 1), date(2030, 1, 1)),
    gaps=st.lists(st.integers(1, 40), min_size=1, max_size=40),
)
def test_every_series_has_its_turn_within_28_nights(
    known: set[int], start: date, gaps: list[int]
) -> None:
    """Missed nights are made up for, so no series is older than 28 nights after any night."""
    seen = dict.fromkeys(known, start)
    last: date | None = None
    night = start
    for gap in gaps:
        for one in own_books.chosen(known, (), (), last, night):
            seen[one] = night
        assert all((night - when).days < own_books.NIGHTS for when in seen.values())
        last, night = night, night + timedelta(gap)


def test_a_share_is_about_a_twenty_eighth() -> None:
    """A night after a night takes every 28th series and none twice."""
    known = range(1, 2801)
    shares = [
        own_books.chosen(known, (), (), NIGHT + timedelta(day - 1), NIGHT + timedelta(day))
        for day in range(own_books.NIGHTS)
    ]
    assert {len(share) for share in shares} == {100}
    assert sorted(one for share in shares for one in share) == list(known)


def test_a_check_is_kept_and_read_again() -> None:
    """What is written with a night says the same when it is read."""
    fault = BookFault(FaultKind.DIGEST, "CHE01 CA0001", "differs", 3)
    made = OwnBooks(5, 4, 3, 2, 1, 0, 0.5, ("KEN01",), 1, (fault,))
    assert OwnBooks.from_json(made.as_json()) == made


def test_the_operator_is_told_once_a_kind(kept_world: World) -> None:
    """One alert for each kind of fault, counted on when it is found again."""
    edit(kept_world.database, "DELETE FROM reconciliation_digest WHERE shift = 63")
    checked = check(kept_world.database)
    with kept_world.database.writing() as connection:
        for _ in range(2):
            own_books.tell_operator(connection, checked, now())
        found = connection.execute(text("SELECT kind, subject, count FROM alert")).all()
    assert sorted(map(tuple, found)) == [("own_books", "digest", 2), ("own_books", "root", 2)]


def test_progress_ends_at_the_whole(kept_world: World) -> None:
    """The rows told of grow to the total, which is every block and posting."""
    told: list[tuple[int, int]] = []
    note: Callable[[int, int], None] = lambda done, total: told.append((done, total))  # noqa: E731 - a spy of one line
    checked = own_books.check(
        kept_world.database, keys=KEYS, night=NIGHT, everything=True, progress=note
    )
    assert told[-1] == (checked.block_count + checked.posting_count,) * 2
