"""What the rules say of A6.4ERs that leave the mechanism registry (7006 to 7008, 7013).

1. Only authorized units leave as ITMOs; contribution units stay (4/CMA.6 para 49). Their first
   transfer is an ``a64.first_transfer``, so that nothing passes by the shares.
2. Of an issuance the share of proceeds for adaptation and the cancellation for overall mitigation
   in global emissions come first, the rest after them (7/CMA.4 annex I paras 39-41).
3. No more leaves than was issued and authorized.
4. Contribution units may be authorized later, while they are still with the activity's participants
   and never moved; the shares taken before are adjusted to it (6/CMA.6 paras 12-14).
5. What ends in the mechanism registry, retired or cancelled, leaves its issuance like the rest.

The shares are of the whole issuance, authorized and contribution units (3/CMA.3 a.58-59), while
only authorized units come through here. Where the notice says how much of a share is contribution
units, the rest of the share must have come first, to the unit. Where it does not, no decision says
how shares are spread; then it is what the shares claim of the authorized quantity, in proportion,
rounded down. The same proportion tells what of the shares is adjusted at least when contribution
units are authorized later.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from hub.checks.case import Action, Case, Proposal
from hub.checks.facts import IssuanceRecord, ParticipantKind, Policy
from hub.checks.findings import FindingDraft
from hub.international_registry.issuance import (
    Rounding,
    Shares,
    shares_are_done,
    shares_due,
)
from hub.protocol.response_codes import ResponseCode
from message_schemas.messages.article64 import (
    A64AuthorizationChange,
    A64FirstTransfer,
    A64IssuanceNotice,
)

Leaving = A64FirstTransfer | Action
OfIssuance = Leaving | A64AuthorizationChange


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


def check_issuance_known(case: Case[OfIssuance]) -> Iterator[FindingDraft]:
    """Check 7008: the issuance that the units come from was noticed before."""
    facts = case.facts
    identifier = case.body.issuance_id
    if identifier is not None and identifier not in facts.issuances:
        detail = f"There is no issuance {identifier}."
        yield FindingDraft(ResponseCode.ISSUANCE_UNKNOWN, detail, "/issuance_id")


def check_issuance_matches(case: Case[OfIssuance]) -> Iterator[FindingDraft]:
    """Check 3007 of the content: activity, approach and vintage are those of the issuance."""
    facts = case.facts
    record = facts.issuances.get(case.body.issuance_id or "")
    if record is None:
        return
    for name in ("activity_id", "cooperative_approach"):
        noticed = getattr(record, name)
        stated = getattr(case.body, name, noticed)  # an action names no activity
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


def check_shares_first(case: Case[Leaving]) -> Iterator[FindingDraft]:
    """Check 7007: both shares left before anything else of the issuance does."""
    record = case.facts.issuances.get(case.body.issuance_id or "")
    kind, quantity = _leaving(case)
    if record is None or kind != "forwarding" or not quantity:
        return
    due = authorized_shares(record)
    if not shares_are_done(due, sop_done=record.sop_done, omge_done=record.omge_done):
        missing = [
            f"{least - done} of {least} authorized units {what}"
            for least, done, what in (
                (due.sop, record.sop_done, "for adaptation"),
                (due.omge, record.omge_done, "for OMGE"),
            )
            if done < least
        ]
        detail = f"Of issuance {record.issuance_id} {' and '.join(missing)} have not come."
        yield FindingDraft(ResponseCode.ISSUANCE_SHARES_INCOMPLETE, detail, "/issuance_id")


def check_share_not_exceeded(case: Case[Leaving]) -> Iterator[FindingDraft]:
    """Check 7013: no more of a kind leaves than the issuance has of it."""
    record = case.facts.issuances.get(case.body.issuance_id or "")
    if record is None:
        return
    kind, quantity = _leaving(case)
    left = _left(record, kind)
    if quantity > left:
        detail = f"Issuance {record.issuance_id} leaves {left} units for {kind}."
        yield FindingDraft(ResponseCode.SHARE_EXCEEDS_ISSUANCE, detail, "/quantity")


def _leaving(case: Case[Leaving]) -> tuple[str, int]:
    """Return as what the message's units leave their issuance, and how many do so only now."""
    body = case.body
    if isinstance(body, A64FirstTransfer):
        return body.kind, body.quantity
    return "forwarding", sum(gap.quantity for lot in case.lots for gap in lot.gaps)


def contribution_shares(record: IssuanceRecord) -> Shares:
    """Return the units of the two shares that were contribution units when issued."""
    part = Fraction(record.authorized_quantity, max(1, record.issued_quantity))
    sop, omge = record.sop_contribution, record.omge_contribution
    return Shares(
        sop=record.sop_quantity - int(record.sop_quantity * part) if sop is None else sop,
        omge=record.omge_quantity - int(record.omge_quantity * part) if omge is None else omge,
    )


def authorized_shares(record: IssuanceRecord) -> Shares:
    """Return the authorized units of the two shares: at issuance, and adjusted since."""
    contribution = contribution_shares(record)
    return Shares(
        sop=record.sop_quantity - contribution.sop + record.sop_later,
        omge=record.omge_quantity - contribution.omge + record.omge_later,
    )


def _left(record: IssuanceRecord, kind: str) -> int:
    due = authorized_shares(record)
    gone = record.sop_done + record.omge_done + record.forwarded
    if kind == "sop_adaptation":
        most = record.sop_quantity if record.sop_contribution is None else due.sop
        return min(most - record.sop_done, record.authorized_now - gone)
    if kind == "omge":
        most = record.omge_quantity if record.omge_contribution is None else due.omge
        return min(most - record.omge_done, record.authorized_now - gone)
    shares = max(due.sop, record.sop_done) + max(due.omge, record.omge_done)
    return record.authorized_now - shares - record.forwarded


