"""Whatever is asked of transfers, their pages together are the whole answer, either way."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.checks.facts import TransferRecord
from hub.international_registry.accounts import Account, AccountStatus
from hub.international_registry.units import Range, Series
from hub.protocol.transfer_states import TransferState
from hub.store import reference, transfers
from hub.store.console import transfer_search
from hub.store.console.transfer_search import Found, Place, Wanted
from hub.store.database import Database
from tests.hub.world import World

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
CODES = ("THA01", "CHE01", "GHA01", "XIR01")
PARTY_OF = {"THA01": "THA", "CHE01": "CHE", "GHA01": "GHA"}
APPROACHES = ("CA0001", "CA0002")
ACCOUNTS = ("A-1", "A-2", "A-3")
FUND = "IR-SUR-1"
ROWS = 150


def made_up(random: Random) -> list[TransferRecord]:
    """Return transfers of every kind, many of them in one moment."""
    rows: list[TransferRecord] = []
    at = BEGIN
    for number in range(1, ROWS + 1):
        at += timedelta(milliseconds=random.choice((0, 0, 1, 60_000)))
        initiator, acquirer = random.sample(CODES, 2)
        state = random.choices(list(TransferState), (1, 20, 1, 1, 1))[0]
        is_open = state is TransferState.PROPOSED
        account = FUND if acquirer == "XIR01" and random.random() < 0.3 else random.choice(ACCOUNTS)
        rows.append(
            TransferRecord(
                transfer_id=f"{initiator}-{random.randrange(1, 90) * 1000 + number}",
                mode=random.choice(("move", "move", "notify_and_record")),
                initiator=initiator,
                acquirer=acquirer,
                state=state,
                action="transfer",
                cooperative_approach=random.choice(APPROACHES),
                transferring_account=random.choice(ACCOUNTS),
                acquiring_account=account,
                acquiring_entity=None,
                purpose="NDC",
                quantity=number,
                respond_by=at + timedelta(days=1),
                proposal_sha256="0" * 64,
                proposed_log_index=number,
                proposed_at=at,
                closed_log_index=None if is_open else number,
                closed_at=None if is_open else at,
            )
        )
    return rows


@pytest.fixture
def filled(database: Database, run_seed: int) -> tuple[Database, list[TransferRecord]]:
    """Return a database with made-up transfers, and the same in a list, the newest first."""
    rows = made_up(Random(run_seed))
    fund = Account(FUND, "XIR01", 100, "SUR", None, None, "GHG", AccountStatus.OPEN)
    with database.writing() as connection:
        reference.add_account(connection, fund, BEGIN)
        transfers.add(connection, rows)
    ordered = sorted(rows, key=lambda one: (one.proposed_at, one.transfer_id), reverse=True)
    return database, ordered


def is_wanted(row: TransferRecord, wanted: Wanted) -> bool:
    """Tell the same in plain words."""
    ends = ((row.initiator, row.transferring_account), (row.acquirer, row.acquiring_account))
    parties = {PARTY_OF.get(code) for code, _ in ends}
    parties |= {"SUR" for code, account in ends if (code, account) == ("XIR01", FUND)}
    return (
        (wanted.id_beginning is None or row.transfer_id.startswith(wanted.id_beginning))
        and (wanted.ids is None or row.transfer_id in wanted.ids)
        and (wanted.registry is None or wanted.registry in {code for code, _ in ends})
        and (wanted.party is None or wanted.party in parties)
        and (wanted.account is None or wanted.account in {account for _, account in ends})
        and (wanted.state is None or row.state == wanted.state)
        and (wanted.mode is None or row.mode == wanted.mode)
        and (wanted.approach is None or row.cooperative_approach == wanted.approach)
        and (wanted.since is None or row.proposed_at >= wanted.since)
        and (wanted.until is None or row.proposed_at < wanted.until)
    )


def maybe(values: Iterable[Any]) -> st.SearchStrategy[Any]:
    """Return nothing, or one of the values."""
    return st.none() | st.sampled_from(list(values))


moments = maybe(BEGIN + timedelta(minutes=minutes) for minutes in (0, 5, 40, 80, 200))
filters = st.builds(
    Wanted,
    id_beginning=maybe(("THA01-", "CHE01-1", "THA01-12", "GHA01-999999999999999999", "ZZZ01-")),
    registry=maybe((*CODES, "ZZZ01")),
    party=maybe(("THA", "SUR", "ZZZ")),
    account=maybe((*ACCOUNTS, FUND)),
    state=maybe(str(state) for state in TransferState),
    mode=maybe(("move", "notify_and_record")),
    approach=maybe(APPROACHES),
    since=moments,
    until=moments,
)


def walked(
    database: Database, wanted: Wanted, limit: int, rows_max: int, *, towards_newer: bool
) -> list[TransferRecord]:
    """Return all pages one after the other, each in a transaction of its own."""
    rows: list[TransferRecord] = []
    place: Place | None = None
    for _ in range(5 * ROWS):
        with database.reading() as connection:
            found = transfer_search.page(
                connection,
                wanted,
                international_registry="XIR01",
                limit=limit,
                after=place,
                towards_newer=towards_newer,
                rows_max=rows_max,
            )
        assert len(found.rows) <= limit
        assert found.next is None or len(found.rows) == limit or found.is_cut
        rows = [*found.rows, *rows] if towards_newer else [*rows, *found.rows]
        if found.next is None:
            return rows
        place = found.next
    raise AssertionError("the pages have no end")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    wanted=filters,
    limit=st.sampled_from((4, 30, 500)),
    rows_max=st.sampled_from((1, 30, 20_000)),
    towards_newer=st.booleans(),
)
def test_the_pages_are_together_the_whole_whatever_is_asked(
    filled: tuple[Database, list[TransferRecord]],
    wanted: Wanted,
    limit: int,
    rows_max: int,
    towards_newer: bool,
) -> None:
    """Nothing twice, nothing left out, the newest first; however little a page looks at."""
    database, rows = filled
    expected = [row.transfer_id for row in rows if is_wanted(row, wanted)]
    found = walked(database, wanted, limit, rows_max, towards_newer=towards_newer)
    assert [row.transfer_id for row in found] == expected


def test_a_beginning_with_more_transfers_than_may_be_named_is_looked_for_by_time(
    filled: tuple[Database, list[TransferRecord]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is the same."""
    monkeypatch.setattr(transfer_search, "IDS_MAX", 3)
    database, rows = filled
    wanted = Wanted(id_beginning="THA01-")
    expected = [row.transfer_id for row in rows if is_wanted(row, wanted)]
    found = walked(database, wanted, 50, 20_000, towards_newer=False)
    assert len(expected) > 3
    assert [row.transfer_id for row in found] == expected


