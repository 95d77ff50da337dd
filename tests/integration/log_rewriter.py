"""An attacker with the hub's database and keys: rewrites the log so that it fits together again.

Entries are dropped, changed, inserted or swapped; then indices, counters, tiles, head and messages
are made to agree, and the checkpoints that said otherwise are deleted. What is left is a log that
proves itself without a fault. Only those who saw the old one can tell.
"""

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection, text

from hub.store import head as heads
from hub.store import log
from hub.store.database import Database
from hub.transparency_log.compact_range import CompactRange
from hub.transparency_log.entries import Entry, PartyStep, decode, encode
from hub.transparency_log.hashing import leaf_hash

Change = Callable[[list[Entry]], list[Entry]]
MESSAGES = ("envelope", "delivery", "act")


def dropped(entries: list[Entry]) -> list[Entry]:
    """Leave out an entry from the middle."""
    return entries[: len(entries) // 2] + entries[len(entries) // 2 + 1 :]


def altered(entries: list[Entry]) -> list[Entry]:
    """Let an entry from the middle say that something else was said."""
    middle = _middle(entries)
    other = dict.fromkeys(entries[middle].commitments, "0" * 64)
    return _with(entries, middle, replace(entries[middle], commitments=other))


def inserted(entries: list[Entry]) -> list[Entry]:
    """Put an entry into the middle that nobody sent."""
    middle = _middle(entries)
    return [*entries[:middle], entries[middle], *entries[middle:]]


def reordered(entries: list[Entry]) -> list[Entry]:
    """Swap two neighbours in the middle."""
    middle = _middle(entries)
    first, second = entries[middle], entries[middle + 1]
    return _with(_with(entries, middle, second), middle + 1, first)


CHANGES: dict[str, Change] = {
    change.__name__: change for change in (dropped, altered, inserted, reordered)
}


def _middle(entries: list[Entry]) -> int:
    """Return the place of an envelope near the middle whose neighbour differs."""
    return next(
        at
        for at in range(len(entries) // 2, len(entries) - 1)
        if entries[at].kind == "envelope" and entries[at].commitments != entries[at + 1].commitments
    )


def _with(entries: list[Entry], at: int, entry: Entry) -> list[Entry]:
    return [*entries[:at], entry, *entries[at + 1 :]]


def rewrite(database: Database, change: Change) -> None:
    """Change the log of a stopped hub and make everything derived from it fit again."""
    with database.writing() as connection:
        head = heads.lock(connection)
        known = [decode(raw) for raw in log.entries(connection, 0, head.log_index + 1)]
        leaves = [encode(entry) for entry in renumbered(change(known))]
        for name in ("log_entry", "log_tile", "log_party", "log_checkpoint", "log_cosignature"):
            connection.execute(text(f"DELETE FROM {name}"))
        tree = CompactRange()
        for leaf in leaves:
            tree.append(leaf_hash(leaf))
        log._add_entries(connection, 0, leaves)
        log._store_full_tiles(connection, 0, [leaf_hash(leaf) for leaf in leaves])
        _count_parties(connection, [decode(leaf) for leaf in leaves])
        _make_room(connection, len(leaves) - len(known))
        after = replace(head, log_index=len(leaves) - 1, compact_range=tree.to_bytes())
        heads.advance(connection, head, after)


def renumbered(entries: list[Entry]) -> list[Entry]:
    """Return the entries with indices and participants' counters that follow on each other."""
    last: dict[str, tuple[int, int]] = {}
    made: list[Entry] = []
    for index, entry in enumerate(entries):
        steps = []
        for step in entry.parties:
            count, previous = last.get(step.code, (0, -1))
            steps.append(PartyStep(step.code, count + 1, None if count == 0 else previous))
            last[step.code] = (count + 1, index)
        made.append(replace(entry, index=index, parties=tuple(steps)))
    return made


def _count_parties(connection: Connection, entries: list[Entry]) -> None:
    last = {step.code: (step.count, entry.index) for entry in entries for step in entry.parties}
    for code, (count, index) in last.items():
        connection.execute(
            text("INSERT INTO log_party VALUES (:code, :count, :index)"),
            {"code": code, "count": count, "index": index},
        )


def _make_room(connection: Connection, grown: int) -> None:
    """Keep what the hub stores below the new head: the attacker hides what has no place."""
    if grown < 0:
        highest = {
            name: connection.execute(text(f"SELECT max(log_index) FROM {name}")).scalar_one()
            for name in MESSAGES
        }
        name = max(highest, key=lambda one: highest[one] or -1)
        connection.execute(
            text(f"DELETE FROM {name} WHERE log_index = :index"), {"index": highest[name]}
        )
