"""The ledger as people look at it: sums of holdings, blocks in pages, and both as files.

1. Sums come from memory (``holdings_book``), as of an index of the log that is always told.
2. Blocks are looked for in bounded steps, as many as a page may take; a page may be short, and say
   where to look on.
3. A stream of CSV reads page after page, each as of its own index, which stands in every row. A
   workbook is made of one view of the database.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, and_

from hub.international_registry.units import SERIAL_MAX
from hub.services.console import exports
from hub.services.console.ground import Ground
from hub.services.console.ledger import holdings_pivot
from hub.services.console.ledger.holdings_book import HoldingsBook, Snapshot
from hub.services.console.ledger.holdings_pivot import Pivot
from hub.store import head as heads
from hub.store import holdings
from hub.store.holdings import HoldingRow, Place
from hub.store.tables import unit_block

BLOCKS_OF_A_PAGE: Final = 50
BLOCKS_OF_A_PART: Final = 500
START: Final = (0, 0)
SERIES_OF_A_PAGE: Final = 20
LOOKS_MAX: Final = 6
"""How often a page looks on when a filter leaves it empty."""


@dataclass(frozen=True, slots=True)
class BlockFilter:
    """Which blocks; None does not limit."""

    registry: str | None = None
    account: str | None = None
    status: str | None = None
    approach: str | None = None
    vintage: int | None = None
    party: str | None = None
    origin: str | None = None

    @property
    def named(self) -> dict[str, Any]:
        """Return what is set, by name."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def is_narrow(self) -> bool:
        """Tell whether it asks for more than an index of the ledger finds."""
        return bool(self.named.keys() - {"registry", "account"}) and self.account is None

    @property
    def of_sums(self) -> dict[str, str]:
        """Return what sums can be limited by; of accounts they know nothing."""
        return {name: str(value) for name, value in self.named.items() if name != "account"}


@dataclass(frozen=True, slots=True)
class HoldingsView:
    """A table of sums, and the entry of the log it is as of. ``blocks`` as of ``counted_at``."""

    pivot: Pivot
    log_index: int
    at: datetime | None
    blocks: int
    counted_at: int


@dataclass(frozen=True, slots=True)
class BlocksPage:
    """Blocks in order; ``next`` (series, serial) is where to go on from, None at the end."""

    rows: tuple[HoldingRow, ...]
    next: tuple[int, int] | None
    log_index: int


class LedgerDesk:
    """Looks at holdings. Every method may raise DatabaseUnavailableError."""

    def __init__(self, ground: Ground) -> None:
        self._database = ground.database
        self._book = HoldingsBook(ground.database)

    def begin(self) -> None:
        """Begin to count, so that the first who asks need not wait."""
        self._book.begin()

    def holdings(
        self, by: tuple[str, str], wanted: BlockFilter, page: int = 1
    ) -> HoldingsView | None:
        """Return sums by two dimensions of ``holdings_pivot``; None while they are counted."""
        found = self._book.now()
        if found is None:
            return None
        return _view(found, holdings_pivot.pivot(found, by, wanted.of_sums, page))

    def sums(self, by: tuple[str, str], wanted: BlockFilter) -> HoldingsView | None:
        """Return the same with all its rows on one page, for a file."""
        found = self._book.now()
        if found is None:
            return None
        whole = holdings_pivot.pivot(found, by, wanted.of_sums, 1, 10**9)
        return _view(found, whole)

    def log_index(self) -> int:
        """Return the index of the newest entry."""
        with self._database.reading() as connection:
            return heads.read(connection).log_index

    def blocks(
        self,
        wanted: BlockFilter,
        after: tuple[int, int] = START,
        limit: int = BLOCKS_OF_A_PAGE,
    ) -> BlocksPage:
        """Return a page of blocks behind a place.

        Where a filter leaves few blocks of many, the sums tell in which series to look.
        """
        known = self._book.now(0) if wanted.is_narrow else None
        if known is None:
            with self._database.reading() as connection:
                return _blocks(connection, wanted, after, limit)
        series = holdings_pivot.series_with(known, wanted.of_sums, after[0])
        with self._database.reading() as connection:
            return _blocks_in(connection, wanted, after, limit, (series, known))

    def csv(self, wanted: BlockFilter) -> Iterator[bytes]:
        """Yield all blocks as CSV."""
        return exports.csv_rows(COLUMNS, self._all_rows(wanted))

    def _all_rows(self, wanted: BlockFilter) -> Iterator[Sequence[Any]]:
        """Yield rows page by page; while the reader is slow no view of the database is open."""
        place: tuple[int, int] | None = START
        while place is not None:
            with self._database.reading() as connection:
                found = _blocks(connection, wanted, place, BLOCKS_OF_A_PART)
            yield from (_line(row, found.log_index) for row in found.rows)
            place = found.next

    def xlsx(self, wanted: BlockFilter) -> bytes:
        """Return all blocks as a workbook. Raises exports.TooManyRowsError."""
        with self._database.reading() as connection:
            index = heads.read(connection).log_index

            def rows() -> Iterator[Sequence[Any]]:
                place: tuple[int, int] | None = START
                while place is not None:
                    found = _blocks(connection, wanted, place, BLOCKS_OF_A_PART)
                    yield from (_line(row, index) for row in found.rows)
                    place = found.next

            about = [("as of log index", index), *wanted.named.items()]
            return exports.xlsx_file("Holdings", COLUMNS, rows(), about)


