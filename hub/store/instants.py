"""Instants as whole milliseconds: the protocol's resolution, one integer on every database."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Dialect
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_milliseconds(instant: datetime) -> int:
    """Return the whole milliseconds since 1970-01-01T00:00:00Z (``instant`` is aware)."""
    return (instant - _EPOCH) // _MILLISECOND


def from_milliseconds(milliseconds: int) -> datetime:
    """Return the aware UTC instant of a number of milliseconds since 1970."""
    return _EPOCH + milliseconds * _MILLISECOND


class Instant(TypeDecorator[datetime]):
    """A column of aware UTC datetimes, stored as integer milliseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Store an instant as its milliseconds."""
        del dialect
        return None if value is None else to_milliseconds(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Read milliseconds back as an aware instant."""
        del dialect
        return None if value is None else from_milliseconds(value)
