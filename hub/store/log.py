"""The transparency log in the database: entries, full tiles, each participant's counter.

1. ``append`` runs in the transaction of the messages it is about, under the head's lock: no message
   takes effect unless it is in the log, and nothing in the log lacks its message.
2. Only full tiles are stored, each once. The right edge is the compact range in the head's row;
   what lies between it and the last full tile is read from at most 255 entries when asked for.
3. A tile's row carries its root too, so that a tile of the next level is made of 256 short reads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, text

from hub.store.head import Head
from hub.store.many_rows import Insert, Update
from hub.store.tables import log_entry, log_party, log_tile
from hub.transparency_log.compact_range import CompactRange
from hub.transparency_log.entries import commitment, encode_fields
from hub.transparency_log.hashing import HASH_BYTES, leaf_hash
from hub.transparency_log.tiles import TILE_WIDTH, hash_tile
from message_schemas import timestamps


class LogDamagedError(RuntimeError):
    """Rows of the log are missing or cannot be: `itmo-hub log check` says which."""


@dataclass(frozen=True, slots=True)
class PendingEntry:
    """One leaf to append. ``parties`` are the participants told of it, ``contents`` by name."""

    index: int
    kind: str
    at: datetime
    sender: str
    recipient: str
    parties: Sequence[str]
    salt: bytes
    contents: Mapping[str, bytes]


_ADD_TO_SQLITE = "INSERT INTO log_entry (log_index, entry) VALUES (?, ?)"
_ADD_TO_POSTGRES = text(
    "INSERT INTO log_entry (log_index, entry) SELECT :b_first + place - 1, leaf "
    "FROM unnest(CAST(:b_entries AS bytea[])) WITH ORDINALITY AS leaves(leaf, place)"
)
_ADD_TILE = insert(log_tile)
_PARTIES = select(log_party.c.code, log_party.c.entry_count, log_party.c.last_index).where(
    log_party.c.code.in_(bindparam("codes", expanding=True))
)
_ADD_PARTIES = Insert(log_party, ["code", "entry_count", "last_index"])
_SET_PARTIES = Update(log_party, key=["code"], values=["entry_count", "last_index"])
_ENTRIES = (
    select(log_entry.c.entry)
    .where(
        log_entry.c.log_index >= bindparam("b_first"), log_entry.c.log_index < bindparam("b_end")
    )
    .order_by(log_entry.c.log_index)
)
_ROOTS = (
    select(log_tile.c.root)
    .where(
        log_tile.c.level == bindparam("b_level"),
        log_tile.c.tile_index >= bindparam("b_first"),
        log_tile.c.tile_index < bindparam("b_end"),
    )
    .order_by(log_tile.c.tile_index)
)
_TILE = select(log_tile.c.hashes).where(
    log_tile.c.level == bindparam("b_level"), log_tile.c.tile_index == bindparam("b_index")
)


def begin(connection: Connection, at: datetime) -> bytes:
    """Write the genesis entry, index 0; return the compact range of the tree of that one leaf."""
    entry = encode_fields(0, "genesis", timestamps.render(at), "", "", [], {})
    _add_entries(connection, 0, [entry])
    return leaf_hash(entry)


def append(connection: Connection, before: Head, pending: Sequence[PendingEntry]) -> bytes:
    """Append leaves behind ``before``; return the new compact range for the head.

    Asserts that their indices follow on the head's without a gap.
    """
    if not pending:
        return before.compact_range
    tree = CompactRange.from_bytes(before.log_index + 1, before.compact_range)
    entries = _entries_of(connection, tree.size, pending)
    first = tree.size
    hashes = [leaf_hash(entry) for entry in entries]
    for one in hashes:
        tree.append(one)
    _add_entries(connection, first, entries)
    _store_full_tiles(connection, first, hashes)
    return tree.to_bytes()


def _add_entries(connection: Connection, first: int, entries: Sequence[bytes]) -> None:
    """Write leaves with one short statement: by far the most rows of a commit are these."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_ADD_TO_SQLITE, list(enumerate(entries, first)))
    else:
        connection.execute(_ADD_TO_POSTGRES, {"b_first": first, "b_entries": list(entries)})


