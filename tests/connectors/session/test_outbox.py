"""From `submit` to a verified receipt, whatever the hub and the network do."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from connectors.session import outbox_states
from connectors.session.handler import Transaction
from connectors.session.outbox import MessageInvalidError
from connectors.session.session import Session
from connectors.session.tables import outbox_message
from hub.protocol.envelopes import open_envelope
from keys.trust import TrustStore
from message_schemas.messages.participants import AdministratorNote
from message_schemas.messages.session import MailboxFetch
from tests.connectors.session.conftest import World, alarms_of, until
from tests.connectors.session.ledger_handler import LedgerHandler, effects, note


async def outcomes(session: Session) -> list[str]:
    """Return what the handler was told of our messages, in order."""
    return await session.database.read(effects, "outcome")


async def counts(session: Session) -> dict[str, int]:
    """Return what is not receipted."""
    return await session.database.read(outbox_states.count_open)


async def test_a_submitted_message_is_durable_before_submit_returns(world: World) -> None:
    """Another connection sees the message as soon as the caller has its id."""
    world.hub.faults.extend(["500"] * 3)
    peer = await world.peer()
    (message_id,) = await peer.submit("CHE01", [note()])
    stored = peer.database.read_now(
        lambda connection: connection.execute(select(outbox_message.c.message_id)).scalars().all()
    )
    assert stored == [message_id]


async def test_a_submission_with_nothing_before_it_is_sealed_in_its_own_commit(
    world: World,
) -> None:
    """What several calls of one transaction submit travels together."""
    world.hub.faults.extend(["500"] * 9)
    peer = await world.peer()

    def use(transaction: Transaction) -> dict[str, int]:
        transaction.submit("CHE01", [note()])
        transaction.submit("CHE01", [note()])
        return outbox_states.count_open(transaction.connection)

    assert await peer.write("outbox.submit", use) == {"waiting": 2, "queued": 0, "parked": 0}
    assert await counts(peer) == {"waiting": 0, "queued": 1, "parked": 0}
    await peer.submit("GHA01", [note()])
    assert await counts(peer) == {"waiting": 0, "queued": 2, "parked": 0}


async def test_a_message_reaches_the_hub_and_its_outcome_the_handler(world: World) -> None:
    """One message, one envelope, one receipt, one outcome, nothing left over."""
    peer = await world.peer(handler=LedgerHandler())
    await peer.submit("CHE01", [note(reference="first")])
    await until(lambda: outcomes(peer))
    assert await outcomes(peer) == ["first accepted"]
    assert await counts(peer) == {"waiting": 0, "queued": 0, "parked": 0}
    assert not await alarms_of(peer)


async def test_waiting_messages_are_grouped_in_order(world: World) -> None:
    """1,200 messages travel in full envelopes, in the order in which they were submitted."""
    peer = await world.peer(handler=LedgerHandler())
    await peer.submit("CHE01", [note(text=str(number)) for number in range(1200)])
    await until(lambda: len(world.hub.seen) == 3)
    sizes = [len(envelope.messages) for envelope in world.hub.seen]
    said = [m.message.body["text"] for envelope in world.hub.seen for m in envelope.messages]
    assert sizes == [500, 500, 200]
    assert said == [str(number) for number in range(1200)]


async def test_an_envelope_stays_below_its_size_limit(world: World) -> None:
    """Large messages are spread over envelopes that the door takes."""
    peer = await world.peer(envelope_bytes_max=100_000)
    await peer.submit("CHE01", [note(text="x" * 2000) for _ in range(100)])
    await until(lambda: sum(len(envelope.messages) for envelope in world.hub.seen) == 100)
    assert all(len(raw) <= 100_000 for raw in world.hub.posts)
    assert len(world.hub.seen) == 4


@pytest.mark.parametrize(
    "message",
    [
        ("mailbox.fetch", MailboxFetch(after_sequence=0, wait_seconds=0), "read-only"),
        ("no.such_type", AdministratorNote(subject="a", text="b"), "unknown"),
        ("administrator.note", AdministratorNote(subject="", text="b"), "against its schema"),
        ("administrator.note", AdministratorNote(subject="a", text="b"), "r" * 201),
    ],
)
async def test_what_may_not_be_sent_is_refused_at_once(
    world: World, message: tuple[str, object, str]
) -> None:
    """Nothing of a submission with one bad message is stored."""
    peer = await world.peer()
    with pytest.raises(MessageInvalidError):
        await peer.submit("CHE01", [note(), message])
    assert await counts(peer) == {"waiting": 0, "queued": 0, "parked": 0}


async def test_a_lost_receipt_is_fetched_with_the_same_bytes(world: World) -> None:
    """The hub took the envelope, the answer was lost: one effect, the same bytes again."""
    world.hub.faults.extend(["drop", "drop"])
    peer = await world.peer(handler=LedgerHandler())
    await peer.submit("CHE01", [note()])
    await until(lambda: outcomes(peer))
    assert len(world.hub.seen) == 1
    assert len(world.hub.posts) == 3
    assert len(set(world.hub.posts)) == 1
    assert await outcomes(peer) == ["note accepted"]


@pytest.mark.parametrize("fault", ["500", "html-404", "503"])
async def test_an_answer_that_is_not_final_is_tried_again(world: World, fault: str) -> None:
    """Only the hub's own final problem stops an envelope; the rest is weather."""
    world.hub.faults.append(fault)
    peer = await world.peer(handler=LedgerHandler())
    await peer.submit("CHE01", [note()])
    await until(lambda: outcomes(peer))
    assert len(set(world.hub.posts)) == 1
    assert not await alarms_of(peer)


