"""2xxx: whether this sender may say this to this recipient, now.

1. The message goes to whom its type goes to: another registry, or the hub itself.
2. Both ends are active, and the sender is of a kind that may send the type.
3. No suspension stands in the way: of the hub, the type, the sender, the recipient or the pair.

A suspension stops what moves units forward. What gives reserved units back (withdrawing and
declining) stays possible towards a suspended recipient, so that nothing is locked in by it;
session messages, keys and queries stay possible for a suspended sender, so that it can catch up.
"""

from collections.abc import Iterator
from typing import Final

from hub.checks.case import Case
from hub.checks.facts import (
    Participant,
    ParticipantKind,
    ParticipantState,
    SuspensionLevel,
)
from hub.checks.findings import FindingDraft
from hub.protocol.response_codes import ResponseCode
from message_schemas.catalogue import MESSAGE_TYPES

SESSION_TYPES: Final = frozenset(
    {
        "delivery.acknowledgement",
        "delivery.resend",
        "key.revoke",
        "key.rotate",
        "mailbox.fetch",
        "participant.hello",
    }
)
"""Taken also from a participant that is not active yet or is suspended."""

READ_ONLY_TYPES: Final = frozenset(name for name, type_ in MESSAGE_TYPES.items() if type_.read_only)
ANSWER_TYPES: Final = frozenset({"history.answer", "holdings.answer"})
ALWAYS_TAKEN: Final = SESSION_TYPES | READ_ONLY_TYPES | ANSWER_TYPES
"""Not stopped by a suspension: these move nothing."""

TO_ITSELF: Final = frozenset({"transfer.proposal", "transfer.notification"})
"""What the international registry sends to itself, between two of its own accounts."""


def check_sender_active(case: Case[object]) -> Iterator[FindingDraft]:
    """Check 2003, 2006: the sender's connection is active, or the message is a session's."""
    state = case.sender.state if case.sender else ParticipantState.CLOSED
    if state == ParticipantState.ACTIVE:
        return
    if state == ParticipantState.SUSPENDED:
        if case.context.type not in ALWAYS_TAKEN:
            detail = f"{case.context.sender} is suspended."
            yield FindingDraft(ResponseCode.SENDER_SUSPENDED, detail)
    elif state == ParticipantState.CLOSED or case.context.type not in SESSION_TYPES:
        found = state if case.sender else "not a participant of this hub"
        yield FindingDraft(ResponseCode.SENDER_NOT_ACTIVE, f"{case.context.sender} is {found}.")


def check_sender_role(case: Case[object]) -> Iterator[FindingDraft]:
    """Check 2005: a participant of the sender's kind may send this type."""
    senders = MESSAGE_TYPES[case.context.type].senders
    if case.sender and case.sender.kind not in senders:
        allowed = ", ".join(sorted(senders))
        yield FindingDraft(
            ResponseCode.SENDER_ROLE_NOT_ALLOWED,
            f"{case.context.sender} is a {case.sender.kind}; {case.context.type} comes from"
            f" {allowed}.",
        )


FOR_EITHER: Final = frozenset({"administrator.note"})
"""Types for another participant that the hub's own administrators take too."""


def check_recipient(case: Case[object]) -> Iterator[FindingDraft]:
    """Check 2001, 2002, 2011: the message goes to a participant that takes this type."""
    facts = case.facts
    context = case.context
    if MESSAGE_TYPES[context.type].recipient == "hub":
        yield from _for_hub(case)
    elif context.recipient == facts.hub:
        if context.type in FOR_EITHER:
            return
        detail = f"{context.type} goes to the other registry, not to {facts.hub}."
        yield FindingDraft(ResponseCode.RECIPIENT_NOT_FOR_TYPE, detail)
    elif case.recipient is None:
        yield FindingDraft(ResponseCode.RECIPIENT_UNKNOWN, f"There is no {context.recipient}.")
    elif context.recipient == context.sender and not _moves_inside(case.recipient, context.type):
        detail = f"{context.sender} is both sender and recipient."
        yield FindingDraft(ResponseCode.SENDER_IS_RECIPIENT, detail)


def _for_hub(case: Case[object]) -> Iterator[FindingDraft]:
    """Check what goes to the hub, and what the mechanism registry may be asked as well."""
    facts, context = case.facts, case.context
    if context.recipient == facts.hub:
        return
    takers = facts.hub
    if MESSAGE_TYPES[context.type].mechanism_answers:
        takers = f"{facts.hub} or {facts.mechanism_registry}"
        if context.recipient == facts.mechanism_registry:
            if case.recipient is None:
                detail = f"There is no {context.recipient}."
                yield FindingDraft(ResponseCode.RECIPIENT_UNKNOWN, detail)
            elif context.recipient == context.sender:
                detail = f"{context.sender} is both sender and recipient."
                yield FindingDraft(ResponseCode.SENDER_IS_RECIPIENT, detail)
            return
    detail = f"{context.type} goes to {takers}, not to {context.recipient}."
    yield FindingDraft(ResponseCode.RECIPIENT_NOT_FOR_TYPE, detail)


def _moves_inside(participant: Participant, type_: str) -> bool:
    return participant.kind == ParticipantKind.INTERNATIONAL_REGISTRY and type_ in TO_ITSELF


def check_recipient_active(case: Case[object]) -> Iterator[FindingDraft]:
    """Check 2004, 2007: the recipient's connection is active, or the message gives units back."""
    recipient = case.recipient
    if recipient is None or recipient.kind == ParticipantKind.HUB or case.releases_units:
        return
    if recipient.state == ParticipantState.SUSPENDED:
        if case.context.type not in ANSWER_TYPES:  # who is suspended may still look
            yield FindingDraft(ResponseCode.RECIPIENT_SUSPENDED, f"{recipient.code} is suspended.")
    elif recipient.state != ParticipantState.ACTIVE:
        detail = f"{recipient.code} is {recipient.state}."
        yield FindingDraft(ResponseCode.RECIPIENT_NOT_ACTIVE, detail)


def check_suspensions(case: Case[object]) -> Iterator[FindingDraft]:
    """Check 2006 to 2010: no suspension of the hub, the type, an end or the pair applies."""
    facts = case.facts
    if not facts.suspensions or case.context.type in ALWAYS_TAKEN:
        return
    sender, recipient = case.context.sender, case.context.recipient
    subjects = [
        (ResponseCode.HUB_SUSPENDED, SuspensionLevel.HUB, "*"),
        (ResponseCode.MESSAGE_TYPE_SUSPENDED, SuspensionLevel.MESSAGE_TYPE, case.context.type),
        (ResponseCode.SENDER_SUSPENDED, SuspensionLevel.PARTICIPANT, sender),
    ]
    if not case.releases_units:
        pair = "/".join(sorted((sender, recipient)))
        subjects += [
            (ResponseCode.RECIPIENT_SUSPENDED, SuspensionLevel.PARTICIPANT, recipient),
            (ResponseCode.PAIR_SUSPENDED, SuspensionLevel.PAIR, pair),
        ]
    for code, level, subject in subjects:
        if (reason := facts.suspensions.get((level, subject))) is not None:
            yield FindingDraft(code, f"Suspended: {subject}. Reason: {reason}")


PARTICIPANT_CHECKS: Final = (
    check_sender_active,
    check_sender_role,
    check_recipient,
    check_recipient_active,
    check_suspensions,
)