def _entries_of(connection: Connection, first: int, pending: Sequence[PendingEntry]) -> list[bytes]:
    """Return the leaves' bytes, and write how far each participant counted."""
    codes = sorted({code for one in pending for code in one.parties})
    known: dict[str, tuple[int, int | None]] = (
        {row[0]: (row[1], row[2]) for row in connection.execute(_PARTIES, {"codes": codes})}
        if codes
        else {}
    )
    counts = dict(known)
    entries: list[bytes] = []
    times: dict[datetime, str] = {}
    for index, one in enumerate(pending, first):
        assert one.index == index, f"entry {one.index} does not follow on {index - 1}"
        steps: list[tuple[str, int, int | None]] = []
        for code in one.parties:
            count, previous = counts.get(code, (0, None))
            steps.append((code, count + 1, previous))
            counts[code] = (count + 1, index)
        shown = {name: commitment(one.salt, content) for name, content in one.contents.items()}
        at = times.get(one.at)
        if at is None:  # one batch has one time
            at = times[one.at] = timestamps.render(one.at)
        entries.append(encode_fields(index, one.kind, at, one.sender, one.recipient, steps, shown))
    _write_counts(connection, known, counts)
    return entries


def _write_counts(
    connection: Connection,
    known: Mapping[str, tuple[int, int | None]],
    counts: Mapping[str, tuple[int, int | None]],
) -> None:
    rows = [
        {"code": code, "entry_count": count, "last_index": last}
        for code, (count, last) in counts.items()
    ]
    changed = [row for row in rows if row["code"] in known]
    added = [row for row in rows if row["code"] not in known]
    if changed:
        _SET_PARTIES.run(connection, changed)
    if added:
        _ADD_PARTIES.run(connection, added)


def _store_full_tiles(connection: Connection, first: int, hashes: Sequence[bytes]) -> None:
    """Store the tiles that the leaves from ``first`` on made full, level by level."""
    end = first + len(hashes)
    level, done, full = 0, first // TILE_WIDTH, end // TILE_WIDTH
    if done == full:
        return
    start = done * TILE_WIDTH
    # The part of the first tile that earlier transactions wrote.
    earlier = [leaf_hash(entry) for entry in entries(connection, start, first - start)]
    parts = [*earlier, *hashes]
    while done < full:
        roots: list[bytes] = []
        for at in range(done, full):
            tile = parts[(at - done) * TILE_WIDTH :][:TILE_WIDTH]
            if len(tile) != TILE_WIDTH:
                raise LogDamagedError(f"tile {level}/{at} has {len(tile)} of its 256 hashes")
            whole = b"".join(tile)
            roots.append(hash_tile(whole))
            row = {"level": level, "tile_index": at, "hashes": whole, "root": roots[-1]}
            connection.execute(_ADD_TILE, row)
        level += 1
        first, end = done, full
        done, full = first // TILE_WIDTH, end // TILE_WIDTH
        start = done * TILE_WIDTH
        parts = [*_roots(connection, level - 1, start, first), *roots] if done < full else []


def _roots(connection: Connection, level: int, first: int, end: int) -> list[bytes]:
    rows = connection.execute(_ROOTS, {"b_level": level, "b_first": first, "b_end": end})
    return [bytes(row[0]) for row in rows]


def entries(connection: Connection, first: int, count: int) -> list[bytes]:
    """Return the bytes of ``count`` leaves from index ``first`` on.

    Raises LogDamagedError if not all are there.
    """
    rows = connection.execute(_ENTRIES, {"b_first": first, "b_end": first + count})
    found = [bytes(row[0]) for row in rows]
    if len(found) != count:
        raise LogDamagedError(f"of {count} entries from {first} on {len(found)} are there")
    return found


def read_tile(connection: Connection, level: int, index: int, width: int) -> bytes:
    """Return the first ``width`` hashes of a tile, 32 bytes each. Raises LogDamagedError.

    A full tile is read as stored; a partial one is made of entries, or of the roots of full tiles.
    """
    if width == TILE_WIDTH:
        row = connection.execute(_TILE, {"b_level": level, "b_index": index}).one_or_none()
        if row is None:
            raise LogDamagedError(f"tile {level}/{index} is not there")
        return bytes(row[0])
    first = index * TILE_WIDTH
    if level == 0:
        return b"".join(leaf_hash(entry) for entry in entries(connection, first, width))
    hashes = b"".join(_roots(connection, level - 1, first, first + width))
    if len(hashes) != width * HASH_BYTES:
        raise LogDamagedError(f"tile {level}/{index} lacks hashes: {len(hashes)} bytes are there")
    return hashes


def entry_at(connection: Connection, index: int) -> bytes | None:
    """Return the bytes of one leaf, or None beyond the end."""
    rows = connection.execute(_ENTRIES, {"b_first": index, "b_end": index + 1}).all()
    return bytes(rows[0][0]) if rows else None
