"""Tables for spreadsheets: what comes out, and what must never be taken for a formula."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO, StringIO
from itertools import count
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from hub.services.console import exports

HOSTILE = (
    "=1+1",
    "+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1",
    "\u200b=1",
    "\ufeff=cmd|' /C calc'!A0",
    "\u00a0=1",
    "＝1+1",
    "＠x",
    "﹢1",
)


def _read_csv(data: bytes) -> list[list[str]]:
    return list(csv.reader(StringIO(data.decode(), newline="")))


@pytest.mark.parametrize("said", HOSTILE, ids=[ascii(one) for one in HOSTILE])
def test_no_cell_is_a_formula_in_csv_or_workbook(said: str) -> None:
    """Not even behind blanks, invisible characters or as a wide form of the sign."""
    ((_,), (shown,)) = _read_csv(b"".join(exports.csv_rows(("name",), [(said,)])))
    assert shown == f"'{said}"
    book = load_workbook(BytesIO(exports.xlsx_file("Rows", ("name",), [(said,)])))
    found = book.worksheets[0]["A2"]
    assert found.data_type in {"s", "inlineStr"}
    assert str(found.value).startswith("'")


def test_a_workbook_has_no_formula_part_whatever_is_in_it() -> None:
    """Neither in the rows nor in what is said about them."""
    made = exports.xlsx_file("=1", ("=head", "b"), [(one, 1) for one in HOSTILE], [("=a", "=b")])
    with ZipFile(BytesIO(made)) as parts:
        for name in parts.namelist():
            assert b"<f>" not in parts.read(name), name
            assert b"<f " not in parts.read(name), name


@given(st.text())
def test_what_is_no_formula_is_read_back_as_it_was(said: str) -> None:
    """CSV loses no character of a text; a formula's apostrophe is all that is added."""
    shown = _read_csv(b"".join(exports.csv_rows(("name",), [(said, "end")])))[1][0]
    assert shown in (said, f"'{said}") or "\ufffd" in said or not said.isprintable()


def test_values_are_numbers_instants_and_words() -> None:
    """Numbers stay numbers; in a workbook those beyond 15 digits are texts, not rounded."""
    at = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)
    row = (1, 2**63 - 2, None, True, at, "Ghana")
    columns = ("a", "b", "c", "d", "e", "f")
    assert _read_csv(b"".join(exports.csv_rows(columns, [row])))[1] == [
        "1",
        "9223372036854775806",
        "",
        "yes",
        "2026-11-22T06:30:00.000Z",
        "Ghana",
    ]
    sheet = load_workbook(BytesIO(exports.xlsx_file("Rows", columns, [row]))).worksheets[0]
    assert [one.value for one in sheet[2]] == [
        1,
        "9223372036854775806",
        None,
        "yes",
        "2026-11-22T06:30:00.000Z",
        "Ghana",
    ]


def test_a_workbook_says_what_it_is_of() -> None:
    """The second sheet has the names and values given, such as the index of the log."""
    made = exports.xlsx_file("Holdings: A/B", ("x",), [(1,)], [("as of log index", 12)])
    book = load_workbook(BytesIO(made))
    assert book.sheetnames == ["Holdings  A B", "About"]
    assert [one.value for one in book["About"][2]] == ["as of log index", 12]


def test_control_characters_and_giants_do_not_break_a_workbook() -> None:
    """What no workbook can hold is replaced or cut, and the file opens."""
    made = exports.xlsx_file("Rows", ("x",), [("a\x00b\x1fc",), ("y" * 40_000,)])
    sheet = load_workbook(BytesIO(made)).worksheets[0]
    assert sheet["A2"].value == "a\ufffdb\ufffdc"
    assert len(str(sheet["A3"].value)) == 32_767


def test_a_workbook_with_too_many_rows_is_refused_and_reads_no_further() -> None:
    """The rule and the remedy are in the message; an endless source is left alone."""
    taken = count()
    endless: Iterator[tuple[int]] = ((number,) for number in taken)
    with pytest.raises(exports.TooManyRowsError, match=r"at most 10 rows.*CSV"):
        exports.xlsx_file("Rows", ("x",), endless, rows_max=10)
    assert next(taken) == 11


def test_csv_comes_in_parts_while_rows_are_read() -> None:
    """An endless source gives its first part."""
    parts = exports.csv_rows(("x", "y"), ((number, "y" * 100) for number in count()))
    first = next(parts)
    assert 65_536 <= len(first) < 66_000
    assert first.startswith(b"x,y\r\n0,yyy")
