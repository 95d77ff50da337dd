"""The libraries of the pages are what was published, with their licences, and all are listed."""

import re
from hashlib import sha256
from pathlib import Path
from typing import Final

from hub.console.assets import FOLDER

VENDOR: Final = FOLDER / "vendor"
ROW: Final = re.compile(r"\| `(\S+)` \| `([0-9a-f]{64})` \|")
OURS: Final = frozenset({"README.md"})
LICENCES: Final = ("LICENSE", "LICENSE-d3", "NOTICE")
TEMPLATES: Final = FOLDER.parent / "templates"


def listed() -> dict[str, str]:
    """Return the hash that the list gives for each file."""
    return dict(ROW.findall((VENDOR / "README.md").read_text(encoding="utf-8")))


def test_every_library_is_byte_for_byte_what_the_list_says() -> None:
    """Nothing was changed by hand."""
    for name, expected in listed().items():
        assert sha256((VENDOR / name).read_bytes()).hexdigest() == expected, name


def test_every_file_is_listed_or_a_licence() -> None:
    """No library comes in without version and licence."""
    files = {path.relative_to(VENDOR).as_posix() for path in VENDOR.rglob("*") if path.is_file()}
    unlisted = {one for one in files - set(listed()) - OURS if Path(one).name not in LICENCES}
    assert unlisted == set()
    for name in listed():
        assert (VENDOR / name).with_name("LICENSE").is_file(), name


def test_no_page_names_a_file_of_another_host() -> None:
    """Templates, styles and scripts of ours fetch nothing from elsewhere."""
    ours = [*TEMPLATES.rglob("*.html"), *FOLDER.glob("js/*.js"), *FOLDER.glob("css/**/*.css")]
    assert ours
    for path in ours:
        text = path.read_text(encoding="utf-8")
        for found in re.findall(r"(?:src|href|action)=[\"'](https?:)?//|url\([\"']?https?:", text):
            raise AssertionError(f"{path.name} fetches from another host: {found}")
        assert not re.search(r"(?:fetch|import|EventSource)\s*\(?\s*[\"'`]https?:", text), path.name


def test_no_template_has_script_or_style_of_its_own() -> None:
    """What the content policy would refuse is not written."""
    for path in TEMPLATES.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", text), path.name
        assert not re.search(r"\sstyle\s*=|<style|\son[a-z]+\s*=\s*[\"']|javascript:", text), (
            path.name
        )
        assert "|safe" not in text.replace(" ", ""), path.name
