"""The examples: enough of each kind, well named, and of one story."""

from collections import Counter
from typing import Any

import pytest

from message_schemas import code_lists, examples, schema_files
from message_schemas.catalogue import MESSAGE_TYPES
from message_schemas.schema_files import DOCUMENTS
from message_schemas.validation import schema_errors

TYPES = [name for name in schema_files.DOCUMENTS if name != "common"]
INVALID_COUNT_MIN = 3


def unit_blocks(example: examples.Example) -> list[dict[str, Any]]:
    """Return the blocks with their attributes; what `reconciliation.blocks` has are texts."""
    return [block for block in example.document.get("blocks", []) if "quantity" in block]


@pytest.mark.parametrize("type_", TYPES)
def test_every_type_has_a_full_a_minimal_and_three_invalid_examples(type_: str) -> None:
    """Whoever writes a client finds each message at its largest, smallest and wrong."""
    assert {"full", "minimal"} <= {e.name for e in examples.VALID if e.type == type_}
    counted = Counter(e.type for e in examples.INVALID)
    assert counted[type_] >= INVALID_COUNT_MIN


@pytest.mark.parametrize("type_", MESSAGE_TYPES)
def test_full_examples_show_every_field_and_minimal_ones_none_too_many(type_: str) -> None:
    """All fields over the examples of a type; in the minimal one only what is required."""
    schema = DOCUMENTS[type_]
    shown = {field for e in examples.VALID if e.type == type_ for field in e.document}
    # Metrics other than GHG have no place in a story about buses.
    assert set(schema["properties"]) - shown <= {"non_ghg_metric"}
    minimal = examples.valid(type_)
    for field in set(minimal) - set(schema["required"]):
        without = {key: value for key, value in minimal.items() if key != field}
        assert schema_errors(type_, 1, without) or field == "calendar_year"


@pytest.mark.parametrize(
    "example", examples.INVALID, ids=lambda example: f"{example.type}.{example.name}"
)
def test_every_invalid_example_says_what_is_wrong(example: examples.InvalidExample) -> None:
    """A sentence, who refuses it, and where."""
    assert example.about.endswith(".")
    assert example.refused_by in {"schema", "identifiers"}
    assert example.path == "" or example.path.startswith("/")
    assert bool(example.keyword) == (example.refused_by == "schema")


def test_codes_in_the_proposals_are_in_the_lists() -> None:
    """The examples would also pass the check of codes (3004)."""
    for example in examples.VALID:
        for block in unit_blocks(example):
            for field in ("metric", "mitigation_type", "sector", "activity_type"):
                if field in block:
                    assert code_lists.contains(code_lists.LIST_OF_FIELD[field], block[field])


def test_quantities_in_the_story_add_up() -> None:
    """The sum stands in the message, and each tonne has its serial number."""
    for example in examples.VALID:
        blocks = unit_blocks(example)
        if blocks:
            assert sum(block["quantity"] for block in blocks) == example.document["quantity"]


def test_an_example_that_is_not_there_is_named() -> None:
    """A misspelt name does not give another example."""
    with pytest.raises(LookupError, match="fullest"):
        examples.valid("transfer.proposal", "fullest")
