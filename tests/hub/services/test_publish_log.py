"""Checkpoints: signed when the log grew, settled each night, never against what was signed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from hub.services import log_standing
from hub.services.log_keys import choose, require_origin
from hub.services.publish_log import LogForkedError
from hub.services.start_errors import StartError
from hub.store import log_checkpoints
from hub.store.database import Database
from hub.store.log_checkpoints import StoredCheckpoint
from hub.transparency_log.checkpoints import open_checkpoint
from hub.transparency_log.cosignatures import cosigning_keys
from hub.transparency_log.notes import Note
from keys.algorithms import Algorithm
from keys.local_signer import LocalSigner, generate_key
from tests.hub.log_world import ORIGIN, grow, log_keys, publisher
from tests.integration.peers import now, seeded_signer


def settlements(database: Database) -> list[StoredCheckpoint]:
    """Return the settlement checkpoints, the smallest first."""
    with database.reading() as connection:
        return [one for one in log_checkpoints.from_size(connection, 0, 999) if one.settlement]


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """Return an instant of the days after the tests' databases were made."""
    midnight = now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=day, hours=hour, minutes=minute)


def test_a_log_that_grew_gets_a_checkpoint_and_one_that_did_not_gets_none(
    either: Database,
) -> None:
    """Signed by the log's key, with the root of all entries."""
    size = grow(either, 3)
    checkpoint = publisher(either).publish(now())
    assert checkpoint is not None
    signed = open_checkpoint(checkpoint.note, log_keys().verifiers).checkpoint
    assert (signed.origin, signed.size, signed.root) == (ORIGIN, size, checkpoint.root)
    assert publisher(either).publish(now()) is None
    assert grow(either, 300) == size + 300
    later = publisher(either).publish(now())
    assert later is not None
    with either.reading() as connection:
        assert log_checkpoints.newest(connection) == later


def test_processes_that_publish_at_once_sign_one_root_a_size(either: Database) -> None:
    """Four at a time, while a fifth appends: every size is there once, and all are consistent."""
    grow(either, 1)

    def publish(count: int) -> None:
        for _ in range(count):
            publisher(either).publish(now())

    def append(count: int) -> None:
        for _ in range(count):
            grow(either, 7)

    with ThreadPoolExecutor(5) as pool:
        running = [pool.submit(publish, 6) for _ in range(4)]
        running.append(pool.submit(append, 6))
        for one in running:
            one.result(60)
    publisher(either).publish(now())
    with either.reading() as connection:
        stored = log_checkpoints.from_size(connection, 0, 999)
    assert len({one.size for one in stored}) == len(stored)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE log_checkpoint SET root = zeroblob(32)",
        "UPDATE log_entry SET entry = x'7b7d' WHERE log_index = 1",
        "UPDATE head SET compact_range = zeroblob(length(compact_range))",
        "UPDATE log_checkpoint SET size = 99999",
    ],
)
def test_what_contradicts_an_earlier_checkpoint_is_never_signed(
    sqlite: Database, damage: str
) -> None:
    """The hub's own fork: another root before, a changed entry, a wrong edge, a lost tail."""
    grow(sqlite, 3)
    publisher(sqlite).publish(now())
    grow(sqlite, 1)
    with sqlite.writing() as connection:
        connection.execute(text(damage))
    with pytest.raises(LogForkedError):
        publisher(sqlite).publish(now())


def test_a_size_that_was_signed_with_another_root_is_never_stored_again(sqlite: Database) -> None:
    """Another process signed first, and differently: our signature stays here."""
    grow(sqlite, 1)
    ours = publisher(sqlite)
    signed = ours.sign(now())
    assert signed is not None
    publisher(sqlite).publish(now())
    ours.store(signed, now())  # the same root: nothing happens
    with sqlite.writing() as connection:
        connection.execute(text("UPDATE log_checkpoint SET root = zeroblob(32)"))
    with pytest.raises(LogForkedError, match="another root"):
        ours.store(signed, now())


