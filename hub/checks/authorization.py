"""6xxx: what is done with units lies within what the Parties authorized.

1. The cooperative approach is on record, active, and all Parties concerned take part in it.
2. Every block names an authorization of its first transferring Party, for this approach, in force.
3. Purpose, Parties, entity, vintage, sector, activity type and metric are within its scope.
4. All that becomes first transferred, in flight included, stays within the authorized quantity.

For units not yet first transferred the latest version counts. Units that are first transferred stay
under the version they carry, and a later change, revocation or end does not reach them, unless the
authorization's terms say that changes do (4/CMA.6 para 7).
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from hub.checks.case import MOVEMENTS, Answer, Case, Lot, UnitMessage
from hub.checks.facts import Facts
from hub.checks.findings import FindingDraft
from hub.international_registry.accounts import ADAPTATION_FUND_PARTY
from hub.international_registry.authorizations import (
    ApproachStatus,
    Authorization,
    AuthorizationStatus,
    AuthorizationUsage,
    exceeds_cap,
    quantity_left,
)
from hub.international_registry.purposes import includes_other
from hub.international_registry.units import Range
from hub.protocol.response_codes import ResponseCode
from message_schemas.messages.actions import ActionCancellation
from message_schemas.messages.article64 import A64AuthorizationChange, A64FirstTransfer

NO_USAGE: Final = AuthorizationUsage()
ADDING: Final = (*MOVEMENTS, A64AuthorizationChange)
COUNTED_UNITS_MAX: Final = 2**63 - 1
"""Units that an authorization without a quantity can count: what both databases can store."""


def check_cooperative_approach(case: Case[UnitMessage]) -> Iterator[FindingDraft]:
    """Check 6001 to 6003: the approach is active, and the Parties concerned take part in it."""
    facts = case.facts
    identifier, path = case.body.cooperative_approach, "/cooperative_approach"
    approach = facts.approaches.get(identifier)
    if approach is None:
        detail = f"There is no record of {identifier}."
        yield FindingDraft(ResponseCode.COOPERATIVE_APPROACH_UNKNOWN, detail, path)
        return
    if approach.status is not ApproachStatus.ACTIVE and isinstance(case.body, ADDING):
        # What was acquired while it ran may still be used and cancelled.
        detail = f"{identifier} is {approach.status} since version {approach.version}."
        yield FindingDraft(ResponseCode.COOPERATIVE_APPROACH_NOT_ACTIVE, detail, path)
    for party in _parties_of(case):
        if party not in approach.participating_parties:
            detail = f"{party} is not a Party of {identifier} version {approach.version}."
            yield FindingDraft(ResponseCode.PARTY_NOT_IN_COOPERATIVE_APPROACH, detail, path)


def _parties_of(case: Case[UnitMessage]) -> list[str]:
    """Return the Parties that must take part, sorted. The Adaptation Fund is none."""
    parties = {lot.range.series.first_transferring_party for lot in case.lots}
    body = case.body
    is_share = isinstance(body, A64FirstTransfer) and body.kind != "forwarding"
    if case.acquiring_party and not is_share:
        parties.add(case.acquiring_party)
    return sorted(parties - {ADAPTATION_FUND_PARTY})


def check_authorization_known(case: Case[UnitMessage]) -> Iterator[FindingDraft]:
    """Check 6004, 6006 to 6008: each block names a recorded authorization that fits it."""
    facts = case.facts
    for lot in case.lots:
        latest = lot.authorization
        if latest is None:
            yield _not_found(lot, facts)
            continue
        approach = lot.range.series.cooperative_approach
        if latest.cooperative_approach != approach:
            detail = f"{latest.authorization_id} is for {latest.cooperative_approach}."
            yield _draft(ResponseCode.AUTHORIZATION_OF_OTHER_COOPERATIVE_APPROACH, lot, detail)
        stated = lot.attributes.authorization_version
        if lot.gaps and stated < latest.version:
            detail = f"{latest.authorization_id} is at version {latest.version}, not {stated}."
            yield _draft(ResponseCode.AUTHORIZATION_VERSION_SUPERSEDED, lot, detail, lot.gaps)
        elif stated > latest.version:
            detail = f"{latest.authorization_id} has no version {stated} yet."
            yield _draft(ResponseCode.AUTHORIZATION_UNKNOWN, lot, detail)


def _not_found(lot: Lot, facts: Facts) -> FindingDraft:
    party = lot.range.series.first_transferring_party
    identifier = lot.attributes.authorization_id
    others = sorted(other for other, known in facts.authorizations if known == identifier)
    if others:
        detail = f"{identifier} is an authorization of {', '.join(others)}, not of {party}."
        return _draft(ResponseCode.AUTHORIZATION_OF_OTHER_PARTY, lot, detail)
    detail = f"{party} has no authorization {identifier} on record."
    return _draft(ResponseCode.AUTHORIZATION_UNKNOWN, lot, detail)


def check_authorization_in_force(case: Case[UnitMessage]) -> Iterator[FindingDraft]:
    """Check 6005: the authorization stands today (4/CMA.6 paras 5(c), 7).

    The dates bound what may be first transferred; first transferred units are reached by a
    revocation only where the terms say that changes apply to them.
    """
    facts = case.facts
    today = facts.now.date()
    for lot in case.lots:
        for authorization, flagged in case.governing(lot):
            revoked = authorization.status is AuthorizationStatus.REVOKED
            if (revoked and _reaches(authorization, flagged)) or not (
                flagged or authorization.is_in_force(today)
            ):
                detail = f"{_name(authorization)} is {authorization.status}"
                detail += f", valid from {authorization.valid_from} to {authorization.valid_until}."
                yield _draft(ResponseCode.AUTHORIZATION_NOT_IN_FORCE, lot, detail)


def check_reserved_still_authorized(case: Case[Answer]) -> Iterator[FindingDraft]:
    """Check 6002, 6005 for an acceptance: what it first transfers is authorized today as well.

    Between a proposal and its answer the approach may end or the authorization be revoked. The
    transfer stays proposed: its initiator withdraws it, or it expires.
    """
    facts = case.facts
    record = facts.transfers.get(case.body.transfer_id)
    if record is None or case.releases_units:
        return
    reserved = facts.window.reserved_by(record.transfer_id)
    pending = {
        (block.series.first_transferring_party, block.attributes.authorization_id)
        for block in reserved
        if block.first_transfer is None
    }
    approach = facts.approaches.get(record.cooperative_approach)
    if pending and (approach is None or approach.status is not ApproachStatus.ACTIVE):
        detail = f"{record.cooperative_approach} ended after {record.transfer_id} was proposed."
        code = ResponseCode.COOPERATIVE_APPROACH_NOT_ACTIVE
        yield FindingDraft(code, detail, "/transfer_id")
    for key in sorted(pending):
        authorization = facts.authorizations.get(key)
        if authorization is None or not authorization.is_in_force(facts.now.date()):
            detail = f"Authorization {key[1]} of {key[0]} is no longer in force."
            code = ResponseCode.AUTHORIZATION_NOT_IN_FORCE
            yield FindingDraft(code, detail, "/transfer_id")


def _reaches(authorization: Authorization, flagged: bool) -> bool:
    return authorization.changes_apply_to_first_transferred or not flagged


def check_authorization_scope(case: Case[UnitMessage]) -> Iterator[FindingDraft]:
    """Check 6009 to 6015: the units and what is done with them lie within the scope."""
    for lot in case.lots:
        for authorization, _ in case.governing(lot):
            yield from _units_in_scope(lot, authorization)
            yield from _use_in_scope(case, lot, authorization)


def _units_in_scope(lot: Lot, authorization: Authorization) -> Iterator[FindingDraft]:
    attributes, vintage = lot.attributes, lot.range.series.vintage
    if not authorization.covers_vintage(vintage):
        detail = (
            f"{_name(authorization)} covers {authorization.vintage_first} to"
            f" {authorization.vintage_last}, not {vintage}."
        )
        yield _draft(ResponseCode.VINTAGE_NOT_AUTHORIZED, lot, detail)
    if not authorization.covers_sector(attributes.sector):
        detail = f"{_name(authorization)} covers {', '.join(authorization.sectors)}."
        yield _draft(ResponseCode.SECTOR_NOT_AUTHORIZED, lot, detail)
    if not authorization.covers_activity_type(attributes.activity_type):
        detail = f"{_name(authorization)} covers {', '.join(authorization.activity_types)}."
        yield _draft(ResponseCode.ACTIVITY_TYPE_NOT_AUTHORIZED, lot, detail)
    if not authorization.covers_metric(attributes.metric, attributes.non_ghg_metric):
        measured = authorization.non_ghg_metric or authorization.metric
        detail = f"{_name(authorization)} is for {measured}."
        yield _draft(ResponseCode.METRIC_NOT_AUTHORIZED, lot, detail)


def _use_in_scope(
    case: Case[UnitMessage], lot: Lot, authorization: Authorization
) -> Iterator[FindingDraft]:
    purpose = case.purpose
    if purpose is not None and not authorization.covers_purpose(purpose):
        detail = f"{_name(authorization)} covers {authorization.purposes}, not {purpose}."
        yield _draft(ResponseCode.PURPOSE_NOT_AUTHORIZED, lot, detail)
    if _is_oimp_cancellation(case) and not includes_other(authorization.purposes):
        detail = f"{_name(authorization)} covers {authorization.purposes} only."
        yield _draft(ResponseCode.PURPOSE_NOT_AUTHORIZED, lot, detail)
    party = case.acquiring_party
    if party not in {None, ADAPTATION_FUND_PARTY} and not authorization.covers_party(party):
        detail = f"{_name(authorization)} covers {', '.join(authorization.authorized_parties)}."
        yield _draft(ResponseCode.PARTY_NOT_AUTHORIZED, lot, detail)
    entity = case.acting_entity
    if entity is not None and not authorization.covers_entity(entity):
        detail = f"{_name(authorization)} does not name {entity}."
        yield _draft(ResponseCode.ENTITY_NOT_AUTHORIZED, lot, detail)


def _is_oimp_cancellation(case: Case[UnitMessage]) -> bool:
    return isinstance(case.body, ActionCancellation) and case.body.kind == "oimp"


def check_entity_recorded(case: Case[UnitMessage]) -> Iterator[FindingDraft]:
    """Check 6011: the entity is authorized for the cooperative approach (3/CMA.3 a.45)."""
    facts = case.facts
    identifier = case.acting_entity
    if identifier is None:
        return
    entity = facts.entities.get((case.body.cooperative_approach, identifier))
    if entity is None or entity.status is not AuthorizationStatus.IN_FORCE:
        state = "not on record" if entity is None else f"{entity.status}"
        detail = f"Entity {identifier} is {state} for {case.body.cooperative_approach}."
        yield FindingDraft(ResponseCode.ENTITY_NOT_AUTHORIZED, detail)


def check_authorized_quantity(case: Case[UnitMessage]) -> Iterator[FindingDraft]:
    """Check 6016: first transfers, in flight included, stay within the quantity (DES 5008)."""
    facts = case.facts
    wanted: dict[tuple[str, str], int] = defaultdict(int)
    capped: dict[tuple[str, str], Authorization] = {}
    for lot in case.lots:
        latest = lot.authorization
        if latest is None or not lot.has_unflagged:
            continue
        if case.first_transfer_event(latest) is not None:
            key = (latest.authorizing_party, latest.authorization_id)
            wanted[key] += lot.unflagged_quantity
            capped[key] = _with_cap(latest)
    for key, quantity in wanted.items():
        authorization, usage = capped[key], facts.usage.get(key, NO_USAGE)
        if exceeds_cap(authorization, usage, quantity):
            detail = (
                f"{_name(authorization)} is for {authorization.quantity_max} units:"
                f" {usage.first_transferred} are first transferred, {usage.reserved} in flight,"
                f" {quantity_left(authorization, usage)} left. This message would add {quantity}."
            )
            ranges = tuple(lot.range for lot in case.lots if _key(lot.authorization) == key)
            yield FindingDraft(
                ResponseCode.AUTHORIZED_QUANTITY_EXCEEDED, detail, "/quantity", ranges
            )


def _with_cap(authorization: Authorization) -> Authorization:
    """Return an authorization without a cap with that of what can be counted at all."""
    if authorization.quantity_max is not None:
        return authorization
    return replace(authorization, quantity_max=COUNTED_UNITS_MAX)


def _key(authorization: Authorization | None) -> tuple[str, str] | None:
    if authorization is None:
        return None
    return (authorization.authorizing_party, authorization.authorization_id)


def _name(authorization: Authorization) -> str:
    return f"Authorization {authorization.authorization_id} version {authorization.version}"


def _draft(
    code: ResponseCode, lot: Lot, detail: str, ranges: tuple[Range, ...] | None = None
) -> FindingDraft:
    return FindingDraft(code, detail, lot.path, ranges or (lot.range,))


AUTHORIZATION_CHECKS: Final = (
    check_cooperative_approach,
    check_authorization_known,
    check_authorization_in_force,
    check_authorization_scope,
    check_entity_recorded,
    check_authorized_quantity,
)
