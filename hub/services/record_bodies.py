"""From the words of record messages to the domain's values, and the names they are stored under."""

from datetime import date
from typing import Any

from hub.international_registry.authorizations import (
    ApproachStatus,
    Authorization,
    AuthorizationStatus,
    AuthorizedEntity,
    CooperativeApproach,
    FirstTransferDefinition,
    NdcPeriod,
)
from message_schemas import json_codec
from message_schemas.messages.records import (
    AuthorizationRecord,
    CooperativeApproachRecord,
    EntityAuthorizationRecord,
)

RecordMessage = CooperativeApproachRecord | AuthorizationRecord | EntityAuthorizationRecord
RecordValue = CooperativeApproach | Authorization | AuthorizedEntity

MESSAGE_TYPE_OF_KIND = {
    "cooperative_approach": "cooperative_approach.record",
    "authorization": "authorization.record",
    "entity_authorization": "entity_authorization.record",
}


def decode(kind: str, body: dict[str, Any]) -> RecordValue:
    """Return the domain's value of a stored record body of ``kind``."""
    message = json_codec.decode_body(MESSAGE_TYPE_OF_KIND[kind], 1, body)
    assert isinstance(message, RecordMessage)
    return value_of(message)


def key_of(message: RecordMessage) -> tuple[str, str, str, int]:
    """Return (kind, owner, record id, version), the key a record is stored under."""
    match message:
        case CooperativeApproachRecord():
            return ("cooperative_approach", "", message.cooperative_approach, message.version)
        case AuthorizationRecord():
            party = message.authorizing_party
            return ("authorization", party, message.authorization_id, message.version)
        case EntityAuthorizationRecord():
            owner = message.cooperative_approach
            return ("entity_authorization", owner, message.entity_id, message.version)


def value_of(message: RecordMessage) -> RecordValue:
    """Return the domain's value of a record message."""
    match message:
        case CooperativeApproachRecord():
            return _approach(message)
        case AuthorizationRecord():
            return _authorization(message)
        case EntityAuthorizationRecord():
            return AuthorizedEntity(
                entity_id=message.entity_id,
                version=message.version,
                authorizing_party=message.authorizing_party,
                cooperative_approach=message.cooperative_approach,
                name=message.name,
                country_of_incorporation=message.country_of_incorporation,
                authorized_on=date.fromisoformat(message.authorized_on),
                conditions=message.conditions,
                status=AuthorizationStatus(message.status),
            )


def _definition(text: str | None) -> FirstTransferDefinition | None:
    return None if text is None else FirstTransferDefinition(text)


def _approach(message: CooperativeApproachRecord) -> CooperativeApproach:
    return CooperativeApproach(
        cooperative_approach=message.cooperative_approach,
        version=message.version,
        title=message.title,
        participating_parties=tuple(message.participating_parties),
        oimp_first_transfer_definition=_definition(message.oimp_first_transfer_definition),
        ndc_periods=tuple(
            NdcPeriod(party=period.party, first_year=period.first_year, last_year=period.last_year)
            for period in message.ndc_periods
        ),
        status=ApproachStatus(message.status),
    )


def _authorization(message: AuthorizationRecord) -> Authorization:
    return Authorization(
        authorization_id=message.authorization_id,
        version=message.version,
        cooperative_approach=message.cooperative_approach,
        authorizing_party=message.authorizing_party,
        authorized_on=date.fromisoformat(message.authorized_on),
        purposes=message.purposes,
        oimp_authorized=message.oimp_authorized,
        authorized_parties=tuple(message.authorized_parties),
        authorized_entities=tuple(message.authorized_entities),
        quantity_max=message.quantity_max,
        metric=message.metric,
        non_ghg_metric=message.non_ghg_metric,
        gwp_values=message.gwp_values,
        sectors=tuple(message.sectors),
        activity_types=tuple(message.activity_types),
        vintage_first=message.vintage_first,
        vintage_last=message.vintage_last,
        valid_from=date.fromisoformat(message.valid_from),
        valid_until=None
        if message.valid_until is None
        else date.fromisoformat(message.valid_until),
        first_transfer_definition=_definition(message.first_transfer_definition),
        changes_apply_to_first_transferred=message.changes_apply_to_first_transferred,
        terms=message.terms,
        status=AuthorizationStatus(message.status),
    )
