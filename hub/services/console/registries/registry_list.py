"""The list of participants: a line each, and which of them are wanted in which order."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hub.services.console.registries.registry_keys import KeyEnd

CONNECTED: Final = ("party_registry", "mechanism_registry")
"""The kinds of participants that connect; the others are central."""


@dataclass(frozen=True, slots=True)
class RegistryLine:
    """One participant in the list.

    ``heard_at`` is when its newest recorded message came; questions leave no trace. ``queue`` are
    items without acknowledgement, the oldest of them since ``oldest_at``; ``circuit`` is closed,
    open or half-open. ``mode`` is None for who is not compared by kind.
    """

    code: str
    party: str
    kind: str
    name: str
    state: str
    is_suspended: bool
    heard_at: datetime | None
    binding: str
    delivery_mode: str
    queue: int
    oldest_at: datetime | None
    failure_count: int
    next_attempt_at: datetime | None
    circuit: str
    key_end: KeyEnd
    mode: str | None
    agreed_to: int | None
    agreed_at: datetime | None
    open_cases: int

    @property
    def is_backing_off(self) -> bool:
        """Tell whether the last attempt to deliver failed."""
        return self.failure_count > 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which participants to list, and in which order; None does not limit."""

    search: str | None = None
    state: str | None = None
    kind: str | None = None
    binding: str | None = None
    delivery: str | None = None
    mode: str | None = None
    trouble: str | None = None
    sort: str = "code"
    descending: bool = False


@dataclass(frozen=True, slots=True)
class RegistryList:
    """The lines wanted, of how many, and how many participants are in each state."""

    lines: tuple[RegistryLine, ...]
    total: int
    states: Mapping[str, int]


TROUBLES: Final = ("any", "backing_off", "waiting", "silent", "key_ends", "suspended", "cases")
SORTS: Final = (
    *("code", "party", "kind", "state", "heard", "binding", "delivery", "queue", "oldest"),
    *("back_off", "key", "mode", "agreed", "cases"),
)


def is_wanted(line: RegistryLine, wanted: Wanted, now: datetime) -> bool:
    """Tell whether a line is to be listed."""
    for asked, value in (
        (wanted.state, line.state),
        (wanted.kind, line.kind),
        (wanted.binding, line.binding),
        (wanted.delivery, line.delivery_mode),
        (wanted.mode, line.mode),
    ):
        if asked is not None and asked != value:
            return False
    if wanted.search is not None:
        sought = wanted.search.casefold()
        if not any(sought in text.casefold() for text in (line.code, line.party, line.name)):
            return False
    return wanted.trouble is None or has_trouble(line, wanted.trouble, now)


def has_trouble(line: RegistryLine, trouble: str, now: datetime) -> bool:
    """Tell whether a participant has one of ``TROUBLES``."""
    return _TROUBLES[trouble](line, now)


def _is_silent(line: RegistryLine, now: datetime) -> bool:
    if line.kind not in CONNECTED or line.state != "active":
        return False
    return line.heard_at is None or (now - line.heard_at).days >= 1


def _has_ending_key(line: RegistryLine, now: datetime) -> bool:
    is_connected = line.kind in (*CONNECTED, "hub")
    return is_connected and line.state != "closed" and line.key_end.urgency(now) != "fine"


_TROUBLES: Final[Mapping[str, Callable[[RegistryLine, datetime], bool]]] = {
    "any": lambda line, now: any(
        _TROUBLES[one](line, now) for one in TROUBLES if one not in ("any", "waiting")
    ),
    "backing_off": lambda line, _: line.is_backing_off,
    "waiting": lambda line, _: line.queue > 0,
    "silent": _is_silent,
    "key_ends": _has_ending_key,
    "suspended": lambda line, _: line.is_suspended,
    "cases": lambda line, _: line.open_cases > 0,
}
_SORT_KEYS: Final[Mapping[str, Callable[[RegistryLine], Any]]] = {
    "code": lambda line: line.code,
    "party": lambda line: line.party,
    "kind": lambda line: line.kind,
    "state": lambda line: line.state,
    "heard": lambda line: line.heard_at,
    "binding": lambda line: line.binding,
    "delivery": lambda line: line.delivery_mode,
    "queue": lambda line: line.queue,
    "oldest": lambda line: line.oldest_at,
    "back_off": lambda line: line.failure_count,
    "key": lambda line: line.key_end.ends_at,
    "mode": lambda line: line.mode,
    "agreed": lambda line: line.agreed_at,
    "cases": lambda line: line.open_cases,
}


def in_order(lines: Iterable[RegistryLine], wanted: Wanted) -> list[RegistryLine]:
    """Return the lines in order; those without a value come last either way."""
    value = _SORT_KEYS[wanted.sort]
    by_code = sorted(lines, key=lambda line: line.code)
    known = [line for line in by_code if value(line) is not None]
    rest = [line for line in by_code if value(line) is None]
    return [*sorted(known, key=value, reverse=wanted.descending), *rest]
