"""Statements as files: what is understood by its content, and what no file can do to the hub."""

from __future__ import annotations

import csv
import io
import re
import resource
import zipfile
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from openpyxl import Workbook, load_workbook

from hub.services.reconciliation.statements.statement_files import copied, read_statement
from hub.services.reconciliation.statements.statement_templates import COLUMNS, notes
from hub.services.reconciliation.statements.statement_workbooks import write_workbook
from reconciliation.owned import OWNED, Block
from reconciliation.statements import Statement, StatementError
from tests.reconciliation.sessions import USED, A, B, X, Y
from tests.reconciliation.statement_rows import ALL, BY_ID, table_of
from tests.source_tree import ROOT

EXAMPLES = ROOT / "message_schemas" / "examples" / "statements"
BLOCKS = [Block(A, 1, 100, X), Block(B, 7, 7, Y), Block(A, 101, 250, USED)]
SHEET = "xl/worksheets/sheet1.xml"


def read(content: bytes, registry: str = "CHE02") -> Statement:
    """Return the statement of a file's bytes."""
    return read_statement(io.BytesIO(content), registry)


def fault_of(content: bytes) -> str:
    """Return the first thing that is wrong with a file."""
    with pytest.raises(StatementError) as refused:
        read(content)
    return str(refused.value.problems[0])