@pytest.mark.parametrize(
    "fault",
    [
        "html-200",
        "receipt-wrong-digest",
        "receipt-no-digest",
        "receipt-other-envelope",
        "receipt-other-recipient",
        "receipt-missing-outcome",
        "receipt-double-outcome",
        "receipt-no-entry",
        "receipt-no-salt",
        "receipt-in-future",
        "receipt-other-key",
        "receipt-of-a-party",
    ],
)
async def test_a_receipt_that_does_not_fit_is_refused_and_asked_for_again(
    world: World, fault: str
) -> None:
    """A wrong receipt changes nothing but an alarm; the right one comes with the same bytes."""
    world.hub.faults.append(fault)
    peer = await world.peer(handler=LedgerHandler())
    await peer.submit("CHE01", [note()])
    await until(lambda: outcomes(peer))
    assert [alarm.kind for alarm in await alarms_of(peer)] == ["receipt-invalid"]
    assert await outcomes(peer) == ["note accepted"]
    assert len(set(world.hub.posts)) == 1


async def test_retry_after_is_honoured(world: World) -> None:
    """The hub asks for a second: the next attempt is not before that."""
    world.hub.faults.append("503")
    peer = await world.peer(handler=LedgerHandler(), retry_delay_seconds_max=5.0)
    started = world.hub.clock()
    await peer.submit("CHE01", [note()])
    await until(lambda: outcomes(peer))
    assert world.hub.clock() - started >= timedelta(seconds=0.95)


async def test_the_same_bytes_are_sent_after_a_restart(world: World) -> None:
    """An envelope outlives the process that sealed it."""
    world.hub.faults.extend(["500"] * 2)
    first = await world.peer(retry_delay_seconds_min=5.0, retry_delay_seconds_max=5.0)
    await first.submit("CHE01", [note()])
    await until(lambda: len(world.hub.posts) == 1)
    await first.stop()
    second = await world.peer(handler=LedgerHandler())
    await second.wake()
    await until(lambda: outcomes(second))
    assert len(set(world.hub.posts)) == 1


@pytest.mark.parametrize("fault", ["problem-401", "problem-409"])
async def test_a_final_problem_parks_the_line_of_one_recipient(world: World, fault: str) -> None:
    """The operator is called, what follows waits, and other recipients are served."""
    world.hub.faults.append(fault)
    peer = await world.peer(handler=LedgerHandler())
    await peer.submit("CHE01", [note(reference="parked")])
    await until(lambda: alarms_of(peer))
    await peer.submit("CHE01", [note(reference="behind it")])
    await peer.submit("GHA01", [note(reference="elsewhere")])
    await until(lambda: outcomes(peer))
    assert await outcomes(peer) == ["elsewhere accepted"]
    assert await counts(peer) == {"waiting": 1, "queued": 0, "parked": 1}
    assert [alarm.kind for alarm in await alarms_of(peer)] == ["envelope-parked"]


