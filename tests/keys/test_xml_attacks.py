"""Attacks on what is signed, and how: each signature is right over what it says."""

import hashlib
import hmac

import pytest

from keys.errors import (
    SignatureInvalidError,
    XmlFault,
)
from tests.keys.xml_forger import (
    DS,
    ECDSA_SHA256,
    ENVELOPED,
    EXCLUSIVE,
    base64_of,
    digest_of,
    forge,
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
    EVIL,
    SIGNED,
    check,
    reason_of,
    with_info,
    with_reference,
)

BLOCK = SIGNED[SIGNED.index(b"<ds:Signature") : SIGNED.rindex(b"</o:order>")]


WRAPPED = {
    "the signed document inside an evil one": (
        EVIL.replace(b"</o:order>", SIGNED + b"</o:order>"),
        XmlFault.SIGNATURE_MISSING,
    ),
    "its signature moved up, the signed content kept inside": (
        EVIL.replace(b"</o:order>", CONTENT + BLOCK + b"</o:order>"),
        SignatureInvalidError.reason,
    ),
    "its signature moved up, the signed content in a wrapper": (
        EVIL.replace(b"</o:order>", b"<wrap>" + CONTENT + b"</wrap>" + BLOCK + b"</o:order>"),
        SignatureInvalidError.reason,
    ),
    "the signed content in an Object of the signature": (
        put(
            EVIL, BLOCK.decode().replace("</ds:Signature>", f"<ds:Object>{CONTENT.decode()}")
        ).replace(b"</o:order></o:order>", b"</o:order></ds:Object></ds:Signature></o:order>"),
        XmlFault.SIGNATURE_FORM,
    ),
    "the signed document in an Object of the signature": (
        put(
            EVIL,
            f'<ds:Signature xmlns:ds="{DS}"><ds:Object>{SIGNED.decode()}</ds:Object>'
            "</ds:Signature>",
        ),
        XmlFault.SIGNATURE_FORM,
    ),
    "the signature in a wrapper": (
        put(EVIL, f"<wrap>{BLOCK.decode()}</wrap>"),
        XmlFault.SIGNATURE_MISSING,
    ),
    "the signature before the content": (
        CONTENT.replace(b"<o:tonnes>", BLOCK + b"<o:tonnes>"),
        XmlFault.SIGNATURE_MISSING,
    ),
    "the signature put behind other content": (
        SIGNED.replace(CONTENT[:-10][-35:], CONTENT[:-10][-35:] + b"<o:tonnes>9999</o:tonnes>", 1),
        SignatureInvalidError.reason,
    ),
    "content behind the signature": (
        SIGNED.replace(b"</o:order>", b"<o:tonnes>9999</o:tonnes></o:order>"),
        XmlFault.SIGNATURE_MISSING,
    ),
    "text behind the signature": (
        SIGNED.replace(b"</o:order>", b"9999</o:order>"),
        SignatureInvalidError.reason,
    ),
    "an evil document with the signature alone": (
        put(EVIL, BLOCK.decode()),
        SignatureInvalidError.reason,
    ),
    "the signature as the root": (BLOCK, XmlFault.ROOT_UNEXPECTED),
    "no signature": (CONTENT, XmlFault.SIGNATURE_MISSING),
    "an empty root": (b'<o:order xmlns:o="urn:test"/>', XmlFault.SIGNATURE_MISSING),
    "the same signature twice": (put(SIGNED, BLOCK.decode()), XmlFault.SIGNATURE_COUNT),
    "a second signature by somebody else": (forge(SIGNED, EVE), XmlFault.SIGNATURE_COUNT),
    "a part of a signature elsewhere": (
        forge(CONTENT.replace(b"</o:order>", f'<KeyName xmlns="{DS}"/></o:order>'.encode()), ES),
        XmlFault.SIGNATURE_COUNT,
    ),
}


@pytest.mark.parametrize(("raw", "reason"), WRAPPED.values(), ids=WRAPPED.keys())
def test_a_moved_wrapped_or_doubled_signature_is_refused(raw: bytes, reason: str) -> None:
    """Signature wrapping: whoever moves the signed content or its signature has nothing."""
    assert reason_of(raw) == reason


