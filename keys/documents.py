"""Public key documents: what a participant hands over, and what the hub publishes (JSON).

    {"key_id": …, "participant": …, "algorithm": …, "public_key": base64url of the
     SubjectPublicKeyInfo, "valid_from": …, "valid_until": … or null, "revoked_at": … or null}

1. Exactly these members; times are RFC 3339 in UTC with `Z`, to the millisecond or finer.
2. A document is believed no further than its reader: `keys.possession` makes it signed by the
   key it describes.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Final, TypedDict

from keys import base64url
from keys.algorithms import Algorithm
from keys.errors import MalformedDocumentError, MalformedKeyError
from keys.public_keys import KeyRecord

__all__ = [
    "KeyDocument",
    "format_time",
    "from_document",
    "parse_document",
    "parse_time",
    "render_document",
    "to_document",
]

# The hour is bounded here: later versions of Python read 24:00 as the next day.
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z"
)
_DOCUMENT_BYTES_MAX: Final = 16 * 1024


class KeyDocument(TypedDict):
    """The members of a public key document, as JSON carries them."""

    key_id: str
    participant: str
    algorithm: str
    public_key: str
    valid_from: str
    valid_until: str | None
    revoked_at: str | None


_STRINGS: Final = ("key_id", "participant", "algorithm", "public_key", "valid_from")
_OPTIONAL_TIMES: Final = ("valid_until", "revoked_at")


def to_document(record: KeyRecord) -> KeyDocument:
    """Return the document of a record; `from_document` gives the record back."""
    return KeyDocument(
        key_id=record.key_id,
        participant=record.participant,
        algorithm=record.algorithm.value,
        public_key=base64url.encode(record.public_key_der),
        valid_from=format_time(record.valid_from),
        valid_until=None if record.valid_until is None else format_time(record.valid_until),
        revoked_at=None if record.revoked_at is None else format_time(record.revoked_at),
    )


def from_document(document: object) -> KeyRecord:
    """Return the record that a parsed document describes.

    Raises:
        MalformedDocumentError: members, types or values are wrong, or contradict each other.
    """
    wanted = {*_STRINGS, *_OPTIONAL_TIMES}
    if not isinstance(document, dict) or document.keys() != wanted:
        raise MalformedDocumentError(f"a key document has exactly {', '.join(sorted(wanted))}")
    if not all(isinstance(document[name], str) for name in _STRINGS):
        raise MalformedDocumentError(f"{', '.join(_STRINGS)} are strings")
    try:
        return KeyRecord(
            document["participant"],
            document["key_id"],
            Algorithm(document["algorithm"]),
            base64url.decode(document["public_key"]),
            parse_time(document["valid_from"]),
            _optional_time(document["valid_until"]),
            _optional_time(document["revoked_at"]),
        )
    except (ValueError, MalformedKeyError) as error:
        raise MalformedDocumentError(str(error)[:200]) from error


def render_document(record: KeyRecord) -> bytes:
    """Return the document of a record as indented UTF-8 JSON, for a file or a screen."""
    return (json.dumps(to_document(record), indent=2) + "\n").encode("ascii")


def parse_document(raw: bytes) -> KeyRecord:
    """Return the record of a document's bytes.

    Raises:
        MalformedDocumentError: not such a document, or with a member twice.
    """
    if len(raw) > _DOCUMENT_BYTES_MAX or raw.count(b"{") > 1 or b"[" in raw:
        raise MalformedDocumentError("too large or nested for a key document")
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise MalformedDocumentError(f"not JSON: {str(error)[:96]}") from error
    return from_document(value)


def format_time(time: datetime) -> str:
    """Return an aware time as RFC 3339 in UTC, to the millisecond, or finer where it must be."""
    utc = time.astimezone(UTC)
    precision = "microseconds" if utc.microsecond % 1000 else "milliseconds"
    return utc.isoformat(timespec=precision).removesuffix("+00:00") + "Z"


def parse_time(text: str) -> datetime:
    """Return the aware time of an RFC 3339 text in UTC.

    Raises:
        ValueError: the text is not such a time.
    """
    if _TIME.fullmatch(text) is None:
        raise ValueError(f"{text[:40]!r} is not a UTC time such as 2027-01-31T12:00:00.000Z")
    return datetime.fromisoformat(text)


def _optional_time(value: object) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("a time is a string or null")
    return parse_time(value)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member occurs twice")
    return members
