"""Write very many rows: COPY on PostgreSQL, prepared inserts on SQLite, a table at a time.

Rows are tuples in the order of the columns named with the table; instants are milliseconds. Nothing
looks at them but the database.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Table, text

from bench.reconciliation_world import copy_rows

Row = tuple[Any, ...]
_HELD_MAX: Final = 20_000


class Bulk:
    """Gathers rows of tables and writes them in portions."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._is_sqlite = connection.dialect.name == "sqlite"
        self._waiting: dict[str, list[Row]] = {}
        self._columns: dict[str, tuple[str, ...]] = {}
        if self._is_sqlite:
            # Only this build goes without: a power cut costs it a new one.
            connection.exec_driver_sql("PRAGMA cache_size=-1048576")

    def into(self, table: Table, names: Sequence[str] = ()) -> list[Row]:
        """Return where rows of a table are put; ``names`` are the columns, all if none is named."""
        self._columns[table.name] = tuple(names or (column.name for column in table.c))
        return self._waiting.setdefault(table.name, [])

    def write_full(self) -> None:
        """Write the tables of which many rows wait."""
        self._write(name for name, rows in self._waiting.items() if len(rows) >= _HELD_MAX)

    def write_all(self) -> None:
        """Write what waits, in the order in which the tables were named."""
        self._write(list(self._waiting))

    def _write(self, names: Iterable[str]) -> None:
        for name in list(names):
            rows = self._waiting[name]
            if not rows:
                continue
            columns = self._columns[name]
            if self._is_sqlite:
                places = ", ".join("?" * len(columns))
                self.connection.exec_driver_sql(
                    f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({places})",  # noqa: S608 - our own names
                    rows,
                )
            else:
                copy_rows(self.connection, name, columns, rows)
            rows.clear()


def analyze(connection: Connection) -> None:
    """Let PostgreSQL know its tables; SQLite's hub never does, so its benchmark does not either."""
    if connection.dialect.name != "sqlite":
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))
