"""Use and cancellation: the ends of a unit's life, visible everywhere at once.

A use towards an NDC or for OIMP, and any cancellation, is final (2/CMA.3 a.21(e)). Where it is
also a first transfer (2/CMA.3 a.2(b); 4/CMA.6 para 17) the first transferring Party's registry is
told, since it must adjust (4/CMA.6 para 13).
"""

from dataclasses import replace
from typing import Any

from hub.checks.case import Case
from hub.checks.facts import MessageContext
from hub.international_registry import first_transfer
from hub.international_registry.units import (
    BlockStatus,
    FirstTransferEvent,
    LedgerBlock,
    Range,
)
from hub.services import outcomes
from hub.services.batch_work import BatchWork
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
from message_schemas.envelopes import Outcome


def handle_use(context: MessageContext, work: BatchWork) -> Outcome:
    """Take an ``action.use``."""
    return _handle(context, work, "use")


def handle_cancellation(context: MessageContext, work: BatchWork) -> Outcome:
    """Take an ``action.cancellation``."""
    return _handle(context, work, "cancellation")


def _handle(context: MessageContext, work: BatchWork, kind: str) -> Outcome:
    if work.is_repeated(context):
        return outcomes.duplicate(context.message_id, work.earlier_result(context))
    return judged(context, work, lambda: _act(context, work, kind))


def _act(context: MessageContext, work: BatchWork, kind: str) -> dict[str, Any]:
    """End the units' life, count what became first transferred, tell who must know."""
    body: Any = context.body
    window = work.facts.window
    ended: list[LedgerBlock] = []
    made: list[tuple[Range, FirstTransferEvent]] = []
    for block in body.blocks:
        range_ = range_of(block)
        for gap in window.gaps(range_):
            introduced = _introduce(context, work, block, gap)
            made += [] if introduced is None else [(gap, introduced)]
            count_leaving(work, body.issuance_id, gap.quantity)
        for piece in window.overlapping(range_.series, range_.first, range_.last):
            part = piece.range.intersect(range_)
            assert part is not None
            event = _event(context, work, kind, piece)
            operation = window.use if kind == "use" else window.cancel
            ended.extend(operation([part], body.action_id, event, account=body.account))
            if event is not None:
                count_first_transfer(work, part, piece.attributes.authorization_id)
                made.append((part, event))
    tell_first_transfers(
        work,
        made,
        registry=context.sender,
        reference=body.action_id,
        knowing={context.sender},
    )
    _tell_sender(context, work, kind, ended)
    result = {"action_id": body.action_id, "log_index": context.log_index, "state": "recorded"}
    work.take(context, result)
    return result


def _introduce(
    context: MessageContext, work: BatchWork, block: Any, gap: Range
) -> FirstTransferEvent | None:
    """Bring in units that end in their originating registry, never having moved.

    Returns the event that made them first transferred before this act, if one did.
    """
    body: Any = context.body
    attributes = attributes_of(block)
    authorization = work.facts.authorizations[
        gap.series.first_transferring_party, attributes.authorization_id
    ]
    definition = definition_of(work.facts, authorization)
    if Case(context, body, work.facts).retires_abroad(gap.series.first_transferring_party):
        event = first_transfer.event_of_retirement(None, authorization.purposes, definition)
    else:
        event = first_transfer.event_of_introduction(authorization.purposes, definition)
    work.facts.window.introduce(
        gap,
        attributes,
        context.sender,
        body.account,
        BlockStatus.AUTHORIZED,
        event,
        body.action_id,
        underlying_of(block),
    )
    note_underlying(work.facts, block)
    if event is not None:
        count_first_transfer(work, gap, attributes.authorization_id)
    return event


def _event(
    context: MessageContext, work: BatchWork, kind: str, block: LedgerBlock
) -> FirstTransferEvent | None:
    """Return what the act is for a block's first transfer; None when it is none."""
    body: Any = context.body
    authorization = work.facts.authorizations[
        block.series.first_transferring_party, block.attributes.authorization_id
    ]
    definition = definition_of(work.facts, authorization)
    if kind == "cancellation" and body.kind == "omge":
        return first_transfer.event_of_omge(block.first_transfer)
    rule = first_transfer.event_of_use if kind == "use" else first_transfer.event_of_cancellation
    return rule(block.first_transfer, authorization.purposes, definition)


def count_leaving(work: BatchWork, issuance_id: str | None, quantity: int) -> None:
    """Count units that end in the mechanism registry as gone from their issuance."""
    if issuance_id is not None:
        record = work.facts.issuances[issuance_id]
        work.set_issuance(replace(record, forwarded=record.forwarded + quantity))


def count_first_transfer(work: BatchWork, range_: Range, authorization_id: str) -> None:
    """Count units that just became first transferred against their authorization's cap."""
    key = (range_.series.first_transferring_party, authorization_id)
    work.set_usage(key, work.usage_of(key).recorded(range_.quantity))


def _tell_sender(
    context: MessageContext, work: BatchWork, kind: str, ended: list[LedgerBlock]
) -> None:
    """Confirm the act in the sender's ordered channel, so that its book moves in order too.

    What ends in the mechanism registry ends for a Party, whose registries are told as well.
    """
    body: Any = context.body
    notice: dict[str, Any] = {
        "action_id": body.action_id,
        "kind": kind,
        "registry": context.sender,
        "quantity": body.quantity,
        "ranges": wire_ranges(ended),
        "recorded_at": work.now_text,
    }
    if kind == "use":
        notice["purpose"] = body.purpose
        if body.calendar_year is not None:
            notice["calendar_year"] = body.calendar_year
    if unflagged := wire_ranges(block for block in ended if block.first_transfer is None):
        notice["not_first_transferred"] = unflagged
    work.notify(context.sender, "action.recorded", notice)
    if body.issuance_id is not None:  # ended in the mechanism registry: its Party must know
        party = body.using_party if kind == "use" else body.cancelling_party
        for code in work.reference.registries_of(party):
            work.notify(code, "action.recorded", notice)
