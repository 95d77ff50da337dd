"""Write many rows of one table with one short statement, made once.

The hot path writes a dozen rows to each of a dozen tables in every commit. What a statement is for
is said once, as a constant (``Insert``, ``Update``); how it is run depends on the database:

1. SQLite takes the rows one by one, by name.
2. PostgreSQL takes them all in one JSON text, and makes a set of rows of it by itself: one
   statement a commit and not one a row. Bytes have no place in JSON, so tables with bytes are
   inserted row by row there too.

Rows are dictionaries with a value for each column, as the table's columns hold them: instants are
aware datetimes and become milliseconds here.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Column, Connection, LargeBinary, Table
from sqlalchemy.dialects import postgresql

from hub.store.instants import Instant, to_milliseconds

Row = Mapping[str, Any]

_POSTGRES: Final = postgresql.dialect()  # type: ignore[no-untyped-call]  # untyped library
_ENCODER: Final = msgspec.json.Encoder()


class Insert:
    """Inserts rows that have all of ``names``; other columns keep their default."""

    def __init__(self, table: Table, names: Sequence[str]) -> None:
        columns = [table.c[name] for name in names]
        into = f"INSERT INTO {table.name} ({', '.join(names)}) "
        by_name = ", ".join(f":{name}" for name in names)
        in_place = ", ".join(f"%({name})s" for name in names)
        # ruff: noqa: S608 - nothing is interpolated but names of our own tables; values are bound
        self._instants = _instants(columns)
        self._has_bytes = any(_is_bytes(column) for column in columns)
        self._sqlite = f"{into}VALUES ({by_name})"
        self._row_by_row = f"{into}VALUES ({in_place})"
        self._at_once = f"{into}SELECT {', '.join(names)} FROM {_rows_of_json(columns)}"

    def run(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Insert the rows."""
        plain = _plain(rows, self._instants)
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(self._sqlite, plain)
        elif self._has_bytes:
            connection.exec_driver_sql(self._row_by_row, plain)
        else:
            connection.exec_driver_sql(self._at_once, _json(plain))


class Update:
    """Sets ``values`` of the rows of a small table that have the row's ``key``; each key once.

    Small: PostgreSQL may read the whole table to find them.
    """

    def __init__(self, table: Table, key: Sequence[str], values: Sequence[str]) -> None:
        name = table.name
        columns = [table.c[column] for column in (*key, *values)]
        to_bound = ", ".join(f"{value} = :{value}" for value in values)
        to_given = ", ".join(f"{value} = {_read(table.c[value])}" for value in values)
        is_bound = " AND ".join(f"{part} = :{part}" for part in key)
        is_given = " AND ".join(f"{name}.{part} = given.{part}" for part in key)
        self._instants = _instants(columns)
        self._sqlite = f"UPDATE {name} SET {to_bound} WHERE {is_bound}"
        self._at_once = (
            f"UPDATE {name} SET {to_given} FROM {_rows_of_json(columns)} WHERE {is_given}"
        )

    def run(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Update the rows."""
        plain = _plain(rows, self._instants)
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(self._sqlite, plain)
        else:
            connection.exec_driver_sql(self._at_once, _json(plain))


class Put:
    """Inserts rows, or gives those that are there by their ``key`` the new values; each key once.

    Bytes go to PostgreSQL as base64, so they should be few in each row.
    """

    def __init__(self, table: Table, key: Sequence[str], values: Sequence[str]) -> None:
        names = (*key, *values)
        columns = [table.c[name] for name in names]
        into = f"INSERT INTO {table.name} ({', '.join(names)}) "
        to_new = ", ".join(f"{value} = excluded.{value}" for value in values)
        by_key = f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {to_new}"
        self._instants = _instants(columns)
        self._sqlite = f"{into}VALUES ({', '.join(f':{name}' for name in names)}) {by_key}"
        self._at_once = (
            f"{into}SELECT {', '.join(_read(column) for column in columns)} "
            f"FROM {_rows_of_json(columns)} {by_key}"
        )

    def run(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Insert or change the rows; none is nothing."""
        if not rows:
            return
        plain = _plain(rows, self._instants)
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(self._sqlite, plain)
        else:
            connection.exec_driver_sql(self._at_once, _json(plain))


def _read(column: Column[Any]) -> str:
    """Return the PostgreSQL words that take a column's value from ``given``."""
    if _is_bytes(column):
        return f"decode(given.{column.name}, 'base64')"
    return f"given.{column.name}"


def _is_bytes(column: Column[Any]) -> bool:
    return isinstance(column.type, LargeBinary)


def _instants(columns: Sequence[Column[Any]]) -> list[str]:
    return [column.name for column in columns if isinstance(column.type, Instant)]


def _rows_of_json(columns: Sequence[Column[Any]]) -> str:
    """Return the PostgreSQL words that make rows, ``given``, of one JSON text."""
    typed = ", ".join(
        f"{one.name} {'text' if _is_bytes(one) else one.type.compile(_POSTGRES)}" for one in columns
    )
    return f"json_to_recordset(%(rows)s::json) AS given({typed})"


def _plain(rows: Sequence[Row], instants: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows with their instants in milliseconds."""
    if not instants:
        return list(rows)  # type: ignore[arg-type]  # what the driver is given, it only reads
    plain: list[dict[str, Any]] = []
    for row in rows:
        moments = {
            name: None if row[name] is None else to_milliseconds(row[name]) for name in instants
        }
        plain.append({**row, **moments})
    return plain


def _json(rows: Sequence[Row]) -> dict[str, str]:
    return {"rows": _ENCODER.encode(rows).decode()}
