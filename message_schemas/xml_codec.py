"""The XML binding: another way from bytes to the same values, and back.

1. ``strict_xml.parse_strict`` the bytes. (If they are signed: verify first, and go on with the
   element that the verified reference covers, and no other.)
2. ``read_document(type_, element)``: the JSON value that the element says.
3. From here as in the JSON binding: ``validation.schema_errors``, then ``json_codec.decode_…``.

So there is one content model with one set of rules. The XML Schemas (``xml_validation``) say the
same for XML tools, except what ``docs/xml-binding.md`` lists; whoever has taken steps 2 and 3
need not ask them. ``encode`` and ``decode`` do it all in one call.

What ``encode`` writes is its own canonical form (Exclusive XML Canonicalization 1.0, without
comments), so one value has one text: no declaration, no white space between elements, prefix
``xsi`` only where something is null.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from lxml import etree

from message_schemas import json_codec, strict_xml
from message_schemas.base64_text import base64_of, text_of
from message_schemas.catalogue import MESSAGE_TYPES, NOTICE_TYPES
from message_schemas.json_codec import UnknownTypeError
from message_schemas.validation import SchemaError, bounded, schema_errors
from message_schemas.xml_forms import (
    FORMS,
    NAMESPACE,
    XSI,
    Form,
    ListOf,
    OpenMap,
    Record,
    Scalar,
)
from message_schemas.xml_values import (
    Append,
    XmlFormError,
    XmlUnwritableError,
    boolean_of,
    form_error,
    integer_of,
    leaf_text,
    local_name,
    parts_of,
    read_map,
    refuse_attributes,
    text_written,
    write_map,
)

__all__ = [
    "ReadDocument",
    "XmlFormError",
    "XmlUnwritableError",
    "decode",
    "encode",
    "encode_document",
    "read_document",
    "to_element",
]

Json = dict[str, Any]
Writer = Callable[[Any, Append], None]
Reader = Callable[[etree._Element, etree._Element], Any]

_PREFIX: Final = f"{{{NAMESPACE}}}"
_NIL: Final = f"{{{XSI}}}nil"
_SIGNATURE: Final = "{http://www.w3.org/2000/09/xmldsig#}Signature"
_MAY_BE_NIL: Final = frozenset({_NIL})
_MISSING: Final = object()
_VERSIONS: Final[Mapping[str, int]] = {
    **{kind.name: kind.version for kind in MESSAGE_TYPES.values()},
    **{kind.name: kind.version for kind in NOTICE_TYPES.values()},
}


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """The JSON value of a payload or body, as ``json_codec.parse_strict`` would have given it.

    ``body_faults`` holds, by the JSON pointer of a message's or notice's ``body``, what broke the
    form inside it (the fault's own path is relative to that body). Such a body is an empty object
    in ``document``: each message is judged on its own.
    """

    document: Json
    body_faults: Mapping[str, SchemaError]


class _FaultyBody(dict[str, Any]):
    """An empty body that remembers why it could not be read."""

    def __init__(self, fault: XmlFormError, place: str) -> None:
        super().__init__()
        self.fault = fault
        self.place = place


# --- both ways in one call ---------------------------------------------------------------------


def encode(type_: str, payload: object) -> bytes:
    """Return a payload or body dataclass as XML, under the element of its type.

    Raises UnknownTypeError and XmlUnwritableError.
    """
    return encode_document(type_, json_codec.encode_body(payload))


def encode_document(type_: str, document: Mapping[str, Any]) -> bytes:
    """Return the XML of a JSON value that its schema has accepted.

    Message and notice bodies of a known type that satisfy their schema are written in its form,
    others as generic values. Raises UnknownTypeError, and XmlUnwritableError for members that
    the type does not have.
    """
    if type_ not in FORMS:
        raise UnknownTypeError(f"no type {type_!r} in the XML binding")
    parts = [f'<{type_} xmlns="{NAMESPACE}">']
    _record_writer(type_)(document, parts.append)
    parts.append(f"</{type_}>")
    return "".join(parts).encode("utf-8")


def to_element(type_: str, payload: object) -> etree._Element:
    """Return a payload or body dataclass as an element tree. Raises as ``encode`` does."""
    return strict_xml.parse_strict(encode(type_, payload))


def decode(type_: str, element: etree._Element) -> Any:
    """Return the dataclass that an element says, its schema checked.

    Raises XmlRefusedError, XmlFormError at the first place that breaks form or schema,
    IdentifierInconsistentError, and UnknownTypeError.
    """
    read = read_document(type_, element)
    for place, fault in read.body_faults.items():
        raise XmlFormError(place + fault.path, fault.text)
    for error in schema_errors(type_, 1, read.document):
        raise XmlFormError(error.path, error.text)
    match type_:
        case "envelope":
            return json_codec.decode_envelope(read.document)
        case "receipt":
            return json_codec.decode_receipt(read.document)
        case "delivery":
            return json_codec.decode_delivery(read.document)
        case _:
            return json_codec.decode_body(type_, 1, read.document)


def read_document(type_: str, element: etree._Element) -> ReadDocument:
    """Return the JSON value of the element of a payload, message or notice.

    The document around the element is looked through first (``strict_xml.refuse_surprises``).
    Required members, lengths and patterns are left to the schema. Raises XmlRefusedError;
    XmlFormError for another element, unknown members, members twice or out of their order, and
    texts that are no numbers or booleans; UnknownTypeError.
    """
    if type_ not in FORMS:
        raise UnknownTypeError(f"no type {type_!r} in the XML binding")
    strict_xml.refuse_surprises(element)
    if element.tag != _PREFIX + type_:
        found = str(element.tag)[:100]
        raise XmlFormError("", f"the element is {found}, not {_PREFIX}{type_}", element.sourceline)
    document = _record_reader(type_)(element, element)
    return ReadDocument(document, dict(_faults_in(document)))


def _faults_in(document: Json) -> list[tuple[str, SchemaError]]:
    holders = [*document.get("messages", ())]
    for item in document.get("items", ()):
        holders += item.get("notices", ())
    bodies = [holder.get("body") for holder in holders]
    return [
        (body.place, bounded(body.fault.path, body.fault.detail, "xml"))
        for body in bodies
        if isinstance(body, _FaultyBody)
    ]


# --- writing -----------------------------------------------------------------------------------


@cache
def _record_writer(type_: str) -> Writer:
    return _members_writer(FORMS[type_])


def _members_writer(form: Record) -> Writer:
    """Return the function that writes the members of an object, in their order."""
    plan = tuple((name, _writer(name, part)) for name, part in form.members.items())

    def write(value: Mapping[str, Any], append: Append) -> None:
        left = len(value)
        for name, write_member in plan:
            member = value.get(name, _MISSING)
            if member is not _MISSING:
                left -= 1
                write_member(member if name != "body" else (value, member), append)
        if left:
            unknown = next(name for name in value if name not in form.members)
            raise XmlUnwritableError(f"no member {unknown[:60]!r} here")

    return write


def _writer(name: str, form: Form) -> Writer:
    """Return the function that writes one member with its element."""
    if isinstance(form, Scalar):
        return _scalar_writer(name, form)
    if isinstance(form, Record):
        return _enclosed(name, _members_writer(form))
    if isinstance(form, OpenMap):
        return _enclosed(name, write_map)
    if isinstance(form, ListOf):
        write_item = _writer(form.item_name, form.item)

        def write_items(value: Any, append: Append) -> None:
            for item in value:
                write_item(item, append)

        return _enclosed(name, write_items)
    return _enclosed(name, _write_body)


def _enclosed(name: str, write_inside: Writer) -> Writer:
    opening, closing = f"<{name}>", f"</{name}>"

    def write(value: Any, append: Append) -> None:
        append(opening)
        write_inside(value, append)
        append(closing)

    return write


def _scalar_writer(name: str, form: Scalar) -> Writer:
    opening, closing = f"<{name}>", f"</{name}>"
    nil = f'<{name} xmlns:xsi="{XSI}" xsi:nil="true"></{name}>'
    written: Callable[[Any], str]
    match form.kind:
        case "text":
            written = text_written
        case "base64":
            written = base64_of
        case "integer":
            written = str
        case _:
            written = {True: "true", False: "false"}.__getitem__

    def write(value: Any, append: Append) -> None:
        append(nil if value is None else opening + written(value) + closing)

    return write


def _write_body(holder_and_body: tuple[Mapping[str, Any], Any], append: Append) -> None:
    holder, body = holder_and_body
    type_, version = holder["type"], holder["version"]
    typed = _VERSIONS.get(type_) == version and not schema_errors(type_, version, body)
    name, write_inside = (type_, _record_writer(type_)) if typed else ("map", write_map)
    append(f"<{name}>")
    write_inside(body, append)
    append(f"</{name}>")


# --- reading -----------------------------------------------------------------------------------


@cache
def _record_reader(type_: str) -> Reader:
    return _members_reader(FORMS[type_])


def _members_reader(form: Record) -> Reader:
    """Return the function that reads the members of an object, once each and in their order."""
    places: dict[object, tuple[int, str, Reader]] = {
        _PREFIX + name: (number, name, _reader(part))
        for number, (name, part) in enumerate(form.members.items(), start=1)
    }

    def read(element: etree._Element, root: etree._Element) -> Json:
        refuse_attributes(element, root)
        members: Json = {}
        last = 0
        for child in parts_of(element, root):
            place = places.get(child.tag)
            if place is None:
                raise _unknown(child, root)
            number, name, read_member = place
            if number <= last:
                again = "twice" if name in members else "after members it stands before"
                raise form_error(child, root, f"the member {name} {again}")
            last = number
            members[name] = read_member(child, root)
        return members

    return read


def _unknown(element: etree._Element, root: etree._Element) -> XmlFormError:
    if element.tag == _SIGNATURE:
        detail = "a signature: verify it, and read the element that it covers without it"
    elif str(element.tag).startswith(_PREFIX):
        detail = f"no member {local_name(element)[:60]} here"
    else:
        detail = f"an element of another namespace: {str(element.tag)[:100]}"
    return form_error(element, root, detail)


def _reader(form: Form) -> Reader:
    if isinstance(form, Scalar):
        return _scalar_reader(form)
    if isinstance(form, Record):
        return _members_reader(form)
    if isinstance(form, OpenMap):
        return _read_open_map
    if isinstance(form, ListOf):
        return _list_reader(form)
    return _read_body


def _list_reader(form: ListOf) -> Reader:
    tag, read_item = _PREFIX + form.item_name, _reader(form.item)

    def read(element: etree._Element, root: etree._Element) -> list[Any]:
        refuse_attributes(element, root)
        items = []
        for child in parts_of(element, root):
            if child.tag != tag:
                raise _unknown(child, root)
            items.append(read_item(child, root))
        return items

    return read


def _read_open_map(element: etree._Element, root: etree._Element) -> Json:
    refuse_attributes(element, root)
    return read_map(element, root)


def _scalar_reader(form: Scalar) -> Reader:
    allowed = _MAY_BE_NIL if form.nillable else frozenset()
    kind = form.kind
    parse: Mapping[str, Callable[[str], Any]] = {
        "integer": integer_of,
        "boolean": boolean_of,
        "base64": text_of,
    }
    value_of = parse.get(kind)

    def read(element: etree._Element, root: etree._Element) -> Any:
        refuse_attributes(element, root, allowed)
        text = leaf_text(element, root)
        if form.nillable and (nil := element.get(_NIL)) is not None:
            if nil != "true" or text:
                raise form_error(element, root, 'null is xsi:nil="true" on an empty element')
            return None
        if value_of is None:
            return text
        value = value_of(text)
        if value is None:
            raise form_error(element, root, f"{text[:40]!r} is no {kind}")
        return value

    return read


def _read_body(element: etree._Element, root: etree._Element) -> Json:
    """Return a body; one that cannot be read is empty and keeps its fault to itself."""
    refuse_attributes(element, root)
    parts = list(parts_of(element, root))
    if len(parts) != 1:
        raise form_error(element, root, "a body holds one element")
    inner = parts[0]
    name = local_name(inner)
    try:
        if inner.tag == _PREFIX + "map":
            refuse_attributes(inner, inner)
            return read_map(inner, inner)
        if inner.tag == _PREFIX + name and name in _VERSIONS:
            _refuse_another_type(element, name)
            body: Json = _record_reader(name)(inner, inner)
            return body
        raise form_error(inner, inner, f"no message or notice is called {name[:60]}")
    except XmlFormError as fault:
        return _FaultyBody(fault, form_error(element, root, "").path)


def _refuse_another_type(body: etree._Element, name: str) -> None:
    said = {local_name(e): e.text for e in body.itersiblings(preceding=True)}
    if (said.get("type"), said.get("version")) != (name, str(_VERSIONS[name])):
        raise XmlFormError("", f"the body of {name} under another type or version", body.sourceline)
