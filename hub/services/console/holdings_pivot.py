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
from hub.services.console.holdings_book import Snapshot
from hub.store.console.holdings_sums import Held, SeriesNames

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
    cells: Counter[tuple[str, str]] = Counter()
    for held, units in snapshot.sums.units.items():
        values = _values(held, snapshot.series[held.series_id])
        if all(values[name] == wanted for name, wanted in filters.items()):
            cells[values[row_name], values[column_name]] += units
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
        told = tuple(cells[value, column] for column in columns)
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


def _values(held: Held, series: SeriesNames) -> dict[str, str]:
    """Return the value of each dimension."""
    found = {name: str(getattr(series, field)) for name, field in OF_SERIES.items()}
    return {REGISTRY: held.registry, STATUS: held.status, **found}


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
        if all(str(getattr(series, OF_SERIES[name])) == value for name, value in filters.items()):
            found[str(getattr(series, OF_SERIES[row_name]))] += units
    return found
