"""What registries say to be compared: answers to the hub's questions, and explanations of cases.

1. An answer is taken once, if it names an open question to its sender. The same once more is a
   duplicate; another one is refused, for what was said is compared already.
2. Whether it *is* an answer to the question is judged by the session, which the leading hub goes on
   with (``services.reconciliation``): nothing is compared on the way of an envelope.
"""

from functools import partial
from typing import Any

from hub.checks.facts import MessageContext
from hub.protocol.response_codes import ResponseCode
from hub.services import outcomes
from hub.services.batch_work import BatchWork
from hub.services.handlers.judging import judged
from hub.services.reconciliation.cases.case_acts import keep_explanation
from hub.store.reconciliation.sessions import ASKING, AnswerRow
from message_schemas import json_codec
from message_schemas.envelopes import Outcome


def handle_answer(context: MessageContext, work: BatchWork) -> Outcome:
    """Take an answer to a question of the hub's (``reconciliation.cut_ack`` and the like)."""
    body: Any = context.body
    key = (body.session, body.number)
    result = {"session": body.session, "number": body.number}
    text = json_codec.encode(body).decode()
    asked = work.asked.get(key)
    if asked is None or asked.registry != context.sender:
        detail = f"{context.sender} was asked no question {body.number} of {body.session}."
        return _unknown(context, detail)
    given = work.answers.get(key)
    before = asked.answered_by if given is None else (given.type, given.body)
    if before == (context.type, text):
        return outcomes.duplicate(context.message_id, result)
    if before is not None:
        detail = f"Question {body.number} of {body.session} has its answer, {before[0]}."
        code = ResponseCode.RECONCILIATION_ANSWER_DIFFERS
        return outcomes.refused_for(context.message_id, code, detail)
    if asked.state != ASKING:
        return _unknown(context, f"{body.session} has ended: it is {asked.state}.")

    def effect() -> dict[str, Any]:
        work.answers[key] = AnswerRow(
            *key, work.log_index, context.type, text, received_at=work.facts.now
        )
        return result

    return judged(context, work, effect)


def handle_explanation(context: MessageContext, work: BatchWork) -> Outcome:
    """Take a ``reconciliation.explanation``: it is kept with the sender's own case."""
    body: Any = context.body
    if work.registry_of_case.get(body.case_id) != context.sender:
        detail = f"{context.sender} has no case {body.case_id}."
        code = ResponseCode.RECONCILIATION_CASE_UNKNOWN
        return outcomes.refused_for(context.message_id, code, detail)

    def effect() -> dict[str, Any]:
        work.explanations.append(
            partial(
                keep_explanation,
                case_id=body.case_id,
                registry=context.sender,
                text=body.text,
                corrected=body.corrected,
                log_index=work.log_index,
                at=work.facts.now,
            )
        )
        return {"case_id": body.case_id}

    return judged(context, work, effect)


def _unknown(context: MessageContext, detail: str) -> Outcome:
    code = ResponseCode.RECONCILIATION_QUESTION_UNKNOWN
    return outcomes.refused_for(context.message_id, code, detail)
