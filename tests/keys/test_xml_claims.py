"""A signature that is looked at alone says what it says in its document, whatever its writing."""

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.errors import KeyExpiredError, KeysError, MalformedXmlError, SignatureInvalidError
from keys.xml_claims import read_claim
from keys.xml_signatures import DSIG_NAMESPACE, open_signed_xml
from tests.keys.support import NOW
from tests.keys.xml_victim import EVE, ROOT, SIGNED, TRUST, reason_of

DECLARED = f'xmlns:ds="{DSIG_NAMESPACE}"'
PIECES = st.sampled_from(
    ["", " ", "\n", "&#32;", "&#13;", "x", "<b/>", "</", "ds:", "Signature", "'", "<ds:Signature>"]
)
WRITINGS = {
    "as we write it": lambda text: text,
    "another prefix": lambda text: text.replace("ds:", "Signature:").replace(":ds=", ":Signature="),
    "no prefix": lambda text: text.replace("ds:", "").replace("xmlns:ds", "xmlns"),
    "declared at the root": lambda text: text.replace(f" {DECLARED}", "", 1).replace(
        "<o:order ", f"<o:order {DECLARED} ", 1
    ),
    "white space": lambda text: text.replace("><ds:", ">\n  <ds:").replace("></ds:", ">\r\n</ds:"),
    "white space in tags": lambda text: text.replace('">', '"\n>').replace(
        "Signature>", "Signature\t>"
    ),
    "white space behind": lambda text: text.replace("</ds:Signature>", "</ds:Signature>\n&#32; "),
    "empty tags": lambda text: text.replace("></ds:Transform>", "/>"),
}


def same(raw: bytes) -> bool:
    """Tell whether a document can be opened; what is read of its end alone must be the same."""
    try:
        opened = open_signed_xml(raw, ROOT)
    except MalformedXmlError:
        return False
    claim = read_claim(raw)
    assert claim.key_id == opened.key_id
    assert claim.digest == opened.digest
    assert claim.signed_info == opened.signed_info
    assert claim.signature == opened.signature
    return True


@pytest.mark.parametrize("writing", WRITINGS)
def test_every_writing_of_a_signature_is_read_the_same_alone(writing: str) -> None:
    """Whatever the whole document lets pass passes here: nobody is refused for the shape of it."""
    written = WRITINGS[writing](SIGNED.decode())
    assert same(written.encode())


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_whatever_can_be_opened_has_the_same_claim(data: st.DataObject) -> None:
    """Pieces put in anywhere, above all into the signature; nothing but our error comes out."""
    text = WRITINGS[data.draw(st.sampled_from(sorted(WRITINGS)))](SIGNED.decode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text)))
        text = text[:place] + data.draw(PIECES) + text[place + data.draw(st.integers(0, 2)) :]
    if not same(text.encode()):
        with suppress(MalformedXmlError):
            read_claim(text.encode())


@given(raw=st.binary(max_size=100) | st.text("<>/:=' dsSignature", max_size=80).map(str.encode))
def test_noise_claims_nothing(raw: bytes) -> None:
    """Whatever the bytes are."""
    with pytest.raises(MalformedXmlError):
        read_claim(raw)


def test_a_claim_holds_for_the_signers_key_in_its_time_alone() -> None:
    """As the whole document would: but it says nothing of what is in it."""
    claim = read_claim(SIGNED)
    claim.verify(TRUST, "THA01", NOW)
    with pytest.raises(KeyExpiredError):
        claim.verify(TRUST, "THA01", NOW + timedelta(days=365))
    changed = SIGNED.replace(claim.key_id.encode(), EVE.key_id.encode())
    with pytest.raises(KeysError):
        read_claim(changed).verify(TRUST, "THA01", NOW)
    start = SIGNED.index(b"<ds:DigestValue>") + len(b"<ds:DigestValue>")
    digest = b"B" if SIGNED[start : start + 1] == b"A" else b"A"
    with pytest.raises(SignatureInvalidError):
        read_claim(SIGNED[:start] + digest + SIGNED[start + 1 :]).verify(TRUST, "THA01", NOW)


def test_a_claim_says_nothing_of_the_document() -> None:
    """Whoever passes here is read and verified as everybody else."""
    changed = SIGNED.replace(b">1000<", b">9999<")
    read_claim(changed).verify(TRUST, "THA01", NOW)
    assert reason_of(changed) == "signature-invalid"


def test_a_signature_that_declares_much_is_refused_unread() -> None:
    """Else a megabyte of declarations would take seconds to write canonically."""
    many = b" ".join(b'xmlns:a%d="u:%d"' % (number, number) for number in range(65))
    with pytest.raises(MalformedXmlError) as refused:
        read_claim(SIGNED.replace(b"<ds:Signature ", b"<ds:Signature " + many + b" "))
    assert refused.value.reason == "xml-namespace-count"
