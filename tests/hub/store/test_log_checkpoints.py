"""Checkpoints and cosignatures as rows: one a size, found by what they cover, forgotten in time."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from hub.store import log_checkpoints
from hub.store.database import Database
from hub.store.log_checkpoints import StoredCheckpoint, StoredCosignature
from tests.hub.store.samples import rolled_back

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def checkpoint(size: int, *, at: datetime = NOON, settlement: bool = False) -> StoredCheckpoint:
    """Return a checkpoint of a size; its root tells the size."""
    return StoredCheckpoint(size, bytes([size]) * 32, at, f"note {size}", settlement)


def cosignature(size: int, witness: str = "CHE01", line: str = "line") -> StoredCosignature:
    """Return what a witness said of a size."""
    return StoredCosignature(size, witness, "0a0b0c0d", line, NOON)


def sizes(connection: Connection) -> list[int]:
    """Return the sizes of all checkpoints that are there."""
    return [one.size for one in log_checkpoints.from_size(connection, 0, 1_000)]


def test_a_size_has_one_checkpoint_whoever_stores_it(shared_database: Database) -> None:
    """The second process that signs the same head finds it stored and changes nothing."""
    with rolled_back(shared_database) as connection:
        assert log_checkpoints.add(connection, checkpoint(3))
        assert not log_checkpoints.add(connection, checkpoint(3, at=NOON + timedelta(seconds=1)))
        assert log_checkpoints.at_size(connection, 3) == checkpoint(3)
        assert log_checkpoints.at_size(connection, 4) is None


def test_the_newest_checkpoint_is_the_one_of_the_largest_size(shared_database: Database) -> None:
    """None in a new database; settlements are found by themselves."""
    with rolled_back(shared_database) as connection:
        assert log_checkpoints.newest(connection) is None
        for size, settlement in ((5, False), (3, True), (9, False), (7, True)):
            log_checkpoints.add(connection, checkpoint(size, settlement=settlement))
        assert log_checkpoints.newest(connection) == checkpoint(9)
        assert log_checkpoints.newest_settlement(connection) == checkpoint(7, settlement=True)
        log_checkpoints.settle(connection, 9, "more signatures", NOON)
        settled = StoredCheckpoint(9, checkpoint(9).root, NOON, "more signatures", True)
        assert log_checkpoints.newest_settlement(connection) == settled
        assert log_checkpoints.newest(connection) == settled


def test_cosigned_checkpoints_are_found_by_the_entry_they_cover(shared_database: Database) -> None:
    """A checkpoint of size n covers the entries below n; those nobody cosigned are passed over."""
    with rolled_back(shared_database) as connection:
        for size in (4, 6, 8, 10):
            log_checkpoints.add(connection, checkpoint(size))
        log_checkpoints.add_cosignatures(connection, [cosignature(6), cosignature(8)])

        def covering(index: int, limit: int = 9) -> list[int]:
            found = log_checkpoints.newest_cosigned(connection, index, limit)
            return [one.size for one in found]

        assert covering(5) == [8, 6]
        assert covering(5, limit=1) == [8]
        assert covering(6) == [8]
        assert covering(8) == []


def test_a_witness_has_one_line_a_key_and_checkpoint(shared_database: Database) -> None:
    """A later line takes the place of the earlier; witnesses stand in the order of their names."""
    with rolled_back(shared_database) as connection:
        log_checkpoints.add(connection, checkpoint(6))
        first = [cosignature(6, "THA01"), cosignature(6, "CHE01")]
        log_checkpoints.add_cosignatures(connection, first)
        log_checkpoints.add_cosignatures(connection, [cosignature(6, "THA01", "a newer line")])
        assert log_checkpoints.cosignatures(connection, 6) == [
            cosignature(6, "CHE01"),
            cosignature(6, "THA01", "a newer line"),
        ]
        assert log_checkpoints.cosignatures(connection, 5) == []


@pytest.mark.parametrize(
    ("uncosigned_age", "age", "left"),
    [
        (timedelta(minutes=1), timedelta(days=1), [2, 6, 8, 9]),
        (timedelta(minutes=1), timedelta(minutes=1), [2, 8, 9]),
        (timedelta(hours=3), timedelta(hours=3), [2, 4, 6, 8, 9]),
    ],
)
def test_superseded_checkpoints_are_forgotten_but_settlements_and_the_newest_stay(
    shared_database: Database, uncosigned_age: timedelta, age: timedelta, left: list[int]
) -> None:
    """2 was a settlement, 6 is cosigned, 9 is the newest; all but 8 are old."""
    old, now = NOON, NOON + timedelta(hours=2)
    with rolled_back(shared_database) as connection:
        log_checkpoints.add(connection, checkpoint(2, at=old, settlement=True))
        for size, at in ((4, old), (6, old), (8, now), (9, old)):
            log_checkpoints.add(connection, checkpoint(size, at=at))
        log_checkpoints.add_cosignatures(connection, [cosignature(6)])
        gone = log_checkpoints.forget(
            connection, uncosigned_before=now - uncosigned_age, before=now - age
        )
        assert sizes(connection) == left
        assert gone == 5 - len(left)
        assert bool(log_checkpoints.cosignatures(connection, 6)) is (6 in left)
