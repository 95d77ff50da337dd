"""The console's words in six languages: the catalogues fit the sources, and French is complete."""

import re
from html.parser import HTMLParser
from io import BytesIO
from typing import Any, Final

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from hub.console.locales import catalogues
from hub.console.rendering import environment
from hub.console.translating import LANGUAGES, language
from hub.services.people.roles import Role
from tests.hub.console.console_world import ConsoleWorld
from tests.hub.console.every_route import READING, address

COMPLETE: Final = ("fr",)
QUOTED: Final = {
    "/acts/3": frozenset({"pull", "registered"}),  # as the act's document has it
    "/public": frozenset({"International registry"}),  # the name it was registered under
    "/registries": frozenset({"International registry"}),
}
"""What pages say word for word, though it looks like a text of ours."""
_NAMED: Final = re.compile(r"%\((\w+)\)[sd]|\{(\w+)\}")
_TAG: Final = re.compile(r"<[^>]*>")


def forms(value: Any) -> tuple[str, ...]:
    """Return the forms of a text or a translation, one without plurals."""
    return tuple(value) if isinstance(value, (tuple, list)) else (str(value),)


def kept(code: str) -> Catalog:
    """Return a language's catalogue as it is kept."""
    found = catalogues.read(code)
    assert found is not None, f"there is no catalogue of {code}"
    return found


def translated(catalogue: Catalog) -> list[Message]:
    """Return the messages that have a translation."""
    return [one for one in catalogue if one.id and all(forms(one.string))]


def test_the_catalogues_are_up_to_date_with_the_sources(capsys: pytest.CaptureFixture[str]) -> None:
    """Who changes a text of a page runs ``python -m hub.console.locales.catalogues update``."""
    status = catalogues.main(["check"])
    assert status == 0, f"{capsys.readouterr().out} would be changed by `update`"


@pytest.mark.parametrize("code", COMPLETE)
def test_a_complete_language_has_every_text(code: str) -> None:
    """None is empty, and none is a guess (fuzzy), which is not shown."""
    catalogue = kept(code)
    assert [one.id for one in catalogue if one.id and one.fuzzy] == []
    assert [one.id for one in catalogue if one.id and not all(forms(one.string))] == []


@pytest.mark.parametrize("code", catalogues.TRANSLATED)
def test_a_translation_has_the_places_and_the_markup_of_its_text(code: str) -> None:
    """A name in braces that is not in the text would fail the page; one left out loses a fact."""
    for one in translated(kept(code)):
        texts, ours = forms(one.id), forms(one.string)
        known = {name for text in texts for name in _NAMED.findall(text)}
        assert set(_NAMED.findall(ours[-1])) == set(_NAMED.findall(texts[-1])), one.id
        for text in ours:
            assert set(_NAMED.findall(text)) <= known, one.id
            assert _TAG.findall(text) in [_TAG.findall(said) for said in texts], one.id


@pytest.mark.parametrize("code", catalogues.TRANSLATED)
def test_each_language_is_prepared_with_its_own_plurals(code: str) -> None:
    """Arabic has six forms, Russian three, Chinese one; every catalogue has room for its own."""
    expected = {"fr": 2, "es": 2, "ar": 6, "ru": 3, "zh": 1}
    catalogue = kept(code)
    assert catalogue.num_plurals == expected[code]
    for one in catalogue:
        if one.id and one.pluralizable:
            assert len(forms(one.string)) == catalogue.num_plurals, one.id


def test_texts_that_come_back_find_their_translation_again() -> None:
    """A translation outlives the text it was made for, in case that text returns."""
    texts = catalogues.extracted()
    first = next(one for one in texts if one.id and isinstance(one.id, str))
    ours = catalogues.updated("fr", texts)
    del texts[first.id]
    without = catalogues.updated("fr", texts)
    assert first.id not in without
    assert first.id in ours


