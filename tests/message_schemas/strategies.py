"""Hypothesis strategies for every message, notice, receipt and delivery.

They are read off the schemas, so that a field added there is drawn here without a further word.
Only what a schema cannot say is written out: the two identifiers of a block belong together, a
receipt's bodies are free. ``documents`` draws JSON values, ``bodies`` the dataclasses.
"""

import re
from datetime import UTC, datetime
from functools import cache
from typing import Any

from hypothesis import strategies as st

from message_schemas import examples, json_codec, schema_files, timestamps
from message_schemas.blocks import SERIAL_MAX, Block, BlockRange, render_identifier
from message_schemas.catalogue import MESSAGE_TYPES, NOTICE_TYPES
from message_schemas.envelopes import Delivery, Envelope, Receipt

Json = Any
Documents = st.SearchStrategy[dict[str, Json]]

ITEM_COUNT_MAX = 3
BODY_TYPES = (*MESSAGE_TYPES, *NOTICE_TYPES)
DEFINITIONS: dict[str, Json] = schema_files.DOCUMENTS["common"]["$defs"]
BLOCK_COLUMNS = {
    "first_id",
    "last_id",
    "cooperative_approach",
    "originating_registry",
    "first_transferring_party",
    "vintage",
    "first_serial",
    "last_serial",
}

# Hypothesis wants naive bounds and adds the zone itself.
_FIRST, _LAST = (datetime.fromisoformat(day) for day in ("1990-01-01", "2100-12-31"))
moments = st.datetimes(_FIRST, _LAST, timezones=st.just(UTC))
participant_codes = st.from_regex("[A-Z]{3}[0-9]{2}", fullmatch=True)
party_codes = st.from_regex("[A-Z]{3}", fullmatch=True)
cooperative_approaches = st.from_regex("CA[0-9]{4}", fullmatch=True)
years = st.integers(1990, 2100)
serials = st.one_of(st.integers(1, 5000), st.integers(1, SERIAL_MAX))
line_characters = st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")
# What JSON can say and XML 1.0 cannot may stand where the schemas leave the text free.
free_characters = st.characters(exclude_categories=["Cs"])


@st.composite
def identities(draw: st.DrawFn) -> dict[str, Json]:
    """Draw the two full identifiers of one run of serial numbers."""
    series = draw(cooperative_approaches), draw(participant_codes), draw(party_codes)
    vintage = draw(years)
    first, last = sorted((draw(serials), draw(serials)))
    return {
        "first_id": render_identifier(*series, first, vintage),
        "last_id": render_identifier(*series, last, vintage),
    }


def bodies(type_: str) -> st.SearchStrategy[Any]:
    """Draw the dataclass of a message or notice body."""
    return documents(type_).map(lambda document: json_codec.decode_body(type_, 1, document))


def block_ranges() -> st.SearchStrategy[BlockRange]:
    """Draw runs of serial numbers, first never above last."""
    return identities().map(
        lambda identity: _decoded("history.query", {"items_max": 1, "range": identity}).range
    )


def blocks() -> st.SearchStrategy[Block]:
    """Draw blocks with attributes; quantity and serial numbers need not agree."""
    carrier = examples.valid("action.cancellation")
    return _definition("block").map(
        lambda block: _decoded("action.cancellation", {**carrier, "blocks": [block]}).blocks[0]
    )


def _decoded(type_: str, document: dict[str, Json]) -> Any:
    return json_codec.decode_body(type_, 1, document)


def envelopes() -> st.SearchStrategy[Envelope]:
    """Draw envelopes whose messages have valid bodies."""
    return documents("envelope").map(json_codec.decode_envelope)


def receipts() -> st.SearchStrategy[Receipt]:
    """Draw receipts, refusals with findings among them."""
    return documents("receipt").map(json_codec.decode_receipt)


def deliveries() -> st.SearchStrategy[Delivery]:
    """Draw deliveries of envelopes and notices."""
    return documents("delivery").map(json_codec.decode_delivery)


@cache
def documents(type_: str) -> Documents:
    """Draw the JSON value of a body or payload, blocks with their full identifiers."""
    schema = schema_files.DOCUMENTS[type_]
    drawn: Documents = from_schema(schema)
    return drawn.map(lambda document: _consistent(type_, document))


def from_schema(schema: dict[str, Json]) -> st.SearchStrategy[Any]:
    """Draw values of one schema, of the keywords that ours use."""
    if "$ref" in schema:
        file, _, pointer = schema["$ref"].partition("#")
        if not pointer:
            return documents(file.removesuffix(".schema.json"))
        return _definition(pointer.rpartition("/")[2])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return st.one_of([_of_kind(kind, schema) for kind in kinds])


