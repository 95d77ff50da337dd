"""The mechanism registry's messages: issuances, and first-transferred AERs pushed into accounts.

An A6.4ER reaches the international registry when it is first transferred: forwarded to an account,
taken as share of proceeds for adaptation, or cancelled for OMGE (7/CMA.4 annex I paras 39-41, 46;
4/CMA.6 paras 16-17). Each push takes effect at once: the acquiring ledger is the hub's own.
"""

from dataclasses import replace
from typing import Any

import msgspec

from hub.checks.case import PUSH_EVENTS
from hub.checks.facts import IssuanceRecord, MessageContext
from hub.international_registry.units import BlockStatus, FirstTransferEvent, Range
from hub.services import outcomes
from hub.services.batch_work import BatchWork
from hub.services.handlers.actions import count_first_transfer
from hub.services.handlers.judging import judged
from hub.services.handlers.units import (
    attributes_of,
    note_underlying,
    range_of,
    underlying_of,
    wire_range,
)
from message_schemas import json_codec
from message_schemas.envelopes import Outcome
from message_schemas.messages.article64 import A64IssuanceNotice


def handle_issuance(context: MessageContext, work: BatchWork) -> Outcome:
    """Take an ``a64.issuance_notice``."""
    body: Any = context.body
    result = {"issuance_id": body.issuance_id, "state": "recorded"}
    if work.is_repeated(context):
        return outcomes.duplicate(context.message_id, result)

    def effect() -> dict[str, Any]:
        text = msgspec.json.encode(json_codec.encode_body(body)).decode()
        work.add_issuance(issuance_of(body), text)
        work.remember(context)
        return result

    return judged(context, work, effect)


def issuance_of(body: A64IssuanceNotice) -> IssuanceRecord:
    """Return the record that an issuance notice starts."""
    return IssuanceRecord(
        issuance_id=body.issuance_id,
        activity_id=body.activity_id,
        host_party=body.host_party,
        cooperative_approach=body.cooperative_approach,
        vintage=body.vintage,
        issued_quantity=body.issued_quantity,
        authorized_quantity=body.authorized_quantity,
        sop_quantity=body.sop_quantity,
        sop_exempt=body.sop_exempt,
        omge_quantity=body.omge_quantity,
    )


def handle_first_transfer(context: MessageContext, work: BatchWork) -> Outcome:
    """Take an ``a64.first_transfer``: credit first-transferred AERs to an account."""
    if work.is_repeated(context):
        return outcomes.duplicate(context.message_id, work.earlier_result(context))
    return judged(context, work, lambda: _credit(context, work))


def _credit(context: MessageContext, work: BatchWork) -> dict[str, Any]:
    body: Any = context.body
    event = PUSH_EVENTS[body.kind]
    status = BlockStatus.CANCELLED if body.kind == "omge" else BlockStatus.ITMO
    ranges: list[Range] = []
    for block in body.blocks:
        range_ = range_of(block)
        work.facts.window.introduce(
            range_,
            attributes_of(block),
            work.facts.international_registry,
            body.acquiring_account,
            status,
            event,
            body.first_transfer_id,
            underlying_of(block),
        )
        note_underlying(work.facts, block)
        count_first_transfer(work, range_, block.authorization_id)
        ranges.append(range_)
    _count_issuance(work, body)
    _tell(context, work, event, ranges)
    result = {
        "first_transfer_id": body.first_transfer_id,
        "account": body.acquiring_account,
        "log_index": context.log_index,
        "state": "credited",
    }
    work.take(context, result)
    return result


def _count_issuance(work: BatchWork, body: Any) -> None:
    """Add a push to its issuance's shares."""
    record = work.facts.issuances[body.issuance_id]
    name = {"forwarding": "forwarded", "sop_adaptation": "sop_done", "omge": "omge_done"}[body.kind]
    work.set_issuance(replace(record, **{name: getattr(record, name) + body.quantity}))


def _tell(
    context: MessageContext, work: BatchWork, event: FirstTransferEvent, ranges: list[Range]
) -> None:
    """Tell the account's Party that it was credited, and the host Party of the first transfer."""
    body: Any = context.body
    facts = work.facts
    shown = [wire_range(range_) for range_ in ranges]
    account = facts.accounts[facts.international_registry, body.acquiring_account]
    credited = {
        "first_transfer_id": body.first_transfer_id,
        "account": body.acquiring_account,
        "quantity": body.quantity,
        "ranges": shown,
    }
    for code in work.reference.registries_of(account.party):
        work.notify(code, "account.credited", credited)
    notice = {
        "cooperative_approach": body.cooperative_approach,
        "event": str(event),
        "registry": context.sender,
        "reference": body.first_transfer_id,
        "occurred_at": work.now_text,
        "quantity": body.quantity,
        "ranges": shown,
    }
    for party in sorted({range_.series.first_transferring_party for range_ in ranges}):
        for code in work.reference.registries_of(party):
            work.notify(code, "first_transfer.notice", notice)
