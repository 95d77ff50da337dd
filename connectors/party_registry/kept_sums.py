"""The digests of the compared units, kept in the file and brought up to date when asked for.

1. Triggers write down what changes about compared blocks (`reconciliation_tables`). Bringing up to
   date adds and takes away exactly that, in the transaction that answers: so an answer at an item
   speaks of the effects up to that item, and a crash leaves sums and changes as they were.
2. The first time, and under another key, the whole book is read once.
3. The sums stay in memory too; a token in the file, new with each change, tells whether they are
   those of the file.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from connectors.party_registry.compared import UNREADABLE, ComparedBook, owned_of
from connectors.party_registry.link_secret import LinkSecret
from connectors.party_registry.reconciliation_tables import (
    reconciliation_change,
    reconciliation_key,
    reconciliation_sum,
)
from connectors.party_registry.units import Series
from reconciliation.responder import Sums

__all__ = ["KeptSums", "check_sums", "differing_chunks", "forget_sums"]

_CHECK_LABEL: Final = b"itmo-hub/registry/key-check/v1\n"
_PAGE: Final = 10_000

_STATE: Final = select(
    reconciliation_key.c.key_check, reconciliation_key.c.folded_to, reconciliation_key.c.state
)
_PENDING: Final = (
    select(reconciliation_change)
    .where(reconciliation_change.c.change_id > bindparam("after"))
    .order_by(reconciliation_change.c.change_id)
)
_PLACE: Final = (
    "cooperative_approach",
    "originating_registry",
    "first_transferring_party",
    "vintage",
    "chunk",
)
_INSERTED: Final = upsert(reconciliation_sum)
_PUT: Final = _INSERTED.on_conflict_do_update(
    index_elements=list(_PLACE), set_={"digest": _INSERTED.excluded.digest}
)
_DROP: Final = delete(reconciliation_sum).where(
    *(reconciliation_sum.c[name] == bindparam(f"of_{name}") for name in _PLACE)
)

Chunks = dict[Any, dict[int, int]]


@dataclass(frozen=True, slots=True)
class _Memory:
    """Sums as they were at one state of the file."""

    state: str
    sums: Sums


class KeptSums:
    """The sums of one registry's file, under whatever key is asked for last."""

    def __init__(self) -> None:
        self._memory: _Memory | None = None

    def current(self, connection: Connection, key: bytes, key_id: str, at: str) -> Sums:
        """Return the sums of the book as it is in this transaction, and store what changed.

        Raises:
            UNREADABLE: a block cannot be read.
        """
        row = connection.execute(_STATE).first()
        if row is None or row.key_check != key_check(key):
            return self._build(connection, key, key_id, at)
        memory = self._memory
        if memory is None or memory.state != row.state:
            memory = _Memory(row.state, load_sums(connection, key))
        pending = connection.execute(_PENDING, {"after": row.folded_to}).all()
        if pending:
            # Not to be believed until the state below is in the file.
            self._memory = None
            try:
                self._fold(connection, memory.sums, pending)
            except UNREADABLE:
                # A row was none for a while: only the blocks as they are now tell the sums.
                return self._build(connection, key, key_id, at)
            memory = _Memory(_new_state(connection, pending[-1].change_id), memory.sums)
        self._memory = memory
        return memory.sums

    def _build(self, connection: Connection, key: bytes, key_id: str, at: str) -> Sums:
        self._memory = None
        forget_sums(connection)
        sums = Sums(key)
        for block in ComparedBook(connection, 0).blocks(None, 0, 2**63):
            sums.add(*block)
        _write(connection, sums.chunks)
        last = connection.execute(select(func.max(reconciliation_change.c.change_id))).scalar()
        state = secrets.token_hex(16)
        connection.execute(
            insert(reconciliation_key).values(
                one=1,
                key_id=key_id,
                key_check=key_check(key),
                folded_to=last or 0,
                state=state,
                built_at=at,
            )
        )
        self._memory = _Memory(state, sums)
        return sums

    @staticmethod
    def _fold(connection: Connection, sums: Sums, pending: Iterable[Any]) -> None:
        touched: dict[Any, set[int]] = {}
        for row in pending:
            series = Series(*(row[2:6]))
            owned = owned_of(
                row.attributes, row.status, is_first_transferred=row.is_first_transferred
            )
            sums.add(series, row.first_serial, row.last_serial, owned, row.sign)
            chunks = touched.setdefault(series, set())
            chunks |= {row.first_serial >> sums.shift, row.last_serial + 1 >> sums.shift}
        _write(
            connection,
            {series: {c: sums.chunks[series][c] for c in its} for series, its in touched.items()},
        )


