"""Messages about the connection itself: hello, keys, acknowledgements, resends, notes."""

from datetime import timedelta
from typing import Any

from hub.checks import rulebook
from hub.checks.facts import MessageContext
from hub.protocol.response_codes import ResponseCode
from hub.protocol.signed_objects import Binding, fault_of_binding
from hub.services import outcomes
from hub.services.batch_work import BatchWork
from hub.services.handlers.judging import judged
from keys import errors as key_errors
from keys.possession import verify_possession
from keys.rotation import plan_rotation
from message_schemas import code_lists, timestamps
from message_schemas.envelopes import Outcome


def handle_hello(context: MessageContext, work: BatchWork) -> Outcome:
    """Take a ``participant.hello``: what each side runs, and how deliveries shall go."""
    body: Any = context.body
    row = work.reference.rows.get(context.sender)
    if body.delivery_mode == "push" and (row is None or row.endpoint is None):
        detail = "push needs an endpoint, which the hub's operator registers; or ask for pull"
        return outcomes.refused_for(
            context.message_id, ResponseCode.CONDITIONAL_FIELD_MISSING, detail
        )
    if (reason := _why_not_written(body.binding, context.sender, work)) is not None:
        return outcomes.refused_for(context.message_id, ResponseCode.BINDING_NOT_AVAILABLE, reason)

    def effect() -> dict[str, Any]:
        work.participant_changes.delivery_modes[context.sender] = body.delivery_mode
        work.participant_changes.bindings[context.sender] = body.binding
        return {
            "hub_time": work.now_text,
            "rulebook": rulebook.CURRENT,
            "code_lists": code_lists.CURRENT,
            "limits": work.limits.document(),
        }

    return judged(context, work, effect)


def _why_not_written(binding: str, participant: str, work: BatchWork) -> str | None:
    """Return why a participant cannot have its deliveries in a binding, or None if it can."""
    if binding != Binding.XML:
        return None
    if not work.writes_xml:
        return "the hub has no key that signs XML (its setting `xml_signer`); ask for json"
    return fault_of_binding(binding, work.reference.trust.suites_of(participant))


def handle_acknowledgement(context: MessageContext, work: BatchWork) -> Outcome:
    """Take a ``delivery.acknowledgement``: the digest must be that of the delivery it ends."""
    body: Any = context.body
    mailbox = work.mailboxes.get(context.sender)
    end = (context.sender, body.up_to_sequence)
    digest = work.delivery_digests.get(end)
    if mailbox is None or digest is None:
        detail = f"no delivery to {context.sender} ends at item {body.up_to_sequence}"
        return outcomes.refused_for(context.message_id, ResponseCode.SEQUENCE_NOT_DELIVERED, detail)
    if digest != body.delivery_sha256:
        work.raise_alert(
            "delivery-digest-differs",
            f"{context.sender}/{body.up_to_sequence}",
            f"acknowledged {body.delivery_sha256}, sent {digest}",
        )
        detail = f"the delivery that ends at item {body.up_to_sequence} has digest {digest}"
        return outcomes.refused_for(
            context.message_id, ResponseCode.DELIVERY_DIGEST_DIFFERS, detail
        )

    def effect() -> dict[str, Any]:
        acknowledged = work.participant_changes.acknowledged
        before, _ = acknowledged.get(context.sender, (mailbox.acknowledged_sequence, 0))
        if body.up_to_sequence > before:
            acknowledged[context.sender] = (body.up_to_sequence, work.log_index)
        return {"acknowledged_sequence": max(before, body.up_to_sequence)}

    return judged(context, work, effect)


def handle_resend(context: MessageContext, work: BatchWork) -> Outcome:
    """Take a ``delivery.resend``: stored deliveries from an item on go out again, unchanged."""
    body: Any = context.body
    mailbox = work.mailboxes.get(context.sender)
    last = 0 if mailbox is None else mailbox.last_sequence
    if not body.from_sequence <= body.to_sequence <= last:
        detail = f"items {body.from_sequence} to {body.to_sequence}; the last one is {last}"
        return outcomes.refused_for(context.message_id, ResponseCode.SEQUENCE_NOT_DELIVERED, detail)

    def effect() -> dict[str, Any]:
        range_ = (body.from_sequence, body.to_sequence)
        work.participant_changes.resends[context.sender] = range_
        return {"from_sequence": body.from_sequence, "to_sequence": body.to_sequence}

    return judged(context, work, effect)


def handle_key_rotation(context: MessageContext, work: BatchWork) -> Outcome:
    """Take a ``key.rotate``: the new key proves that it is held, and starts in the future."""
    body: Any = context.body

    def effect() -> dict[str, Any]:
        # Keys announced earlier in this very batch count: one waiting key of a kind at a time.
        trust = work.reference.trust.replacing(work.participant_changes.new_keys)
        plan = plan_rotation(
            trust.records_of(context.sender),
            verify_possession(body.key_document.encode()).public_key,
            starts_at=timestamps.parse(body.starts_at),
            overlap=timedelta(seconds=body.overlap_seconds),
            now=work.facts.now,
            of_others=[
                *(row for row in trust.records() if row.participant != context.sender),
                *work.reference.administrators_keys,
            ],
            suites=trust.suites_of(context.sender),
        )
        changes = work.participant_changes
        changes.new_keys.append(plan.new)
        for record in plan.old:
            if record.valid_until is not None:
                changes.ended_keys[record.key_id] = record.valid_until
        _tell_everyone(work, context.sender, plan.new.key_id, "added")
        return {"key_id": plan.new.key_id, "valid_from": timestamps.render(plan.new.valid_from)}

    try:
        return judged(context, work, effect)
    except key_errors.KeysError as error:
        return outcomes.refused_for(
            context.message_id, ResponseCode.KEY_CHANGE_REFUSED, error.detail
        )


def handle_key_revocation(context: MessageContext, work: BatchWork) -> Outcome:
    """Take a ``key.revoke``: the key speaks no more from this commit on."""
    body: Any = context.body
    record = work.reference.trust.get(body.key_id)
    if record is None or record.participant != context.sender:
        detail = f"{body.key_id} is not a key of {context.sender}"
        return outcomes.refused_for(context.message_id, ResponseCode.KEY_CHANGE_REFUSED, detail)

    def effect() -> dict[str, Any]:
        work.participant_changes.revoked_keys[body.key_id] = work.facts.now
        work.raise_alert("key-revoked", body.key_id, f"{context.sender}: {body.reason}")
        _tell_everyone(work, context.sender, body.key_id, "revoked")
        return {"key_id": body.key_id, "revoked_at": work.now_text}

    return judged(context, work, effect)


def _tell_everyone(work: BatchWork, participant: str, key_id: str, change: str) -> None:
    """File the notice of a changed key for every active participant."""
    body = {"participant": participant, "key_id": key_id, "change": change, "at": work.now_text}
    for code in work.reference.active_participants():
        work.notify(code, "key.changed", body)


def handle_note(context: MessageContext, work: BatchWork) -> Outcome:
    """Take an ``administrator.note``: free text for the partner's, or the hub's, administrator."""

    def effect() -> dict[str, Any]:
        if context.recipient == work.facts.hub:
            body: Any = context.body
            work.raise_alert("note", f"{context.sender}/{context.message_id}", body.subject)
        return {"state": "recorded"}

    return judged(context, work, effect)
