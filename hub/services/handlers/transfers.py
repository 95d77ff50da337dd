"""Transfers: proposal, answer, cancellation, and the same for agreements that move no units.

1. A proposal reserves: known units are reserved where they lie; units the ledger never met (a
   first transfer by their originating registry) are introduced and reserved in one step.
2. An acceptance completes at once: the commit of this batch is the point of finality.
3. Anything else gives back: what the transfer introduced leaves the ledger again.

*Notify-and-record* (bilateral agreements whose units stay where they are) runs on the same table;
its completion moves the record of who holds the units, since they must not be traded twice.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from hub.checks.case import party_to_hold
from hub.checks.facts import Arrival, Facts, MessageContext, TransferMode, TransferRecord
from hub.international_registry.accounts import ADAPTATION_FUND_PARTY
from hub.international_registry.first_transfer import event_of_accepted, event_of_introduction
from hub.international_registry.units import (
    BlockStatus,
    FirstTransferEvent,
    LedgerBlock,
    Range,
)
from hub.protocol.transfer_states import TransferInput, TransferState, next_state
from hub.services import outcomes
from hub.services.batch_work import BatchWork, closed
from hub.services.handlers.first_transfers import tell_first_transfers
from hub.services.handlers.judging import judged
from hub.services.handlers.units import (
    attributes_of,
    definition_of,
    note_underlying,
    range_of,
    underlying_of,
    wire_ranges,
)
from message_schemas import timestamps
from message_schemas.envelopes import Outcome
from message_schemas.json_codec import encode_body

_NOTICE_OF_STATE = {
    TransferState.COMPLETED: "transfer.completed",
    TransferState.REJECTED: "transfer.rejected",
    TransferState.CANCELLED: "transfer.cancelled",
    TransferState.EXPIRED: "transfer.expired",
}


def handle_proposal(context: MessageContext, work: BatchWork) -> Outcome:
    """Take a ``transfer.proposal`` or ``transfer.notification``."""
    body: Any = context.body
    known = work.facts.transfers.get(body.transfer_id)
    to_the_same = known is not None and known.acquirer == context.recipient
    if known is not None and to_the_same and work.is_repeated(context):
        return outcomes.duplicate(context.message_id, _state_of(known))
    return judged(context, work, lambda: _propose(context, work))


def _propose(context: MessageContext, work: BatchWork) -> dict[str, Any]:
    """Reserve the units and enter the transfer; complete it when the hub is the acquirer."""
    body: Any = context.body
    facts = work.facts
    ranges = [range_of(block) for block in body.blocks]
    for block, range_ in zip(body.blocks, ranges, strict=True):
        for gap in facts.window.gaps(range_):
            _introduce(context, work, block, gap)
    reserved = facts.window.reserve(ranges, body.transfer_id)
    transfer = _record_of(context, work)
    for key, quantity in _counted(facts, transfer, reserved).items():
        work.set_usage(key, work.usage_of(key).proposed(quantity))
    _count_sent(work, context.sender, body.quantity)
    work.add_transfer(transfer)
    work.remember(context)
    if context.recipient == facts.international_registry:
        # The ledger of this acquirer is our own: its account checks were the acceptance.
        transfer = close(
            work, transfer, TransferInput.ACCEPTED, previous_sha256=context.envelope_sha256
        )
    return _state_of(transfer)


def _introduce(context: MessageContext, work: BatchWork, block: Any, gap: Range) -> None:
    """Bring units that the ledger never met into it, on the word of their originating registry."""
    attributes = attributes_of(block)
    authorization = work.facts.authorizations[
        gap.series.first_transferring_party, attributes.authorization_id
    ]
    work.facts.window.introduce(
        gap,
        attributes,
        context.sender,
        getattr(context.body, "transferring_account", None),
        BlockStatus.AUTHORIZED,
        event_of_introduction(authorization.purposes, definition_of(work.facts, authorization)),
        getattr(context.body, "transfer_id", ""),
        underlying_of(block),
    )
    note_underlying(work.facts, block)


def _record_of(context: MessageContext, work: BatchWork) -> TransferRecord:
    """Return the transfer that an accepted proposal starts."""
    body: Any = context.body
    policy = work.facts.policy
    respond_by = (
        work.facts.now + timedelta(seconds=policy.respond_by_seconds_default)
        if body.respond_by is None
        else timestamps.parse(body.respond_by)
    )
    mode = (
        TransferMode.NOTIFY_AND_RECORD
        if context.type == "transfer.notification"
        else TransferMode.MOVE
    )
    return TransferRecord(
        transfer_id=body.transfer_id,
        mode=mode,
        initiator=context.sender,
        acquirer=context.recipient,
        state=TransferState.PROPOSED,
        action=body.action,
        cooperative_approach=body.cooperative_approach,
        transferring_account=body.transferring_account,
        acquiring_account=body.acquiring_account,
        acquiring_entity=body.acquiring_entity,
        purpose=body.purpose,
        quantity=body.quantity,
        respond_by=respond_by,
        proposal_sha256=context.envelope_sha256,
        proposed_log_index=context.log_index,
        proposed_at=work.facts.now,
    )


def _event_of(
    facts: Facts, transfer: TransferRecord, already: FirstTransferEvent | None = None
) -> FirstTransferEvent | None:
    """Return the event by which the completed transfer makes a unit first transferred."""
    party = party_to_hold(facts, transfer.acquirer, transfer.acquiring_account)
    to_fund = party == ADAPTATION_FUND_PARTY
    return event_of_accepted(already, transfer.action, to_adaptation_fund=to_fund)


def _counted(
    facts: Facts, transfer: TransferRecord, blocks: Iterable[LedgerBlock]
) -> dict[tuple[str, str], int]:
    """Return what a transfer counts against each authorization's cap: (Party, id) -> units.

    Counted are units that this transfer makes first transferred, and units that it introduces as
    first transferred already (by authorization or issuance). The same blocks give the same answer
    when proposed, completed and released, whatever became of the authorization meanwhile.
    """
    counted: dict[tuple[str, str], int] = {}
    for block in blocks:
        introduced = block.introduced_by == transfer.transfer_id
        flagged = introduced and block.first_transfer is not None
        if flagged or _event_of(facts, transfer, block.first_transfer) is not None:
            key = (block.series.first_transferring_party, block.attributes.authorization_id)
            counted[key] = counted.get(key, 0) + block.quantity
    return counted


def handle_answer(context: MessageContext, work: BatchWork) -> Outcome:
    """Take a ``transfer.acknowledgement`` or ``transfer.recognition``."""
    body: Any = context.body
    accepts = body.decision in ("accept", "recognize")
    input_ = TransferInput.ACCEPTED if accepts else TransferInput.DECLINED
    known = work.facts.transfers.get(body.transfer_id)
    if known is not None and _already(known, input_, context.sender == known.acquirer, body):
        return outcomes.duplicate(context.message_id, _state_of(known))
    return judged(context, work, lambda: _answer(context, work, input_))


def _answer(context: MessageContext, work: BatchWork, input_: TransferInput) -> dict[str, Any]:
    body: Any = context.body
    transfer = work.facts.transfers[body.transfer_id]
    reasons = [encode_body(reason) for reason in getattr(body, "reasons", ())]
    after = close(work, transfer, input_, previous_sha256=context.envelope_sha256, reasons=reasons)
    return _state_of(after)


def handle_cancellation(context: MessageContext, work: BatchWork) -> Outcome:
    """Take a ``transfer.cancellation``: the initiator withdraws before there is an answer."""
    body: Any = context.body
    known = work.facts.transfers.get(body.transfer_id)
    own = known is not None and context.sender == known.initiator
    if known is not None and _already(known, TransferInput.WITHDRAWN, own, body):
        return outcomes.duplicate(context.message_id, _state_of(known))
    return judged(context, work, lambda: _answer(context, work, TransferInput.WITHDRAWN))


def _already(transfer: TransferRecord, input_: TransferInput, own: bool, body: Any) -> bool:
    """Tell whether this very input, from its rightful sender, was what closed the transfer."""
    return (
        own
        and transfer.state is not TransferState.PROPOSED
        and next_state(TransferState.PROPOSED, input_) is transfer.state
        and body.previous_sha256 == transfer.proposal_sha256
    )


def close(
    work: BatchWork,
    transfer: TransferRecord,
    input_: TransferInput,
    *,
    previous_sha256: str,
    reasons: list[dict[str, Any]] | None = None,
) -> TransferRecord:
    """Bring a transfer to its final state: move or give back the units, tell both ends.

    ``previous_sha256`` is the digest of the envelope that decided it (of the proposal, when nobody
    did and it expired).
    """
    state = next_state(transfer.state, input_)
    window = work.facts.window
    before = window.reserved_by(transfer.transfer_id)
    moved: list[LedgerBlock] = []
    counted = _counted(work.facts, transfer, before)
    if state is TransferState.COMPLETED:
        event = _event_of(work.facts, transfer)  # of units with a flag the ledger keeps theirs
        moved = window.move(
            transfer.transfer_id, transfer.acquirer, transfer.acquiring_account, event
        )
        _arrive(work, transfer, moved)
        for key, quantity in counted.items():
            work.set_usage(key, work.usage_of(key).completed(quantity))
    else:
        window.withdraw(transfer.transfer_id)
        window.release(transfer.transfer_id)
        for key, quantity in counted.items():
            work.set_usage(key, work.usage_of(key).released(quantity))
        if transfer.proposed_at >= work.facts.now - timedelta(days=1):
            _count_sent(work, transfer.initiator, -transfer.quantity)
    after = closed(transfer, state, work.log_index, work.facts.now)
    work.close_transfer(after)
    _tell_both(work, after, previous_sha256, reasons, moved)
    if moved:
        _tell_credited(work, after, moved)
        _tell_first_transfers(work, after, before)
    return after


def _tell_first_transfers(
    work: BatchWork, transfer: TransferRecord, before: Iterable[LedgerBlock]
) -> None:
    """Tell registries of the first transferring Party that are no end of the transfer.

    The initiator is told too where it called a first transfer to the Adaptation Fund a transfer,
    which it may (``expected_actions``): what it said did not say so.
    """
    made: list[tuple[Range, FirstTransferEvent]] = []
    unsaid: list[tuple[Range, FirstTransferEvent]] = []
    for block in before:
        event = _event_of(work.facts, transfer, block.first_transfer)
        if event is None and block.introduced_by == transfer.transfer_id:
            event = block.first_transfer
        elif event is FirstTransferEvent.ADAPTATION_FUND and transfer.action == "transfer":
            unsaid.append((block.range, event))
            continue
        made += [] if event is None else [(block.range, event)]
    for found, knowing in (
        (made, {transfer.initiator, transfer.acquirer}),
        (unsaid, {transfer.acquirer}),
    ):
        tell_first_transfers(
            work,
            found,
            registry=transfer.initiator,
            reference=transfer.transfer_id,
            knowing=knowing,
        )


def _count_sent(work: BatchWork, sender: str, quantity: int) -> None:
    """Keep what a registry sent out today current for the next message of the batch (8002)."""
    today = work.facts.quantity_today
    if work.facts.policy.quantity_per_day_max is not None and sender in today:
        today[sender] = max(0, today[sender] + quantity)


def _arrive(work: BatchWork, transfer: TransferRecord, moved: list[LedgerBlock]) -> None:
    """Let the next message of the batch see that units only just arrived (8003)."""
    facts = work.facts
    if facts.policy.onward_delay_seconds is not None:
        facts.arrivals_new.extend(
            Arrival(block.range, transfer.acquirer, facts.now) for block in moved
        )


def _tell_credited(work: BatchWork, transfer: TransferRecord, moved: list[LedgerBlock]) -> None:
    """Tell the registries of the Party whose account at the international registry was credited."""
    facts = work.facts
    if transfer.acquirer != facts.international_registry:
        return  # an acquiring registry of a Party has the notice of the final state
    account = facts.accounts[transfer.acquirer, transfer.acquiring_account]
    body = {
        "first_transfer_id": transfer.transfer_id,
        "account": account.account_id,
        "quantity": transfer.quantity,
        "ranges": wire_ranges(moved),
    }
    for code in work.reference.registries_of(account.party):
        work.notify(code, "account.credited", body)


def _tell_both(
    work: BatchWork,
    transfer: TransferRecord,
    previous_sha256: str,
    reasons: list[dict[str, Any]] | None,
    moved: Iterable[LedgerBlock],
) -> None:
    """File the notice of a final state for the initiator and the acquirer."""
    body: dict[str, Any] = {
        "transfer_id": transfer.transfer_id,
        "mode": str(transfer.mode),
        "state": str(transfer.state),
        "closed_at": work.now_text,
        "log_index": work.log_index,
        "quantity": transfer.quantity,
        "initiator": transfer.initiator,
        "acquirer": transfer.acquirer,
        "previous_sha256": previous_sha256,
    }
    if reasons:
        body["reasons"] = reasons
    # The acquirer cannot tell from the proposal: a plain transfer moves units of both kinds.
    if unflagged := wire_ranges(block for block in moved if block.first_transfer is None):
        body["not_first_transferred"] = unflagged
    for recipient in (transfer.initiator, transfer.acquirer):
        if recipient != work.facts.international_registry:
            work.notify(recipient, _NOTICE_OF_STATE[transfer.state], body)


def _state_of(transfer: TransferRecord) -> dict[str, Any]:
    """Return a transfer's state as outcomes and status answers show it."""
    result: dict[str, Any] = {
        "transfer_id": transfer.transfer_id,
        "state": str(transfer.state),
        "respond_by": timestamps.render(transfer.respond_by),
    }
    if transfer.closed_at is not None:
        result["closed_at"] = timestamps.render(transfer.closed_at)
        result["log_index"] = transfer.closed_log_index
    return result


def status_of(transfer: TransferRecord) -> dict[str, Any]:
    """Return all that a party to a transfer may know of it (``transfer.status``)."""
    return {
        **_state_of(transfer),
        "mode": str(transfer.mode),
        "action": transfer.action,
        "initiator": transfer.initiator,
        "acquirer": transfer.acquirer,
        "cooperative_approach": transfer.cooperative_approach,
        "quantity": transfer.quantity,
        "proposal_sha256": transfer.proposal_sha256,
        "proposed_log_index": transfer.proposed_log_index,
    }
