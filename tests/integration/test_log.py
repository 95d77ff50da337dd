"""The log of running hubs, seen from outside: one history, whatever happens to the processes."""

import asyncio
import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hub.transparency_log.cosignatures import cosigners
from hub.transparency_log.entries import commitment, decode_salt
from hub.transparency_log.notes import Note
from tests.hub.log_world import Witness, policy_text
from tests.integration.conftest import StartHub
from tests.integration.hub_process import HubUnderTest, register
from tests.integration.log_watch import Watcher, serving
from tests.integration.peers import Peer, acceptance, payload_of, proposal
from tests.integration.worlds import fresh_block, fresh_id, record_world, until

SETTINGS = {"ITMO_HUB_CHECKPOINT_SECONDS": "0.1", "ITMO_HUB_WITNESS_SECONDS": "0.3"}


async def transfers(hub: HubUnderTest, http: aiohttp.ClientSession, count: int) -> list[Any]:
    """Record the world, then propose and accept; return (envelope, receipt) of all posted."""
    await record_world(Peer("THA01", hub.address, http))
    return await accepted(hub, http, count)


async def accepted(hub: HubUnderTest, http: aiohttp.ClientSession, count: int) -> list[Any]:
    """Propose and accept, whatever becomes of the hub; return (envelope, receipt) of all posted."""
    thailand, switzerland = (Peer(code, hub.address, http) for code in ("THA01", "CHE01"))

    async def one() -> list[Any]:
        transfer_id = fresh_id("THA01")
        raw = thailand.envelope("CHE01", proposal(transfer_id, fresh_block(5)))
        receipt = await thailand.post_until_answered(raw)
        digest = payload_of(receipt, "itmo-receipt+jws")["envelope_sha256"]
        answer = switzerland.envelope("THA01", acceptance(transfer_id, digest))
        return [(raw, receipt), (answer, await switzerland.post_until_answered(answer))]

    return [
        pair for pairs in await asyncio.gather(*(one() for _ in range(count))) for pair in pairs
    ]


async def test_everything_under_traffic_is_proved_by_the_log_key_alone(
    hub: HubUnderTest, http: aiohttp.ClientSession
) -> None:
    """Each checkpoint continues all before; each receipt leads to an entry that opens with it."""
    watcher, stop = Watcher(hub.address, http), asyncio.Event()
    watching = asyncio.create_task(watcher.watch(stop))
    posted = await transfers(hub, http, 40)
    stop.set()
    await watching
    for raw, sealed in posted[:30]:
        receipt = payload_of(sealed, "itmo-receipt+jws")
        entry = await watcher.proved(receipt["log_index"])
        salt = decode_salt(receipt["entry_salt"])
        shown = {"envelope": commitment(salt, raw), "receipt": commitment(salt, sealed)}
        # The salt in the receipt is what the commitments of the entry open with.
        assert entry.commitments == shown
        assert (entry.kind, entry.sender) == ("envelope", receipt["recipient"])
    entries = await watcher.entries()
    for code in ("THA01", "CHE01"):
        steps = [
            (entry.index, step) for entry in entries if (step := entry.step_of(code)) is not None
        ]
        assert [step.count for _, step in steps] == list(range(1, len(steps) + 1))
        assert [step.previous for _, step in steps] == [None, *(index for index, _ in steps[:-1])]


@pytest.mark.slow
async def test_two_processes_of_one_database_publish_one_history(
    hubs: StartHub, http: aiohttp.ClientSession, database_url: str
) -> None:
    """Both take envelopes; whoever leads publishes; the survivor goes on where the other was."""
    register(database_url)
    first = await hubs(database_url, **SETTINGS)
    second = await hubs(database_url, **SETTINGS)
    watchers, stop = [Watcher(one.address, http) for one in (first, second)], asyncio.Event()
    watching = [asyncio.create_task(one.watch(stop)) for one in watchers]
    await asyncio.gather(transfers(first, http, 15), transfers(second, http, 15))
    stop.set()
    await asyncio.gather(*watching)
    await first.kill()
    posted = await transfers(second, http, 5)
    newest = max(payload_of(one, "itmo-receipt+jws")["log_index"] for _, one in posted)
    survivor = watchers[1]
    await survivor.look_until(newest + 1)
    for size, root in watchers[0].seen.items():
        assert survivor.seen.setdefault(size, root) == root
    survivor.seen.update(watchers[0].seen)
    await transfers(second, http, 1)
    await survivor.look_until(newest + 2)  # consistent with all that both have shown
    await survivor.entries()
    second.kill_now()
    second.prove()


