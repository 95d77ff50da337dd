"""Timestamps on the wire: UTC, milliseconds, always 24 characters (``2026-11-22T10:15:30.123Z``).

The dataclasses keep timestamps as the text that was signed; these two functions go between that
text and aware datetimes. AEF, action date: ISO 8601 UTC with milliseconds.
"""

import re
from datetime import UTC, datetime
from typing import Final

_FORM: Final = re.compile(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")


class TimestampError(ValueError):
    """The text is not a timestamp of this protocol, or names a time that does not exist."""


def parse(text: str) -> datetime:
    """Return the aware UTC datetime of a timestamp.

    Raises TimestampError for any other form and for days such as 30 February.
    """
    if _FORM.fullmatch(text) is None:
        raise TimestampError(f"not a timestamp like 2026-11-22T10:15:30.123Z: {text[:40]!r}")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise TimestampError(f"no such time: {text} ({error})") from None


def render(moment: datetime) -> str:
    """Return the timestamp of an aware datetime, cut to whole milliseconds.

    Raises TimestampError when the datetime is naive: a time without a zone is not a time.
    """
    if moment.tzinfo is None:
        raise TimestampError(f"a naive datetime has no timestamp: {moment}")
    utc = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return utc.removesuffix("+00:00") + "Z"
