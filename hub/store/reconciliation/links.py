"""One row a registry: how it is compared, and how far its digests are folded.

A registry without a row is compared by digests, and has none yet; its row is made when there is
something to keep. Who folds, builds or agrees holds the rows meanwhile (``hold``), so that two
processes never count a movement twice.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Connection, bindparam, select, text, update

from hub.store.many_rows import Put, Update
from hub.store.parts import in_parts
from hub.store.reconciliation.tables import link

Mode = Literal["digests", "totals", "statement", "records", "off"]
MODES: Final[tuple[Mode, ...]] = ("digests", "totals", "statement", "records", "off")
MODE_DEFAULT: Final[Mode] = "digests"


@dataclass(frozen=True, slots=True)
class LinkRow:
    """How a registry stands.

    ``root`` is the sum of all edges as of log index ``folded_to``, 16 bytes, under the key of
    ``key_year`` whose check value is ``key_check``. Movements after ``movements_from`` are kept one
    by one. All of these, and ``built_at``, are None before the first build. ``agreed_to`` is the
    last cut on which both sides agreed.
    """

    registry: str
    mode: Mode = MODE_DEFAULT
    key_year: int | None = None
    key_check: bytes | None = None
    folded_to: int | None = None
    root: bytes | None = None
    built_at: datetime | None = None
    movements_from: int | None = None
    agreed_to: int | None = None
    agreed_at: datetime | None = None


_NAMES: Final = tuple(field.name for field in fields(LinkRow))
_TABLE_NAMES: Final = ("key_year", "key_check", "folded_to", "root", "built_at", "movements_from")
_SELECT: Final = select(*(link.c[name] for name in _NAMES))
_HOLD: Final = (
    _SELECT.where(link.c.registry.in_(bindparam("registries", expanding=True)))
    .order_by(link.c.registry)
    .with_for_update()
)
_MAKE: Final = text(
    "INSERT INTO reconciliation_link (registry, mode) VALUES (:registry, :mode)"
    " ON CONFLICT (registry) DO NOTHING"
)
_SET_MODE: Final = Put(link, key=("registry",), values=("mode",))
_FOLD: Final = Update(link, key=("registry",), values=("folded_to", "root", "movements_from"))


def load(connection: Connection, registry: str) -> LinkRow | None:
    """Return a registry's link, None if it has no row."""
    row = connection.execute(_SELECT.where(link.c.registry == registry)).one_or_none()
    return None if row is None else LinkRow(*row)


def load_all(connection: Connection) -> list[LinkRow]:
    """Return every link that has a row, by registry."""
    return [LinkRow(*row) for row in connection.execute(_SELECT.order_by(link.c.registry))]


def mode_of(row: LinkRow | None) -> Mode:
    """Return how a registry is compared; one without a row by digests."""
    return MODE_DEFAULT if row is None else row.mode


def set_mode(connection: Connection, registry: str, mode: Mode) -> None:
    """Write how a registry is compared."""
    _SET_MODE.run(connection, [{"registry": registry, "mode": mode}])


def set_agreed(connection: Connection, registry: str, index: int, at: datetime) -> None:
    """Note a cut on which both sides agreed; an earlier one than is noted changes nothing."""
    _make(connection, [registry])
    connection.execute(
        update(link)
        .where(link.c.registry == registry)
        .where((link.c.agreed_to <= index) | link.c.agreed_to.is_(None))
        .values(agreed_to=index, agreed_at=at)
    )


def hold(connection: Connection, registries: Collection[str]) -> dict[str, LinkRow]:
    """Return the links, made where they are missing, and hold them until the transaction ends."""
    _make(connection, registries)
    return {
        row[0]: LinkRow(*row)
        for part in in_parts(sorted(registries))
        for row in connection.execute(_HOLD, {"registries": part})
    }


def switch_table(connection: Connection, row: LinkRow) -> None:
    """Make a table that was built the one that counts. The caller holds the link."""
    connection.execute(
        update(link)
        .where(link.c.registry == row.registry)
        .values({name: getattr(row, name) for name in _TABLE_NAMES})
    )


def move_on(connection: Connection, rows: Iterable[LinkRow]) -> None:
    """Write ``folded_to``, ``root`` and ``movements_from``. The caller holds the links."""
    folded = [_folded(row) for row in rows]
    if folded:
        _FOLD.run(connection, folded)


def forget_table(connection: Connection, registry: str) -> None:
    """Let the digests be built anew."""
    connection.execute(
        update(link).where(link.c.registry == registry).values(dict.fromkeys(_TABLE_NAMES))
    )


def _folded(row: LinkRow) -> dict[str, Any]:
    return {
        "registry": row.registry,
        "folded_to": row.folded_to,
        "root": row.root,
        "movements_from": row.movements_from,
    }


def _make(connection: Connection, registries: Collection[str]) -> None:
    rows = [{"registry": registry, "mode": MODE_DEFAULT} for registry in sorted(registries)]
    if rows:
        connection.execute(_MAKE, rows)