def sums_table(view: HoldingsView) -> tuple[tuple[str, ...], list[Sequence[Any]]]:
    """Return a table of sums as columns and rows of a file."""
    found = view.pivot
    rest = () if found.rest is None else ("others",)
    moved = () if found.moved is None else ("moved_by_transfers",)
    columns = (found.row_name, *found.columns, *rest, "total", *moved, "as_of_log_index")
    rows: list[Sequence[Any]] = [
        (
            row.value,
            *row.cells,
            *(() if found.rest is None else (row.rest,)),
            row.total,
            *(() if found.moved is None else (row.moved,)),
            view.log_index,
        )
        for row in found.rows
    ]
    return columns, rows


def _view(snapshot: Snapshot, pivot: Pivot) -> HoldingsView:
    sums = snapshot.sums
    return HoldingsView(pivot, snapshot.log_index, snapshot.at, sums.blocks, sums.counted_at)


def _blocks(
    connection: Connection, wanted: BlockFilter, after: tuple[int, int], limit: int
) -> BlocksPage:
    """Return a page; an empty look is followed by another one, a few times."""
    rows: list[HoldingRow] = []
    place: Place | None = Place(*after)
    for _ in range(LOOKS_MAX):
        assert place is not None, "there is more to look at"
        found = holdings.page(
            connection,
            streams=_streams(wanted),
            filters=_filters(wanted),
            after=place,
            limit=limit - len(rows),
        )
        rows += found.rows
        place = found.next
        if place is None or len(rows) >= limit:
            break
    following = None if place is None else (place.series_id, place.serial)
    return BlocksPage(tuple(rows), following, heads.read(connection).log_index)


def _blocks_in(
    connection: Connection,
    wanted: BlockFilter,
    after: tuple[int, int],
    limit: int,
    where: tuple[Sequence[int], Snapshot],
) -> BlocksPage:
    """Return a page of the blocks in series known to have some, a few series at a time."""
    series, known = where
    rows: list[HoldingRow] = []
    index = heads.read(connection).log_index
    for series_id in series[:SERIES_OF_A_PAGE]:
        found = holdings.page(
            connection,
            streams=_streams(wanted),
            filters={"status": wanted.status, **asdict(known.series[series_id])},
            after=max(Place(*after), Place(series_id, 0)),
            limit=limit - len(rows),
        )
        rows += found.rows
        place = found.next
        if place is not None and (len(rows) >= limit or place.serial < SERIAL_MAX):
            return BlocksPage(tuple(rows), (place.series_id, place.serial), index)
        if len(rows) >= limit:
            return BlocksPage(tuple(rows), (series_id, SERIAL_MAX), index)
    following = None
    if len(series) > SERIES_OF_A_PAGE:
        following = (series[SERIES_OF_A_PAGE - 1], SERIAL_MAX)
    return BlocksPage(tuple(rows), following, index)


def _streams(wanted: BlockFilter) -> tuple[holdings.Stream, ...]:
    """Return what an index of the ledger finds: an account's blocks, a registry's, or all."""
    if wanted.account is not None:
        of_account = unit_block.c.account == wanted.account
        if wanted.registry is None:
            return (of_account,)
        return (and_(of_account, unit_block.c.registry == wanted.registry),)
    if wanted.registry is not None:
        return holdings.of_registry(wanted.registry)
    return holdings.WHOLE_LEDGER


def _filters(wanted: BlockFilter) -> Mapping[str, Any]:
    """Return what remains to be asked of each row."""
    return {
        "status": wanted.status,
        "cooperative_approach": wanted.approach,
        "vintage": wanted.vintage,
        "first_transferring_party": wanted.party,
        "originating_registry": wanted.origin,
    }


COLUMNS: Final = (
    *("units", "quantity", "registry", "account", "status", "cooperative_approach"),
    *("originating_registry", "first_transferring_party", "vintage", "first_serial"),
    *("last_serial", "first_transfer", "reserved_by", "hold", "as_of_log_index"),
)


def _line(row: HoldingRow, log_index: int) -> Sequence[Any]:
    shown = {"units": row.subject, "as_of_log_index": log_index}
    return [shown[name] if name in shown else getattr(row, name) for name in COLUMNS]
