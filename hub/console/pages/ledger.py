"""The ledger: sums of holdings, the blocks behind them, and the life of a serial."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web

from hub.console import downloads
from hub.console.forms import FormError, Query
from hub.console.rendering import render
from hub.console.routing import Route
from hub.console.surroundings import CONSOLE, console_of
from hub.console.translating import N_, translate
from hub.console.words import word
from hub.services.console import exports
from hub.services.console.ledger import ledger_desk
from hub.services.console.ledger.holdings_pivot import (
    DIMENSIONS,
    REGISTRY,
    STATUS,
    Pivot,
    PivotRow,
)
from hub.services.console.ledger.ledger_desk import BlockFilter, HoldingsView, LedgerDesk
from hub.services.console.ledger.serial_desk import SerialDesk
from hub.services.console.ledger.serial_forms import CHARACTERS_MAX, SerialFormError, read_units
from hub.services.people.roles import Right

NAMES: Final[Mapping[str, str]] = {
    "registry": N_("Registry"),
    "approach": N_("Cooperative approach"),
    "vintage": N_("Vintage"),
    "status": N_("Status"),
    "party": N_("First transferring Party"),
    "origin": N_("Originating registry"),
}
STATUSES: Final = ("authorized", "itmo", "used", "cancelled")
PAGES_MAX: Final = 10_000
CHART_ROWS_MAX: Final = 20
CHART_SERIES_MAX: Final = 5
STATUS_TONES: Final[Mapping[str, str]] = {
    "authorized": "secondary",
    "itmo": "info",
    "used": "success",
    "cancelled": "warning",
}
_PLACE: Final = re.compile(r"([0-9]{1,18})-([0-9]{1,19})")
_NUMBER_MAX: Final = 2**63 - 1
_CODES: Final = {
    "registry": re.compile(r"[A-Z]{3}[0-9]{2}"),
    "origin": re.compile(r"[A-Z]{3}[0-9]{2}"),
    "approach": re.compile(r"CA[0-9]{4}"),
    "party": re.compile(r"[A-Z]{3}"),
}
_EXAMPLES: Final = {"registry": "GHA01", "origin": "GHA01", "approach": "CA0003", "party": "GHA"}


async def holdings(request: web.Request) -> web.Response:
    """Show units by two dimensions, as a chart and a table."""
    query = Query(request)
    by, wanted = _dimensions(query), _filter(query)
    page = query.optional_number("page", 1, PAGES_MAX) or 1
    console = console_of(request)
    found = await console.run(console.desk(LedgerDesk).holdings, by, wanted, page)
    return await render(
        request,
        "ledger/holdings.html",
        found=found,
        names=NAMES,
        by=by,
        wanted=wanted,
        statuses=[(one, word(one, "block_status")) for one in STATUSES],
        dimensions=[(one, translate(NAMES[one])) for one in DIMENSIONS],
        heading=_value_name,
        chart=None if found is None else _chart(found.pivot, wanted),
        blocks_at=lambda **more: _address("/ledger/blocks", wanted, more),
        page_at=lambda number: _address(
            "/ledger", wanted, {"rows": by[0], "columns": by[1], "page": number}
        ),
        file_at=lambda kind: _address(
            f"/ledger/sums.{kind}", wanted, {"rows": by[0], "columns": by[1]}
        ),
    )


def _dimensions(query: Query) -> tuple[str, str]:
    """Return the dimensions of rows and columns, which are two different ones."""
    rows = query.optional_choice("rows", DIMENSIONS) or REGISTRY
    columns = query.optional_choice("columns", DIMENSIONS) or (
        STATUS if rows != STATUS else REGISTRY
    )
    if rows == columns:
        raise FormError("columns", translate(N_("Choose another dimension than that of the rows.")))
    return rows, columns


def _filter(query: Query) -> BlockFilter:
    """Return what limits the blocks; codes may be typed in lower case. Raises FormError."""
    codes: dict[str, str | None] = {}
    for name, form in _CODES.items():
        value = query.optional_text(name, 20)
        codes[name] = None if value is None else value.upper()
        if value is not None and form.fullmatch(value.upper()) is None:
            message = translate(N_("This is no such code; write it as {example}."))
            raise FormError(name, message.format(example=_EXAMPLES[name]))
    return BlockFilter(
        **codes,
        account=query.optional_text("account", 50),
        status=query.optional_choice("status", STATUSES),
        vintage=query.optional_number("vintage", 1990, 2100),
    )


def _address(path: str, wanted: BlockFilter, more: Mapping[str, Any]) -> str:
    """Return the address of a page with the filter, and more; what is None is left out."""
    values = {**wanted.named, **more}
    text = urlencode({name: value for name, value in values.items() if value is not None})
    return f"{path}?{text}" if text else path


def _value_name(name: str, value: str) -> str:
    """Return a value of a dimension as people read it."""
    return word(value, "block_status") if name == STATUS else value


def _chart(found: Pivot, wanted: BlockFilter) -> dict[str, Any] | None:
    """Return the chart of the first rows; None if there is nothing to draw.

    Few columns can be told apart by colour: the largest are drawn, all else is one of the rest.
    """
    rows = found.rows[:CHART_ROWS_MAX]
    if not rows:
        return None
    drawn = list(range(len(found.columns)))
    if found.rest is not None or len(drawn) > CHART_SERIES_MAX:
        largest = sorted(drawn, key=lambda at: -found.totals[at])[: CHART_SERIES_MAX - 1]
        drawn = sorted(largest)
    series = [_drawn(found, wanted, rows, at) for at in drawn]
    if len(drawn) < len(found.columns) or found.rest is not None:
        rest = [row.total - sum(row.cells[at] for at in drawn) for row in rows]
        name = translate(N_("Others"))
        series.append({"name": name, "values": rest, "tone": "secondary"})
    return {
        "kind": "stacked",
        "horizontal": True,
        "categories": [_value_name(found.row_name, row.value) for row in rows],
        "series": series,
        "unit": translate(N_("units")),
    }


def _drawn(found: Pivot, wanted: BlockFilter, rows: Sequence[PivotRow], at: int) -> dict[str, Any]:
    """Return one column as a series of the chart, each value with the address of its blocks."""
    column = found.columns[at]
    series: dict[str, Any] = {
        "name": _value_name(found.column_name, column),
        "values": [row.cells[at] for row in rows],
        "links": [
            _address(
                "/ledger/blocks", wanted, {found.row_name: row.value, found.column_name: column}
            )
            for row in rows
        ],
    }
    if found.column_name == STATUS:
        series["tone"] = STATUS_TONES[column]
    return series


async def sums_csv(request: web.Request) -> web.StreamResponse:
    """Send the table of sums as CSV."""
    view = await _sums(request)
    columns, rows = ledger_desk.sums_table(view)
    name = f"holdings-{view.pivot.row_name}-log-{view.log_index}.csv"
    parts = exports.csv_rows(columns, rows)
    return await downloads.stream(request, parts, exports.CSV_TYPE, name)


async def sums_xlsx(request: web.Request) -> web.StreamResponse:
    """Send the table of sums as a workbook."""
    view = await _sums(request)
    columns, rows = ledger_desk.sums_table(view)
    about = [("as of log index", view.log_index), ("as of", view.at)]
    name = f"holdings-{view.pivot.row_name}-log-{view.log_index}.xlsx"
    return await _workbook(request, name, lambda: exports.xlsx_file("Sums", columns, rows, about))


async def _sums(request: web.Request) -> HoldingsView:
    query = Query(request)
    by, wanted = _dimensions(query), _filter(query)
    console = console_of(request)
    view = await console.run(console.desk(LedgerDesk).sums, by, wanted)
    if view is None:
        raise FormError("rows", translate(N_("The holdings are being counted; try again soon.")))
    return view


async def _workbook(request: web.Request, name: str, make: Any) -> web.Response:
    try:
        body: bytes = await console_of(request).run(make)
    except exports.TooManyRowsError as error:
        message = translate(
            N_("A workbook has at most {max} rows, and there are more. Narrow it, or take CSV.")
        )
        raise FormError("xlsx", message.format(max=error.rows_max)) from error
    return web.Response(body=body, headers=downloads.attachment(exports.XLSX_TYPE, name))


# --- blocks --------------------------------------------------------------------------------------


async def blocks(request: web.Request) -> web.Response:
    """Show the blocks behind a sum, in pages."""
    query = Query(request)
    wanted, after = _filter(query), _place(query, "after")
    console = console_of(request)
    found = await console.run(console.desk(LedgerDesk).blocks, wanted, after or ledger_desk.START)
    following = None if found.next is None else f"{found.next[0]}-{found.next[1]}"
    return await render(
        request,
        "ledger/blocks.html",
        found=found,
        wanted=wanted,
        names=NAMES,
        statuses=[(one, word(one, "block_status")) for one in STATUSES],
        is_first=after is None,
        first=_address("/ledger/blocks", wanted, {}),
        older=None
        if following is None
        else _address("/ledger/blocks", wanted, {"after": following}),
        file_at=lambda kind: _address(f"/ledger/blocks.{kind}", wanted, {}),
    )


def _place(query: Query, name: str) -> tuple[int, int] | None:
    """Return two numbers with a dash between them, as our own links have them."""
    value = query.optional_text(name, 40)
    if value is None:
        return None
    match = _PLACE.fullmatch(value)
    if match is None or int(match[2]) > _NUMBER_MAX:
        raise FormError(name, translate(N_("This page is found by our own links only.")))
    return int(match[1]), int(match[2])


async def blocks_csv(request: web.Request) -> web.StreamResponse:
    """Send all blocks of a filter as CSV."""
    wanted = _filter(Query(request))
    console = console_of(request)
    desk = console.desk(LedgerDesk)
    index = await console.run(desk.log_index)
    return await downloads.stream(
        request, desk.csv(wanted), exports.CSV_TYPE, f"blocks-log-{index}.csv"
    )


async def blocks_xlsx(request: web.Request) -> web.StreamResponse:
    """Send all blocks of a filter as a workbook, if they are not too many."""
    wanted = _filter(Query(request))
    console = console_of(request)
    desk = console.desk(LedgerDesk)
    index = await console.run(desk.log_index)
    return await _workbook(request, f"blocks-log-{index}.xlsx", lambda: desk.xlsx(wanted))


# --- serials -------------------------------------------------------------------------------------


async def serial(request: web.Request) -> web.Response:
    """Show where serials are and what happened to them; without any, ask for them."""
    query = Query(request)
    typed = query.raw("units")[: CHARACTERS_MAX + 1]
    from_serial = query.optional_number("from", 1, _NUMBER_MAX)
    after = _place(query, "after") or (0, 0)
    if not typed.strip():
        return await render(request, "ledger/serial.html", typed="", error="", life=None)
    try:
        asked = read_units(typed)
    except SerialFormError as error:
        return await render(
            request, "ledger/serial.html", status=400, typed=typed, error=str(error), life=None
        )
    console = console_of(request)
    life = await console.run(console.desk(SerialDesk).life, asked, from_serial, after)
    following = None if life.next_step is None else f"{life.next_step[0]}-{life.next_step[1]}"
    units = life.units
    return await render(
        request,
        "ledger/serial.html",
        typed=typed,
        error="",
        life=life,
        is_beginning=after == (0, 0),
        first=f"/ledger/serial?{urlencode({'units': units})}",
        more_pieces=None
        if life.next_serial is None
        else f"/ledger/serial?{urlencode({'units': units, 'from': life.next_serial})}",
        more_steps=None
        if following is None
        else f"/ledger/serial?{urlencode({'units': units, 'after': following})}#life",
    )


async def ledger_context(app: web.Application) -> AsyncIterator[None]:
    """Begin to count when the console begins (for ``cleanup_ctx``), in a thread of its own."""
    app[CONSOLE].desk(LedgerDesk).begin()
    yield


ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "/ledger", holdings, Right.LOOK),
    Route("GET", "/ledger/sums.csv", sums_csv, Right.LOOK),
    Route("GET", "/ledger/sums.xlsx", sums_xlsx, Right.LOOK),
    Route("GET", "/ledger/blocks", blocks, Right.LOOK),
    Route("GET", "/ledger/blocks.csv", blocks_csv, Right.LOOK),
    Route("GET", "/ledger/blocks.xlsx", blocks_xlsx, Right.LOOK),
    Route("GET", "/ledger/serial", serial, Right.LOOK),
)
