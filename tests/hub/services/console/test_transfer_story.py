"""The story of a transfer, from real messages: every end it can have, in either binding, erased."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.bootstrap_console import ground_of
from hub.config import Settings
from hub.protocol.delivery_states import DeliveryState
from hub.protocol.signed_objects import SigningKeys
from hub.services import erase_bodies, expire_transfers
from hub.services.console.ground import Ground
from hub.services.console.transfers.logged_messages import DeliveryEvent, MessageDesk, MessageEvent
from hub.services.console.transfers.transfer_story import (
    ActEvent,
    CaseEvent,
    CorrectionEvent,
    Story,
    TransferStories,
)
from hub.services.deliver import note_failure
from hub.store.database import Database
from tests.hub.log_world import publisher
from tests.hub.services.handlers.test_actions import use
from tests.hub.services.reconciliation.case_worlds import compared, finding
from tests.hub.services.test_export_evidence import completed
from tests.hub.world import HUB, World, accepted
from tests.integration.hub_process import register
from tests.integration.peers import acceptance, block, now, seeded_signer, seeded_xml_signer
from tests.integration.worlds import rejection


@pytest.fixture
def world(registered_url: str) -> Iterator[World]:
    """Return a hub with the agreement and the authorization recorded, on either database."""
    database = Database(registered_url)
    made = World(database)
    made.begin()
    yield made
    database.dispose()


def ground(world: World, **changes: Any) -> Ground:
    """Return the ground of a console beside a world."""
    url = world.database.url.render_as_string(hide_password=False)
    made = ground_of(Settings(database_url=url), world.database)
    return dataclasses.replace(made, **changes)


def story_of(world: World, transfer_id: str, *, with_originals: bool = True) -> Story:
    """Return the story of a transfer that exists."""
    told = TransferStories(ground(world)).story(transfer_id, with_originals=with_originals)
    assert told is not None
    return told


def shown(story: Story) -> list[str]:
    """Return what happened, in a word or two each."""
    words = []
    for one in story.events:
        match one:
            case MessageEvent():
                words.append(f"{one.sender}: {'+'.join(one.roles)}")
            case DeliveryEvent():
                words.append(f"to {one.recipient}: {one.role}, {one.state}")
            case ActEvent():
                words.append(one.act)
            case CaseEvent():
                words.append(f"case {one.case.kind}")
            case CorrectionEvent():
                words.append("correction")
    return words


def awaited(story: Story) -> list[tuple[str, str]]:
    """Return what is awaited from whom."""
    return [(one.what, one.who) for one in story.awaited]


def test_a_completed_transfer_is_told_from_proposal_to_last_acknowledgement(world: World) -> None:
    """Every message with its receipt, every delivery with who acknowledged it, in order."""
    completed(world)
    publisher(world.database).publish(now())
    story = story_of(world, "THA01-1")
    assert shown(story) == [
        "THA01: proposal",
        "to CHE01: proposal, acknowledged",
        "CHE01: acknowledgement",
        "CHE01: acceptance",
        "to CHE01: acceptance, acknowledged",
        "to THA01: acceptance, acknowledged",
        "CHE01: acknowledgement",
        "THA01: acknowledgement",
    ]
    assert awaited(story) == []
    assert story.covered_by is not None
    assert [one.units for one in story.units] == [
        "CA0001-THA01-THA-1-2022..CA0001-THA01-THA-1900-2022"
    ]
    first = story.events[0]
    assert isinstance(first, MessageEvent)
    assert first.envelope is not None
    assert first.receipt is not None
    assert first.envelope.signatures == ((first.key_ids[0], "Ed25519"),)
    assert first.said[0].body["quantity"] == 1900
    assert first.said[0].outcome == "accepted"
    assert first.envelope.original is not None
    assert '"transfer_id": "THA01-1"' in first.envelope.original.laid_out
    told = [one for one in story.events if isinstance(one, DeliveryEvent)]
    assert [notice.type for notice in told[-1].notices] == ["transfer.completed"]


def test_a_transfer_in_flight_says_who_is_awaited_and_until_when(world: World) -> None:
    """The answer by its deadline, the delivery with its failed attempts, the tree."""
    world.propose("THA01-1", 1, 10)
    world.maker.prepare(world.database, ["CHE01"], now())
    schedule = ground(world).retry
    note_failure(
        world.database,
        "CHE01",
        error="connection refused",
        schedule=schedule,
        jitter=0.0,
        now=now(),
    )
    story = story_of(world, "THA01-1")
    assert awaited(story) == [("answer", "CHE01"), ("acknowledgement", "CHE01"), ("tree", HUB)]
    assert story.awaited[0].until == story.transfer.respond_by
    delivery = story.awaited[1].delivery
    assert delivery is not None
    assert (delivery.state, delivery.failure_count) == (DeliveryState.BACKING_OFF, 1)
    assert delivery.last_error == "connection refused"
    assert delivery.next_attempt_at is not None
    assert [one.range.quantity for one in story.units] == [10]


def test_a_rejected_transfer_shows_the_reasons_and_holds_no_units(world: World) -> None:
    """What the acquirer said, in its own words."""
    digest = world.propose("THA01-1", 1, 10)
    accepted(world.say("CHE01", "THA01", rejection("THA01-1", digest)))
    story = story_of(world, "THA01-1")
    end = story.events[-1]
    words = [one for one in shown(story) if not one.startswith("to ")]
    assert words == ["THA01: proposal", "CHE01: rejection"]
    messages = [one for one in story.events if isinstance(one, MessageEvent)]
    assert messages[-1].said[0].body["reasons"] == [{"text": "The account is closed."}]
    assert story.units == ()
    assert isinstance(end, DeliveryEvent)
    assert end.state is DeliveryState.WAITING


def test_a_cancelled_transfer_ends_with_its_withdrawal(world: World) -> None:
    """By the initiator, before there was an answer."""
    digest = world.propose("THA01-1", 1, 10)
    body = {"transfer_id": "THA01-1", "previous_sha256": digest, "reason": "A mistake."}
    accepted(world.say("THA01", "CHE01", ("transfer.cancellation", body)))
    words = [one for one in shown(story_of(world, "THA01-1")) if not one.startswith("to ")]
    assert words == ["THA01: proposal", "THA01: withdrawal"]


def test_an_expired_transfer_ends_with_an_act_of_the_hub(world: World) -> None:
    """Nobody signed the end; the act is shown with how many it ended."""
    world.propose("THA01-1", 1, 10)
    late = now() + timedelta(days=60)
    expire_transfers.expire_due(
        world.database, identity=world.identity, limits=world.limits, now=late
    )
    story = story_of(world, "THA01-1")
    (act,) = [one for one in story.events if isinstance(one, ActEvent)]
    assert (act.act, act.actor, act.count) == ("transfers.expired", HUB, 1)
    assert ("acknowledgement", "THA01") in awaited(story)
    assert ("answer", "CHE01") not in awaited(story)


def test_a_transfer_that_moves_no_units_is_told_the_same_way(world: World) -> None:
    """Notification and recognition."""
    body = {
        "transfer_id": "THA01-1",
        "action": "first_transfer",
        "cooperative_approach": "CA0001",
        "transferring_account": "TH-1",
        "acquiring_account": "CH-1",
        "purpose": "NDC",
        "quantity": 10,
        "blocks": [block(1, 10)],
        "adjustment_method": "averaging",
    }
    receipt = accepted(world.say("THA01", "CHE01", ("transfer.notification", body)))
    said = {
        "transfer_id": "THA01-1",
        "decision": "recognize",
        "previous_sha256": receipt["envelope_sha256"],
        "reasons": [],
    }
    accepted(world.say("CHE01", "THA01", ("transfer.recognition", said)))
    story = story_of(world, "THA01-1")
    assert story.transfer.mode == "notify_and_record"
    words = [one for one in shown(story) if not one.startswith("to ")]
    assert words == ["THA01: proposal", "CHE01: acceptance"]


def test_messages_in_xml_are_read_like_those_in_json(tmp_path: Path) -> None:
    """The same members; the words as they were written, in their own binding."""
    url = f"sqlite:///{tmp_path}/hub.db"
    register(url, xml=[HUB, "THA01"])
    world = World(Database(url), keys=SigningKeys.of([seeded_signer(HUB)], seeded_xml_signer(HUB)))
    world.peers["THA01"] = world.peers["THA01"].in_xml
    world.begin()
    world.propose("THA01-1", 1, 10)
    event = story_of(world, "THA01-1").events[0]
    assert isinstance(event, MessageEvent)
    assert event.envelope is not None
    assert event.envelope.original is not None
    assert (event.envelope.binding, event.envelope.signatures[0][1]) == ("XML", "ES256")
    assert event.said[0].body["transferring_account"] == "TH-1"
    assert "<transfer_id>THA01-1</transfer_id>" in event.envelope.original.laid_out
    assert event.receipt is not None
    assert event.receipt.said is not None
    world.database.dispose()


def test_erased_messages_leave_who_and_when(world: World) -> None:
    """Keys, digests and places stay; what was said is gone, and said to be."""
    completed(world)
    later = now() + timedelta(days=400)
    while erase_bodies.erase_part(world.database, hub=HUB, retention_days=365, now=later):
        pass
    story = story_of(world, "THA01-1")
    assert len(story.events) == 8
    for one in story.events:
        if isinstance(one, MessageEvent):
            assert one.envelope is one.receipt is None
            assert one.key_ids
        if isinstance(one, DeliveryEvent):
            assert one.binding is None
            assert one.sealings[-1].byte_count is None


def test_without_the_right_no_original_is_even_read_out(world: World) -> None:
    """The values are for everybody who may look; word for word only for who may read messages."""
    completed(world)
    story = story_of(world, "THA01-1", with_originals=False)
    for one in story.events:
        if isinstance(one, MessageEvent):
            assert one.envelope is not None
            assert one.envelope.original is None
            assert one.receipt is not None
            assert one.receipt.original is None


def test_cases_that_touch_the_units_are_part_of_the_story(world: World) -> None:
    """Found by the serials, or by the cause that a comparison named."""
    world.transfer("THA01-1", 1, 99)
    world.transfer("THA01-2", 200, 299)
    compared(world, finding(11, 20))
    assert any(one.startswith("case ") for one in shown(story_of(world, "THA01-1")))
    assert not any(one.startswith("case ") for one in shown(story_of(world, "THA01-2")))


def test_there_is_no_story_of_what_is_no_transfer(world: World) -> None:
    """None, for whatever text."""
    for text in ("THA01-9", "", "'; DROP TABLE transfer", "../../etc/passwd"):
        assert TransferStories(ground(world)).story(text, with_originals=True) is None


def test_a_message_of_others_in_the_same_envelope_is_counted_and_not_shown(world: World) -> None:
    """Two transfers answered at once: each story has its own answer."""
    first, second = world.propose("THA01-1", 1, 10), world.propose("THA01-2", 20, 30)
    answers = (acceptance("THA01-1", first), acceptance("THA01-2", second))
    accepted(world.say("CHE01", "THA01", *answers))
    events = [one for one in story_of(world, "THA01-2").events if isinstance(one, MessageEvent)]
    assert [one.body["transfer_id"] for one in events[-1].said] == ["THA01-2"]
    assert events[-1].other_count == 1


def test_an_action_is_found_by_its_id_with_its_message(world: World) -> None:
    """A use: who said it, what it says, who was told."""
    world.transfer("THA01-1", 1, 99)
    accepted(world.say("CHE01", HUB, use("CHE01-7", block(1, 10))))
    desk = MessageDesk(ground(world))
    (taken,) = desk.actions("CHE01-7", with_originals=True)
    assert taken.type == "action.use"
    assert taken.message is not None
    assert taken.message.said[0].body["action_id"] == "CHE01-7"
    assert [one.recipient for one in taken.deliveries] == ["CHE01"]
    assert desk.actions("CHE01-8", with_originals=True) == ()


def test_an_envelope_is_shown_whole_and_its_bytes_are_exact(world: World) -> None:
    """By its index; None where an entry is no envelope."""
    digest = world.propose("THA01-1", 1, 10)
    desk = MessageDesk(ground(world))
    index = story_of(world, "THA01-1").transfer.proposed_log_index
    page = desk.envelope(index, with_originals=True)
    assert page is not None
    assert (page.message.sha256, page.transfers) == (digest, ("THA01-1",))
    raw = desk.raw(index, "envelope")
    assert raw is not None
    assert page.message.envelope is not None
    assert page.message.envelope.byte_count == len(raw)
    assert desk.envelope(0, with_originals=True) is None
    assert desk.raw(10**15, "receipt") is None
