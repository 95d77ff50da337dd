"""The ledger's pages over a small day: sums that add up, blocks, files, the life of a serial."""

import csv
import re
from io import BytesIO, StringIO
from urllib.parse import quote

import pytest
from openpyxl import load_workbook
from sqlalchemy import select, update

from hub.services.console import exports
from hub.services.console.ledger.ledger_desk import BlockFilter, LedgerDesk
from hub.store.holdings import HoldingRow
from hub.store.tables import unit_block
from tests.hub.console.console_world import ConsoleWorld

EVIL = '<script>alert("x")</script>'
FORMULA = "=cmd|' /C calc'!A0"
UNIT = "CA0001-THA01-THA-15-2022"


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text, newline="")))


async def _binary(console: ConsoleWorld, path: str) -> bytes:
    async with console.client.get(
        path, headers={"Cookie": f"itmo-session={console.token('viewer')}"}
    ) as response:
        assert response.status == 200, await response.text()
        return await response.read()


@pytest.mark.parametrize("columns", ["status", "approach", "vintage", "party", "origin"])
async def test_holdings_show_sums_and_the_index_they_are_as_of(
    console: ConsoleWorld, columns: str
) -> None:
    """Every pair of dimensions gives a table and a chart."""
    page = await console.get(f"/ledger?rows=registry&columns={columns}")
    assert page.status == 200, page.text
    assert "CHE01" in page.text
    assert "As of log entry" in page.text
    assert 'data-chart="holdings-chart"' in page.text


async def test_the_sums_as_a_file_are_those_of_all_blocks(console: ConsoleWorld) -> None:
    """By registry and status; each row has the index of the log."""
    page = await console.get("/ledger/sums.csv?rows=registry&columns=status")
    assert page.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in page.headers["Content-Disposition"]
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    sums = {row["registry"]: int(row["total"]) for row in _rows(page.text)}
    assert len({row["as_of_log_index"] for row in _rows(page.text)}) == 1
    held: dict[str, int] = {}
    with console.database.reading() as connection:
        for registry, first, last in connection.execute(
            select(unit_block.c.registry, unit_block.c.first_serial, unit_block.c.last_serial)
        ):
            held[registry] = held.get(registry, 0) + last - first + 1
    assert sums == held


async def test_a_filter_leads_from_a_sum_to_its_blocks(console: ConsoleWorld) -> None:
    """The link behind a number names what the number is of; codes may be in lower case."""
    page = await console.get("/ledger?rows=registry&columns=status&approach=ca0001")
    links = [
        one.replace("&amp;", "&")
        for one in re.findall(r'href="(/ledger/blocks\?[^"]+)"', page.text)
    ]
    link = next(one for one in links if "registry=CHE01" in one and "status=itmo" in one)
    assert "approach=CA0001" in link
    blocks = await console.get(link)
    assert blocks.status == 200
    assert "CA0001-THA01-THA-1-2022..CA0001-THA01-THA-99-2022" in blocks.text


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/ledger?registry=%3Cscript%3E", "GHA01"),
        ("/ledger?rows=status&columns=status", "another dimension"),
        ("/ledger?rows=account", "Choose one of"),
        ("/ledger?vintage=1066", "1990"),
        ("/ledger/blocks?after=1-2-3", "our own links"),
        ("/ledger/blocks?after=1-9999999999999999999", "our own links"),
        ("/ledger/blocks?status=lost", "Choose one of"),
    ],
)
async def test_what_is_no_filter_is_refused_by_name(
    console: ConsoleWorld, path: str, said: str
) -> None:
    """With what would be right; nothing of it runs."""
    page = await console.get(path)
    assert page.status == 400
    assert said in page.text
    assert "<script>alert" not in page.text


async def test_blocks_come_in_pages_without_loss(console: ConsoleWorld) -> None:
    """Page after page gives every block once."""
    desk = console.console.desk(LedgerDesk)
    whole = desk.blocks(BlockFilter(), limit=500).rows
    found: list[HoldingRow] = []
    place = (0, 0)
    while True:
        page = desk.blocks(BlockFilter(), place, 1)
        found += page.rows
        if page.next is None:
            break
        place = page.next
    assert [one.subject for one in found] == [one.subject for one in whole]
    assert len(whole) >= 3


async def test_the_blocks_as_csv_are_safe_in_a_spreadsheet(console: ConsoleWorld) -> None:
    """An account that is a formula is text there; every row has the index of the log."""
    with console.database.writing() as connection:
        connection.execute(update(unit_block).values(account=FORMULA))
    page = await console.get("/ledger/blocks.csv?registry=CHE01")
    rows = _rows(page.text)
    assert {row["account"] for row in rows} == {f"'{FORMULA}"}
    assert all(int(row["as_of_log_index"]) > 0 for row in rows)
    assert {row["registry"] for row in rows} == {"CHE01"}


