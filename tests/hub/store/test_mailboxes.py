"""Mailboxes: numbered items, stored deliveries, acknowledgements, back-off."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from hub.store import envelopes, mailboxes
from hub.store.database import Database
from hub.store.mailboxes import Delivery, MailboxItem, ReadyItem
from tests.hub.store.samples import AT, rolled_back

LATER = AT + timedelta(minutes=5)


def item(sequence: int, *, carries_envelope: bool = False, recipient: str = "CHE01") -> MailboxItem:
    """Return one item, with a notice or with an envelope."""
    return MailboxItem(
        recipient=recipient,
        sequence=sequence,
        log_index=100 + sequence,
        recorded_at=AT,
        carries_envelope=carries_envelope,
        verdicts="[]" if carries_envelope else None,
        notices=None if carries_envelope else '[{"type":"key.changed"}]',
    )


def filled(connection: Connection, count: int) -> None:
    """Put ``count`` items into the mailbox of CHE01."""
    rows = [item(number) for number in range(1, count + 1)]
    mailboxes.add_items(connection, rows, {"CHE01": count})


def store(connection: Connection, first: int, last: int) -> Delivery:
    """Store a delivery of some items of CHE01."""
    made = Delivery(
        recipient="CHE01",
        first_sequence=first,
        last_sequence=last,
        log_index=500 + last,
        sha256=f"{last:064}",
        created_at=AT,
        acknowledged_at=None,
        salt=b"salt" * 4,
        body=b"body %d" % last,
    )
    mailboxes.add_deliveries(connection, [made])
    return made


def acknowledge(connection: Connection, up_to: int, at: datetime = LATER) -> None:
    """Acknowledge the items of CHE01 up to one."""
    box = mailboxes.load(connection, ["CHE01"])["CHE01"]
    mailboxes.acknowledge(connection, [(box, up_to, 900 + up_to)], at)


def test_a_participant_begins_with_an_empty_mailbox(shared_database: Database) -> None:
    """Registered participants have one at 0; nothing waits in it; others have none."""
    with shared_database.reading() as connection:
        boxes = mailboxes.load(connection, ["CHE01", "PER01"])
        assert set(boxes) == {"CHE01"}
        box = boxes["CHE01"]
        assert (box.last_sequence, box.stored_sequence, box.acknowledged_sequence) == (0, 0, 0)
        assert (box.failure_count, box.next_attempt_at, box.resend_from) == (0, None, None)
        codes = [one.recipient for one in mailboxes.load_all(connection)]
        assert codes == sorted(codes)
        assert {"CHE01", "GHA01", "THA01", "XHB01", "XIR01", "XMR01"} == set(codes)
        assert mailboxes.waiting(connection) == []


def test_items_come_back_in_order_from_where_one_left_off(shared_database: Database) -> None:
    """Up to the limit, with the exact bytes of the envelope for those that carry one."""
    with rolled_back(shared_database) as connection:
        rows = [item(1), item(2, carries_envelope=True), item(3), item(1, recipient="GHA01")]
        mailboxes.add_items(connection, rows, {"CHE01": 3, "GHA01": 1})
        envelopes.add(
            connection,
            [
                envelopes.EnvelopeRow(
                    log_index=number,
                    sender="THA01",
                    envelope_id=f"id-{number}",
                    sha256="0" * 64,
                    recipient="CHE01",
                    received_at=AT,
                    key_ids="",
                    salt=b"salt" * 4,
                    body=b"raw\x00",
                    receipt=b"",
                )
                for number in (101, 102)
            ],
        )
        assert mailboxes.items_after(connection, "CHE01", 0, 10) == [
            ReadyItem(rows[0], None, None),
            ReadyItem(rows[1], b"raw\x00", b"salt" * 4),
            ReadyItem(rows[2], None, None),
        ]
        second = ReadyItem(rows[1], b"raw\x00", b"salt" * 4)
        assert mailboxes.items_after(connection, "CHE01", 1, 1) == [second]
        assert mailboxes.items_after(connection, "CHE01", 3, 10) == []
        assert mailboxes.load(connection, ["GHA01"])["GHA01"].last_sequence == 1


def test_stored_deliveries_are_found_by_the_item_that_is_missing(shared_database: Database) -> None:
    """The delivery that holds the next item, also from its middle; None after the last."""
    with rolled_back(shared_database) as connection:
        filled(connection, 6)
        first, second = store(connection, 1, 3), store(connection, 4, 5)
        mailboxes.add_deliveries(connection, [])
        found = [mailboxes.delivery_after(connection, "CHE01", after) for after in range(6)]
        assert found == [first, first, first, second, second, None]
        assert mailboxes.delivery_after(connection, "GHA01", 0) is None
        assert mailboxes.load(connection, ["CHE01"])["CHE01"].stored_sequence == 5


def test_digests_are_found_by_where_a_delivery_ends(shared_database: Database) -> None:
    """Only the exact end of a delivery of that very recipient counts."""
    with rolled_back(shared_database) as connection:
        filled(connection, 5)
        store(connection, 1, 3)
        ends = [("CHE01", 3), ("CHE01", 2), ("GHA01", 3)]
        assert mailboxes.delivery_digests(connection, ends) == {("CHE01", 3): f"{3:064}"}
        assert mailboxes.delivery_digests(connection, []) == {}


def test_an_acknowledgement_moves_on_and_ends_the_back_off(shared_database: Database) -> None:
    """What is acknowledged says when; what is not waits on; the failures are forgotten."""
    with rolled_back(shared_database) as connection:
        filled(connection, 5)
        store(connection, 1, 3)
        store(connection, 4, 5)
        mailboxes.note_failure(connection, "CHE01", failure_count=4, error="refused", until=LATER)
        acknowledge(connection, 3)
        box = mailboxes.load(connection, ["CHE01"])["CHE01"]
        assert (box.acknowledged_sequence, box.failure_count) == (3, 0)
        assert (box.next_attempt_at, box.last_error) == (None, None)
        done = mailboxes.delivery_after(connection, "CHE01", 0)
        waits = mailboxes.delivery_after(connection, "CHE01", 3)
        assert done is not None
        assert waits is not None
        assert (done.acknowledged_at, waits.acknowledged_at) == (LATER, None)
        assert [one.recipient for one in mailboxes.waiting(connection)] == ["CHE01"]
        acknowledge(connection, 5)
        assert mailboxes.waiting(connection) == []


def test_failures_are_remembered_until_a_sign_of_life(shared_database: Database) -> None:
    """The count, the reason and the next attempt outlive the process."""
    with rolled_back(shared_database) as connection:
        mailboxes.note_failure(connection, "CHE01", failure_count=2, error="no answer", until=LATER)
        (box,) = mailboxes.lock(connection, ["CHE01"])
        assert (box.failure_count, box.last_error, box.next_attempt_at) == (2, "no answer", LATER)
        mailboxes.note_sign_of_life(connection, ["GHA01"])
        assert mailboxes.lock(connection, ["CHE01"]) == [box]
        mailboxes.note_sign_of_life(connection, ["CHE01", "GHA01"])
        (box,) = mailboxes.lock(connection, ["CHE01"])
        assert (box.failure_count, box.last_error, box.next_attempt_at) == (0, None, None)


def test_a_request_to_send_again_makes_a_mailbox_wait(shared_database: Database) -> None:
    """Also when all is acknowledged; until it was served."""
    with rolled_back(shared_database) as connection:
        mailboxes.request_resend(connection, "CHE01", (1, 1))
        (box,) = mailboxes.waiting(connection)
        assert (box.recipient, box.resend_from) == ("CHE01", 1)
        mailboxes.request_resend(connection, "CHE01", None)
        assert mailboxes.waiting(connection) == []


def test_mailboxes_are_locked_in_one_order(shared_database: Database) -> None:
    """Two processes that want the same mailboxes cannot wait for each other in a circle."""
    with rolled_back(shared_database) as connection:
        wanted = ["THA01", "CHE01", "GHA01", "PER01"]
        assert [one.recipient for one in mailboxes.lock(connection, wanted)] == [
            "CHE01",
            "GHA01",
            "THA01",
        ]
