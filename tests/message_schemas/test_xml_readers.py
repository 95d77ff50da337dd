"""Two strict readers of XML, one before a signature is checked and one after, refuse the same.

``keys`` and ``message_schemas`` import nothing of each other, so each has its reader. What one lets
through and the other does not would be signed by one end and not read by the next.
"""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keys.errors import MalformedXmlError
from keys.xml_reading import XmlLimits, canonical_bytes, read_xml
from message_schemas.strict_xml import XmlRefusedError, parse_strict

DEPTH_MAX = 12
BYTES_MAX = 2_000
LIMITS = XmlLimits(document_bytes_max=BYTES_MAX, depth_max=DEPTH_MAX)
DECLARATIONS = [
    b"",
    b"\n",
    b'<?xml version="1.0"?>',
    b"<?xml version='1.0' encoding='utf-8' standalone='yes' ?>\n",
    b'<?xml version="1.0" encoding="UTF-8"?>',
]
REFUSED = {
    "document type": b"<!DOCTYPE r>",
    "external subset": b'<!DOCTYPE r SYSTEM "http://127.0.0.1:9/r.dtd">',
    "internal entity": b'<!DOCTYPE r [<!ENTITY x "ha">]>',
    "external entity": b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
    "default attribute": b'<!DOCTYPE r [<!ATTLIST r key CDATA "x">]>',
    "use of an entity": b"&x;",
    "comment": b"<!-- -->",
    "CDATA section": b"<![CDATA[x]]>",
    "processing instruction": b"<?php echo 1 ?>",
    "style sheet": b'<?xml-stylesheet href="x.xsl"?>',
    "second declaration": b'<?xml version="1.0"?>',
    "element without an end": b"<a>",
    "end without an element": b"</a>",
    "attribute twice": b'<a key="1" key="2"/>',
    "unknown prefix": b"<p:a/>",
    "character of no XML": b"&#1;",
    "zero byte": b"\0",
    "byte of no UTF-8": b"\xff",
}
HEADS = {
    "XML 1.1": b'<?xml version="1.1"?>',
    "Latin-1": b'<?xml version="1.0" encoding="ISO-8859-1"?>',
    "UTF-7": b'<?xml version="1.0" encoding="UTF-7"?>',
    "UTF-16 by name": b'<?xml version="1.0" encoding="UTF-16"?>',
    "unlike quotes": b'<?xml version="1.0" encoding="utf-8\'?>',
    "late declaration": b'\n<?xml version="1.0"?>',
    "byte order mark": b"\xef\xbb\xbf",
}
PIECES = [
    *[b"<a>", b"</a>", b"<a/>", b'<a key="1"/>', b"x", b" ", b"\n", "\u00e9".encode()],
    *[b"&amp;", b"&#xE9;", *REFUSED.values()],
]


def is_read_for_its_signature(raw: bytes) -> bool:
    """Tell whether the reader of signed documents takes these bytes."""
    try:
        read_xml(raw, LIMITS)
    except MalformedXmlError:
        return False
    return True


def is_read_for_its_content(raw: bytes) -> bool:
    """Tell whether the reader of messages takes these bytes."""
    try:
        parse_strict(raw, bytes_max=BYTES_MAX, depth_max=DEPTH_MAX)
    except XmlRefusedError:
        return False
    return True


def judged(raw: bytes) -> tuple[bool, bool]:
    """Return what both readers say."""
    return is_read_for_its_signature(raw), is_read_for_its_content(raw)


@pytest.mark.parametrize("declaration", DECLARATIONS)
def test_both_read_elements_attributes_and_text(declaration: bytes) -> None:
    """With or without a declaration, the five entities and character references."""
    body = "<r>é&lt;&amp;&gt;&quot;&apos;&#233;<a key='1'>\n</a></r>".encode()
    assert judged(declaration + body) == (True, True)


@pytest.mark.parametrize("name", REFUSED)
def test_both_refuse_all_that_is_neither(name: str) -> None:
    """Before the root, in it, and behind it."""
    piece = REFUSED[name]
    for raw in (piece + b"<r/>", b"<r>x" + piece + b"</r>", b"<r/>" + piece):
        if raw != REFUSED["second declaration"] + b"<r/>":  # there it is the first one
            assert judged(raw) == (False, False), raw


@pytest.mark.parametrize("name", HEADS)
def test_both_refuse_another_version_or_encoding(name: str) -> None:
    """XML 1.0 in UTF-8, without a byte order mark, is all there is."""
    assert judged(HEADS[name] + b"<r/>") == (False, False)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "cp037"])
@pytest.mark.parametrize("head", ["", '<?xml version="1.0"?>', '<?xml version="1.0"?><!DOCTYPE r>'])
def test_both_refuse_encodings_that_a_parser_would_guess(encoding: str, head: str) -> None:
    """Zero bytes are good UTF-8, and hide `<!` from whoever searches for it."""
    assert judged(f"{head}<r><!-- --></r>".encode(encoding)) == (False, False)


@pytest.mark.parametrize("levels", [1, DEPTH_MAX - 1, DEPTH_MAX, DEPTH_MAX + 1, 300])
def test_both_count_levels_alike(levels: int) -> None:
    """The root is the first level; a limit is the last depth that is read."""
    raw = b"<a>" * (levels - 1) + b"<a/>" + b"</a>" * (levels - 1)
    assert judged(raw) == (levels <= DEPTH_MAX,) * 2


@pytest.mark.parametrize("excess", [0, 1])
def test_both_count_bytes_alike(excess: int) -> None:
    """A limit is the last size that is read."""
    raw = b"<r>" + b"x" * (BYTES_MAX + excess - 7) + b"</r>"
    assert judged(raw) == (not excess,) * 2


@given(
    st.sampled_from([*DECLARATIONS, *HEADS.values()]),
    st.lists(st.sampled_from(PIECES), max_size=6),
    st.sampled_from(["utf-8", "utf-8", "utf-16-le", "utf-32-be"]),
)
@example(b"", [b"<a>", b"x", b"</a>"], "utf-8")
def test_they_agree_on_any_mixture(head: bytes, pieces: list[bytes], encoding: str) -> None:
    """And what both read is the same document to both."""
    raw = head + b"<r>" + b"".join(pieces) + b"</r>"
    if encoding != "utf-8":
        raw = raw.decode("utf-8", "replace").encode(encoding)
    signed, content = judged(raw)
    assert signed == content
    if signed:
        assert canonical_bytes(read_xml(raw, LIMITS)) == canonical_bytes(parse_strict(raw))