def check_change_within_issuance(case: Case[A64AuthorizationChange]) -> Iterator[FindingDraft]:
    """Check 7013: what is authorized later are contribution units of the issuance still."""
    record = case.facts.issuances.get(case.body.issuance_id)
    if record is None:
        return
    taken, left = adjusted_of(case.body), _contribution_shares_left(record)
    held = case.body.quantity - taken.sop - taken.omge
    for what, stated, most in (
        ("held by participants", held, record.contribution_left - left.sop - left.omge),
        ("for adaptation", taken.sop, left.sop),
        ("for OMGE", taken.omge, left.omge),
    ):
        if stated > most:
            detail = (
                f"Of issuance {record.issuance_id} {most} contribution units {what} are left;"
                f" {stated} are stated."
            )
            yield FindingDraft(ResponseCode.SHARE_EXCEEDS_ISSUANCE, detail, "/quantity")


def check_not_authorized_before(case: Case[A64AuthorizationChange]) -> Iterator[FindingDraft]:
    """Check 7013: none of the units was authorized by an earlier change."""
    for index, lot in enumerate(case.lots):
        earlier = case.facts.later_authorized.overlapping(lot.range)
        if earlier is not None:
            shared = lot.range.intersect(earlier.units)
            assert shared is not None
            detail = f"{shared} was authorized later by {earlier.change_id} already."
            path = f"/blocks/{index}"
            yield FindingDraft(ResponseCode.SHARE_EXCEEDS_ISSUANCE, detail, path, (shared,))


def check_shares_adjusted(case: Case[A64AuthorizationChange]) -> Iterator[FindingDraft]:
    """Check 7007: the shares taken at issuance follow the units that are authorized later."""
    record = case.facts.issuances.get(case.body.issuance_id)
    if record is None:
        return
    least, taken = _least_adjusted(record, case.body.quantity), adjusted_of(case.body)
    for what, stated, due in (
        ("for adaptation", taken.sop, least.sop),
        ("for OMGE", taken.omge, least.omge),
    ):
        if stated < due:
            detail = (
                f"With {case.body.quantity} units of issuance {record.issuance_id} at least {due}"
                f" units {what} become authorized; {stated} are stated."
            )
            yield FindingDraft(ResponseCode.ISSUANCE_SHARES_INCOMPLETE, detail, "/shares")


def adjusted_of(body: A64AuthorizationChange) -> Shares:
    """Return the units of the two shares that a change authorizes."""
    sums = {"sop_adaptation": 0, "omge": 0}
    for share in body.shares:
        units = (range_.last_serial - range_.first_serial + 1 for range_ in share.ranges)
        sums[share.kind] += sum(units)
    return Shares(sop=sums["sop_adaptation"], omge=sums["omge"])


def _contribution_shares_left(record: IssuanceRecord) -> Shares:
    """Return the units of the two shares that are contribution units today."""
    at_issuance = contribution_shares(record)
    return Shares(
        sop=min(at_issuance.sop - record.sop_later, record.sop_quantity - record.sop_done),
        omge=min(at_issuance.omge - record.omge_later, record.omge_quantity - record.omge_done),
    )


def _least_adjusted(record: IssuanceRecord, quantity: int) -> Shares:
    """Return what a change of so many units must adjust of the shares, in proportion.

    All changes of an issuance count together, so that many small ones adjust what one large does.
    """
    at_issuance, left = contribution_shares(record), _contribution_shares_left(record)
    contribution = max(1, record.issued_quantity - record.authorized_quantity)
    part = min(Fraction(1), Fraction(record.authorized_later + quantity, contribution))
    return Shares(
        sop=min(left.sop, int(at_issuance.sop * part) - record.sop_later),
        omge=min(left.omge, int(at_issuance.omge * part) - record.omge_later),
    )


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
    sop, omge = body.sop_contribution_quantity or 0, body.omge_contribution_quantity or 0
    for name, stated, most in (
        ("sop_contribution_quantity", sop, body.sop_quantity),
        ("omge_contribution_quantity", omge, body.omge_quantity),
    ):
        if stated > most:
            detail = f"{stated} contribution units are in a share of {most}."
            yield FindingDraft(ResponseCode.SHARE_EXCEEDS_ISSUANCE, detail, f"/{name}")
    contribution = body.issued_quantity - body.authorized_quantity
    if sop + omge > max(0, contribution):
        detail = f"{sop + omge} contribution units are in the shares; {contribution} are issued."
        path = "/sop_contribution_quantity"
        yield FindingDraft(ResponseCode.SHARE_EXCEEDS_ISSUANCE, detail, path)
    if None not in {body.sop_contribution_quantity, body.omge_contribution_quantity}:
        authorized = shares - sop - omge
        if authorized > body.authorized_quantity:
            detail = f"{authorized} authorized units are in the shares; fewer are authorized."
            path = "/authorized_quantity"
            yield FindingDraft(ResponseCode.SHARE_EXCEEDS_ISSUANCE, detail, path)


CHANGE_CHECKS: Final = (
    check_issuance_known,
    check_not_authorized_before,
    check_change_within_issuance,
    check_shares_adjusted,
)
LEAVING_CHECKS: Final = (check_issuance_known, check_shares_first, check_share_not_exceeded)
FIRST_TRANSFER_CHECKS: Final = (
    check_units_authorized,
    check_issuance_known,
    check_shares_first,
    check_share_not_exceeded,
)
NOTICE_CHECKS: Final = (check_noticed_shares, check_noticed_quantities)
