"""2xxx: who may say what to whom, and what a suspension stops."""

from dataclasses import replace

import pytest

from hub.checks.facts import Facts
from hub.protocol.response_codes import ResponseCode as Code
from message_schemas.messages import participants as bodies
from message_schemas.messages import queries, session, transfers
from tests.hub.checks.worlds import (
    ACCOUNT,
    TRANSFER,
    Row,
    acknowledgement,
    approach_record,
    cancellation,
    first_transfer,
    found,
    held,
    hold_true,
    notification,
    participants,
    passes,
    proposal,
    recognition,
    rejection,
    sent,
    world,
)

FETCH = session.MailboxFetch(after_sequence=0, wait_seconds=0)
HELLO = bodies.ParticipantHello(
    software="example 1.0",
    protocol_versions=("itmo-exchange/1",),
    binding="json",
    delivery_mode="pull",
)
STATUS = transfers.TransferStatus(transfer_id="THA01-1")
LOOK = queries.HoldingsQuery(items_max=1)
STORY = queries.HistoryQuery(items_max=1, transfer_id="XMR01-9")
PAGE = queries.HoldingsAnswer(
    query_message_id="01970a3c-7c55-7d31-8a6e-3f0d7c2b9a11",
    previous_sha256="0" * 64,
    as_of="2026-11-22T09:30:00.000Z",
    items=(),
)
NOTE = bodies.AdministratorNote(subject="Hello", text="A test.")


def states(**changed: str) -> Facts:
    """Return the world with a transfer in flight and participants in other states."""
    return world(participants=participants(**changed), transfers={"THA01-1": TRANSFER})


def suspended(level: str, subject: str) -> Facts:
    """Return the world with a transfer in flight and one suspension."""
    return world(suspensions={(level, subject): "a drill"}, transfers={"THA01-1": TRANSFER})


def between_accounts() -> Facts:
    """Return a world in which the international registry's account holds units."""
    block = held(1, 100, registry="XIR01", account="ACC-1")
    other = replace(ACCOUNT, account_id="ACC-2")
    return world(block, accounts={("XIR01", a.account_id): a for a in (ACCOUNT, other)})


def inside(body_of: type = transfers.TransferProposal) -> object:
    """Return a transfer between two accounts of the international registry."""
    fields = {"transfer_id": "XIR01-1", "action": "transfer"}
    accounts = {"transferring_account": "ACC-1", "acquiring_account": "ACC-2"}
    make = proposal if body_of is transfers.TransferProposal else notification
    return make(**(fields | accounts))