@pytest.mark.parametrize(
    "raw",
    [
        b'<o:order xmlns:o="urn:test"><o:tonnes Id="x">9999</o:tonnes><o:tonnes Id="x">1000'
        b"</o:tonnes></o:order>",
        b'<o:order xmlns:o="urn:test" Id="x"><o:tonnes xml:id="x">9999</o:tonnes></o:order>',
        b'<o:order xmlns:o="urn:test" xml:id="x"><o:tonnes xml:id="x">9999</o:tonnes></o:order>',
    ],
)
def test_an_identifier_points_at_nothing(raw: bytes) -> None:
    """References by id are refused; what bears the ids is signed with all the rest."""
    by_id = signed_info(reference(digest_of(raw), attributes='URI="#x"'))
    assert reason_of(put(raw, signature_block(by_id, ES))) == XmlFault.REFERENCE_NOT_WHOLE
    whole = forge(raw, ES)
    assert check(whole).referenced == whole[: whole.index(b"<Signature")] + b"</o:order>"
    assert reason_of(whole.replace(b"9999", b"1000")) == SignatureInvalidError.reason


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [
        ('URI="#x"', XmlFault.REFERENCE_NOT_WHOLE),
        ('URI="#xpointer(/)"', XmlFault.REFERENCE_NOT_WHOLE),
        ("URI=\"#xpointer(id('x'))\"", XmlFault.REFERENCE_NOT_WHOLE),
        ('URI="other.xml"', XmlFault.REFERENCE_NOT_WHOLE),
        ('URI="http://127.0.0.1:9/other.xml"', XmlFault.REFERENCE_NOT_WHOLE),
        ('URI="file:///etc/hostname"', XmlFault.REFERENCE_NOT_WHOLE),
        ('URI=" "', XmlFault.REFERENCE_NOT_WHOLE),
        ("", XmlFault.SIGNATURE_FORM),
        ('URI="" Id="r"', XmlFault.SIGNATURE_FORM),
        (f'URI="" Type="{DS}Manifest"', XmlFault.SIGNATURE_FORM),
        (f'URI="" xmlns:n="{DS}" n:URI=""', XmlFault.SIGNATURE_FORM),
    ],
)
def test_only_the_whole_document_is_referenced(attributes: str, fault: XmlFault) -> None:
    """No part, no other document, none that the application must know by itself, no Manifest."""
    assert reason_of(with_reference(attributes=attributes)) == fault


def test_there_is_exactly_one_reference() -> None:
    """None signs nothing; two let a reader look at the wrong one."""
    one = reference(DIGEST)
    other = reference(hashlib.sha256(b"").digest(), attributes='URI="#x"')
    for references in ("", one + one, one + other, other + one):
        assert reason_of(with_info(signed_info(references))) == XmlFault.SIGNATURE_FORM


INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
PREFIXES = f'<InclusiveNamespaces xmlns="{EXCLUSIVE}" PrefixList="o #default"/>'
XPATH = (
    '<Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116">'
    "<XPath>not(ancestor-or-self::tonnes)</XPath></Transform>"
)
XSLT = (
    '<Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116">'
    '<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0"/></Transform>'
)


@pytest.mark.parametrize(
    ("chain", "fault"),
    [
        ((), XmlFault.SIGNATURE_FORM),
        ((ENVELOPED,), XmlFault.SIGNATURE_FORM),
        ((EXCLUSIVE,), XmlFault.SIGNATURE_FORM),
        ((EXCLUSIVE, ENVELOPED), XmlFault.ALGORITHM_NOT_ALLOWED),
        ((ENVELOPED, EXCLUSIVE, EXCLUSIVE), XmlFault.SIGNATURE_FORM),
        ((ENVELOPED, XPATH, EXCLUSIVE), XmlFault.SIGNATURE_FORM),
        ((XPATH, EXCLUSIVE), XmlFault.SIGNATURE_FORM),
        ((ENVELOPED, XSLT), XmlFault.SIGNATURE_FORM),
        (
            (ENVELOPED, "http://www.w3.org/TR/1999/REC-xslt-19991116"),
            XmlFault.ALGORITHM_NOT_ALLOWED,
        ),
        ((ENVELOPED, "http://www.w3.org/2002/06/xmldsig-filter2"), XmlFault.ALGORITHM_NOT_ALLOWED),
        ((ENVELOPED, f"{DS}base64"), XmlFault.ALGORITHM_NOT_ALLOWED),
        ((ENVELOPED, INCLUSIVE), XmlFault.ALGORITHM_NOT_ALLOWED),
        ((ENVELOPED, "http://www.w3.org/2006/12/xml-c14n11"), XmlFault.ALGORITHM_NOT_ALLOWED),
        ((ENVELOPED, f"{EXCLUSIVE}WithComments"), XmlFault.ALGORITHM_NOT_ALLOWED),
        (
            (ENVELOPED, f'<Transform Algorithm="{EXCLUSIVE}">{PREFIXES}</Transform>'),
            XmlFault.SIGNATURE_FORM,
        ),
        ((ENVELOPED, f'<Transform Algorithm="{EXCLUSIVE}">x</Transform>'), XmlFault.SIGNATURE_FORM),
        ((ENVELOPED, f'<Transform Algorithm="{EXCLUSIVE} "/>'), XmlFault.ALGORITHM_NOT_ALLOWED),
        ((ENVELOPED, "<Transform/>"), XmlFault.SIGNATURE_FORM),
    ],
)
def test_the_transforms_are_the_two_and_no_other(chain: tuple[str, ...], fault: XmlFault) -> None:
    """A transform is a program of the sender's that decides what was signed: none but ours."""
    assert reason_of(with_reference(chain=chain)) == fault


