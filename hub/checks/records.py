"""6xxx for records: who may record an approach, an authorization or an entity, and how.

1. A Party's registry records for its own Party; the international registry for every Party that has
   a section in it. Whose record it is does not change with a new version.
2. A cooperative approach is agreed between Parties: one of them alone adds to it, and cannot take
   away or end what the others agreed to.
3. An authorization is of a cooperative approach that is on record, by one of its Parties.
4. One OIMP first transfer definition per cooperative approach (4/CMA.6 para 15).
5. A new version of an authorization leaves alone what is first transferred (4/CMA.6 para 7). It is
   refused only where it would reach back; otherwise it simply does not apply to those units.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from hub.checks.authorization import NO_USAGE
from hub.checks.case import Case
from hub.checks.facts import ParticipantKind
from hub.checks.findings import FindingDraft
from hub.international_registry.authorizations import ApproachStatus, AuthorizationStatus
from hub.international_registry.purposes import includes_other
from hub.protocol.response_codes import ResponseCode
from message_schemas.messages.article64 import A64IssuanceNotice
from message_schemas.messages.records import (
    AuthorizationRecord,
    CooperativeApproachRecord,
    EntityAuthorizationRecord,
)

PartyRecord = AuthorizationRecord | EntityAuthorizationRecord
FIXED_ONCE_TRANSFERRED: Final = ("cooperative_approach", "metric", "non_ghg_metric")
"""What an authorization's new version cannot change under units that are first transferred."""


def check_authorizing_party(case: Case[PartyRecord]) -> Iterator[FindingDraft]:
    """Check 6018: the record comes from the registry of the Party that authorizes."""
    if case.body.authorizing_party != case.sender_party and not _records_for_all(case):
        detail = f"{case.context.sender} does not record for {case.body.authorizing_party}."
        code = ResponseCode.AUTHORIZING_PARTY_NOT_SENDER
        yield FindingDraft(code, detail, "/authorizing_party")


def check_entity_kept(case: Case[EntityAuthorizationRecord]) -> Iterator[FindingDraft]:
    """Check 6018: an entity stays that of the Party that authorized it (2/CMA.3 a.4(d))."""
    facts, body = case.facts, case.body
    latest = facts.entities.get((body.cooperative_approach, body.entity_id))
    if latest is not None and latest.authorizing_party != body.authorizing_party:
        detail = f"{body.entity_id} is authorized by another Party. Choose another entity_id."
        code = ResponseCode.AUTHORIZING_PARTY_NOT_SENDER
        yield FindingDraft(code, detail, "/entity_id")


def check_approach_sender(case: Case[CooperativeApproachRecord]) -> Iterator[FindingDraft]:
    """Check 6018: a cooperative approach is recorded by one of its Parties.

    For a change, that is one of the Parties on record: nobody enters by recording himself.
    """
    facts = case.facts
    latest = facts.approaches.get(case.body.cooperative_approach)
    parties = latest.participating_parties if latest else case.body.participating_parties
    if case.sender_party not in parties and not _records_for_all(case):
        detail = f"{case.context.sender} is of none of {', '.join(parties)}."
        code = ResponseCode.AUTHORIZING_PARTY_NOT_SENDER
        yield FindingDraft(code, detail, "/participating_parties")


def check_approach_of_all_kept(case: Case[CooperativeApproachRecord]) -> Iterator[FindingDraft]:
    """Check 6018: one Party alone does not change what the others agreed to (4/CMA.6 para 3).

    It may change the title and its own NDC periods, and add Parties; each of these records its own
    periods. All else comes from the international registry, on the word of all the Parties.
    """
    facts, body = case.facts, case.body
    latest = facts.approaches.get(body.cooperative_approach)
    if latest is None or _records_for_all(case):
        return
    code, central = ResponseCode.AUTHORIZING_PARTY_NOT_SENDER, facts.international_registry
    removed = sorted(set(latest.participating_parties) - set(body.participating_parties))
    if removed:
        detail = f"{', '.join(removed)} would be removed, which only {central} records."
        yield FindingDraft(code, detail, "/participating_parties")
    others = _periods_by_party(latest.ndc_periods) ^ _periods_by_party(body.ndc_periods)
    changed = sorted({party for party, _, _ in others if party != case.sender_party})
    if changed:
        detail = f"NDC periods of {', '.join(changed)} would change; each Party records its own."
        yield FindingDraft(code, detail, "/ndc_periods")
    if body.oimp_first_transfer_definition != latest.oimp_first_transfer_definition:
        detail = f"The first transfer definition would change, which only {central} records."
        yield FindingDraft(code, detail, "/oimp_first_transfer_definition")
    if body.status != latest.status:
        detail = f"{latest.status} would become {body.status}, which only {central} records."
        yield FindingDraft(code, detail, "/status")


def _periods_by_party(periods: Iterable[Any]) -> set[tuple[str, int, int]]:
    return {(period.party, period.first_year, period.last_year) for period in periods}


