"""The document that the attacks on signed XML are made on, and the door that must refuse them."""

import pytest

from keys.algorithms import Algorithm
from keys.errors import KeysError
from keys.xml_signatures import VerifiedXml, open_signed_xml, sign_xml, verify_xml
from tests.keys.second_reader import second_opinion
from tests.keys.support import NOW, seeded_signer, trusting
from tests.keys.xml_forger import digest_of, put, reference, signature_block, signed_info

ES = seeded_signer(Algorithm.ES256)
EVE = seeded_signer(Algorithm.ES256, "CHE01", "eve")
TRUST = trusting(ES, EVE)
ROOT = "{urn:test}order"
CONTENT = b'<o:order xmlns:o="urn:test"><o:tonnes>1000</o:tonnes></o:order>'
EVIL = CONTENT.replace(b"1000", b"9999")
DIGEST = digest_of(CONTENT)
SIGNED = sign_xml(CONTENT, ES)


def check(raw: bytes) -> VerifiedXml:
    """Open and verify as a door would for THA01 at NOW; the verifier of evidence must agree."""
    believed = second_opinion(raw, ROOT, ES)
    try:
        verified = verify_xml(open_signed_xml(raw, ROOT), TRUST, "THA01", NOW)
    except KeysError:
        assert believed is None
        raise
    assert believed == verified.referenced
    return verified


def reason_of(raw: bytes) -> str:
    """Demand that the document is refused, and return the reason."""
    with pytest.raises(KeysError) as caught:
        check(raw)
    return caught.value.reason


def with_info(info: str) -> bytes:
    """Return the content with a signature over just this SignedInfo, by the right key."""
    return put(CONTENT, signature_block(info, ES))


def with_reference(**parts: object) -> bytes:
    """Return the content with a signature over one reference of these parts."""
    digest = parts.pop("digest", DIGEST)
    assert isinstance(digest, bytes)
    return with_info(signed_info(reference(digest, **parts)))  # type: ignore[arg-type] # any part may be exchanged