def key_check(key: bytes) -> str:
    """Return what tells two keys apart without telling either."""
    return hashlib.sha256(_CHECK_LABEL + key).hexdigest()


def load_sums(connection: Connection, key: bytes) -> Sums:
    """Return the sums of the file, as they were last brought up to date."""
    sums = Sums(key)
    columns = (reconciliation_sum.c[name] for name in (*_PLACE, "digest"))
    for *series, chunk, digest in connection.execute(select(*columns)):
        sums.chunks.setdefault(Series(*series), {})[chunk] = int.from_bytes(digest, "big")
    return sums


def forget_sums(connection: Connection) -> None:
    """Forget all sums; changes are not written down any more until there are sums again."""
    for table in (reconciliation_key, reconciliation_sum, reconciliation_change):
        connection.execute(delete(table))


def differing_chunks(connection: Connection, key: bytes) -> int | None:
    """Return how many kept sums are not those of the blocks; nothing, if none are kept by the key.

    Changes that wait to be added are added to a copy; the file stays as it is.
    """
    row = connection.execute(_STATE).first()
    if row is None or row.key_check != key_check(key):
        return None
    kept, read = load_sums(connection, key), Sums(key)
    for change in connection.execute(_PENDING, {"after": row.folded_to}):
        owned = owned_of(
            change.attributes, change.status, is_first_transferred=change.is_first_transferred
        )
        series = Series(*(change[2:6]))
        kept.add(series, change.first_serial, change.last_serial, owned, change.sign)
    for block in ComparedBook(connection, 0).blocks(None, 0, 2**63):
        read.add(*block)
    ours, theirs = _flat(kept.chunks), _flat(read.chunks)
    return sum(ours.get(place) != theirs.get(place) for place in ours.keys() | theirs.keys())


def check_sums(connection: Connection, secret: LinkSecret | None) -> list[str]:
    """Return what is wrong with the kept sums, one sentence; nothing if there is nothing to check.

    Read from all blocks, so it takes as long as making the sums anew.
    """
    key_id = connection.execute(select(reconciliation_key.c.key_id)).scalar()
    if secret is None or key_id is None:
        return []
    key = secret.key_named(key_id, int(key_id.rpartition("-")[2]))
    try:
        wrong = None if key is None else differing_chunks(connection, key)
    except UNREADABLE as error:
        return [f"the kept sums are of units that cannot be read: {error!r}"]
    if wrong is None:
        return [f"the kept sums are of another key than that of {key_id}"]
    return [f"{wrong} of the kept sums are not those of the blocks"] if wrong else []


def _flat(chunks: Chunks) -> dict[tuple[Any, int], int]:
    return {(s, c): value for s, its in chunks.items() for c, value in its.items() if value}


def _new_state(connection: Connection, folded_to: int) -> str:
    state = secrets.token_hex(16)
    connection.execute(update(reconciliation_key).values(folded_to=folded_to, state=state))
    folded = reconciliation_change.c.change_id <= folded_to
    connection.execute(delete(reconciliation_change).where(folded))
    return state


def _write(connection: Connection, chunks: Chunks) -> None:
    put: list[dict[str, Any]] = []
    dropped: list[dict[str, Any]] = []
    for series, its in chunks.items():
        for chunk, value in its.items():
            place = (*series, chunk)
            if value:
                row = dict(zip(_PLACE, place, strict=True))
                put.append({**row, "digest": value.to_bytes(16, "big")})
            else:
                dropped.append({f"of_{n}": v for n, v in zip(_PLACE, place, strict=True)})
    for start in range(0, len(put), _PAGE):
        connection.execute(_PUT, put[start : start + _PAGE])
    if dropped:
        connection.execute(_DROP, dropped)
