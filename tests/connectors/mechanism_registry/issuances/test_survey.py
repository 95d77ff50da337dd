"""Lines judged together: ids, serials, issuances, shares, and what other feeds pushed."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from connectors.mechanism_registry.feeds.fields import read_row
from connectors.mechanism_registry.feeds.intervals import IntervalSet
from connectors.mechanism_registry.feeds.lines import FeedLine
from connectors.mechanism_registry.feeds.rows import (
    IssuanceLine,
    UnitBlockLine,
    content_sha256,
    reference_of,
)
from connectors.mechanism_registry.issuances.shares import IssuanceTally, ShareRules
from connectors.mechanism_registry.issuances.survey import Survey
from hub.protocol.response_codes import ResponseCode as Code
from tests.connectors.mechanism_registry.rows import (
    RULES,
    block,
    feed_lines,
    issuance,
    whole_issuance,
)


def new_survey(
    tally: IssuanceTally | None = None, pushed: Mapping[str, str] | None = None
) -> Survey:
    """Return a survey that knows what one other feed pushed."""

    def known(issuance_id: str) -> IssuanceTally | None:
        return tally if tally and tally.issuance.issuance_id == issuance_id else None

    def found(references: Sequence[str]) -> Mapping[str, str]:
        return {name: digest for name, digest in (pushed or {}).items() if name in references}

    return Survey(RULES, ShareRules(), known, found, lambda _: (IntervalSet(), IntervalSet()))


def codes(lines: list[dict[str, Any]], survey: Survey | None = None) -> list[list[Code]]:
    """Return the codes of each line's problems."""
    answers = (survey or new_survey()).judge(feed_lines(lines))
    return [[problem.code for problem in judged.problems] for judged in answers]


def test_a_good_feed_has_no_problem_and_adds_up() -> None:
    """The totals are those of the lines."""
    survey = new_survey()
    assert codes(whole_issuance(), survey) == [[], [], [], []]
    totals = survey.totals
    assert (totals.issuance_count, totals.block_count, totals.refused_count) == (1, 3, 0)
    assert totals.by_kind == {"sop_adaptation": 50, "omge": 20, "forwarding": 930}
    assert totals.by_vintage == {2022: 1000}
    assert totals.by_account["AF-HOLDING-1"] == 50
    (tally,) = survey.tallies()
    assert tally.shares_complete


def test_forwarding_before_its_shares_is_held_back_and_the_rest_goes_on() -> None:
    """The order of the lines is the order in which the hub gets them."""
    head, sop, omge, rest = whole_issuance()
    early = block(900, 1000, first_transfer_id="XMR01-9999")
    late = block(71, 899)
    assert codes([head, sop, early, omge, late]) == [
        [],
        [],
        [Code.ISSUANCE_SHARES_INCOMPLETE],
        [],
        [],
    ]
    assert rest["quantity"] == 930


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"issuance_id": "XMR01-2"}, Code.ISSUANCE_UNKNOWN),
        ({"host_party": "GHA"}, Code.IDENTIFIER_INCONSISTENT),
        ({"activity_id": "A64-THA-0002"}, Code.IDENTIFIER_INCONSISTENT),
        ({"cooperative_approach": "CA0002"}, Code.IDENTIFIER_INCONSISTENT),
        ({"vintage": 2023}, Code.IDENTIFIER_INCONSISTENT),
        ({"first_serial": 70, "quantity": 931}, Code.BLOCKS_OVERLAP_IN_MESSAGE),
        ({"first_transfer_id": "XMR01-51"}, Code.TRANSFER_EXISTS_WITH_DIFFERENT_FIELD),
    ],
)
def test_a_block_agrees_with_the_lines_before_it(change: dict[str, Any], code: Code) -> None:
    """Each disagreement has its own code, and the lines before stay good."""
    lines = whole_issuance()
    lines[3] |= change
    assert codes(lines) == [[], [], [], [code]]


def test_leading_zeros_make_another_id() -> None:
    """XMR01-51 and XMR01-051 are two ids, as they are for the hub."""
    lines = whole_issuance()
    lines[3]["first_transfer_id"] = "XMR01-051"
    assert codes(lines)[3] == []


def test_an_issuance_may_be_repeated_unchanged_only() -> None:
    """The second line must say what the first said."""
    assert codes([issuance(), issuance(), issuance(omge_quantity=21)]) == [
        [],
        [],
        [Code.RECORD_EXISTS_WITH_DIFFERENT_FIELD],
    ]


def test_a_refused_issuance_holds_its_blocks_back() -> None:
    """Shares below the minimum: nothing of that issuance leaves."""
    lines = whole_issuance()
    lines[0]["sop_quantity"] = 49
    assert codes(lines) == [[Code.ISSUANCE_SHARES_INCOMPLETE]] + [[Code.ISSUANCE_UNKNOWN]] * 3


def test_a_later_feed_goes_on_with_an_issuance() -> None:
    """Shares pushed by an earlier feed count; what is left of the issuance may be forwarded."""
    row = read_row(issuance(), RULES)
    assert isinstance(row, IssuanceLine)
    tally = IssuanceTally.of(row)
    tally.restore({"sop_adaptation": 50, "omge": 20, "forwarding": 900}, [])
    assert codes([block(971, 1000)], new_survey(tally)) == [[]]
    tally.forwarded = 901
    assert codes([block(971, 1000)], new_survey(tally)) == [[Code.SHARE_EXCEEDS_ISSUANCE]]


def test_a_block_that_another_feed_pushed_is_not_counted_twice() -> None:
    """A corrected feed repeats good lines: known again by id and content, refused if changed."""
    row = read_row(issuance(), RULES)
    pushed = read_row(block(71, 1000), RULES)
    assert isinstance(row, IssuanceLine)
    assert isinstance(pushed, UnitBlockLine)
    tally = IssuanceTally.of(row)
    tally.restore({"sop_adaptation": 50, "omge": 20, "forwarding": 930}, [])
    known = {reference_of(pushed): content_sha256(pushed)}
    again = block(71, 1000)
    assert codes([again], new_survey(tally, known)) == [[]]
    changed = again | {"acquiring_account": "CHE-HOLDING-2"}
    assert codes([changed], new_survey(tally, known)) == [
        [Code.TRANSFER_EXISTS_WITH_DIFFERENT_FIELD]
    ]


def test_an_unreadable_line_is_refused_as_such() -> None:
    """What the reader could not read has a rule too."""
    (judged,) = new_survey().judge([FeedLine(7, 90, None, "not acceptable CSV")])
    assert judged.number == 7
    assert [problem.text for problem in judged.problems] == ["not acceptable CSV"]
