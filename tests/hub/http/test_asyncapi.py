"""The description is AsyncAPI 3.0: every reference leads somewhere, every example fits."""

import json
import re
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from hub.http import asyncapi
from hub.protocol.limits import Limits
from message_schemas import examples
from message_schemas.catalogue import MESSAGE_TYPES, NOTICE_TYPES
from message_schemas.schema_files import DOCUMENTS
from tests.integration.hub_process import HubUnderTest

DOCUMENT = asyncapi.document(Limits())
NAME = re.compile(r"[A-Za-z0-9_.-]+")  # what AsyncAPI allows as a key of components


def references(value: Any) -> Iterator[str]:
    """Yield every reference of a part of the document."""
    if isinstance(value, list):
        for one in value:
            yield from references(one)
    elif isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for one in value.values():
            yield from references(one)


def at(reference: str) -> Any:
    """Return what a reference leads to; raises KeyError if it leads nowhere."""
    assert reference.startswith("#/"), f"{reference} leads out of the document"
    found: Any = DOCUMENT
    for step in reference[2:].split("/"):
        found = found[step]
    return found


def validator_of(schema: str) -> Draft202012Validator:
    """Return what validates against one schema, found through the document's own references."""
    resource = DRAFT202012.create_resource(DOCUMENT)
    registry: Registry[Any] = Registry().with_resource("urn:asyncapi", resource)
    where = f"urn:asyncapi#/components/schemas/{schema}/schema"
    return Draft202012Validator({"$ref": where}, registry=registry)


def test_every_reference_leads_somewhere_in_the_document() -> None:
    """And one that does not would be noticed."""
    found = set(references(DOCUMENT))
    assert len(found) > 100
    for reference in found:
        assert isinstance(at(reference), dict)
    with pytest.raises(KeyError):
        at("#/components/schemas/nothing")


def test_the_document_has_the_members_that_asyncapi_demands() -> None:
    """Title and version; channels of messages; operations on messages of their own channel."""
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= DOCUMENT["info"].keys()
    for channel in DOCUMENT["channels"].values():
        assert channel["messages"]
        assert channel["address"] is None or channel["address"].startswith("/")
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in ("send", "receive")
        for one in (operation, operation.get("reply", operation)):
            own = one["channel"]["$ref"] + "/messages/"
            assert one["messages"]
            assert all(message["$ref"].startswith(own) for message in one["messages"])
    for names in DOCUMENT["components"].values():
        assert all(NAME.fullmatch(name) for name in names)


def test_every_message_and_notice_type_is_described_with_its_sentence() -> None:
    """From the catalogue, whole; and who may say it."""
    channels = DOCUMENT["channels"]
    assert set(channels["messages"]["messages"]) == set(MESSAGE_TYPES)
    assert set(channels["notices"]["messages"]) == set(NOTICE_TYPES)
    for name, type_ in MESSAGE_TYPES.items():
        message = DOCUMENT["components"]["messages"][name]
        assert message["summary"] == type_.summary
        assert message["x-senders"] == sorted(type_.senders)


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_every_schema_in_it_is_valid_and_takes_what_the_served_one_takes(name: str) -> None:
    """The examples of a type, valid and invalid, are judged alike by the schema in the document."""
    schema = at(f"#/components/schemas/{name}")
    assert schema["schemaFormat"] == asyncapi.SCHEMA_FORMAT
    Draft202012Validator.check_schema(schema["schema"])
    if name == "common":
        return
    validator = validator_of(name)
    valid = [one.document for one in examples.VALID if one.type == name]
    # Formats are annotations to this validator, and its patterns are Python's, not ECMA-262.
    invalid = [
        one.document
        for one in examples.INVALID
        if one.type == name and one.keyword not in ("", "format", "pattern")
    ]
    assert valid
    assert invalid
    assert all(validator.is_valid(document) for document in valid)
    assert not any(validator.is_valid(document) for document in invalid)


def test_a_live_hub_serves_this_very_description(live_hub: HubUnderTest) -> None:
    """What is tested here is what a peer downloads."""
    with urllib.request.urlopen(live_hub.address + "/asyncapi.json") as response:
        assert json.load(response) == DOCUMENT
