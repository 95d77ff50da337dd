"""What the rules say of A6.4ERs that leave the mechanism registry (7006 to 7008, 7013).

1. Only authorized units leave as ITMOs; contribution units stay (4/CMA.6 para 49). Their first
   transfer is an ``a64.first_transfer``, so that nothing passes by the shares.
2. Of an issuance the share of proceeds for adaptation and the cancellation for overall mitigation
   in global emissions come first, the rest after them (7/CMA.4 annex I paras 39-41).
3. No more leaves than was issued and authorized.

The shares are of the whole issuance, while only its authorized units come through here. How shares
are spread over authorized and contribution units no decision says; so what must have come first is
what the shares claim of the authorized quantity, in proportion, rounded down.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from hub.checks.case import Case, Proposal
from hub.checks.facts import IssuanceRecord, ParticipantKind, Policy
from hub.checks.findings import FindingDraft
from hub.international_registry.issuance import (
    Rounding,
    Shares,
    shares_are_done,
    shares_due,
)
from hub.protocol.response_codes import ResponseCode
from message_schemas.messages.article64 import A64FirstTransfer, A64IssuanceNotice


def check_units_authorized(case: Case[A64FirstTransfer]) -> Iterator[FindingDraft]:
    """Check 7006: only authorized A6.4ERs leave as ITMOs (4/CMA.6 para 49)."""
    if case.body.authorization_status != "authorized":
        detail = f"authorization_status is {case.body.authorization_status}."
        ranges = tuple(lot.range for lot in case.lots)
        code = ResponseCode.A64_UNIT_NOT_AUTHORIZED
        yield FindingDraft(code, detail, "/authorization_status", ranges)


def check_a64_first_transfer(case: Case[Proposal]) -> Iterator[FindingDraft]:
    """Check 7006: A6.4ERs are first transferred out of an issuance, not by a plain proposal."""
    sender = case.sender
    if sender is None or sender.kind != ParticipantKind.MECHANISM_REGISTRY:
        return
    for lot in case.lots:
        if lot.has_unflagged and lot.range.series.originating_registry == sender.code:
            detail = "Units of this registry are first transferred by a64.first_transfer."
            code = ResponseCode.A64_UNIT_NOT_AUTHORIZED
            yield FindingDraft(code, detail, lot.path, (lot.range,))


def check_issuance_known(case: Case[A64FirstTransfer]) -> Iterator[FindingDraft]:
    """Check 7008: the issuance that the units come from was noticed before."""
    facts = case.facts
    identifier = case.body.issuance_id
    if identifier is not None and identifier not in facts.issuances:
        detail = f"There is no issuance {identifier}."
        yield FindingDraft(ResponseCode.ISSUANCE_UNKNOWN, detail, "/issuance_id")


def check_issuance_matches(case: Case[A64FirstTransfer]) -> Iterator[FindingDraft]:
    """Check 3007 of the content: activity, approach and vintage are those of the issuance."""
    facts = case.facts
    record = facts.issuances.get(case.body.issuance_id or "")
    if record is None:
        return
    for name in ("activity_id", "cooperative_approach"):
        stated, noticed = getattr(case.body, name), getattr(record, name)
        if stated != noticed:
            detail = f"{name} is {stated}; issuance {record.issuance_id} has {noticed}."
            yield FindingDraft(ResponseCode.IDENTIFIER_INCONSISTENT, detail, f"/{name}")
    for index, block in enumerate(case.blocks):
        if block.vintage != record.vintage or block.first_transferring_party != record.host_party:
            detail = (
                f"Issuance {record.issuance_id} is of {record.host_party}, {record.vintage};"
                f" the block is of {block.first_transferring_party}, {block.vintage}."
            )
            path = f"/blocks/{index}"
            yield FindingDraft(ResponseCode.IDENTIFIER_INCONSISTENT, detail, path)


def check_shares_first(case: Case[A64FirstTransfer]) -> Iterator[FindingDraft]:
    """Check 7007: both shares left before anything else of the issuance does."""
    facts = case.facts
    record = facts.issuances.get(case.body.issuance_id or "")
    if record is None or case.body.kind != "forwarding":
        return
    due = authorized_shares(record)
    if not shares_are_done(due, sop_done=record.sop_done, omge_done=record.omge_done):
        detail = (
            f"Of issuance {record.issuance_id} {record.sop_done} of {due.sop} units for adaptation"
            f" and {record.omge_done} of {due.omge} units for OMGE have come."
        )
        yield FindingDraft(ResponseCode.ISSUANCE_SHARES_INCOMPLETE, detail, "/issuance_id")


def check_share_not_exceeded(case: Case[A64FirstTransfer]) -> Iterator[FindingDraft]:
    """Check 7013: no more of a kind leaves than the issuance has of it."""
    facts = case.facts
    body = case.body
    record = facts.issuances.get(body.issuance_id or "")
    if record is None:
        return
    left = _left(record, body.kind)
    if body.quantity > left:
        detail = f"Issuance {record.issuance_id} leaves {left} units for {body.kind}."
        yield FindingDraft(ResponseCode.SHARE_EXCEEDS_ISSUANCE, detail, "/quantity")


def authorized_shares(record: IssuanceRecord) -> Shares:
    """Return what the shares claim of the authorized units, in proportion, rounded down."""
    part = Fraction(record.authorized_quantity, max(1, record.issued_quantity))
    return Shares(sop=int(record.sop_quantity * part), omge=int(record.omge_quantity * part))


def _left(record: IssuanceRecord, kind: str) -> int:
    if kind == "sop_adaptation":
        return min(record.sop_quantity, record.authorized_quantity) - record.sop_done
    if kind == "omge":
        return min(record.omge_quantity, record.authorized_quantity) - record.omge_done
    due = authorized_shares(record)
    shares = max(due.sop, record.sop_done) + max(due.omge, record.omge_done)
    return record.authorized_quantity - shares - record.forwarded


def check_noticed_shares(case: Case[A64IssuanceNotice]) -> Iterator[FindingDraft]:
    """Check 7007: the notice takes off 5 % for adaptation, unless exempt, and 2 % for OMGE."""
    facts = case.facts
    body = case.body
    due = _due(body.issued_quantity, sop_exempt=body.sop_exempt, policy=facts.policy)
    for path, stated, least in (
        ("/sop_quantity", body.sop_quantity, due.sop),
        ("/omge_quantity", body.omge_quantity, due.omge),
    ):
        if stated < least:
            detail = f"Of {body.issued_quantity} units issued {least} are due; {stated} are stated."
            yield FindingDraft(ResponseCode.ISSUANCE_SHARES_INCOMPLETE, detail, path)


def _due(issued: int, *, sop_exempt: bool, policy: Policy) -> Shares:
    return shares_due(
        issued,
        sop_exempt=sop_exempt,
        sop_share=Fraction(policy.sop_share_per_mille, 1000),
        omge_share=Fraction(policy.omge_share_per_mille, 1000),
        rounding=Rounding(policy.share_rounding),
    )


def check_noticed_quantities(case: Case[A64IssuanceNotice]) -> Iterator[FindingDraft]:
    """Check 7013: authorized units and the two shares fit into what was issued."""
    body = case.body
    shares = body.sop_quantity + body.omge_quantity
    for path, stated in (("/authorized_quantity", body.authorized_quantity), ("", shares)):
        if stated > body.issued_quantity:
            what = "authorized" if path else "for adaptation and OMGE together"
            detail = f"{stated} units {what} are more than {body.issued_quantity} issued."
            yield FindingDraft(ResponseCode.SHARE_EXCEEDS_ISSUANCE, detail, path or None)


FIRST_TRANSFER_CHECKS: Final = (
    check_units_authorized,
    check_issuance_known,
    check_shares_first,
    check_share_not_exceeded,
)
NOTICE_CHECKS: Final = (check_noticed_shares, check_noticed_quantities)
