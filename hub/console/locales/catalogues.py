"""Keep the catalogues of words up to date: ``python -m hub.console.locales.catalogues update``.

1. ``update`` reads every template and every module of the console, writes what is to be translated
   to ``console.pot``, and gives each language's ``console.po`` these texts: translations of before
   stay, those of texts that are gone wait at the end of the file and come back with their text.
2. ``check`` writes nothing; it fails where ``update`` would change a file.
3. ``missing fr`` lists what a language lacks.

The console reads the .po files as they are: there is nothing to compile.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from hub.console.translating import DOMAIN, LANGUAGES, LOCALES

CONSOLE: Final = Path(__file__).parents[1]
TEMPLATE: Final = LOCALES / f"{DOMAIN}.pot"
SOURCE_LANGUAGE: Final = "en"
TRANSLATED: Final = tuple(code for code in LANGUAGES if code != SOURCE_LANGUAGE)
_METHODS: Final = [("templates/**.html", "jinja2"), ("**.py", "python")]
_KEYWORDS: Final[dict[str, Any]] = {
    "_": None,
    "N_": None,
    "gettext": None,
    "translate": None,
    "ngettext": (1, 2),
    "translate_count": (1, 2),
}
_JINJA: Final = {
    "extensions": "jinja2.ext.do",
    "trimmed": "true",
    "newstyle_gettext": "true",
    "trim_blocks": "true",
    "lstrip_blocks": "true",
    "silent": "false",
}
_WIDTH: Final = 96
# Of the texts and not of the day: a file changes when its words do.
_MADE: Final = datetime(2026, 11, 23, tzinfo=UTC)
_HEADER: Final = """\
# Words of the ITMO Hub console.
# Written by `python -m hub.console.locales.catalogues update`; translations are kept.
# Language: {}
"""

Key = tuple[str, str | None]


def path_of(code: str) -> Path:
    """Return the file of a language's catalogue."""
    return LOCALES / code / "LC_MESSAGES" / f"{DOMAIN}.po"


def extracted() -> Catalog:
    """Return what the sources have to translate, in the order of the texts' files."""
    found = _empty(None)
    options = {"templates/**.html": _JINJA}
    for name, _, text, comments, context in extract_from_dir(
        CONSOLE, _METHODS, options, _KEYWORDS, ("Translators:",)
    ):
        found.add(text, locations=[(name, 1)], auto_comments=comments, context=context)
    return found


def updated(code: str, texts: Catalog) -> Catalog:
    """Return a language's catalogue with these texts and the translations there are."""
    before = read(code)
    known = {} if before is None else _translations(before)
    found = _empty(code)
    if before is not None and before.header_comment.strip():
        found.header_comment = before.header_comment
    for message in texts:
        if not message.id:
            continue
        of_before = known.pop(_key(message), None)
        translated = None if of_before is None else of_before.string
        if isinstance(translated, tuple) != isinstance(message.id, tuple):
            translated = None  # it has got a plural, or has lost it
        found.add(
            message.id,
            translated or _untranslated(found, message),
            locations=message.locations,
            auto_comments=message.auto_comments,
            context=message.context,
        )
    for (text, context), gone in known.items():
        if any(gone.string if isinstance(gone.string, tuple) else (gone.string,)):
            found.obsolete[text] = Message(gone.id, gone.string, context=context)
    return found


def _untranslated(catalogue: Catalog, message: Message) -> str | tuple[str, ...]:
    return ("",) * catalogue.num_plurals if message.pluralizable else ""


def _translations(catalogue: Catalog) -> dict[Key, Message]:
    """Return the messages that a catalogue has, also of texts that were gone."""
    every = [*catalogue.obsolete.values(), *catalogue]
    plurals = catalogue.num_plurals
    found: dict[Key, Message] = {}
    for message in every:
        if not message.id or message.fuzzy:
            continue
        if isinstance(message.id, tuple) and len(message.string or ()) != plurals:
            continue
        found[_key(message)] = message
    return found


def _key(message: Message) -> Key:
    text = message.id[0] if isinstance(message.id, (tuple, list)) else message.id
    return str(text), message.context


def _empty(code: str | None) -> Catalog:
    return Catalog(
        locale=code,
        domain=DOMAIN,
        project="ITMO Hub",
        version="console",
        header_comment=_HEADER.format(LANGUAGES.get(code or "", "none: the texts themselves")),
        creation_date=_MADE,
        revision_date=_MADE,
        msgid_bugs_address="docs/console.md",
        last_translator="ITMO Hub",
        language_team=LANGUAGES.get(code or "", "none"),
        fuzzy=False,
    )


def read(code: str) -> Catalog | None:
    """Return a language's catalogue as it is kept, None if there is none."""
    path = path_of(code)
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return read_po(file, locale=code, domain=DOMAIN)


def rendered(catalogue: Catalog) -> bytes:
    """Return a catalogue as its file."""
    made = BytesIO()
    write_po(made, catalogue, width=_WIDTH, sort_by_file=True, include_lineno=False)
    return made.getvalue()


def files() -> Iterator[tuple[Path, bytes]]:
    """Yield all files as they should be."""
    texts = extracted()
    yield TEMPLATE, rendered(texts)
    for code in TRANSLATED:
        yield path_of(code), rendered(updated(code, texts))


def missing(code: str) -> list[str]:
    """Return the texts that a language has no translation of."""
    return [
        _key(message)[0]
        for message in updated(code, extracted())
        if message.id and not _is_translated(message)
    ]


def _is_translated(message: Message) -> bool:
    strings = message.string
    return all(strings) if isinstance(strings, (tuple, list)) else bool(strings)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do as asked; exit status 1 when files are not up to date or texts are missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("update", "check", "missing"))
    parser.add_argument("language", nargs="?", choices=TRANSLATED, default="fr")
    asked = parser.parse_args(arguments)
    if asked.what == "missing":
        texts = missing(asked.language)
        print("\n".join(texts))
        return int(bool(texts))
    stale = [
        (path, content)
        for path, content in files()
        if not path.is_file() or path.read_bytes() != content
    ]
    for path, content in stale:
        print(path.relative_to(CONSOLE))
        if asked.what == "update":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return int(bool(stale) and asked.what == "check")


if __name__ == "__main__":
    sys.exit(main())
