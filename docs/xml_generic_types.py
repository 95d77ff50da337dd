"""The XML Schema types of generic values: by how deep they may go, and by what key they carry.

``json_map_3_member`` is a map with up to three lists and maps inside each other, itself the
member of another map. Keys are ``item`` (none, in an array), ``member`` (any text) or
``extension`` (a namespaced key). Depth ``any`` has no limit but that of the reader.
"""

from typing import Final, Literal

from docs.xml_elements import Node, node
from docs.xml_patterns import xsd_pattern
from message_schemas.schema_files import DOCUMENTS

Key = Literal["item", "member", "extension"]
Depth = int | None

_SCALARS: Final = {"integer": "whole_number", "boolean": "boolean"}
_DEFINITIONS: Final = DOCUMENTS["common"]["$defs"]
_DEPTH_MAX: Final = int(
    _DEFINITIONS["extensions"]["additionalProperties"]["$ref"].rpartition("_")[2]
)


def generic_types() -> list[Node]:
    """Return all types of generic values."""
    return [
        *_key_types(),
        *(made for key in ("item", "member", "extension") for made in _scalar_types(key)),
        *_values(_DEPTH_MAX, "extension"),
        *(
            made
            for depth in [*range(_DEPTH_MAX), None]
            for key in ("item", "member")
            for made in _values(depth, key)
        ),
        *_open_types(),
    ]


def _key_types() -> list[Node]:
    names = _DEFINITIONS["extensions"]["propertyNames"]
    facets = (
        node("maxLength", value=str(names["maxLength"])),
        node("pattern", value=xsd_pattern(names["pattern"])),
    )
    only_true = node("enumeration", value="true")
    return [
        node(
            "simpleType",
            node("restriction", *facets, base="xs:string"),
            name="extension_key",
        ),
        node("simpleType", node("restriction", only_true, base="xs:string"), name="escaped"),
        node(
            "simpleType",
            node("restriction", node("length", value="0"), base="xs:string"),
            name="nothing",
        ),
    ]


def _key_attributes(key: Key) -> list[Node]:
    if key == "item":
        return []
    if key == "extension":
        return [node("attribute", name="key", type="extension_key", use="required")]
    return [
        node("attribute", name="key", type="xs:string", use="required"),
        node("attribute", name="escaped_key", type="escaped"),
    ]


def _scalar_types(key: Key) -> list[Node]:
    escaped = node("attribute", name="escaped", type="escaped")
    bases = {"string": "xs:string", **_SCALARS, "null": "nothing"}
    return [
        node(
            "complexType",
            node(
                "simpleContent",
                node(
                    "extension",
                    *([escaped] if kind == "string" else []),
                    *_key_attributes(key),
                    base=base,
                ),
            ),
            name=f"json_{kind}_{key}",
        )
        for kind, base in bases.items()
    ]


def _depth_name(depth: Depth) -> str:
    return "any" if depth is None else str(depth)


def _values(depth: Depth, key: Key) -> list[Node]:
    """Return the group of values of one depth and key, and the types of its maps and arrays."""
    scalars = [
        node("element", name=kind, type=f"json_{kind}_{key}")
        for kind in ("null", "boolean", "integer", "string")
    ]
    name = f"json_values_{_depth_name(depth)}_{key}"
    if depth == 0:
        return [node("group", node("choice", *scalars), name=name)]
    map_name, array_name = (f"json_{kind}_{_depth_name(depth)}_{key}" for kind in ("map", "array"))
    holders = [
        node("element", name="array", type=array_name),
        node("element", keys_once(map_name), name="map", type=map_name),
    ]
    inner = None if depth is None else depth - 1
    return [
        node("group", node("choice", *scalars, *holders), name=name),
        _holder_type(map_name, inner, "member", key, "maxProperties"),
        _holder_type(array_name, inner, "item", key, "maxItems"),
    ]


def _holder_type(name: str, inner: Depth, inner_key: Key, key: Key, limit: str) -> Node:
    most = "unbounded"
    if inner is not None:
        most = str(_DEFINITIONS[f"json_{inner + 1}"][limit])
    values = node(
        "group",
        ref=f"json_values_{_depth_name(inner)}_{inner_key}",
        minOccurs="0",
        maxOccurs=most,
    )
    return node("complexType", node("sequence", values), *_key_attributes(key), name=name)


def keys_once(place: str) -> Node:
    """Return the rule that no key stands twice, for the element at a place."""
    return node(
        "unique",
        node("selector", xpath="*"),
        node("field", xpath="@key"),
        name=f"{place}.keys_once",
    )


def _open_types() -> list[Node]:
    """Return the types of ``extensions``, and of ``result`` and a generic body."""
    extensions = _DEFINITIONS["extensions"]
    namespaced = node(
        "group",
        ref=f"json_values_{_DEPTH_MAX}_extension",
        minOccurs=str(extensions["minProperties"]),
        maxOccurs=str(extensions["maxProperties"]),
    )
    anything = node("group", ref="json_values_any_member", minOccurs="0", maxOccurs="unbounded")
    about = node("annotation", node("documentation", text=extensions["description"]))
    return [
        node("complexType", about, node("sequence", namespaced), name="extensions"),
        node("complexType", node("sequence", anything), name="json_object"),
    ]
