"""A batch: every message sees what the ones before it did, and every answer is kept."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from hub import bootstrap
from hub.protocol.envelopes import OpenEnvelope
from hub.protocol.errors import PeerError
from hub.protocol.response_codes import ResponseCode
from hub.services.administration.suspensions import lift_suspension, place_suspension
from hub.services.receive_envelopes import Handler
from hub.store import alerts
from message_schemas import timestamps
from message_schemas.envelopes import Outcome
from tests.hub.world import HUB, World, accepted, act, codes_of, receipt_of
from tests.integration.peers import Said, acceptance, approach, authorization, block, now, proposal


def test_messages_of_one_envelope_see_each_other(either_world: World) -> None:
    """The authorization is judged with the approach recorded a moment before it."""
    receipt = either_world.say("THA01", HUB, approach(), authorization())
    assert accepted(receipt)["log_index"] > 0
    refused = either_world.say(
        "THA01", "CHE01", proposal("THA01-1", block(1, 9)), proposal("THA01-2", block(5, 12))
    )
    assert codes_of(refused) == [0, ResponseCode.BLOCK_RESERVED]
    either_world.prove()


def test_envelopes_of_one_batch_see_each_other_in_order(either_world: World) -> None:
    """Whoever stands first in the batch gets the units; the answers come in the same order."""
    either_world.begin()
    raws = [
        either_world.envelope("THA01", "CHE01", proposal(f"THA01-{number}", block(1, 9)))
        for number in (1, 2)
    ]
    recorded = either_world.record(*raws)
    receipts = [receipt_of(answer) for answer in recorded.answers]
    assert [codes_of(receipt) for receipt in receipts] == [[0], [ResponseCode.BLOCK_RESERVED]]
    assert receipts[1]["log_index"] == receipts[0]["log_index"] + 1
    assert recorded.recipients == ["CHE01"]
    either_world.prove()


def test_a_proposal_and_its_answer_may_share_a_batch(either_world: World) -> None:
    """Proposed and completed in one commit, told to both ends."""
    either_world.begin()
    proposed = either_world.envelope("THA01", "CHE01", proposal("THA01-1", block(1, 9)))
    digest = either_world.receiver.open_batch([proposed], either_world.receiver.data.trust, now())[
        0
    ]
    assert isinstance(digest, OpenEnvelope)
    answer = either_world.envelope("CHE01", "THA01", acceptance("THA01-1", digest.sha256))
    recorded = either_world.record(proposed, answer)
    assert [codes_of(receipt_of(one)) for one in recorded.answers] == [[0], [0]]
    assert recorded.recipients == ["CHE01", "THA01"]
    assert either_world.blocks() == [(1, 9, "CHE01", "itmo")]
    either_world.prove()


def test_a_faulty_envelope_leaves_its_neighbours_alone(world: World) -> None:
    """Nonsense between two honest envelopes gets a problem; they get receipts."""
    raws = [
        world.envelope("THA01", HUB, approach()),
        b"nonsense",
        world.envelope("CHE01", HUB, ("participant.hello", {})),
    ]
    first, problem, third = world.record(*raws).answers
    accepted(receipt_of(first))
    assert isinstance(problem, PeerError)
    assert problem.code is ResponseCode.ENVELOPE_MALFORMED
    assert codes_of(receipt_of(third)) == [ResponseCode.SCHEMA_VIOLATED]


def test_the_same_bytes_get_the_same_receipt_byte_for_byte(either_world: World) -> None:
    """In a later batch, twice in one batch, and from another process of the same hub."""
    raw = either_world.envelope("THA01", HUB, approach())
    first = either_world.post(raw)
    again = either_world.record(raw, raw)
    assert again.answers == [first, first]
    assert again.recipients == []
    assert World(either_world.database).post(raw) == first
    either_world.prove()


def test_another_envelope_under_the_same_id_is_refused_and_alarmed(either_world: World) -> None:
    """In the same batch or later: the first one stands, and the secretariat is told."""
    raw = either_world.envelope("THA01", HUB, approach())
    receipt = receipt_of(either_world.post(raw))
    other = either_world.envelope(
        "THA01", HUB, approach("CA0002"), envelope_id=receipt["receipt_for"]
    )
    problem = either_world.post(other)
    assert isinstance(problem, PeerError)
    assert problem.code is ResponseCode.ENVELOPE_ID_REUSED
    with either_world.database.reading() as connection:
        (alert,) = alerts.newest(connection)
    assert (alert.kind, alert.count) == ("envelope-id-reused", 1)


@pytest.mark.parametrize(
    ("offset_seconds", "code"),
    [
        (301, ResponseCode.SENT_AT_IN_FUTURE),
        (300, ResponseCode.OK),
        (-7 * 86_400, ResponseCode.OK),
        (-7 * 86_400 - 1, ResponseCode.SENT_AT_TOO_OLD),
    ],
)
def test_the_age_of_an_envelope_is_bounded_at_both_ends(
    world: World, offset_seconds: int, code: ResponseCode
) -> None:
    """The limits themselves still pass; beyond them each message is refused, with a receipt."""
    at = now()
    sent_at = timestamps.render(at + timedelta(seconds=offset_seconds))
    answer = world.post(world.envelope("THA01", HUB, approach(), sent_at=sent_at), at=at)
    assert codes_of(receipt_of(answer)) == [code]


def test_a_message_id_that_stands_twice_spoils_the_envelope(world: World) -> None:
    """All its messages are refused: nobody could tell which outcome is whose."""
    message = {"message_id": "0197a1b2-0000-7000-8000-000000000001", "version": 1}
    messages = [
        {**message, "type": type_, "body": body} for type_, body in (approach(), authorization())
    ]
    receipt = world.say("THA01", HUB, messages=messages)
    assert codes_of(receipt) == [ResponseCode.MESSAGE_ID_REPEATED] * 2


def test_questions_do_not_travel_with_what_records(world: World) -> None:
    """A mixed envelope is refused as a whole."""
    receipt = world.say("THA01", HUB, approach(), ("holdings.query", {"items_max": 1}))
    assert codes_of(receipt) == [ResponseCode.ENVELOPE_MIXED] * 2


def test_a_handler_that_fails_records_nothing_of_its_batch(sqlite_url: str, world: World) -> None:
    """Our defect rolls the transaction back, with all that was interned in it."""
    poisoned: dict[str, Handler] = {**bootstrap.HANDLERS, "administrator.note": _fail}
    hub = World(world.database, handlers=poisoned)
    hub.begin()
    good = hub.envelope("THA01", "CHE01", proposal("THA01-1", block(1, 9)))
    bad = hub.envelope("CHE01", HUB, ("administrator.note", {"subject": "a", "text": "b"}))
    with pytest.raises(ZeroDivisionError):
        hub.record(good, bad)
    assert hub.blocks() == []
    accepted(receipt_of(hub.post(good)))
    assert hub.blocks() == [(1, 9, "THA01", "authorized")]
    hub.prove()


def _fail(*_: object) -> Outcome:
    raise ZeroDivisionError("a poisonous envelope")


def test_a_revoked_key_says_nothing_more_in_the_same_batch(either_world: World) -> None:
    """What stands behind the revocation in the queue is judged by the keys after it."""
    key_id = either_world.peers["THA01"].signers[0].key_id
    revocation = either_world.envelope(
        "THA01", HUB, ("key.revoke", {"key_id": key_id, "reason": "lost"})
    )
    late = either_world.envelope("THA01", HUB, approach())
    other = either_world.envelope("CHE01", HUB, approach())
    first, second, third = either_world.record(revocation, late, other).answers
    accepted(receipt_of(first))
    assert isinstance(second, PeerError)
    assert second.code is ResponseCode.KEY_REVOKED
    accepted(receipt_of(third))
    either_world.prove()


def test_a_suspension_counts_from_the_next_batch_on(either_world: World) -> None:
    """An operator's act beside the running hub is seen at the next commit."""
    either_world.begin()
    either_world.administration.do(place_suspension("participant", "CHE01"), act())
    receipt = either_world.say("THA01", "CHE01", proposal("THA01-1", block(1, 9)))
    assert codes_of(receipt) == [ResponseCode.RECIPIENT_SUSPENDED]
    either_world.administration.do(lift_suspension("participant", "CHE01"), act())
    either_world.propose("THA01-2", 1, 9)


