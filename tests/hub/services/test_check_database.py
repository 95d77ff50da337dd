"""The proof: silent on a sound database, and it names each kind of damage done by hand."""

import pytest
from sqlalchemy import text

from hub.international_registry.invariants import ViolationKind
from hub.services.check_database import check_exchange, check_ledger
from tests.hub.world import HUB, World
from tests.integration.peers import approach, now


@pytest.fixture
def used_world(world: World) -> World:
    """Return a world with units in flight, units moved, and deliveries."""
    world.begin()
    world.transfer("THA01-1", 1, 100)
    world.propose("THA01-2", 101, 150)
    world.say("THA01", HUB, approach("CA0002"))
    world.maker.prepare(world.database, ["CHE01"], now())
    world.prove()
    return world


def damage(world: World, *statements: str) -> None:
    """Edit rows as nobody should."""
    with world.database.writing() as connection:
        connection.execute(text("PRAGMA ignore_check_constraints = ON"))
        for statement in statements:
            assert connection.execute(text(statement)).rowcount > 0, f"no damage by {statement}"


LEDGER_DAMAGE = {
    "a block that grew into its neighbour": (
        "UPDATE unit_block SET last_serial = 110 WHERE first_serial = 1",
        {ViolationKind.OVERLAP},
    ),
    "a block that shrank": (
        "UPDATE unit_block SET last_serial = 90 WHERE first_serial = 1",
        {ViolationKind.DIFFERENCE, ViolationKind.CONSERVATION},
    ),
    "a holder nobody moved it to": (
        "UPDATE unit_block SET registry = 'GHA01' WHERE first_serial = 1",
        {ViolationKind.DIFFERENCE},
    ),
    "a first transfer forgotten": (
        "UPDATE unit_block SET first_transfer = NULL WHERE first_serial = 1",
        {ViolationKind.DIFFERENCE},
    ),
    "units that vanished": (
        "DELETE FROM unit_block WHERE first_serial = 1",
        {ViolationKind.DIFFERENCE, ViolationKind.CONSERVATION},
    ),
    "a reservation of no transfer": (
        "UPDATE unit_block SET reserved_by = 'THA01-9' WHERE first_serial = 1",
        {ViolationKind.RESERVATION},
    ),
    "a reservation lost": (
        "UPDATE unit_block SET reserved_by = NULL WHERE first_serial = 101",
        {ViolationKind.RESERVATION},
    ),
    "a journal line lost": (
        "DELETE FROM posting WHERE kind = 'moved'",
        {ViolationKind.DIFFERENCE},
    ),
    "a journal line changed": (
        "UPDATE posting SET last_serial = 200 WHERE kind = 'moved'",
        {ViolationKind.JOURNAL},
    ),
    "a usage that was edited": (
        "UPDATE authorization_usage SET first_transferred = 1",
        {ViolationKind.USAGE},
    ),
    "a transfer closed by hand": (
        "UPDATE transfer SET state = 'rejected' WHERE transfer_id = 'THA01-2'",
        {ViolationKind.RESERVATION},
    ),
    "a cap below what was transferred": (
        "UPDATE record SET body = replace(body, '1000000000', '99') WHERE kind = 'authorization'",
        {ViolationKind.CAP},
    ),
}


@pytest.mark.parametrize("kind", LEDGER_DAMAGE)
def test_every_damage_to_the_ledger_is_found(used_world: World, kind: str) -> None:
    """The kind of violation is named, with its subject, in words."""
    statement, expected = LEDGER_DAMAGE[kind]
    damage(used_world, statement)
    found = check_ledger(used_world.database)
    assert expected <= {one.kind for one in found}, found
    assert all(one.subject and one.text for one in found)


EXCHANGE_DAMAGE = {
    "an envelope lost": (
        "DELETE FROM envelope WHERE log_index = (SELECT max(log_index) FROM envelope)",
        "the tables hold",
    ),
    "a head behind": ("UPDATE head SET log_index = log_index - 1", "beyond the head"),
    "an act lost": ("DELETE FROM act WHERE log_index = 1", "the tables hold"),
    "an index taken twice": (
        "UPDATE act SET log_index = (SELECT max(log_index) FROM envelope) WHERE log_index = 1",
        "both in envelope and in act",
    ),
    "an item lost": (
        "DELETE FROM mailbox_item WHERE recipient = 'CHE01' AND sequence = 1",
        "mailbox CHE01",
    ),
    "a counter moved": (
        "UPDATE mailbox SET last_sequence = last_sequence + 1 WHERE recipient = 'GHA01'",
        "mailbox GHA01",
    ),
    "an acknowledgement of nothing": (
        "UPDATE mailbox SET acknowledged_sequence = 99 WHERE recipient = 'CHE01'",
        "acknowledged 99",
    ),
    "a delivery cut short": (
        "UPDATE delivery SET first_sequence = 2 WHERE recipient = 'CHE01'",
        "deliveries to CHE01",
    ),
}


@pytest.mark.parametrize("kind", EXCHANGE_DAMAGE)
def test_every_damage_to_the_exchange_is_found(used_world: World, kind: str) -> None:
    """A lost entry, a gap in a mailbox, a counter that lies: each is told in a sentence."""
    statement, expected = EXCHANGE_DAMAGE[kind]
    damage(used_world, statement)
    found = check_exchange(used_world.database)
    assert any(expected in sentence for sentence in found), found


def test_a_sound_database_of_either_kind_proves_itself(either_world: World) -> None:
    """Nothing is reported where nothing is wrong, also in an empty ledger."""
    either_world.prove()
    either_world.begin()
    either_world.transfer("THA01-1", 1, 100)
    either_world.maker.prepare(either_world.database, ["CHE01", "THA01"], now())
    either_world.prove()
