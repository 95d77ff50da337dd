"""The mechanism registry's connector as an operator runs it: processes, files, and the accounts."""

import asyncio
import json
import os
import sys
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import func, select

from connectors.mechanism_registry.feeds.example import ExampleWorld, example_rows, write_feed
from connectors.mechanism_registry.feeds.lines import FeedFormat
from hub.international_registry.accounts import Account, AccountStatus
from hub.services.administration.accounts import open_account
from hub.services.administration.deeds import Act, AdministrationError
from hub.store.database import Database
from hub.store.tables import unit_block
from keys.documents import render_document
from keys.public_keys import KeyRecord, PublicKey
from tests.integration.hub_process import HubUnderTest
from tests.integration.peers import Peer, approach, authorization, now, seeded_signer

MECHANISM = "XMR01"
ACCOUNTS = {
    "CHE-HOLDING-1": (100, "CHE"),
    "CHE-HOLDING-2": (100, "CHE"),
    "THA-HOLDING-1": (100, "THA"),
    "AF-HOLDING-1": (100, "XAF"),
    "OMGE-1": (300, "XIR"),
}
RUN_SECONDS_MAX = 100


async def prepare(hub: HubUnderTest, http: aiohttp.ClientSession) -> None:
    """Record what the example's units need, and open the accounts they go to; again is no harm."""
    thailand = Peer("THA01", hub.address, http)
    await thailand.say("XHB01", approach())
    await thailand.say("XHB01", authorization(quantity_max=None))
    for account_id, (type_, party) in ACCOUNTS.items():
        account = Account(account_id, "XIR01", type_, party, None, None, "GHG", AccountStatus.OPEN)
        with suppress(AdministrationError):  # another test of the module opened it
            hub.administration().do(open_account(account), Act("tests", "opened", now()))


def balances(hub: HubUnderTest, first_serial: int, last_serial: int) -> dict[str, int]:
    """Return the units in each account, of a range of serials."""
    database = Database(hub.database_url)
    length = unit_block.c.last_serial - unit_block.c.first_serial + 1
    with database.reading() as connection:
        rows = connection.execute(
            select(unit_block.c.account, func.sum(length))
            .where(
                unit_block.c.first_serial >= first_serial,
                unit_block.c.last_serial <= last_serial,
                unit_block.c.registry == "XIR01",
            )
            .group_by(unit_block.c.account)
        ).all()
    database.dispose()
    return {str(account): int(total) for account, total in rows}


def make_feed(path: Path, format_: FeedFormat, count: int, first: int) -> int:
    """Write an example feed whose ids and serials begin at ``first``; return its lines."""
    world = ExampleWorld(first_serial=first, first_number=first)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        return write_feed(example_rows(count, 7, world), format_, file)


@dataclass(slots=True)
class MechanismHome:
    """The folder of a connector, with its settings file; keys come by the environment."""

    folder: Path
    hub: HubUnderTest

    def configure(self, **changes: Any) -> None:
        """Write the settings, for a hub on this machine."""
        der = seeded_signer("XHB01").public_key_der
        anchor = KeyRecord.of(PublicKey.from_der("XHB01", der), now())
        (self.folder / "hub.json").write_bytes(render_document(anchor))
        values = {
            "hub_url": self.hub.address,
            "hub_keys": ["hub.json"],
            "signing_keys": ["env:XMR01_KEY"],
            "delivery_mode": "none",
            "retry_delay_seconds_min": 0.05,
            "retry_delay_seconds_max": 0.5,
        } | changes
        lines = [f"{name} = {json.dumps(value)}\n" for name, value in values.items()]
        self.config.write_text("".join(lines), encoding="utf-8")

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.folder / "mechanism.toml"

    async def start(self, *arguments: str, **variables: str) -> asyncio.subprocess.Process:
        """Start ``mechanism`` as a process of its own."""
        key = seeded_signer(MECHANISM)._key
        raw = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        environment = {**os.environ, "XMR01_KEY": b64encode(raw).decode(), **variables}
        return await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "connectors.mechanism_registry.cli", *arguments],
            *["--config", str(self.config)],
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments: str, **variables: str) -> tuple[int, str, str]:
        """Run ``mechanism`` to its end; return status, output and errors."""
        process = await self.start(*arguments, **variables)
        try:
            async with asyncio.timeout(RUN_SECONDS_MAX):
                output, errors = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        assert process.returncode is not None
        return process.returncode, output.decode(), errors.decode()
