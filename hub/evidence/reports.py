"""What a verifier says: lines that are PROVED, NOT PROVED or FAILED, and one verdict.

NOT PROVED is no fault: it says what this bundle, or any bundle, cannot show.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from hub.evidence.archives import Json

PROVED: Final = "PROVED"
NOT_PROVED: Final = "NOT PROVED"
FAILED: Final = "FAILED"
OPEN: Final = "open"
# A bundle's own words are shown without what could rewrite a terminal's lines.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str) -> str:
    """Return a text without what could rewrite a terminal's lines, or that has no UTF-8."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: its status, what it is about, and plain words."""

    status: str
    about: str
    text: str

    @classmethod
    def of(cls, status: str, about: str, text: str) -> Finding:
        """Return a line fit for a screen, whatever a bundle put into it."""
        return cls(status, plain(about), plain(text))


# What is checked, in the order in which it is.
TREE: Final = "tree"
COSIGNATURES: Final = "cosignatures"
KEYS: Final = "keys"
LEAF: Final = "leaf"
CONTENT: Final = "content"
SIGNATURE: Final = "signature"
RECEIPT: Final = "receipt"
DELIVERY: Final = "delivery"
ACT: Final = "act"
STORY: Final = "story"


@dataclass(frozen=True, slots=True)
class Step:
    """One check and what came of it: ``kind`` is what was checked, ``about`` of which part."""

    kind: str
    about: str
    status: str
    text: str

    @classmethod
    def of(cls, kind: str, about: str, status: str, text: str) -> Step:
        """Return a step fit for a screen, whatever a bundle put into it."""
        return cls(kind, plain(about), status, plain(text))


class Steps:
    """The checks as they are made: what is begun, and what came of it."""

    def __init__(self) -> None:
        self.made: list[Step] = []
        self._kind, self._about = TREE, ""

    def begin(self, kind: str, about: str | None = None) -> None:
        """Say what is checked next, of the same part or of another; if it fails, that is where."""
        self._kind, self._about = kind, self._about if about is None else about

    def end(self, text: str, status: str = PROVED) -> None:
        """Note what came of what was begun."""
        self.made.append(Step.of(self._kind, self._about, status, text))


@dataclass(frozen=True, slots=True)
class Report:
    """What one bundle proves.

    `outcome` is how the transfer ended: completed, rejected, cancelled, expired; open when there is
    a proposal and nothing that ends it, which more entries might; unknown when that is not shown.
    `complete` is False when contents are missing, as after their time of retention. `steps` are the
    checks one by one, in order; the findings say the same in fewer lines.
    """

    transfer_id: str
    outcome: str
    complete: bool
    findings: tuple[Finding, ...]
    steps: tuple[Step, ...] = ()

    @property
    def verdict(self) -> str:
        """Return failed, proved, or proved in part."""
        if any(one.status == FAILED for one in self.findings):
            return "failed"
        return "proved" if self.complete else "proved in part"

    def document(self) -> Json:
        """Return the report as JSON carries it."""
        return {
            "verdict": self.verdict,
            "transfer_id": self.transfer_id,
            "outcome": self.outcome,
            "findings": [
                {"status": one.status, "about": one.about, "text": one.text}
                for one in self.findings
            ],
        }

    def lines(self) -> list[str]:
        """Return the report as a person reads it, one finding a line and the verdict last."""
        shown = [f"{one.status:<10}  {one.about}: {one.text}" for one in self.findings]
        # That nothing ended it is what no file can show.
        ended = "no end of it is here" if self.outcome == OPEN else self.outcome
        return [*shown, f"{self.verdict.upper()}: transfer {self.transfer_id}, {ended}"]
