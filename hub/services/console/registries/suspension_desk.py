"""The desk of what is stopped: suspensions at every level, registries that are suspended, holds.

What may be suspended is checked here against what is there, before anybody signs: the service
takes a suspension of what nobody knows, for it must work in an emergency.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from hub.services.administration.deeds import AdministrationError
from hub.services.administration.suspensions import LEVELS, parse_range
from hub.services.console.ground import Ground
from hub.services.console.registries.registry_list import CONNECTED
from hub.store import reference
from hub.store.console import registry_states, stopped
from hub.store.console.registry_states import ActLine
from hub.store.console.stopped import Before, HeldBlock
from hub.store.reference import SuspensionRow
from message_schemas.catalogue import MESSAGE_TYPES

__all__ = [
    "ALL_LEVELS",
    "BLOCK",
    "HUB_SUBJECT",
    "Before",
    "History",
    "Stop",
    "StoppedNow",
    "SuspensionDesk",
    "Told",
    "read_place",
    "write_place",
]

BLOCK: Final = "block"
ALL_LEVELS: Final = ("hub", "participant", "pair", "message_type", "account", BLOCK)
assert set(ALL_LEVELS) == {*LEVELS, BLOCK}, "every level that the services know"
HUB_SUBJECT: Final = "*"
HOLDS_MAX: Final = 200
BLOCKS_SHOWN: Final = 10
_SUSPENDED: Final = "participant.suspend"


@dataclass(frozen=True, slots=True)
class Stop:
    """A suspension, and by which acts it was placed (and lifted), where they are found."""

    row: SuspensionRow
    placed: ActLine | None
    lifted: ActLine | None = None


@dataclass(frozen=True, slots=True)
class SuspendedRegistry:
    """A participant whose state is suspended, and since which act."""

    code: str
    name: str
    act: ActLine | None


@dataclass(frozen=True, slots=True)
class HeldUnits:
    """Units on hold by one act: the range it named, where they are now (the first blocks)."""

    name: str
    act: ActLine | None
    block_count: int
    blocks: tuple[HeldBlock, ...]

    @property
    def release(self) -> str:
        """The units that a release of all of it names, or nothing if that is not known."""
        return "" if self.act is None else self.act.subject


@dataclass(frozen=True, slots=True)
class StoppedNow:
    """All that is stopped now. ``frozen_cases`` have serials that only a comparison frees."""

    suspensions: tuple[Stop, ...]
    registries: tuple[SuspendedRegistry, ...]
    holds: tuple[HeldUnits, ...]
    has_more_holds: bool
    frozen_cases: int

    @property
    def count(self) -> int:
        """How much is stopped by an act."""
        return len(self.suspensions) + len(self.registries) + len(self.holds)


@dataclass(frozen=True, slots=True)
class History:
    """Suspensions that were lifted, the latest first, and the place where the next page begins."""

    stops: tuple[Stop, ...]
    next_before: Before | None


@dataclass(frozen=True, slots=True)
class Told:
    """Who gets a notice of a suspension: participants by code, or how many if all active ones."""

    codes: tuple[str, ...]
    is_all: bool


class SuspensionDesk:
    """Looks at what is stopped, and at what somebody wants to stop."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def now(self) -> StoppedNow:
        """Return all that is stopped now."""
        with self._ground.database.reading() as connection:
            rows = reference.suspensions(connection)
            suspended = [
                row for row in reference.participants(connection) if row.state == "suspended"
            ]
            acts = _newest_by_subject(
                registry_states.acts_on(connection, [one.code for one in suspended], [_SUSPENDED])
            )
            held = stopped.holds(connection, HOLDS_MAX + 1)
            return StoppedNow(
                suspensions=_stops(connection, rows),
                registries=tuple(
                    SuspendedRegistry(row.code, row.name, acts.get(row.code)) for row in suspended
                ),
                holds=_held(connection, held[:HOLDS_MAX]),
                has_more_holds=len(held) > HOLDS_MAX,
                frozen_cases=stopped.frozen_case_count(connection),
            )

    def history(self, before: Before | None, limit: int) -> History:
        """Return suspensions that were lifted, behind a place of the history."""
        with self._ground.database.reading() as connection:
            found = stopped.lifted(connection, before, limit + 1)
            stops = _stops(connection, found[:limit])
        if len(found) <= limit:
            return History(stops, None)
        last = found[limit - 1]
        assert last.lifted_at is not None, "the history is of those that were lifted"
        return History(stops, (last.lifted_at, last.placed_at, last.level, last.subject))

    def require_placeable(self, level: str, subject: str) -> Told:
        """Return who is told if this is suspended now. Raises AdministrationError if it cannot be.

        The message says what there is not, or what is suspended already.
        """
        with self._ground.database.reading() as connection:
            if level == BLOCK:
                return _holdable(connection, subject)
            _require_known(connection, level, subject)
            open_now = {(one.level, one.subject) for one in reference.suspensions(connection)}
            if (level, subject) in open_now:
                raise AdministrationError(f"{level} {subject} is suspended already")
            return _told(connection, level, subject)

    def require_liftable(self, level: str, subject: str) -> Told:
        """Return who is told if this is lifted now. Raises AdministrationError if it is not."""
        with self._ground.database.reading() as connection:
            if level == BLOCK:
                return _releasable(connection, subject)
            open_now = {(one.level, one.subject) for one in reference.suspensions(connection)}
            if (level, subject) not in open_now:
                raise AdministrationError(f"{level} {subject} is not suspended")
            return _told(connection, level, subject)

    def message_types(self) -> list[tuple[str, str]]:
        """Return every message type with its one sentence."""
        return [(name, type_.summary) for name, type_ in sorted(MESSAGE_TYPES.items())]


