"""The last tree believed, for the monitor and the witness alike: it moves forwards only.

1. A move is check-and-set: it names the head it was verified against, and it is refused when
   another one is there by then. Two movers can never undo each other's step.
2. So what was believed at size N+K is never followed by N, whoever asks.
3. The last heads stay in `log_checkpoint`, to tell an old note from a false one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert

from connectors.session.log.tables import log_checkpoint, log_head
from hub.transparency_log.witnessing import WitnessState

__all__ = [
    "Head",
    "keep_checkpoint",
    "load_head",
    "move_head",
    "note_cosigned",
    "replace_head",
    "root_at",
    "see_again",
]

_KEPT_MAX: Final = 10_000
_PRUNED_EVERY: Final = 512


@dataclass(frozen=True, slots=True)
class Head:
    """A tree believed: size, root (32 bytes), the note that says so, and when it was verified."""

    origin: str
    size: int
    root: bytes
    note: bytes
    verified_at: str
    cosigned_at: str | None = None

    @property
    def state(self) -> WitnessState:
        """What a witness remembers of it."""
        return WitnessState(self.size, self.root)


_HEAD: Final = select(*(log_head.c[name] for name in Head.__dataclass_fields__))


def load_head(connection: Connection, origin: str) -> Head | None:
    """Return the last tree of this log that was believed, or nothing."""
    row = connection.execute(_HEAD.where(log_head.c.origin == origin)).first()
    return None if row is None else Head(*row)


def move_head(connection: Connection, believed: Head | None, new: Head) -> bool:
    """Move from the head that was believed to one proven to contain it; False: it is gone.

    Asserts that the tree does not shrink.
    """
    found = load_head(connection, new.origin)
    if _place(found) != _place(believed):
        return False
    assert believed is None or believed.size <= new.size, "the head moves forwards only"
    replace_head(connection, new)
    return True


def _place(head: Head | None) -> tuple[int, bytes] | None:
    return None if head is None else (head.size, head.root)


def replace_head(connection: Connection, new: Head) -> None:
    """Believe this head. Besides `move_head`, only an operator's decision calls this."""
    values = {name: getattr(new, name) for name in ("size", "root", "note", "verified_at")}
    statement = insert(log_head).values(origin=new.origin, **values)
    connection.execute(
        statement.on_conflict_do_update(index_elements=[log_head.c.origin], set_=values)
    )
    keep_checkpoint(connection, new)
    count = connection.execute(select(func.count()).select_from(log_checkpoint)).scalar_one()
    if count > _KEPT_MAX + _PRUNED_EVERY:
        last_kept = (
            select(log_checkpoint.c.size)
            .order_by(log_checkpoint.c.size.desc())
            .offset(_KEPT_MAX)
            .limit(1)
            .scalar_subquery()
        )
        connection.execute(delete(log_checkpoint).where(log_checkpoint.c.size <= last_kept))


def keep_checkpoint(connection: Connection, head: Head) -> None:
    """Keep a tree that was believed, to compare later notes of its size with it."""
    values = {name: getattr(head, name) for name in ("size", "root", "note", "verified_at")}
    statement = insert(log_checkpoint).values(**values)
    connection.execute(
        statement.on_conflict_do_update(index_elements=[log_checkpoint.c.size], set_=values)
    )


def see_again(connection: Connection, origin: str, at: str) -> None:
    """Note that the same head was published again."""
    connection.execute(update(log_head).where(log_head.c.origin == origin).values(verified_at=at))


def note_cosigned(connection: Connection, origin: str, at: str) -> None:
    """Note when our cosignature was last taken."""
    connection.execute(update(log_head).where(log_head.c.origin == origin).values(cosigned_at=at))


def root_at(connection: Connection, size: int) -> bytes | None:
    """Return the root believed for a size, if it is among those kept."""
    query = select(log_checkpoint.c.root).where(log_checkpoint.c.size == size)
    root: bytes | None = connection.execute(query).scalar()
    return root
