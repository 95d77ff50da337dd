"""Which pages of the console are asked for: each as it is looked at, and as it is worst."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from sqlalchemy import Connection, text

from bench.console_dataset import Dataset

DEEP: Final = 6
"""How many times "next page" is followed for what is called deep."""


class Asked(NamedTuple):
    """A page by its name and address; ``follow``: so many times its "next page" instead of it."""

    name: str
    path: str
    follow: int = 0


def pages(connection: Connection, made: Dataset) -> Iterator[Asked]:
    """Yield what is asked of a console over this dataset."""
    yield Asked("tonight", "/")
    yield Asked("public page", "/public")
    yield from _cases(connection, made)
    yield from _transfers(connection, made)
    yield from _registries(connection, made)
    yield from _ledger(connection, made)
    yield from _log(connection)
    yield Asked("acts", "/acts")
    yield Asked("approvals", "/approvals")
    yield Asked("people", "/people")
    yield Asked("system", "/system")
    yield Asked("nights", "/nights")
    night = _one(connection, "SELECT max(night) FROM reconciliation_night")
    yield Asked("a night", f"/nights/{night}")
    session = _one(
        connection,
        "SELECT session FROM reconciliation_session WHERE night = :night AND state = 'done' "
        "ORDER BY registry LIMIT 1",
        night=night,
    )
    yield Asked("a session", f"/nights/sessions/{session}")


def _cases(connection: Connection, made: Dataset) -> Iterator[Asked]:
    yield Asked("cases: open", "/cases")
    for name, asked in (
        ("closed", {"state": "closed"}),
        ("of the busiest", {"registry": made.busiest}),
        ("of a kind", {"kind": "held_twice"}),
        ("of a person", {"assignee": "officer-3"}),
        ("overdue", {"due": "overdue"}),
        ("by units", {"order": "units"}),
    ):
        yield Asked(f"cases: {name}", f"/cases?{urlencode(asked)}")
    yield Asked("cases: deep", "/cases", DEEP)
    one = _one(
        connection,
        "SELECT case_id FROM reconciliation_case WHERE state = 'open' AND units > 0 "
        "ORDER BY CASE kind WHEN 'attribute_differs' THEN 0 ELSE 1 END, opened_at DESC LIMIT 1",
    )
    yield Asked("case: few ranges", f"/cases/{one}")
    yield Asked("case: 1,000 ranges", f"/cases/{made.many_ranges}")


def _transfers(connection: Connection, made: Dataset) -> Iterator[Asked]:
    newest = _one(
        connection,
        "SELECT transfer_id FROM transfer WHERE initiator = :code AND state = 'completed' "
        "ORDER BY proposed_at DESC LIMIT 1 OFFSET 10",
        code=made.busiest,
    )
    oldest = _one(
        connection,
        "SELECT transfer_id FROM transfer WHERE initiator = :code ORDER BY proposed_at LIMIT 1",
        code=made.busiest,
    )
    day = (made.now - timedelta(days=400)).date()
    yield Asked("transfers: newest", "/transfers")
    for name, asked in (
        ("of the busiest", {"registry": made.busiest}),
        ("of a Party", {"party": made.busiest[:3]}),
        ("of an account", {"account": f"{made.busiest[:3]}-7"}),
        ("of no account", {"account": "NOBODY-1"}),
        ("rejected", {"state": "rejected"}),
        ("completed", {"state": "completed"}),
        ("by id", {"id": newest}),
        ("by beginning", {"id": f"{made.busiest}-1"}),
        ("by serials", {"units": units_of(connection)}),
        ("of a day", {"since": f"{day}", "until": f"{day + timedelta(days=1)}"}),
    ):
        yield Asked(f"transfers: {name}", f"/transfers?{urlencode(asked)}")
    yield Asked("transfers: deep", "/transfers", DEEP)
    yield Asked("transfer: new", f"/transfers/{newest}")
    yield Asked("transfer: erased", f"/transfers/{oldest}")


def _registries(connection: Connection, made: Dataset) -> Iterator[Asked]:
    idle = _one(connection, "SELECT code FROM log_party ORDER BY entry_count LIMIT 1")
    yield Asked("registries", "/registries")
    yield Asked("registry: busiest", f"/registries/{made.busiest}")
    yield Asked("registry: idle", f"/registries/{idle}")
    yield Asked("suspensions", "/suspensions")


def _ledger(connection: Connection, made: Dataset) -> Iterator[Asked]:
    yield Asked("ledger", "/ledger")
    yield Asked("ledger: a registry", f"/ledger?{urlencode({'registry': made.busiest})}")
    yield Asked("ledger: blocks", f"/ledger/blocks?{urlencode({'registry': made.busiest})}")
    yield Asked("serial's life", f"/ledger/serial?{urlencode({'units': units_of(connection)})}")


def _log(connection: Connection) -> Iterator[Asked]:
    index = int(_one(connection, "SELECT log_index FROM head"))
    yield Asked("log", "/log")
    yield Asked("log entry: new", f"/log/entries/{index - 7}")
    yield Asked("log entry: old", f"/log/entries/{index // 3}")


def units_of(connection: Connection) -> str:
    """Return serials that were moved often, as pages are asked for them."""
    row = connection.execute(
        text(
            "SELECT s.cooperative_approach, s.originating_registry, s.first_transferring_party, "
            "b.first_serial, b.last_serial, s.vintage FROM unit_block b "
            "JOIN series s ON s.series_id = b.series_id WHERE b.block_id = 1000"
        )
    ).one()
    ids = [f"{row[0]}-{row[1]}-{row[2]}-{serial}-{row[5]}" for serial in (row[3], row[4])]
    return "..".join(ids)


def _one(connection: Connection, query: str, **values: Any) -> str:
    return str(connection.execute(text(query), values).scalar_one())
