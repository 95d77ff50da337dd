"""The JSON value that an XML element of the exchange says, read without any schema.

1. A member is a child element. A list has its items in elements named in the singular.
2. What is a list, a number, a boolean, bytes or a generic value goes by the member's name, as the
   table in `xml_names` has it; any other name is text, or an object if there are elements in it.
3. Generic values (under `extensions` and `result`, and as unknown bodies) say their kind and key.
4. A body that cannot be read is empty: each message is judged by itself, and the hub's receipt says
   that this one was refused.

What a message may say is no question here: the hub's receipt answers it. So this reads whatever the
hub accepts, to the same value, and needs no schema of it.
"""

from __future__ import annotations

import base64
import re
from typing import Any, Final

from hub.evidence.archives import MALFORMED, Json, RefutedError
from hub.evidence.xml_documents import WHITE_SPACE, Element
from hub.evidence.xml_names import BOOLEANS, BYTES, INTEGERS, LISTS, MAPS, OBJECTS

EXCHANGE_NAMESPACE: Final = "urn:itmo-exchange:1"
_XSI_NAMESPACE: Final = "http://www.w3.org/2001/XMLSchema-instance"
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,18}")
_WORDS: Final = {"true": True, "false": False}
_ESCAPE: Final = re.compile(r"\\(?:\\|u([0-9a-f]{4}))")


def singular(name: str) -> str:
    """Return the name of one item of a list."""
    if name.endswith("ies"):
        return name[:-3] + "y"
    return name[:-1] if name.endswith("s") else f"{name}_item"


def read_value(element: Element) -> Json:
    """Return the JSON object of an element with members. Raises RefutedError."""
    members: Json = {}
    for child in _children(element):
        if child.local in members:
            raise RefutedError(f"the XML has the member {child.local[:60]} twice")
        if child.local == "body":
            members["body"] = _body(child, str(members.get("type")))
        else:
            members[child.local] = _member(child, element.local)
    return members


def _children(element: Element) -> list[Element]:
    """Return the elements in an element that holds nothing else, all of our namespace."""
    children = element.children
    if element.text.strip(WHITE_SPACE):
        raise RefutedError(f"the XML has text between the elements of {element.local[:60]}")
    if any(one.namespace != EXCHANGE_NAMESPACE for one in children):
        raise RefutedError(f"the XML has an element of another namespace in {element.local[:60]}")
    return children


def _member(element: Element, holder: str) -> Any:
    """Return the value of a member or item; `holder` is the name of what it stands in."""
    name, text = element.local, element.text
    names = {name, f"{holder}/{name}"}
    if element.attribute(_XSI_NAMESPACE, "nil") == "true":
        return None
    if names & LISTS:
        return [_item(one, name) for one in _children(element)]
    if names & MAPS:
        return _map(element)
    if element.children or names & OBJECTS:
        return read_value(element)
    if names & INTEGERS:
        return _integer(text)
    if names & BOOLEANS:
        return _boolean(text)
    if names & BYTES:
        try:
            return base64.b64decode(text, validate=True).decode("utf-8")
        except MALFORMED as error:
            raise RefutedError(f"the {name} in the XML is not base64 of UTF-8") from error
    return text


def _item(element: Element, holder: str) -> Any:
    if element.local != singular(holder):
        raise RefutedError(f"the XML has {element.local[:60]} among its {holder}")
    return _member(element, holder)


def _integer(text: str) -> int:
    if _INTEGER.fullmatch(text) is None:
        raise RefutedError(f"{text[:40]!r} in the XML is no whole number")
    return int(text)


def _boolean(text: str) -> bool:
    if text not in _WORDS:
        raise RefutedError(f"{text[:40]!r} in the XML is neither true nor false")
    return _WORDS[text]


def _body(element: Element, type_: str) -> Json:
    """Return the body of a message or notice; one that cannot be read is empty."""
    try:
        (inner,) = _children(element)
        if inner.local == "map":
            return _map(inner)
        return read_value(inner) if inner.local == type_ else {}
    except (RefutedError, *MALFORMED):
        return {}


# --- generic values -----------------------------------------------------------------------------


def _map(element: Element) -> Json:
    members: Json = {}
    for child in _children(element):
        key = child.attribute("", "key")
        if key is None:
            raise RefutedError("the XML has a value without its key")
        if child.attribute("", "escaped_key") is not None:
            key = _unescaped(key)
        if key in members:
            raise RefutedError(f"the XML has the key {key[:60]!r} twice")
        members[key] = _generic(child)
    return members


def _generic(element: Element) -> Any:
    if element.local == "map":
        return _map(element)
    if element.local == "array":
        return [_generic(one) for one in _children(element)]
    if element.children:
        raise RefutedError(f"the XML has elements in the text of {element.local[:60]}")
    match element.local:
        case "string":
            escaped = element.attribute("", "escaped") is not None
            return _unescaped(element.text) if escaped else element.text
        case "integer":
            return _integer(element.text)
        case "boolean":
            return _boolean(element.text)
        case "null":
            return None
    raise RefutedError(f"{element.local[:60]} in the XML is no kind of value")


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else "\\", text)
