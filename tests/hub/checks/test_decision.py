"""The decision: stages in order, short-circuit, warnings, the cap, and no surprises."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from hub.checks.decision import CHECKS, FINDINGS_PER_MESSAGE_MAX, examine, is_accepted
from hub.checks.facts import Facts, MessageContext
from hub.checks.findings import FindingDraft, render
from hub.checks.rulebook import RULES, STOPS, RaisedBy
from hub.protocol.response_codes import ResponseCode, Stage
from message_schemas import json_codec, validation
from message_schemas.catalogue import MESSAGE_TYPES
from tests.hub.checks.strategies import cases
from tests.hub.checks.worlds import (
    AUTHORIZATION,
    TRANSFER,
    a64_block,
    acknowledgement,
    approach_record,
    authorization_record,
    block,
    cancel,
    cancellation,
    context,
    entity_record,
    first_transfer,
    held,
    issuance_notice,
    notification,
    onward,
    proposal,
    recognition,
    rejection,
    sent,
    use,
    world,
)

ORDER = {stage: index for index, stage in enumerate(Stage)}
MANY = 300


def stage_of(finding: FindingDraft) -> int:
    """Return the place of a finding's stage in the order."""
    return ORDER[finding.code.stage]


@pytest.mark.parametrize("type_", sorted(MESSAGE_TYPES))
def test_every_type_has_its_stages_in_order(type_: str) -> None:
    """No stage runs before an earlier one, or twice, and who may send is always asked first."""
    stages = [ORDER[stage] for stage, _ in CHECKS[type_]]
    assert stages == sorted(set(stages))
    assert CHECKS[type_][0][0] is Stage.PARTICIPANT


@settings(max_examples=400)
@given(case=cases())
def test_anything_is_examined_and_answered_alike(case: tuple[MessageContext, Facts]) -> None:
    """No message crashes the checks; the same case gives the same findings; all can be sent."""
    given_context, facts = case
    findings = examine(given_context, facts)
    assert examine(given_context, facts) == findings
    for finding in findings:
        rule = RULES[finding.code]
        assert rule.raised_by is RaisedBy.CHECKS
        assert rule.applies_to == ("*",) or given_context.type in rule.applies_to
        assert render(finding).rule == finding.code


@settings(max_examples=400)
@given(case=cases())
def test_stages_end_at_the_first_that_stops(case: tuple[MessageContext, Facts]) -> None:
    """Findings come in the order of the stages, and only the last stage reached has stops."""
    findings = examine(*case)
    stages = [stage_of(finding) for finding in findings]
    assert stages == sorted(stages)
    stopped = {stage_of(finding) for finding in findings if finding.code in STOPS}
    assert len(stopped) <= 1
    assert all(stage == max(stages) for stage in stopped)


def test_all_findings_of_a_stage_are_reported() -> None:
    """An operator with two wrong blocks and a wrong sum learns of all three at once."""
    body = proposal(block(1, 10, quantity=9), block(11, 20, sector="Trains"), quantity=5)
    assert set(sent(body).codes()) == {
        ResponseCode.QUANTITY_NOT_RANGE,
        ResponseCode.CODE_NOT_IN_LIST,
        ResponseCode.QUANTITY_NOT_SUM,
    }


def test_an_earlier_stage_hides_a_later_one() -> None:
    """A message that contradicts itself is not compared with the ledger."""
    broken = onward(quantity=1)
    assert sent(broken).codes() == [ResponseCode.QUANTITY_NOT_SUM]
    assert sent(onward()).codes() == [ResponseCode.BLOCK_UNKNOWN]


def test_a_warning_lets_the_message_through() -> None:
    """A warning is found, and the message is accepted all the same."""
    findings = sent(authorization_record(gwp_values=None)).findings()
    assert [finding.code for finding in findings] == [ResponseCode.GWP_NOT_STATED]
    assert is_accepted(findings)
    assert not is_accepted(sent(onward()).findings())


def test_findings_are_capped_and_the_rest_is_counted() -> None:
    """A thousand wrong blocks give a readable answer that hides nothing silently."""
    blocks = [block(2 * n + 1, 2 * n + 1, sector="Trains") for n in range(MANY)]
    findings = sent(proposal(*blocks)).findings()
    assert len(findings) == FINDINGS_PER_MESSAGE_MAX
    assert f"{MANY - FINDINGS_PER_MESSAGE_MAX} more findings" in findings[-1].detail


def test_a_cap_never_hides_the_stop_behind_warnings() -> None:
    """However many warnings come first, the refusal shows why it refuses."""
    authorization = replace(AUTHORIZATION, purposes="NDC and OIMP", vintage_first=2000)
    blocks = [block(n, n) for n in range(1, MANY)]
    late = replace(
        world(authorization=(authorization,)), now=TRANSFER.respond_by.replace(year=2030)
    )
    overdue = replace(late, now=late.now.replace(month=12, day=31))
    policy = replace(overdue.policy, quantity_per_transfer_max=1, oimp_deadline_warning_days=9999)
    findings = sent(proposal(*blocks), replace(overdue, policy=policy)).findings()
    assert len(findings) == FINDINGS_PER_MESSAGE_MAX
    assert findings[0].code is ResponseCode.QUANTITY_LIMIT_EXCEEDED


PLAIN = [
    (proposal(), world()),
    (notification(), world()),
    (onward(), world(held(1, 100))),
    (acknowledgement(), world(transfers={"THA01-1": TRANSFER})),
    (rejection(), world(transfers={"THA01-1": TRANSFER})),
    (
        recognition(),
        world(transfers={"THA01-1": replace(TRANSFER, mode="notify_and_record")}),
    ),
    (cancellation(), world(transfers={"THA01-1": TRANSFER})),
    (use(), world(held(1, 100))),
    (cancel(), world(held(1, 100))),
    (first_transfer(a64_block()), world()),
    (issuance_notice(), world()),
    (authorization_record(), world()),
    (approach_record(), world()),
    (entity_record(), world()),
]


@pytest.mark.parametrize(("body", "facts"), PLAIN, ids=lambda value: type(value).__name__)
def test_a_plain_message_passes_without_a_finding(body: object, facts: Facts) -> None:
    """The messages that the tables change one thing of are themselves spotless, on the wire too."""
    assert sent(body, facts).codes() == []
    type_ = sent(body, facts)
    named = context(body, type_.sender, type_.recipient)
    encoded = json_codec.encode_body(body)
    assert not validation.schema_errors(named.type, 1, encoded)
