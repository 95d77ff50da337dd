"""After the time of retention contents are gone for good, and everything else still holds."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from hub.protocol.errors import PeerError
from hub.protocol.response_codes import ResponseCode
from hub.services import erase_bodies
from hub.services.check_log import check_log
from hub.services.deliver import DeliveryErasedError
from hub.services.erase_bodies import Erased
from hub.store import acts, envelopes, log, mailboxes
from hub.store import head as heads
from hub.store.evidence import key_entries
from hub.transparency_log.entries import decode
from keys.possession import sign_possession
from message_schemas import timestamps
from tests.hub.services.handlers.test_actions import use
from tests.hub.world import HUB, World, accepted, codes_of, receipt_of
from tests.integration.peers import acceptance, block, now, payload_of, proposal, seeded_signer

LATER = timedelta(days=400)


def deliver_everything(world: World, code: str) -> None:
    """Fetch and acknowledge all that waits for a participant."""
    with world.database.reading() as connection:
        after = mailboxes.load(connection, [code])[code].acknowledged_sequence
    while True:
        made, _ = world.maker.fetch(world.database, code, after, now())
        if made is None or made.body is None:
            return
        after = made.last_sequence
        said = {"up_to_sequence": after, "delivery_sha256": made.sha256}
        accepted(world.say(code, HUB, ("delivery.acknowledgement", said)))


def erase_all(world: World, at: datetime) -> Erased:
    """Erase everything older than a year before ``at``, as the job does; return the counts."""
    total = Erased()
    while part := erase_bodies.erase_part(world.database, hub=HUB, retention_days=365, now=at):
        total = Erased(total.envelopes + part.envelopes, total.deliveries + part.deliveries)
    return total


def stored_bodies(world: World) -> tuple[int, int]:
    """Return how many envelopes and deliveries still have their bytes."""
    counts = []
    with world.database.reading() as connection:
        for name in ("envelope", "delivery"):
            counted = text(f"SELECT count(*) FROM {name} WHERE body IS NOT NULL")
            counts.append(connection.execute(counted).scalar_one())
    return counts[0], counts[1]


def settle(world: World) -> None:
    """Complete one transfer, with everything delivered and acknowledged."""
    world.begin()
    world.transfer("THA01-1", 1, 100)
    for code in ("THA01", "CHE01"):
        deliver_everything(world, code)


@pytest.fixture
def settled(either_world: World) -> World:
    """Return a world with one completed transfer, everything delivered and acknowledged."""
    settle(either_world)
    return either_world


def test_old_bodies_go_and_the_log_and_the_ledger_stay_provable(settled: World) -> None:
    """Every proof of ledger, exchange and log holds as before; the run itself is in the log."""
    before = stored_bodies(settled)
    assert erase_all(settled, now()) == Erased()
    asked = erase_bodies.old_bodies(settled.database, retention_days=365, now=now() + LATER)
    done = erase_all(settled, now() + LATER)
    assert (done.envelopes, done.deliveries) == before == (asked.envelopes, asked.deliveries)
    assert stored_bodies(settled) == (0, 0)
    settled.prove()
    assert list(check_log(settled.database)) == []
    with settled.database.reading() as connection:
        index = heads.read(connection).log_index
        entry = log.entry_at(connection, index)
        act = acts.at(connection, index)
    assert entry is not None
    assert decode(entry).kind == "act"
    assert act is not None
    assert (act.kind, act.subject) == (
        "bodies.erased",
        f"{done.envelopes} envelopes, {done.deliveries} deliveries",
    )


def test_erased_bytes_are_nowhere_in_the_files_of_sqlite(world: World) -> None:
    """Neither the database nor its write-ahead file holds a signature that was erased.

    PostgreSQL frees its pages with VACUUM.
    """
    settle(world)
    path = Path(str(world.database.url.database))
    with world.database.reading() as connection:
        raw = bytes(connection.execute(text("SELECT body FROM envelope LIMIT 1")).scalar_one())
    needle = raw[-120:-20]
    files = [path, path.with_name(f"{path.name}-wal")]

    def holding() -> list[Path]:
        return [one for one in files if needle in one.read_bytes()]

    assert holding()
    erase_all(world, now() + LATER)
    assert holding() == []


def test_what_somebody_still_waits_for_is_kept(either_world: World) -> None:
    """An undelivered envelope, an unacknowledged delivery and an open proposal are never erased."""
    world = either_world
    world.begin()
    world.propose("THA01-1", 1, 100)
    deliver_everything(world, "CHE01")
    world.propose("THA01-2", 101, 200)
    erase_all(world, now() + LATER)
    with world.database.reading() as connection:
        kept = {
            row[0]
            for row in connection.execute(
                text("SELECT envelope_id FROM envelope WHERE body IS NOT NULL")
            )
        }
        proposals = {
            row[0]
            for row in connection.execute(
                text(
                    "SELECT envelope_id FROM envelope JOIN transfer "
                    "ON proposed_log_index = envelope.log_index"
                )
            )
        }
    assert len(proposals) == 2
    assert proposals <= kept
    deliver_everything(world, "CHE01")  # the second one arrives whole


def test_a_repeated_envelope_is_told_that_its_answer_was_erased(either_world: World) -> None:
    """It was recorded once and is not recorded again: the problem says so, finally."""
    world = either_world
    world.begin()
    raw = world.envelope("THA01", "CHE01", proposal("THA01-7", block(1, 10)))
    first = receipt_of(world.post(raw))
    digest = str(first["envelope_sha256"])
    accepted(world.say("CHE01", "THA01", acceptance("THA01-7", digest)))
    for code in ("THA01", "CHE01"):
        deliver_everything(world, code)
    erase_all(world, now() + LATER)
    answer = world.post(raw)
    assert isinstance(answer, PeerError)
    assert answer.code is ResponseCode.ANSWER_ERASED


def test_an_id_stays_taken_when_what_it_stood_for_was_erased(settled: World) -> None:
    """Neither the transfer nor a use can happen again under its id; nothing can be compared."""
    used = use("CHE01-1", block(1, 50))
    accepted(settled.say("CHE01", HUB, used))
    for code in ("THA01", "CHE01"):
        deliver_everything(settled, code)
    erase_all(settled, now() + LATER)
    again = settled.say("CHE01", HUB, used)
    assert codes_of(again) == [int(ResponseCode.RECORD_EXISTS_WITH_DIFFERENT_FIELD)]
    assert "erased" in again["outcomes"][0]["findings"][0]["text"]
    other = settled.say("THA01", "CHE01", proposal("THA01-1", block(500, 600)))
    assert codes_of(other) == [int(ResponseCode.TRANSFER_EXISTS_WITH_DIFFERENT_FIELD)]


def test_what_says_whose_a_key_is_is_never_erased(either_world: World) -> None:
    """Evidence under a rotated key needs the envelope that announced it, however old it is."""
    world = either_world
    starts_at = now() + timedelta(days=1)
    key = seeded_signer("CHE01", "next")
    said = {
        "key_document": sign_possession(key, "CHE01", valid_from=starts_at).decode(),
        "starts_at": timestamps.render(starts_at),
        "overlap_seconds": 86_400,
    }
    index = accepted(world.say("CHE01", HUB, ("key.rotate", said)))["log_index"]
    for code in ("CHE01", "THA01"):
        deliver_everything(world, code)
    erase_all(world, now() + LATER)
    with world.database.reading() as connection:
        kept = envelopes.at(connection, index)
        assert key_entries(connection, key.key_id) == {index}
    assert kept is not None
    assert kept.body is not None
    assert kept.salt is not None
    assert list(check_log(world.database)) == []


def test_an_erased_delivery_cannot_be_fetched_and_does_not_stop_the_others(
    settled: World,
) -> None:
    """Who asks for it is told; what comes after it is delivered as always."""
    erase_all(settled, now() + LATER)
    with pytest.raises(DeliveryErasedError, match="acknowledged"):
        settled.maker.fetch(settled.database, "CHE01", 0, now())
    said = {"from_sequence": 1, "to_sequence": 1}
    accepted(settled.say("CHE01", HUB, ("delivery.resend", said)))
    settled.propose("THA01-9", 900, 910)
    (made,) = settled.maker.prepare(settled.database, ["CHE01"], now())
    assert made.body is not None
    assert payload_of(made.body, "itmo-delivery+jws")["items"][0]["envelope"]
