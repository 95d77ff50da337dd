"""``itmo-hub reconcile report|result|own-books|alerts|alert-test`` as an operator uses them."""

import asyncio
import csv
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from io import StringIO
from pathlib import Path

import pytest
from sqlalchemy import text

from hub.protocol.reconciliation_policy import ReconciliationPolicy
from hub.services.reconciliation.alerts import alerts
from hub.services.reconciliation.cases.ending import Ending
from hub.store import alerts as hub_alerts
from hub.store.database import Database
from hub.transparency_log.proof_files import ProofFile, verify_proof
from keys import base64url
from tests.hub.commands.runner import Said, done, misused, refused, run
from tests.hub.log_world import log_keys, publisher
from tests.hub.services.reconciliation.case_worlds import begin_session, finish
from tests.hub.services.reconciliation.night_rows import END, NIGHT, plant_night
from tests.hub.services.reconciliation.receivers import Hook, webhook
from tests.hub.world import World
from tests.integration.hub_process import hub_key_variable
from tests.integration.peers import now, payload_of


@pytest.fixture
def planted_url(sqlite_url: str) -> str:
    """Return the URL of a database with a night in it."""
    database = Database(sqlite_url)
    with database.writing() as connection:
        plant_night(connection)
    database.dispose()
    return sqlite_url


def test_the_newest_report_is_written_in_each_form(planted_url: str, tmp_path: Path) -> None:
    """To a file, or to standard output for a pipe."""
    page = tmp_path / "night.html"
    said = done("reconcile", "report", "--out", str(page), "--database", planted_url)
    assert said.lines[0][2] == f"night of {NIGHT}"
    assert page.read_bytes().startswith(b"<!DOCTYPE html>")
    out = done("reconcile", "report", NIGHT, "--format", "csv", "--database", planted_url).out
    assert next(iter(csv.DictReader(StringIO(out))))["night"] == NIGHT
    shown = done("reconcile", "report", "--format", "json", "--database", planted_url)
    assert shown.document["night"] == NIGHT


def test_a_report_of_no_night_is_refused(planted_url: str) -> None:
    """With the command that lists them; a form that there is not is misuse."""
    line = refused("reconcile", "report", "2020-01-01", "--database", planted_url)
    assert line == "there was no night 2020-01-01; `itmo-hub reconcile nights` lists them"
    misused("reconcile", "report", "--format", "pdf", "--database", planted_url)


def test_own_books_are_checked_and_a_fault_is_exit_1(sqlite_url: str) -> None:
    """Sound books are one line; a fault is named, told to the operator, and fails the command."""
    world = World(Database(sqlite_url))
    world.begin()
    world.transfer("THA01-1", 1, 100)
    for options in ((), ("--all",)):
        sound = done("reconcile", "own-books", *options, "--database", sqlite_url)
        assert sound.out.startswith("1 of 1 series, 1 blocks, ")
        assert sound.out.endswith(": sound\n")
    with world.database.writing() as connection:
        connection.execute(text("UPDATE unit_block SET registry = 'GHA01'"))
    failed = run("reconcile", "own-books", "--all", "--database", sqlite_url)
    assert failed.status == 1
    assert failed.lines[0][0] == "difference"
    assert failed.out.endswith(": at fault\n")
    document = run("reconcile", "own-books", "--all", "--json", "--database", sqlite_url).document
    assert document["fault_count"] == 1
    assert document["faults"][0]["kind"] == "difference"
    with world.database.reading() as connection:
        (told,) = hub_alerts.newest(connection)
    assert (told.kind, told.subject, told.count) == ("own_books", "difference", 2)


def test_alerts_that_wait_are_listed(planted_url: str) -> None:
    """Whom they are for and why they wait."""
    database = Database(planted_url)
    policy = ReconciliationPolicy(webhooks=("https://desk.example/",))
    with database.writing() as connection:
        alerts.after_night(connection, NIGHT, policy=policy, now=END)
    (row,) = done("reconcile", "alerts", "--json", "--database", planted_url).document
    assert (row["state"], row["target"]) == ("waiting", "https://desk.example/")
    assert row["alert"] == f"night/{NIGHT}"
    assert len(done("reconcile", "alerts", "--all", "--database", planted_url).lines) == 2


