"""Killed at every named place, a peer loses nothing and does nothing twice.

The peer is a process of its own and dies by `os._exit`, as by `kill -9`. Whatever the place, after
a second start the hub has each message once, and the registry has applied each item once.
"""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from connectors.session import crash_points
from connectors.session.database import Database
from tests.connectors.fake_parts import only_asks
from tests.connectors.session.conftest import World, until
from tests.connectors.session.ledger_handler import LEDGER_METADATA, effects, note

EVERYDAY = [
    place
    for place in crash_points.CRASH_POINTS
    if place.startswith(
        ("outbox.submit", "outbox.seal", "outbox.receipt", "outbox.before", "outbox.after")
    )
    or place.startswith(
        (
            "inbox.apply",
            "inbox.ack",
            "inbox.before",
            "participants.",
            "log.pin",
            "log.advance",
            "log.prove",
        )
    )
]


IN_XML = ("outbox.after_send", "inbox.before_acknowledgement")


async def start_peer(world: World, crash_at: str | None, mode: str = "pull") -> int:
    """Run the peer to its end; return its exit status."""
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    if crash_at is not None:
        environment[crash_points.ENVIRONMENT_NAME] = crash_at
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.connectors.session.crash_peer",
        world.hub.url,
        str(world.folder / "peer.sqlite"),
        mode,
        world.hub.binding("CHE01"),
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
    )
    return await process.wait()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("world", "place"),
    [
        *(pytest.param((), place, id=place) for place in EVERYDAY),
        *(pytest.param(("CHE01",), place, id=f"{place}-xml") for place in IN_XML),
    ],
    indirect=["world"],
)
async def test_a_kill_at_any_place_loses_and_repeats_nothing(world: World, place: str) -> None:
    """Die there, start again, and everything is exactly once at both ends."""
    sender = await world.peer("THA01", messages_per_envelope_max=1)
    await sender.submit("CHE01", [note(text="one"), note(text="two")])
    await until(lambda: len(world.hub.mailboxes["CHE01"].items) == 2)
    assert await start_peer(world, place) == crash_points.EXIT_STATUS
    assert await start_peer(world, None) == 0
    sent = [e for e in world.hub.seen if e.envelope.sender == "CHE01" and not only_asks(e)]
    said = [
        (e.envelope.recipient, m.message.body["text"])
        for e in sent
        for m in e.messages
        if m.message.type == "administrator.note"
    ]
    assert sorted(said) == [
        ("GHA01", "hello"),
        ("THA01", "to item 1"),
        ("THA01", "to item 2"),
    ]
    database = Database(world.folder / "peer.sqlite", LEDGER_METADATA)
    world.stack.callback(database.close)
    assert database.read_now(effects, "item") == ["1", "2"]
    assert sorted(database.read_now(effects, "outcome")) == [
        "answer 1 accepted",
        "answer 2 accepted",
        "greeting accepted",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "fault"),
    [
        ("outbox.postpone.before_commit", "500"),
        ("outbox.postpone.after_commit", "500"),
        ("alarms.raise.before_commit", "receipt-no-digest"),
        ("alarms.raise.after_commit", "receipt-no-digest"),
    ],
)
async def test_a_kill_in_bad_weather_loses_nothing(world: World, place: str, fault: str) -> None:
    """Die while a failed attempt is written down; the same bytes go out after the restart."""
    world.hub.faults.append(fault)
    assert await start_peer(world, place, "none") == crash_points.EXIT_STATUS
    assert await start_peer(world, None, "none") == 0
    assert len(set(world.hub.posts)) == 1
    assert len(world.hub.seen) == 1
