"""Serve the log to whoever asks: checkpoint, tiles, entries, proofs.

1. Nothing is served that no published checkpoint covers: a tile or bundle is there from the first
   checkpoint on that has all of it. What is served never changes, so it is kept in memory.
2. The checkpoint is the newest, with all cosignatures known. A proof takes the newest checkpoint
   whose cosignatures are a quorum of the prompt policy, if one covers the entry; else the newest.
3. A proof is made of tiles, from memory where they are there; its extra data is the entry.

All of it reads; none of it blocks an event loop if called from a thread.
"""

import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from hub.services.tile_cache import TileCache
from hub.store import head as heads
from hub.store import log as log_store
from hub.store import log_checkpoints
from hub.store.database import Database
from hub.store.log_checkpoints import StoredCheckpoint, StoredCosignature
from hub.transparency_log.notes import Note, VerifierKey
from hub.transparency_log.policies import Policy
from hub.transparency_log.proof_files import ProofFile
from hub.transparency_log.proofs import ReadTile, consistency_proof, inclusion_proof
from hub.transparency_log.text_forms import parse_number
from hub.transparency_log.tiles import (
    TILE_WIDTH,
    TileAddress,
    TileError,
    decode_bundle,
    encode_bundle,
    parse_tile_path,
    width_of,
)

TILE_CACHE_BYTES_MAX: Final = 64 * 1024 * 1024
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
        self._cache = TileCache(TILE_CACHE_BYTES_MAX)

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
        with self._database.reading() as connection:
            head = heads.read(connection)
            if index > head.log_index:
                raise NotInLogError(
                    f"the log's newest entry is {head.log_index}, not {index}",
                    "Ask for an index that a receipt or a delivery has named.",
                )
            checkpoint = self._checkpoint_for(connection, index, policy)
            known = log_checkpoints.cosignatures(connection, checkpoint.size)
            hashes = inclusion_proof(index, checkpoint.size, self._reader(connection))
            entry = self._entry(connection, index, checkpoint.size)
        note = with_cosignatures(checkpoint, known)
        return ProofFile(index, tuple(hashes), note, entry).render()

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
        with self._database.reading() as connection:
            newest = log_checkpoints.newest(connection)
            if newest is None or second > newest.size:
                raise NotInLogError(
                    f"no checkpoint of {second} entries or more is published",
                    "Fetch /checkpoint and ask for sizes up to its own.",
                )
            return first, second, consistency_proof(first, second, self._reader(connection))

    def consistency_between(self, first: int, second: int) -> list[bytes]:
        """Return the proof for a witness: ``second`` is a size that was signed."""
        with self._database.reading() as connection:
            return consistency_proof(first, second, self._reader(connection))

    def _kept(self, address: TileAddress) -> TileAnswer | None:
        level, index, width = address.level, address.index, address.width
        body = self._cache.get((level, index, width))
        if body is None or level is not None:
            return None if body is None else TileAnswer(body, None)
        return TileAnswer(
            body,
            self._cache.get_or_make(("gzip", index, width), lambda: _zipped(body)),
        )

    def _reader(self, connection: Connection) -> ReadTile:
        return lambda level, index, width: self._hashes(connection, level, index, width)

    def _hashes(self, connection: Connection, level: int, index: int, width: int) -> bytes:
        return self._cache.get_or_make(
            (level, index, width),
            lambda: log_store.read_tile(connection, level, index, width),
        )

    def _bundle(self, connection: Connection, index: int, width: int) -> bytes:
        def made() -> bytes:
            return encode_bundle(log_store.entries(connection, index * TILE_WIDTH, width))

        return self._cache.get_or_make((None, index, width), made)

    def _entry(self, connection: Connection, index: int, size: int) -> bytes:
        """Return one entry: of a full bundle from memory, else its row."""
        bundle, at = divmod(index, TILE_WIDTH)
        kept = self._cache.get((None, bundle, TILE_WIDTH))
        if kept is not None:
            return decode_bundle(kept)[at]
        entry = log_store.entry_at(connection, index)
        assert entry is not None, f"entry {index} of {size} is not there"
        return entry

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
