"""8xxx: limits that the hub's operator may set; each is off until it is.

They answer the thefts of the years before 2011, when stolen units crossed several registries within
hours: a bound on one transfer, on a day, and a delay before newly received units move on.
"""

from collections.abc import Iterator
from datetime import timedelta
from itertools import chain
from typing import Final

from hub.checks.case import Case, Movement, Proposal
from hub.checks.findings import FindingDraft, show
from hub.protocol.response_codes import ResponseCode
from message_schemas import timestamps


def check_quantity_limit(case: Case[Movement]) -> Iterator[FindingDraft]:
    """Check 8001: one transfer moves no more than the limit."""
    facts = case.facts
    limit = facts.policy.quantity_per_transfer_max
    if limit is not None and case.body.quantity > limit:
        detail = f"{case.body.quantity} units; the limit is {limit}."
        yield FindingDraft(ResponseCode.QUANTITY_LIMIT_EXCEEDED, detail, "/quantity")


def check_velocity_limit(case: Case[Movement]) -> Iterator[FindingDraft]:
    """Check 8002: within 24 hours a registry sends out no more than the limit."""
    facts = case.facts
    limit = facts.policy.quantity_per_day_max
    if limit is None:
        return
    sent = facts.quantity_today.get(case.context.sender, 0)
    if sent + case.body.quantity > limit:
        detail = f"{sent} units in the last 24 hours and {case.body.quantity} now; limit {limit}."
        yield FindingDraft(ResponseCode.VELOCITY_LIMIT_EXCEEDED, detail, "/quantity")


def check_onward_delay(case: Case[Proposal]) -> Iterator[FindingDraft]:
    """Check 8003: units that arrived a short while ago stay until the delay is over."""
    facts = case.facts
    seconds = facts.policy.onward_delay_seconds
    if seconds is None:
        return
    for lot in case.lots:
        for arrival in chain(facts.arrivals, facts.arrivals_new):
            free_at = arrival.at + timedelta(seconds=seconds)
            part = arrival.range.intersect(lot.range)
            if part and arrival.registry == case.context.sender and facts.now < free_at:
                detail = f"{show(part)} may move from {timestamps.render(free_at)} on."
                code = ResponseCode.ONWARD_TRANSFER_DELAY
                yield FindingDraft(code, detail, lot.path, (part,))


MOVEMENT_POLICY_CHECKS: Final = (check_quantity_limit, check_velocity_limit)
PROPOSAL_POLICY_CHECKS: Final = (*MOVEMENT_POLICY_CHECKS, check_onward_delay)
