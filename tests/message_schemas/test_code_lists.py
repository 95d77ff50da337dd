"""Code lists: dated data with a source, and what the fields of messages refer to."""

import json
from datetime import date

import pytest

from message_schemas import code_lists
from message_schemas.schema_files import DOCUMENTS

LISTS = code_lists.SNAPSHOTS[code_lists.CURRENT]


@pytest.mark.parametrize("name", LISTS)
def test_every_list_has_distinct_values_a_source_and_a_confidence(name: str) -> None:
    """Nobody has to guess where a code comes from or how sure it is."""
    found = code_lists.find(name)
    assert len(set(found.values)) == len(found.values) > 0
    assert all([found.title, found.table, found.source, found.confidence])
    assert set(found.titles) <= set(found.values)
    assert f"{code_lists.CURRENT}/{name}.json" in code_lists.TEXTS


@pytest.mark.parametrize("path", code_lists.TEXTS)
def test_every_file_is_named_after_its_list_and_day(path: str) -> None:
    """``<date>/<name>.json``, the date one of the calendar."""
    day, _, file_name = path.partition("/")
    assert date.fromisoformat(day).isoformat() == day
    assert json.loads(code_lists.TEXTS[path])["name"] + ".json" == file_name


@pytest.mark.parametrize(
    ("name", "value", "there"),
    [
        ("metric", "GHG", True),
        ("metric", "ghg", False),
        ("purpose", "NDC and OIMP", True),
        ("purpose", "OIMP and NDC", False),
        ("sector", "Transportation", True),
        ("activity_type", "C02 usage", True),
        ("party", "EUE", True),
        ("party", "XIR", False),
        ("account_type", 200, True),
        ("account_type", 999, False),
    ],
)
def test_membership_is_exact(name: str, value: code_lists.Code, there: bool) -> None:
    """Letter for letter, as published; no spelling is mended."""
    assert code_lists.contains(name, value) is there


def test_lists_whose_meaning_is_unknown_say_so() -> None:
    """Account and unit types: numbers without published labels (only 200 is known)."""
    assert {name for name, found in LISTS.items() if not found.complete} == {
        "account_type",
        "unit_type",
    }
    assert code_lists.find("account_type").titles == {200: "Use towards NDC"}
    assert code_lists.find("unit_type").titles == {}


def test_a_list_is_asked_for_at_a_date() -> None:
    """From its day on a snapshot answers; before the first nothing does."""
    assert code_lists.contains("metric", "GHG", at="2026-02-17")
    assert code_lists.contains("metric", "GHG", at="2099-01-01")
    assert code_lists.values("metric", at="2026-02-17") == ("GHG", "non-GHG")
    for ask in (code_lists.contains, code_lists.find):
        with pytest.raises(code_lists.UnknownCodeListError, match="2026-02-16"):
            ask("metric", "GHG", "2026-02-16") if ask is code_lists.contains else ask(
                "metric", "2026-02-16"
            )


def test_a_list_that_is_not_there_is_named() -> None:
    """A misspelt list is our defect and must not look like an unknown code."""
    with pytest.raises(code_lists.UnknownCodeListError, match="sectorz"):
        code_lists.contains("sectorz", "Transportation")
    with pytest.raises(code_lists.UnknownCodeListError, match="sectorz"):
        code_lists.values("sectorz")


def test_every_field_with_a_list_exists_in_a_schema() -> None:
    """The table of fields names real fields and real lists."""
    fields = {
        field
        for document in DOCUMENTS.values()
        for part in (document, *document.get("$defs", {}).values())
        for field in part.get("properties", {})
    }
    assert set(code_lists.LIST_OF_FIELD) <= fields
    assert set(code_lists.LIST_OF_FIELD.values()) <= set(LISTS)
