"""What people type: read within limits, and refused with the name, the rule and the remedy.

The same readers serve a form that was posted and the query of an address.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from aiohttp import web

from hub.console.translating import N_, translate

CSRF: Final = "csrf"
_NO_TEXT: Final = frozenset(map(chr, (*range(9), 11, 12, *range(14, 32), 127)))


class FormError(Exception):
    """Something typed cannot be taken; ``field`` is its name, the message what would be right."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class Fields:
    """Typed values by name. Every reader raises FormError for what it cannot take."""

    def __init__(self, values: Any) -> None:
        self._values = values

    def raw(self, name: str) -> str:
        """Return a value as it came, or an empty text."""
        value = self._values.get(name, "")
        return value if isinstance(value, str) else ""

    def text(self, name: str, characters_max: int = 200) -> str:
        """Return a text of 1 to ``characters_max`` characters, without white space around it."""
        found = self.optional_text(name, characters_max)
        if found is None:
            raise FormError(name, translate(N_("This is needed.")))
        return found

    def optional_text(self, name: str, characters_max: int = 200) -> str | None:
        """Return a text, or None if there is none."""
        value = self.raw(name).replace("\r\n", "\n").strip()
        if not value:
            return None
        if len(value) > characters_max:
            message = translate(N_("At most {max} characters; these are {count}."))
            raise FormError(name, message.format(max=characters_max, count=len(value)))
        if not _NO_TEXT.isdisjoint(value):
            raise FormError(name, translate(N_("This has characters that no text has.")))
        return value

    def choice(self, name: str, allowed: Collection[str]) -> str:
        """Return one of the allowed values."""
        value = self.raw(name).strip()
        if value not in allowed:
            message = translate(N_("Choose one of: {choices}."))
            raise FormError(name, message.format(choices=", ".join(allowed)))
        return value

    def optional_choice(self, name: str, allowed: Collection[str]) -> str | None:
        """Return one of the allowed values, or None if there is none."""
        return self.choice(name, allowed) if self.raw(name).strip() else None

    def number(self, name: str, least: int, most: int) -> int:
        """Return a whole number from ``least`` to ``most``."""
        value = self.raw(name).strip()
        if not value.isascii() or not value.removeprefix("-").isdigit() or len(value) > 19:
            raise FormError(name, translate(N_("This is no whole number.")))
        if not least <= int(value) <= most:
            message = translate(N_("Give a number from {least} to {most}."))
            raise FormError(name, message.format(least=least, most=most))
        return int(value)

    def optional_number(self, name: str, least: int, most: int) -> int | None:
        """Return a whole number, or None if there is none."""
        return self.number(name, least, most) if self.raw(name).strip() else None

    def many(self, name: str, count_max: int = 500, characters_max: int = 200) -> list[str]:
        """Return all values of a name, at most ``count_max``."""
        values = [one for one in self._all(name) if isinstance(one, str) and one.strip()]
        if len(values) > count_max or any(len(one) > characters_max for one in values):
            message = translate(N_("At most {max} at once."))
            raise FormError(name, message.format(max=count_max))
        return [one.strip() for one in values]

    def is_set(self, name: str) -> bool:
        """Tell whether a box is ticked."""
        return bool(self.raw(name))

    def typed(self) -> Mapping[str, str]:
        """Return what was typed, to be shown again beside an error; no secrets among it."""
        return {
            name: value
            for name, value in self._values.items()
            if isinstance(value, str) and name != CSRF and "password" not in name
        }

    def _all(self, name: str) -> list[Any]:
        getall = getattr(self._values, "getall", None)
        if getall is None:
            return [self._values[name]] if name in self._values else []
        return list(getall(name, []))


FORM: Final[web.RequestKey[Fields]] = web.RequestKey("form")


class Query(Fields):
    """The query of an address."""

    def __init__(self, request: web.Request) -> None:
        super().__init__(request.query)


async def read_form(request: web.Request) -> Fields:
    """Return the form of a request; its token was checked before the page was called.

    Raises HTTPBadRequest for what no browser sends from a page of ours.
    """
    if FORM not in request:
        request[FORM] = Fields(await _posted(request))
    return request[FORM]


def is_utf8(request: web.Request) -> bool:
    """Tell whether a body says that it is UTF-8, or says nothing.

    Python would read many more, some of which take minutes for what a request may have.
    """
    return (request.charset or "utf-8").lower() == "utf-8"


async def _posted(request: web.Request) -> Any:
    """Return the fields of a body; what is no form has none."""
    if request.content_type != "application/x-www-form-urlencoded":
        return {}
    if not is_utf8(request):
        raise web.HTTPBadRequest
    try:
        return await request.post()
    except UnicodeDecodeError:
        raise web.HTTPBadRequest from None
