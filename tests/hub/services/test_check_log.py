"""The proof of the log from its rows accepts what a hub wrote, and finds each kind of damage."""

import pytest
from sqlalchemy import text

from hub.services.check_log import FAULTS_MAX, check_log
from hub.store import log_checkpoints
from hub.store.log_checkpoints import StoredCosignature
from hub.transparency_log.entries import decode, encode
from tests.hub.log_world import Witness, grow, log_keys, published, publisher
from tests.hub.world import World
from tests.integration.peers import acceptance, now

WITNESS = Witness("che.invalid/w")


@pytest.fixture
def busy(world: World) -> World:
    """Return a hub that recorded transfers and deliveries, published, and was cosigned."""
    _live(world)
    return world


def _live(world: World) -> None:
    world.begin()
    world.transfer("THA01-1", 1, 9)
    assert len(world.maker.prepare(world.database, ["CHE01", "THA01"], now())) == 2
    publisher(world.database, settling=True).publish(now())
    digest = world.propose("THA01-2", 10, 19)
    world.say("CHE01", "THA01", acceptance("THA01-2", digest))
    checkpoint = publisher(world.database).publish(now())
    assert checkpoint is not None
    key_id = WITNESS.key.key_id.hex()
    line = WITNESS.cosign(checkpoint.note)
    with world.database.writing() as connection:
        one = StoredCosignature(checkpoint.size, WITNESS.name, key_id, line, now())
        log_checkpoints.add_cosignatures(connection, [one])


def faults(world: World) -> list[str]:
    """Return what is wrong, checked with all keys."""
    return check_log(
        world.database,
        log_keys=log_keys(settling=True).verifiers,
        witness_keys=[WITNESS.key],
    )


def damaged(world: World, *statements: str) -> list[str]:
    """Damage the rows; return what is found."""
    with world.database.writing() as connection:
        for statement in statements:
            connection.execute(text(statement))
    return faults(world)


def test_what_a_hub_wrote_is_whole(either_world: World) -> None:
    """Envelopes, deliveries, acts, checkpoints, cosignatures; on either database."""
    _live(either_world)
    assert faults(either_world) == []
    assert check_log(either_world.database) == []


def test_progress_is_told_up_to_the_size(world: World) -> None:
    """Each 256 entries, and at the end."""
    size = published(world.database, 600).size
    told: list[tuple[int, int]] = []
    check_log(world.database, progress=lambda done, all_: told.append((done, all_)))
    assert told == [(256, size), (512, size), (size, size)]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "DELETE FROM log_entry WHERE log_index = 4",
            "entry 4 is missing; the next one there is 5",
        ),
        ("UPDATE log_entry SET entry = x'7b7d' WHERE log_index = 4", "entry 4 cannot be read"),
        (
            "UPDATE log_entry SET entry = (SELECT entry FROM log_entry WHERE log_index = 5)"
            " WHERE log_index = 4",
            "entry 4 says that it is entry 5",
        ),
        ("UPDATE log_party SET entry_count = 77 WHERE code = 'CHE01'", "the counter of CHE01"),
        ("DELETE FROM log_party WHERE code = 'CHE01'", "the counter of CHE01 is stored as None"),
        ("UPDATE head SET compact_range = zeroblob(length(compact_range))", "compact range"),
        ("UPDATE act SET document = x'00' WHERE log_index = 2", "entry 2: the stored act is not"),
        ("UPDATE act SET salt = x'00' WHERE log_index = 2", "entry 2: the stored act is not"),
        ("UPDATE act SET document = 'text' WHERE log_index = 2", "entry 2: the stored act is not"),
        ("UPDATE log_entry SET entry = 'text' WHERE log_index = 4", "entry 4 is not bytes"),
        ("UPDATE act SET salt = zeroblob(16) WHERE log_index = 2", "entry 2: the stored act is"),
        ("UPDATE envelope SET sender = 'GHA01'", "the envelope's sender is stored as 'GHA01'"),
        ("UPDATE envelope SET recipient = 'GHA01'", "the envelope's recipient is stored as"),
        ("UPDATE envelope SET sha256 = 'x'", "the digest stored with its envelope is another"),
        ("UPDATE delivery SET sha256 = 'x'", "the digest stored with its delivery is another's"),
        ("DELETE FROM act WHERE log_index = 2", "entry 2: no act is stored for it"),
        ("UPDATE act SET log_index = 9999 WHERE log_index = 2", "the act stored for index 9999"),
        ("UPDATE log_checkpoint SET root = zeroblob(32)", "its root is not that of its entries"),
        ("UPDATE log_checkpoint SET note = 'none'", "not a checkpoint"),
        ("UPDATE log_checkpoint SET size = size + 1000", "entries was signed; "),
        ("UPDATE log_cosignature SET line = substr(line, 1, 70)", "checkpoint "),
        (
            "INSERT INTO log_tile VALUES (0, 0, zeroblob(8192), zeroblob(32))",
            "level 0 has 1 tiles stored; 0 are full",
        ),
    ],
)
def test_damage_to_the_log_is_found_and_named(busy: World, statement: str, said: str) -> None:
    """Index or name, and what differs."""
    assert any(said in fault for fault in damaged(busy, statement)), faults(busy)


