"""Envelopes with their receipts: exact bytes in, exact bytes out, each id once."""

from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from hub.store import envelopes
from hub.store.database import Database
from hub.store.envelopes import EnvelopeRow, LoggedEnvelope, StoredAnswer
from tests.hub.store.samples import AT, rolled_back

EVERY_BYTE = bytes(range(256))
ROW = EnvelopeRow(
    log_index=50,
    sender="THA01",
    envelope_id="0197-one",
    sha256="a" * 64,
    recipient="CHE01",
    received_at=AT,
    key_ids="THA01-1",
    salt=b"salt" * 4,
    body=EVERY_BYTE,
    receipt=EVERY_BYTE[::-1],
)


def test_a_repeated_envelope_finds_its_answer_byte_for_byte(shared_database: Database) -> None:
    """By sender and id together: another sender may use the same id."""
    with rolled_back(shared_database) as connection:
        other = replace(ROW, log_index=51, sender="CHE01", receipt=b"other")
        envelopes.add(connection, [ROW, other])
        found = envelopes.find_answers(
            connection, [("THA01", "0197-one"), ("CHE01", "0197-one"), ("GHA01", "0197-one")]
        )
        assert found == {
            ("THA01", "0197-one"): StoredAnswer("a" * 64, EVERY_BYTE[::-1]),
            ("CHE01", "0197-one"): StoredAnswer("a" * 64, b"other"),
        }
        assert envelopes.find_answers(connection, []) == {}


def test_bodies_and_whole_entries_are_found_by_log_index(shared_database: Database) -> None:
    """An index without an envelope is left out, or answered with nothing."""
    with rolled_back(shared_database) as connection:
        envelopes.add(connection, [ROW])
        assert envelopes.bodies(connection, [50, 51]) == {50: (EVERY_BYTE, EVERY_BYTE[::-1])}
        assert envelopes.bodies(connection, []) == {}
        logged = envelopes.at(connection, 50)
        assert logged == LoggedEnvelope(
            50,
            "THA01",
            "CHE01",
            "0197-one",
            "a" * 64,
            AT,
            b"salt" * 4,
            EVERY_BYTE,
            EVERY_BYTE[::-1],
        )
        assert envelopes.at(connection, 51) is None


@pytest.mark.parametrize("changes", [{"log_index": 51}, {"sender": "CHE01"}])
def test_neither_an_id_nor_a_log_index_is_given_twice(
    shared_database: Database, changes: dict[str, object]
) -> None:
    """The database itself refuses, whatever the service above it forgot."""
    with rolled_back(shared_database) as connection:
        envelopes.add(connection, [ROW])
        with pytest.raises(IntegrityError):
            envelopes.add(connection, [replace(ROW, **changes)])  # type: ignore[arg-type]  # fields of the row


def test_an_erased_envelope_is_still_known_by_its_id_and_digest(
    shared_database: Database,
) -> None:
    """Its place and digest stay; body, receipt and salt are gone and nobody trips over it."""
    with rolled_back(shared_database) as connection:
        envelopes.add(connection, [ROW])
        connection.execute(
            text(
                "UPDATE envelope SET body = NULL, receipt = NULL, salt = NULL WHERE log_index = 50"
            )
        )
        found = envelopes.find_answers(connection, [("THA01", "0197-one")])
        assert found == {("THA01", "0197-one"): StoredAnswer("a" * 64, None)}
        assert envelopes.bodies(connection, [50]) == {}
        logged = envelopes.at(connection, 50)
        assert logged is not None
        assert (logged.salt, logged.body, logged.receipt) == (None, None, None)
