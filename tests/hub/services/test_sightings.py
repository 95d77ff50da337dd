"""When participants were last heard from is noted now and then; an outage loses nothing."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from hub.services.sightings import Sightings
from hub.store import reference
from hub.store.database import Database, DatabaseUnavailableError
from tests.integration.peers import now


async def _at_once(function: Callable[..., Any], *arguments: Any) -> object:
    return function(*arguments)


def _seen(database: Database) -> dict[str, datetime | None]:
    with database.reading() as connection:
        return {row.code: row.last_seen_at for row in reference.participants(connection)}


async def test_who_said_something_is_noted_and_nobody_else(either: Database) -> None:
    """One commit for all; a code that is nobody's harms nothing."""
    at = now()
    sightings = Sightings(either, _at_once, lambda: at)
    await sightings.note()
    assert set(_seen(either).values()) == {None}
    sightings.heard_from({"THA01", "CHE01"})
    sightings.heard_from({"THA01", "PER99"})
    await sightings.note()
    seen = _seen(either)
    assert (seen["THA01"], seen["CHE01"], seen["GHA01"]) == (at, at, None)


async def test_what_cannot_be_noted_now_is_noted_later(sqlite: Database) -> None:
    """A database that is away loses no sighting."""
    away = True

    async def run(function: Callable[..., Any], *arguments: Any) -> object:
        if away:
            raise DatabaseUnavailableError("away")
        return function(*arguments)

    sightings = Sightings(sqlite, run, now)
    sightings.heard_from({"THA01"})
    await sightings.note()
    assert _seen(sqlite)["THA01"] is None
    away = False
    await sightings.note()
    assert _seen(sqlite)["THA01"] is not None
