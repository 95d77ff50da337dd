"""Serve the log to whoever asks: checkpoint, tiles, entries, proofs.

1. Nothing is served that no published checkpoint covers: a tile or bundle is there from the first
   checkpoint on that has all of it. What is served never changes, so it is kept in memory.
2. The checkpoint is the newest, with all cosignatures known. A proof takes the newest checkpoint
   whose cosignatures are a quorum of the prompt policy, if one covers the entry; else the newest.
3. A proof is made of tiles, from memory where they are there; its extra data is the entry.

4. What is asked for again and again is kept: the inner nodes of full tiles, entries of the bundles
   asked for, and for a tenth of a second which checkpoint is the newest. That may hide for so long
   what another process signed; an entry it does not cover makes it look again.

All of it reads; none of it blocks an event loop if called from a thread.
"""

import gzip
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from time import monotonic
from typing import Final

from sqlalchemy import Connection

from hub.services.tile_cache import TileCache
from hub.store import head as heads
from hub.store import log as log_store
from hub.store import log_checkpoints
from hub.store.database import Database
from hub.store.log_checkpoints import StoredCheckpoint, StoredCosignature
from hub.transparency_log.hashing import HASH_BYTES
from hub.transparency_log.notes import Note, VerifierKey
from hub.transparency_log.policies import Policy
from hub.transparency_log.proof_files import render_proof
from hub.transparency_log.proofs import ReadTile, consistency_proof, inclusion_proof
from hub.transparency_log.text_forms import parse_number
from hub.transparency_log.tiles import (
    TILE_BYTES,
    TILE_WIDTH,
    TileAddress,
    TileError,
    TileNodes,
    decode_bundle,
    encode_bundle,
    parse_tile_path,
    width_of,
)

TILE_CACHE_BYTES_MAX: Final = 64 * 1024 * 1024
NODE_CACHE_BYTES_MAX: Final = 64 * 1024 * 1024
LEAF_CACHE_BYTES_MAX: Final = 128 * 1024 * 1024
NEWEST_KEPT_SECONDS: Final = 0.1
_GZIP_LEVEL: Final = 6
_COSIGNED_LOOKED_AT_MAX: Final = 8
_NUMBER_RULE: Final = "is a decimal number without sign or leading zero, such as 1234"


class LogRequestError(ValueError):
    """What was asked for is not of its form (rule), and how to ask instead (remedy)."""

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.remedy = remedy


class NotInLogError(LogRequestError):
    """What was asked for is not in the log as it is published."""


class NotPublishedYetError(LogRequestError):
    """It is in the log; no checkpoint covers it yet."""


@dataclass(frozen=True, slots=True)
class TileAnswer:
    """A tile or bundle; ``zipped`` is the same with gzip, for bundles only."""

    body: bytes
    zipped: bytes | None


