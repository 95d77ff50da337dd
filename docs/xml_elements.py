"""A small tree of elements and its text: what the generator of the XML Schemas writes with.

The text is indented and plain ASCII; everything else, and what an editor would not show, stands
as a character reference.
"""

from dataclasses import dataclass
from typing import Final

_NAMED: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


@dataclass(frozen=True, slots=True)
class Node:
    """One element of an XML Schema: its name there, attributes, children or text."""

    tag: str
    attributes: dict[str, str]
    children: tuple["Node", ...]
    text: str


def node(tag: str, /, *children: Node, text: str = "", **attributes: str) -> Node:
    """Return an element; its name comes first among its attributes."""
    named = {"name": attributes["name"]} if "name" in attributes else {}
    return Node(tag, {**named, **attributes}, children, text)


def rendered(one: Node, indent: str = "") -> str:
    """Return the text of an element and all in it, ending in a line feed."""
    names = "".join(f' {name}="{_escaped(value)}"' for name, value in one.attributes.items())
    opening = f"{indent}<xs:{one.tag}{names}"
    if one.text:
        return f"{opening}>{_escaped(one.text)}</xs:{one.tag}>\n"
    if not one.children:
        return f"{opening}/>\n"
    inside = "".join(rendered(child, indent + "  ") for child in one.children)
    return f"{opening}>\n{inside}{indent}</xs:{one.tag}>\n"


def _escaped(text: str) -> str:
    return "".join(_NAMED.get(c) or (c if " " <= c <= "~" else f"&#x{ord(c):X};") for c in text)
