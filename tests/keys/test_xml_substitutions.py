"""Attacks that put something else in the place of a key, a number, a text or a name."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from keys.errors import (
    KeyOfAnotherParticipantError,
    MalformedXmlError,
    SignatureInvalidError,
    XmlFault,
)
from keys.xml_signatures import open_signed_xml, sign_xml, verify_xml
from tests.keys.support import NOW
from tests.keys.xml_forger import (
    DS,
    SHA256,
    base64_of,
    put,
    reference,
    sign_info,
    signature_block,
    signed_info,
)
from tests.keys.xml_victim import (
    CONTENT,
    DIGEST,
    ES,
    EVE,
    ROOT,
    SIGNED,
    TRUST,
    check,
    reason_of,
)

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def key_info(inner: str) -> str:
    """Return KeyInfo with that content."""
    return f"<KeyInfo>{inner}</KeyInfo>"


NAMED = f"<KeyName>{ES.key_id}</KeyName>"
POINT = base64_of(EVE.public_key_der[-65:])
KEY_VALUE = (
    '<KeyValue><ECKeyValue xmlns="http://www.w3.org/2009/xmldsig11#">'
    f'<NamedCurve URI="urn:oid:1.2.840.10045.3.1.7"/><PublicKey>{POINT}</PublicKey>'
    "</ECKeyValue></KeyValue>"
)
X509 = f"<X509Data><X509Certificate>{POINT}</X509Certificate></X509Data>"


@pytest.mark.parametrize(
    "inner",
    [
        KEY_VALUE,
        X509,
        NAMED + KEY_VALUE,
        NAMED + X509,
        KEY_VALUE + NAMED,
        NAMED + NAMED,
        NAMED + '<RetrievalMethod URI="http://127.0.0.1:9/key"/>',
        NAMED + '<KeyInfoReference xmlns="http://www.w3.org/2009/xmldsig11#" URI="#k"/>',
        "",
        ES.key_id,
        NAMED + "text",
        f'<KeyName Id="k">{ES.key_id}</KeyName>',
        f"<KeyName>{ES.key_id}<b/></KeyName>",
    ],
)
def test_no_key_is_taken_from_the_document(inner: str) -> None:
    """Key substitution: a key in the document, with a signature that fits it, counts nothing."""
    for signer in (ES, EVE):
        block = signature_block(signed_info(reference(DIGEST)), signer, key_info=key_info(inner))
        assert reason_of(put(CONTENT, block)) == XmlFault.SIGNATURE_FORM


def test_key_info_is_there_exactly_once() -> None:
    """Without it the key would be a guess."""
    info = signed_info(reference(DIGEST))
    for whole in ("", key_info(NAMED) * 2):
        assert reason_of(put(CONTENT, signature_block(info, ES, key_info=whole))) == (
            XmlFault.SIGNATURE_FORM
        )


@pytest.mark.parametrize("name", ["", "THA01", ES.key_id.upper(), f" {ES.key_id}", "&#13;" * 9])
def test_a_key_name_is_a_key_id_as_it_is(name: str) -> None:
    """No trimming and no folding: one key, one name."""
    block = signature_block(
        signed_info(reference(DIGEST)), ES, key_info=key_info(f"<KeyName>{name}</KeyName>")
    )
    assert reason_of(put(CONTENT, block)) == XmlFault.KEY_ID_INVALID


def test_the_name_of_another_key_does_not_help() -> None:
    """Eve signs in THA01's name, or puts her name under THA01's signature."""
    info = signed_info(reference(DIGEST))
    forged = put(CONTENT, signature_block(info, EVE, key_info=key_info(NAMED)))
    assert reason_of(forged) == SignatureInvalidError.reason
    renamed = SIGNED.replace(ES.key_id.encode(), EVE.key_id.encode())
    assert reason_of(renamed) == KeyOfAnotherParticipantError.reason
    with pytest.raises(SignatureInvalidError):
        verify_xml(open_signed_xml(renamed, ROOT), TRUST, "CHE01", NOW)


R_AND_S = sign_info(signed_info(reference(DIGEST)), ES)
R, S = int.from_bytes(R_AND_S[:32], "big"), int.from_bytes(R_AND_S[32:], "big")


def with_value(value: bytes) -> bytes:
    """Return the content signed, with these bytes in place of r and s."""
    info = signed_info(reference(DIGEST))
    return put(CONTENT, signature_block(info, ES, value=lambda _: value))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", XmlFault.NOT_BASE64),
        (R_AND_S[:63], XmlFault.NOT_BASE64),
        (R_AND_S + b"\0", XmlFault.NOT_BASE64),
        (b"\0" + R_AND_S[:32] + b"\0" + R_AND_S[32:], XmlFault.NOT_BASE64),
        (encode_dss_signature(R, S), XmlFault.NOT_BASE64),
        (bytes(64), SignatureInvalidError.reason),
        (bytes(32) + R_AND_S[32:], SignatureInvalidError.reason),
        (R_AND_S[:32] + bytes(32), SignatureInvalidError.reason),
        (P256_ORDER.to_bytes(32, "big") * 2, SignatureInvalidError.reason),
        (R_AND_S[:32] + P256_ORDER.to_bytes(32, "big"), SignatureInvalidError.reason),
        (b"\xff" * 64, SignatureInvalidError.reason),
        (R_AND_S[32:] + R_AND_S[:32], SignatureInvalidError.reason),
    ],
    # An ECDSA signature is another one in each process, and names of tests must not be.
    ids=[
        "nothing",
        "a byte less",
        "a byte more",
        "padded",
        "DER",
        "zeros",
        "r is zero",
        "s is zero",
        "both are the order",
        "s is the order",
        "all ones",
        "swapped",
    ],
)
def test_r_and_s_have_one_encoding_and_their_range(value: bytes, reason: str) -> None:
    """64 bytes, never DER; neither zero nor the group's order."""
    assert reason_of(with_value(value)) == reason


