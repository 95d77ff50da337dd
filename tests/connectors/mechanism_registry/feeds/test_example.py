"""The example feed: repeatable, good in every line, and what the schemas take."""

import io
from contextlib import closing
from pathlib import Path

import pytest

from connectors.mechanism_registry.feeds.example import (
    ExampleWorld,
    change_world,
    example_rows,
    write_feed,
)
from connectors.mechanism_registry.feeds.fields import read_row
from connectors.mechanism_registry.feeds.files import Feed
from connectors.mechanism_registry.feeds.intervals import IntervalSet
from connectors.mechanism_registry.feeds.lines import FeedFormat
from connectors.mechanism_registry.feeds.rows import UnitBlockLine
from connectors.mechanism_registry.issuances.messages import body_problems
from connectors.mechanism_registry.issuances.shares import ShareRules
from connectors.mechanism_registry.issuances.survey import Survey
from tests.connectors.mechanism_registry.rows import RULES


@pytest.mark.parametrize("format_", FeedFormat)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_line_of_an_example_is_good(tmp_path: Path, format_: FeedFormat, seed: int) -> None:
    """Written and read back in each format, the rows are the same and the survey likes them."""
    path = tmp_path / f"feed.{format_}"
    rows = list(example_rows(300, seed))
    with path.open("w", encoding="utf-8") as file:
        assert write_feed(iter(rows), format_, file) == len(rows)
    survey = Survey(
        RULES,
        ShareRules(),
        lambda _: None,
        lambda _: {},
        lambda _: (IntervalSet(), IntervalSet()),
    )
    with closing(Feed(path, format_).open()) as reader:
        lines = list(reader)
    assert [judged.row for judged in survey.judge(lines)] == rows
    assert survey.totals.refused_by_rule == {}
    assert sum(isinstance(row, UnitBlockLine) for row in rows) == 300


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Another seed gives another feed."""

    def text(seed: int) -> str:
        file = io.StringIO()
        write_feed(example_rows(50, seed), FeedFormat.CSV, file)
        return file.getvalue()

    assert text(7) == text(7) != text(8)


def test_the_world_can_be_changed_by_name() -> None:
    """Every field may be set as name=value, and only those."""
    world = change_world(ExampleWorld(), ["host_party=GHA", "accounts=A,B", "vintages=2025"])
    assert (world.host_party, world.accounts, world.vintages) == ("GHA", ("A", "B"), (2025,))
    for wrong in ("colour=blue", "host_party", "first_serial=one"):
        with pytest.raises(ValueError, match=r"colour|host_party|one"):
            change_world(ExampleWorld(), [wrong])


def test_a_message_that_the_schema_refuses_is_a_problem_of_its_line() -> None:
    """Whatever the field rules let through, the message schema has the last word."""
    row = next(row for row in example_rows(1, 1) if isinstance(row, UnitBlockLine))
    assert body_problems(row, "XMR01") == ()
    assert body_problems(row, "not a registry") != ()
    assert read_row({}, RULES) != ()
