"""The reader: what is a line, where the next one begins, and what it does with rubbish."""

import hashlib
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mechanism_registry.feeds.lines import (
    LINE_BYTES_MAX,
    FeedFormat,
    FeedLine,
    FeedReader,
    FeedRefusedError,
    format_of,
    place_at,
)

COLUMNS = frozenset({"a", "b", "c"})


def read(path: Path, raw: bytes, format_: FeedFormat = FeedFormat.CSV) -> list[FeedLine]:
    """Write the bytes and return all lines the reader finds in them."""
    path.write_bytes(raw)
    with closing(FeedReader(path, format_, COLUMNS)) as reader:
        return list(reader)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a feed may be written."""
    return tmp_path / "feed.csv"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_mark_and_line_ending_do_not_matter(path: Path, mark: bytes, ending: bytes) -> None:
    """The same table in any usual dress gives the same fields."""
    lines = read(path, mark + ending.join([b"a,b", b"1,x", b"", b"2,y", b""]))
    assert [(line.number, line.fields) for line in lines] == [
        (2, {"a": "1", "b": "x"}),
        (4, {"a": "2", "b": "y"}),
    ]


def test_quotes_hold_commas_and_quotes(path: Path) -> None:
    """RFC 4180: a quoted field may hold commas and doubled quotes."""
    (line,) = read(path, b'a,b\n"1,000","say ""x"""\n')
    assert line.fields == {"a": "1,000", "b": 'say "x"'}


def test_an_open_quote_costs_one_line(path: Path) -> None:
    """A quote left open does not swallow the lines behind it."""
    first, second = read(path, b'a,b\n"1,x\n2,y\n')
    assert first.fields is None
    assert first.problem is not None
    assert "CSV" in first.problem
    assert second.fields == {"a": "2", "b": "y"}


@pytest.mark.parametrize("row", [b"1", b"1,2,3"], ids=["too few", "too many"])
def test_a_line_has_as_many_columns_as_the_header(path: Path, row: bytes) -> None:
    """A shifted line is refused, never filled up."""
    (line,) = read(path, b"a,b\n" + row + b"\n")
    assert line.problem == f"{row.count(b',') + 1} columns where the header has 2"


def test_empty_fields_are_absent(path: Path) -> None:
    """CSV has no other way to leave a field out."""
    (line,) = read(path, b"a,b,c\n1,, \n")
    assert line.fields == {"a": "1"}


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"a,d\n", "unknown columns in the header: d"),
        (b"a,b,a\n", "repeated columns in the header: a"),
        (b"a;b\n", "separated by commas"),
        (b"\n", "must name the columns"),
        (b"", "must name the columns"),
        (b"a,\xe9\n", "0xe9 at position 2 is not UTF-8"),
        ("a,b\n".encode("utf-16"), "export it as UTF-8"),
        ("a,b\n".encode("utf-16-be"), "export it as UTF-8"),
    ],
)
def test_a_wrong_header_refuses_the_file(path: Path, header: bytes, said: str) -> None:
    """A file whose columns are in doubt is not read at all, and the reason says what to do."""
    with pytest.raises(FeedRefusedError, match=said):
        read(path, header)


@pytest.mark.parametrize("format_", [FeedFormat.JSON_LINES, FeedFormat.CSV])
def test_a_wrong_byte_costs_one_line(path: Path, format_: FeedFormat) -> None:
    """Latin-1 in one line leaves the others alone."""
    good = b'{"a":"x"}\n' if format_ is FeedFormat.JSON_LINES else b"x\n"
    head = b"a\n" if format_ is FeedFormat.CSV else b""
    lines = read(path, head + good + good.replace(b"x", b"\xe9") + good, format_)
    assert [line.fields for line in lines] == [{"a": "x"}, None, {"a": "x"}]


@pytest.mark.parametrize(
    "raw",
    [b"[1]", b'"a"', b"{", b'{"a":1,"a":2}', b'{"a":1.5}', b'{"a":NaN}', b"[" * 50 + b"]" * 50],
)
def test_a_json_line_is_one_strict_object(path: Path, raw: bytes) -> None:
    """What is not one plain object is refused on its line."""
    (line,) = read(path, raw + b"\n", FeedFormat.JSON_LINES)
    assert line.fields is None