def test_every_handler_has_a_type_that_records() -> None:
    """The table of handlers is the catalogue without what only the hub is asked."""
    from message_schemas.catalogue import MESSAGE_TYPES

    handlers: Mapping[str, Handler] = bootstrap.HANDLERS
    recorded = {
        name for name, kind in MESSAGE_TYPES.items() if kind.mechanism_answers or not kind.read_only
    }
    assert set(handlers) == recorded


@pytest.mark.parametrize(("levels", "code"), [(24, 0), (25, 1020), (30, 1020)])
def test_nesting_deeper_than_24_levels_is_refused_alike_in_both_bindings(
    xml_world: World, levels: int, code: int
) -> None:
    """24 levels are taken, and the message in them gets its own refusal."""
    for peer in (xml_world.peers["THA01"], xml_world.peers["THA01"].in_xml):
        assert door_code(xml_world, peer.envelope("CHE01", nested(levels))) == code


def test_from_31_levels_on_xml_is_no_document_and_json_is_no_envelope(xml_world: World) -> None:
    """Two codes for one fault, as docs/xml-binding.md says: XML is refused before its signature."""
    peer = xml_world.peers["THA01"]
    assert door_code(xml_world, peer.envelope("CHE01", nested(31))) == 1020
    deepest = peer.in_xml.envelope("CHE01", nested(30))
    deeper = deepest.replace(b"<integer>1</integer>", b"<array><integer>1</integer></array>")
    assert len(deeper) > len(deepest)
    assert door_code(xml_world, deeper) == 1001


def nested(levels: int) -> Said:
    """Return a message with which its envelope has so many lists and objects in each other."""
    deep: object = 1
    for _ in range(levels - 4):  # the envelope, its messages, the message and its body
        deep = [deep]
    return "administrator.note", {"subject": "a", "text": "b", "more": deep}


def door_code(world: World, raw: bytes) -> int:
    """Return the code with which an envelope is refused at the door, 0 for a receipt."""
    answer = world.post(raw)
    return int(answer.code) if isinstance(answer, PeerError) else 0
