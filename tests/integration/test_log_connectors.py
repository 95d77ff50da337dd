"""Connectors at real hubs: promises proven within seconds, and every broken history found.

The hub is a process of its own; the sessions are those that a registry's connector runs.
"""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from connectors.session.alarms import AlarmKind, list_alarms
from connectors.session.log.standing import LogStanding, list_evidence, read_standing
from connectors.session.log.witness import default_name, make_keys
from connectors.session.session import Session, open_database
from connectors.session.settings import SessionSettings
from hub.transparency_log.cosignatures import cosigners
from hub.transparency_log.notes import Note, SignatureType, VerifierKey
from keys.algorithms import load_public_key
from keys.public_keys import KeyRecord, PublicKey
from message_schemas.messages.participants import AdministratorNote
from tests.integration.conftest import StartHub
from tests.integration.hub_process import HubUnderTest, register
from tests.integration.peers import now, seeded_signer

HUB_ENVIRONMENT = {"ITMO_HUB_CHECKPOINT_SECONDS": "0.2"}
WAIT_SECONDS = 30


class Registries:
    """Starts sessions of registries; all are stopped in the end."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.folder = folder
        self.stack = stack

    async def start(self, code: str, url: str, **changes: Any) -> Session:
        """Start the session of a participant at a hub, on the database it had before."""
        chosen: dict[str, Any] = {
            "log_seconds": 0.5,
            "log_nudge_seconds": 0.1,
            "log_audit_at": "",
            "fetch_wait_seconds": 1,
            "retry_delay_seconds_min": 0.1,
            "retry_delay_seconds_max": 0.5,
            **changes,
        }
        database = open_database(self.folder / f"{code}.sqlite")
        self.stack.callback(database.close)
        der = seeded_signer("XHB01").public_key_der
        anchor = [KeyRecord.of(PublicKey.from_der("XHB01", der), now())]
        witness = make_keys(default_name(code), seeded_signer(code, "witness"), None)
        session = Session(
            SessionSettings(participant=code, hub_url=url, **chosen),
            database,
            [seeded_signer(code)],
            anchor,
            witness_keys=witness,
        )
        return await self.stack.enter_async_context(session)


@pytest.fixture
async def registries(tmp_path: Path) -> AsyncIterator[Registries]:
    """Return a place for sessions of registries."""
    async with AsyncExitStack() as stack:
        yield Registries(tmp_path, stack)


async def standing_of(session: Session) -> LogStanding:
    """Return how things stand with the log."""
    return await session.database.read(read_standing)


async def kinds_of(session: Session) -> set[str]:
    """Return the kinds of the open alarms."""
    found = await session.database.read(partial(list_alarms, open_only=True, limit=100))
    return {alarm.kind for alarm in found}


async def until(holds: Any, *arguments: Any) -> None:
    """Wait until an asynchronous condition holds. Raises TimeoutError."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not await holds(*arguments):  # noqa: ASYNC110 - what is watched is another process
            await asyncio.sleep(0.05)


async def has_proven(session: Session, count: int) -> bool:
    """Tell whether so many entries at least are proven, and none waits."""
    claims = (await standing_of(session)).claims
    return claims["proven"] >= count and claims["pending"] == 0


async def write_notes(session: Session, to: str, count: int) -> None:
    """Submit notes to another registry, an envelope each."""
    for number in range(count):
        body = AdministratorNote(subject="log", text=f"note {number}")
        await session.submit(to, [("administrator.note", body, f"note {number}")])


async def trade(sender: Session, taker: Session, count: int = 3) -> None:
    """Send notes and wait until both ends have proven whatever they were promised."""
    before = [(await standing_of(session)).claims["proven"] for session in (sender, taker)]
    await write_notes(sender, taker.settings.participant, count)
    await until(has_proven, sender, before[0] + 1)
    await until(has_proven, taker, before[1] + 3)


async def test_at_a_real_hub_every_promise_is_proven_and_the_audit_is_sound(
    hub: HubUnderTest, registries: Registries
) -> None:
    """Receipts, items, deliveries, acknowledgements: proven, audited, and nothing raised."""
    sender = await registries.start("THA01", hub.address)
    taker = await registries.start("CHE01", hub.address)
    await trade(sender, taker)
    for session in (sender, taker):
        assert await kinds_of(session) == set()
        report = await session.log_monitor.run_audit()
        assert report.is_sound, report
        standing = await standing_of(session)
        assert standing.audited_size == report.size
        assert standing.own_entries["unknown"] == 0
        assert session.context.pause is None


@pytest.mark.slow
async def test_a_hub_killed_at_work_loses_nothing_that_it_promised(
    hubs: StartHub, registries: Registries, tmp_path: Path
) -> None:
    """Killed three times in the middle of traffic: every receipt's entry is there afterwards."""
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    register(url)
    hub = await hubs(url, **HUB_ENVIRONMENT)
    sender = await registries.start("THA01", hub.address)
    taker = await registries.start("CHE01", hub.address)
    for _ in range(3):
        await write_notes(sender, "CHE01", 10)
        await asyncio.sleep(0.3)
        await hub.kill()
        await hub.start()
    await trade(sender, taker)
    for session in (sender, taker):
        report = await session.log_monitor.run_audit()
        assert report.is_sound, report
        assert await kinds_of(session) <= {AlarmKind.LOG_CHECKPOINT_STALE.value}


async def is_history_broken(session: Session) -> bool:
    """Tell whether a rollback or a fork was found."""
    broken = {AlarmKind.LOG_ROLLED_BACK.value, AlarmKind.LOG_FORK.value}
    return bool(broken & await kinds_of(session))