def _records_for_all(case: Case[PartyRecord] | Case[CooperativeApproachRecord]) -> bool:
    sender = case.sender
    return sender is not None and sender.kind == ParticipantKind.INTERNATIONAL_REGISTRY


def check_recorded_approach(
    case: Case[PartyRecord] | Case[A64IssuanceNotice],
) -> Iterator[FindingDraft]:
    """Check 6001 to 6003: the approach is on record, active, and the Party takes part in it.

    Revoking stays possible after the end of an approach.
    """
    facts = case.facts
    body, path = case.body, "/cooperative_approach"
    approach = facts.approaches.get(body.cooperative_approach)
    if approach is None:
        detail = f"There is no record of {body.cooperative_approach}."
        yield FindingDraft(ResponseCode.COOPERATIVE_APPROACH_UNKNOWN, detail, path)
        return
    if isinstance(body, A64IssuanceNotice):
        party, revokes = body.host_party, False
    else:
        party, revokes = body.authorizing_party, body.status == AuthorizationStatus.REVOKED.value
    if approach.status is not ApproachStatus.ACTIVE and not revokes:
        detail = f"{body.cooperative_approach} is {approach.status}."
        yield FindingDraft(ResponseCode.COOPERATIVE_APPROACH_NOT_ACTIVE, detail, path)
    if party not in approach.participating_parties:
        detail = f"{party} is not a Party of {body.cooperative_approach}."
        yield FindingDraft(ResponseCode.PARTY_NOT_IN_COOPERATIVE_APPROACH, detail, path)


def check_first_transferred_kept(case: Case[AuthorizationRecord]) -> Iterator[FindingDraft]:
    """Check 6017: the new version does not reach units first transferred (4/CMA.6 para 7)."""
    facts = case.facts
    body, code = case.body, ResponseCode.AUTHORIZATION_CHANGE_AFTER_FIRST_TRANSFER
    key = (body.authorizing_party, body.authorization_id)
    latest, usage = facts.authorizations.get(key), facts.usage.get(key, NO_USAGE)
    if latest is None or not usage.total:
        return
    counted = f"{usage.first_transferred} units are first transferred, {usage.reserved} in flight"
    if body.quantity_max is not None and body.quantity_max < usage.total:
        # Whatever the terms say: no version can make untrue what was first transferred.
        detail = f"{counted}; the new quantity is {body.quantity_max}."
        yield FindingDraft(code, detail, "/quantity_max")
    if latest.changes_apply_to_first_transferred:
        return
    if body.changes_apply_to_first_transferred:
        path = "/changes_apply_to_first_transferred"
        yield FindingDraft(code, f"{counted}, under terms that exclude it.", path)
    for name in FIXED_ONCE_TRANSFERRED:
        if getattr(body, name) != getattr(latest, name):
            yield FindingDraft(code, f"{counted}; {name} cannot change.", f"/{name}")


def check_definition_of_approach(case: Case[AuthorizationRecord]) -> Iterator[FindingDraft]:
    """Check 6019: the OIMP first transfer definition is the approach's (4/CMA.6 para 15)."""
    facts = case.facts
    body = case.body
    approach = facts.approaches.get(body.cooperative_approach)
    if approach is None or not includes_other(body.purposes):
        return
    stated, agreed = body.first_transfer_definition, approach.oimp_first_transfer_definition
    if stated is not None and agreed is not None and stated != agreed:
        detail = f"{body.cooperative_approach} has {agreed}, not {stated}."
        code = ResponseCode.FIRST_TRANSFER_DEFINITION_DIFFERS
        yield FindingDraft(code, detail, "/first_transfer_definition")


def check_definition_kept(case: Case[CooperativeApproachRecord]) -> Iterator[FindingDraft]:
    """Check 6019: an approach keeps its definition, or units would have two (4/CMA.6 para 15)."""
    facts = case.facts
    latest = facts.approaches.get(case.body.cooperative_approach)
    agreed = latest.oimp_first_transfer_definition if latest else None
    stated = case.body.oimp_first_transfer_definition
    if agreed is not None and stated != agreed:
        detail = f"{case.body.cooperative_approach} has {agreed}, not {stated}."
        code = ResponseCode.FIRST_TRANSFER_DEFINITION_DIFFERS
        yield FindingDraft(code, detail, "/oimp_first_transfer_definition")


APPROACH_RECORD_CHECKS: Final = (
    check_approach_sender,
    check_approach_of_all_kept,
    check_definition_kept,
)
AUTHORIZATION_RECORD_CHECKS: Final = (
    check_authorizing_party,
    check_recorded_approach,
    check_first_transferred_kept,
    check_definition_of_approach,
)
ENTITY_RECORD_CHECKS: Final = (
    check_authorizing_party,
    check_entity_kept,
    check_recorded_approach,
)
