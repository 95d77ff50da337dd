"""Generic values in XML: what stands under ``extensions`` and ``result``, and unknown bodies.

Each value is an element named by its kind: ``map``, ``array``, ``string``, ``integer``,
``boolean``, ``null``; inside a map it carries its ``key``. That is the shape of W3C's
``json-to-xml`` (XPath and XQuery Functions 3.1, section 17.5.3), in our own namespace.

JSON can say characters that XML 1.0 has no way to write (most control characters, U+FFFE,
U+FFFF). A string or key that holds one is written with a backslash and ``uXXXX`` for each, a
backslash as two, and the attribute ``escaped="true"`` (``escaped_key`` for a key). One value has
one writing: escaping where none is needed is refused.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from lxml import etree

from message_schemas.xml_forms import NAMESPACE, singular

Append = Callable[[str], None]

_PREFIX: Final = f"{{{NAMESPACE}}}"
_FORBIDDEN_CLASS: Final = r"\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
_FORBIDDEN: Final = re.compile(f"[{_FORBIDDEN_CLASS}]")
_SPECIAL_TEXT: Final = re.compile(f"[&<>\r{_FORBIDDEN_CLASS}]")
_SPECIAL_KEY: Final = re.compile(f'[&<"\t\n\r{_FORBIDDEN_CLASS}]')
_TO_ESCAPE: Final = re.compile(rf"[\\{_FORBIDDEN_CLASS}]")
_ESCAPE: Final = re.compile(r"\\(?:\\|u([0-9a-f]{4}))|\\")
# As canonical XML writes them (Canonical XML 1.0, section 2.3).
_TEXT_REFERENCES: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"},
)
_KEY_REFERENCES: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", '"': "&quot;", "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;"},
)
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,18}")
_INTEGER_MIN: Final = -(2**63)
_INTEGER_MAX: Final = 2**63 - 1
_BOOLEANS: Final = {"true": True, "false": False}
_WHITE_SPACE: Final = " \t\r\n"


class XmlFormError(ValueError):
    """An element is not what the binding has in its place.

    ``path`` is the JSON pointer of the member meant, ``detail`` one sentence, ``line`` the line
    of the document (None in trees that were not read from one).
    """

    def __init__(self, path: str, detail: str, line: int | None = None) -> None:
        super().__init__(f"{path or '/'}: {detail}")
        self.path = path
        self.detail = detail
        self.line = line


class XmlUnwritableError(ValueError):
    """A value has no writing in this form: an unknown member, or a character XML cannot hold."""


# --- paths -------------------------------------------------------------------------------------


def local_name(element: etree._Element) -> str:
    """Return an element's name without its namespace; a comment's is ``comment``."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else "comment"


def pointer_of(element: etree._Element, root: etree._Element) -> str:
    """Return the JSON pointer (RFC 6901) of an element's value inside that of ``root``."""
    steps = []
    while element is not root:
        parent = element.getparent()
        if parent is None:
            break
        if (step := _step(element, parent)) is not None:
            steps.append(step)
        element = parent
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in reversed(steps))


def _step(element: etree._Element, parent: etree._Element) -> str | None:
    name, holder = local_name(element), local_name(parent)
    if (key := element.get("key")) is not None:
        return key
    if holder == "body":
        return None  # the element of the type stands for the body itself
    if holder == "array" or name == singular(holder):
        return str(sum(1 for _ in element.itersiblings(preceding=True)))
    return name


def form_error(element: etree._Element, root: etree._Element, detail: str) -> XmlFormError:
    """Return the error of an element, with its pointer inside ``root`` and its line."""
    return XmlFormError(pointer_of(element, root), detail, element.sourceline)


# --- texts -------------------------------------------------------------------------------------


def text_written(text: str) -> str:
    """Return a text as it stands in an element.

    Raises XmlUnwritableError for characters outside XML 1.0.
    """
    if _SPECIAL_TEXT.search(text) is None:
        return text
    if found := _FORBIDDEN.search(text):
        raise XmlUnwritableError(f"XML 1.0 cannot hold the character U+{ord(found[0]):04X}")
    return text.translate(_TEXT_REFERENCES)


def leaf_text(element: etree._Element, root: etree._Element) -> str:
    """Return the text of an element that holds text alone, white space and all."""
    if len(element):
        raise form_error(element[0], root, f"an element inside the text of {local_name(element)}")
    return element.text or ""


def integer_of(text: str) -> int | None:
    """Return the whole number written in plain digits, None if it is anything else."""
    if _INTEGER.fullmatch(text) is None:
        return None
    number = int(text)
    return number if _INTEGER_MIN <= number <= _INTEGER_MAX else None


def boolean_of(text: str) -> bool | None:
    """Return the boolean written as ``true`` or ``false``, None if it is anything else."""
    return _BOOLEANS.get(text)


def parts_of(element: etree._Element, root: etree._Element) -> Iterator[etree._Element]:
    """Yield the children of an element that holds nothing else.

    White space between them is laid out, not said; words there raise XmlFormError.
    """
    text = element.text
    if text is not None and text.strip(_WHITE_SPACE):
        raise form_error(element, root, f"text between the elements of {local_name(element)}")
    for child in element:
        tail = child.tail
        if tail is not None and tail.strip(_WHITE_SPACE):
            raise form_error(element, root, f"text between the elements of {local_name(element)}")
        yield child


