"""Many rows by one statement, on both databases."""

from datetime import UTC, datetime

from sqlalchemy import Column, Connection, Integer, LargeBinary, MetaData, String, Table, select

from hub.international_registry.units import BlockStatus
from hub.store.database import Database
from hub.store.instants import Instant
from hub.store.many_rows import Insert, Put, Row, Update
from tests.hub.store.samples import rolled_back

THINGS = Table(
    "things",
    MetaData(),
    Column("kind", String(12), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", Instant, nullable=True),
    Column("words", String(100), nullable=True),
    Column("data", LargeBinary, nullable=True),
)
AT = datetime(2026, 11, 22, 10, 15, 30, 123_000, tzinfo=UTC)
AWKWARD = "it's \"\\ : % %s {} \u2028 \U0001f30d"


def _stored(connection: Connection) -> list[tuple[object, ...]]:
    rows = connection.execute(select(THINGS).order_by(THINGS.c.kind, THINGS.c.number))
    return [tuple(row) for row in rows]


def _row(number: int, words: str | None, at: datetime | None) -> Row:
    return {"kind": BlockStatus.ITMO, "number": number, "at": at, "words": words}


def test_rows_are_stored_as_they_were_given(shared_database: Database) -> None:
    """Enumerations by value, instants to the millisecond, any text, and nothing as nothing."""
    insert = Insert(THINGS, ("kind", "number", "at", "words"))
    with rolled_back(shared_database) as connection:
        THINGS.create(connection)
        insert.run(connection, [_row(1, AWKWARD, AT), _row(2, None, None)])
        assert _stored(connection) == [
            ("itmo", 1, AT, AWKWARD, None),
            ("itmo", 2, None, None, None),
        ]


def test_rows_with_bytes_are_stored_too(shared_database: Database) -> None:
    """Bytes that are no text keep every bit."""
    insert = Insert(THINGS, ("kind", "number", "data"))
    with rolled_back(shared_database) as connection:
        THINGS.create(connection)
        rows = [{"kind": "x", "number": one, "data": bytes([0, 255, one])} for one in (1, 2)]
        insert.run(connection, rows)
        assert [row[4] for row in _stored(connection)] == [b"\x00\xff\x01", b"\x00\xff\x02"]


def test_an_update_changes_the_rows_of_its_keys_alone(shared_database: Database) -> None:
    """By the whole key; what it does not name stays."""
    insert = Insert(THINGS, ("kind", "number", "at", "words"))
    update = Update(THINGS, key=("kind", "number"), values=("words", "at"))
    with rolled_back(shared_database) as connection:
        THINGS.create(connection)
        insert.run(connection, [_row(one, "old", AT) for one in (1, 2, 3)])
        update.run(connection, [_row(3, AWKWARD, None), _row(1, None, AT), _row(9, "new", AT)])
        assert [row[1:4] for row in _stored(connection)] == [
            (1, AT, None),
            (2, AT, "old"),
            (3, None, AWKWARD),
        ]


def test_a_row_is_put_whether_its_key_is_there_or_not(shared_database: Database) -> None:
    """New rows come, known ones get the new values, bytes keep every bit, the rest stays."""
    put = Put(THINGS, key=("kind", "number"), values=("at", "data"))
    with rolled_back(shared_database) as connection:
        THINGS.create(connection)
        first = [{"kind": "x", "number": one, "at": AT, "data": b"\x00'\xff"} for one in (1, 2)]
        put.run(connection, first)
        then = [{"kind": "x", "number": one, "at": None, "data": b""} for one in (2, 3)]
        put.run(connection, then)
        assert _stored(connection) == [
            ("x", 1, AT, None, b"\x00'\xff"),
            ("x", 2, None, None, b""),
            ("x", 3, None, None, b""),
        ]
