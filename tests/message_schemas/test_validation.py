"""Validation: the fast validator judges as the reference validator does, always."""

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from message_schemas import examples, schema_files
from message_schemas.json_codec import UnknownTypeError
from message_schemas.validation import (
    ERROR_COUNT_MAX,
    ERROR_TEXT_CHARACTERS_MAX,
    reference_errors,
    schema_errors,
)
from tests.message_schemas import strategies

TYPES = [name for name in schema_files.DOCUMENTS if name != "common"]
REPLACEMENTS = [
    None,
    True,
    0,
    1,
    -1,
    501,
    1989,
    2101,
    2**63 - 2,
    2**63 - 1,
    "",
    " ",
    "CHE",
    "CHE01",
    "CHE01\n",
    "CHE٠١",
    "a\tb\nc",
    "a\x7fb",
    "a\x85b",
    "\u2028",
    "x" * 201,
    "x" * 2001,
    "2026-02-30",
    "2026-02-28",
    "2026-02-30T00:00:00.000Z",
    "2024-02-29T00:00:00.000Z",
    "2026-12-31T23:59:60.000Z",
    "CA0001-THA01-THA-1-2022",
    "CA0001-THA01-THA-1-2022\n",
    "accept",
    "reject",
    [],
    [1],
    ["CHE", "CHE"],
    {},
    {"a.b/c": [[[1]]]},
    {"a.b/c": [[[[[1]]]]]},
]
# A copy each, or one mutation would change the next one's material.
replacements = st.sampled_from(REPLACEMENTS).map(copy.deepcopy)
thorough = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=30)


def places_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every part of a JSON value but the value itself."""
    parts: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    return [
        place for key, part in parts for place in ((*path, key), *places_of(part, (*path, key)))
    ]


@st.composite
def mutated(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """Draw a copy with one to three parts replaced, removed or added."""
    changed = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        places = places_of(changed)
        if not places:
            break
        *path, last = draw(st.sampled_from(places))
        holder: Any = changed
        for step in path:
            holder = holder[step]
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "replace":
                holder[last] = draw(replacements)
            case "remove":
                del holder[last]
            case "add" if isinstance(holder, dict):
                name = draw(st.sampled_from(["colour", "first_serial", "vintage", "extensions"]))
                holder[name] = draw(replacements)
            case _:
                holder.append(draw(replacements))
    return changed


@pytest.mark.parametrize(
    "example", examples.VALID, ids=lambda example: f"{example.type}.{example.name}"
)
def test_both_validators_accept_every_valid_example(example: examples.Example) -> None:
    """What we publish as valid is valid."""
    assert schema_errors(example.type, example.version, example.document) == ()
    assert reference_errors(example.type, example.version, example.document) == ()


@pytest.mark.parametrize(
    "example", examples.INVALID, ids=lambda example: f"{example.type}.{example.name}"
)
def test_both_validators_refuse_every_invalid_example(example: examples.InvalidExample) -> None:
    """At the place the example names, for the keyword it names."""
    fast = schema_errors(example.type, example.version, example.document)
    reference = reference_errors(example.type, example.version, example.document)
    if example.refused_by == "identifiers":
        assert fast == reference == ()
        return
    assert example.path in {error.path for error in fast}
    assert (example.path, example.keyword) in {(e.path, e.keyword) for e in reference}


@pytest.mark.parametrize("type_", TYPES)
@thorough
@given(data=st.data())
def test_both_validators_agree_on_changed_examples(type_: str, data: st.DataObject) -> None:
    """Nothing near an example is judged in two ways."""
    example = data.draw(st.sampled_from([e for e in examples.VALID if e.type == type_]))
    document = data.draw(mutated(example.document))
    fast, reference = schema_errors(type_, 1, document), reference_errors(type_, 1, document)
    assert bool(fast) == bool(reference), (document, fast, reference)


@pytest.mark.parametrize("type_", TYPES)
@settings(parent=thorough, max_examples=10)
@given(data=st.data())
def test_drawn_documents_satisfy_both_validators(type_: str, data: st.DataObject) -> None:
    """The strategies that other tests build on draw valid documents only."""
    document = data.draw(strategies.documents(type_))
    assert schema_errors(type_, 1, document) == ()
    assert reference_errors(type_, 1, document) == ()


def test_paths_are_json_pointers() -> None:
    """A tilde and a slash in a key are escaped (RFC 6901)."""
    body = {"transfer_id": "THA01-1", "extensions": {"a.b/c_~d": 1}}
    assert {error.path for error in schema_errors("transfer.status", 1, body)} == {"/extensions"}
    body = {"transfer_id": "THA01-1", "extensions": {"a.b/c": {"~/": [[[[1]]]]}}}
    paths = {error.path for error in schema_errors("transfer.status", 1, body)}
    assert paths == {"/extensions/a.b~1c/~0~1/0/0/0"}


def test_what_is_reported_stays_small() -> None:
    """A sender cannot have a megabyte quoted back, nor ten thousand places."""
    document = examples.valid("transfer.proposal")
    document = {**document, "reference": "x" * 1_000_000, "blocks": document["blocks"] * 1001}
    document["blocks"] = [{**block, "colour": "green"} for block in document["blocks"]]
    for validate in (schema_errors, reference_errors):
        errors = validate("transfer.proposal", 1, document)
        assert len(errors) == ERROR_COUNT_MAX
        assert max(len(error.text) for error in errors) <= ERROR_TEXT_CHARACTERS_MAX + 3


@pytest.mark.parametrize("validate", [schema_errors, reference_errors])
@pytest.mark.parametrize(
    ("type_", "version"), [("common", 1), ("transfer.gift", 1), ("envelope", 2)]
)
def test_a_schema_that_is_not_there_is_named(validate: Any, type_: str, version: int) -> None:
    """Unknown type or version: a lookup error, never silence."""
    with pytest.raises(UnknownTypeError, match=type_):
        validate(type_, version, {})


@pytest.mark.parametrize("validate", [schema_errors, reference_errors])
def test_what_is_quoted_can_stand_in_a_receipt(validate: Any) -> None:
    """A sender's control characters and endless keys do not break the hub's own receipt."""
    hostile = "\x00\x85\ufffe\n" + "x" * 500
    body = {"transfer_id": hostile, hostile: 1, "extensions": {"a.b/c": {hostile: [[[[1]]]]}}}
    errors = validate("transfer.status", 1, body)
    assert len(errors) == 3
    receipt = examples.valid("receipt", "full")
    finding = receipt["outcomes"][0]["findings"][0]
    for error in errors:
        quoted = {**finding, "text": error.text, "path": error.path}
        outcome = {**receipt["outcomes"][0], "findings": [quoted]}
        assert not schema_errors("receipt", 1, {**receipt, "outcomes": [outcome]})
