"""Prove the transparency log again, from the rows alone, in one pass and in flat memory.

1. Every index from 0 to the head is one entry that decodes and says its own index.
2. Each participant's counter runs 1, 2, 3 …, and points back to its entry before; where they end
   is what `log_party` says.
3. Every full tile is there once, with the hashes and the root of its entries; none is too many.
4. The head's compact range is the tree's; every checkpoint has the root of its size, its text says
   so, and its signatures and cosignatures are of it (by the keys that are given).
5. Every stored envelope, receipt, delivery (also one that another replaced) and act opens the
   commitment of its entry, unless it was erased together with its salt; sender, recipient and
   digest beside it are the entry's and its own. Nothing is stored that no entry speaks of.

Each fault is one sentence that names the index and what differs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from typing import Any, Final

from sqlalchemy import CompoundSelect, Connection, Select, func, literal, select, union_all

from hub.store import head as heads
from hub.store import log_checkpoints
from hub.store.database import Database
from hub.store.head import Head
from hub.store.log_checkpoints import StoredCheckpoint
from hub.store.tables import (
    act,
    delivery,
    delivery_replaced,
    envelope,
    log_entry,
    log_party,
    log_tile,
)
from hub.transparency_log.checkpoints import CheckpointError, open_checkpoint, read_checkpoint
from hub.transparency_log.compact_range import CompactRange
from hub.transparency_log.cosignatures import CosignatureError, verify_cosignature
from hub.transparency_log.entries import (
    COMMITMENTS,
    SALT_BYTES,
    Entry,
    EntryError,
    commitment,
    decode,
)
from hub.transparency_log.hashing import HASH_BYTES, leaf_hash
from hub.transparency_log.notes import NoteError, NoteSignature, VerifierKey
from hub.transparency_log.tiles import TILE_WIDTH, hash_tile

_Rows = Select[Any] | CompoundSelect[Any]

FAULTS_MAX: Final = 1_000
_ROWS_AT_ONCE: Final = 64

Progress = Callable[[int, int], None]
"""Told now and then how many entries of how many are proved."""

_NOT_REPEATED: Final = literal(None)

# Index and salt; sender, recipient and digest as the row repeats them; then the contents.
_CONTENTS: Final[Mapping[str, _Rows]] = {
    "envelope": select(
        envelope.c.log_index,
        envelope.c.salt,
        envelope.c.sender,
        envelope.c.recipient,
        envelope.c.sha256,
        envelope.c.body,
        envelope.c.receipt,
    ).order_by(envelope.c.log_index),
    "delivery": union_all(
        *(
            select(
                one.c.log_index,
                one.c.salt,
                _NOT_REPEATED.label("sender"),
                one.c.recipient,
                one.c.sha256,
                one.c.body,
            )
            for one in (delivery, delivery_replaced)
        )
    ).order_by("log_index"),
    "act": select(
        act.c.log_index,
        act.c.salt,
        _NOT_REPEATED.label("sender"),
        _NOT_REPEATED.label("recipient"),
        _NOT_REPEATED.label("sha256"),
        act.c.document,
    ).order_by(act.c.log_index),
}
_NAMES: Final = {
    "envelope": ("envelope", "receipt"),
    "delivery": ("delivery",),
    "act": ("act",),
}


def check_log(
    database: Database,
    *,
    log_keys: Sequence[VerifierKey] = (),
    witness_keys: Sequence[VerifierKey] = (),
    progress: Progress = lambda _done, _size: None,
) -> list[str]:
    """Return what is wrong with the log, at most 1,000 sentences; an empty list is the proof.

    Signatures are checked of the keys given: without any, roots and texts alone.
    """
    with database.reading() as connection:
        walk = _Walk(connection, heads.read(connection), log_keys, witness_keys)
        return list(islice(walk.faults(progress), FAULTS_MAX))


def _stream(connection: Connection, statement: _Rows) -> Iterator[Any]:
    return iter(connection.execute(statement, execution_options={"yield_per": _ROWS_AT_ONCE}))


@dataclass(slots=True)
class _Stored:
    """The rows of one table beside the entries that speak of them, both in the order of the log."""

    kind: str
    rows: Iterator[Any]
    ahead: Any = None

    def up_to(self, index: int) -> Iterator[str]:
        """Pass over rows before ``index``: no entry of this kind speaks of them."""
        while True:
            if self.ahead is None:
                self.ahead = next(self.rows, None)
            if self.ahead is None or self.ahead[0] >= index:
                return
            yield f"the {self.kind} stored for index {self.ahead[0]} has no entry of its own"
            self.ahead = None

    def open(self, entry: Entry) -> Iterator[str]:
        """Open the commitments of one entry with what is stored for it."""
        yield from self.up_to(entry.index)
        if self.ahead is None or self.ahead[0] != entry.index:
            yield f"entry {entry.index}: no {self.kind} is stored for it"
            return
        _, salt, sender, recipient, digest, *contents = self.ahead
        self.ahead = None
        for what, stored, said in (
            ("sender", sender, entry.sender),
            ("recipient", recipient, entry.recipient),
        ):
            if stored is not None and stored != said:
                yield f"entry {entry.index}: the {self.kind}'s {what} is stored as {stored!r:.40}"
        if all(one is None for one in (salt, *contents)):
            return  # erased, as the time of retention asks
        for name, content in zip(_NAMES[self.kind], contents, strict=True):
            if content is None or salt is None:
                yield (
                    f"entry {entry.index}: of its {self.kind}, salt and contents must be erased "
                    f"together, and only {'the salt' if salt is None else f'the {name}'} is"
                )
            elif not _opens(entry.commitments[name], salt, content):
                yield f"entry {entry.index}: the stored {name} is not the one it commits to"
            elif name == self.kind and digest not in (None, sha256(content).hexdigest()):
                yield f"entry {entry.index}: the digest stored with its {name} is another's"


@dataclass(slots=True)
class _Level:
    """One level of the tree while it is walked: the hashes of its tile that is not full yet."""

    tile_index: int = 0
    hashes: list[bytes] = field(default_factory=list)


class _Walk:
    """One pass over the log."""

    def __init__(
        self,
        connection: Connection,
        head: Head,
        log_keys: Sequence[VerifierKey],
        witness_keys: Sequence[VerifierKey],
    ) -> None:
        self._connection = connection
        self._head = head
        self._log_keys = log_keys
        self._witness_keys = {(key.name, key.key_id): key for key in witness_keys}
        self._tree = CompactRange()
        self._levels: list[_Level] = []
        self._counts: dict[str, tuple[int, int]] = {}
        self._stored = {
            kind: _Stored(kind, _stream(connection, statement))
            for kind, statement in _CONTENTS.items()
        }
        self._checkpoints = self._all_checkpoints()
        self._next: StoredCheckpoint | None = next(self._checkpoints, None)

    def faults(self, progress: Progress) -> Iterator[str]:
        """Yield each fault in the order of the log, then those of its end."""
        size = self._head.log_index + 1
        statement = select(log_entry.c.log_index, log_entry.c.entry).order_by(log_entry.c.log_index)
        for index, data in _stream(self._connection, statement):
            if index != self._tree.size:
                yield f"entry {self._tree.size} is missing; the next one there is {index}"
                return
            if index >= size:
                yield f"entry {index} lies beyond the head, which is {size - 1}"
                return
            if not isinstance(data, bytes):
                yield f"entry {index} is not bytes"
                return
            yield from self._entry(index, data)
            yield from self._add_hash(0, leaf_hash(data))
            self._tree.append(leaf_hash(data))
            yield from self._checkpoints_here()
            if self._tree.size % TILE_WIDTH == 0:
                progress(self._tree.size, size)
        if self._tree.size != size:
            yield f"entry {self._tree.size} is missing; the head is {size - 1}"
            return
        yield from self._end()
        progress(size, size)

    def _entry(self, index: int, data: bytes) -> Iterator[str]:
        try:
            entry = decode(data)
        except EntryError as error:
            yield f"entry {index} cannot be read: {error}"
            return
        if entry.index != index:
            yield f"entry {index} says that it is entry {entry.index}"
            return
        if (entry.kind == "genesis") != (index == 0):
            yield f"entry {index} is of kind {entry.kind}; the first entry alone is the genesis"
        for step in entry.parties:
            count, previous = self._counts.get(step.code, (0, None))
            if (step.count, step.previous) != (count + 1, previous):
                yield (
                    f"entry {index}: {step.code} counts {step.count} after entry {step.previous}; "
                    f"it must count {count + 1} after entry {previous}"
                )
            self._counts[step.code] = (step.count, index)
        if COMMITMENTS[entry.kind]:
            yield from self._stored[entry.kind].open(entry)

    def _add_hash(self, level: int, one: bytes) -> Iterator[str]:
        """Add a hash to a level; compare the tile with its row when that makes it full."""
        if level == len(self._levels):
            self._levels.append(_Level())
        here = self._levels[level]
        here.hashes.append(one)
        if len(here.hashes) < TILE_WIDTH:
            return
        hashes = b"".join(here.hashes)
        root = hash_tile(hashes)
        yield from self._tile(level, here.tile_index, hashes, root)
        here.hashes.clear()
        here.tile_index += 1
        yield from self._add_hash(level + 1, root)

    def _tile(self, level: int, index: int, hashes: bytes, root: bytes) -> Iterator[str]:
        row = self._connection.execute(
            select(log_tile.c.hashes, log_tile.c.root).where(
                log_tile.c.level == level, log_tile.c.tile_index == index
            )
        ).one_or_none()
        if row is None:
            yield f"tile {level}/{index} is full and not stored"
            return
        if row[0] != hashes:
            at = next(
                (at for at in range(TILE_WIDTH) if _hash_at(row[0], at) != _hash_at(hashes, at)),
                TILE_WIDTH,
            )
            first = (index * TILE_WIDTH + at) * TILE_WIDTH**level
            yield f"tile {level}/{index}: its hash {at} is not that of entry {first} and on"
        if row[1] != root:
            yield f"tile {level}/{index}: the stored root is not the root of its hashes"

    def _end(self) -> Iterator[str]:
        for rest in self._stored.values():
            yield from rest.up_to(self._tree.size + 2**62)
        if self._tree.to_bytes() != self._head.compact_range:
            yield f"the head's compact range is not that of the tree of {self._tree.size} entries"
        rows = self._connection.execute(
            select(log_party.c.code, log_party.c.entry_count, log_party.c.last_index)
        )
        stored = {code: (count, last) for code, count, last in rows}
        for code in sorted(stored.keys() | self._counts.keys()):
            if stored.get(code) != self._counts.get(code):
                yield (
                    f"the counter of {code} is stored as {stored.get(code)}; its entries say "
                    f"{self._counts.get(code)} (how many, the index of the last)"
                )
        tiles = self._connection.execute(
            select(log_tile.c.level, func.count()).group_by(log_tile.c.level)
        )
        for level, count in tiles:
            full = self._levels[level].tile_index if level < len(self._levels) else 0
            if count > full:
                yield f"level {level} has {count} tiles stored; {full} are full"
        if self._next is not None:
            signed = self._next.size
            yield f"a checkpoint of {signed} entries was signed; {self._tree.size} are there"

    # --- checkpoints -----------------------------------------------------------------------------

    def _all_checkpoints(self) -> Iterator[StoredCheckpoint]:
        size = 0
        while found := log_checkpoints.from_size(self._connection, size, _ROWS_AT_ONCE):
            yield from found
            size = found[-1].size + 1

    def _checkpoints_here(self) -> Iterator[str]:
        """Prove the checkpoint of the size reached, if there is one."""
        if self._next is None or self._next.size > self._tree.size:
            return
        checkpoint, self._next = self._next, next(self._checkpoints, None)
        if checkpoint.root != self._tree.root():
            yield f"checkpoint {checkpoint.size}: its root is not that of its entries"
        try:
            said, _ = read_checkpoint(checkpoint.note)
            if (said.size, said.root) != (checkpoint.size, checkpoint.root):
                yield f"checkpoint {checkpoint.size}: its note says another size or root"
            if self._log_keys:
                open_checkpoint(checkpoint.note, self._log_keys)
        except CheckpointError as error:
            yield f"checkpoint {checkpoint.size}: {error}"
            return
        for one in log_checkpoints.cosignatures(self._connection, checkpoint.size):
            key = self._witness_keys.get((one.witness, bytes.fromhex(one.key_id)))
            if key is None:
                continue
            try:
                verify_cosignature(said, key, NoteSignature.parse(one.line))
            except (CosignatureError, NoteError) as error:
                yield f"checkpoint {checkpoint.size}: {error}"


def _opens(digest: str, salt: Any, content: Any) -> bool:
    """Tell whether salt and content open a commitment; damaged rows may hold anything at all."""
    if not (isinstance(salt, bytes) and isinstance(content, bytes) and len(salt) == SALT_BYTES):
        return False
    return commitment(salt, content) == digest


def _hash_at(hashes: bytes, at: int) -> bytes:
    return hashes[at * HASH_BYTES : (at + 1) * HASH_BYTES]
