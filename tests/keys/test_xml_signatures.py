"""Signed XML: what is signed verifies, by the right key at the right time, and only as it was."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from keys.algorithms import Algorithm
from keys.errors import (
    KeyExpiredError,
    KeyNotYetValidError,
    KeyOfAnotherParticipantError,
    KeyRevokedError,
    KeysError,
    KeyUnknownError,
    MalformedXmlError,
    SignatureInvalidError,
    SignerError,
    SuiteNotAcceptedError,
    XmlFault,
)
from keys.local_signer import LocalSigner
from keys.trust import TrustStore
from keys.xml_reading import XmlLimits
from keys.xml_signatures import VerifiedXml, open_signed_xml, sign_xml, verify_xml
from tests.keys import xml_forger as forger
from tests.keys.support import END, NOW, START, record, seeded_signer, trusting

ES = seeded_signer(Algorithm.ES256)
ED = seeded_signer(Algorithm.ED25519)
PQ = seeded_signer(Algorithm.ML_DSA_65)
STRANGER = seeded_signer(Algorithm.ES256, "CHE01")
TRUST = trusting(ES, ED, PQ, STRANGER)
ROOT = "{urn:test}order"
CONTENT = b'<o:order xmlns:o="urn:test"><o:tonnes unit="t">1000</o:tonnes>\n</o:order>'
SIGNED = sign_xml(CONTENT, ES)

NAMES = st.sampled_from(["a", "b", "{urn:test}c", "{urn:other}d"])
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Cn"]), max_size=8)


@st.composite
def trees(draw: st.DrawFn, levels: int = 3) -> etree._Element:
    """Return an element with texts, attributes and children."""
    attributes = draw(st.dictionaries(NAMES, TEXTS, max_size=2))
    # Without fixed prefixes lxml makes up its own, and may give one to two namespaces.
    prefixes = {"t": "urn:test", "o": "urn:other"}
    element = etree.Element(draw(NAMES), attributes, prefixes)
    element.text = draw(TEXTS)
    for child in draw(st.lists(trees(levels - 1), max_size=2)) if levels > 1 else []:
        child.tail = draw(TEXTS)
        element.append(child)
    return element


def same(one: etree._Element, other: etree._Element) -> bool:
    """Compare two trees by names, attributes and texts, prefixes aside."""
    return (
        one.tag == other.tag
        and dict(one.attrib) == dict(other.attrib)
        and (one.text or "") == (other.text or "")
        and (one.tail or "") == (other.tail or "")
        and len(one) == len(other)
        and all(same(a, b) for a, b in zip(one, other, strict=True))
    )


def check(raw: bytes, trust: TrustStore = TRUST, root: str = ROOT) -> VerifiedXml:
    """Open and verify as a door would for THA01 at NOW."""
    return verify_xml(open_signed_xml(raw, root), trust, "THA01", NOW)


def test_what_is_signed_verifies() -> None:
    """There and back: the element, its bytes, the key and the suite."""
    verified = check(SIGNED)
    assert verified.referenced == CONTENT
    assert same(verified.element, etree.fromstring(CONTENT))
    assert (verified.key_id, verified.suite) == (ES.key_id, "ES256")


def test_what_other_hands_sign_verifies() -> None:
    """The forger of these tests makes right signatures: so its wrong ones are wrong on purpose."""
    assert check(forger.forge(CONTENT, ES)).referenced == CONTENT


@given(tree=trees())
def test_any_tree_survives_signing(tree: etree._Element) -> None:
    """Names, attributes, texts and their order are what was signed."""
    raw = sign_xml(tree, ES)
    assert same(check(raw, root=str(tree.tag)).element, tree)


def test_bytes_and_element_are_signed_alike() -> None:
    """Of an element within a larger document, just that element."""
    outer = etree.fromstring(b"<x>" + CONTENT + b"tail</x>")
    for content in (CONTENT, etree.fromstring(CONTENT), outer[0]):
        assert check(sign_xml(content, ES)).referenced == CONTENT
    assert etree.tostring(outer) == b"<x>" + CONTENT + b"tail</x>"


def test_the_layout_of_the_original_is_not_signed_but_its_white_space_is() -> None:
    """Quotes, order of attributes and a declaration go; line feeds between elements stay."""
    raw = b"<?xml version='1.0'?>\n<order xmlns='urn:test' b='2' a='1' >\n <x/>\n</order>\n"
    referenced = check(sign_xml(raw, ES)).referenced
    assert referenced == b'<order xmlns="urn:test" a="1" b="2">\n <x></x>\n</order>'


def test_the_original_bytes_are_kept() -> None:
    """The evidence is what arrived, also where canonical form differs."""
    raw = b"<?xml version='1.0'?>\n" + SIGNED.replace(b' unit="t"', b"  unit='t'") + b"\n"
    opened = open_signed_xml(raw, ROOT)
    assert opened.raw == raw
    assert verify_xml(opened, TRUST, "THA01", NOW).referenced == CONTENT


def test_white_space_around_the_signature_stays_in_the_element() -> None:
    """The signature is taken out and nothing else, as the transform demands."""
    content = b'<o:order xmlns:o="urn:test">\n  <o:a></o:a>\n  \n</o:order>'
    block = forger.signature_block(
        forger.signed_info(forger.reference(forger.digest_of(content))), ES
    )
    raw = content.replace(b"\n  \n</", b"\n  " + block.encode() + b"\n</")
    assert check(raw).referenced == content


def test_a_document_may_hold_nothing_but_text() -> None:
    """Then the signature is the only child."""
    assert check(sign_xml(b"<a>text</a>", ES), root="a").element.text == "text"


def test_text_behind_the_signature_is_text_of_the_element() -> None:
    """Also when the signature is the only child: nothing is lost with it."""
    info = forger.signed_info(forger.reference(forger.digest_of(b"<a>front back</a>")))
    block = forger.signature_block(info, ES).encode()
    assert check(b"<a>front " + block + b"back</a>", root="a").element.text == "front back"
    with pytest.raises(SignatureInvalidError):
        check(b"<a>front " + block + b"back and more</a>", root="a")


def test_the_root_is_the_type_of_the_document() -> None:
    """A document of one kind cannot be handed in as another, by name or by namespace."""
    for root in ("{urn:test}receipt", "order", "{urn:other}order"):
        with pytest.raises(MalformedXmlError) as caught:
            open_signed_xml(SIGNED, root)
        assert caught.value.reason == XmlFault.ROOT_UNEXPECTED


def test_the_limits_of_the_door_hold() -> None:
    """A door sets its own, and the signature counts."""
    exact = open_signed_xml(SIGNED, ROOT, XmlLimits(document_bytes_max=len(SIGNED)))
    assert exact.raw == SIGNED
    with pytest.raises(MalformedXmlError) as caught:
        open_signed_xml(SIGNED, ROOT, XmlLimits(document_bytes_max=len(SIGNED) - 1))
    assert caught.value.reason == XmlFault.TOO_LARGE


def test_the_key_must_be_registered() -> None:
    """Nothing in the document makes an unknown key known."""
    with pytest.raises(KeyUnknownError):
        check(SIGNED, trusting(ED))


def test_the_key_must_speak_for_the_sender() -> None:
    """A right signature of CHE01 is none of THA01."""
    with pytest.raises(KeyOfAnotherParticipantError):
        check(sign_xml(CONTENT, STRANGER))


def test_the_key_must_be_valid_at_the_time() -> None:
    """Before its window, after it, and from the moment of its revocation on."""
    opened = open_signed_xml(SIGNED, ROOT)
    with pytest.raises(KeyNotYetValidError):
        verify_xml(opened, TRUST, "THA01", START - timedelta(milliseconds=1))
    with pytest.raises(KeyExpiredError):
        verify_xml(opened, TRUST, "THA01", END)
    revoked = TrustStore([record(ES, revoked_at=NOW)])
    with pytest.raises(KeyRevokedError):
        verify_xml(opened, revoked, "THA01", NOW)
    before = NOW - timedelta(milliseconds=1)
    assert verify_xml(opened, revoked, "THA01", before).referenced == CONTENT


@pytest.mark.parametrize("suite", ["Ed25519", "ES256+ML-DSA-65"])
def test_the_policy_must_accept_es256_alone(suite: str) -> None:
    """Who must sign with something else, or hybrid, cannot get round it in XML."""
    trust = trusting(ES, policies={"THA01": frozenset({suite})})
    with pytest.raises(SuiteNotAcceptedError):
        check(SIGNED, trust)


@pytest.mark.parametrize("other", [ED, PQ])
def test_a_key_of_another_algorithm_signs_no_xml(other: LocalSigner) -> None:
    """Neither does it sign, nor is its id believed beside a signature of ES256."""
    with pytest.raises(ValueError, match="XML is signed with ES256"):
        sign_xml(CONTENT, other)
    with pytest.raises(SignatureInvalidError, match="not with ES256"):
        check(SIGNED.replace(ES.key_id.encode(), other.key_id.encode()))


def test_an_element_whose_prefixes_collide_is_refused_and_not_signed_as_another() -> None:
    """For lxml may put a part under a prefix that means something else there."""
    outer = etree.Element("{urn:other}d")
    outer.append(etree.Element("a", {"{urn:test}c": "", "{urn:other}d": ""}))
    try:
        raw = sign_xml(outer, ES)
    except MalformedXmlError as error:
        assert "redefined" in error.detail  # noqa: PT017  another version of lxml may sign it
    else:
        assert same(check(raw, root="{urn:other}d").element, outer)


def test_a_signed_document_is_not_signed_again() -> None:
    """One signature is the rule; a second would leave nobody sure what it covers."""
    with pytest.raises(MalformedXmlError) as caught:
        sign_xml(SIGNED, ES)
    assert caught.value.reason == XmlFault.SIGNATURE_COUNT


class BrokenToken:
    """A signer whose token answers with something that is no signature."""

    key_id = ES.key_id
    algorithm = ES.algorithm
    public_key_der = ES.public_key_der

    def sign(self, data: bytes) -> bytes:
        """Return the wrong number of bytes."""
        return b"short"


def test_a_signer_that_answers_wrongly_is_found_at_once() -> None:
    """Not by the partner, days later."""
    with pytest.raises(SignerError, match="5 bytes"):
        sign_xml(CONTENT, BrokenToken())


def test_every_flipped_bit_is_refused_or_changes_nothing() -> None:
    """All bits of a signed document, one after the other: no other meaning ever verifies."""
    unchanged = 0
    for position in range(len(SIGNED)):
        for bit in range(8):
            raw = bytearray(SIGNED)
            raw[position] ^= 1 << bit
            try:
                verified = check(bytes(raw))
            except KeysError:
                continue
            assert verified.referenced == CONTENT
            unchanged += 1
    # Only such as a space that becomes a tab between attributes, or a line feed in the base64.
    assert unchanged < len(SIGNED) // 10


@given(data=st.data())
def test_any_piece_taken_out_or_put_in_is_refused_or_changes_nothing(data: st.DataObject) -> None:
    """Pieces of the document itself are the best material to confuse a reader with."""
    positions = st.integers(0, len(SIGNED))
    start, end = sorted((data.draw(positions), data.draw(positions)))
    first, last = sorted((data.draw(positions), data.draw(positions)))
    piece = data.draw(st.sampled_from([b"", SIGNED[first:last], b" ", b"<o:x/>", b"\n", b"&amp;"]))
    try:
        verified = check(SIGNED[:start] + piece + SIGNED[end:])
    except KeysError:
        return
    assert verified.referenced == CONTENT
