"""An act in two halves: the deed (what is done, as plain data) and who does it, when and why.

1. A deed is complete: kind, subject and parameters hold everything that has effect. So it can be
   signed, stored, shown to another administrator and done later, exactly as it was.
2. Its canonical form is one text for one deed: what is done equals what was signed when the texts
   are equal. Numbers in it are whole numbers.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

# Half of what a text may have: a finding gives the reason of a suspension after words of its own.
REASON_CHARACTERS_MAX: Final = 1000
ACTOR_CHARACTERS_MAX: Final = 100
# Neither text nor a line, as the schemas have it; a lone surrogate is what Python makes of a byte
# on the command line that is no UTF-8.
_NO_TEXT: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_NO_LINE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class AdministrationError(Exception):
    """An act that cannot be done; the message says why and what would be right."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What is done, apart from who does it and why. ``parameters`` are plain JSON."""

    kind: str
    subject: str
    parameters: Mapping[str, Any]

    def canonical(self) -> bytes:
        """Return the one text of this deed. Raises AdministrationError if it has none."""
        return canonical(
            {"kind": self.kind, "subject": self.subject, "parameters": self.parameters}
        )


@dataclass(frozen=True, slots=True)
class Act:
    """Who acts, when, and why. Raises AdministrationError if nobody could be told so.

    The reason travels in notices, so it is 1 to REASON_CHARACTERS_MAX characters of text, of the
    control characters only line feed and tab.
    """

    actor: str
    reason: str
    at: datetime

    def __post_init__(self) -> None:
        if not self.reason.strip() or len(self.reason) > REASON_CHARACTERS_MAX:
            raise AdministrationError(f"a reason has 1 to {REASON_CHARACTERS_MAX} characters")
        if not is_text(self.reason, REASON_CHARACTERS_MAX):
            raise AdministrationError("a reason has no control characters but line feed and tab")
        if not is_line(self.actor, ACTOR_CHARACTERS_MAX):
            raise AdministrationError(
                f"an actor's name is one line of 1 to {ACTOR_CHARACTERS_MAX} characters"
            )


def is_line(text: str, characters_max: int) -> bool:
    """Tell whether the text is one line of 1 to ``characters_max`` characters."""
    return 1 <= len(text) <= characters_max and _NO_LINE.search(text) is None


def is_text(text: str, characters_max: int) -> bool:
    """Tell whether it is text of 1 to ``characters_max`` characters, not of white space alone."""
    return bool(text.strip()) and len(text) <= characters_max and _NO_TEXT.search(text) is None


def canonical(value: Any) -> bytes:
    """Return plain JSON in its one form: members sorted, no white space, UTF-8.

    Raises AdministrationError for a text that is no Unicode.
    """
    try:
        return msgspec.json.encode(value, order="sorted")
    except (UnicodeEncodeError, ValueError) as error:
        raise AdministrationError("a text of the act is no Unicode (UTF-8)") from error


def require_same(made: Deed, deed: Deed) -> None:
    """Raise AdministrationError if a deed says more or less than what is made of it."""
    if made.canonical() != deed.canonical():
        raise AdministrationError(
            f"the parameters of {deed.kind} {deed.subject[:60]} are not those of this act"
        )
