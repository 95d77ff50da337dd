"""The tallies of a feed's issuances: the latest in memory, the others in a file of their own.

A feed names issuance after issuance and seldom comes back to an old one. So the few thousand used
last are at hand, and the memory of a survey does not grow with the feed. The file is SQLite's own
temporary one: it has no name and is gone with the connection.

A tally that was taken out is the caller's to change until the next one is taken out.
"""

import sqlite3
from collections.abc import Iterator, MutableMapping
from typing import Final

import msgspec

from connectors.mechanism_registry.issuances.shares import IssuanceTally

AT_HAND_MAX: Final = 2_000

_MAKE: Final = (
    "CREATE TABLE tally (number INTEGER PRIMARY KEY, issuance_id TEXT UNIQUE, content BLOB)"
)
_PUT: Final = (
    "INSERT INTO tally (issuance_id, content) VALUES (?, ?)"
    " ON CONFLICT (issuance_id) DO UPDATE SET content = excluded.content"
)


class TallyShelf(MutableMapping[str, IssuanceTally]):
    """Tallies by issuance id, in the order in which they came."""

    def __init__(self, at_hand_max: int = AT_HAND_MAX) -> None:
        self._at_hand_max = at_hand_max
        self._at_hand: dict[str, IssuanceTally] = {}
        # A survey may run in another thread than the one that asks for its result.
        self._file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._file.execute(_MAKE)

    def __getitem__(self, issuance_id: str) -> IssuanceTally:
        """Return a tally. Raises KeyError."""
        tally = self._at_hand.get(issuance_id)
        if tally is None:
            found = self._file.execute(
                "SELECT content FROM tally WHERE issuance_id = ?", (issuance_id,)
            ).fetchone()
            if found is None:
                raise KeyError(issuance_id)
            tally = _read(found[0])
            self[issuance_id] = tally
        return tally

    def __setitem__(self, issuance_id: str, tally: IssuanceTally) -> None:
        """Put a tally in; a new one comes behind all others."""
        if len(self._at_hand) >= self._at_hand_max:
            self._lay_down()
        self._at_hand[issuance_id] = tally

    def __delitem__(self, issuance_id: str) -> None:
        """Take a tally out for good."""
        self._lay_down()
        taken = self._file.execute("DELETE FROM tally WHERE issuance_id = ?", (issuance_id,))
        if not taken.rowcount:
            raise KeyError(issuance_id)

    def __iter__(self) -> Iterator[str]:
        """Return the ids in the order in which they came."""
        self._lay_down()
        for row in self._file.execute("SELECT issuance_id FROM tally ORDER BY number"):
            yield row[0]

    def __len__(self) -> int:
        """Return how many tallies there are."""
        self._lay_down()
        return int(self._file.execute("SELECT count(*) FROM tally").fetchone()[0])

    def each(self) -> Iterator[IssuanceTally]:
        """Return all tallies in the order in which they came, to be read only."""
        self._lay_down()
        for row in self._file.execute("SELECT content FROM tally ORDER BY number"):
            yield _read(row[0])

    def _lay_down(self) -> None:
        """Write all that is at hand to the file."""
        if self._at_hand:
            self._file.execute("BEGIN")
            rows = ((name, msgspec.msgpack.encode(one)) for name, one in self._at_hand.items())
            self._file.executemany(_PUT, rows)
            self._file.execute("COMMIT")
            self._at_hand.clear()


def _read(content: bytes) -> IssuanceTally:
    return msgspec.msgpack.decode(content, type=IssuanceTally)