def refuse_attributes(
    element: etree._Element, root: etree._Element, allowed: frozenset[str] = frozenset()
) -> None:
    """Refuse attributes beyond those that have a meaning on this element."""
    for name in element.keys():  # noqa: SIM118 - without it, the children would be walked
        if name not in allowed:
            said = str(name).rpartition("}")[2]
            raise form_error(element, root, f"an attribute {said} on {local_name(element)}")


# --- values ------------------------------------------------------------------------------------

_KEYED: Final = frozenset({"key", "escaped_key"})
_KEYED_STRING: Final = _KEYED | {"escaped"}
_STRING: Final = frozenset({"escaped"})
_PLAIN: Final[frozenset[str]] = frozenset()


def write_map(members: Mapping[str, Any], append: Append) -> None:
    """Write the members of a generic object, each with its key."""
    for key, value in members.items():
        _write_value(value, _key_written(key), append)


def _write_value(value: Any, key: str, append: Append) -> None:
    if value is None:
        append(f"<null{key}></null>")
    elif value is True or value is False:
        append(f"<boolean{key}>{'true' if value else 'false'}</boolean>")
    elif isinstance(value, str):
        append(_string_written(value, key))
    elif isinstance(value, int):
        append(f"<integer{key}>{value}</integer>")
    elif isinstance(value, Mapping):
        append(f"<map{key}>")
        write_map(value, append)
        append("</map>")
    else:
        append(f"<array{key}>")
        for item in value:
            _write_value(item, "", append)
        append("</array>")


def _string_written(value: str, key: str) -> str:
    # In canonical XML attributes stand in the order of their names: escaped, escaped_key, key.
    if _FORBIDDEN.search(value) is None:
        return f"<string{key}>{text_written(value)}</string>"
    return f'<string escaped="true"{key}>{text_written(_escaped(value))}</string>'


def _key_written(key: str) -> str:
    if _SPECIAL_KEY.search(key) is None:
        return f' key="{key}"'
    if _FORBIDDEN.search(key) is None:
        return f' key="{key.translate(_KEY_REFERENCES)}"'
    return f' escaped_key="true" key="{_escaped(key).translate(_KEY_REFERENCES)}"'


def _escaped(text: str) -> str:
    def replaced(match: re.Match[str]) -> str:
        return r"\\" if match[0] == "\\" else f"\\u{ord(match[0]):04x}"

    if _SURROGATE.search(text):
        raise XmlUnwritableError("half of a surrogate pair in a string")
    return _TO_ESCAPE.sub(replaced, text)


def read_map(element: etree._Element, root: etree._Element) -> dict[str, Any]:
    """Return the generic object whose members are an element's children.

    Raises XmlFormError for anything but values with a key each, or for a key twice.
    """
    members: dict[str, Any] = {}
    for child in parts_of(element, root):
        raw = child.get("key")
        if raw is None:
            raise form_error(child, root, "a value without its key")
        escaped = child.get("escaped_key")
        if escaped not in {None, "true"}:
            raise form_error(child, root, "escaped_key has the one value true")
        key = raw if escaped is None else _unescaped(raw, child, root)
        if key in members:
            raise form_error(child, root, f"the key {key[:60]!r} twice")
        members[key] = _read_value(child, root, keyed=True)
    return members


def _read_value(element: etree._Element, root: etree._Element, *, keyed: bool) -> Any:
    kind = str(element.tag)
    if kind == _PREFIX + "string":
        return _read_string(element, root, keyed=keyed)
    refuse_attributes(element, root, _KEYED if keyed else _PLAIN)
    if kind == _PREFIX + "map":
        return read_map(element, root)
    if kind == _PREFIX + "array":
        return [_read_value(child, root, keyed=False) for child in parts_of(element, root)]
    text = leaf_text(element, root)
    if kind == _PREFIX + "integer":
        value: Any = integer_of(text)
    elif kind == _PREFIX + "boolean":
        value = boolean_of(text)
    elif kind == _PREFIX + "null" and not text:
        return None
    else:
        raise form_error(element, root, f"{local_name(element)} is no kind of value")
    if value is None:
        raise form_error(element, root, f"{text[:40]!r} is no {local_name(element)}")
    return value


def _read_string(element: etree._Element, root: etree._Element, *, keyed: bool) -> str:
    refuse_attributes(element, root, _KEYED_STRING if keyed else _STRING)
    text = leaf_text(element, root)
    if element.get("escaped") is None:
        return text
    if element.get("escaped") != "true":
        raise form_error(element, root, "escaped has the one value true")
    return _unescaped(text, element, root)


def _unescaped(text: str, element: etree._Element, root: etree._Element) -> str:
    def replaced(match: re.Match[str]) -> str:
        return chr(int(match[1], 16)) if match[1] else "\\"

    plain = _ESCAPE.sub(replaced, text)
    needed = _FORBIDDEN.search(plain) and not _SURROGATE.search(plain)
    if not needed or _escaped(plain) != text:
        raise form_error(element, root, "escaped although it need not be, or not as it should be")
    return plain
