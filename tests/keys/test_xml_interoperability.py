"""xmlsec1, the XML Security Library's own program, reads what we sign, and we read what it signs.

Skipped, with the reason in the summary, where the program is not installed (Debian: `xmlsec1`).
"""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from keys.algorithms import Algorithm, load_public_key
from keys.errors import MalformedXmlError, SignatureInvalidError
from keys.xml_signatures import VerifiedXml, open_signed_xml, sign_xml, verify_xml
from tests.keys.second_reader import second_opinion
from tests.keys.support import NOW, seeded_key, seeded_signer, trusting
from tests.keys.xml_forger import DS, ECDSA_SHA256, ENVELOPED, EXCLUSIVE, SHA256, forge
from tests.tools import needs_xmlsec1

pytestmark = needs_xmlsec1

ES = seeded_signer(Algorithm.ES256)
TRUST = trusting(ES)
ROOT = "{urn:test}order"
CONTENTS = {
    "small": b'<order xmlns="urn:test"/>',
    "prefixed": b'<o:order xmlns:o="urn:test" b="2" a="1"><o:x o:y="z">1000</o:x></o:order>',
    "laid out": b'<?xml version="1.0"?>\n<order xmlns="urn:test"\n >\n  <x/>\n\n</order>\n',
    "letters": "<order xmlns='urn:test' a='&#9;&#10;\"'>é 木 &#13; &gt;&amp;</order>".encode(),
    "unused namespace": b'<order xmlns="urn:test" xmlns:u="urn:unused"><x kind="u:v"/></order>',
    "nested namespaces": b'<o:order xmlns:o="urn:test"><x xmlns="urn:x"><o:y xmlns:o="urn:o"/>'
    b"<z/></x><o:y/></o:order>",
    "long": b'<order xmlns="urn:test">' + b"<x>text</x>\n" * 2000 + b"</order>",
}
# With a prefix and without, in one line and laid out: as other tools write it.
TEMPLATE = f"""<{{p}}Signature xmlns{{colon}}="{DS}">{{nl}}<{{p}}SignedInfo>{{nl}}
<{{p}}CanonicalizationMethod Algorithm="{EXCLUSIVE}"/>{{nl}}
<{{p}}SignatureMethod Algorithm="{ECDSA_SHA256}"/>{{nl}}
<{{p}}Reference URI=""><{{p}}Transforms>{{nl}}<{{p}}Transform Algorithm="{ENVELOPED}"/>
<{{p}}Transform Algorithm="{EXCLUSIVE}"/></{{p}}Transforms>
<{{p}}DigestMethod Algorithm="{SHA256}"/><{{p}}DigestValue/></{{p}}Reference></{{p}}SignedInfo>
<{{p}}SignatureValue/><{{p}}KeyInfo><{{p}}KeyName/></{{p}}KeyInfo>{{nl}}</{{p}}Signature>{{nl}}"""
LAYOUTS = {
    "as it comes": {"p": "", "colon": "", "nl": ""},
    "prefixed": {"p": "ds:", "colon": ":ds", "nl": ""},
    "indented": {"p": "dsig:", "colon": ":dsig", "nl": "\n    "},
}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run xmlsec1 and wait for it."""
    return subprocess.run(
        ["xmlsec1", *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def xmlsec1_verifies(raw: bytes, folder: Path) -> bool:
    """Tell whether xmlsec1 finds the signature right with the public key of ES."""
    _, key = load_public_key(ES.public_key_der)
    pem = folder / "public.pem"
    pem.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    document = folder / "signed.xml"
    document.write_bytes(raw)
    result = run("--verify", f"--pubkey-pem:{ES.key_id}", str(pem), str(document))
    assert "1/1" in result.stderr or result.returncode != 0, result.stderr
    return result.returncode == 0


def xmlsec1_signs(content: bytes, layout: dict[str, str], folder: Path) -> bytes:
    """Return the content signed by xmlsec1 with the private key of ES."""
    key = seeded_key(Algorithm.ES256, "one")
    pem = folder / "signing.pem"
    pem.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    document = folder / "template.xml"
    block = TEMPLATE.format(**layout).encode()
    whole = content.replace(b"/>", b"></order>") if content.endswith(b"/>") else content
    end = whole.rindex(b"</")
    document.write_bytes(whole[:end] + block + whole[end:])
    signed = folder / "signed.xml"
    named = f"--privkey-pem:{ES.key_id}"
    result = run("--sign", named, str(pem), "--output", str(signed), str(document))
    assert result.returncode == 0, result.stderr
    return signed.read_bytes()


def check(raw: bytes) -> VerifiedXml:
    """Open and verify as a door would for THA01 at NOW; the verifier of evidence must agree."""
    believed = second_opinion(raw, ROOT, ES)
    try:
        verified = verify_xml(open_signed_xml(raw, ROOT), TRUST, "THA01", NOW)
    except (SignatureInvalidError, MalformedXmlError):
        assert believed is None
        raise
    assert believed == verified.referenced
    return verified


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS.keys())
def test_xmlsec1_reads_what_we_sign(content: bytes, tmp_path: Path) -> None:
    """And what the tests' own signer signs; with another content it refuses."""
    for raw in (sign_xml(content, ES), forge(check(sign_xml(content, ES)).referenced, ES)):
        assert xmlsec1_verifies(raw, tmp_path)
        assert not xmlsec1_verifies(raw.replace(b"order", b"ordre"), tmp_path)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS.keys())
def test_we_read_what_xmlsec1_signs(content: bytes, layout: dict[str, str], tmp_path: Path) -> None:
    """Whatever prefix and layout; with one digit changed we refuse, as it does."""
    raw = xmlsec1_signs(content, layout, tmp_path)
    verified = check(raw)
    assert verified.element.tag == ROOT
    assert b"Signature" not in verified.referenced
    changed = raw.replace(b"</", b"x</", 1)
    with pytest.raises((SignatureInvalidError, MalformedXmlError)):
        check(changed)
    assert not xmlsec1_verifies(changed, tmp_path)


@pytest.mark.parametrize("half", [slice(0, 1), slice(32, 33)], ids=["r", "s"])
def test_xmlsec1_reads_numbers_with_leading_zeros(half: slice, tmp_path: Path) -> None:
    """An r or an s that needs less than 32 bytes still takes 32."""
    content = CONTENTS["small"]
    made = (sign_xml(content, ES) for _ in range(10_000))
    raw = next(item for item in made if open_signed_xml(item, ROOT).signature[half] == b"\0")
    assert xmlsec1_verifies(raw, tmp_path)


def test_we_read_one_signature_of_xmlsec1_after_the_other(tmp_path: Path) -> None:
    """Each has other numbers; one in 64 has one with a leading zero."""
    for number in range(40):
        raw = xmlsec1_signs(
            b'<order xmlns="urn:test">%d</order>' % number, LAYOUTS["as it comes"], tmp_path
        )
        assert check(raw).element.text == str(number)
