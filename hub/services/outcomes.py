"""Words for a handler's answer: accepted, refused, or the duplicate of an earlier message."""

from collections.abc import Iterable
from typing import Any, Final

from hub.checks.findings import FindingDraft, render
from hub.checks.rulebook import STOPS
from hub.protocol.envelopes import Fault
from hub.protocol.response_codes import ResponseCode
from message_schemas.envelopes import Outcome

ACCEPTED: Final = "accepted"
REFUSED: Final = "refused"
DUPLICATE: Final = "duplicate-of"


def accepted(
    message_id: str, result: dict[str, Any], warnings: Iterable[FindingDraft] = ()
) -> Outcome:
    """Return the outcome of a message that took effect, with its warnings."""
    return Outcome(
        message_id=message_id,
        outcome=ACCEPTED,
        code=int(ResponseCode.OK),
        name=ResponseCode.OK.name,
        findings=tuple(render(draft) for draft in warnings),
        result=result,
    )


def duplicate(message_id: str, result: dict[str, Any]) -> Outcome:
    """Return the outcome of a message that says again what was accepted before."""
    return Outcome(
        message_id=message_id,
        outcome=DUPLICATE,
        code=int(ResponseCode.OK),
        name=ResponseCode.OK.name,
        findings=(),
        result=result,
    )


def refused(message_id: str, drafts: Iterable[FindingDraft]) -> Outcome:
    """Return the outcome of a refused message: the first finding that stops gives the code."""
    found = tuple(drafts)
    first = next(draft for draft in found if stops(draft))
    return Outcome(
        message_id=message_id,
        outcome=REFUSED,
        code=int(first.code),
        name=first.code.name,
        findings=tuple(render(draft) for draft in found),
        result=None,
    )


def refused_for(message_id: str, code: ResponseCode, detail: str) -> Outcome:
    """Return the outcome of a message refused for one reason found by a service."""
    return refused(message_id, [FindingDraft(code, detail)])


def refused_for_faults(message_id: str, faults: Iterable[Fault]) -> Outcome:
    """Return the outcome of a message whose body could not be typed."""
    return refused(
        message_id, [FindingDraft(fault.code, fault.detail, fault.path) for fault in faults]
    )


def stops(draft: FindingDraft) -> bool:
    """Tell whether a finding refuses its message."""
    return draft.code in STOPS
