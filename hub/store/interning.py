"""Small numbers for the two things that repeat on every block: its series and its attributes.

Both tables only grow, and a row never changes, so what was read once is true for ever. New numbers
are given under the head's lock. A transaction that rolls back takes its rows with it: the owner
calls ``forget`` then, so that nothing is remembered that was never committed.
"""

from collections.abc import Collection
from dataclasses import asdict, astuple, fields
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, func, insert, select, tuple_

from hub.international_registry.units import Attributes, Series
from hub.store.parts import in_parts
from hub.store.tables import series, unit_attributes

_SERIES_COLUMNS = (
    series.c.series_id,
    series.c.cooperative_approach,
    series.c.originating_registry,
    series.c.first_transferring_party,
    series.c.vintage,
)
_FIND_SERIES = select(*_SERIES_COLUMNS).where(
    tuple_(*_SERIES_COLUMNS[1:]).in_(bindparam("wanted", expanding=True))
)
_ENCODER = msgspec.json.Encoder(order="sorted")


def _content(value: Attributes) -> str:
    """Return attributes as one canonical line of JSON, the key under which they are interned."""
    return _ENCODER.encode(asdict(value)).decode()


def series_id_of(connection: Connection, wanted: Series) -> int | None:
    """Return the number of a series; None if the ledger never saw it."""
    found: int | None = connection.execute(
        select(series.c.series_id).where(
            series.c.cooperative_approach == wanted.cooperative_approach,
            series.c.originating_registry == wanted.originating_registry,
            series.c.first_transferring_party == wanted.first_transferring_party,
            series.c.vintage == wanted.vintage,
        )
    ).scalar_one_or_none()
    return found


class Interning:
    """The two directories, cached in memory."""

    def __init__(self) -> None:
        self._series: dict[int, Series] = {}
        self._series_ids: dict[Series, int] = {}
        self._attributes: dict[int, Attributes] = {}
        self._attributes_ids: dict[Attributes, int] = {}

    def forget(self) -> None:
        """Drop everything remembered (after a rollback)."""
        self.__init__()  # type: ignore[misc]  # the empty state, said once

    def find_series(self, connection: Connection, value: Series) -> int | None:
        """Return a series' number, or None if the ledger never saw it."""
        known = self._series_ids.get(value)
        if known is None:
            known = series_id_of(connection, value)
            if known is not None:
                self._remember_series(known, value)
        return known

    def find_all_series(
        self, connection: Connection, wanted: Collection[Series]
    ) -> dict[Series, int]:
        """Return the numbers of those series that the ledger has seen."""
        unknown = [value for value in wanted if value not in self._series_ids]
        for part in in_parts([astuple(value) for value in unknown]):
            for row in connection.execute(_FIND_SERIES, {"wanted": part}):
                self._remember_series(row[0], Series(*row[1:]))
        return {value: self._series_ids[value] for value in wanted if value in self._series_ids}

    def series_id(self, connection: Connection, value: Series) -> int:
        """Return a series' number; gives it one if it is new. The caller holds the head."""
        known = self._series_ids.get(value) or self.find_series(connection, value)
        if known is None:
            known = self._next(connection, series.c.series_id)
            connection.execute(insert(series).values(series_id=known, **asdict(value)))
            self._remember_series(known, value)
        return known

    def series(self, connection: Connection, series_id: int) -> Series:
        """Return the series of a number found in the database."""
        if series_id not in self._series:
            row = connection.execute(
                select(*_SERIES_COLUMNS).where(series.c.series_id == series_id)
            ).one()
            self._remember_series(series_id, Series(*row[1:]))
        return self._series[series_id]

    def all_series_ids(self, connection: Connection) -> list[int]:
        """Return the numbers of all series, in the order in which ``Series`` compares."""
        for row in connection.execute(select(*_SERIES_COLUMNS)):
            self._remember_series(row[0], Series(*row[1:]))
        return sorted(self._series, key=lambda series_id: self._series[series_id])

    def attributes_id(self, connection: Connection, value: Attributes) -> int:
        """Return the number of an attribute set; gives it one if new. The caller holds the head."""
        known = self._attributes_ids.get(value)
        if known is None:
            content = _content(value)
            known = connection.execute(
                select(unit_attributes.c.attributes_id).where(unit_attributes.c.content == content)
            ).scalar_one_or_none()
            if known is None:
                known = self._next(connection, unit_attributes.c.attributes_id)
                connection.execute(
                    insert(unit_attributes).values(attributes_id=known, content=content)
                )
            self._remember_attributes(known, value)
        return known

    def attributes(self, connection: Connection, attributes_id: int) -> Attributes:
        """Return the attribute set of a number found in the database."""
        if attributes_id not in self._attributes:
            content = connection.execute(
                select(unit_attributes.c.content).where(
                    unit_attributes.c.attributes_id == attributes_id
                )
            ).scalar_one()
            document = msgspec.json.decode(content)
            value = Attributes(**{field.name: document[field.name] for field in fields(Attributes)})
            self._remember_attributes(attributes_id, value)
        return self._attributes[attributes_id]

    def _remember_series(self, series_id: int, value: Series) -> None:
        self._series[series_id] = value
        self._series_ids[value] = series_id

    def _remember_attributes(self, attributes_id: int, value: Attributes) -> None:
        self._attributes[attributes_id] = value
        self._attributes_ids[value] = attributes_id

    @staticmethod
    def _next(connection: Connection, column: Any) -> int:
        """Return the number after the highest given so far."""
        highest = connection.execute(select(func.max(column))).scalar_one()
        return int(highest or 0) + 1