def test_the_twin_of_a_signature_verifies_and_means_the_same() -> None:
    """(r, n-s) fits where (r, s) does, in XML as in JWS; the content is what identifies."""
    assert check(with_value(R_AND_S)).referenced == CONTENT
    twin = R.to_bytes(32, "big") + (P256_ORDER - S).to_bytes(32, "big")
    assert check(with_value(twin)).referenced == CONTENT


def test_base64_is_canonical_but_may_be_broken_into_lines() -> None:
    """Other tools break lines; no letter that is not base64, no padding too much, no spare bits."""
    text = base64.b64encode(R_AND_S).decode()
    raw = with_value(R_AND_S)
    last = text[-3]
    spare = chr(ord(last) + 1)
    for spelling in (f"{text[:40]}\n{text[40:]}", f"\n\t {text} &#13;\n"):
        assert check(raw.replace(text.encode(), spelling.encode())).referenced == CONTENT
    for spelling in (
        text.replace("=", ""),
        text + "=",
        text[:8] + "-" + text[8:],
        text[:8] + "\N{NO-BREAK SPACE}" + text[8:],
        text[:-3] + spare + "==",
        text[:20] + "=" + text[20:],
    ):
        assert reason_of(raw.replace(text.encode(), spelling.encode())) == XmlFault.NOT_BASE64


@pytest.mark.parametrize(
    "inner",
    [b"10<!-- -->00", b"1000<!---->", b"<?x?>1000", b"<![CDATA[1000]]>", b"10<![CDATA[00]]>"],
)
def test_text_is_not_cut_by_what_canonical_form_leaves_out(inner: bytes) -> None:
    """A comment does not change the digest; a reader that stops at it reads 10 instead of 1000."""
    raw = SIGNED.replace(b"1000", inner)
    assert reason_of(raw) == XmlFault.MARKUP_NOT_ALLOWED


def test_no_entity_or_default_attribute_changes_what_is_read() -> None:
    """A document type before the signed document is refused, whatever it declares."""
    for subset in (
        b'<!ENTITY x "9999">',
        b'<!ATTLIST tonnes unit CDATA "kt">',
        b'<!ATTLIST o:order xmlns:o CDATA "urn:evil">',
        b'<!ENTITY x SYSTEM "file:///etc/hostname">',
    ):
        raw = b"<!DOCTYPE o:order [" + subset + b"]>" + SIGNED
        assert reason_of(raw) == XmlFault.MARKUP_NOT_ALLOWED