@pytest.mark.slow
async def test_a_hub_killed_under_load_continues_its_history(
    hubs: StartHub, http: aiohttp.ClientSession, database_url: str
) -> None:
    """Kill -9 between any two checkpoints: the next one continues what anybody saw."""
    register(database_url)
    hub = await hubs(database_url, **SETTINGS)
    watcher = Watcher(hub.address, http)
    await record_world(Peer("THA01", hub.address, http))
    for _ in range(3):
        flowing = asyncio.create_task(accepted(hub, http, 10))
        await asyncio.sleep(0.4)
        await watcher.look()
        await hub.kill()
        await hub.start()
        await watcher.look()
        await flowing
    await watcher.entries()
    hub.kill_now()
    hub.prove()


async def test_witnesses_cosign_what_a_running_hub_publishes(
    hubs: StartHub, http: aiohttp.ClientSession, database_url: str, tmp_path: Path
) -> None:
    """Over HTTP, round after round; the proofs carry the quorum."""
    register(database_url)
    che, tha = Witness("che.invalid/w"), Witness("tha.invalid/w")
    async with serving(che, tha):
        policy = tmp_path / "policy"
        policy.write_text(policy_text(che, tha, threshold=2))
        hub = await hubs(database_url, ITMO_HUB_WITNESS_POLICY=str(policy), **SETTINGS)
        watcher = Watcher(hub.address, http)
        posted = await transfers(hub, http, 3)
        newest = max(payload_of(one, "itmo-receipt+jws")["log_index"] for _, one in posted)
        async with asyncio.timeout(20):
            while True:
                text = (await watcher.get(f"/v1/log/proof/{newest}")).decode()
                note = Note.parse(text.partition("\n\n")[2])
                if cosigners(note, [che.key, tha.key]).keys() == {che.name, tha.name}:
                    break
                await asyncio.sleep(0.05)
    hub.kill_now()
    hub.prove()


def ready(hub: HubUnderTest) -> dict[str, Any]:
    """Return the health of a hub, as an operator's probe sees it."""
    try:
        with urllib.request.urlopen(hub.address + "/health/ready", timeout=10) as response:
            return dict(json.load(response))
    except urllib.error.HTTPError as error:
        return dict(json.load(error))


@pytest.mark.slow
async def test_a_hub_restored_from_an_old_backup_is_stopped_by_its_witness(
    hubs: StartHub, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """No receipt is given that contradicts an earlier one, until the operator accepts the loss."""
    path, backup = tmp_path / "hub.db", tmp_path / "backup.db"
    url = f"sqlite:///{path}"
    register(url)
    che = Witness("che.invalid/w")
    async with serving(che):
        policy = tmp_path / "policy"
        policy.write_text(policy_text(che))
        settings = {"ITMO_HUB_WITNESS_POLICY": str(policy), **SETTINGS}
        hub = await hubs(url, **settings)
        await transfers(hub, http, 2)
        await hub.stop()
        shutil.copy(path, backup)
        await hub.start()
        posted = await transfers(hub, http, 3)
        newest = max(payload_of(one, "itmo-receipt+jws")["log_index"] for _, one in posted)
        await until(lambda: che.state is not None and che.state.size > newest)
        await hub.stop()
        shutil.copy(backup, path)
        await hub.start()
        health = await asyncio.to_thread(ready, hub)
        assert health["status"] == "unavailable"
        assert "che.invalid/w" in health["log"]
        thailand = Peer("THA01", hub.address, http)
        raw = thailand.envelope("CHE01", proposal(fresh_id("THA01"), fresh_block(5)))
        status, body = await thailand.post(raw)
        assert (status, b"HUB_UNAVAILABLE" in body) == (503, True)
        lost = che.state.size if che.state is not None else 0
        words = ["log", "accept-loss", "--up-to", str(lost), "--reason", "the disk is gone"]
        command = [sys.executable, "-m", "hub", *words, "--database", url]
        await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
        receipt = payload_of(await thailand.post_until_answered(raw), "itmo-receipt+jws")
        assert receipt["log_index"] < lost  # an index that was another entry's before the loss
        assert (await asyncio.to_thread(ready, hub))["status"] == "ready"
        hub.kill_now()
        hub.prove()
