"""XML of documents that are wrong, as a careless program would write it.

``forged`` writes any JSON value by names alone, whatever the forms say: unknown members, wrong
kinds, missing parts. ``xml_of`` lets tests write elements by hand.
"""

from typing import Any

from lxml import etree

from message_schemas.xml_forms import (
    FORMS,
    NAMESPACE,
    XSI,
    Form,
    ListOf,
    OpenMap,
    Record,
    TypedBody,
    singular,
)
from message_schemas.xml_values import write_map


def xml_of(type_: str, inside: str) -> bytes:
    """Return the document of a type around written content."""
    return f'<{type_} xmlns="{NAMESPACE}" xmlns:xsi="{XSI}">{inside}</{type_}>'.encode()


def forged(type_: str, document: dict[str, Any]) -> bytes:
    """Return XML that says the document as well as names and nesting can.

    Raises ValueError where a character cannot stand in XML at all.
    """
    root = etree.Element(_named(type_), nsmap={None: NAMESPACE, "xsi": XSI})
    _fill(root, document, FORMS[type_])
    return etree.tostring(root)


def _named(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _fill(element: etree._Element, value: Any, form: Form | None) -> None:
    if isinstance(value, dict):
        members = dict(form.members) if isinstance(form, Record) else {}
        for name in [*(n for n in members if n in value), *(n for n in value if n not in members)]:
            _add(element, name, value, members.get(name))
    elif isinstance(value, list):
        item_name = singular(etree.QName(element).localname)
        item = form.item if isinstance(form, ListOf) else None
        for part in value:
            _fill(etree.SubElement(element, _named(item_name)), part, item)
    elif value is None:
        element.set(f"{{{XSI}}}nil", "true")
    else:
        element.text = str(value).lower() if isinstance(value, bool) else str(value)


def _add(element: etree._Element, name: str, holder: dict[str, Any], form: Form | None) -> None:
    value = holder[name]
    if isinstance(form, TypedBody):
        body = etree.SubElement(element, _named(name))
        inner = str(holder.get("type")) if isinstance(value, dict) else "array"
        _fill(etree.SubElement(body, _named(inner)), value, FORMS.get(inner))
    elif isinstance(form, OpenMap) and isinstance(value, dict):
        parts: list[str] = []
        write_map(value, parts.append)
        text = f'<{name} xmlns="{NAMESPACE}">{"".join(parts)}</{name}>'
        element.append(etree.fromstring(text))
    else:
        _fill(etree.SubElement(element, _named(name)), value, form)
