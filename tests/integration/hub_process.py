"""A hub as an operator runs it: a process of its own, started, killed and started again."""

import asyncio
import os
import signal
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from sqlalchemy.engine import make_url

from hub import bootstrap
from hub.config import Settings
from hub.services.administer import Act, Administration
from hub.services.check_database import check_exchange, check_ledger
from hub.store.database import Database
from hub.store.reference import ParticipantRow
from keys.public_keys import KeyRecord, PublicKey
from tests.integration.peers import now, seeded_signer

PARTICIPANTS = {
    "THA01": "party_registry",
    "CHE01": "party_registry",
    "GHA01": "party_registry",
    "XMR01": "mechanism_registry",
}


def hub_key_variable() -> str:
    """Return the hub's test key as PEM, for an environment variable."""
    key = seeded_signer("XHB01")._key  # noqa: SLF001 - a test key made from a fixed seed
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@dataclass(slots=True)
class HubUnderTest:
    """One hub process on a database; several may share one."""

    database_url: str
    folder: Path
    port: int = 0
    environment: dict[str, str] = field(default_factory=dict)
    address: str = ""
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> "HubUnderTest":
        """Start the process and wait until it takes envelopes; keeps its port over restarts."""
        environment = os.environ | {
            "ITMO_TEST_HUB_KEY": hub_key_variable(),
            "ITMO_HUB_ALLOW_HTTP_ENDPOINTS": "true",
            "ITMO_HUB_LOG_LEVEL": "warning",
            **self.environment,
        }
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "hub",
            "serve",
            "--database",
            self.database_url,
            "--signer",
            "env:ITMO_TEST_HUB_KEY",
            "--port",
            str(self.port),
            stdout=asyncio.subprocess.PIPE,
            stderr=(self.folder / "hub.log").open("ab"),
            env=environment,
        )
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), 30)
        assert line.startswith(b"listening\t"), (self.folder / "hub.log").read_text()[-3000:]
        self.address = line.decode().split("\t")[1].strip()
        self.port = make_url(self.address).port or 0
        return self

    async def kill(self) -> None:
        """End the process as a power cut would."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def stop(self) -> int:
        """End the process as an operator would; return its exit status."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 30)

    def administration(self) -> Administration:
        """Return the operator's hands on this hub's database."""
        return Administration(Database(self.database_url))

    def prove(self) -> None:
        """Prove every invariant of the database, from its rows alone."""
        database = Database(self.database_url)
        try:
            assert check_ledger(database) == []
            assert check_exchange(database) == []
        finally:
            database.dispose()


def register(database_url: str, codes: dict[str, str] | None = None) -> None:
    """Create the schema and register active participants with their seeded keys (they pull)."""
    settings = Settings(database_url=database_url)
    database = bootstrap.open_database(settings)
    bootstrap.ensure_own_participants(database, settings, [seeded_signer("XHB01")], now())
    administration = Administration(database)
    act = Act(actor="tests", reason="a world to test in", at=now())
    for code, kind in (codes or PARTICIPANTS).items():
        row = ParticipantRow(
            code=code,
            party=code[:3],
            kind=kind,
            name=code,
            state="registered",
            delivery_mode="pull",
            endpoint=None,
            binding="json",
            suites=(),
            added_at=now(),
            last_seen_at=None,
        )
        key = PublicKey.from_der(code, seeded_signer(code).public_key_der)
        administration.add_participant(row, [KeyRecord.of(key, now() - timedelta(hours=1))], act)
        administration.change_state(code, "activate", act)
    database.dispose()