class LogServer:
    """Reads one database's log. ``policy`` is the prompt policy, None without witnesses."""

    def __init__(self, database: Database, policy: Policy | None) -> None:
        self._database = database
        self._policy = policy
        self._cache: TileCache[bytes] = TileCache(TILE_CACHE_BYTES_MAX, len)
        self._nodes: TileCache[TileNodes] = TileCache(
            NODE_CACHE_BYTES_MAX, lambda nodes: 2 * HASH_BYTES * nodes.width
        )
        self._leaves: TileCache[list[bytes]] = TileCache(
            LEAF_CACHE_BYTES_MAX, lambda leaves: sum(map(len, leaves)) + TILE_BYTES
        )
        self._chosen: dict[bool, _Chosen] = {}

    def checkpoint(self) -> str:
        """Return the newest checkpoint with all its signatures. Raises NotPublishedYetError."""
        with self._database.reading() as connection:
            newest = log_checkpoints.newest(connection)
            if newest is None:
                raise _none_published()
            known = log_checkpoints.cosignatures(connection, newest.size)
        return with_cosignatures(newest, known)

    def tile(self, path: str) -> TileAnswer:
        """Return what a path (``tile/…``) names. Raises LogRequestError, NotInLogError."""
        try:
            address = parse_tile_path(path)
        except TileError as error:
            raise LogRequestError(
                str(error),
                "Ask for tile/<level>/<index>[.p/<width>] or tile/entries/<index>[.p/<width>] "
                "as C2SP tlog-tiles spells them.",
            ) from error
        kept = self._kept(address)
        if kept is not None:
            return kept
        with self._database.reading() as connection:
            newest = log_checkpoints.newest(connection)
            size = 0 if newest is None else newest.size
            there = width_of(address.level or 0, address.index, size)
            if there < address.width:
                raise NotInLogError(
                    f"the published tree of {size} entries has {there} of the "
                    f"{address.width} hashes or entries of {path}",
                    "Fetch /checkpoint, and only what its size has; a tile that is not full has "
                    "its width in its path.",
                )
            if address.level is None:
                self._bundle(connection, address.index, address.width)
            else:
                self._hashes(connection, address.level, address.index, address.width)
        answer = self._kept(address)
        assert answer is not None, "a tile is kept when it was read just now"
        return answer

    def proof(self, index_text: str, policy: Policy | None = None) -> str:
        """Return the tlog-proof of an entry, its index as text.

        With ``policy`` the checkpoint is one that meets it. Raises LogRequestError; NotInLogError
        beyond the head; NotPublishedYetError before a checkpoint covers the entry.
        """
        index = _number(index_text, "the index of an entry")
        with _Reading(self._database) as reading:
            chosen = self._chosen.get(policy is None)
            if chosen is None or not chosen.serves(index, policy):
                chosen = self._choose(reading.connection, index, policy)
            size = chosen.size
            hashes = inclusion_proof(index, size, self._reader(reading))
            entry = self._entry(reading, index, size)
        return render_proof(index, hashes, chosen.note, entry)

    def _choose(self, connection: Connection, index: int, policy: Policy | None) -> "_Chosen":
        """Look which checkpoint the proof of ``index`` is made for; keep a good one a moment."""
        head = heads.read(connection)
        if index > head.log_index:
            raise NotInLogError(
                f"the log's newest entry is {head.log_index}, not {index}",
                "Ask for an index that a receipt or a delivery has named.",
            )
        checkpoint = self._checkpoint_for(connection, index, policy)
        known = log_checkpoints.cosignatures(connection, checkpoint.size)
        note = with_cosignatures(checkpoint, known)
        chosen = _Chosen(monotonic(), checkpoint.size, note, policy)
        wanted = policy or self._policy
        if wanted is None or wanted.is_met_by(keys_of(wanted, known)):
            self._chosen[policy is None] = (
                chosen  # else an older one may serve other entries better
            )
        return chosen

    def consistency(self, first_text: str, second_text: str) -> tuple[int, int, list[bytes]]:
        """Return two sizes and the hashes that show the first tree to begin the second.

        Raises LogRequestError, NotInLogError.
        """
        first = _number(first_text, "the smaller size")
        second = _number(second_text, "the larger size")
        if first > second:
            raise LogRequestError(
                f"{first} is larger than {second}", "Put the smaller size first in the path."
            )
        with _Reading(self._database) as reading:
            newest = log_checkpoints.newest(reading.connection)
            if newest is None or second > newest.size:
                raise NotInLogError(
                    f"no checkpoint of {second} entries or more is published",
                    "Fetch /checkpoint and ask for sizes up to its own.",
                )
            return first, second, consistency_proof(first, second, self._reader(reading))

    def consistency_between(self, first: int, second: int) -> list[bytes]:
        """Return the proof for a witness: ``second`` is a size that was signed."""
        with _Reading(self._database) as reading:
            return consistency_proof(first, second, self._reader(reading))

    def _kept(self, address: TileAddress) -> TileAnswer | None:
        level, index, width = address.level, address.index, address.width
        body = self._cache.get((level, index, width))
        if body is None or level is not None:
            return None if body is None else TileAnswer(body, None)
        return TileAnswer(
            body,
            self._cache.get_or_make(("gzip", index, width), lambda: _zipped(body)),
        )

    def _reader(self, reading: "_Reading") -> ReadTile:
        """Return what reads tiles for a proof: full ones with their nodes, kept."""

        def read(level: int, index: int, width: int) -> TileNodes:
            nodes = self._nodes.get((level, index))
            if nodes is None or nodes.width != width:
                nodes = TileNodes(self._hashes(reading.connection, level, index, width))
                self._nodes.put((level, index), nodes)
            return nodes

        return read

    def _hashes(self, connection: Connection, level: int, index: int, width: int) -> bytes:
        return self._cache.get_or_make(
            (level, index, width),
            lambda: log_store.read_tile(connection, level, index, width),
        )

    def _bundle(self, connection: Connection, index: int, width: int) -> bytes:
        def made() -> bytes:
            return encode_bundle(log_store.entries(connection, index * TILE_WIDTH, width))

        return self._cache.get_or_make((None, index, width), made)

    def _entry(self, reading: "_Reading", index: int, size: int) -> bytes:
        """Return one entry: of a bundle kept in memory, else its row.

        A bundle is read whole when it is full and entries of it were asked for before.
        """
        bundle, at = divmod(index, TILE_WIDTH)
        leaves = self._leaves.get(bundle)
        if leaves is None and (bundle + 1) * TILE_WIDTH <= size:
            if self._cache.get((None, bundle, TILE_WIDTH)) is None and not self._asked(bundle):
                self._cache.put(("asked", bundle), b"-")
            else:
                leaves = decode_bundle(self._bundle(reading.connection, bundle, TILE_WIDTH))
                self._leaves.put(bundle, leaves)
        if leaves is not None:
            return leaves[at]
        entry = log_store.entry_at(reading.connection, index)
        assert entry is not None, f"entry {index} of {size} is not there"
        return entry

    def _asked(self, bundle: int) -> bool:
        """Tell whether an entry of a bundle was asked for lately."""
        return self._cache.get(("asked", bundle)) is not None

    def _checkpoint_for(
        self, connection: Connection, index: int, policy: Policy | None
    ) -> StoredCheckpoint:
        wanted = policy or self._policy
        if wanted is not None:
            for one in log_checkpoints.newest_cosigned(connection, index, _COSIGNED_LOOKED_AT_MAX):
                if wanted.is_met_by(
                    keys_of(wanted, log_checkpoints.cosignatures(connection, one.size))
                ):
                    return one
        newest = log_checkpoints.newest(connection)
        if newest is None or newest.size <= index or policy is not None:
            raise NotPublishedYetError(
                f"no checkpoint of the quorum asked for covers entry {index} yet"
                if policy is not None
                else f"no checkpoint covers entry {index} yet",
                "Ask again after Retry-After.",
            )
        return newest


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The checkpoint that proofs are made for just now."""

    looked_at: float
    size: int
    note: str
    policy: Policy | None

    def serves(self, index: int, policy: Policy | None) -> bool:
        """Tell whether it covers an entry, and was looked up a moment ago for this policy."""
        fresh = monotonic() - self.looked_at < NEWEST_KEPT_SECONDS
        return fresh and index < self.size and policy is self.policy


class _Reading:
    """One view of the database, opened only if something is not in memory."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stack = ExitStack()
        self._connection: Connection | None = None

    def __enter__(self) -> "_Reading":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def connection(self) -> Connection:
        """The connection, in a transaction that reads."""
        if self._connection is None:
            self._connection = self._stack.enter_context(self._database.reading())
        return self._connection


def with_cosignatures(checkpoint: StoredCheckpoint, known: Iterable[StoredCosignature]) -> str:
    """Return a checkpoint's note with what witnesses said of it behind the log's signatures."""
    note = Note.parse(checkpoint.note)
    return note.with_signatures(one.line for one in known).render()


def keys_of(policy: Policy, known: Iterable[StoredCosignature]) -> list[VerifierKey]:
    """Return the keys of the policy that stored cosignatures are by (verified when stored)."""
    said = {(one.witness, one.key_id) for one in known}
    return [key for key in policy.witness_keys if (key.name, key.key_id.hex()) in said]


def _number(text: str, what: str) -> int:
    try:
        return parse_number(text)
    except ValueError as error:
        raise LogRequestError(
            f"{text[:24]!r} is not {what}", f"{what[0].upper()}{what[1:]} {_NUMBER_RULE}."
        ) from error


def _zipped(body: bytes) -> bytes:
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)


def _none_published() -> NotPublishedYetError:
    return NotPublishedYetError("no checkpoint is published yet", "Ask again after Retry-After.")
