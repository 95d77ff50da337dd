"""What asks for attention: each cause alone, on both databases, and nothing on a good day."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from hub.services import log_standing
from hub.services.administration.participants import change_state, revoke_key
from hub.services.collect_cosignatures import Policies
from hub.services.console.nights.attention import Attention, Cause, Severity, in_order
from hub.services.console.nights.tonight_desk import TonightDesk
from hub.store import alerts, mailboxes
from hub.store.reconciliation import links, nights
from hub.store.reconciliation.nights import FINISHED, MISSED, RUNNING, NightRow
from hub.store.tables import envelope, participant_key
from hub.transparency_log.policies import Policy
from message_schemas import timestamps
from tests.hub.log_world import Witness, grow, publisher
from tests.hub.services.console.grounds import ground_over
from tests.hub.services.reconciliation.night_rows import FAULTY
from tests.hub.world import HUB, World, act
from tests.integration.peers import approach, now


def causes(world: World, at: datetime | None = None, **changes: object) -> list[Attention]:
    """Return what asks for attention at a time."""
    when = at or now()
    ground = ground_over(world.database, clock=lambda: when, **changes)
    return list(TonightDesk(ground).tonight().attention)


def only(found: list[Attention], cause: Cause) -> Attention:
    """Return the one of a cause."""
    (one,) = [one for one in found if one.cause is cause]
    return one


def tonight(world: World, state: str = FINISHED, **changes: object) -> str:
    """Write the night that is due now; return its name."""
    at = now()
    name = (
        at.date().isoformat()
        if at.strftime("%H:%M") >= "01:30"
        else str(at.date() - timedelta(days=1))
    )
    with world.database.writing() as connection:
        nights.add(connection, [NightRow(name, state, at, at, **changes)])  # type: ignore[arg-type] # the test names the columns
    return name


@pytest.fixture
def good(either_world: World) -> World:
    """Return a hub on a good day: everybody spoke, the night ran, the log has its checkpoint."""
    either_world.begin()
    publisher(either_world.database).publish(now())
    tonight(either_world)
    return either_world


def test_a_good_day_asks_for_nothing(good: World) -> None:
    """Nobody is asked to look at what is well."""
    assert causes(good) == []


@pytest.mark.parametrize(
    ("days", "severity"), [(20, Severity.WARNING), (3, Severity.DANGER)], ids=["weeks", "days"]
)
def test_a_key_that_ends_soon_is_named(good: World, days: int, severity: Severity) -> None:
    """Within a month it is to be looked at, within a week at once."""
    ends = now() + timedelta(days=days)
    with good.database.writing() as connection:
        connection.execute(
            update(participant_key)
            .where(participant_key.c.participant == "CHE01")
            .values(valid_until=ends)
        )
    one = only(causes(good), Cause.KEY_EXPIRES)
    assert (one.subject, one.at, one.severity) == ("CHE01", ends, severity)
    assert one.path == "/registries/CHE01"


def test_a_registry_without_a_key_is_named_first(good: World) -> None:
    """Its last key was revoked: nothing it says is believed."""
    with good.database.reading() as connection:
        key = connection.execute(
            participant_key.select().where(participant_key.c.participant == "GHA01")
        ).one()
    good.administration.do(revoke_key(key.key_id), act())
    publisher(good.database).publish(now())
    assert causes(good)[0].cause is Cause.NO_KEY


def test_a_suspended_registry_is_named(good: World) -> None:
    """Once, whatever else is known of it."""
    good.administration.do(change_state("GHA01", "suspend"), act("their wish"))
    publisher(good.database).publish(now())
    assert [one.subject for one in causes(good) if one.cause is Cause.SUSPENDED] == ["GHA01"]


@pytest.mark.parametrize(
    ("failures", "cause"), [(1, Cause.BACK_OFF), (5, Cause.CIRCUIT_OPEN)], ids=["one", "five"]
)
def test_failed_deliveries_are_named_with_the_next_attempt(
    good: World, failures: int, cause: Cause
) -> None:
    """A few are tried again by themselves; many open the circuit."""
    until = now() + timedelta(minutes=5)
    with good.database.writing() as connection:
        mailboxes.note_failure(
            connection, "CHE01", failure_count=failures, error="refused", until=until
        )
    one = only(causes(good), cause)
    assert (one.subject, one.count, one.at, one.detail) == ("CHE01", failures, until, "refused")


def test_silence_and_old_queues_are_named(good: World) -> None:
    """Three days later nobody was heard of, and what was sent is not acknowledged."""
    found = causes(good, now() + timedelta(days=3))
    silent = {one.subject for one in found if one.cause is Cause.NO_SIGN_OF_LIFE}
    assert {"THA01", "CHE01", "GHA01", "XMR01"} <= silent
    assert {one.subject for one in found if one.cause is Cause.QUEUE_OLD} >= {"CHE01"}


@pytest.mark.parametrize(
    ("seconds", "cause"),
    [(200, Cause.CLOCK_AHEAD), (-400, Cause.CLOCK_BEHIND)],
    ids=["ahead", "behind"],
)
def test_a_clock_is_told_from_the_newest_message(good: World, seconds: int, cause: Cause) -> None:
    """By when it was sent, by its sender's clock, and when it came; refused or not."""
    sent = timestamps.render(now() + timedelta(seconds=seconds))
    good.say("THA01", HUB, approach(), sent_at=sent)
    publisher(good.database).publish(now())
    one = only(causes(good), cause)
    assert one.subject == "THA01"
    assert abs(one.seconds - abs(seconds)) <= 3


