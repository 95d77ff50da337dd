"""Write the XML Schemas of the XML binding from the JSON Schemas.

    python -m docs.generate_xml_schemas

One file a type, as with the JSON Schemas: ``common.xsd`` is included by all, ``itmo-exchange.xsd``
includes all. The tests fail when a committed file is not what this script makes. XML Schema 1.0,
because ``xmllint`` and most registries' tools know no other; what it cannot say is listed in
``docs/xml-binding.md``.

1. Definitions of ``common.schema.json`` become named types of the same name.
2. A member becomes an element of a sequence; lists and nullable members follow ``xml_forms``.
3. Members that exclude or need each other become choices (``oneOf``, ``anyOf``).
4. Generic values are types by depth and by kind of key.

And the names by which the evidence verifier reads XML without them (``generate_evidence_names``).
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from docs import generate_evidence_names
from docs.xml_elements import Node, node, rendered
from docs.xml_generic_types import generic_types, keys_once
from docs.xml_patterns import xsd_pattern
from message_schemas.schema_files import DOCUMENTS, PAYLOADS
from message_schemas.xml_forms import NAMESPACE, is_worded, resolved, singular

FOLDER: Final = Path(__file__).resolve().parent.parent / "message_schemas/xml/v1"
ALL: Final = "itmo-exchange"
SIGNATURES: Final = "http://www.w3.org/2000/09/xmldsig#"
UTF8_OCTETS_MAX: Final = 4

Schema = Mapping[str, Any]


def documents() -> dict[str, str]:
    """Return every XML Schema document by its file name."""
    types = [name for name in DOCUMENTS if name != "common"]
    made = {f"{name}.xsd": _type_document(name) for name in types}
    made["common.xsd"] = _common_document()
    made[f"{ALL}.xsd"] = _schema_document(
        "Every payload, message and notice of version 1.",
        [*(node("include", schemaLocation=f"{name}.xsd") for name in types), _generic_body()],
    )
    return made


def _generic_body() -> Node:
    # Here alone: a schema that does not know the types leaves all bodies to whoever does.
    about = _documentation("The body of a message whose type has no schema here.")
    return node("element", about, keys_once("map"), name="map", type="json_object")


def _schema_document(about: str, content: Iterable[Node]) -> str:
    root = node(
        "schema",
        _documentation(about),
        *content,
        **{
            "xmlns:xs": "http://www.w3.org/2001/XMLSchema",
            "xmlns": NAMESPACE,
            "targetNamespace": NAMESPACE,
            "elementFormDefault": "qualified",
            "version": "1",
        },
    )
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + rendered(root)


def _documentation(text: str) -> Node:
    return node("annotation", node("documentation", text=text, **{"xml:lang": "en"}))


def _type_document(name: str) -> str:
    schema = DOCUMENTS[name]
    signature = []
    if name in PAYLOADS:
        signature = [node("any", namespace=SIGNATURES, processContents="skip", minOccurs="0")]
    content = _sequence(schema, f"{name}.", signature)
    element = node("element", node("complexType", content), name=name)
    about = f"{schema['title']}. {schema['description']}"
    return _schema_document(about, [node("include", schemaLocation="common.xsd"), element])


def _common_document() -> str:
    definitions = DOCUMENTS["common"]["$defs"]
    types = [
        _named(_type_of(schema, f"{name}."), name, schema)
        for name, schema in definitions.items()
        if name != "extensions" and not name.startswith("json_")
    ]
    about = str(DOCUMENTS["common"]["description"]).partition(" Patterns are")[0]
    return _schema_document(about, [*_number_types(), *types, *generic_types()])


def _number_types() -> list[Node]:
    whole = _restriction("xs:long", node("pattern", value="0|-?[1-9][0-9]*"))
    boolean = _restriction("xs:boolean", node("pattern", value="true|false"))
    return [
        _named(whole, "whole_number", {"description": "A whole number of 64 bits, digits only."}),
        _named(boolean, "boolean", {"description": "true or false, in words."}),
    ]


def _named(made: Node, name: str, schema: Schema) -> Node:
    return node(made.tag, _documentation(schema["description"]), *made.children, name=name)


# --- members -----------------------------------------------------------------------------------


def _sequence(schema: Schema, place: str, more: Iterable[Node] = ()) -> Node:
    """Return the content of an object: its members in order, alternatives as choices."""
    required = set(schema.get("required", ()))
    among, choice = _alternatives(schema, place)
    particles = []
    for name, part in schema["properties"].items():
        if name not in among:
            particles.append(_element(name, part, place, required=name in required))
        elif choice is not None:
            particles.append(choice)
            choice = None
    return node("sequence", *particles, *more)


def _alternatives(schema: Schema, place: str) -> tuple[set[str], Node | None]:
    """Return the members that exclude or need each other, and the choice between them."""
    if "oneOf" in schema:
        groups = _exclusive_groups(schema["oneOf"])
        branches = [_required_members(schema, group, place) for group in groups]
    elif "anyOf" in schema:
        first, second = (_needed_with(schema, *branch["required"]) for branch in schema["anyOf"])
        beside = _allowed_with(schema, first)
        groups = [first | beside, second]
        both = _members(schema, first | beside | second, place, required=first)
        branches = [both, _required_members(schema, second, place)]
    else:
        return set(), None
    choice = node("choice", *(_one_or_sequence(branch) for branch in branches))
    return set().union(*groups), choice


def _exclusive_groups(branches: list[Schema]) -> list[set[str]]:
    """Return the members of each branch of ``oneOf``; a branch may name those it forbids."""
    forbidden = [
        {name for name, part in branch.get("properties", {}).items() if part is False}
        for branch in branches
    ]
    if not any(forbidden):
        return [set(branch["required"]) for branch in branches]
    every = set().union(*forbidden)
    return [every - names for names in forbidden]


def _needed_with(schema: Schema, name: str) -> set[str]:
    return {name, *schema.get("dependentRequired", {}).get(name, ())}


def _allowed_with(schema: Schema, names: set[str]) -> set[str]:
    """Return the members that may stand where ``names`` do, and nowhere else."""
    needs = schema.get("dependentRequired", {})
    return {name for name, needed in needs.items() if set(needed) <= names} - names


def _required_members(schema: Schema, names: set[str], place: str) -> list[Node]:
    return _members(schema, names, place, required=names)


def _members(schema: Schema, names: set[str], place: str, *, required: set[str]) -> list[Node]:
    return [
        _element(name, part, place, required=name in required)
        for name, part in schema["properties"].items()
        if name in names
    ]


def _one_or_sequence(members: list[Node]) -> Node:
    return members[0] if len(members) == 1 else node("sequence", *members)


def _element(name: str, schema: Schema, place: str, *, required: bool) -> Node:
    """Return the element of one member."""
    occurs = {} if required else {"minOccurs": "0"}
    meant = resolved(schema)
    if meant.get("type") == "object" and "properties" not in meant and name != "body":
        open_type = "extensions" if name == "extensions" else "json_object"
        return node("element", keys_once(f"{place}{name}"), name=name, type=open_type, **occurs)
    attributes = {"name": name, **occurs}
    if isinstance(meant.get("type"), list):
        attributes["nillable"] = "true"
    about = [_documentation(schema["description"])] if "description" in schema else []
    if "#" not in schema.get("$ref", "#"):
        schema = meant  # a whole document: written out, because XML Schema has no such reference
    elif "$ref" in schema and schema.keys() <= {"$ref", "description"}:
        return node("element", *about, type=schema["$ref"].rpartition("/")[2], **attributes)
    inside = _type_of(schema, f"{place}{name}.")
    if inside.tag == "simpleType" and not _is_anonymous(inside):
        return node("element", *about, type=inside.attributes["name"], **attributes)
    return node("element", *about, inside, *_unique_items(schema, f"{place}{name}"), **attributes)


def _unique_items(schema: Schema, place: str) -> list[Node]:
    if not schema.get("uniqueItems"):
        return []
    return [
        node(
            "unique",
            node("selector", xpath="*"),
            node("field", xpath="."),
            name=f"{place}.once",
        )
    ]


def _is_anonymous(made: Node) -> bool:
    return "name" not in made.attributes


# --- types -------------------------------------------------------------------------------------


def _type_of(schema: Schema, place: str) -> Node:
    """Return the type of a schema, without a name; of a plain boolean, the name of the type."""
    kinds = schema.get("type", "string")
    kind = kinds if isinstance(kinds, str) else next(k for k in kinds if k != "null")
    if "$ref" in schema:
        base = str(schema["$ref"]).rpartition("/")[2]
        return _restriction(base, *_text_facets({"pattern": schema["pattern"]}))
    if kind == "array":
        return _list_type(schema, place)
    if kind == "object":
        return node("complexType", _object_content(schema, place))
    if kind == "boolean":
        return node("simpleType", name="boolean")
    if kind == "integer":
        low = node("minInclusive", value=str(schema["minimum"]))
        high = node("maxInclusive", value=str(schema["maximum"]))
        return _restriction("whole_number", low, high)
    if not is_worded(schema):
        return _bytes_type(schema)
    moments = {"date": "xs:date", "date-time": "xs:dateTime"}
    return _restriction(moments.get(schema.get("format", ""), "xs:string"), *_text_facets(schema))


def _object_content(schema: Schema, place: str) -> Node:
    if "properties" in schema:
        return _sequence(schema, place)
    # Lax: a validator that knows the type's schema applies it, another lets the body pass.
    body = node("any", namespace="##targetNamespace", processContents="lax")
    return node("sequence", body)


def _list_type(schema: Schema, place: str) -> Node:
    item_name = singular(place.rstrip(".").rpartition(".")[2])
    item = _element(item_name, schema["items"], place, required=True)
    occurs = {"minOccurs": str(schema["minItems"]), "maxOccurs": str(schema["maxItems"])}
    counted = node("element", *item.children, **{**item.attributes, **occurs})
    return node("complexType", node("sequence", counted))


def _bytes_type(schema: Schema) -> Node:
    # JSON counts the characters of the text, base64 its octets: four of them at most.
    shortest = node("minLength", value=str(schema["minLength"]))
    longest = node("maxLength", value=str(UTF8_OCTETS_MAX * schema["maxLength"]))
    return _restriction("xs:base64Binary", shortest, longest)


def _text_facets(schema: Schema) -> list[Node]:
    if "const" in schema:
        return [node("enumeration", value=schema["const"])]
    if "enum" in schema:
        return [node("enumeration", value=value) for value in schema["enum"]]
    lengths = [
        node(facet, value=str(schema[facet]))
        for facet in ("minLength", "maxLength")
        if facet in schema
    ]
    return [*lengths, node("pattern", value=xsd_pattern(schema["pattern"]))]


def _restriction(base: str, *facets: Node) -> Node:
    return node("simpleType", node("restriction", *facets, base=base))


def main() -> None:
    """Write every file anew and remove those of types that are no more."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = documents()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="ascii")
    for path in FOLDER.glob("*.xsd"):
        if path.name not in made:
            path.unlink()
    generate_evidence_names.main()


if __name__ == "__main__":
    main()
