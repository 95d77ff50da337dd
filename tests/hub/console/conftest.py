"""Consoles for tests: one small day is played once, each test has a copy of its database."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hub.store.database import Database
from tests.hub.console.console_world import ConsoleWorld, seed, serve_console
from tests.hub.world import World


@pytest.fixture(scope="session")
def seeded_file(registered_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a SQLite database of the small day."""
    path = tmp_path_factory.mktemp("seeded") / "hub.db"
    shutil.copy(registered_file, path)
    database = Database(f"sqlite:///{path}")
    seed(World(database))
    database.dispose()
    return path


@pytest.fixture
def seeded(seeded_file: Path, tmp_path: Path) -> Iterator[Database]:
    """Return a database of its own with the small day in it."""
    shutil.copy(seeded_file, tmp_path / "hub.db")
    database = Database(f"sqlite:///{tmp_path}/hub.db")
    yield database
    database.dispose()


@pytest.fixture
async def console(seeded: Database) -> AsyncIterator[ConsoleWorld]:
    """Serve a console over the small day."""
    async with serve_console(seeded) as served:
        yield served
