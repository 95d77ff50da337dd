"""Find rows by many pairs of values, such as sender and envelope id: by index, on each database.

SQLite reads the whole table for ``(a, b) IN (VALUES ...)``; joined with a list of the pairs it
looks each of them up. PostgreSQL uses the index for the list itself.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Text, and_, bindparam, func, select, tuple_

from hub.store.parts import in_parts


class PairLookup:
    """Selects ``columns`` of one table where ``first`` and ``second`` are a pair asked for."""

    def __init__(
        self, columns: Sequence[Column[Any]], first: Column[Any], second: Column[Any]
    ) -> None:
        self._postgres = select(*columns).where(
            tuple_(first, second).in_(bindparam("pairs", expanding=True))
        )
        listed = func.json_each(bindparam("pairs", type_=Text)).table_valued("value", name="asked")
        self._sqlite = select(*columns).join_from(
            listed,
            first.table,
            and_(
                first == func.json_extract(listed.c.value, "$[0]"),
                second == func.json_extract(listed.c.value, "$[1]"),
            ),
        )

    def rows(
        self, connection: Connection, pairs: Collection[tuple[Any, Any]]
    ) -> Iterator[Sequence[Any]]:
        """Return the rows of the pairs that there are. ``pairs`` holds each pair once."""
        for part in in_parts(pairs):
            if connection.dialect.name == "sqlite":
                listed = msgspec.json.encode(part).decode()
                yield from connection.execute(self._sqlite, {"pairs": listed})
            else:
                yield from connection.execute(self._postgres, {"pairs": part})