def test_a_page_says_that_it_stopped_early_and_where(
    filled: tuple[Database, list[TransferRecord]],
) -> None:
    """Short, and followed by another: what has not been looked at is not said to be missing."""
    database, rows = filled
    with database.reading() as connection:
        found = transfer_search.page(
            connection,
            Wanted(account="nobody's"),
            international_registry="XIR01",
            limit=10,
            rows_max=50,
        )
    place = Place(rows[49].proposed_at, rows[49].transfer_id)
    assert found == Found((), place, is_cut=True)


def range_of(first: int, last: int, **series: Any) -> Range:
    """Return serials of the units that the world transfers."""
    return Range(replace(Series("CA0001", "THA01", "THA", 2022), **series), first, last)


def test_serials_find_what_moved_and_what_is_in_flight(database: Database) -> None:
    """By overlap; a proposal that came to nothing is not found so."""
    world = World(database)
    world.begin()
    world.transfer("THA01-1", 1, 100)
    world.propose("THA01-2", 200, 299)
    world.propose("THA01-3", 400, 499)

    def ids(first: int, last: int, **series: Any) -> set[str]:
        with world.database.reading() as connection:
            found = transfer_search.ids_of_serials(connection, range_of(first, last, **series))
        assert not found.is_cut
        return set(found.ids)

    assert ids(50, 50) == {"THA01-1"}
    assert ids(100, 200) == {"THA01-1", "THA01-2"}
    assert ids(299, 10**12) == {"THA01-2", "THA01-3"}
    assert ids(101, 199) == ids(1, 100, vintage=2023) == set()


def test_serials_with_very_many_moves_are_said_to_be_cut(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page never reads on without end, and never says that this is all."""
    world = World(database)
    world.begin()
    for number in range(3):
        world.transfer(f"THA01-{number + 1}", 100 * number + 1, 100 * number + 100)
    monkeypatch.setattr(transfer_search, "SPANS_LOOKED_AT_MAX", 2)
    with world.database.reading() as connection:
        assert transfer_search.ids_of_serials(connection, range_of(1, 300)).is_cut
        assert not transfer_search.ids_of_serials(connection, range_of(1, 50)).is_cut
