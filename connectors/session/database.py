"""One SQLite file, one writer: every change is a named transaction in a thread of its own.

1. WAL with `synchronous=FULL`: what is committed survives a power cut. One fsync a transaction.
2. BEGIN IMMEDIATE: a second process waits its turn at the start, never in the middle.
3. Writes run one after another in the writer's thread; reads run beside them on connections that
   cannot write. The event loop is never blocked by either.
4. Before and after each commit lies a crash point; callbacks wait until the commit is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, MetaData, create_engine, event

from connectors.session.crash_points import reach

__all__ = ["Database", "Work", "open_engine"]

_BUSY_TIMEOUT_MS: Final = 30_000
_READER_COUNT: Final = 2
T = TypeVar("T")


def open_engine(path: Path, *, read_only: bool = False) -> Engine:
    """Return an engine for the file with the settings above; a write engine begins IMMEDIATE."""
    engine = create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def configure(connection: SqliteConnection, _record: object) -> None:
        # Python's own transaction control begins late; with None, BEGIN is ours alone.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
        if read_only:
            connection.execute("PRAGMA query_only=ON")
            return
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


class Work:
    """One open write transaction: its connection, and what to do around its commit."""

    __slots__ = ("_after_commit", "_before_commit", "connection")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._before_commit: list[Callable[[], None]] = []
        self._after_commit: list[Callable[[], None]] = []

    def before_commit(self, callback: Callable[[], None]) -> None:
        """Call this at the end of the transaction, when everything else is written."""
        self._before_commit.append(callback)

    def complete(self) -> None:
        """Run what was left for the end of the transaction, in the order in which it was given."""
        for callback in self._before_commit:
            callback()

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call this in the writer's thread after the commit, and not at all without one."""
        self._after_commit.append(callback)

    def finish(self) -> None:
        """Run the callbacks, in the order in which they were given."""
        for callback in self._after_commit:
            callback()


class Database:
    """The file of a connector, with its single writer and its readers."""

    def __init__(self, path: Path, *metadata: MetaData) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._writer = open_engine(path)
        self._reader = open_engine(path, read_only=True)
        self._write_thread = ThreadPoolExecutor(1, thread_name_prefix="database-writer")
        self._read_threads = ThreadPoolExecutor(_READER_COUNT, thread_name_prefix="database-reader")
        with self._writer.begin() as connection:
            for tables in metadata:
                tables.create_all(connection)

    async def write(self, name: str, use: Callable[[Work], T]) -> T:
        """Run `use` in one write transaction named in `crash_points.TRANSACTIONS`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._write_thread, self.write_now, name, use)

    def write_now(self, name: str, use: Callable[[Work], T]) -> T:
        """Do the same in this thread, for commands that have no event loop."""
        with self._writer.connect() as connection:
            with connection.begin():
                work = Work(connection)
                result = use(work)
                work.complete()
                reach(f"{name}.before_commit")
            reach(f"{name}.after_commit")
        work.finish()
        return result

    async def read(self, use: Callable[..., T], *arguments: Any) -> T:
        """Run `use(connection, *arguments)` in a read transaction beside the writer."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._read_threads, self.read_now, use, *arguments)

    def read_now(self, use: Callable[..., T], *arguments: Any) -> T:
        """Do the same in this thread."""
        with self._reader.connect() as connection, connection.begin():
            return use(connection, *arguments)

    def close(self) -> None:
        """Wait for the running transaction, then close every connection."""
        self._write_thread.shutdown()
        self._read_threads.shutdown()
        self._reader.dispose()
        self._writer.dispose()