class _Texts(HTMLParser):
    """Collects what a reader is shown of a page, but for what says itself that it is English."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        english = named.get("lang") == "en" or tag in ("script", "style", "code", "pre")
        english = english or "said" in (named.get("class") or "").split()  # word for word
        within = english or self._is_english
        if tag not in ("meta", "link", "input", "br", "img", "hr", "path", "rect", "line"):
            self._open.append((tag, within))
        if not within:
            for name in ("aria-label", "title", "placeholder", "alt"):
                self._add(named.get(name) or "")

    def handle_endtag(self, tag: str) -> None:
        names = [name for name, _ in self._open]
        if tag in names:
            del self._open[len(names) - 1 - names[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        if not self._is_english:
            self._add(data)

    @property
    def _is_english(self) -> bool:
        return bool(self._open) and self._open[-1][1]

    def _add(self, text: str) -> None:
        self.found.add(" ".join(text.split()))


async def test_pages_in_french_have_no_english_left(console: ConsoleWorld) -> None:
    """What is marked to be translated is translated where it is shown, on every page."""
    ours = {
        " ".join(text.split())
        for one in translated(kept("fr"))
        for text, other in zip(forms(one.id), forms(one.string), strict=False)
        if text != other
    }
    # What is the same in both languages somewhere cannot tell which of them it is.
    ours -= {text for one in translated(kept("fr")) for text in forms(one.string)}
    console.person(Role.ADMINISTRATOR.value, "zoe")
    left: dict[str, set[str]] = {}
    for page in (address(route) for route in READING if route.path != "/live"):
        answer = await console.get(page, as_="zoe", **{"Accept-Language": "fr"})
        if "text/html" in answer.headers.get("Content-Type", ""):
            assert '<html lang="fr" dir="ltr"' in answer.text, page
            texts = _Texts()
            texts.feed(answer.text)
            if found := texts.found & ours - QUOTED.get(page, frozenset()):
                left[page] = found
    told = "\n".join(f"{page}: {sorted(found)}" for page, found in left.items())
    assert not left, told


async def test_arabic_pages_read_from_right_to_left(console: ConsoleWorld) -> None:
    """The direction, and the style sheet that is made for it."""
    page = await console.get("/cases", **{"Accept-Language": "ar"})
    assert '<html lang="ar" dir="rtl"' in page.text
    assert "tabler.rtl.min.css" in page.text
    assert "tabler.min.css" not in page.text


def test_a_language_that_is_not_finished_falls_back_to_english() -> None:
    """Nobody sees an empty page because nobody translated it yet."""
    for code in LANGUAGES:
        assert language(code).translations.gettext("There is no such text") == (
            "There is no such text"
        )
        assert language(code).translations.gettext("Transfers").strip()


def test_what_is_not_translated_is_english_in_its_plurals_too() -> None:
    """Arabic has six of them and Chinese one: English texts go by neither."""
    one, many = "%(shown)s open case", "%(shown)s open cases"
    for code in set(LANGUAGES) - {"fr"}:
        words = language(code).translations
        found = [words.ngettext(one, many, count) for count in (0, 1, 2, 16, 21)]
        assert found == [many, one, many, many, many], code


def test_a_text_that_is_gone_waits_with_its_plural(monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be written to a file, read from it, and comes back with its text."""
    texts = ("%(count)s open door", "%(count)s open doors")
    kept, empty = catalogues.read("fr"), Catalog()
    assert kept is not None
    kept.add(texts, ("%(count)s porte ouverte", "%(count)s portes ouvertes"))
    monkeypatch.setattr(catalogues, "read", lambda _: kept)
    gone = catalogues.rendered(catalogues.updated("fr", empty))
    assert b'#~ msgid_plural "%(count)s open doors"' in gone
    kept = read_po(BytesIO(gone), locale="fr", domain="console")
    again = Catalog()
    again.add(texts)
    back = catalogues.updated("fr", again)
    assert back[texts[0]].string == ("%(count)s porte ouverte", "%(count)s portes ouvertes")


async def test_a_page_is_in_the_language_of_its_reader_whoever_read_it_first(
    console: ConsoleWorld,
) -> None:
    """Templates are kept for all readers; the words in them are not."""
    environment.cache_clear()
    for code, word, other in (
        ("en", "flows", "passe"),
        ("fr", "passe", "flows"),
        ("en", "flows", "passe"),
    ):
        page = await console.get("/", **{"Accept-Language": code})
        assert f"<td>{word}</td>" in page.text
        assert f"<td>{other}</td>" not in page.text
