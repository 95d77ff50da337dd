"""The documents as tests read them: their text, code blocks, links and anchors."""

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "docs"
NAMES = (
    "protocol.md",
    "operating.md",
    "joining.md",
    "security.md",
    "evidence.md",
    "xml-binding.md",
    "mechanism-registry.md",
    "reconciliation.md",
    "console.md",
)
_BLOCK = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """One fenced block: its language, the words after it, and its text."""

    language: str
    words: tuple[str, ...]
    text: str


def text_of(name: str) -> str:
    """Return a document's text."""
    return (FOLDER / name).read_text(encoding="utf-8")


def blocks_of(name: str, language: str) -> list[CodeBlock]:
    """Return a document's code blocks of one language, in order."""
    found = [CodeBlock(m[1], tuple(m[2].split()), m[3]) for m in _BLOCK.finditer(text_of(name))]
    return [block for block in found if block.language == language]


def links_of(name: str) -> list[str]:
    """Return the targets of a document's links, code blocks left out."""
    return _LINK.findall(_BLOCK.sub("", text_of(name)))


def anchors_of(name: str) -> set[str]:
    """Return the anchors of a document's headings, as a forge makes them."""
    headings = _HEADING.findall(_BLOCK.sub("", text_of(name)))
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}
