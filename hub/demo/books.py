"""The registries' books against the central ledger: the same serials, held by the same accounts.

1. A book and the ledger cut the same units into blocks in their own ways, so touching blocks of
   one account and status are joined before they are compared.
2. Units that were never first transferred are in the book of their registry alone: the ledger
   hears of them with their first transfer. They are shown, and no difference.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from hub.store import holdings, views
from message_schemas.blocks import parse_identifier


@dataclass(frozen=True, slots=True, order=True)
class Run:
    """Units with consecutive serials in one account, all of one status."""

    series: tuple[str, str, str, int]
    first: int
    last: int
    account: str
    status: str
    reserved_by: str | None

    @property
    def quantity(self) -> int:
        """Return the number of units."""
        return self.last - self.first + 1

    def name(self) -> str:
        """Return the first identifier and the last serial, as a person reads them."""
        approach, registry, party, vintage = self.series
        return f"{approach}-{registry}-{party}-{self.first}…{self.last}-{vintage}"

    def touches(self, other: "Run") -> bool:
        """Tell whether the other run goes on where this one ends, with all else equal."""
        return replace(other, first=self.first, last=self.last) == self and (
            other.first == self.last + 1
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """One registry: runs that both have, that only one has, and those not yet transferred."""

    registry: str
    equal: tuple[Run, ...]
    book_only: tuple[Run, ...]
    ledger_only: tuple[Run, ...]
    not_transferred: tuple[Run, ...]

    @property
    def agrees(self) -> bool:
        """Tell whether book and ledger agree on every serial."""
        return not self.book_only and not self.ledger_only


def joined(runs: Iterable[Run]) -> list[Run]:
    """Return the runs in order, touching ones joined."""
    found: list[Run] = []
    for run in sorted(runs):
        if found and found[-1].touches(run):
            found[-1] = replace(found[-1], last=run.last)
        else:
            found.append(run)
    return found


def book_runs(blocks: Iterable[dict[str, Any]]) -> tuple[list[Run], list[Run]]:
    """Return the runs of a book: those first transferred or reserved, and all the others."""
    known: list[Run] = []
    others: list[Run] = []
    for block in blocks:
        first, last = parse_identifier(block["first_id"]), parse_identifier(block["last_id"])
        run = Run(
            series=(
                first.cooperative_approach,
                first.originating_registry,
                first.first_transferring_party,
                first.vintage,
            ),
            first=first.serial,
            last=last.serial,
            account=block["account"],
            status=block["status"],
            reserved_by=block["reserved_by"],
        )
        fresh = run.status == "authorized" and run.reserved_by is None
        (others if fresh and block["first_transfer"] is None else known).append(run)
    return joined(known), joined(others)


def ledger_runs(connection: Connection, registry: str) -> list[Run]:
    """Return the runs that the central ledger has for a registry."""
    found: list[Run] = []
    after: holdings.Place | None = holdings.START
    while after is not None:
        page = holdings.page(
            connection,
            streams=holdings.of_registry(registry),
            filters={},
            after=after,
            limit=1000,
        )
        found += [_run_of(row) for row in page.rows]
        after = page.next
    return joined(found)


def _run_of(row: holdings.HoldingRow) -> Run:
    return Run(
        series=(
            row.cooperative_approach,
            row.originating_registry,
            row.first_transferring_party,
            row.vintage,
        ),
        first=row.first_serial,
        last=row.last_serial,
        account=row.account or "",
        status=row.status,
        reserved_by=row.reserved_by,
    )


def compare(registry: str, blocks: Iterable[dict[str, Any]], connection: Connection) -> Comparison:
    """Compare a registry's book with the central ledger, serial by serial."""
    known, others = book_runs(blocks)
    ledger = ledger_runs(connection, registry)
    return Comparison(
        registry=registry,
        equal=tuple(run for run in known if run in ledger),
        book_only=tuple(run for run in known if run not in ledger),
        ledger_only=tuple(run for run in ledger if run not in known),
        not_transferred=tuple(others),
    )


def account_totals(connection: Connection, registry: str) -> dict[str, int]:
    """Return the units of each account that the central ledger has for a registry."""
    found: dict[str, int] = {}
    for holder, account, _, _, _, quantity in views.totals(connection):
        if holder == registry:
            found[account] = found.get(account, 0) + quantity
    return found
