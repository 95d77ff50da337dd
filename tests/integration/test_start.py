"""A hub starts on a database that fits it, and on no other."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from hub.store.database import Database
from tests.integration.conftest import StartHub
from tests.integration.hub_process import HubUnderTest, hub_key_variable, register


async def test_a_database_of_a_newer_release_is_refused(
    database_url: str, hubs: StartHub, tmp_path: Path
) -> None:
    """The hub says so and ends; it touches nothing, and starts when the revision is its own."""
    register(database_url)
    database = Database(database_url)
    with database.writing() as connection:
        revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        connection.execute(text("UPDATE alembic_version SET version_num = '9999_from_later'"))
    done = serve(database_url)
    assert done.returncode == 1, done.stderr
    assert "newer" in done.stderr
    assert "Traceback" not in done.stderr
    with database.writing() as connection:
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        assert found == "9999_from_later"
        connection.execute(
            text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision}
        )
    database.dispose()
    hub = await hubs(database_url)
    assert await hub.stop() == 0


def serve(database_url: str) -> "subprocess.CompletedProcess[str]":
    """Run a hub that is expected to end by itself."""
    import os

    return subprocess.run(
        [
            *(sys.executable, "-m", "hub", "serve", "--database", database_url),
            *("--signer", "env:ITMO_TEST_HUB_KEY", "--port", "0"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"ITMO_TEST_HUB_KEY": hub_key_variable()},
    )


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all/hub.db", "postgresql://127.0.0.1:1/x"])
async def test_a_database_that_cannot_be_reached_is_named_without_a_traceback(url: str) -> None:
    """The operator reads one sentence and gets exit status 1."""
    done = serve(url)
    assert done.returncode == 1
    assert done.stderr
    assert "Traceback" not in done.stderr


async def test_an_orderly_stop_answers_whoever_waits(hub: HubUnderTest) -> None:
    """SIGTERM ends the process with status 0 in bounded time; it starts again on the same data."""
    assert await hub.stop() == 0
    await hub.start()
