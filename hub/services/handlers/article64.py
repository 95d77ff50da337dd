"""The mechanism registry's messages: issuances, AERs pushed into accounts, later authorizations.

An A6.4ER reaches the international registry when it is first transferred: forwarded to an account,
taken as share of proceeds for adaptation, or cancelled for OMGE (7/CMA.4 annex I paras 39-41, 46;
4/CMA.6 paras 16-17). Each push takes effect at once: the acquiring ledger is the hub's own.

Contribution units that are authorized later stay in the mechanism registry until they are pushed;
but those of them that are units of the two shares are first transferred at once (6/CMA.6 para 13).
"""

from dataclasses import dataclass, replace
from typing import Any

import msgspec

from hub.checks.article64 import adjusted_of
from hub.checks.case import PUSH_EVENTS
from hub.checks.facts import IssuanceRecord, MessageContext
from hub.checks.later_authorizations import LaterAuthorization
from hub.international_registry.first_transfer import event_of_introduction
from hub.international_registry.units import BlockStatus, FirstTransferEvent
from hub.services import outcomes
from hub.services.batch_work import BatchWork
from hub.services.handlers.actions import count_first_transfer
from hub.services.handlers.first_transfers import tell_first_transfers
from hub.services.handlers.judging import judged
from hub.services.handlers.units import (
    attributes_of,
    definition_of,
    note_underlying,
    range_of,
    underlying_of,
    wire_range,
)
from message_schemas import json_codec
from message_schemas.blocks import Block
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
        sop_contribution=body.sop_contribution_quantity,
        omge_contribution=body.omge_contribution_quantity,
    )


def handle_first_transfer(context: MessageContext, work: BatchWork) -> Outcome:
    """Take an ``a64.first_transfer``: credit first-transferred AERs to an account."""
    if work.is_repeated(context):
        return outcomes.duplicate(context.message_id, work.earlier_result(context))
    return judged(context, work, lambda: _credit(context, work))


def _credit(context: MessageContext, work: BatchWork) -> dict[str, Any]:
    body: Any = context.body
    credit = Credit(body.first_transfer_id, body.kind, body.acquiring_account, body.blocks)
    _bring_in(work, credit)
    _count_issuance(work, body)
    _tell(context, work, credit)
    result = {
        "first_transfer_id": body.first_transfer_id,
        "account": body.acquiring_account,
        "log_index": context.log_index,
        "state": "credited",
    }
    work.take(context, result)
    return result


def handle_authorization_change(context: MessageContext, work: BatchWork) -> Outcome:
    """Take an ``a64.authorization_change``: raise what is authorized, adjust the shares."""
    if work.is_repeated(context):
        return outcomes.duplicate(context.message_id, work.earlier_result(context))
    return judged(context, work, lambda: _change(context, work))


def _change(context: MessageContext, work: BatchWork) -> dict[str, Any]:
    body: Any = context.body
    blocks = {block.range: block for block in body.blocks}
    for share in body.shares:
        of_share = tuple(blocks[range_] for range_ in share.ranges)
        credit = Credit(body.change_id, share.kind, share.account, of_share)
        _bring_in(work, credit)
        _tell(context, work, credit)
    for block in body.blocks:
        work.authorize_later(LaterAuthorization(range_of(block), body.change_id))
    record, adjusted = work.facts.issuances[body.issuance_id], adjusted_of(body)
    changed = replace(
        record,
        sop_done=record.sop_done + adjusted.sop,
        omge_done=record.omge_done + adjusted.omge,
        authorized_later=record.authorized_later + body.quantity,
        sop_later=record.sop_later + adjusted.sop,
        omge_later=record.omge_later + adjusted.omge,
    )
    work.set_issuance(changed)
    result = {
        "change_id": body.change_id,
        "issuance_id": body.issuance_id,
        "authorized_quantity": changed.authorized_now,
        "log_index": context.log_index,
        "state": "authorized",
    }
    work.take(context, result)
    return result


@dataclass(frozen=True, slots=True)
class Credit:
    """Blocks that enter the ledger in one account, by one event, under one natural id."""

    reference: str
    kind: str
    account: str
    blocks: tuple[Block, ...]

    @property
    def quantity(self) -> int:
        """Return the sum of the blocks, in t CO2 eq."""
        return sum(block.quantity for block in self.blocks)


def _bring_in(work: BatchWork, credit: Credit) -> None:
    """Enter first-transferred units in their account, and count them against the cap."""
    status = BlockStatus.CANCELLED if credit.kind == "omge" else BlockStatus.ITMO
    for block in credit.blocks:
        range_ = range_of(block)
        work.facts.window.introduce(
            range_,
            attributes_of(block),
            work.facts.international_registry,
            credit.account,
            status,
            _event_of(work, credit, block),
            credit.reference,
            underlying_of(block),
        )
        note_underlying(work.facts, block)
        count_first_transfer(work, range_, block.authorization_id)


def _event_of(work: BatchWork, credit: Credit, block: Block) -> FirstTransferEvent:
    """Return the event by which units of a push are first transferred, at the latest by the push.

    Authorization or issuance came before it, where the Party chose one (2/CMA.3 a.2(b)).
    """
    facts = work.facts
    authorization = facts.authorizations[block.first_transferring_party, block.authorization_id]
    definition = definition_of(facts, authorization)
    earlier = event_of_introduction(authorization.purposes, definition)
    return earlier or PUSH_EVENTS[credit.kind]


def _count_issuance(work: BatchWork, body: Any) -> None:
    """Add a push to its issuance's shares."""
    record = work.facts.issuances[body.issuance_id]
    name = {"forwarding": "forwarded", "sop_adaptation": "sop_done", "omge": "omge_done"}[body.kind]
    work.set_issuance(replace(record, **{name: getattr(record, name) + body.quantity}))


def _tell(context: MessageContext, work: BatchWork, credit: Credit) -> None:
    """Tell the account's Party that it was credited, and the host Party of the first transfer."""
    facts = work.facts
    ranges = [range_of(block) for block in credit.blocks]
    shown = [wire_range(range_) for range_ in ranges]
    account = facts.accounts[facts.international_registry, credit.account]
    credited = {
        "first_transfer_id": credit.reference,
        "account": credit.account,
        "quantity": credit.quantity,
        "ranges": shown,
    }
    for code in work.reference.registries_of(account.party):
        work.notify(code, "account.credited", credited)
    tell_first_transfers(
        work,
        [(range_of(block), _event_of(work, credit, block)) for block in credit.blocks],
        registry=context.sender,
        reference=credit.reference,
        knowing={context.sender},
    )
