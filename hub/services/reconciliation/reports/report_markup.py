"""HTML and SVG as values: whatever is not made here is text, and is escaped.

Text of peers may hold anything. Control characters and those that turn the direction of writing
(by which a text can look like another) become a replacement sign.
"""

import re
from html import escape
from typing import Final

_UNSEEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_VOID: Final = frozenset({"meta", "br"})

Attribute = str | int | float | bool | None


class Markup(str):
    """A text that is markup already."""

    __slots__ = ()


Child = str | int | None


def text(value: str | int) -> Markup:
    """Return a text as markup that shows it."""
    return Markup(escape(_UNSEEN.sub("\ufffd", str(value)), quote=True))


def tag(name: str, /, *children: Child, **attributes: Attribute) -> Markup:
    """Return an element. ``class_`` is ``class``, other underscores are hyphens; None is left out.

    True stands for an attribute without a value. Children that are no markup are escaped.
    """
    inside = "".join(
        child if isinstance(child, Markup) else text(child)
        for child in children
        if child is not None
    )
    start = f"<{name}{''.join(_attribute(*one) for one in attributes.items())}>"
    return Markup(start if name in _VOID and not inside else f"{start}{inside}</{name}>")


def svg_leaf(name: str, /, **attributes: Attribute) -> Markup:
    """Return an element of SVG without children, closed as SVG wants it."""
    return Markup(f"<{name}{''.join(_attribute(*one) for one in attributes.items())}/>")


def joined(parts: list[Markup]) -> Markup:
    """Return markup one after the other."""
    return Markup("".join(parts))


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    spelled = name.rstrip("_").replace("_", "-")
    return f" {spelled}" if value is True else f' {spelled}="{text(str(value))}"'
