"""Transfers: every ending gives the units to one side or back, and tells both ends once."""

import pytest

from hub.protocol.response_codes import ResponseCode
from tests.hub.world import HUB, World, accepted, codes_of, notices_to
from tests.integration.peers import Said, acceptance, approach, authorization, block, proposal


def cancellation(transfer_id: str, digest: str) -> Said:
    """Return the initiator's withdrawal."""
    return "transfer.cancellation", {"transfer_id": transfer_id, "previous_sha256": digest}


def rejection(transfer_id: str, digest: str) -> Said:
    """Return the acquirer's refusal, with a reason that names units."""
    reason = {"code": "account", "text": "No such account."}
    return acceptance(transfer_id, digest, decision="reject", reasons=[reason])


def test_a_rejection_gives_back_and_passes_the_reasons_on(world: World) -> None:
    """Units that were here on the proposal's word leave again; the initiator reads why."""
    world.begin()
    digest = world.propose("THA01-1", 1, 9)
    accepted(world.say("CHE01", "THA01", rejection("THA01-1", digest)))
    assert world.blocks() == []
    for end in ("THA01", "CHE01"):
        told = [body for type_, body in notices_to(world, end) if type_ == "transfer.rejected"]
        assert [(one["transfer_id"], one["state"]) for one in told] == [("THA01-1", "rejected")]
        assert told[0]["reasons"][0]["text"] == "No such account."
    world.prove()


def test_a_withdrawal_before_the_answer_frees_units_that_were_known(world: World) -> None:
    """An onward transfer that is cancelled leaves the units where they were."""
    world.begin()
    world.transfer("THA01-1", 1, 9)
    onward = proposal("CHE01-1", block(3, 5), action="transfer")
    digest = accepted(world.say("CHE01", "GHA01", onward))["envelope_sha256"]
    assert len(world.blocks()) == 3
    accepted(world.say("CHE01", "GHA01", cancellation("CHE01-1", digest)))
    assert {one[2] for one in world.blocks()} == {"CHE01"}
    types = [type_ for type_, _ in notices_to(world, "GHA01") if type_.startswith("transfer.")]
    assert types == ["transfer.cancelled"]
    world.prove()


def test_what_was_said_before_is_a_duplicate_with_the_first_result(world: World) -> None:
    """Proposal, answer and withdrawal: said again in new envelopes, they change nothing."""
    world.begin()
    said = proposal("THA01-1", block(1, 9))
    digest = accepted(world.say("THA01", "CHE01", said))["envelope_sha256"]
    answer = acceptance("THA01-1", digest)
    accepted(world.say("CHE01", "THA01", answer))
    before = (world.blocks(), notices_to(world, "THA01"))
    for sender, recipient, again in (("THA01", "CHE01", said), ("CHE01", "THA01", answer)):
        (outcome,) = world.say(sender, recipient, again)["outcomes"]
        assert (outcome["outcome"], outcome["result"]["state"]) == ("duplicate-of", "completed")
    assert (world.blocks(), notices_to(world, "THA01")) == before
    world.prove()


def test_a_stranger_who_repeats_a_proposal_learns_nothing(world: World) -> None:
    """The same words from somebody else are refused, not answered as a duplicate."""
    world.begin()
    said = proposal("THA01-1", block(1, 9))
    accepted(world.say("THA01", "CHE01", said))
    (outcome,) = world.say("GHA01", "CHE01", said)["outcomes"]
    assert outcome["code"] == ResponseCode.ID_PREFIX_NOT_SENDER
    assert outcome.get("result") is None


@pytest.mark.parametrize("later", [rejection, cancellation], ids=["rejected", "withdrawn"])
def test_a_completed_transfer_is_final(world: World, later: object) -> None:
    """Neither end can undo it, each learns so by a code."""
    world.begin()
    digest = world.propose("THA01-1", 1, 9)
    accepted(world.say("CHE01", "THA01", acceptance("THA01-1", digest)))
    sender, recipient = ("CHE01", "THA01") if later is rejection else ("THA01", "CHE01")
    assert callable(later)
    refused = world.say(sender, recipient, later("THA01-1", digest))
    assert codes_of(refused) == [ResponseCode.INPUT_NOT_ALLOWED_IN_STATE]
    assert world.blocks() == [(1, 9, "CHE01", "itmo")]
    world.prove()


def test_the_same_id_with_another_field_is_refused(world: World) -> None:
    """The field that differs is named."""
    world.begin()
    world.propose("THA01-1", 1, 9)
    receipt = world.say("THA01", "CHE01", proposal("THA01-1", block(1, 9), purpose="OIMP"))
    assert codes_of(receipt) == [ResponseCode.TRANSFER_EXISTS_WITH_DIFFERENT_FIELD]
    assert "purpose" in receipt["outcomes"][0]["findings"][0]["text"]


def test_a_notified_transfer_is_recorded_when_it_is_recognized(world: World) -> None:
    """Notify-and-record: same table, other words; the record of who holds the units moves."""
    world.begin()
    type_, body = proposal("THA01-1", block(1, 9))
    notified = ("transfer.notification", body | {"adjustment_method": "averaging"})
    digest = accepted(world.say("THA01", "CHE01", notified))["envelope_sha256"]
    answer = {
        "transfer_id": "THA01-1",
        "decision": "recognize",
        "previous_sha256": digest,
        "reasons": [],
    }
    accepted(world.say("CHE01", "THA01", ("transfer.recognition", answer)))
    (told,) = [body for kind, body in notices_to(world, "CHE01") if kind == "transfer.completed"]
    assert told["mode"] == "notify_and_record"
    assert world.blocks() == [(1, 9, "CHE01", "itmo")]
    assert type_ == "transfer.proposal"
    world.prove()


def test_the_cap_counts_what_is_reserved_and_gives_it_back(world: World) -> None:
    """Two proposals cannot share the last units; after a rejection the next one passes."""
    accepted(world.say("THA01", HUB, approach(), authorization(quantity_max=10)))
    digest = world.propose("THA01-1", 1, 9)
    second = proposal("THA01-2", block(10, 19))
    refused = world.say("THA01", "CHE01", second)
    assert codes_of(refused) == [ResponseCode.AUTHORIZED_QUANTITY_EXCEEDED]
    accepted(world.say("CHE01", "THA01", rejection("THA01-1", digest)))
    accepted(world.say("THA01", "CHE01", second))
    world.prove()
