"""The steps every recording handler shares: recognise a repetition, then ask the checks."""

from collections.abc import Callable
from typing import Any

from hub.checks.decision import examine
from hub.checks.facts import MessageContext
from hub.checks.findings import FindingDraft
from hub.protocol.response_codes import ResponseCode
from hub.services import outcomes
from hub.services.batch_work import BatchWork
from message_schemas.envelopes import Outcome

_EXPLAINED = frozenset({ResponseCode.BLOCK_NOT_HELD, ResponseCode.BLOCK_HELD_ELSEWHERE})

Effect = Callable[[], dict[str, Any]]


def judged(context: MessageContext, work: BatchWork, effect: Effect) -> Outcome:
    """Refuse the message if a check stops it; else apply ``effect`` and answer with its result."""
    drafts = examine(context, work.facts)
    if any(outcomes.stops(draft) for draft in drafts):
        drafts = _explained(context, work, drafts)
        return outcomes.refused(context.message_id, drafts)
    return accepted_with(context, effect(), drafts)


def _explained(
    context: MessageContext, work: BatchWork, drafts: tuple[FindingDraft, ...]
) -> tuple[FindingDraft, ...]:
    """Return the findings again, with what took away the units that the sender does not hold."""
    foreign = [
        block
        for draft in drafts
        if draft.code in _EXPLAINED
        for range_ in draft.ranges
        for block in work.facts.window.overlapping(range_.series, range_.first, range_.last)
        if block.registry != context.sender and block.block_id not in work.facts.brought_by
    ]
    if not foreign:
        return drafts
    work.facts.brought_by.update(work.explain(foreign))
    return examine(context, work.facts)


def accepted_with(
    context: MessageContext, result: dict[str, Any], drafts: tuple[FindingDraft, ...]
) -> Outcome:
    """Return acceptance with the warnings that came along."""
    return outcomes.accepted(context.message_id, result, drafts)
