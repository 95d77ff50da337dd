"""What the XML binding makes of each JSON Schema: a tree of forms, read off the schemas once.

The rules, all of them:

* A payload or body is an element named by its type, in NAMESPACE; a member is a child element
  of the member's name. Children stand in the order of the schema's ``properties``.
* A list is an element holding one element an item, named in the singular (``blocks``/``block``),
  or ``owned_item`` where the name is no plural; so an empty list (``<reasons/>``) and an absent one
  stay two things.
* Text, whole numbers and booleans are the text of their element. A text without any pattern is
  the exact bytes of something else: base64 of its UTF-8.
* A member that may be null is written with ``xsi:nil="true"`` when it is.
* Objects without declared members (``extensions``, ``result``) hold generic values, each with its
  key (``xml_values``).
* The ``body`` of a message or notice holds one element: that of its type, or a generic ``map``.

``docs.generate_xml_schemas`` writes the XML Schemas by the same forms.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from message_schemas.schema_files import DOCUMENTS

NAMESPACE: Final = "urn:itmo-exchange:1"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
ScalarKind: TypeAlias = Literal["text", "integer", "boolean", "base64"]


@dataclass(frozen=True, slots=True)
class Scalar:
    """Text, a whole number, a boolean, or exact bytes; ``nillable`` if it may be null."""

    kind: ScalarKind
    nillable: bool = False


@dataclass(frozen=True, slots=True)
class ListOf:
    """Items of one form, each in an element named ``item_name``."""

    item_name: str
    item: "Form"


@dataclass(frozen=True, slots=True)
class Record:
    """Declared members in their order on the wire."""

    members: Mapping[str, "Form"]


@dataclass(frozen=True, slots=True)
class OpenMap:
    """Undeclared members: generic values with their keys."""


@dataclass(frozen=True, slots=True)
class TypedBody:
    """The body of a message or notice, under the element of its type."""


Form: TypeAlias = Scalar | ListOf | Record | OpenMap | TypedBody


def singular(name: str) -> str:
    """Return the name of one item: ``parties`` to ``party``, ``owned`` to ``owned_item``."""
    if name.endswith("ies"):
        return name[:-3] + "y"
    return name[:-1] if name.endswith("s") else f"{name}_item"


def resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema with its ``$ref`` replaced by the definition or document meant."""
    if "$ref" not in schema:
        return schema
    file, _, pointer = schema["$ref"].partition("#")
    if pointer:
        meant = DOCUMENTS["common"]["$defs"][pointer.rpartition("/")[2]]
    else:
        meant = DOCUMENTS[file.removesuffix(".schema.json")]
    return {**meant, **{key: part for key, part in schema.items() if key != "$ref"}}


def form_of(name: str, schema: Mapping[str, Any]) -> Form:
    """Return the form of a member called ``name``."""
    schema = resolved(schema)
    declared = schema.get("type", "string")
    kinds = {declared} if isinstance(declared, str) else set(declared)
    nillable = "null" in kinds
    (kind,) = kinds - {"null"}
    if kind == "array":
        item_name = singular(name)
        return ListOf(item_name, form_of(item_name, schema["items"]))
    if kind == "object":
        if "properties" in schema:
            return _record(schema)
        return TypedBody() if name == "body" else OpenMap()
    if kind == "integer":
        return Scalar("integer", nillable)
    if kind == "boolean":
        return Scalar("boolean", nillable)
    return Scalar("text" if is_worded(schema) else "base64", nillable)


def is_worded(schema: Mapping[str, Any]) -> bool:
    """Tell whether a schema says what its text looks like; if not, it is another's bytes."""
    return not schema.keys().isdisjoint({"pattern", "enum", "const"})


def _record(schema: Mapping[str, Any]) -> Record:
    members = {name: form_of(name, part) for name, part in schema["properties"].items()}
    return Record(MappingProxyType(members))


FORMS: Final[Mapping[str, Record]] = MappingProxyType(
    {name: _record(document) for name, document in DOCUMENTS.items() if name != "common"}
)
"""Type of a payload, message or notice to its form."""