def _stops(connection: Connection, rows: Sequence[SuspensionRow]) -> tuple[Stop, ...]:
    """Return suspensions with their acts: the acts of their subject at their very times."""
    subjects = {f"{row.level}:{row.subject}" for row in rows}
    kinds = ("suspension.place", "suspension.lift")
    acts = {
        (one.kind, one.subject, one.at): one
        for one in registry_states.acts_on(connection, subjects, kinds)
    }
    stops = []
    for row in rows:
        subject = f"{row.level}:{row.subject}"
        lifted = None
        if row.lifted_at is not None:
            lifted = acts.get(("suspension.lift", subject, row.lifted_at))
        stops.append(Stop(row, acts.get(("suspension.place", subject, row.placed_at)), lifted))
    return tuple(stops)


def _newest_by_subject(acts: Sequence[ActLine]) -> dict[str, ActLine]:
    return {one.subject: one for one in sorted(acts, key=lambda one: one.log_index)}


def _held(connection: Connection, held: Sequence[stopped.Hold]) -> tuple[HeldUnits, ...]:
    """Return holds, the latest first, with the acts that placed them."""
    indices = {one.name: _index_of(one.name) for one in held}
    known = {index for index in indices.values() if index is not None}
    acts = registry_states.acts_at(connection, known)
    found = [
        HeldUnits(
            one.name,
            acts.get(indices[one.name] or -1),
            one.block_count,
            tuple(stopped.held_under(connection, one.name, BLOCKS_SHOWN)),
        )
        for one in held
    ]
    return tuple(sorted(found, key=lambda one: indices[one.name] or -1, reverse=True))


def _index_of(name: str) -> int | None:
    """Return the log index that a hold is named after."""
    digits = name.removeprefix("S:")
    return int(digits) if name.startswith("S:") and digits.isdecimal() else None


def _require_known(connection: Connection, level: str, subject: str) -> None:
    """Raise AdministrationError for what is not there to be suspended."""
    codes = {row.code for row in reference.participants(connection)}
    match level:
        case "hub" if subject != HUB_SUBJECT:
            raise AdministrationError(f"the subject of the whole hub is {HUB_SUBJECT}")
        case "participant" if subject not in codes:
            raise AdministrationError(f"{subject[:20]} is not a participant")
        case "pair":
            ends = subject.split("/")
            if len(ends) != 2 or ends[0] == ends[1] or not set(ends) <= codes:
                raise AdministrationError("a pair is two different participants")
        case "message_type" if subject not in MESSAGE_TYPES:
            raise AdministrationError(f"there is no message type {subject[:60]!r}")
        case "account":
            registry, _, account_id = subject.partition("/")
            if registry_states.account_party(connection, registry, account_id) is None:
                raise AdministrationError(f"there is no account {account_id[:60]} at {registry}")
        case _:
            pass


def _told(connection: Connection, level: str, subject: str) -> Told:
    """Return who is told, as the service tells them."""
    rows = reference.participants(connection)
    match level:
        case "participant" | "pair":
            return Told(tuple(sorted(set(subject.split("/")))), False)
        case "account":
            registry, _, account_id = subject.partition("/")
            party = registry_states.account_party(connection, registry, account_id)
            codes = [
                row.code for row in rows if row.party == party and row.kind == "party_registry"
            ]
            return Told(tuple(codes), False)
        case _:
            codes = [row.code for row in rows if row.state == "active" and row.kind in CONNECTED]
            return Told(tuple(codes), True)


def _holdable(connection: Connection, units: str) -> Told:
    asked = parse_range(units)
    found = stopped.holders(connection, asked)
    there = sum(one.units for one in found)
    if there < asked.quantity:
        raise AdministrationError(
            f"{asked.quantity - there} of the {asked.quantity} units are not in the ledger"
        )
    held = sum(one.held for one in found)
    if held:
        raise AdministrationError(f"{held} of the {asked.quantity} units are on hold already")
    return Told(tuple(one.registry for one in found), False)


def _releasable(connection: Connection, units: str) -> Told:
    asked = parse_range(units)
    found = [one for one in stopped.holders(connection, asked) if one.held]
    if not found:
        raise AdministrationError(f"none of the units {units} is on hold")
    return Told(tuple(one.registry for one in found), False)


def read_place(text: str) -> tuple[datetime, datetime, str, str]:
    """Return a place of the history from its text. Raises ValueError."""
    parts = text.split("~", 3)
    if len(parts) != 4:
        raise ValueError(text[:80])
    lifted_at, placed_at = (datetime.fromisoformat(one) for one in parts[:2])
    if lifted_at.tzinfo is None or placed_at.tzinfo is None:
        raise ValueError("a time without its zone")
    return lifted_at, placed_at, parts[2], parts[3]


def write_place(place: Before) -> str:
    """Return a place of the history as a text for an address."""
    return "~".join((place[0].isoformat(), place[1].isoformat(), place[2], place[3]))
