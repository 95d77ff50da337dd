"""4xxx: identifiers given out once, answers to what was asked, versions without gaps."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hub.checks.sequence import differing_field, natural_id
from hub.protocol.response_codes import ResponseCode as Code
from hub.protocol.transfer_states import FINAL_STATES, TransferState
from message_schemas import timestamps
from message_schemas.messages import queries, transfers
from tests.hub.checks.worlds import (
    AUTHORIZATION,
    ENTITY,
    NOW,
    TRANSFER,
    Row,
    Sent,
    acknowledgement,
    approach_record,
    authorization_record,
    block,
    cancel,
    cancellation,
    entity_record,
    found,
    held,
    hold_true,
    issuance_notice,
    notification,
    passes,
    proposal,
    recognition,
    rejection,
    sent,
    use,
    world,
)

SECOND = timedelta(seconds=1)
MONTH = timedelta(days=30)


def to(body: object, sender: str = "", recipient: str = "", **changes: Any) -> Sent:
    """Return a message about the transfer in flight, itself changed."""
    record = replace(TRANSFER, **changes)
    return sent(body, world(transfers={"THA01-1": record}), sender, recipient)


def by(moment: timedelta) -> Callable[[], Sent]:
    """Return a proposal to be answered that long after now."""
    return lambda: sent(proposal(respond_by=timestamps.render(NOW + moment)))


def asking(sender: str, body: object = None) -> Callable[[], Sent]:
    """Return a question for the state of the transfer in flight."""
    return lambda: to(body or transfers.TransferStatus(transfer_id="THA01-1"), sender)


def closed(state: TransferState) -> dict[str, Any]:
    """Return what a final state changes of the transfer."""
    return {"state": state, "closed_log_index": 45, "closed_at": NOW}


def accepting(state: TransferState) -> Callable[[], Sent]:
    """Return an acceptance of a transfer that is in a final state."""
    return lambda: to(acknowledgement(), **closed(state))


def repeated(body: object, earlier: object, identifier: str) -> Sent:
    """Return a message under an identifier that is taken."""
    ledger = held(1, 100)
    return sent(body, world(ledger, earlier={identifier: earlier}))


HISTORY = queries.HistoryQuery(items_max=10, transfer_id="THA01-1")
VERSIONS = world(
    authorization=(replace(AUTHORIZATION, authorization_id="TH-2026-002"),),
    entities={("CA0001", "THA-1"): replace(ENTITY, entity_id="THA-1", authorizing_party="THA")},
)

ROWS = [
    passes(Code.TRANSFER_UNKNOWN, "known", lambda: to(acknowledgement())),
    found(Code.TRANSFER_UNKNOWN, "answered", lambda: sent(acknowledgement())),
    found(Code.TRANSFER_UNKNOWN, "withdrawn", lambda: sent(cancellation())),
    found(Code.TRANSFER_UNKNOWN, "asked for", lambda: sent(asking("THA01")().body)),
    found(Code.TRANSFER_UNKNOWN, "its history", lambda: sent(HISTORY)),
    passes(Code.TRANSFER_EXISTS_WITH_DIFFERENT_FIELD, "a new id", lambda: sent(proposal())),
    found(
        Code.TRANSFER_EXISTS_WITH_DIFFERENT_FIELD,
        "another quantity",
        lambda: to(proposal(block(1, 99))),
    ),
    found(
        Code.TRANSFER_EXISTS_WITH_DIFFERENT_FIELD,
        "another recipient",
        lambda: to(proposal(), recipient="GHA01"),
    ),
    found(
        Code.TRANSFER_EXISTS_WITH_DIFFERENT_FIELD,
        "a reference that the record does not keep",
        lambda: repeated(proposal(reference="A"), proposal(reference="B"), "transfer:THA01-1"),
    ),
    found(
        Code.TRANSFER_EXISTS_WITH_DIFFERENT_FIELD,
        "a notification under the id of a proposal",
        lambda: repeated(notification(), proposal(), "transfer:THA01-1"),
    ),
    *[
        found(
            Code.INPUT_NOT_ALLOWED_IN_STATE,
            f"accepting what is {state}",
            accepting(state),
        )
        for state in sorted(FINAL_STATES - {TransferState.EXPIRED})
    ],
    found(
        Code.INPUT_NOT_ALLOWED_IN_STATE,
        "withdrawing what is completed",
        lambda: to(cancellation(), **closed(TransferState.COMPLETED)),
    ),
    passes(Code.INPUT_NOT_ALLOWED_IN_STATE, "declining in time", lambda: to(rejection())),
    passes(Code.INPUT_NOT_ALLOWED_IN_STATE, "withdrawing in time", lambda: to(cancellation())),
    passes(Code.NOT_PARTY_TO_TRANSFER, "the acquirer answers", lambda: to(acknowledgement())),
    found(
        Code.NOT_PARTY_TO_TRANSFER,
        "a stranger answers",
        lambda: to(acknowledgement(), "GHA01", "THA01"),
    ),
    found(
        Code.NOT_PARTY_TO_TRANSFER,
        "the initiator answers itself",
        lambda: to(acknowledgement(), "THA01", "CHE01"),
    ),
    found(
        Code.NOT_PARTY_TO_TRANSFER,
        "the answer goes elsewhere",
        lambda: to(acknowledgement(), "CHE01", "GHA01"),
    ),
    found(
        Code.NOT_PARTY_TO_TRANSFER,
        "the acquirer withdraws",
        lambda: to(cancellation(), "CHE01", "THA01"),
    ),
    passes(Code.NOT_PARTY_TO_TRANSFER, "the acquirer asks", asking("CHE01")),
    found(Code.NOT_PARTY_TO_TRANSFER, "a stranger asks", asking("GHA01")),
    found(Code.NOT_PARTY_TO_TRANSFER, "a stranger asks for history", asking("GHA01", HISTORY)),
    passes(Code.PREVIOUS_DIGEST_DIFFERS, "the same bytes", lambda: to(acknowledgement())),
    found(
        Code.PREVIOUS_DIGEST_DIFFERS,
        "accepting other bytes",
        lambda: to(acknowledgement(previous_sha256="0" * 64)),
    ),
    found(
        Code.PREVIOUS_DIGEST_DIFFERS,
        "withdrawing other bytes",
        lambda: to(cancellation(previous_sha256="0" * 64)),
    ),
    passes(
        Code.TRANSFER_EXPIRED,
        "a second before",
        lambda: to(acknowledgement(), respond_by=NOW + SECOND),
    ),
    found(
        Code.TRANSFER_EXPIRED,
        "at the deadline, not swept yet",
        lambda: to(acknowledgement(), respond_by=NOW),
    ),
    found(
        Code.TRANSFER_EXPIRED,
        "swept",
        lambda: to(acknowledgement(), **closed(TransferState.EXPIRED)),
    ),
    found(
        Code.TRANSFER_EXPIRED,
        "withdrawing what is expired",
        lambda: to(cancellation(), **closed(TransferState.EXPIRED)),
    ),
    passes(
        Code.TRANSFER_EXPIRED,
        "withdrawing what is overdue and not swept yet",
        lambda: to(cancellation(), respond_by=NOW - SECOND),
    ),
    found(Code.RESPOND_BY_OUT_OF_RANGE, "now", by(timedelta())),
    found(Code.RESPOND_BY_OUT_OF_RANGE, "past", by(-SECOND)),
    passes(Code.RESPOND_BY_OUT_OF_RANGE, "soon", by(SECOND)),
    passes(Code.RESPOND_BY_OUT_OF_RANGE, "the last moment", by(MONTH)),
    found(Code.RESPOND_BY_OUT_OF_RANGE, "too far ahead", by(MONTH + SECOND)),
    passes(
        Code.TRANSFER_MODE_DIFFERS,
        "recognizing a notification",
        lambda: to(recognition(), mode="notify_and_record"),
    ),
    found(Code.TRANSFER_MODE_DIFFERS, "recognizing a proposal", lambda: to(recognition())),
    found(
        Code.TRANSFER_MODE_DIFFERS,
        "acknowledging a notification",
        lambda: to(acknowledgement(), mode="notify_and_record"),
    ),
    passes(Code.RECORD_VERSION_NOT_NEXT, "the first", lambda: sent(authorization_record())),
    found(
        Code.RECORD_VERSION_NOT_NEXT, "beginning at two", lambda: sent(approach_record(version=2))
    ),
    passes(
        Code.RECORD_VERSION_NOT_NEXT,
        "the second",
        lambda: sent(authorization_record(version=2), VERSIONS),
    ),
    found(
        Code.RECORD_VERSION_NOT_NEXT,
        "a gap",
        lambda: sent(authorization_record(version=3), VERSIONS),
    ),
    found(
        Code.RECORD_VERSION_NOT_NEXT,
        "of an entity, back",
        lambda: sent(entity_record(version=1), VERSIONS),
    ),
    passes(
        Code.RECORD_VERSION_NOT_NEXT,
        "of an entity, the second",
        lambda: sent(entity_record(version=2), VERSIONS),
    ),
    passes(
        Code.RECORD_EXISTS_WITH_DIFFERENT_FIELD, "a new one", lambda: sent(authorization_record())
    ),
    found(
        Code.RECORD_EXISTS_WITH_DIFFERENT_FIELD,
        "an authorization",
        lambda: repeated(
            authorization_record(terms="new"),
            authorization_record(),
            "authorization:THA/TH-2026-002/1",
        ),
    ),
    found(
        Code.RECORD_EXISTS_WITH_DIFFERENT_FIELD,
        "a use",
        lambda: repeated(use(), use(calendar_year=2024), "action:CHE01-9"),
    ),
    found(
        Code.RECORD_EXISTS_WITH_DIFFERENT_FIELD,
        "a cancellation under the id of a use",
        lambda: repeated(cancel(), use(), "action:CHE01-9"),
    ),
    found(
        Code.RECORD_EXISTS_WITH_DIFFERENT_FIELD,
        "an issuance",
        lambda: repeated(
            issuance_notice(), issuance_notice(issued_quantity=999), "issuance:XMR01-7"
        ),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_sequence_rule_holds_where_it_should(row: Row) -> None:
    """Each rule stops what it is for, and nothing next to it."""
    hold_true(row)


def test_a_differing_field_is_named_first_to_last() -> None:
    """The peer learns which field to look at; equal bodies differ in nothing."""
    assert differing_field(proposal(), proposal()) is None
    assert differing_field(proposal(), proposal(purpose="IMP", reference="x")) == "purpose"
    assert differing_field(proposal(), notification()) == "type"


def test_natural_ids_keep_kinds_and_parts_apart() -> None:
    """What creates something has an id for ever; questions have none."""
    assert natural_id("transfer.proposal", proposal()) == "transfer:THA01-1"
    assert natural_id("transfer.notification", notification()) == "transfer:THA01-1"
    assert natural_id("transfer.cancellation", cancellation()) == "cancellation:THA01-1"
    assert (
        natural_id("authorization.record", authorization_record())
        == "authorization:THA/TH-2026-002/1"
    )
    assert natural_id("history.query", HISTORY) is None


def test_a_version_that_is_repeated_is_told_its_difference_only() -> None:
    """4011 says what is wrong; 4010 would send the peer after the wrong thing."""
    body, old = authorization_record(terms="new"), authorization_record()
    facts = replace(VERSIONS, earlier={"authorization:THA/TH-2026-002/1": old})
    codes = sent(body, facts).codes()
    assert codes == [Code.RECORD_EXISTS_WITH_DIFFERENT_FIELD]


def test_a_stranger_learns_nothing_of_a_transfer() -> None:
    """Who guesses a transfer id is told that it is not his, and neither state nor digest."""
    wrong = acknowledgement(previous_sha256="0" * 64)
    state = closed(TransferState.COMPLETED)
    (refusal,) = to(wrong, "GHA01", "THA01", **state).findings()
    assert refusal.code is Code.NOT_PARTY_TO_TRANSFER
    assert refusal.hub_view is None
    own = to(wrong, "CHE01", "THA01", **state).findings()
    assert {f.code for f in own} == {
        Code.INPUT_NOT_ALLOWED_IN_STATE,
        Code.PREVIOUS_DIGEST_DIFFERS,
    }
    assert any(TRANSFER.proposal_sha256 in (f.hub_view or "") for f in own)