ROWS = [
    passes(Code.RECIPIENT_UNKNOWN, "a known recipient", lambda: sent(proposal())),
    found(
        Code.RECIPIENT_UNKNOWN, "nobody has the code", lambda: sent(proposal(), recipient="CHE02")
    ),
    passes(Code.RECIPIENT_NOT_FOR_TYPE, "a record to the hub", lambda: sent(approach_record())),
    found(
        Code.RECIPIENT_NOT_FOR_TYPE,
        "a record to a registry",
        lambda: sent(approach_record(), recipient="CHE01"),
    ),
    found(
        Code.RECIPIENT_NOT_FOR_TYPE,
        "a proposal to the hub",
        lambda: sent(proposal(), recipient="XHB01"),
    ),
    passes(Code.RECIPIENT_NOT_FOR_TYPE, "a query to the hub", lambda: sent(LOOK)),
    passes(
        Code.RECIPIENT_NOT_FOR_TYPE,
        "a query to the mechanism registry",
        lambda: sent(LOOK, recipient="XMR01"),
    ),
    found(
        Code.RECIPIENT_NOT_FOR_TYPE,
        "a query to another registry",
        lambda: sent(LOOK, recipient="CHE01"),
    ),
    found(
        Code.RECIPIENT_NOT_FOR_TYPE,
        "a status asked of the mechanism registry",
        lambda: sent(STATUS, states(), recipient="XMR01"),
    ),
    passes(
        Code.TRANSFER_UNKNOWN,
        "the hub need not know what the mechanism registry did",
        lambda: sent(STORY, sender="THA01", recipient="XMR01"),
    ),
    found(
        Code.TRANSFER_UNKNOWN,
        "the hub is asked for what it does not know",
        lambda: sent(STORY, sender="THA01"),
    ),
    found(
        Code.SENDER_IS_RECIPIENT,
        "the mechanism registry asks itself",
        lambda: sent(LOOK, sender="XMR01", recipient="XMR01"),
    ),
    found(
        Code.SENDER_ROLE_NOT_ALLOWED,
        "a registry of a Party answers a query",
        lambda: sent(PAGE, sender="THA01", recipient="CHE01"),
    ),
    passes(
        Code.RECIPIENT_SUSPENDED,
        "an answer to a suspended participant",
        lambda: sent(PAGE, suspended("participant", "CHE01"), "XMR01", "CHE01"),
    ),
    passes(
        Code.RECIPIENT_SUSPENDED,
        "an answer to a participant in the suspended state",
        lambda: sent(PAGE, states(CHE01="suspended"), "XMR01", "CHE01"),
    ),
    found(
        Code.RECIPIENT_NOT_ACTIVE,
        "an answer to a closed participant",
        lambda: sent(PAGE, states(CHE01="closed"), "XMR01", "CHE01"),
    ),
    found(
        Code.RECIPIENT_SUSPENDED,
        "a query to a suspended mechanism registry",
        lambda: sent(LOOK, states(XMR01="suspended"), recipient="XMR01"),
    ),
    passes(
        Code.SENDER_NOT_ACTIVE,
        "a registered participant says hello",
        lambda: sent(HELLO, states(THA01="registered")),
    ),
    found(
        Code.SENDER_NOT_ACTIVE,
        "a registered participant proposes",
        lambda: sent(proposal(transfer_id="THA01-2"), states(THA01="registered")),
    ),
    found(
        Code.SENDER_NOT_ACTIVE,
        "a registered participant asks for a transfer",
        lambda: sent(STATUS, states(THA01="registered")),
    ),
    found(
        Code.SENDER_NOT_ACTIVE,
        "a closed participant fetches",
        lambda: sent(FETCH, states(THA01="closed")),
    ),
    found(Code.SENDER_NOT_ACTIVE, "an unknown sender", lambda: sent(proposal(), world(), "FRA01")),
    passes(Code.RECIPIENT_NOT_ACTIVE, "an active recipient", lambda: sent(NOTE)),
    found(
        Code.RECIPIENT_NOT_ACTIVE,
        "a registered recipient",
        lambda: sent(NOTE, states(CHE01="registered")),
    ),
    passes(
        Code.RECIPIENT_NOT_ACTIVE,
        "withdrawing towards a closed recipient",
        lambda: sent(cancellation(), states(CHE01="closed")),
    ),
    passes(Code.SENDER_ROLE_NOT_ALLOWED, "a registry proposes", lambda: sent(proposal())),
    found(
        Code.SENDER_ROLE_NOT_ALLOWED,
        "a registry of a Party sends a64",
        lambda: sent(first_transfer(), sender="THA01"),
    ),
    passes(
        Code.SENDER_SUSPENDED,
        "a suspended participant fetches",
        lambda: sent(FETCH, states(THA01="suspended")),
    ),
    passes(
        Code.SENDER_SUSPENDED,
        "a suspended participant asks for a transfer",
        lambda: sent(STATUS, suspended("participant", "THA01")),
    ),
    found(
        Code.SENDER_SUSPENDED,
        "a participant in the suspended state proposes",
        lambda: sent(proposal(transfer_id="THA01-2"), states(THA01="suspended")),
    ),
    found(
        Code.SENDER_SUSPENDED,
        "a participant under a suspension withdraws",
        lambda: sent(cancellation(), suspended("participant", "THA01")),
    ),
    found(
        Code.RECIPIENT_SUSPENDED,
        "a proposal to a suspended recipient",
        lambda: sent(proposal(transfer_id="THA01-2"), suspended("participant", "CHE01")),
    ),
    found(
        Code.RECIPIENT_SUSPENDED,
        "a proposal to a recipient in the suspended state",
        lambda: sent(proposal(transfer_id="THA01-2"), states(CHE01="suspended")),
    ),
    found(
        Code.RECIPIENT_SUSPENDED,
        "accepting what a suspended registry proposed",
        lambda: sent(acknowledgement(), states(THA01="suspended")),
    ),
    passes(
        Code.RECIPIENT_SUSPENDED,
        "withdrawing towards a suspended recipient",
        lambda: sent(cancellation(), suspended("participant", "CHE01")),
    ),
    passes(
        Code.RECIPIENT_SUSPENDED,
        "declining what a suspended registry proposed",
        lambda: sent(rejection(), states(THA01="suspended")),
    ),
    found(
        Code.PAIR_SUSPENDED,
        "a proposal within the pair",
        lambda: sent(proposal(transfer_id="THA01-2"), suspended("pair", "CHE01/THA01")),
    ),
    found(
        Code.PAIR_SUSPENDED,
        "recognizing within the pair",
        lambda: sent(recognition(), suspended("pair", "CHE01/THA01")),
    ),
    passes(
        Code.PAIR_SUSPENDED,
        "another pair",
        lambda: sent(proposal(transfer_id="THA01-2"), suspended("pair", "CHE01/GHA01")),
    ),
    passes(
        Code.PAIR_SUSPENDED,
        "withdrawing within the pair",
        lambda: sent(cancellation(), suspended("pair", "CHE01/THA01")),
    ),
    found(
        Code.MESSAGE_TYPE_SUSPENDED,
        "the type",
        lambda: sent(proposal(), suspended("message_type", "transfer.proposal")),
    ),
    passes(
        Code.MESSAGE_TYPE_SUSPENDED,
        "another type",
        lambda: sent(cancellation(), suspended("message_type", "transfer.proposal")),
    ),
    found(Code.HUB_SUSPENDED, "a record", lambda: sent(approach_record(), suspended("hub", "*"))),
    passes(Code.HUB_SUSPENDED, "a session message", lambda: sent(HELLO, suspended("hub", "*"))),
    found(
        Code.SENDER_IS_RECIPIENT, "a Party registry", lambda: sent(proposal(), recipient="THA01")
    ),
    passes(
        Code.SENDER_IS_RECIPIENT,
        "between accounts of the international registry",
        lambda: sent(inside(), between_accounts(), "XIR01", "XIR01"),
    ),
    found(
        Code.SENDER_IS_RECIPIENT,
        "a note of the international registry to itself",
        lambda: sent(NOTE, world(), "XIR01", "XIR01"),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_participant_rule_holds_where_it_should(row: Row) -> None:
    """Each rule stops what it is for, and nothing next to it."""
    hold_true(row)


def test_an_unknown_sender_is_not_called_closed() -> None:
    """A mistyped code is told as such."""
    told = [one.detail for one in sent(proposal(), world(), "FRA01").findings()]
    assert "FRA01 is not a participant of this hub." in told
