"""50xx: the units themselves, against the central ledger.

1. The ledger can be read for the range, and knows its serials; new ones come from the registry
   that issued them, in a message that may bring units in.
2. The sender holds what it gives away, with the attributes the ledger has.
3. Nothing else is going on with the units: no other exchange, no suspension, no case of
   reconciliation, no use or cancellation.

What is held elsewhere is named only to a sender that gave it there itself. To others the ledger
says no more than that the sender does not hold it: holdings are reported to the holder (6/CMA.4
annex I para 21).
"""

from collections.abc import Iterator
from dataclasses import fields
from itertools import chain
from typing import Any, Final

from hub.checks.case import (
    ACTIONS,
    ANSWERS,
    Answer,
    Case,
    Lot,
    UnitMessage,
)
from hub.checks.findings import FindingDraft, show
from hub.checks.frozen import freezes_over
from hub.checks.underlying import UnderlyingUnits
from hub.international_registry.units import Attributes, LedgerBlock, Range
from hub.protocol.response_codes import ResponseCode
from message_schemas.messages.article64 import A64AuthorizationChange, A64FirstTransfer

ATTRIBUTE_NAMES: Final = tuple(field.name for field in fields(Attributes))


def check_ranges_readable(case: Case[UnitMessage]) -> Iterator[FindingDraft]:
    """Check 5008: the range touches no more ledger blocks than one message may."""
    facts = case.facts
    if facts.crowded:
        for lot in case.lots:
            if lot.range in facts.crowded:
                yield _draft(ResponseCode.LEDGER_BLOCKS_TOO_MANY, lot, lot.range)


def check_serials_known(case: Case[UnitMessage]) -> Iterator[FindingDraft]:
    """Check 5001, 5009: the ledger knows the serials, or this message may bring them in (DES 4002).

    New units enter by their first transfer, sent by the registry that the identifier names as their
    origin; or, where the first transfer is another event than the move, by a transfer; or by their
    use or cancellation in that registry itself, if that is their first transfer.
    """
    for lot in case.lots:
        if not lot.gaps:
            continue
        if not may_bring_in(case, lot):
            for gap in lot.gaps:
                yield _draft(ResponseCode.BLOCK_UNKNOWN, lot, gap, "The ledger has no such units.")
        elif (origin := lot.range.series.originating_registry) != case.context.sender:
            detail = f"These units are issued by {origin}; the sender is {case.context.sender}."
            for gap in lot.gaps:
                yield _draft(ResponseCode.NOT_ORIGINATING_REGISTRY, lot, gap, detail)


def may_bring_in(case: Case[UnitMessage], lot: Lot) -> bool:
    """Tell whether a message of this kind can be the first the ledger hears of units."""
    body = case.body
    if isinstance(body, A64FirstTransfer | A64AuthorizationChange):
        return True
    if isinstance(body, ACTIONS):
        # Units authorized for OIMP, and any cancelled for OMGE, may end where they were issued: the
        # act is their first transfer, and the first the ledger hears of them (2/CMA.3 a.2(b)).
        if lot.authorization is None:
            return True  # the authorization stage says what is missing
        return case.first_transfer_event(lot.authorization) is not None
    if body.action == "first_transfer":
        return True
    authorization = lot.authorization
    if authorization is None:
        return False
    return body.action in case.expected_actions(authorization)


def check_blocks_held(case: Case[UnitMessage]) -> Iterator[FindingDraft]:
    """Check 5002, 5007: the sender holds every unit it disposes of (DES 4003)."""
    sender = case.context.sender
    for lot in case.lots:
        for known in lot.known:
            if known.registry == sender or in_central_account(case, known):
                continue
            origin = known.series.originating_registry
            sold = origin == sender and known.first_transfer is not None
            code = ResponseCode.BLOCK_HELD_ELSEWHERE if sold else ResponseCode.BLOCK_NOT_HELD
            part = lot.part(known)
            detail = f"{sender} does not hold {show(part)}."
            yield FindingDraft(code, detail, lot.path, (part,), _holder_view(case, known))


def in_central_account(case: Case[UnitMessage], known: LedgerBlock) -> bool:
    """Tell whether an action disposes of a unit in the Party's account at the central registry.

    Whether the account is the Party's, and holds the unit, is for the account checks to say.
    """
    body = case.body
    central = case.facts.international_registry
    return isinstance(body, ACTIONS) and body.account is not None and known.registry == central


def _holder_view(case: Case[Any], known: LedgerBlock) -> str:
    record = case.facts.brought_by.get(known.block_id)
    sender = case.context.sender
    if record and (record.initiator, record.acquirer) == (sender, known.registry):
        return (
            f"held by {known.registry} since log index {record.closed_log_index}"
            f" ({record.transfer_id})"
        )
    return f"not held by {sender}"


def check_attributes_equal(case: Case[UnitMessage]) -> Iterator[FindingDraft]:
    """Check 5003: the block's attributes are those the ledger has (6/CMA.4 I.33; DES 4004)."""
    for lot in case.lots:
        for known in lot.known:
            if known.attributes == lot.attributes or not _may_see(case, known):
                continue
            for name in ATTRIBUTE_NAMES:
                stated, recorded = getattr(lot.attributes, name), getattr(known.attributes, name)
                if stated != recorded:
                    detail = f"{name} is stated as {stated}."
                    view = f"{name}: {recorded}"
                    part = (lot.part(known),)
                    yield FindingDraft(ResponseCode.ATTRIBUTES_DIFFER, detail, lot.path, part, view)


