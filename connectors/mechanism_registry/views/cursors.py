"""Cursors of the answers: a place in the registry's books, good for one asker and one query. PURE.

    PLACE ":" of the books, the time of the first page, and a seal over both, who asks and what

1. The asker gives a cursor back as it got it; the seal (HMAC-SHA-256, 16 bytes of it) tells one
   that was made for another asker, another query, or by nobody.
2. Nothing is remembered between two pages, and a restart changes nothing: the secret is kept in
   the connector's database.
3. ``items_max`` may change from page to page; everything else of the query may not.
"""

import hmac
import re
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

import msgspec

from keys import base64url
from message_schemas.json_codec import encode
from message_schemas.messages.queries import HistoryQuery, HoldingsQuery

SECRET_BYTES: Final = 32
PLACE: Final = re.compile(r"[A-Za-z0-9_.~-]{1,100}")
_SEAL_BYTES: Final = 16
_PARTS: Final = 3

Query = HoldingsQuery | HistoryQuery


class CursorRefusedError(ValueError):
    """The cursor was not given out for this query to this asker."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the next page begins, and the time (TS) whose state the first page told."""

    after: str
    as_of: str


def make_cursor(secret: bytes, asker: str, query: Query, place: Place) -> str:
    """Return the cursor of a place. ``place.after`` matches PLACE."""
    said = f"{place.after}={_compact(place.as_of)}"
    return f"{said}={_seal(secret, asker, query, said)}"


def read_cursor(secret: bytes, asker: str, query: Query) -> Place | None:
    """Return the place that the query's cursor names; None without one.

    Raises CursorRefusedError.
    """
    if query.cursor is None:
        return None
    parts = query.cursor.split("=")
    if len(parts) == _PARTS:
        after, time, seal = parts
        expected = _seal(secret, asker, query, f"{after}={time}")
        if hmac.compare_digest(seal.encode(), expected.encode()):
            return Place(after, _spelt_out(time))
    raise CursorRefusedError("The cursor is not one that this query was answered with.")


def _seal(secret: bytes, asker: str, query: Query, said: str) -> str:
    asked = encode(replace(query, items_max=1, cursor=None, extensions=None))
    text = msgspec.json.encode([asker, type(query).__name__, asked.decode(), said])
    return base64url.encode(hmac.digest(secret, text, sha256)[:_SEAL_BYTES])


def _compact(as_of: str) -> str:
    """Return the digits of a time, which is all of it."""
    return "".join(letter for letter in as_of if letter.isdigit())


def _spelt_out(digits: str) -> str:
    year, month, day = digits[:4], digits[4:6], digits[6:8]
    hour, minute, second = digits[8:10], digits[10:12], digits[12:14]
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}.{digits[14:]}Z"
