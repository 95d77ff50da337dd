"""SQL of the contribution units that were authorized later; no two ranges overlap."""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, bindparam, insert, select

from hub.checks.later_authorizations import LaterAuthorization
from hub.international_registry.units import Range
from hub.store.interning import Interning
from hub.store.tables import later_authorization

# As no two overlap, the last that begins before the asked one ends overlaps it if any does.
_LAST_BEFORE_END = (
    select(
        later_authorization.c.first_serial,
        later_authorization.c.last_serial,
        later_authorization.c.change_id,
    )
    .where(
        later_authorization.c.series_id == bindparam("series_id"),
        later_authorization.c.first_serial <= bindparam("last"),
    )
    .order_by(later_authorization.c.first_serial.desc())
    .limit(1)
)


def overlapping(
    connection: Connection, interning: Interning, asked: Collection[Range]
) -> list[LaterAuthorization]:
    """Return, for each range with a unit that was authorized later, one range that shows it."""
    series_ids = interning.find_all_series(connection, {units.series for units in asked})
    found: list[LaterAuthorization] = []
    for units in asked:
        series_id = series_ids.get(units.series)
        if series_id is None:
            continue
        named = {"series_id": series_id, "last": units.last}
        row = connection.execute(_LAST_BEFORE_END, named).one_or_none()
        if row is not None and row.last_serial >= units.first:
            known = Range(units.series, row.first_serial, row.last_serial)
            found.append(LaterAuthorization(known, row.change_id))
    return found


def add(connection: Connection, interning: Interning, new: Iterable[LaterAuthorization]) -> None:
    """Record ranges that overlap none on record."""
    rows = [
        {
            "series_id": interning.series_id(connection, one.units.series),
            "first_serial": one.units.first,
            "last_serial": one.units.last,
            "change_id": one.change_id,
        }
        for one in new
    ]
    if rows:
        connection.execute(insert(later_authorization), rows)
