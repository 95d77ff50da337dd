"""Messages and worlds from Hypothesis: small serials and few names, so that things meet."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from hub.checks.facts import Arrival, Facts, MessageContext, Policy
from hub.checks.sequence import natural_id
from hub.checks.underlying import UnderlyingUnits
from hub.international_registry.authorizations import (
    ApproachStatus,
    AuthorizationStatus,
    AuthorizationUsage,
    FirstTransferDefinition,
)
from hub.international_registry.ledger import LedgerWindow
from hub.international_registry.units import BlockStatus, FirstTransferEvent, LedgerBlock, Range
from hub.protocol.transfer_states import TransferState
from message_schemas.blocks import Block, BlockRange, UnderlyingUnit
from message_schemas.messages import participants as participant_messages
from message_schemas.messages import queries, session, transfers
from tests.hub.checks import worlds

CODES = ("CHE01", "GHA01", "THA01", "XHB01", "XIR01", "XMR01", "FRA01")
PARTIES = ("CHE", "GHA", "THA", "XAF")
PURPOSES = ("NDC", "OIMP", "IMP", "NDC and OIMP", "nothing")
SERIALS = st.integers(0, 60)
ACCOUNT_IDS = ("ACC-1", "FUND", "OMGE", "ACC-9")
HOLDERS = st.sampled_from(("CHE01", "THA01", "XIR01", "XMR01"))


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw from the strategy, or None."""
    return st.none() | strategy


@st.composite
def message_blocks(draw: st.DrawFn) -> Block:
    """Draw a block of a message: usually sensible, sometimes reversed, foreign or unlisted."""
    first, last = draw(SERIALS), draw(SERIALS)
    if draw(st.integers(0, 9)):
        first, last = max(1, min(first, last)), max(1, first, last)
    underlying = st.just(UnderlyingUnit("T-VER", "500", "599"))
    return worlds.block(
        first,
        last,
        quantity=draw(st.sampled_from((max(1, last - first + 1), 7))),
        originating_registry=draw(st.sampled_from(("THA01", "XMR01"))),
        cooperative_approach=draw(st.sampled_from(("CA0001", "CA0001", "CA0002"))),
        vintage=draw(st.sampled_from((2022, 2022, 2020, 2099))),
        metric=draw(st.sampled_from(("GHG", "GHG", "non-GHG", "none"))),
        authorization_id=draw(st.sampled_from(("TH-2022-001", "TH-2022-001", "X"))),
        authorization_version=draw(st.integers(1, 3)),
        activity_type=draw(maybe(st.just("Transport"))),
        underlying_unit=draw(maybe(underlying)),
    )


@st.composite
def bodies(draw: st.DrawFn) -> Any:
    """Draw a body of any type that can meet the ledger, a record or a transfer."""
    blocks = tuple(draw(st.lists(message_blocks(), min_size=1, max_size=4)))
    one_of = draw(st.sampled_from(("THA01-1", "CHE01-1", "XIR01-1", "XMR01-1")))
    account, party = draw(st.sampled_from(ACCOUNT_IDS)), draw(st.sampled_from(PARTIES))
    entity = draw(maybe(st.sampled_from(("CHE-123", "CHE-9"))))
    purpose, version = draw(st.sampled_from(PURPOSES)), draw(st.integers(1, 3))
    shares: dict[str, Any] = {
        "kind": draw(st.sampled_from(("forwarding", "sop_adaptation", "omge"))),
        "issuance_id": draw(maybe(st.just("XMR01-7"))),
    }
    proposed: dict[str, Any] = {
        "transfer_id": one_of,
        "action": draw(st.sampled_from(("first_transfer", "transfer"))),
        "acquiring_account": account,
        "acquiring_entity": entity,
        "purpose": purpose,
        "respond_by": draw(maybe(st.just("2026-11-23T00:00:00.000Z"))),
    }
    makers: tuple[Callable[[], Any], ...] = (
        lambda: worlds.proposal(*blocks, **proposed),
        lambda: worlds.notification(blocks=blocks, **proposed),
        lambda: worlds.acknowledgement(transfer_id=one_of),
        lambda: worlds.rejection(transfer_id=one_of),
        lambda: worlds.recognition(transfer_id=one_of),
        lambda: worlds.cancellation(transfer_id=one_of),
        lambda: worlds.use(
            *blocks, purpose=purpose, account=account, using_party=party, using_entity=entity
        ),
        lambda: worlds.cancel(*blocks, account=account, cancelling_party=party, kind="omge"),
        lambda: worlds.first_transfer(*blocks, acquiring_account=account, **shares),
        lambda: worlds.issuance_notice(issued_quantity=1, authorized_quantity=version),
        lambda: worlds.authorization_record(version=version, authorizing_party=party),
        lambda: worlds.approach_record(version=version),
        lambda: worlds.entity_record(version=version, authorizing_party=party),
        lambda: transfers.TransferStatus(transfer_id=one_of),
        lambda: queries.HistoryQuery(
            items_max=1, range=BlockRange("CA0001", "THA01", "THA", 2022, version, 2)
        ),
        lambda: queries.HoldingsQuery(items_max=1),
        lambda: session.MailboxFetch(after_sequence=0, wait_seconds=0),
        lambda: participant_messages.AdministratorNote(subject="a", text="b"),
    )
    return draw(st.sampled_from(makers))()