def test_a_namespace_that_no_name_uses_is_not_there_to_be_read() -> None:
    """It is not signed, so it may be added and rebound: but what is read does not hold it."""
    content = CONTENT.replace(b"<o:tonnes>", b'<o:tonnes kind="p:net">')
    signed = sign_xml(content, ES)
    for uri in (b"urn:one", b"urn:two"):
        raw = signed.replace(b' xmlns:o="', b' xmlns:p="' + uri + b'" xmlns:o="', 1)
        verified = check(raw)
        assert verified.referenced == content
        assert "p" not in verified.element[0].nsmap


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'xmlns:o="urn:test"', b'xmlns:o="urn:tEst"'),
        (b"<o:tonnes>", b'<o:tonnes xmlns:o="urn:evil">'),
        (b"<o:tonnes>", b'<o:tonnes xmlns="urn:test">'),
        (b"<o:tonnes>", b"<o:tonnes >"),
        (b"<o:tonnes>", b"<o:tonnes> "),
        (b"<o:tonnes>", b" <o:tonnes>"),
        (b">1000<", b">1000\n<"),
        (b">1000<", b">&#49;000<"),
    ],
)
def test_a_changed_namespace_or_white_space_is_refused_or_means_the_same(
    old: bytes, new: bytes
) -> None:
    """What changes a name or a text breaks the signature; what does not, is gone when read."""
    raw = SIGNED.replace(old, new, 1)
    assert raw != SIGNED
    try:
        verified = check(raw)
    except SignatureInvalidError:
        return
    except MalformedXmlError:
        # The root itself has another name by then.
        if not old.startswith(b"xmlns"):
            raise
        return
    assert verified.referenced == CONTENT


def test_the_same_names_by_another_prefix_are_another_document() -> None:
    """Exclusive C14N keeps prefixes; so a renamed one breaks the signature. It hurts nobody."""
    renamed = SIGNED.replace(b"o:", b"q:").replace(b"xmlns:o=", b"xmlns:q=")
    assert reason_of(renamed) == SignatureInvalidError.reason


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<ds:Signature ", b'<ds:Signature Id="s" '),
        (b"<ds:SignedInfo>", b'<ds:SignedInfo Id="s">'),
        (b"<ds:SignatureValue>", b'<ds:SignatureValue Id="s">'),
        (b"<ds:KeyInfo>", b'<ds:KeyInfo Id="s">'),
        (b"<ds:KeyInfo>", b"<ds:KeyInfo>9999"),
        (b"<ds:KeyInfo>", b"9999<ds:KeyInfo>"),
        (b"<ds:SignedInfo>", b"9999<ds:SignedInfo>"),
        (b"<ds:SignedInfo>", b"<ds:SignedInfo>&#160;"),
        (b"</ds:Signature>", b"9999</ds:Signature>"),
        (b"</ds:Signature>", b"<ds:Object/></ds:Signature>"),
        (b"</ds:Signature>", b'<evil xmlns="urn:evil"/></ds:Signature>'),
        (b"<ds:SignatureValue>", b"<ds:SignatureValue><b/>"),
    ],
)
def test_nothing_rides_along_in_the_signature(old: bytes, new: bytes) -> None:
    """What is in the signature but not in SignedInfo is signed by nobody: there is no room."""
    assert reason_of(SIGNED.replace(old, new, 1)) == XmlFault.SIGNATURE_FORM


def test_the_parts_of_the_signature_have_one_order() -> None:
    """The same parts in another order, or in another depth, are not the form."""
    start, middle = SIGNED.index(b"<ds:KeyInfo>"), SIGNED.index(b"<ds:SignatureValue>")
    end = SIGNED.index(b"</ds:Signature>")
    swapped = SIGNED[:middle] + SIGNED[start:end] + SIGNED[middle:start] + SIGNED[end:]
    assert reason_of(swapped) == XmlFault.SIGNATURE_FORM
    deeper = SIGNED.replace(b"</ds:SignatureValue><ds:KeyInfo>", b"<ds:KeyInfo>").replace(
        b"</ds:KeyInfo>", b"</ds:KeyInfo></ds:SignatureValue>"
    )
    assert reason_of(deeper) == XmlFault.SIGNATURE_FORM


def test_names_like_those_of_a_signature_in_another_namespace_are_none() -> None:
    """The namespace makes the signature, not the word."""
    raw = SIGNED.replace(DS.encode() + b'">', b'urn:not-dsig">', 1)
    assert reason_of(raw) == XmlFault.SIGNATURE_MISSING
    assert SHA256.encode() in raw