def test_null_is_absent(path: Path) -> None:
    """Exports write null where they mean nothing."""
    (line,) = read(path, b'{"a":1,"b":null}\n', FeedFormat.JSON_LINES)
    assert line.fields == {"a": 1}


def test_a_huge_line_is_passed_over(path: Path) -> None:
    """A line beyond the limit is refused with its length, and the next one is read."""
    lines = read(path, b"a\n" + b"x" * (3 * LINE_BYTES_MAX) + b"\ny\n")
    assert lines[0].problem is not None
    assert str(3 * LINE_BYTES_MAX + 1) in lines[0].problem
    assert (lines[1].number, lines[1].fields) == (3, {"a": "y"})
    assert lines[1].end_offset == path.stat().st_size


def test_a_cut_off_last_line_is_left_for_the_next_run(path: Path) -> None:
    """An unfinished line is reported, not consumed."""
    lines = read(path, b'{"a":1}\n{"a":2', FeedFormat.JSON_LINES)
    assert (lines[0].consumed, lines[1].consumed) == (True, False)
    assert lines[1].problem is not None
    assert "cut off" in lines[1].problem


def test_a_complete_last_line_needs_no_line_break(path: Path) -> None:
    """RFC 4180 lets the last line end with the file; the reader says so."""
    (line,) = read(path, b"a\n1")
    assert (line.fields, line.consumed, line.terminated) == ({"a": "1"}, True, False)


@given(
    rows=st.lists(st.text(alphabet="ab,\"' é\t", max_size=8), max_size=20),
    at=st.integers(min_value=0, max_value=20),
    ending=st.sampled_from(["\n", "\r\n"]),
)
def test_reading_goes_on_from_any_place(
    tmp_path_factory: pytest.TempPathFactory, rows: list[str], at: int, ending: str
) -> None:
    """Two readers, the second from where the first stopped, see what one reader sees."""
    path = tmp_path_factory.mktemp("feed") / "feed.csv"
    path.write_bytes(("a" + ending + "".join(row + ending for row in rows)).encode())
    with closing(FeedReader(path, FeedFormat.CSV, COLUMNS)) as whole:
        expected = list(whole)
        end = whole.place
    with closing(FeedReader(path, FeedFormat.CSV, COLUMNS)) as first:
        head = list(islice(first, at))
        place = first.place
    reached = place_at(path, place.offset, place.line)
    assert reached.reached_sha256 == place.digest.hexdigest()
    with closing(FeedReader(path, FeedFormat.CSV, COLUMNS)) as second:
        second.seek(reached)
        tail = list(second)
        assert second.place.digest.hexdigest() == end.digest.hexdigest()
    assert head + tail == expected


def test_a_line_break_added_later_belongs_to_its_line(path: Path) -> None:
    """A feed that was pushed without its last line break goes on behind it."""
    path.write_bytes(b"a\n1\r\n2\n")
    place = place_at(path, 3, 2)
    assert (place.offset, place.line) == (5, 2)
    assert place.reached_sha256 == hashlib.sha256(b"a\n1").hexdigest()
    assert place.digest.hexdigest() == hashlib.sha256(b"a\n1\r\n").hexdigest()


def test_a_last_line_that_grew_is_refused(path: Path) -> None:
    """What was pushed as 1 cannot have been 12."""
    path.write_bytes(b"a\n12\n")
    with pytest.raises(FeedRefusedError, match="line 2 was pushed before it was complete"):
        place_at(path, 3, 2)


def test_a_shorter_file_is_refused(path: Path) -> None:
    """A file that lost what was pushed is not the same feed."""
    path.write_bytes(b"a\n")
    with pytest.raises(FeedRefusedError, match="shorter"):
        place_at(path, 30, 2)


@pytest.mark.parametrize(
    ("name", "format_"),
    [("x.jsonl", FeedFormat.JSON_LINES), ("x.NDJSON", FeedFormat.JSON_LINES), ("x.csv", "csv")],
)
def test_the_ending_tells_the_format(name: str, format_: FeedFormat) -> None:
    """The usual endings need no option."""
    assert format_of(Path(name)) is FeedFormat(format_)


def test_another_ending_needs_the_option() -> None:
    """The format is never guessed from the content."""
    with pytest.raises(FeedRefusedError, match="--format"):
        format_of(Path("feed.txt"))