@pytest.mark.parametrize(
    ("method", "fault"),
    [
        (INCLUSIVE, XmlFault.ALGORITHM_NOT_ALLOWED),
        (f"{EXCLUSIVE}WithComments", XmlFault.ALGORITHM_NOT_ALLOWED),
        (EXCLUSIVE.rstrip("#"), XmlFault.ALGORITHM_NOT_ALLOWED),
        ("", XmlFault.ALGORITHM_NOT_ALLOWED),
        (None, XmlFault.SIGNATURE_FORM),
    ],
)
def test_signed_info_is_canonicalised_in_one_way(method: str | None, fault: XmlFault) -> None:
    """Another algorithm would let two readers check two texts; prefix lists likewise."""
    element = f'<CanonicalizationMethod Algorithm="{method}"/>'
    if method is None:
        element = (
            f'<CanonicalizationMethod Algorithm="{EXCLUSIVE}">{PREFIXES}</CanonicalizationMethod>'
        )
    assert reason_of(with_info(signed_info(reference(DIGEST), canonicalization=element))) == fault


@pytest.mark.parametrize(
    "name",
    [
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha224",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
        f"{DS}hmac-sha1",
        f"{DS}rsa-sha1",
        f"{DS}dsa-sha1",
        "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519",
        "urn:example:none",
        ECDSA_SHA256.upper(),
        "",
    ],
)
def test_no_other_signature_algorithm_is_known(name: str) -> None:
    """Refused by name, before any key is looked at."""
    info = signed_info(reference(DIGEST), method=f'<SignatureMethod Algorithm="{name}"/>')
    assert reason_of(with_info(info)) == XmlFault.ALGORITHM_NOT_ALLOWED


def test_a_public_key_is_no_secret_of_a_keyed_hash() -> None:
    """HMAC confusion: the public key, which all have, as the secret; and the length to compare."""
    hash_method = (
        '<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"/>'
    )
    length = (
        f'<SignatureMethod Algorithm="{ECDSA_SHA256}">'
        "<HMACOutputLength>8</HMACOutputLength></SignatureMethod>"
    )
    for method in (hash_method, length):
        info = signed_info(reference(DIGEST), method=method)
        keyed = hmac.new(ES.public_key_der, info.encode(), hashlib.sha256).digest()
        for value in (keyed, keyed * 2, keyed[:1]):
            right = base64_of(sign_info(info, ES)).encode()
            raw = with_info(info).replace(right, base64_of(value).encode())
            assert reason_of(raw) in {XmlFault.ALGORITHM_NOT_ALLOWED, XmlFault.SIGNATURE_FORM}


@pytest.mark.parametrize(
    ("method", "digest"),
    [
        (f"{DS}sha1", hashlib.sha1(CONTENT).digest()),
        ("http://www.w3.org/2001/04/xmldsig-more#md5", hashlib.md5(CONTENT).digest()),
        ("http://www.w3.org/2001/04/xmlenc#sha512", hashlib.sha512(CONTENT).digest()),
        ("urn:example:none", b""),
    ],
)
def test_no_other_digest_is_known(method: str, digest: bytes) -> None:
    """SHA-1, MD5, and also stronger ones: there is one digest."""
    raw = with_reference(digest=digest, digest_method=f'<DigestMethod Algorithm="{method}"/>')
    assert reason_of(raw) == XmlFault.ALGORITHM_NOT_ALLOWED


@pytest.mark.parametrize("digest", [b"", DIGEST[:1], DIGEST[:20], DIGEST[:31], DIGEST + b"\0"])
def test_a_digest_is_whole(digest: bytes) -> None:
    """A shorter digest that fits as far as it goes is none."""
    assert reason_of(with_reference(digest=digest)) == XmlFault.NOT_BASE64


@pytest.mark.parametrize("value", [hashlib.sha256(CONTENT + b" ").digest(), bytes(32)])
def test_a_wrong_digest_under_a_right_signature_is_refused(value: bytes) -> None:
    """The signature is over SignedInfo alone: who forgets the digest believes any document."""
    assert reason_of(with_reference(digest=value)) == SignatureInvalidError.reason