@pytest.mark.slow
async def test_a_hub_restored_from_an_old_backup_is_found(
    hubs: StartHub, registries: Registries, tmp_path: Path
) -> None:
    """Its database is yesterday's: the connector that saw today stops, with both notes kept."""
    path, backup = tmp_path / "hub.db", tmp_path / "backup.db"
    url = f"sqlite:///{path}"
    register(url)
    hub = await hubs(url, **HUB_ENVIRONMENT)
    sender = await registries.start("THA01", hub.address)
    taker = await registries.start("CHE01", hub.address)
    await trade(sender, taker, 1)
    await hub.stop()
    _copy(path, backup)
    await hub.start()
    await trade(sender, taker, 4)
    await hub.kill()
    _copy(backup, path)
    await hub.start()
    for session in (sender, taker):
        await until(is_history_broken, session)
        assert session.context.pause is not None
        evidence = await session.database.read(list_evidence, 1)
        assert evidence[0]["believed_note"]
        assert evidence[0]["other_note"]


def _copy(source: Path, target: Path) -> None:
    for suffix in ("-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    with sqlite3.connect(source) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(source, target)


@pytest.mark.slow
async def test_two_histories_shown_to_two_registries_meet_in_either(
    hubs: StartHub, registries: Registries, tmp_path: Path
) -> None:
    """The log is forked: whoever saw one branch and is shown the other finds it."""
    first, second = tmp_path / "first.db", tmp_path / "second.db"
    register(f"sqlite:///{first}")
    one = await hubs(f"sqlite:///{first}", **HUB_ENVIRONMENT)
    sender = await registries.start("THA01", one.address)
    taker = await registries.start("CHE01", one.address)
    await trade(sender, taker, 2)
    await one.stop()
    _copy(first, second)
    await one.start()
    other = await hubs(f"sqlite:///{second}", **HUB_ENVIRONMENT)
    await trade(sender, taker, 2)
    ghana = await registries.start("GHA01", other.address)
    await write_notes(ghana, "THA01", 20)
    await until(has_proven, ghana, 1)
    await ghana.stop()
    ghana = await registries.start("GHA01", one.address)
    await until(is_history_broken, ghana)
    assert ghana.context.pause is not None


async def test_witnesses_asked_and_volunteering_cosign_the_checkpoint(
    hubs: StartHub, registries: Registries, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    """THA01 is asked at its address, CHE01 hands its cosignature over: both stand in the note."""
    keys = {
        code: make_keys(default_name(code), seeded_signer(code, "witness"), None)[0].verifier
        for code in ("THA01", "CHE01")
    }
    asked: list[Session] = []

    async def answer(request: web.Request) -> web.Response:
        witness = asked[0].witness if asked else None
        return web.Response(status=503) if witness is None else await witness.handle(request)

    application = web.Application(client_max_size=0)
    application.router.add_post("/witness/add-checkpoint", answer)
    async with TestServer(application) as server:
        _, public = load_public_key(seeded_signer("XHB01").public_key_der)
        assert isinstance(public, Ed25519PublicKey)
        raw = public.public_bytes_raw()
        log_key = VerifierKey("itmo-hub.invalid/xhb01", SignatureType.ED25519, raw)
        policy = tmp_path / "policy"
        policy.write_text(
            f"log {log_key.vkey}\n"
            f"witness tha {keys['THA01'].vkey} {server.make_url('/witness')}\n"
            f"witness che {keys['CHE01'].vkey}\n"
            "group both all tha che\nquorum both\n"
        )
        url = f"sqlite:///{tmp_path / 'hub.db'}"
        register(url)
        more = {"ITMO_HUB_WITNESS_POLICY": str(policy), "ITMO_HUB_WITNESS_SECONDS": "0.5"}
        hub = await hubs(url, **HUB_ENVIRONMENT, **more)
        asked.append(await registries.start("THA01", hub.address, log_seconds=3600.0))
        await registries.start("CHE01", hub.address)
        await until(_knows_the_log, asked[0])

        async def is_cosigned() -> bool:
            async with http.get(f"{hub.address}/checkpoint") as response:
                note = Note.parse(await response.read())
            return set(cosigners(note, keys.values())) == {one.name for one in keys.values()}

        await until(is_cosigned)
        assert await kinds_of(asked[0]) == set()


async def _knows_the_log(session: Session) -> bool:
    return await session.log_monitor.look()


@pytest.mark.slow
async def test_a_body_swapped_in_the_hubs_database_is_found(
    hubs: StartHub, registries: Registries, tmp_path: Path
) -> None:
    """The row of an entry is changed under the hub: its own tree no longer fits what was signed."""
    path = tmp_path / "hub.db"
    register(f"sqlite:///{path}")
    hub = await hubs(f"sqlite:///{path}", **HUB_ENVIRONMENT)
    sender = await registries.start("THA01", hub.address)
    taker = await registries.start("CHE01", hub.address)
    await trade(sender, taker, 2)
    await hub.stop()
    with sqlite3.connect(path) as connection:
        index, entry = connection.execute(
            "SELECT log_index, entry FROM log_entry WHERE instr(entry, 'THA01') > 0 "
            "ORDER BY log_index DESC LIMIT 1"
        ).fetchone()
        changed = bytes(entry).replace(b'"envelope":"', b'"envelope":"0', 1)[:-1] + b"}"
        assert changed != bytes(entry)
        connection.execute("UPDATE log_entry SET entry = ? WHERE log_index = ?", (changed, index))
    await hub.start()
    report = await sender.log_monitor.run_audit()
    assert report.findings
    assert sender.context.pause is not None
