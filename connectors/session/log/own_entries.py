"""The entries that name us, in SQL: our own count over them, and whether we know what each is.

| state | meaning |
|---|---|
| known | a receipt, item, delivery or acknowledgement of ours |
| awaited | it may still reach us: a delivery under way, a receipt that was lost |
| unknown | it never reached us and will not: an alarm was raised |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert

from connectors.session.log.judging import OwnStep, counter_fault
from connectors.session.log.tables import log_own_entry, log_proof
from hub.transparency_log.entries import Entry

__all__ = [
    "OwnEntry",
    "add_own",
    "awaited_entries",
    "confirm_audited",
    "count_own",
    "entries_to_judge",
    "forget_unconfirmed",
    "last_before",
    "set_state",
]


@dataclass(frozen=True, slots=True)
class OwnEntry:
    """An entry that names us; `entry` is its bytes."""

    log_index: int
    own_count: int
    previous: int | None
    kind: str
    sender: str
    recipient: str
    entry: bytes
    state: str

    @property
    def step(self) -> OwnStep:
        """Our count at it."""
        return OwnStep(self.log_index, self.own_count, self.previous)


_COLUMNS: Final = tuple(log_own_entry.c[name] for name in OwnEntry.__dataclass_fields__)
_AT: Final = select(*_COLUMNS).where(log_own_entry.c.log_index == bindparam("b_index"))
_BEFORE: Final = (
    select(*_COLUMNS)
    .where(log_own_entry.c.log_index < bindparam("b_index"))
    .order_by(log_own_entry.c.log_index.desc())
    .limit(1)
)
_AFTER: Final = (
    select(*_COLUMNS)
    .where(log_own_entry.c.log_index > bindparam("b_index"))
    .order_by(log_own_entry.c.log_index)
    .limit(1)
)
_ADD: Final = insert(log_own_entry)


def add_own(
    connection: Connection, entry: Entry, raw: bytes, participant: str, *, state: str
) -> str | None:
    """Keep an entry that names us, and return what is wrong with our count at it, if anything."""
    step = entry.step_of(participant)
    assert step is not None, "only entries that name us are kept"
    index = {"b_index": entry.index}
    found = connection.execute(_AT, index).first()
    if found is not None:
        known = OwnEntry(*found)
        if known.entry != raw:
            return f"entry {entry.index} was shown to us with other bytes before"
        if known.state == "awaited" and state == "known":
            set_state(connection, entry.index, state)
        return None
    before, after = (
        connection.execute(_BEFORE, index).first(),
        connection.execute(_AFTER, index).first(),
    )
    connection.execute(
        _ADD,
        {
            "log_index": entry.index,
            "own_count": step.count,
            "previous": step.previous,
            "kind": entry.kind,
            "sender": entry.sender,
            "recipient": entry.recipient,
            "entry": raw,
            "audited": False,
            "state": state,
        },
    )
    return counter_fault(
        OwnStep(entry.index, step.count, step.previous),
        None if before is None else OwnEntry(*before).step,
        None if after is None else OwnEntry(*after).step,
    )


def set_state(connection: Connection, index: int, state: str) -> None:
    """Note whether an entry is known, awaited or unknown."""
    connection.execute(
        update(log_own_entry).where(log_own_entry.c.log_index == index).values(state=state)
    )


def entries_to_judge(connection: Connection, first: int, end: int) -> list[OwnEntry]:
    """Return the entries that name us from `first` up to `end`, in order."""
    query = select(*_COLUMNS).where(
        log_own_entry.c.log_index >= first, log_own_entry.c.log_index < end
    )
    rows = connection.execute(query.order_by(log_own_entry.c.log_index))
    return [OwnEntry(*row) for row in rows]


def last_before(connection: Connection, index: int) -> OwnEntry | None:
    """Return the last entry before `index` that names us, or nothing."""
    row = connection.execute(_BEFORE, {"b_index": index}).first()
    return None if row is None else OwnEntry(*row)


def awaited_entries(connection: Connection, end: int) -> list[OwnEntry]:
    """Return the audited entries before `end` that may still reach us, in order."""
    query = select(*_COLUMNS).where(
        log_own_entry.c.state == "awaited",
        log_own_entry.c.audited,
        log_own_entry.c.log_index < end,
    )
    rows = connection.execute(query.order_by(log_own_entry.c.log_index))
    return [OwnEntry(*row) for row in rows]


def confirm_audited(connection: Connection, end: int) -> None:
    """Note that every entry before `end` is one of the tree whose root was recomputed."""
    connection.execute(
        update(log_own_entry)
        .where(log_own_entry.c.log_index < end, log_own_entry.c.audited.is_(False))
        .values(audited=True)
    )


def forget_unconfirmed(connection: Connection, first: int) -> None:
    """Forget what an audit read from `first` on when it made no tree; proven ones stay."""
    proven = select(log_proof.c.log_index)
    connection.execute(
        delete(log_own_entry).where(
            log_own_entry.c.log_index >= first,
            log_own_entry.c.audited.is_(False),
            log_own_entry.c.log_index.not_in(proven),
        )
    )


def count_own(connection: Connection) -> dict[str, int]:
    """Return how many entries name us, by what we know of them."""
    counts = dict.fromkeys(("known", "awaited", "unknown"), 0)
    query = select(log_own_entry.c.state, func.count()).group_by(log_own_entry.c.state)
    counts.update({str(state): int(count) for state, count in connection.execute(query)})
    return counts
