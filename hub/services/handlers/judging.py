"""The steps every recording handler shares: recognise a repetition, then ask the checks."""

from collections.abc import Callable
from typing import Any

from hub.checks.decision import examine
from hub.checks.facts import MessageContext
from hub.checks.findings import FindingDraft
from hub.services import outcomes
from hub.services.batch_work import BatchWork
from message_schemas.envelopes import Outcome

Effect = Callable[[], dict[str, Any]]


def judged(context: MessageContext, work: BatchWork, effect: Effect) -> Outcome:
    """Refuse the message if a check stops it; else apply ``effect`` and answer with its result."""
    drafts = examine(context, work.facts)
    if any(outcomes.stops(draft) for draft in drafts):
        return outcomes.refused(context.message_id, drafts)
    return accepted_with(context, effect(), drafts)


def accepted_with(
    context: MessageContext, result: dict[str, Any], drafts: tuple[FindingDraft, ...]
) -> Outcome:
    """Return acceptance with the warnings that came along."""
    return outcomes.accepted(context.message_id, result, drafts)