def test_a_halted_log_signs_nothing_until_the_cause_is_accepted(sqlite: Database) -> None:
    """Also not by another process of the same database."""
    grow(sqlite, 1)
    publisher(sqlite).halt("the roots differ", now())
    assert publisher(sqlite).publish(now()) is None
    with sqlite.reading() as connection:
        halted = log_standing.read(connection).halted
    assert halted is not None
    assert "the roots differ" in halted
    assert "log check" in halted


def test_a_settlement_is_made_once_after_its_hour(either: Database) -> None:
    """With both keys; before the hour and later the same day nothing is settled."""
    post_quantum = log_keys(settling=True).verifiers[1]
    ours = publisher(either, settling=True)
    grow(either, 2)
    ours.publish(now())
    assert settlements(either) == []
    grow(either, 1)
    ours.publish(at(1, 0, 9))
    assert settlements(either) == []
    ours.publish(at(1, 0, 10))  # nothing new, yet the hour has come: the same size is settled
    (settled,) = settlements(either)
    assert cosigning_keys(Note.parse(settled.note), [post_quantum]).keys() == {post_quantum}
    assert open_checkpoint(settled.note, log_keys().verifiers).checkpoint.size == settled.size
    grow(either, 1)
    ours.publish(at(1, 12))
    ours.publish(at(2, 0, 9))
    assert settlements(either) == [settled]


def test_missed_nights_are_made_up_once(sqlite: Database) -> None:
    """A hub that was off for three nights settles at its next run; a quiet log is not settled."""
    ours = publisher(sqlite, settling=True)
    grow(sqlite, 1)
    ours.publish(at(1, 1))
    grow(sqlite, 1)
    ours.publish(at(4, 15))
    assert len(settlements(sqlite)) == 2
    assert ours.publish(at(4, 16)) is None
    assert ours.publish(at(9, 16)) is None
    assert len(settlements(sqlite)) == 2


def test_checkpoints_nobody_cosigned_are_forgotten_a_minute_later(sqlite: Database) -> None:
    """The newest stays, and what was settled."""
    start = now()
    for minutes in range(4):
        grow(sqlite, 1)
        publisher(sqlite).publish(start + timedelta(minutes=minutes))
    with sqlite.reading() as connection:
        kept = [one.at for one in log_checkpoints.from_size(connection, 0, 999)]
    assert kept == [start + timedelta(minutes=2), start + timedelta(minutes=3)]


def test_the_log_keeps_its_name_for_the_life_of_its_database(sqlite: Database) -> None:
    """Another origin than that of the checkpoints published stops the start."""
    require_origin(sqlite, "anything.invalid/before-the-first-checkpoint")
    grow(sqlite, 1)
    publisher(sqlite).publish(now())
    require_origin(sqlite, ORIGIN)
    with pytest.raises(StartError, match=r"log_origin.*another\.invalid"):
        require_origin(sqlite, "another.invalid/log")


def test_the_log_is_signed_with_the_first_key_that_can() -> None:
    """Its own if it has one, else the hub's first Ed25519 key; the kinds of keys are checked."""
    elliptic = LocalSigner(generate_key(Algorithm.ES256), "XHB01")
    hub, own = seeded_signer("XHB01"), seeded_signer("XHB01", "log")
    assert choose(ORIGIN, [elliptic, hub], None, None).checkpoint.signer is hub
    assert choose(ORIGIN, [elliptic, hub], own, None).checkpoint.signer is own
    with pytest.raises(StartError, match="log_signer"):
        choose(ORIGIN, [elliptic], None, None)
    with pytest.raises(StartError, match="must be Ed25519"):
        choose(ORIGIN, [hub], elliptic, None)
    with pytest.raises(StartError, match="must be ML-DSA-44"):
        choose(ORIGIN, [hub], None, own)
