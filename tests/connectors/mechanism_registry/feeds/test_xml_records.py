"""The XML reader: what is a record, where it lies, and what ends a feed before its time."""

import hashlib
from contextlib import closing
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mechanism_registry.feeds import xml_records as feed_xml
from connectors.mechanism_registry.feeds.lines import (
    LINE_BYTES_MAX,
    FeedFormat,
    FeedLine,
    FeedRefusedError,
    place_at,
)
from connectors.mechanism_registry.feeds.xml_records import NAMES_MAX, XmlFeedReader


def read(path: Path, text: str | bytes) -> list[FeedLine]:
    """Write the document and return all records the reader finds in it."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with closing(XmlFeedReader(path)) as reader:
        return list(reader)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a feed may be written."""
    return tmp_path / "feed.xml"


@pytest.fixture(params=[1, 7, 65_536], ids="pieces of {}".format)
def pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Let the reader read so many bytes at a time."""
    count: int = request.param
    monkeypatch.setattr(feed_xml, "PIECE_BYTES", count)
    return count


def test_records_have_kind_fields_and_line(path: Path, pieces: int) -> None:
    """Elements and attributes are fields by their path; empty ones are absent."""
    first, second, third = read(
        path,
        '<?xml version="1.0" encoding="UTF-8"?>\n<!-- made by hand -->\n'
        '<x:feed xmlns:x="urn:x">\n'
        '<x:issuance id="7"><a> 1 </a>\n<b><c>2</c><d unit="t">3</d></b><e/><f></f></x:issuance>\n'
        "<omge/><last><a><![CDATA[<&]]>&amp;</a></last></x:feed>\n",
    )
    assert first.fields is not None
    assert first.fields.pop("record") == "issuance"
    assert first.fields == {"@id": "7", "a": "1", "b/c": "2", "b/d": "3", "b/d/@unit": "t"}
    assert (first.number, first.source_line) == (1, 4)
    assert (second.number, second.source_line, second.fields) == (2, 6, {"record": "omge"})
    assert (third.number, third.source_line) == (3, 6)
    assert third.fields == {"record": "last", "a": "<&&"}


@pytest.mark.parametrize(
    "record",
    [
        "<r/>",
        "<r />",
        "<r></r>",
        "<r></r >",
        "<r>a/></r>",
        "<r>/></r>",
        '<r a="/>"></r>',
        '<r a="/>"/>',
        "<r><!--/--></r>",
        "<r><a/></r>",
        "<r><a/>/></r>",
        "<r>\n<a>/></a>\n</r\n>",
        "<r><![CDATA[</r>]]></r>",
    ],
)
def test_the_bytes_of_a_record_are_found_exactly(path: Path, pieces: int, record: str) -> None:
    """From its first sign to its last, whatever its tags look like."""
    text = f"<feed>\n  {record}{record}</feed>"
    lines = read(path, text)
    assert [text[line.offset : line.end_offset] for line in lines] == [record, record]


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ("<r><a>1</a><a>2</a></r>", "a stands twice"),
        ("<r><a>1<b>2</b></a></r>", "text stands beside elements in a"),
        ("<r>1<a>2</a></r>", "text stands beside elements in the record"),
        ("<r><a>2</a>1</r>", "text stands beside elements in the record"),
        (f"<r><a>{'1' * LINE_BYTES_MAX}</a></r>", f"at most {LINE_BYTES_MAX} are read"),
    ],
)
def test_a_record_that_is_none_refuses_itself(path: Path, record: str, said: str) -> None:
    """The records before and behind it are good."""
    before, wrong, after = read(path, f"<feed><r><a>1</a></r>{record}<r><a>3</a></r></feed>")
    assert before.fields == {"record": "r", "a": "1"}
    assert wrong.fields is None
    assert wrong.problem is not None
    assert said in wrong.problem
    assert after.fields == {"record": "r", "a": "3"}


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("<r><a>1</b></r></feed>", "mismatched tag (line 3, column"),
        ("<r><a>&nbsp;</a></r></feed>", "undefined entity (line 3, column 7)"),
        ("<?php 1 ?><r/></feed>", "a processing instruction (php) is not allowed"),
        ("<r><a>\x00</a></r></feed>", "not well-formed"),
        ("rubbish<r/></feed>", "text stands between the records"),
        ("<r/></feed><r/>", "junk after document element"),
        ("<r><a>1</a></r>", "cut off"),
        ("<r><a>1</", "cut off"),
        ("", "cut off"),
        ("<r>" + "<a>" * 9 + "</a>" * 9 + "</r></feed>", "deeper than"),
        ("".join(f"<n{n}/>" for n in range(NAMES_MAX + 1)) + "</feed>", "different names"),
        ("".join(f'<r xml:n{n}=""/>' for n in range(NAMES_MAX + 1)) + "</feed>", "different names"),
        (f"<!--{'x' * (1 << 21)}--></feed>", "without the end of a record"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else None,
)
def test_broken_xml_ends_the_feed_with_its_place(path: Path, rest: str, said: str) -> None:
    """What stands before is good; a later run, with the file mended, goes on behind it."""
    text = f"<feed>\n<r><a>0</a></r>\n{rest}"
    lines = read(path, text)
    assert lines[0].fields == {"record": "r", "a": "0"}
    last = lines[-1]
    assert last.problem is not None
    assert said in last.problem
    assert not last.consumed
    with closing(XmlFeedReader(path)) as reader:
        good = [line for line in reader if line.consumed]
        assert reader.offset == good[-1].end_offset


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cut off"),
        (b"<fee", "cut off"),
        (b'<!DOCTYPE feed [<!ENTITY a "b">]><feed>&a;</feed>', "document type"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?><feed/>', "export it as UTF-8"),
        ('<?xml version="1.0"?><feed/>'.encode("utf-16"), "export it as UTF-8"),
        (b'{"record":"issuance"}\n', "not well-formed"),
    ],
)
def test_what_is_no_xml_feed_is_refused_at_once(path: Path, content: bytes, said: str) -> None:
    """A document type is refused before anything in it is believed."""
    with pytest.raises(FeedRefusedError, match=said):
        read(path, content)


names = st.sampled_from(["a", "b", "c", "long_name", "x:y"])
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12)
blanks = st.sampled_from(["", "\n", "  ", "\r\n", "<!-- > -->", "\n\n"])


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Return an XML feed in some dress."""
    parts = ["<feed xmlns:x='urn:x'>"]
    for _ in range(draw(st.integers(0, 8))):
        fields = draw(st.dictionaries(names, texts, max_size=4))
        inner = "".join(
            f"<{name}>{escape(text)}</{name}>" + draw(blanks) for name, text in fields.items()
        )
        attribute = f" id={quoteattr(draw(texts))}" if draw(st.booleans()) else ""
        parts += [draw(blanks), f"<r{attribute}>{inner}</r>" if inner else f"<r{attribute}/>"]
    return "".join([*parts, draw(blanks), "</feed>"])


