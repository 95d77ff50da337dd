"""A hub starts on a database that fits it, and on no other."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from hub.store.database import Database
from tests.integration.conftest import StartHub
from tests.integration.hub_process import HubUnderTest, hub_key_variable, register
from tests.integration.peers import Peer, proposal
from tests.integration.worlds import fresh_block, fresh_id, last_sequence, record_world


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


async def test_an_orderly_stop_keeps_nobody_waiting_and_loses_nothing(
    hub: HubUnderTest, thailand: Peer, ghana: Peer
) -> None:
    """SIGTERM under load: long polls end, every receipt given is stored, the exit status is 0."""
    await record_world(thailand)
    last = await last_sequence(ghana)
    poll = asyncio.create_task(ghana.fetch(last, wait_seconds=30))
    raws = [
        thailand.envelope("CHE01", proposal(fresh_id("THA01"), fresh_block(1))) for _ in range(100)
    ]
    posts = [asyncio.create_task(thailand.post(raw)) for raw in raws]
    await asyncio.sleep(0.2)
    loop = asyncio.get_running_loop()
    started = loop.time()
    assert await hub.stop() == 0
    assert loop.time() - started < 10
    assert await poll is None
    answers = await asyncio.gather(*posts, return_exceptions=True)
    await hub.start()
    for raw, answer in zip(raws, answers, strict=True):
        status, receipt = await thailand.post(raw)
        assert status == 200
        if not isinstance(answer, BaseException) and answer[0] == 200:
            assert receipt == answer[1]