def _may_see(case: Case[Any], known: LedgerBlock) -> bool:
    """Tell whether the sender may be shown the block: it holds it, or it issued it."""
    sender = case.context.sender
    held = known.registry == sender or in_central_account(case, known)
    return held or known.series.originating_registry == sender


def check_blocks_free(case: Case[UnitMessage]) -> Iterator[FindingDraft]:
    """Check 5004: no other exchange in flight has the units (DES 4010)."""
    own = getattr(case.body, "transfer_id", None)
    for lot in case.lots:
        for known in lot.known:
            # Reserved by this very transfer: its id was used before, which check 4002 says.
            if known.reserved_by is not None and known.reserved_by != own:
                view = f"reserved by {known.reserved_by}" if _may_see(case, known) else None
                part = lot.part(known)
                detail = f"{show(part)} is reserved."
                yield FindingDraft(ResponseCode.BLOCK_RESERVED, detail, lot.path, (part,), view)


def check_blocks_not_suspended(case: Case[UnitMessage]) -> Iterator[FindingDraft]:
    """Check 5011: no suspension holds the units (6/CMA.4 annex I para 17)."""
    for lot in case.lots:
        for known in lot.known:
            if known.hold is not None:
                yield _suspended(case, known, lot.part(known), lot.path)


def check_blocks_not_frozen(case: Case[UnitMessage]) -> Iterator[FindingDraft]:
    """Check 5005: no reconciliation case freezes the serials, known or not (DES 4008)."""
    if not case.facts.frozen:
        return
    for lot in case.lots:
        yield from _frozen(case, lot.range, lot.path)


def check_reserved_movable(case: Case[Answer]) -> Iterator[FindingDraft]:
    """Check 5005, 5011 for an acceptance: nothing stopped what it would move in the meantime."""
    facts = case.facts
    if case.releases_units:
        return
    for known in facts.window.reserved_by(case.body.transfer_id):
        if known.hold is not None:
            yield _suspended(case, known, known.range, "/transfer_id")
        if facts.frozen:
            yield from _frozen(case, known.range, "/transfer_id")


def _suspended(case: Case[Any], known: LedgerBlock, part: Range, path: str) -> FindingDraft:
    view = f"held by reference {known.hold}" if _may_see(case, known) else None
    detail = f"{show(part)} is suspended."
    return FindingDraft(ResponseCode.BLOCK_SUSPENDED, detail, path, (part,), view)


def _frozen(case: Case[Any], range_: Range, path: str) -> Iterator[FindingDraft]:
    """Yield what is frozen of a range. The case is named to all, whose it is to its registry."""
    context = case.context
    parties = {context.sender, context.recipient}
    if isinstance(case.body, ANSWERS):
        known = case.facts.transfers.get(case.body.transfer_id)
        parties |= set() if known is None else {known.initiator, known.acquirer}
    for part, freeze in freezes_over(case.facts.frozen, range_):
        if freeze.stops(context.sender, context.type, parties):
            detail = f"{show(part)} is frozen by case {freeze.case_id}."
            view = "the case is with you" if freeze.registry == context.sender else None
            yield FindingDraft(ResponseCode.BLOCK_FROZEN, detail, path, (part,), view)


def check_blocks_live(case: Case[UnitMessage]) -> Iterator[FindingDraft]:
    """Check 5006: nothing leaves use and cancellation (2/CMA.3 a.21(e); DES 4011)."""
    for lot in case.lots:
        for known in lot.known:
            if known.is_terminal:
                detail = f"{show(lot.part(known))} is {known.status}."
                yield _draft(ResponseCode.BLOCK_TERMINAL, lot, lot.part(known), detail)


def check_underlying_new(case: Case[UnitMessage]) -> Iterator[FindingDraft]:
    """Check 5010: an underlying unit is not registered under a second identifier (13/CMP.1).

    Neither before, nor by an earlier message of the batch, nor twice in this message.
    """
    facts, here = case.facts, UnderlyingUnits()
    for lot in case.lots:
        underlying = lot.block.underlying_unit
        if underlying is None or not lot.gaps:
            continue
        before = chain(
            facts.underlying_taken.clashing(underlying), facts.underlying_new.clashing(underlying)
        )
        known = (taken for taken in before if _known(case, taken))
        clashing = chain(known, here.clashing(underlying))
        taken = next((taken for taken in clashing if taken != lot.range), None)
        here.add(underlying, lot.range)
        if taken is not None:
            detail = f"{underlying.registry} {underlying.first_unit_id} is registered already."
            view = f"registered as {show(taken)}"
            code = ResponseCode.UNDERLYING_UNIT_ALREADY_REGISTERED
            own = taken.series.originating_registry == case.context.sender
            yield FindingDraft(code, detail, lot.path, (lot.range,), view if own else None)


def _known(case: Case[Any], range_: Range) -> bool:
    """Tell whether units are still there: what brought them in may have come to nothing since."""
    window = case.facts.window
    return bool(window.overlapping(range_.series, range_.first, range_.last))


def _draft(code: ResponseCode, lot: Lot, part: Range, detail: str = "") -> FindingDraft:
    return FindingDraft(code, detail or f"Range {show(part)}.", lot.path, (part,))


UNIT_CHECKS: Final = (
    check_ranges_readable,
    check_serials_known,
    check_blocks_held,
    check_attributes_equal,
    check_blocks_free,
    check_blocks_not_suspended,
    check_blocks_not_frozen,
    check_blocks_live,
    check_underlying_new,
)