@given(text=documents(), data=st.data())
def test_a_reader_goes_on_from_any_record(
    tmp_path_factory: pytest.TempPathFactory, text: str, data: st.DataObject
) -> None:
    """What the second reader returns is what the first would have; so is every digest."""
    path = tmp_path_factory.mktemp("xml") / "feed.xml"
    path.write_bytes(text.encode())
    with closing(XmlFeedReader(path)) as whole:
        places, lines = [whole.place], []
        for line in whole:
            lines.append(line)
            places.append(whole.place)
    raw = text.encode()
    assert [place.digest.hexdigest() for place in places] == [
        hashlib.sha256(raw[: place.offset]).hexdigest() for place in places
    ]
    assert [line.source_line for line in lines] == [
        raw.count(b"\n", 0, line.offset) + 1 for line in lines
    ]
    at = data.draw(st.integers(0, len(lines)), label="record")
    here = place_at(path, places[at].offset, places[at].line, FeedFormat.XML)
    assert here.reached_sha256 == places[at].digest.hexdigest()
    with closing(XmlFeedReader(path)) as later:
        later.seek(here)
        assert list(later) == lines[at:]
        assert later.place.digest.hexdigest() == places[-1].digest.hexdigest()


def test_a_record_may_follow_where_the_root_ended(path: Path) -> None:
    """A feed that grew in front of its root's end goes on behind the last record pushed."""
    read(path, "<feed>\n<r><a>1</a></r>\n</feed>\n")
    with closing(XmlFeedReader(path)) as reader:
        list(reader)
        reached = reader.place
    path.write_text("<feed>\n<r><a>1</a></r>\n<r><a>2</a></r></feed>\n")
    with closing(XmlFeedReader(path)) as reader:
        reader.seek(place_at(path, reached.offset, reached.line, FeedFormat.XML))
        (line,) = list(reader)
    assert (line.number, line.source_line, line.fields) == (2, 3, {"record": "r", "a": "2"})