@contextmanager
def receiving() -> Iterator[Hook]:
    """Run a webhook receiver beside the command, in a loop of its own."""
    ready: list[Hook] = []
    is_ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with webhook() as hook:
            ready.append(hook)
            is_ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    is_ready.wait()
    yield ready[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


def alert_test(folder: Path, url: str, *hooks: str) -> Said:
    """Run the test of alerts with a settings file that names these webhooks."""
    name, value = "ITMO_TEST_HUB_KEY", hub_key_variable()
    config = folder / "hub.toml"
    config.write_text(
        f'database_url = "{url}"\nsigners = ["env:{name}"]\nallow_http_endpoints = true\n'
        f"[reconciliation]\nwebhooks = {json.dumps(hooks)}\n"
    )
    return run("reconcile", "alert-test", "--json", "--config", str(config), **{name: value})


def test_a_test_of_alerts_says_how_each_receiver_took_it(
    sqlite_url: str, tmp_path: Path, unused_tcp_port: int
) -> None:
    """All that take it are exit 0, one that does not is exit 1; nobody to tell is refused."""
    with receiving() as hook:
        good = alert_test(tmp_path, sqlite_url, hook.url)
        assert (good.status, good.document[0]["result"]) == (0, "sent")
        away = f"http://127.0.0.1:{unused_tcp_port}/"
        bad = alert_test(tmp_path, sqlite_url, hook.url, away)
    assert bad.status == 1
    assert [row["result"] == "sent" for row in bad.document] == [True, False]
    assert len(hook.got) == 2
    nobody = alert_test(tmp_path, sqlite_url)
    assert nobody.status == 1
    assert "there is nobody to tell" in nobody.err


def test_a_result_is_given_with_its_proofs(sqlite_url: str, tmp_path: Path) -> None:
    """What the command gives proves itself: content, commitment, path, the log's signature."""
    world = World(Database(sqlite_url))
    session = begin_session(world)
    waiting = refused("reconcile", "result", session.session, "--database", sqlite_url)
    assert waiting == f"session {session.session} has no result yet: it is asking"
    ended = finish(world, session, Ending("silent", None))
    world.maker.prepare(world.database, ["CHE01"], now())
    early = done("reconcile", "result", session.session, "--database", sqlite_url).document
    assert [one["proof"] for one in early["entries"]] == [None, None]
    assert "proof_is_missing" in early["entries"][0]
    publisher(world.database).publish(now())
    out = tmp_path / "result.json"
    told = done("reconcile", "result", session.session, "-o", str(out), "--database", sqlite_url)
    assert told.lines[0][1:] == [f"log index {ended.log_index}", "with proofs"]
    document = json.loads(out.read_bytes())
    assert document["log_index"] == ended.log_index
    assert document["result"]["kind"] == "reconciliation.result"
    roles = [one["role"] for one in document["entries"]]
    assert roles == ["result", "delivery to CHE01"]
    for one in document["entries"]:
        entry = json.loads(one["entry"])
        for name, content in one["contents"].items():
            digest = sha256(base64url.decode(one["salt"]) + content.encode()).hexdigest()
            assert digest in one["entry"]
            assert name in one["entry"]
        assert entry["index"] == one["log_index"]
        proof = ProofFile.parse(one["proof"])
        verify_proof(proof, one["entry"].encode(), log_keys().verifiers)
    delivery = document["entries"][1]["contents"]["delivery"].encode()
    assert session.session in json.dumps(payload_of(delivery, "itmo-delivery+jws"))


def test_a_result_of_no_session_is_refused(sqlite_url: str) -> None:
    """With the command that lists them."""
    line = refused("reconcile", "result", "CHE01-1", "--database", sqlite_url)
    assert line == "no session 'CHE01-1'; `itmo-hub reconcile sessions` lists them"
