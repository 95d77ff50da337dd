"""One process at a time works with a database: two sessions would send and take the same twice."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DatabaseBusyError(OSError):
    """Another process works with the database; the text says what to do."""


@contextmanager
def sole_process(database: Path) -> Iterator[None]:
    """Hold a database for this process, until the end. Raises DatabaseBusyError.

    The lock is the operating system's and ends with the process, however that ends.
    """
    path = database.with_name(f"{database.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            text = f"another process works with {database}: stop it, or wait until it is done"
            raise DatabaseBusyError(text) from None
        yield