def csv_of(table: Any, delimiter: str = ",") -> str:
    """Return a table as CSV."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(table)
    return text.getvalue()


def workbook_of(table: Any, change: Callable[[Any], object] | None = None) -> bytes:
    """Return a table as a workbook; ``change`` does something to its sheet."""
    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    for row in table:
        sheet.append([cell if cell != "" else None for cell in row])
    if change is not None:
        change(sheet)
    into = io.BytesIO()
    workbook.save(into)
    return into.getvalue()


def repacked(content: bytes, part: str, change: Callable[[bytes], bytes]) -> bytes:
    """Return a workbook with one part changed."""
    into = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, change(data) if name == part else data)
    return into.getvalue()


# --- the published examples ----------------------------------------------------------------------


def test_the_published_examples_say_the_same() -> None:
    """CSV, workbook and XML are one statement."""
    told = {
        form: read((EXAMPLES / f"holdings.{form}").read_bytes(), "KEN01")
        for form in ("csv", "xlsx", "xml")
    }
    assert told["csv"].blocks == told["xlsx"].blocks == told["xml"].blocks
    assert len(told["csv"].blocks) == 5
    assert {one.compared for one in told.values()} == {OWNED}
    assert not any(one.unused or one.left_out or one.held_alone for one in told.values())


def test_the_published_schema_accepts_the_example_and_knows_every_attribute() -> None:
    """One more element, or one less identifier, and it does not."""
    schema = etree.XMLSchema(etree.parse(EXAMPLES / "statement.xsd"))
    text = (EXAMPLES / "holdings.xml").read_text()
    assert schema.validate(etree.fromstring(text.encode()))
    for wrong in (
        text.replace("<quantity>1000</quantity>", ""),
        text.replace("<sector>", "<sektor>").replace("</sector>", "</sektor>"),
        text.replace("CA0003-GHA01-GHA-1001-2023", "CA0003-GHA01-GHA-01001-2023"),
    ):
        assert not schema.validate(etree.fromstring(wrong.encode()))
    names = {one.get("value") for one in schema_elements("enumeration")}
    assert names == set(OWNED)
    assert set(OWNED) <= {one.get("name") for one in schema_elements("element")}


def schema_elements(name: str) -> list[etree._Element]:
    """Return the elements of one name in the published schema."""
    tree = etree.parse(EXAMPLES / "statement.xsd")
    return list(tree.iter(f"{{http://www.w3.org/2001/XMLSchema}}{name}"))


# --- CSV -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-bom"])
def test_csv_is_read_as_spreadsheets_write_it(delimiter: str, encoding: str) -> None:
    """Any of three separators; UTF-8, or UTF-16 with its mark; a title above."""
    text = "Bestände, Stand heute\r\n\r\n" + csv_of(table_of(BLOCKS), delimiter)
    if encoding.endswith("bom"):
        content = b"\xfe\xff" + text.encode("utf-16-be")
    else:
        content = text.encode(encoding)
    assert read(content).blocks == BLOCKS


def test_the_line_that_names_the_separator_is_understood() -> None:
    """Spreadsheets write it, and lines are counted with it."""
    text = "sep=;\r\n" + csv_of(table_of(BLOCKS), ";")
    assert read(text.encode()).blocks == BLOCKS
    assert "line 3, FIRST_ID" in fault_of(text.replace("-1-2023", "-x-2023", 1).encode())


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    """Also behind a text of several lines."""
    table = table_of(BLOCKS, (*BY_ID, "quantity"))
    rows = [[*row, note] for row, note in zip(table, ["Note", "a\nb\nc", "", ""], strict=True)]
    rows[2][2] = "none"
    assert fault_of(csv_of(rows).encode()).startswith("line 5, QUANTITY")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda raw: raw.replace(b"held", b"d\xe9tenu"), "are bytes that are not UTF-8"),
        (lambda raw: raw.replace(b"held", b'"held', 1), "is a quotation mark not closed?"),
        (lambda raw: raw + b'"' + b"x" * 200_000, "is a quotation mark not closed?"),
        (lambda raw: raw.replace(b"held", b"he\x00ld", 1), "line 2"),
        (lambda raw: b"", "no row of headings"),
        (lambda raw: b"\x00" * 4096, "no row of headings"),
        (lambda raw: b"%PDF-1.7" + raw, "this is a PDF document"),
        (lambda raw: b"\xd0\xcf\x11\xe0" + raw, "a workbook of the old kind (XLS)"),
        (lambda raw: b"\x1f\x8b" + raw, "gzip"),
        (lambda raw: b"x," * 100_000, "no row of headings"),
    ],
    ids=["latin", "quote", "huge", "null", "empty", "nulls", "pdf", "xls", "gzip", "wide"],
)
def test_files_that_are_no_csv_are_refused(change: Callable[[bytes], bytes], text: str) -> None:
    """With the line, as far as there is one."""
    assert text in fault_of(change(csv_of(table_of(BLOCKS)).encode()))


@given(content=st.binary(max_size=300), start=st.sampled_from([b"", b"PK\x03\x04", b"<", b"sep="]))
def test_any_bytes_are_a_statement_or_refused(content: bytes, start: bytes) -> None:
    """Never anything else."""
    with pytest.raises(StatementError):
        read(start + content)


# --- workbooks -----------------------------------------------------------------------------------


def test_a_workbook_of_numbers_and_texts_is_read() -> None:
    """Numbers where a person types them, a merged title, an empty row, a yes of the program."""
    table: list[list[Any]] = [["Holdings of today"], [], *table_of(BLOCKS)]
    for row in table[3:]:
        for name in ("first_serial", "last_serial", "quantity", "vintage"):
            row[ALL.index(name)] = int(row[ALL.index(name)])
        row[ALL.index("first_transferred")] = True
        row[ALL.index("authorization_version")] = 1.0
    content = workbook_of(table, lambda sheet: sheet.merge_cells("A1:D1"))
    assert read(content).blocks == BLOCKS


def test_digits_that_a_spreadsheet_may_have_lost_are_refused() -> None:
    """As a text a serial keeps its digits, as a number it may not."""
    block = Block(A, 10**17, 10**17 + 4, X)
    table: list[list[Any]] = list(table_of([block], (*ALL[2:],)))
    assert read(workbook_of(table)).blocks == [block]
    place = ALL[2:].index("first_serial")
    table[1][place] = 10**17
    assert "a number of more than 15 digits" in fault_of(workbook_of(table))
    assert f"(cell {'ABCDEFGH'[place]}2)" in fault_of(workbook_of(table))


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("quantity", "=1+99", "a formula; copy the column and paste it as values"),
        ("vintage", date(2023, 1, 1), "a date (2023-01-01"),
        ("authorization_id", date(2023, 1, 5), "a date (2023-01-05"),
        ("sector", "#N/A", "the error #N/A"),
        ("quantity", 99.5, "is no whole number"),
    ],
    ids=["formula", "vintage", "id", "error", "fraction"],
)
def test_cells_that_are_not_what_they_seem_are_refused(column: str, value: Any, text: str) -> None:
    """By the name of the cell, with the remedy."""
    table: list[list[Any]] = list(table_of(BLOCKS))
    table[1][ALL.index(column)] = value
    said = fault_of(workbook_of(table))
    assert text in said
    assert said.startswith(f"line 2, {column.upper()} (cell ")


def test_merged_cells_among_the_rows_are_refused() -> None:
    """They are empty but for the first, and would read as missing."""
    content = workbook_of(table_of(BLOCKS), lambda sheet: sheet.merge_cells("K2:K4"))
    assert "cells K2:K4: merged cells are empty but for the first" in fault_of(content)


def test_the_sheet_is_the_one_that_is_named_or_the_only_one() -> None:
    """Notes beside it do not matter; which of two is meant must be said."""
    into = io.BytesIO()
    table = table_of(BLOCKS, COLUMNS)
    write_workbook(into, table[0], table[1:], notes())
    assert read(into.getvalue()).blocks == BLOCKS

    def second(sheet: Any) -> None:
        sheet.parent.create_sheet("Other").append(["x"])

    assert "which sheet?" in fault_of(workbook_of(table, second))

    def hidden(sheet: Any) -> None:
        second(sheet)
        sheet.parent["Other"].sheet_state = "hidden"

    assert read(workbook_of(table, hidden)).blocks == BLOCKS


def test_texts_that_a_workbook_shares_are_read() -> None:
    """Spreadsheets write each text once and number it; a number of none is refused."""
    content = workbook_of(table_of(BLOCKS))
    texts: list[bytes] = []

    def numbered(found: re.Match[bytes]) -> bytes:
        texts.append(found[1])
        return b't="s"><v>%d</v>' % (len(texts) - 1)

    inline = rb't="inlineStr"><is><t[^>]*>([^<]*)</t></is>'
    shared = repacked(content, SHEET, lambda raw: re.sub(inline, numbered, raw))
    assert len(texts) > 40

    def table(count: int) -> bytes:
        items = b"".join(b"<si><t>%b</t></si>" % text for text in texts[:count])
        name = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        return b'<sst xmlns="%b">%b</sst>' % (name, items)

    assert read(with_texts(shared, table(len(texts)))).blocks == BLOCKS
    short = with_texts(shared, table(len(texts) - 1))
    assert "the workbook is damaged (IndexError)" in fault_of(short)


def with_texts(content: bytes, table: bytes) -> bytes:
    """Return a workbook with a table of shared texts beside its sheet."""
    kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    part = b'<Override PartName="/xl/sharedStrings.xml" ContentType="%b"/></Types>' % kind
    typed = repacked(content, "[Content_Types].xml", lambda raw: raw.replace(b"</Types>", part))
    into = io.BytesIO(typed)
    with zipfile.ZipFile(into, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", table)
    return into.getvalue()


def test_hidden_rows_and_filters_are_not_asked() -> None:
    """What is in the file counts, not what is shown of it."""

    def hide(sheet: Any) -> None:
        sheet.row_dimensions[3].hidden = True
        sheet.auto_filter.ref = "A1:W4"

    assert read(workbook_of(table_of(BLOCKS), hide)).blocks == BLOCKS


def sized(raw: bytes, size: bytes) -> bytes:
    """Return a sheet that says another size of itself."""
    return re.sub(rb'ref="A1:[A-Z]+4"', b'ref="%b"' % size, raw)


def test_what_a_sheet_says_of_its_own_size_is_not_believed() -> None:
    """Neither too much, which would be read cell by cell, nor too little."""
    content = workbook_of(table_of(BLOCKS))
    for size in (b"A1:XFD1048576", b"A1:B2"):
        told = repacked(content, SHEET, partial(sized, size=size))
        assert told != content
        assert read(told).blocks == BLOCKS


@pytest.mark.parametrize(
    ("part", "change", "text"),
    [
        (SHEET, lambda raw: raw.replace(b'<row r="4"', b'<row r="3"'), "out of order, twice"),
        (SHEET, lambda raw: raw.replace(b'<row r="4"', b'<row r="9999999999"'), "out of order"),
        (SHEET, lambda raw: raw[: len(raw) // 2], "cannot be read (ParseError)"),
        (SHEET, lambda raw: raw.decode().encode("utf-16"), "is not UTF-8"),
        (
            SHEET,
            lambda raw: b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>' + raw,
            "has a document type",
        ),
        ("xl/workbook.xml", lambda raw: b"<workbook/>", "which sheet?"),
        ("xl/workbook.xml", lambda raw: b"<!-- x --><!DOCTYPE a>" + raw, "has a document type"),
    ],
    ids=["twice", "beyond", "cut", "utf-16", "entities", "workbook", "doctype"],
)
def test_damaged_and_hostile_workbooks_are_refused(
    part: str, change: Callable[[bytes], bytes], text: str
) -> None:
    """In one sentence each; no row is passed over in silence."""
    content = repacked(workbook_of(table_of(BLOCKS)), part, change)
    assert text in fault_of(content)


def test_archives_that_unpack_to_very_much_are_refused_before_they_are_unpacked() -> None:
    """A hundred megabytes of nothing in a sheet; texts beyond what is read; too many parts."""
    content = workbook_of(table_of(BLOCKS))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "unpacks to" in fault_of(repacked(content, SHEET, lambda raw: raw + b" " * 10**8))
    many = io.BytesIO(content)
    with zipfile.ZipFile(many, "a") as archive:
        for number in range(1_001):
            archive.writestr(f"xl/x{number}.xml", b"")
    assert "parts; a workbook of at most" in fault_of(many.getvalue())
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 400 * 1024


def test_an_archive_without_a_workbook_is_refused() -> None:
    """An OpenDocument sheet, or any other archive."""
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        archive.writestr("content.xml", b"<x/>")
    assert "no workbook (XLSX) is in this archive" in fault_of(into.getvalue())


# --- XML -----------------------------------------------------------------------------------------

XML = (EXAMPLES / "holdings.xml").read_text()


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("<statement ", "<!DOCTYPE x []><statement ", "a document type, comment, section"),
        ("<block>", "<!-- x --><block>", "a document type, comment, section"),
        ("<block>", "<?x y?><block>", "a document type, comment, section"),
        ("held", "<![CDATA[held]]>", "a document type, comment, section"),
        ("held", "&held;", "not XML"),
        ("</statement>", "", "not XML"),
        (":statement:1", ":statement:2", "is no statement of urn"),
        ("<block>", '<block id="1">', "<block> has an attribute"),
        ("<status>", '<status x="1">', "<status> holds more than a text"),
        ("<status>held", "<status><b>held</b>", "<status> holds more than a text"),
        ("<sector>", "<sektor/><sector>", "<sektor> is no part of a block"),
        ("<sector>", "<status>used</status><sector>", "<status> stands twice"),
        ("KEN01", "KEN02", "says 'KEN02'"),
        ("<block>", "<blocks/><block>", "<blocks> is not known here"),
        ("</statement>", "<more/></statement>", "<more> is not known here"),
        ("</statement>", "<registry>KEN01</registry></statement>", "stands before the blocks"),
        ("</registry>", "</registry><compared>colour</compared>", "names some of status"),
        ("<quantity>1000", "<quantity>100", "but 1001 to 2000 are 1000 units"),
        ('encoding="UTF-8"', 'encoding="latin-1"', "a document type, comment, section"),
        ("<block>", "<block>" + "<x>" * 300, "not XML"),
    ],
    ids=str,
)
def test_xml_is_read_strictly(old: str, new: str, text: str) -> None:
    """Each fault with its line; nothing that a parser would act on gets to it."""
    content = XML.replace(old, new, 1)
    with pytest.raises(StatementError, match=re.escape(text)):
        read(content.encode(), "KEN01")


def test_entities_do_not_grow_and_texts_are_bounded() -> None:
    """A billion laughs, a text without end, and elements without end that are no blocks."""
    laughs = '<!DOCTYPE s [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
    assert "line 1" in fault_of(f"{laughs}<s>&b;</s>".encode())
    huge = XML.replace("held", "x" * 20_000_000, 1)
    with pytest.raises(StatementError):
        read(huge.encode(), "KEN01")
    odd = XML.replace("<block>", "<odd/>" * 200_000 + "<block>", 1)
    with pytest.raises(StatementError, match=r"that is no block|is not known here"):
        read(odd.encode(), "KEN01")


def test_other_bytes_than_utf8_are_refused_with_their_line() -> None:
    """Line 5 of the example, as an editor counts."""
    content = XML.encode().replace(b"CA0003-GHA01-GHA-1001", b"CA0003-GHA01-GH\xc4-1001", 1)
    with pytest.raises(StatementError, match="line 5: bytes that are not UTF-8"):
        read(content, "KEN01")


def test_attributes_that_are_not_compared_are_named_once_for_all() -> None:
    """``compared`` says of what the statement speaks; in a block nothing else may stand."""
    short = "<compared>status sector</compared>"
    with pytest.raises(StatementError, match="is no part of a block, or is not compared"):
        read(XML.replace("</registry>", f"</registry>{short}").encode(), "KEN01")
    kept = re.sub(
        r"\s*<(?!/?(?:statement|registry|block|first_id|last_id|quantity|status|sector))"
        r"(\w+)>[^<]*</\1>",
        "",
        XML.split("?>", 1)[1],
    )
    told = read(kept.replace("</registry>", f"</registry>{short}").encode(), "KEN01")
    assert told.compared == ("status", "sector")


def test_what_is_read_is_what_the_digest_is_of(tmp_path: Path) -> None:
    """A copy is read, so nobody changes it meanwhile."""
    path = tmp_path / "statement.csv"
    path.write_bytes(b"abc")
    with (tmp_path / "copy").open("w+b") as into:
        assert copied(path, into) == (
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        )
        assert into.read() == b"abc"


def test_an_untouched_template_opens_with_its_notes() -> None:
    """The headings are the columns, in capitals, as texts; the notes tell of each."""
    into = io.BytesIO()
    write_workbook(into, [column.upper() for column in COLUMNS], [], notes())
    workbook = load_workbook(io.BytesIO(into.getvalue()))
    assert [cell.value for cell in workbook["HOLDINGS"][1]] == [c.upper() for c in COLUMNS]
    assert workbook["HOLDINGS"].column_dimensions["A"].number_format == "@"
    told = {row[0].value: row[1].value for row in workbook["NOTES"].iter_rows()}
    assert all(told[column.upper()] for column in COLUMNS)