async def test_the_blocks_as_a_workbook_are_safe_and_say_their_index(
    console: ConsoleWorld,
) -> None:
    """No cell is a formula; a sheet says as of which entry of the log it all is."""
    with console.database.writing() as connection:
        connection.execute(update(unit_block).values(account=FORMULA))
    book = load_workbook(BytesIO(await _binary(console, "/ledger/blocks.xlsx")))
    cells = [cell for row in book["Holdings"].iter_rows() for cell in row]
    assert f"'{FORMULA}" in {cell.value for cell in cells}
    assert all(cell.data_type != "f" for cell in cells)
    assert book["About"]["A2"].value == "as of log index"
    assert isinstance(book["About"]["B2"].value, int)
    sums = load_workbook(BytesIO(await _binary(console, "/ledger/sums.xlsx")))
    assert sums.sheetnames == ["Sums", "About"]


async def test_a_workbook_that_would_be_too_large_is_refused_with_the_remedy(
    console: ConsoleWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CSV has no limit."""
    monkeypatch.setattr(exports.xlsx_file, "__kwdefaults__", {"rows_max": 1})
    page = await console.get("/ledger/blocks.xlsx")
    assert page.status == 400
    assert "At most" not in page.text
    assert "take CSV" in page.text


@pytest.mark.parametrize(
    "typed",
    [
        UNIT,
        f"  {UNIT.lower()} ",
        "CA0001 - THA01 - THA - 15 - 2022",
        "CA0001–THA01–THA–15–2022",
        "ca0001-tha01-tha-15-2022..15",
        f"{UNIT} .. {UNIT}",
    ],
)
async def test_a_serial_is_found_however_it_is_typed(console: ConsoleWorld, typed: str) -> None:
    """Where it is, its case, its life, and what led there."""
    page = await console.get(f"/ledger/serial?units={quote(typed)}")
    assert page.status == 200, page.text
    assert "CHE01" in page.text
    assert '<a href="/transfers/THA01-1">THA01-1</a>' in page.text
    assert "/cases/" in page.text
    assert "frozen" in page.text
    for word in ("Introduced", "Reserved", "Moved"):
        assert f"<strong>{word}</strong>" in page.text
    assert re.search(r'href="/log/entries/\d+"', page.text)


async def test_a_range_shows_each_block_and_what_is_not_there(console: ConsoleWorld) -> None:
    """From blocks of several holders to serials that nobody ever had."""
    units = "CA0001-THA01-THA-90-2022..CA0001-THA01-THA-400-2022"
    page = await console.get(f"/ledger/serial?units={units}")
    assert page.status == 200
    assert "CA0001-THA01-THA-90-2022..CA0001-THA01-THA-99-2022" in page.text
    assert "CA0001-THA01-THA-250-2022..CA0001-THA01-THA-400-2022" in page.text
    assert "not in the ledger" in page.text
    assert "GHA01" in page.text


async def test_units_nobody_ever_saw_are_told_so(console: ConsoleWorld) -> None:
    """Neither an error nor an empty page."""
    page = await console.get("/ledger/serial?units=CA9999-PER01-PER-1-2030")
    assert page.status == 200
    assert "never seen a unit of this series" in page.text


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("CA1-THA01-THA-15-2022", "the cooperative approach"),
        ("CA0001-THA-THA-15-2022", "the originating registry"),
        ("CA0001-THA01-THA-0-2022", "1 to"),
        ("CA0001-THA01-THA-99999999999999999999-2022", "1 to"),
        ("CA0001-THA01-THA-15-1822", "the vintage"),
        ("CA0001-THA01-THA-15", "five parts"),
        ("CA0001-THA01-THA-15-2022..14", "swap"),
        ("CA0001-THA01-THA-15-2022..CA0002-THA01-THA-16-2022", "another series"),
        ("a..b..c", "two ends"),
        (EVIL, "five parts"),
        ("x" * 1000, "at most 400"),
        ("..", "five parts"),
    ],
)
async def test_what_is_no_serial_is_refused_with_the_part_that_is_wrong(
    console: ConsoleWorld, typed: str, said: str
) -> None:
    """The form stays filled in, and nothing of it runs."""
    page = await console.get(f"/ledger/serial?units={quote(typed)}")
    assert page.status == 400
    assert said in page.text
    assert EVIL not in page.text


async def test_nothing_that_a_registry_wrote_runs_on_the_pages(console: ConsoleWorld) -> None:
    """Account, hold, references and underlying units are shown as text."""
    with console.database.writing() as connection:
        connection.execute(
            update(unit_block).values(
                account=EVIL, hold=EVIL, underlying_first=EVIL, underlying_last=EVIL
            )
        )
    for path in (
        "/ledger/blocks",
        f"/ledger/serial?units={UNIT}",
        "/ledger/serial?units=CA0001-THA01-THA-1-2022..400",
    ):
        page = await console.get(path)
        assert page.status == 200
        assert EVIL not in page.text
        assert "&lt;script&gt;" in page.text


async def test_the_first_count_is_told_and_does_not_hold_up_the_page(
    console: ConsoleWorld,
) -> None:
    """The sums are missing, the way to the blocks is there; no file is made of nothing."""
    book = console.console.desk(LedgerDesk)._book
    assert book.now(10) is not None
    book._known, book._is_at_work = None, True  # as while another thread counts
    book._counted.clear()
    page = await console.get("/ledger")
    assert page.status == 200
    assert "The holdings are being counted" in page.text
    assert 'href="/ledger/blocks"' in page.text
    assert (await console.get("/ledger/sums.csv")).status == 400
    book._is_at_work = False
    assert "As of log entry" in (await console.get("/ledger")).text
