"""The schema documents: complete, closed, readable, and one with the dataclasses."""

import json
from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import Any

import jsonschema
import pytest

from message_schemas import schema_files
from message_schemas.catalogue import MESSAGE_TYPES, NOTICE_TYPES
from message_schemas.envelopes import Delivery, Envelope, Receipt
from message_schemas.extensions import EXTENSION_DEPTH_MAX

CLASSES: dict[str, type] = {
    **{name: kind.body_class for name, kind in MESSAGE_TYPES.items()},
    **{name: kind.body_class for name, kind in NOTICE_TYPES.items()},
    "envelope": Envelope,
    "receipt": Receipt,
    "delivery": Delivery,
}
OPEN_OBJECTS = {"body", "result"}


def subschemas(schema: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every object inside a schema document with the key it stands under."""
    if isinstance(schema, dict):
        yield name, schema
        for key, part in schema.items():
            yield from subschemas(part, key)
    elif isinstance(schema, list):
        for part in schema:
            yield from subschemas(part, name)


def test_there_is_one_schema_for_every_type_and_payload() -> None:
    """No type without its schema, no schema without its type."""
    assert set(schema_files.DOCUMENTS) == {*CLASSES, "common"}
    assert set(schema_files.PAYLOADS) == set(CLASSES) - set(MESSAGE_TYPES) - set(NOTICE_TYPES)


@pytest.mark.parametrize("name", schema_files.DOCUMENTS)
def test_each_schema_is_one_of_its_draft_and_reads_as_documentation(name: str) -> None:
    """Valid against the meta-schema, with an address, a title and a description."""
    document = schema_files.DOCUMENTS[name]
    jsonschema.Draft202012Validator.check_schema(document)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["$id"].endswith(f"/v1/{name}.schema.json")
    assert document["title"]
    assert document["description"]
    assert json.loads(schema_files.TEXTS[name]) == document


@pytest.mark.parametrize("name", CLASSES)
def test_every_field_of_a_schema_is_described(name: str) -> None:
    """Each property says what it is, itself or by the definition it refers to."""
    common = schema_files.DOCUMENTS["common"]["$defs"]
    for _, schema in subschemas(schema_files.DOCUMENTS[name]):
        properties = schema.get("properties", {}) if "additionalProperties" in schema else {}
        for field, part in properties.items():
            pointer = part.get("$ref", "").partition("#")[2]
            meant = common[pointer.rpartition("/")[2]] if pointer else {}
            assert part.get("description") or meant.get("description"), field


@pytest.mark.parametrize("name", schema_files.DOCUMENTS)
def test_unknown_fields_are_refused_at_every_level(name: str) -> None:
    """Extensions and the bodies with schemas of their own are the only open objects."""
    for key, schema in subschemas(schema_files.DOCUMENTS[name]):
        if schema.get("type") != "object" or key in OPEN_OBJECTS:
            continue
        if key == "extensions":
            assert schema["additionalProperties"] == {"$ref": f"#/$defs/json_{EXTENSION_DEPTH_MAX}"}
        else:
            assert schema["additionalProperties"] is False, (name, key)


@pytest.mark.parametrize("name", schema_files.DOCUMENTS)
def test_everything_of_variable_length_has_a_limit(name: str) -> None:
    """Strings by pattern, list or length; lists and whole numbers by bounds."""
    for key, schema in subschemas(schema_files.DOCUMENTS[name]):
        match schema.get("type"):
            case "array":
                assert "maxItems" in schema, key
            case "integer":
                assert {"minimum", "maximum"} <= set(schema), key
            case "string":
                unbounded = "*" in schema.get("pattern", "*") or "+" in schema["pattern"]
                assert not unbounded or "maxLength" in schema, key


@pytest.mark.parametrize("name", CLASSES)
def test_schema_and_dataclass_have_the_same_fields(name: str) -> None:
    """Same names; required in the schema exactly when without a default in the class."""
    schema = schema_files.DOCUMENTS[name]
    ours = {field.name: field.default is MISSING for field in fields(CLASSES[name])}
    required = set(schema["required"])
    assert ours == {field: field in required for field in schema["properties"]}


def test_patterns_mean_the_same_in_every_language() -> None:
    r"""No \d or \w, which are Unicode in some languages, and both ends anchored."""
    for name, document in schema_files.DOCUMENTS.items():
        for key, schema in subschemas(document):
            pattern = schema.get("pattern")
            if not isinstance(pattern, str):
                continue
            assert "\\d" not in pattern, (name, key)
            assert "\\w" not in pattern, (name, key)
            assert pattern.startswith("^"), (name, key)
            assert pattern.endswith("$") or pattern == "^XMR01-", (name, key)
