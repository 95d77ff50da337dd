"""7xxx: the rules of Article 6 that look at the units and at time.

1. A first transfer happens once, and is called by its name (2/CMA.3 a.2; 4/CMA.6 paras 11-17).
2. The mitigation occurred in 2021 or later, and not in the future.
3. Use towards an NDC is of units first transferred before, and stays within one NDC implementation
   period of the using Party.
4. A metric that is not GHG is named; for OIMP there is a last day, of which the sender is warned.
5. Use and cancellation are recorded by the Party that uses or cancels.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from hub.checks.case import Action, Case, Lot, Proposal, UnitMessage
from hub.checks.facts import Facts, ParticipantKind
from hub.checks.findings import FindingDraft
from hub.international_registry.authorizations import Authorization
from hub.international_registry.purposes import includes_ndc, includes_other
from hub.protocol.response_codes import ResponseCode
from message_schemas.messages.actions import ActionUse
from message_schemas.messages.article64 import A64IssuanceNotice
from message_schemas.messages.records import AuthorizationRecord

VINTAGE_MIN: Final = 2021
NON_GHG: Final = "non-GHG"


def check_action_typed(case: Case[Proposal]) -> Iterator[FindingDraft]:
    """Check 7001, 7002: the first transfer is called first transfer, once (2/CMA.3 a.2).

    To the Adaptation Fund both names are taken for units not yet first transferred: 4/CMA.6 para 16
    makes it a first transfer, while the nomenclature lists it under Transfer.
    """
    action = case.body.action
    for lot in case.lots:
        if lot.has_flagged and action == "first_transfer":
            ranges = tuple(lot.part(k) for k in lot.known if k.first_transfer is not None)
            detail = "At least these units are first transferred already."
            yield FindingDraft(ResponseCode.ALREADY_FIRST_TRANSFERRED, detail, lot.path, ranges)
        if lot.has_unflagged:
            yield from _unflagged_typed(case, lot)


def _unflagged_typed(case: Case[Proposal], lot: Lot) -> Iterator[FindingDraft]:
    authorization = lot.authorization
    if authorization is None:
        return
    actions = case.expected_actions(authorization)
    if case.body.action in actions:
        return
    (expected,) = actions
    detail = f"Units authorized for {authorization.purposes} move here as a {expected}."
    if expected == "first_transfer":
        code = ResponseCode.FIRST_TRANSFER_EXPECTED
    else:
        # Their first transfer is another event: authorization, issuance, use or cancellation.
        code = ResponseCode.ALREADY_FIRST_TRANSFERRED
    yield FindingDraft(code, detail, lot.path, (lot.range,))


def check_vintage(case: Case[UnitMessage]) -> Iterator[FindingDraft]:
    """Check 7003, 7004: the vintage is 2021 or later, and a year that has begun."""
    facts = case.facts
    for lot in case.lots:
        vintage = lot.range.series.vintage
        code = _vintage_code(vintage, facts)
        if code is not None:
            yield FindingDraft(code, f"The vintage is {vintage}.", lot.path, (lot.range,))


def check_issuance_vintage(case: Case[A64IssuanceNotice]) -> Iterator[FindingDraft]:
    """Check 7003, 7004 for an issuance notice."""
    facts = case.facts
    if (code := _vintage_code(case.body.vintage, facts)) is not None:
        yield FindingDraft(code, f"The vintage is {case.body.vintage}.", "/vintage")


def _vintage_code(vintage: int, facts: Facts) -> ResponseCode | None:
    if vintage < VINTAGE_MIN:
        return ResponseCode.VINTAGE_BEFORE_2021
    return ResponseCode.VINTAGE_IN_FUTURE if vintage > facts.now.year else None


def check_authorized_vintages(case: Case[AuthorizationRecord]) -> Iterator[FindingDraft]:
    """Check 7003 for an authorization: none for mitigation before 2021 (later years are fine)."""
    if case.body.vintage_first < VINTAGE_MIN:
        detail = f"The first vintage is {case.body.vintage_first}."
        yield FindingDraft(ResponseCode.VINTAGE_BEFORE_2021, detail, "/vintage_first")


def check_used_units_transferred(case: Case[ActionUse]) -> Iterator[FindingDraft]:
    """Check 7001: what is used towards an NDC was first transferred (2/CMA.3 a.2(a), a.7-8).

    A Party counts its own mitigation in its NDC anyway; as ITMO it would count nowhere else, and
    be adjusted for by nobody.
    """
    if not includes_ndc(case.body.purpose):
        return
    for lot in case.lots:
        if case.retires_abroad(lot.range.series.first_transferring_party):
            continue  # first transferred inside the mechanism registry, which tells of it now
        if lot.has_unflagged:
            held = (lot.part(known) for known in lot.known if known.first_transfer is None)
            ranges = (*held, *lot.gaps)
            detail = "Units used towards an NDC were first transferred before."
            yield FindingDraft(ResponseCode.FIRST_TRANSFER_EXPECTED, detail, lot.path, ranges)


def check_ndc_period(case: Case[ActionUse]) -> Iterator[FindingDraft]:
    """Check 7005: vintage and year of use lie in one NDC period of the Party (2/CMA.3 a.8)."""
    facts = case.facts
    body = case.body
    approach = facts.approaches.get(body.cooperative_approach)
    if approach is None or body.calendar_year is None or not includes_ndc(body.purpose):
        return
    period = approach.ndc_period(body.using_party, body.calendar_year)
    if period is None:
        detail = f"{body.using_party} has no NDC period on record that has {body.calendar_year}."
        yield FindingDraft(ResponseCode.OUTSIDE_NDC_PERIOD, detail, "/calendar_year")
        return
    for lot in case.lots:
        vintage = lot.range.series.vintage
        if not period.first_year <= vintage <= period.last_year:
            detail = (
                f"The NDC period of {body.using_party} is {period.first_year} to"
                f" {period.last_year}; the vintage is {vintage}."
            )
            yield FindingDraft(ResponseCode.OUTSIDE_NDC_PERIOD, detail, lot.path, (lot.range,))


def check_using_party(case: Case[Action]) -> Iterator[FindingDraft]:
    """Check 7010: the registry of the acting Party records its use or cancellation (2/CMA.3 a.29).

    The international registry and the mechanism registry record for every Party that has accounts
    in them.
    """
    sender, party = case.sender, case.acquiring_party
    if sender is None or sender.kind != ParticipantKind.PARTY_REGISTRY:
        return
    if party != sender.party:
        path = "/using_party" if isinstance(case.body, ActionUse) else "/cancelling_party"
        detail = f"{sender.code} records for {sender.party}, not for {party}."
        yield FindingDraft(ResponseCode.USING_PARTY_NOT_SENDER, detail, path)


def check_non_ghg_named(case: Case[UnitMessage]) -> Iterator[FindingDraft]:
    """Check 7011: units in a non-GHG metric name it (2/CMA.3 a.9; 6/CMA.4 para 17(e))."""
    for lot in case.lots:
        if lot.attributes.metric == NON_GHG and not lot.attributes.non_ghg_metric:
            detail = "non_ghg_metric is missing."
            code = ResponseCode.NON_GHG_CONVERSION_MISSING
            yield FindingDraft(code, detail, lot.path, (lot.range,))


def check_authorized_metric(case: Case[AuthorizationRecord]) -> Iterator[FindingDraft]:
    """Check 7011, 7012: a non-GHG metric is named, GWP values are stated (18/CMA.1 a.37)."""
    body = case.body
    if body.metric == NON_GHG and not body.non_ghg_metric:
        detail = "non_ghg_metric is missing."
        yield FindingDraft(ResponseCode.NON_GHG_CONVERSION_MISSING, detail, "/non_ghg_metric")
    if body.metric != NON_GHG and not body.gwp_values:
        detail = "gwp_values is missing."
        yield FindingDraft(ResponseCode.GWP_NOT_STATED, detail, "/gwp_values")


def check_oimp_deadline(case: Case[UnitMessage]) -> Iterator[FindingDraft]:
    """Check 7009, a warning: the last day for OIMP is near or past (4/CMA.6 para 14).

    That is 31 December of the year before the report in which the NDC period of the vintage is
    concluded is due (2/CMA.3 a.12); how many years after the period, the operator sets.
    """
    facts = case.facts
    days = facts.policy.oimp_deadline_warning_days
    if days is None:
        return
    for lot in case.lots:
        authorization = lot.authorization if lot.has_unflagged else None
        if authorization is None or not includes_other(authorization.purposes):
            continue
        last_day = _oimp_last_day(lot, authorization, facts)
        if last_day is not None and facts.now.date() > last_day - timedelta(days=days):
            detail = f"The last day for vintage {lot.range.series.vintage} is {last_day}."
            yield FindingDraft(ResponseCode.OIMP_DEADLINE_NEAR, detail, lot.path, (lot.range,))


def _oimp_last_day(lot: Lot, authorization: Authorization, facts: Facts) -> date | None:
    approach = facts.approaches.get(authorization.cooperative_approach)
    if approach is None:
        return None
    series = lot.range.series
    period = approach.ndc_period(series.first_transferring_party, series.vintage)
    if period is None:
        return None
    return date(period.last_year + facts.policy.oimp_deadline_years_after_period, 12, 31)


UNIT_ARTICLE6_CHECKS: Final = (check_vintage, check_non_ghg_named, check_oimp_deadline)
