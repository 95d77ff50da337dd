"""From a page's values to its HTML: one environment of templates, with the words of its reader.

What pages show is escaped always; nothing is marked as safe but what is made here.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from babel.dates import format_date, format_timedelta
from babel.numbers import format_decimal
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from hub.console import translating
from hub.console.flash import filled, flash_of, forget_flash
from hub.console.navigation import entries
from hub.console.parts.act_words import kind_word
from hub.console.security import PERSON, csrf_token
from hub.console.surroundings import console_of
from hub.console.translating import LANGUAGES, translate, translate_count
from hub.console.words import word
from hub.services.people.roles import Right, Role, may
from hub.services.people.sessions import SignedIn

TEMPLATES: Final = Path(__file__).parent / "templates"
# In a script block nothing is escaped as in HTML: what could end it is written another way.
_IN_SCRIPT: Final = {ord(one): f"\\u{ord(one):04x}" for one in "<>&\u2028\u2029"}


async def render(
    request: web.Request, template: str, /, status: int = 200, **values: Any
) -> web.Response:
    """Return a page. ``values`` are what the template names, beside what all pages have."""
    console = console_of(request)
    person = request[PERSON]
    role, flash = _room_role(person), flash_of(request)
    shared: Mapping[str, Any] = {
        "person": person,
        "can": lambda right: role is not None and may(role, Right(right)),
        "here": request.path_qs,
        "path": request.path,
        "navigation": entries(role, request.path),
        "asset": console.assets.address,
        "csrf_field": lambda: Markup('<input type="hidden" name="csrf" value="{}">').format(
            csrf_token(request)
        ),
        "csrf_token": lambda: csrf_token(request),
        "flash": flash,
        "language": translating.current(),
        "languages": LANGUAGES,
        "theme": _theme(request, person),
        "now": console.ground.clock(),
        "hub": console.ground.identity.hub,
        "has_public_page": console.ground.console.public_page,
    }
    text = environment().get_template(template).render({**shared, **values})
    response = web.Response(text=text, content_type="text/html", status=status)
    if flash is not None:
        forget_flash(request, response)
    return response


def _room_role(person: SignedIn | None) -> Role | None:
    """Return the role whose rooms are listed; somebody without a second factor has none yet."""
    return None if person is None or person.is_confined else person.role


def _theme(request: web.Request, person: SignedIn | None) -> str | None:
    """Return the colours somebody chose; what else a cookie says is nothing."""
    chosen = request.cookies.get("itmo-theme") if person is None else person.theme
    return chosen if chosen in ("light", "dark") else None


@cache
def environment() -> Environment:
    """Return the templates with their filters; an unknown name in one is a defect and is raised."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    made.policies["ext.i18n.trimmed"] = True
    made.install_gettext_callables(translate, translate_count, newstyle=True)  # type: ignore[attr-defined] # of the extension
    filters: dict[str, Callable[..., Any]] = {
        "instant": instant,
        "ago": ago,
        "day": day,
        "number": number,
        "units": units,
        "short": short,
        "ticked": ticked,
        "word": word,
        "json_script": json_script,
        "translated": translate,
        "filled": filled,
        "kind_word": kind_word,
    }
    made.filters.update({name: _for_each_reader(one) for name, one in filters.items()})
    return made


def _for_each_reader(found: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that is asked whenever a page is made.

    Of a constant, `"closed"|word("circuit")`, Jinja would else work it out once, when it reads the
    template, in the language of whoever came first.
    """

    @pass_context
    def asked(_: Context, *given: Any, **named: Any) -> Any:
        return found(*given, **named)

    return asked


# --- filters -------------------------------------------------------------------------------------


def instant(value: datetime | str | None, empty: str = "–") -> Markup:
    """Show an instant in UTC; a script adds the reader's own time, shown on hover.

    A text is an instant in the protocol's form.
    """
    if value is None:
        return escape(empty)
    given = datetime.fromisoformat(value) if isinstance(value, str) else value
    at = given.astimezone(UTC)
    return Markup('<time datetime="{}" class="instant">{}</time>').format(
        at.isoformat(timespec="milliseconds").replace("+00:00", "Z"), f"{at:%Y-%m-%d %H:%M:%S} UTC"
    )


def ago(value: datetime | None, now: datetime, empty: str = "–") -> Markup:
    """Show how long ago an instant is, or how soon it will be; the instant itself on hover."""
    if value is None:
        return escape(empty)
    at = value.astimezone(UTC)
    words = format_timedelta(
        at - now, add_direction=True, threshold=1.2, locale=translating.current().locale
    )
    return Markup('<time datetime="{}" class="instant" title="{}">{}</time>').format(
        at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        f"{at:%Y-%m-%d %H:%M:%S} UTC",
        words,
    )


def day(value: date | str | None, empty: str = "–") -> str:
    """Show a day in the reader's manner; a text is ``YYYY-MM-DD``."""
    if value is None:
        return empty
    found = date.fromisoformat(value) if isinstance(value, str) else value
    return str(format_date(found, format="medium", locale=translating.current().locale))


def number(value: int | float | None, empty: str = "–") -> str:
    """Show a number with the reader's separators; never in words or rounded."""
    if value is None:
        return empty
    return _decimal(value, translating.current().code)


@lru_cache(maxsize=10_000)
def _decimal(value: int | float, language: str) -> str:
    """Return a number in a language; a page has many, and mostly the same."""
    return str(format_decimal(value, locale=language))


def units(value: str) -> Markup:
    """Show serials; they may break anywhere, and keep their direction in any script."""
    return Markup('<code class="serial" dir="ltr">{}</code>').format(value)


def ticked(value: str) -> Markup:
    """Show a sentence of ours, with what stands between backticks as code."""
    parts = value.split("`")
    if len(parts) % 2 == 0:  # one is left over: nothing is marked
        return escape(value)
    shown = (
        Markup("<code>{}</code>").format(one) if at % 2 else escape(one)
        for at, one in enumerate(parts)
    )
    return Markup("").join(shown)


def short(value: str, characters: int = 60) -> Markup:
    """Show the beginning of a long text, all of it on hover."""
    if len(value) <= characters:
        return escape(value)
    return Markup('<span title="{}">{}…</span>').format(value, value[: characters - 1])


def json_script(value: Any, element_id: str) -> Markup:
    """Return data for a script: a block that no browser runs."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_IN_SCRIPT)
    return Markup('<script type="application/json" id="{}">{}</script>').format(
        element_id,
        Markup(text),  # noqa: S704 - what could end the block is escaped above
    )
