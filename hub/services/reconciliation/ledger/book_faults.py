"""What a check of the hub's own books found, and how it is kept with its night."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec

FAULTS_MAX: Final = 1_000
"""Faults that are kept of one check; all are counted."""


class FaultKind(StrEnum):
    """What is wrong with the hub's own books."""

    OVERLAP = "overlap"
    JOURNAL = "journal"
    DIFFERENCE = "difference"
    CONSERVATION = "conservation"
    SERIES = "series"
    DIGEST = "digest"
    ROOT = "root"
    MOVEMENT = "movement"
    FREEZE = "freeze"


@dataclass(frozen=True, slots=True)
class BookFault:
    """One thing that must not be. ``subject`` is a range, a registry or a case."""

    kind: FaultKind
    subject: str
    text: str
    series_id: int | None = None


@dataclass(frozen=True, slots=True)
class OwnBooks:
    """What a check of the own books looked at, and what it found.

    ``checked_to`` is the log index up to which every touched series was looked at. Registries
    whose key is not at hand are in ``unkeyed``: their digests were not looked at.
    """

    checked_to: int
    series_known: int
    series_checked: int
    block_count: int
    posting_count: int
    digest_count: int
    seconds: float
    unkeyed: tuple[str, ...] = ()
    fault_count: int = 0
    faults: tuple[BookFault, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Tell whether nothing was wrong with what was looked at."""
        return self.fault_count == 0

    def as_json(self) -> str:
        """Return the check as it is kept with its night."""
        return msgspec.json.encode(self).decode()

    def document(self) -> dict[str, Any]:
        """Return the check as JSON values."""
        built: dict[str, Any] = msgspec.to_builtins(self)
        return built

    @classmethod
    def from_json(cls, text: str) -> "OwnBooks":
        """Return a check that was kept. Raises msgspec.ValidationError if it is none."""
        return msgspec.json.decode(text, type=cls)
