"""Words of the console in the reader's language: Babel's catalogues, read as they are written.

1. Templates say ``_("Open cases")``; Python marks with ``N_("Open cases")`` and the template, or
   ``translate``, finds the words when the page is made for somebody.
2. A catalogue is ``locales/<language>/LC_MESSAGES/console.po``. It is read at the start, so there
   is nothing to compile; a text that is not translated yet is shown in English.
3. The language is the person's own choice, else the cookie's, else what the browser asks for.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final

from babel import Locale, negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

LOCALES: Final = Path(__file__).parent / "locales"
LANGUAGES: Final = {
    "en": "English",
    "fr": "Français",
    "es": "Español",
    "ar": "العربية",
    "ru": "Русский",
    "zh": "中文",
}
"""The six languages of the United Nations, each in its own name."""
DOMAIN: Final = "console"
_LANGUAGE: ContextVar[str] = ContextVar("language", default="en")


def N_(text: str) -> str:  # noqa: N802 - the usual name of the mark that extraction looks for
    """Mark a text that is translated where it is shown."""
    return text


@dataclass(frozen=True, slots=True)
class Language:
    """A language pages are made in."""

    code: str
    locale: Locale
    translations: NullTranslations

    @property
    def direction(self) -> str:
        """``ltr`` or ``rtl``."""
        return str(self.locale.text_direction)


@cache
def language(code: str) -> Language:
    """Return a language of ``LANGUAGES``; English for what is none."""
    if code not in LANGUAGES:
        code = "en"
    return Language(code, Locale.parse(code), _catalogue(code))


def _catalogue(code: str) -> NullTranslations:
    path = LOCALES / code / "LC_MESSAGES" / f"{DOMAIN}.po"
    if not path.is_file():
        return NullTranslations()
    with path.open("rb") as file:
        catalogue = read_po(file, locale=code, domain=DOMAIN)
    # Untranslated plurals would be written as English ones by the language's own rule of plurals,
    # "1 cases" in Arabic; left out, English has its own.
    for message in [one for one in catalogue if one.pluralizable and not any(one.string or ())]:
        catalogue.delete(message.id, message.context)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled, domain=DOMAIN)


def negotiate(accepted: str | None, *chosen: str | None) -> str:
    """Return the language of a reader: the first chosen one, else what the browser asks for."""
    for one in chosen:
        if one in LANGUAGES:
            return one
    wanted = [part.partition(";")[0].strip() for part in (accepted or "")[:500].split(",")]
    return negotiate_locale([one for one in wanted if one], list(LANGUAGES), sep="-") or "en"


def use(code: str) -> None:
    """Make what follows in this task in a language."""
    _LANGUAGE.set(code)


def current() -> Language:
    """Return the language of this task."""
    return language(_LANGUAGE.get())


def translate(text: str) -> str:
    """Return a marked text in the language of this task."""
    return str(current().translations.gettext(text)) if text else text


def translate_count(one: str, many: str, count: int) -> str:
    """Return the words for a count in the language of this task."""
    return str(current().translations.ngettext(one, many, count))