@pytest.mark.parametrize("table", ["envelope", "delivery"])
def test_a_body_that_was_swapped_is_found(busy: World, table: str) -> None:
    """A hub that tells another story later: neither body nor receipt opens the commitment."""
    said = damaged(busy, f"UPDATE {table} SET body = x'00'")
    with busy.database.reading() as connection:
        indices = connection.execute(text(f"SELECT log_index FROM {table} ORDER BY 1")).scalars()
        expected = [
            f"entry {index}: the stored {table} is not the one it commits to" for index in indices
        ]
    assert said == expected
    receipts = damaged(busy, "UPDATE envelope SET receipt = x'00'")
    assert any("the stored receipt is not" in one for one in receipts)


@pytest.mark.parametrize("table", ["envelope", "delivery"])
def test_what_was_erased_whole_is_no_fault_and_half_is_one(busy: World, table: str) -> None:
    """Salt and bodies go together; the entries stay and the tree stays valid."""
    half = damaged(busy, f"UPDATE {table} SET salt = NULL")
    assert half
    assert all("erased together" in one for one in half)
    columns = "body = NULL" + (", receipt = NULL" if table == "envelope" else "")
    assert damaged(busy, f"UPDATE {table} SET {columns}") == []


def test_a_counter_that_skips_is_found(busy: World) -> None:
    """An entry was changed, and the tree made anew: the party's own count tells."""
    with busy.database.writing() as connection:
        rows = connection.execute(text("SELECT log_index, entry FROM log_entry ORDER BY 1")).all()
        index, raw = next(row for row in rows if b"CHE01" in row[1] and decode(row[1]).parties)
        entry = decode(raw)
        wrong = raw.replace(b'"parties":[[', b'"parties":[["XMR01",7,3],[', 1)
        assert encode(entry) == raw
        connection.execute(
            text("UPDATE log_entry SET entry = :entry WHERE log_index = :index"),
            {"entry": wrong, "index": index},
        )
    said = faults(busy)
    assert f"entry {index}: XMR01 counts 7 after entry 3" in " ".join(said)


def test_a_tile_that_differs_from_its_entries_is_found_with_the_first_index(world: World) -> None:
    """A hash, a root, or the whole tile."""
    grow(world.database, 600)
    noise = check_log(world.database)  # nothing is stored for these entries
    flipped = "UPDATE log_tile SET {} WHERE tile_index = 1"
    hashes = "hashes = CAST(substr(hashes, 1, 320) || zeroblob(7872) AS BLOB)"
    said = damaged(world, flipped.format(hashes), flipped.format("root = zeroblob(32)"))
    assert [one for one in said if one not in noise] == [
        "tile 0/1: its hash 10 is not that of entry 266 and on",
        "tile 0/1: the stored root is not the root of its hashes",
    ]
    said = damaged(world, "DELETE FROM log_tile WHERE tile_index = 1")
    assert "tile 0/1 is full and not stored" in said


def test_entries_beyond_the_head_are_found(world: World) -> None:
    """And a head beyond the entries."""
    assert damaged(world, "UPDATE head SET log_index = log_index + 1")[-1].endswith(
        f"missing; the head is {size_of(world)}"
    )
    said = damaged(world, "UPDATE head SET log_index = log_index - 2")
    assert "lies beyond the head" in said[-1]


def size_of(world: World) -> int:
    """Return the index of the head."""
    with world.database.reading() as connection:
        return int(connection.execute(text("SELECT log_index FROM head")).scalar_one())


def test_a_ruined_log_is_described_up_to_a_limit(world: World) -> None:
    """The first thousand faults say enough."""
    grow(world.database, FAULTS_MAX + 50)
    assert len(check_log(world.database)) == FAULTS_MAX
