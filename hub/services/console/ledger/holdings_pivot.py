"""Sums of holdings as a table of two dimensions, from what ``holdings_book`` keeps.

1. A row or a column is one value of a dimension: a registry, an approach, a vintage, a status, a
   first transferring Party, an originating registry. Statuses and vintages stand in their own
   order, all else the largest first.
2. A table has few columns: what is smaller than the largest of them is one column of the rest.
   Rows come in pages.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hub.international_registry.units import BlockStatus
from hub.services.console.ledger.holdings_book import Snapshot
from hub.store.console.holdings_sums import SeriesNames

REGISTRY: Final = "registry"
STATUS: Final = "status"
OF_SERIES: Final[Mapping[str, str]] = {
    "approach": "cooperative_approach",
    "vintage": "vintage",
    "party": "first_transferring_party",
    "origin": "originating_registry",
}
DIMENSIONS: Final = (REGISTRY, "approach", "vintage", STATUS, "party", "origin")
"""What sums are by; what of a series they are is in OF_SERIES."""

COLUMNS_MAX: Final = 12
ROWS_OF_A_PAGE: Final = 50
_STATUSES: Final = tuple(one.value for one in BlockStatus)


@dataclass(frozen=True, slots=True)
class PivotRow:
    """Units of one value, by column and in all. ``moved``: units that transfers moved, if told."""

    value: str
    cells: tuple[int, ...]
    rest: int
    total: int
    moved: int | None


@dataclass(frozen=True, slots=True)
class Pivot:
    """A table of sums. ``rest``: units in columns that are not shown, None if all are.

    ``rows`` are those of one page of ``pages``; ``totals`` and ``total`` are of all pages.
    """

    row_name: str
    column_name: str
    columns: tuple[str, ...]
    rows: tuple[PivotRow, ...]
    row_count: int
    page: int
    pages: int
    totals: tuple[int, ...]
    rest: int | None
    total: int
    moved: int | None


def pivot(
    snapshot: Snapshot,
    by: tuple[str, str],
    filters: Mapping[str, str],
    page: int = 1,
    page_rows: int = ROWS_OF_A_PAGE,
) -> Pivot:
    """Return units by two different dimensions (rows, columns), where every filter is met.

    ``page`` counts from 1; beyond the last page it is the last.
    """
    row_name, column_name = by
    cells = _cells(snapshot, by, filters)
    by_row, by_column = Counter[str](), Counter[str]()
    for (row, column), units in cells.items():
        by_row[row] += units
        by_column[column] += units
    columns = _ordered(column_name, by_column, COLUMNS_MAX)
    names = _ordered(row_name, by_row, len(by_row))
    pages = max(1, -(-len(names) // page_rows))
    page = min(max(page, 1), pages)
    moved = _moved(snapshot, row_name, filters)
    rows = []
    for value in names[(page - 1) * page_rows : page * page_rows]:
        told = tuple(cells.get((value, column), 0) for column in columns)
        rest = by_row[value] - sum(told)
        rows.append(
            PivotRow(value, told, rest, by_row[value], None if moved is None else moved[value])
        )
    totals = tuple(by_column[column] for column in columns)
    total = by_row.total()
    return Pivot(
        row_name,
        column_name,
        columns,
        tuple(rows),
        len(names),
        page,
        pages,
        totals,
        total - sum(totals) if len(by_column) > len(columns) else None,
        total,
        None if moved is None else moved.total(),
    )


def _cells(
    snapshot: Snapshot, by: tuple[str, str], filters: Mapping[str, str]
) -> dict[tuple[str, str], int]:
    """Return units by row and column. There are many sums: what a series is, is told once."""
    row_name, column_name = by
    allowed = {
        series_id: (_of_series(row_name, series), _of_series(column_name, series))
        for series_id, series in snapshot.series.items()
        if meets(series, filters)
    }
    registry, status = filters.get(REGISTRY), filters.get(STATUS)
    cells: dict[tuple[str, str], int] = {}
    for held, units in snapshot.sums.units.items():
        of_series = allowed.get(held.series_id)
        if of_series is None or (registry is not None and held.registry != registry):
            continue
        if status is not None and held.status != status:
            continue
        row, column = of_series
        if row is None:
            row = held.registry if row_name == REGISTRY else held.status
        if column is None:
            column = held.registry if column_name == REGISTRY else held.status
        key = (row, column)
        cells[key] = cells.get(key, 0) + units
    return cells


def meets(series: SeriesNames, filters: Mapping[str, str]) -> bool:
    """Tell whether a series meets every filter that is about series."""
    return all(
        str(getattr(series, field)) == filters[name]
        for name, field in OF_SERIES.items()
        if name in filters
    )


def series_with(snapshot: Snapshot, filters: Mapping[str, str], from_id: int) -> list[int]:
    """Return the numbers from ``from_id`` on of the series with any unit like this, in order."""
    registry, status = filters.get(REGISTRY), filters.get(STATUS)
    allowed = {
        series_id
        for series_id, series in snapshot.series.items()
        if series_id >= from_id and meets(series, filters)
    }
    found = {
        held.series_id
        for held in snapshot.sums.units
        if held.series_id in allowed
        and (registry is None or held.registry == registry)
        and (status is None or held.status == status)
    }
    return sorted(found)


def _of_series(name: str, series: SeriesNames) -> str | None:
    """Return the value of a dimension of series, None for another dimension."""
    return str(getattr(series, OF_SERIES[name])) if name in OF_SERIES else None


def _ordered(name: str, sums: Counter[str], count_max: int) -> tuple[str, ...]:
    """Return the values with the largest sums, in the order of their dimension."""
    largest = sorted(sums, key=lambda value: (-sums[value], value))[:count_max]
    if name == STATUS:
        return tuple(value for value in _STATUSES if value in largest)
    return tuple(sorted(largest)) if name == "vintage" else tuple(largest)


def _moved(snapshot: Snapshot, row_name: str, filters: Mapping[str, str]) -> Counter[str] | None:
    """Return what transfers moved, by row; None where that cannot be told of rows or filters."""
    if row_name not in OF_SERIES or any(name not in OF_SERIES for name in filters):
        return None
    found: Counter[str] = Counter()
    for series_id, units in snapshot.sums.moved.items():
        series = snapshot.series[series_id]
        if meets(series, filters):
            found[str(getattr(series, OF_SERIES[row_name]))] += units
    return found
