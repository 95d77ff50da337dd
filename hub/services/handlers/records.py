"""Cooperative approaches, authorizations, entities: versioned records, told to who takes part."""

from typing import Any

import msgspec

from hub.checks.facts import MessageContext
from hub.international_registry.authorizations import (
    Authorization,
    AuthorizedEntity,
    CooperativeApproach,
)
from hub.services import outcomes, record_bodies
from hub.services.batch_work import BatchWork
from hub.services.handlers.judging import judged
from hub.store.reference import RecordRow
from message_schemas import json_codec
from message_schemas.envelopes import Outcome


def handle_record(context: MessageContext, work: BatchWork) -> Outcome:
    """Take any of the three record messages."""
    body: Any = context.body
    kind, owner, record_id, version = record_bodies.key_of(body)
    result = {"record": record_id, "version": version, "status": str(body.status)}
    if work.is_repeated(context):
        return outcomes.duplicate(context.message_id, result)

    def effect() -> dict[str, Any]:
        text = msgspec.json.encode(json_codec.encode_body(body)).decode()
        work.new_records.append(RecordRow(kind, owner, record_id, version, text, context.log_index))
        work.remember(context)
        _enter(context, work, record_bodies.value_of(body))
        return result

    return judged(context, work, effect)


def _enter(context: MessageContext, work: BatchWork, value: record_bodies.RecordValue) -> None:
    """Make a record version the current one, and tell the other registries of the approach."""
    facts = work.facts
    match value:
        case CooperativeApproach():
            facts.approaches[value.cooperative_approach] = value
            notice = {
                "cooperative_approach": value.cooperative_approach,
                "version": value.version,
                "status": str(value.status),
            }
            _tell_approach(
                context,
                work,
                value.cooperative_approach,
                ("cooperative_approach.recorded", notice),
            )
        case Authorization():
            key = (value.authorizing_party, value.authorization_id)
            facts.authorizations[key] = value
            facts.authorization_versions[(*key, value.version)] = value
            notice = {
                "authorization_id": value.authorization_id,
                "version": value.version,
                "cooperative_approach": value.cooperative_approach,
                "status": str(value.status),
            }
            _tell_approach(
                context, work, value.cooperative_approach, ("authorization.recorded", notice)
            )
        case AuthorizedEntity():
            facts.entities[value.cooperative_approach, value.entity_id] = value


def _tell_approach(
    context: MessageContext,
    work: BatchWork,
    approach_id: str,
    notice: tuple[str, dict[str, Any]],
) -> None:
    """File a notice for every other registry of the Parties of a cooperative approach."""
    approach = work.facts.approaches.get(approach_id)
    parties = () if approach is None else approach.participating_parties
    for party in parties:
        for code in work.reference.registries_of(party):
            if code != context.sender:
                work.notify(code, *notice)