def _of_kind(kind: str, schema: dict[str, Json]) -> st.SearchStrategy[Any]:
    if kind == "null":
        return st.none()
    if kind == "boolean":
        return st.booleans()
    if kind == "integer":
        return st.integers(schema.get("minimum", -(2**63)), schema.get("maximum", 2**63 - 1))
    if kind == "string":
        return _strings(schema)
    if kind == "array":
        return _lists(schema)
    return _objects(schema)


def _strings(schema: dict[str, Json]) -> st.SearchStrategy[str]:
    if schema.get("format") == "date-time":
        return moments.map(timestamps.render)
    if schema.get("format") == "date":
        return moments.map(lambda moment: moment.date().isoformat())
    pattern, shortest = schema.get("pattern"), schema.get("minLength", 0)
    if pattern is None or pattern.startswith("^[^"):
        return st.text(line_characters, min_size=shortest, max_size=30)
    drawn = st.from_regex(re.compile(pattern.removesuffix("$") + r"\Z"))
    longest = schema.get("maxLength", 200)
    return drawn.filter(lambda text: shortest <= len(text) <= longest)


def _lists(schema: dict[str, Json]) -> st.SearchStrategy[list[Any]]:
    shortest = schema.get("minItems", 0)
    longest = shortest + ITEM_COUNT_MAX
    return st.lists(
        from_schema(schema["items"]),
        min_size=shortest,
        max_size=min(longest, schema.get("maxItems", longest)),
        unique_by=repr if schema.get("uniqueItems") else None,
    )


def _objects(schema: dict[str, Json]) -> Documents:
    properties = schema.get("properties")
    if properties is None:
        return st.dictionaries(st.text(free_characters, max_size=8), from_json(2), max_size=2)
    drawn = {name: from_schema(part) for name, part in properties.items()}
    required = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {name: part for name, part in drawn.items() if name in required},
        optional={name: part for name, part in drawn.items() if name not in required},
    )


@cache
def from_json(depth: int) -> st.SearchStrategy[Any]:
    """Draw any JSON value the protocol allows, with at most ``depth`` lists and objects."""
    scalars = st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(free_characters)
    )
    if depth == 0:
        return scalars
    parts = from_json(depth - 1)
    return st.one_of(
        scalars,
        st.lists(parts, max_size=2),
        st.dictionaries(st.text(free_characters, max_size=8), parts, max_size=2),
    )


@cache
def _definition(name: str) -> st.SearchStrategy[Any]:
    if name == "block_range":
        return identities()
    if name == "block":
        schema = DEFINITIONS["block"]
        attributes = {
            **schema,
            "properties": {
                key: part for key, part in schema["properties"].items() if key not in BLOCK_COLUMNS
            },
        }
        return st.tuples(identities(), _objects(attributes)).map(lambda pair: pair[0] | pair[1])
    if name == "extensions":
        keys = st.from_regex(r"[a-z0-9.-]{1,9}/[a-z0-9_.-]{1,9}", fullmatch=True)
        return st.dictionaries(keys, from_json(4), min_size=1, max_size=2)
    return from_schema(DEFINITIONS[name])


def _consistent(type_: str, document: dict[str, Json]) -> dict[str, Json]:
    """Return the document with the conditions of its schema met."""
    if document.get("decision") in {"accept", "recognize"}:
        document["reasons"] = []
    elif "decision" in document and not document["reasons"]:
        document["reasons"] = [{"text": "no"}]
    if document.get("sop_exempt"):
        document.setdefault("sop_exemption", "SIDS")
        document.pop("sop_exemption_waived", None)
    else:
        document.pop("sop_exemption", None)
    if type_ == "a64.first_transfer":
        document["first_transfer_id"] = "XMR01" + document["first_transfer_id"][5:]
    if type_ == "a64.authorization_change":
        document["change_id"] = "XMR01" + document["change_id"][5:]
    if type_ == "history.query" and ("range" in document) == ("transfer_id" in document):
        document.pop("range", None)
        document["transfer_id"] = "THA01-1"
    for item in document["items"] if type_ == "delivery" else ():
        if not {"envelope", "verdicts", "entry_salt"} <= item.keys():
            item.pop("envelope", None)
            item.pop("verdicts", None)
            item.pop("entry_salt", None)
            item.pop("content", None)
            item.setdefault("notices", [{"type": "a.b", "version": 1, "body": {}}])
    return document
