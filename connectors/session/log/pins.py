"""Whose word the log's head is: origin and keys, learned once from the hub's signed list.

Afterwards they are pinned: another origin or key in a later list is an alarm, and nothing else,
until an operator pins anew. Checkpoints go on being judged by the pinned keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from connectors.session.log.tables import log_pin
from hub.transparency_log.checkpoints import LOG_KEY_TYPES
from hub.transparency_log.notes import NoteError, VerifierKey

__all__ = ["LogPin", "PinError", "load_pin", "make_pin", "signs_checkpoints", "store_pin"]

_PIN: Final = 1


class PinError(ValueError):
    """The hub's list names no origin and keys that a log can have."""


@dataclass(frozen=True, slots=True)
class LogPin:
    """The log's origin, and its verifier keys as texts in the order of the list."""

    origin: str
    vkeys: tuple[str, ...]

    @property
    def keys(self) -> list[VerifierKey]:
        """The verifier keys."""
        return [VerifierKey.parse(vkey) for vkey in self.vkeys]


def make_pin(origin: str, vkeys: Sequence[str]) -> LogPin:
    """Return what may be pinned. Raises PinError."""
    try:
        keys = [VerifierKey.parse(vkey) for vkey in vkeys]
    except NoteError as error:
        raise PinError(f"a key of the log: {error}") from error
    if not keys or any(key.name != origin for key in keys):
        raise PinError(f"the log {origin[:64]!r} has no key, or one of another name")
    if any(key.type not in LOG_KEY_TYPES for key in keys):
        raise PinError(f"a key of the log {origin[:64]!r} is of a type that signs no checkpoints")
    return LogPin(origin, tuple(vkeys))


def signs_checkpoints(vkey: str) -> bool:
    """Tell whether a key is of a type that this code can verify checkpoints by.

    A newer hub may list others beside those; they are left alone.
    """
    try:
        return VerifierKey.parse(vkey).type in LOG_KEY_TYPES
    except NoteError:
        return False


def load_pin(connection: Connection) -> LogPin | None:
    """Return what is pinned, or nothing before the first list."""
    row = connection.execute(select(log_pin.c.origin, log_pin.c.vkeys)).first()
    return None if row is None else LogPin(row[0], tuple(row[1].split("\n")))


def store_pin(connection: Connection, pin: LogPin, at: str, reason: str) -> None:
    """Pin an origin and its keys, in place of those before."""
    values = {
        "origin": pin.origin,
        "vkeys": "\n".join(pin.vkeys),
        "pinned_at": at,
        "reason": reason,
    }
    statement = insert(log_pin).values(pin=_PIN, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=[log_pin.c.pin], set_=values))
