"""Which moment is meant, and what a registry had acknowledged by then."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection

from hub.store import head as heads
from hub.store import mailboxes, replaced_deliveries
from hub.store.database import Database
from hub.store.log import LogDamagedError
from hub.store.mailboxes import Delivery, MailboxItem
from hub.store.reconciliation import moments, sessions
from hub.store.reconciliation.sessions import SessionRow
from tests.hub.store.samples import AT, rolled_back


def deliver(connection: Connection, sequence: int, log_index: int) -> Delivery:
    """Put an item of CHE01 at an entry into its mailbox, and store a delivery of it."""
    row = MailboxItem("CHE01", sequence, log_index, AT, False, None, "[]")
    mailboxes.add_items(connection, [row], {"CHE01": sequence})
    made = Delivery(
        "CHE01", sequence, sequence, log_index + 1, "0" * 64, AT, None, b"salt" * 4, b"body"
    )
    mailboxes.add_deliveries(connection, [made])
    return made


def acknowledge(connection: Connection, up_to: int, log_index: int) -> None:
    """Acknowledge the items of CHE01 up to one, by an envelope at an entry."""
    box = mailboxes.load(connection, ["CHE01"])["CHE01"]
    mailboxes.acknowledge(connection, [(box, up_to, log_index)], AT)


def test_a_registry_had_acknowledged_up_to_before_the_first_item_it_had_not(
    shared_database: Database,
) -> None:
    """As of any entry: what was acknowledged later counts as not acknowledged then."""
    with rolled_back(shared_database) as connection:
        for sequence, log_index in ((1, 100), (2, 110), (3, 120)):
            deliver(connection, sequence, log_index)
        acknowledge(connection, 1, 105)
        acknowledge(connection, 2, 130)
        known = {at: moments.acknowledged_to(connection, "CHE01", at) for at in range(98, 140)}
    assert known[99] == 99
    assert known[100] == known[104] == 99
    assert (known[105], known[109]) == (105, 109)
    assert known[110] == known[129] == 109
    assert known[130] == known[139] == 119


def test_an_acknowledgement_of_a_delivery_that_was_sealed_again_still_counts(
    shared_database: Database,
) -> None:
    """The registry has it, whatever became of the seal."""
    with rolled_back(shared_database) as connection:
        old = deliver(connection, 1, 100)
        acknowledge(connection, 1, 105)
        new = Delivery("CHE01", 1, 1, 140, "1" * 64, AT, None, b"salt" * 4, b"body")
        replaced_deliveries.replace_deliveries(connection, [(old, new)])
        assert moments.acknowledged_to(connection, "CHE01", 150) == 150
        assert moments.acknowledged_to(connection, "GHA01", 150) == 150


def test_a_time_is_the_last_entry_up_to_it(shared_database: Database) -> None:
    """At the time of an entry it is that entry; before the log there is none."""
    with shared_database.reading() as connection:
        head = heads.read(connection).log_index
        times = [moments.time_at(connection, index) for index in range(head + 1)]
        assert times == sorted(times)
        for time in {*times}:
            found = moments.index_at(connection, time)
            assert found == max(index for index, at in enumerate(times) if at == time)
        assert moments.index_at(connection, times[-1] + timedelta(days=1)) == head
        assert moments.index_at(connection, times[0] - timedelta(milliseconds=1)) is None
        with pytest.raises(LogDamagedError, match="no entry"):
            moments.time_at(connection, head + 1)


def session(log_index: int, mode: str, state: str, as_of: int, agreed: bool) -> SessionRow:
    """Return a session with CHE01 that has ended."""
    return SessionRow(
        f"CHE01-{log_index}",
        "CHE01",
        *(None, None, "night", mode, log_index, None, state, AT, AT, AT),
        as_of=as_of,
        agreed=agreed,
    )


def test_units_and_records_have_been_compared_up_to_where_their_own_sessions_went(
    shared_database: Database,
) -> None:
    """Those that ended; records up to the last agreement, or to where the registry had come."""
    with rolled_back(shared_database) as connection:
        assert moments.compared_as_of(connection, "CHE01") is None
        assert moments.records_agreed_to(connection, "CHE01") == 0
        sessions.add(
            connection,
            [
                session(50, "digests", "done", 60, False),
                session(70, "statement", "done", 40, True),
                session(80, "digests", "silent", 80, False),
                session(55, "records", "done", 52, True),
                session(65, "records", "done", 90, True),
                session(75, "records", "done", 75, False),
                session(85, "records", "refused", 85, False),
            ],
        )
        assert moments.compared_as_of(connection, "CHE01") == 60
        assert moments.records_agreed_to(connection, "CHE01") == 65
        assert moments.records_agreed_to(connection, "GHA01") == 0
