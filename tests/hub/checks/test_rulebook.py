"""The rulebook: complete, worded for people, and true about who raises what."""

import ast
import re
from importlib.resources import files

import pytest

from hub.checks.findings import FindingDraft, render
from hub.checks.rulebook import CURRENT, RULES, STOPS, RaisedBy, Severity, document
from hub.international_registry.units import Range
from hub.protocol.response_codes import ResponseCode, Stage
from message_schemas.catalogue import MESSAGE_TYPES
from tests.hub.checks import (
    test_accounts,
    test_article6,
    test_article64,
    test_authorization,
    test_content,
    test_participants,
    test_policy,
    test_records,
    test_sequence,
    test_units,
)
from tests.hub.checks.worlds import SERIES, Row

FAMILIES = (
    test_participants,
    test_content,
    test_sequence,
    test_units,
    test_accounts,
    test_authorization,
    test_records,
    test_article6,
    test_article64,
    test_policy,
)
ROWS: list[Row] = [row for family in FAMILIES for row in family.ROWS]
UNTABLED = {ResponseCode.MESSAGE_TYPE_UNKNOWN, ResponseCode.MESSAGE_VERSION_NOT_SUPPORTED}
"""Raised by the decision itself, before there is a table; ``test_content`` tests them."""


def codes_in_source() -> set[ResponseCode]:
    """Return the response codes that the checks' source names."""
    codes = set()
    for entry in files("hub.checks").iterdir():
        if not entry.name.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(entry.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "ResponseCode":
                codes.add(ResponseCode[node.attr])
    return codes - {ResponseCode.OK}


@pytest.mark.parametrize("code", sorted(set(ResponseCode) - {ResponseCode.OK}), ids=str)
def test_every_code_has_a_rule_that_a_person_can_act_on(code: ResponseCode) -> None:
    """Name, number and stage agree with the code; text and remedy are sentences."""
    rule = RULES[code]
    assert (rule.name, rule.number, rule.stage) == (code.name, int(code), code.stage)
    assert rule.paragraphs
    assert all(rule.paragraphs)
    for sentence in (rule.text, rule.remedy):
        assert re.fullmatch(r"[A-Z].{20,}\.", sentence), sentence


def test_every_code_is_raised_where_the_rulebook_says() -> None:
    """The checks raise exactly the codes that are theirs; the rest is the door's or a service's."""
    by_checks = {code for code, rule in RULES.items() if rule.raised_by is RaisedBy.CHECKS}
    assert codes_in_source() == by_checks
    door = {code for code, rule in RULES.items() if rule.raised_by is RaisedBy.DOOR}
    assert {code.stage for code in door} == {Stage.ENVELOPE}


@pytest.mark.parametrize("by", [True, False], ids=["found", "passes"])
def test_every_code_of_the_checks_is_seen_found_and_seen_passing(*, by: bool) -> None:
    """A rule that never fires, or always does, is no rule."""
    by_checks = {code for code, rule in RULES.items() if rule.raised_by is RaisedBy.CHECKS}
    assert {row.code for row in ROWS if row.found is by} == by_checks - UNTABLED


@pytest.mark.parametrize("row", [row for row in ROWS if row.found], ids=str)
def test_the_rulebook_names_the_types_that_a_rule_applies_to(row: Row) -> None:
    """What a rule is found in is a type that the rulebook lists for it."""
    body_class = type(row.make().body)
    type_ = next(t.name for t in MESSAGE_TYPES.values() if t.body_class is body_class)
    listed = RULES[row.code].applies_to
    assert listed == ("*",) or type_ in listed


def test_the_rulebook_lists_only_types_that_exist() -> None:
    """A rule for a type that nobody can send would be dead text."""
    listed = {type_ for rule in RULES.values() for type_ in rule.applies_to}
    assert listed - {"*"} <= set(MESSAGE_TYPES)


def test_what_is_served_is_what_is_applied() -> None:
    """/v1/rulebook and the findings come from the same rows; a reader cannot change them."""
    served = document()
    assert served["rulebook"] == CURRENT
    assert [row["number"] for row in served["rules"]] == sorted(int(code) for code in RULES)
    served["rules"].clear()
    assert document()["rules"]


def test_only_two_rules_warn() -> None:
    """A new warning, or a stop that turned into one, is a decision somebody takes on purpose."""
    warnings = {code for code, rule in RULES.items() if rule.severity is Severity.WARNING}
    assert warnings == {ResponseCode.OIMP_DEADLINE_NEAR, ResponseCode.GWP_NOT_STATED}
    assert set(RULES) - warnings == STOPS


def test_a_rendered_finding_carries_rule_particulars_and_remedy() -> None:
    """On the wire stands all that an operator needs, without looking anything up."""
    draft = FindingDraft(
        ResponseCode.BLOCK_NOT_HELD,
        "THA01 does not hold them.",
        "/blocks/0",
        (Range(SERIES, 5, 9),),
        "not held by THA01",
    )
    finding = render(draft)
    rule = RULES[ResponseCode.BLOCK_NOT_HELD]
    assert (finding.rule, finding.name, finding.severity) == (5002, "BLOCK_NOT_HELD", "stop")
    assert finding.text == f"{rule.text} THA01 does not hold them."
    assert (finding.remedy, finding.path) == (rule.remedy, "/blocks/0")
    assert finding.paragraph == "; ".join(rule.paragraphs)
    (named,) = finding.blocks
    assert (named.first_id, named.last_id) == ("CA0001-THA01-THA-5-2022", "CA0001-THA01-THA-9-2022")