@st.composite
def ledger_blocks(draw: st.DrawFn) -> list[LedgerBlock]:
    """Draw ledger blocks side by side, in any state."""
    blocks, first = [], 1
    for length in draw(st.lists(st.integers(1, 20), max_size=5)):
        if draw(st.booleans()):
            block = worlds.held(
                first,
                first + length - 1,
                registry=draw(HOLDERS),
                account=draw(maybe(st.sampled_from(ACCOUNT_IDS))),
                status=draw(st.sampled_from(BlockStatus)),
                first_transfer=draw(maybe(st.sampled_from(FirstTransferEvent))),
                reserved_by=draw(maybe(st.sampled_from(("THA01-1", "CHE01-1")))),
                hold=draw(maybe(st.just("case-3"))),
            )
            blocks.append(block)
        first += length
    return blocks


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    """Draw a world in which things may be missing, ended, revoked, suspended or limited."""
    blocks = draw(ledger_blocks())
    authorization = replace(
        worlds.AUTHORIZATION,
        version=draw(st.integers(1, 2)),
        purposes=draw(st.sampled_from(PURPOSES[:4])),
        quantity_max=draw(maybe(st.integers(0, 50))),
        status=draw(st.sampled_from(AuthorizationStatus)),
        changes_apply_to_first_transferred=draw(st.booleans()),
        authorized_parties=draw(st.sampled_from(((), ("CHE",)))),
    )
    approach = replace(
        worlds.APPROACH,
        status=draw(st.sampled_from(ApproachStatus)),
        oimp_first_transfer_definition=draw(maybe(st.sampled_from(FirstTransferDefinition))),
    )
    transfer = replace(
        worlds.TRANSFER,
        state=draw(st.sampled_from(TransferState)),
        mode=draw(st.sampled_from(("move", "notify_and_record"))),
        acquirer=draw(st.sampled_from(("CHE01", "XIR01"))),
    )
    levels = (("participant", "CHE01"), ("pair", "CHE01/THA01"), ("account", "XIR01/ACC-1"))
    suspended = draw(st.lists(st.sampled_from((*levels, ("hub", "*"))), max_size=1))
    limit = maybe(st.integers(0, 30))
    policy = Policy(
        quantity_per_transfer_max=draw(limit),
        quantity_per_day_max=draw(limit),
        onward_delay_seconds=draw(limit),
    )
    changes: dict[str, Any] = {
        "window": LedgerWindow(blocks, 2_000_000),
        "authorization": draw(st.sampled_from(((authorization,), ()))),
        "approaches": draw(st.sampled_from(({"CA0001": approach}, {}))),
        "transfers": draw(st.sampled_from(({"THA01-1": transfer}, {}))),
        "issuances": draw(st.sampled_from(({"XMR01-7": worlds.ISSUANCE}, {}))),
        "suspensions": dict.fromkeys(suspended, "a drill"),
        "policy": policy,
        "usage": {("THA", "TH-2022-001"): AuthorizationUsage(draw(st.integers(0, 60)))},
        "crowded": frozenset(draw(st.sampled_from(((), (Range(worlds.SERIES, 1, 9),))))),
        "arrivals": (Arrival(Range(worlds.SERIES, 1, 9), "CHE01", worlds.NOW - timedelta(0)),),
        "underlying_taken": _recorded(),
        "brought_by": {block.block_id: transfer for block in blocks},
    }
    return worlds.world(**changes)


def _recorded() -> UnderlyingUnits:
    """Return the underlying units that the blocks drawn state, under other serials."""
    recorded = UnderlyingUnits()
    recorded.add(UnderlyingUnit("T-VER", "500", "599"), Range(worlds.SERIES, 1, 9))
    return recorded


@st.composite
def cases(draw: st.DrawFn) -> tuple[MessageContext, Facts]:
    """Draw a message of anyone to anyone, and a world; the world may know the message already."""
    body, world = draw(bodies()), draw(facts())
    usual = worlds.sent(body)
    sender = draw(st.sampled_from((usual.sender, usual.sender, *CODES)))
    recipient = draw(st.sampled_from((usual.recipient, usual.recipient, *CODES)))
    context = worlds.context(body, sender, recipient)
    identifier = natural_id(context.type, body)
    if identifier is not None and draw(st.booleans()):
        world = replace(world, earlier={identifier: draw(bodies())})
    return context, world