def test_a_small_difference_is_no_cause(good: World) -> None:
    """Messages take some time to come."""
    sent = timestamps.render(now() - timedelta(seconds=20))
    good.say("THA01", HUB, approach(), sent_at=sent)
    publisher(good.database).publish(now())
    assert causes(good) == []


def test_a_night_that_has_not_begun_is_named(good: World) -> None:
    """The day after, some minutes behind its time; not before."""
    due = TonightDesk(ground_over(good.database)).tonight().next_night_at
    assert not any(
        one.cause is Cause.NIGHT_NOT_BEGUN for one in causes(good, due + timedelta(minutes=5))
    )
    one = only(causes(good, due + timedelta(minutes=15)), Cause.NIGHT_NOT_BEGUN)
    assert (one.at, one.severity) == (due, Severity.DANGER)


def test_missed_nights_long_nights_and_own_faults_are_named(either_world: World) -> None:
    """Each leads to its night."""
    either_world.begin()
    name = tonight(either_world, RUNNING, own_books=FAULTY.as_json())
    with either_world.database.writing() as connection:
        nights.add(connection, [NightRow("2026-01-01", MISSED, now())])
    found = causes(either_world, now() + timedelta(hours=6))
    assert only(found, Cause.NIGHT_MISSED).path == "/nights/2026-01-01"
    assert only(found, Cause.NIGHT_LONG).subject == name
    assert only(found, Cause.OWN_BOOKS).count == 1


def test_a_statement_that_does_not_come_is_named(good: World) -> None:
    """Of a registry that is to hand in statements, and never did."""
    with good.database.writing() as connection:
        links.set_mode(connection, "GHA01", "statement")
    assert only(causes(good), Cause.STATEMENT_OVERDUE).subject == "GHA01"


def test_entries_without_a_checkpoint_are_named(good: World) -> None:
    """Nothing published for some minutes: no hub runs, or it cannot sign."""
    grow(good.database, 3)
    one = only(causes(good, now() + timedelta(minutes=10)), Cause.CHECKPOINT_LATE)
    assert one.count == 3


def test_a_halted_log_comes_before_all(good: World) -> None:
    """No message is taken: nothing matters more."""
    with good.database.writing() as connection:
        log_standing.halt(
            connection, kind=log_standing.FORKED, subject="who", detail="forked", at=now()
        )
    first = causes(good)[0]
    assert (first.cause, first.severity) == (Cause.LOG_HALTED, Severity.DANGER)


def test_missing_witnesses_are_named(good: World) -> None:
    """A policy whose quorum nobody made up."""
    witness = Witness("witness.example/w1")
    text = f"witness w1 {witness.key.vkey}\nquorum w1\n"
    policies = Policies(prompt=Policy.parse(text))
    found = causes(good, now() + timedelta(minutes=10), policies=policies)
    assert "w1" in only(found, Cause.QUORUM_MISSING).detail


def test_alerts_are_shown_for_a_week(good: World) -> None:
    """Nobody closes them: then they pass."""
    with good.database.writing() as connection:
        alerts.add(connection, kind="envelope-id-reused", subject="X", detail="twice", at=now())
    assert only(causes(good), Cause.ALERT).detail == "envelope-id-reused: twice"
    later = causes(good, now() + timedelta(days=8))
    assert all(one.cause is not Cause.ALERT for one in later)


def test_the_worst_comes_first() -> None:
    """By severity, then by cause, then by name."""
    found = [
        Attention(Cause.ALERT, Severity.WARNING, "b", "/"),
        Attention(Cause.KEY_EXPIRES, Severity.WARNING, "c", "/"),
        Attention(Cause.KEY_EXPIRES, Severity.WARNING, "a", "/"),
        Attention(Cause.NO_KEY, Severity.DANGER, "z", "/"),
        Attention(Cause.CLOCK_BEHIND, Severity.INFO, "a", "/"),
    ]
    assert [one.subject for one in in_order(found)] == ["z", "a", "c", "b", "a"]


def test_what_cannot_be_read_says_nothing_of_a_clock(good: World) -> None:
    """An erased or unreadable message is no cause, and breaks no page."""
    for body in (b"no envelope", None):
        with good.database.writing() as connection:
            connection.execute(update(envelope).values(body=body))
        assert causes(good) == []
