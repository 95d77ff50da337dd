"""What a run says at its end."""

import io
import json

from rich.console import Console

from connectors.mechanism_registry.feeds.fields import read_row
from connectors.mechanism_registry.feeds.lines import FeedLine
from connectors.mechanism_registry.feeds.problems import Problem
from connectors.mechanism_registry.feeds.rows import IssuanceLine
from connectors.mechanism_registry.issuances.shares import IssuanceTally
from connectors.mechanism_registry.reports.report import (
    ISSUANCES_SHOWN_MAX,
    Report,
    print_report,
    print_shares,
    refusal_line,
)
from connectors.mechanism_registry.store import refusals_of
from hub.protocol.response_codes import ResponseCode
from tests.connectors.mechanism_registry.rows import RULES, block, issuance


def tally(number: int) -> IssuanceTally:
    """Return the tally of an issuance of which nothing was taken yet."""
    row = read_row(issuance(issuance_id=f"XMR01-{number}"), RULES)
    assert isinstance(row, IssuanceLine)
    return IssuanceTally.of(row)


def test_a_refusal_is_one_json_line_with_block_rule_and_remedy() -> None:
    """The members stand as the operator's tools expect them; absent ones are left out."""
    row = read_row(block(), RULES)
    assert not isinstance(row, tuple)
    problem = Problem(ResponseCode.QUANTITY_NOT_RANGE, "quantity is 7", "quantity", "7")
    (refusal,) = refusals_of(FeedLine(4, 90, None, None), row, [problem], "XMR01")
    line = refusal_line(refusal)
    assert line.endswith("\n")
    assert json.loads(line) == {
        "line": 4,
        "source": "feed",
        "reference": "XMR01-1",
        "rule": 3010,
        "name": "QUANTITY_NOT_RANGE",
        "field": "quantity",
        "value": "7",
        "text": "quantity is 7",
        "remedy": "One A6.4ER is one tonne: quantity is last_serial - first_serial + 1.",
        "paragraph": "3/CMA.3 a.1(b); 7/CMA.4 I.28",
        "block": {
            "first_id": "CA0001-XMR01-THA-1-2022",
            "last_id": "CA0001-XMR01-THA-930-2022",
        },
    }


def test_incomplete_shares_come_first_and_the_list_is_short() -> None:
    """A thousand issuances make no wall of text; what lacks is on top."""
    tallies = [tally(number) for number in range(1, 1_001)]
    for done in tallies[:-1]:
        done.sop.done, done.omge.done = done.sop.due, done.omge.due
    file = io.StringIO()
    print_shares(Console(file=file, width=120), tallies)
    lines = file.getvalue().splitlines()
    assert "1000 issuances, 1 with incomplete shares" in lines[0]
    assert "XMR01-1000" in next(line for line in lines if "XMR01-" in line)
    assert f"{1_000 - ISSUANCES_SHOWN_MAX} more issuances" in lines[-1]


def test_the_table_has_every_figure() -> None:
    """Counts, rules and sums stand in the table; a dry run says what would be pushed."""
    report = Report(
        feed="a.csv",
        accepted=1_234,
        duplicates=5,
        refused_here=6,
        refused_by_hub=7,
        waiting=8,
        refused_by_rule={"3010 QUANTITY_NOT_RANGE": 6},
        quantity_by_kind={"omge": 20},
        quantity_by_account={"CHE-1": 30},
        quantity_by_vintage={"2022": 50},
    )
    file = io.StringIO()
    print_report(Console(file=file, width=120), report, dry_run=True)
    text = file.getvalue()
    for expected in ("1,234", "3010 QUANTITY_NOT_RANGE", "CHE-1", "2022", "would be pushed"):
        assert expected in text
    assert not report.complete
