"""A hub as an operator runs it: a process of its own, started, killed and started again."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from sqlalchemy.engine import make_url

from hub import bootstrap
from hub.config import Settings
from hub.protocol.signed_objects import SigningKeys
from hub.services.administration.administration import Administration
from hub.services.administration.deeds import Act
from hub.services.administration.participants import add_participant, change_state
from hub.services.check_database import check_exchange, check_ledger
from hub.services.check_log import check_log
from hub.store.database import Database
from hub.store.reference import ParticipantRow
from keys.local_signer import LocalSigner
from keys.public_keys import KeyRecord, PublicKey
from tests.integration.peers import now, seeded_signer, seeded_xml_signer

PARTICIPANTS = {
    "THA01": "party_registry",
    "CHE01": "party_registry",
    "GHA01": "party_registry",
    "XMR01": "mechanism_registry",
}


def hub_key_variable(signer: LocalSigner | None = None) -> str:
    """Return a test key of the hub as PEM, for an environment variable; its own if none given."""
    key = (signer or seeded_signer("XHB01"))._key
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def xml_key_variables() -> dict[str, str]:
    """Return the settings with which a hub takes XML and writes it."""
    return {
        "ITMO_TEST_HUB_XML_KEY": hub_key_variable(seeded_xml_signer("XHB01")),
        "ITMO_HUB_XML_SIGNER": "env:ITMO_TEST_HUB_XML_KEY",
    }


@dataclass(slots=True)
class HubUnderTest:
    """One hub process on a database; several may share one."""

    database_url: str
    folder: Path
    port: int = 0
    environment: dict[str, str] = field(default_factory=dict)
    speaks_xml: bool = False
    address: str = ""
    process: subprocess.Popen[bytes] | None = None

    async def start(self) -> "HubUnderTest":
        """Start the process and wait until it takes envelopes; keeps its port over restarts."""
        return await asyncio.to_thread(self.start_now)

    def start_now(self) -> "HubUnderTest":
        """Start the process, outside any event loop."""
        environment = os.environ | {
            "ITMO_TEST_HUB_KEY": hub_key_variable(),
            "ITMO_HUB_ALLOW_HTTP_ENDPOINTS": "true",
            "ITMO_HUB_LOG_LEVEL": "warning",
            **self.environment,
        }
        if self.speaks_xml:
            environment |= xml_key_variables()
        command = [sys.executable, "-m", "hub", "serve", "--database", self.database_url]
        command += ["--signer", "env:ITMO_TEST_HUB_KEY", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, env=environment
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith(b"listening\t"), self.log.read_text()[-3000:]
        self.address = line.decode().split("\t")[1].strip()
        self.port = make_url(self.address).port or 0
        return self

    @property
    def log(self) -> Path:
        """The file of the process's standard error, one for all its lives."""
        return self.folder / "hub.log"

    @property
    def returncode(self) -> int | None:
        """The exit status, None while it runs."""
        assert self.process is not None
        return self.process.poll()

    async def kill(self) -> None:
        """End the process as a power cut would."""
        self.kill_now()

    def kill_now(self) -> None:
        """End the process as a power cut would, outside any event loop."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    async def dead(self, timeout_seconds: float = 30) -> int:
        """Wait until the process died by itself; return its exit status."""
        assert self.process is not None
        return await asyncio.to_thread(self.process.wait, timeout_seconds)

    async def stop(self) -> int:
        """End the process as an operator would; return its exit status."""
        assert self.process is not None
        self.process.terminate()
        return await self.dead()

    def administration(self) -> Administration:
        """Return the operator's hands on this hub's database."""
        return Administration(Database(self.database_url))

    def prove(self) -> None:
        """Prove every invariant of the database, from its rows alone."""
        database = Database(self.database_url)
        try:
            assert check_ledger(database) == []
            assert check_exchange(database) == []
            assert check_log(database) == []
        finally:
            database.dispose()


def register(
    database_url: str, codes: dict[str, str] | None = None, xml: Sequence[str] = ()
) -> None:
    """Create the schema and register active participants with their seeded keys (they pull).

    Those in ``xml``, the hub among them, have a key for XML too.
    """
    settings = Settings(database_url=database_url)
    database = bootstrap.open_database(settings, create=True)
    bootstrap.ensure_own_participants(database, settings, _hub_keys(xml), now())
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
        keys = [
            KeyRecord.of(PublicKey.from_der(code, one.public_key_der), now() - timedelta(hours=1))
            for one in _signers(code, xml)
        ]
        administration.do(add_participant(row, keys), act)
        administration.do(change_state(code, "activate"), act)
    database.dispose()


def _hub_keys(xml: Sequence[str]) -> SigningKeys:
    signer, *of_xml = _signers("XHB01", xml)
    return SigningKeys.of([signer], *of_xml)


def _signers(code: str, xml: Sequence[str]) -> list[LocalSigner]:
    return [seeded_signer(code), *([seeded_xml_signer(code)] if code in xml else [])]