async def test_a_parked_envelope_goes_on_when_the_operator_says_so(world: World) -> None:
    """Retrying sends the same bytes, then what waited behind them, in order."""
    world.hub.faults.append("problem-401")
    peer = await world.peer(handler=LedgerHandler())
    await peer.submit("CHE01", [note(reference="first")])
    await until(lambda: alarms_of(peer))
    await peer.submit("CHE01", [note(reference="second")])
    (entry,) = await peer.database.read(
        lambda connection: outbox_states.list_envelopes(connection, open_only=True, limit=9)
    )
    await peer.write(
        "outbox.operate", lambda t: outbox_states.retry(t.connection, entry.envelope_id, 0)
    )
    peer.context.wake_sender()
    await until(lambda: counts_are_zero(peer))
    assert await outcomes(peer) == ["first accepted", "second accepted"]
    assert world.hub.posts[0] == world.hub.posts[1]


async def counts_are_zero(peer: Session) -> bool:
    """Tell whether nothing is open."""
    return not any((await counts(peer)).values())


async def test_resealing_puts_the_messages_into_a_new_envelope(world: World) -> None:
    """After a key change the old bytes are given up, the messages are not."""
    world.hub.faults.append("problem-401")
    peer = await world.peer(handler=LedgerHandler())
    await peer.submit("CHE01", [note(reference="first")])
    await until(lambda: alarms_of(peer))
    (entry,) = await peer.database.read(
        lambda connection: outbox_states.list_envelopes(connection, open_only=True, limit=9)
    )
    await peer.write(
        "outbox.operate", lambda t: outbox_states.reseal(t.connection, entry.envelope_id)
    )
    peer.context.wake_sender()
    await until(lambda: outcomes(peer))
    assert world.hub.posts[0] != world.hub.posts[1]
    assert len(world.hub.seen) == 1


async def test_one_envelope_is_in_flight_for_a_recipient(world: World) -> None:
    """While the hub keeps an answer back, nothing else goes to the same recipient."""
    world.hub.faults.append("hang")
    peer = await world.peer(request_seconds_max=1.5, handler=LedgerHandler())
    await peer.submit("CHE01", [note(reference="slow")])
    await until(lambda: len(world.hub.posts) == 1)
    await peer.submit("CHE01", [note(reference="later")])
    await peer.submit("GHA01", [note(reference="elsewhere")])
    await until(lambda: outcomes(peer))
    assert await outcomes(peer) == ["elsewhere accepted"]
    await until(lambda: counts_are_zero(peer))
    assert await outcomes(peer) == ["elsewhere accepted", "slow accepted", "later accepted"]


async def test_several_may_be_in_flight_when_allowed(world: World) -> None:
    """With room for two, a second envelope passes one that hangs."""
    world.hub.faults.append("hang")
    peer = await world.peer(in_flight_per_recipient_max=2, handler=LedgerHandler())
    await peer.submit("CHE01", [note(reference="slow")])
    await until(lambda: len(world.hub.posts) == 1)
    await peer.submit("CHE01", [note(reference="fast")])
    await until(lambda: outcomes(peer))
    assert await outcomes(peer) == ["fast accepted"]


async def test_what_is_sent_verifies_with_our_key(world: World) -> None:
    """The stored bytes are a signed envelope of ours to that recipient."""
    peer = await world.peer()
    await peer.submit("CHE01", [note()])
    await until(lambda: world.hub.posts)
    trust = TrustStore(world.hub.records["THA01"])
    opened = open_envelope(world.hub.posts[0], trust, world.hub.limits, world.hub.clock())
    assert (opened.envelope.sender, opened.envelope.recipient) == ("THA01", "CHE01")
