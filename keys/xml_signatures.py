"""Signed XML documents: from bytes to a verified element, and back (XML Signature 1.1).

1. Open: the document is read without surprises (`keys.xml_reading`). Its last child element is
   the one signature, of exactly one form: the thirteen elements of `_FORM`, in that order, with
   those attributes. So there is one reference, to the whole document (`URI=""`), with two
   transforms (take the signature out, write canonically), SHA-256, ECDSA on P-256 with SHA-256,
   and of the key nothing but its id. Whatever else a signature may be, ours is not.
2. What the reference returned is a string of bytes; the element to read is parsed anew from
   just these bytes. What they do not hold, nobody can read.
3. Verify: the key must be trusted for the participant at the time, its policy must accept ES256
   alone, the digest must be of those bytes, the signature of the canonical SignedInfo.
4. Sign: the canonical document, with the signature put before its last end tag.

Whatever the bytes are, the errors of `keys.errors` are all that can come out. Why there is no
XML Signature library here, and no hybrid, stands in docs/adr/0015.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lxml import etree

from keys.algorithms import Algorithm, load_public_key, signature_is_valid
from keys.errors import (
    MalformedXmlError,
    SignatureInvalidError,
    SignerError,
    SuiteNotAcceptedError,
    XmlFault,
)
from keys.key_ids import is_key_id
from keys.public_keys import KeyRecord
from keys.signer import Signer
from keys.trust import TrustStore
from keys.xml_reading import (
    DEFAULT_LIMITS,
    XmlLimits,
    canonical_bytes,
    canonical_part,
    read_canonical,
    read_xml,
)

__all__ = [
    "DSIG_NAMESPACE",
    "UnverifiedXml",
    "VerifiedXml",
    "XmlClaim",
    "claim_of",
    "open_signed_xml",
    "sign_xml",
    "verify_xml",
]

DSIG_NAMESPACE: Final = "http://www.w3.org/2000/09/xmldsig#"
_ENVELOPED: Final = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_EXCLUSIVE_C14N: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
_ECDSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
_SHA256: Final = "http://www.w3.org/2001/04/xmlenc#sha256"

_SUITE: Final = Algorithm.ES256.value
_SIGNATURE_BYTES: Final = 64
_WHITE_SPACE: Final = " \t\r\n"
_DELETE_WHITE_SPACE: Final = str.maketrans("", "", _WHITE_SPACE)

# Level, name, attributes: in document order these three say everything about the tree.
_FORM: Final[tuple[tuple[int, str, dict[str, str]], ...]] = (
    (0, "Signature", {}),
    (1, "SignedInfo", {}),
    (2, "CanonicalizationMethod", {"Algorithm": _EXCLUSIVE_C14N}),
    (2, "SignatureMethod", {"Algorithm": _ECDSA_SHA256}),
    (2, "Reference", {"URI": ""}),
    (3, "Transforms", {}),
    (4, "Transform", {"Algorithm": _ENVELOPED}),
    (4, "Transform", {"Algorithm": _EXCLUSIVE_C14N}),
    (3, "DigestMethod", {"Algorithm": _SHA256}),
    (3, "DigestValue", {}),
    (1, "SignatureValue", {}),
    (1, "KeyInfo", {}),
    (2, "KeyName", {}),
)
_TEXTS: Final = frozenset({"DigestValue", "SignatureValue", "KeyName"})

# Written once with its namespace, as it is signed, and once without, as it stands in Signature.
_SIGNED_INFO: Final = (
    "<ds:SignedInfo{namespace}>"
    f'<ds:CanonicalizationMethod Algorithm="{_EXCLUSIVE_C14N}"></ds:CanonicalizationMethod>'
    f'<ds:SignatureMethod Algorithm="{_ECDSA_SHA256}"></ds:SignatureMethod>'
    '<ds:Reference URI=""><ds:Transforms>'
    f'<ds:Transform Algorithm="{_ENVELOPED}"></ds:Transform>'
    f'<ds:Transform Algorithm="{_EXCLUSIVE_C14N}"></ds:Transform></ds:Transforms>'
    f'<ds:DigestMethod Algorithm="{_SHA256}"></ds:DigestMethod>'
    "<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
)
_SIGNATURE: Final = (
    "<ds:Signature{namespace}>{signed_info}<ds:SignatureValue>{signature}</ds:SignatureValue>"
    "<ds:KeyInfo><ds:KeyName>{key_id}</ds:KeyName></ds:KeyInfo></ds:Signature>"
)
_NAMESPACE: Final = f' xmlns:ds="{DSIG_NAMESPACE}"'


@dataclass(frozen=True, slots=True)
class XmlClaim:
    """What a signature says of itself: whose it is, and what was signed; nothing is known yet.

    `signed_info` is canonical, `digest` what it claims of the document (32 bytes), `signature` r
    and s (64 bytes).
    """

    key_id: str
    digest: bytes
    signed_info: bytes
    signature: bytes

    def verify(self, trust: TrustStore, participant: str, at: datetime) -> None:
        """Check the signature over SignedInfo; whether its digest is right is another question.

        Raises as `verify_xml`.
        """
        key = _trusted_key(self.key_id, trust, participant, at)
        _check_signature(key, self.signature, self.signed_info)


@dataclass(frozen=True, slots=True)
class UnverifiedXml:
    """A well-formed signed document of which nothing is known to be true yet.

    `element` is the root without its signature, parsed from `referenced`, the canonical bytes
    that the digest must be of; nothing else of the document may be read. `raw` is the document as
    it came. `signed_info` is canonical, `digest` what it claims (32 bytes), `signature` r and s
    (64 bytes).
    """

    key_id: str
    element: etree._Element
    raw: bytes
    referenced: bytes
    digest: bytes
    signed_info: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class VerifiedXml:
    """The one element that a trusted key signed, its canonical bytes, and that key's id."""

    element: etree._Element
    referenced: bytes
    key_id: str
    suite: str


def open_signed_xml(
    raw: bytes, root_name: str, limits: XmlLimits = DEFAULT_LIMITS
) -> UnverifiedXml:
    """Read a signed document whose root is `root_name` (`{namespace}local`), believing nothing.

    Raises:
        MalformedXmlError: the bytes are not of the form above; `reason` is an `XmlFault`.
    """
    root = read_xml(raw, limits)
    if root.tag != root_name:
        detail = f"the root is {str(root.tag)[:96]!r}, not {root_name}"
        raise MalformedXmlError(XmlFault.ROOT_UNEXPECTED, detail)
    block = _signature_of(root)
    claim = claim_of(block)
    _take_out(root, block)
    referenced = canonical_bytes(root, limits)
    return UnverifiedXml(
        key_id=claim.key_id,
        element=read_canonical(referenced),
        raw=raw,
        referenced=referenced,
        digest=claim.digest,
        signed_info=claim.signed_info,
        signature=claim.signature,
    )


def claim_of(block: etree._Element) -> XmlClaim:
    """Return what a signature of the one form says of itself.

    Raises:
        MalformedXmlError: it is of another form; `reason` is an `XmlFault`.
    """
    texts = _match_form(block)
    key_id = texts["KeyName"]
    if not is_key_id(key_id):
        raise MalformedXmlError(XmlFault.KEY_ID_INVALID, f"KeyName {key_id[:64]!r}")
    return XmlClaim(
        key_id=key_id,
        digest=_decode(texts["DigestValue"], hashlib.sha256().digest_size, "DigestValue"),
        signed_info=canonical_part(block[0]),
        signature=_decode(texts["SignatureValue"], _SIGNATURE_BYTES, "SignatureValue"),
    )


def verify_xml(
    unverified: UnverifiedXml, trust: TrustStore, participant: str, at: datetime
) -> VerifiedXml:
    """Check the signature with a key that may speak for `participant` at the time `at`.

    Raises:
        KeyNotTrustedError: the key is unknown, of somebody else, or not valid then (its kinds).
        SuiteNotAcceptedError: the participant may not sign with ES256 alone.
        SignatureInvalidError: the digest or the signature does not match, or the key's algorithm.
    """
    key = _trusted_key(unverified.key_id, trust, participant, at)
    if hashlib.sha256(unverified.referenced).digest() != unverified.digest:
        raise SignatureInvalidError(f"the document is not the one that {key.key_id} signed")
    _check_signature(key, unverified.signature, unverified.signed_info)
    return VerifiedXml(unverified.element, unverified.referenced, key.key_id, _SUITE)


def _trusted_key(key_id: str, trust: TrustStore, participant: str, at: datetime) -> KeyRecord:
    """Return a key that may sign XML for a participant. Raises as `verify_xml`."""
    key = trust.find(key_id, participant, at)
    accepted = trust.suites_of(participant)
    if _SUITE not in accepted:
        wanted = ", ".join(sorted(accepted))
        raise SuiteNotAcceptedError(f"signed with {_SUITE}; {participant} signs with {wanted}")
    if key.algorithm is not Algorithm.ES256:
        detail = f"{key.key_id} signs with {key.algorithm}, not with {_SUITE}"
        raise SignatureInvalidError(detail)
    return key


def _check_signature(key: KeyRecord, signature: bytes, signed_info: bytes) -> None:
    _, native = load_public_key(key.public_key_der)
    if not signature_is_valid(native, signature, signed_info):
        raise SignatureInvalidError(f"the signature of {key.key_id} is wrong")


def sign_xml(
    content: bytes | etree._Element, signer: Signer, limits: XmlLimits = DEFAULT_LIMITS
) -> bytes:
    """Return the canonical document with the signature as its last child, UTF-8.

    A prefix that stands only in text or in an attribute's value is no longer declared there:
    Exclusive C14N leaves out a namespace that no name uses.

    Raises:
        ValueError: the signer's algorithm is not ES256.
        MalformedXmlError: the content is signed already or cannot be read back, as `read_xml`.
        SignerError: the key cannot be used now, or answers with something that is no signature.
    """
    if signer.algorithm is not Algorithm.ES256:
        raise ValueError(f"XML is signed with {_SUITE}, not with {signer.algorithm}")
    raw = content if isinstance(content, bytes) else canonical_part(content)
    root = read_xml(raw, limits)
    if _signature_elements(root):
        raise MalformedXmlError(XmlFault.SIGNATURE_COUNT, "the content holds a signature already")
    referenced = canonical_bytes(root, limits)
    digest = _encode(hashlib.sha256(referenced).digest())
    signed_info = _SIGNED_INFO.format(namespace=_NAMESPACE, digest=digest)
    signature = signer.sign(signed_info.encode("ascii"))
    if len(signature) != _SIGNATURE_BYTES:
        raise SignerError(f"the signer of {signer.key_id} returned {len(signature)} bytes, not 64")
    block = _SIGNATURE.format(
        namespace=_NAMESPACE,
        signed_info=_SIGNED_INFO.format(namespace="", digest=digest),
        signature=_encode(signature),
        key_id=signer.key_id,
    )
    # Canonical XML knows no empty tag and ends with the root's end tag.
    end = referenced.rindex(b"</")
    return referenced[:end] + block.encode("ascii") + referenced[end:]


def _signature_elements(root: etree._Element) -> int:
    return sum(1 for _ in root.iter(f"{{{DSIG_NAMESPACE}}}*"))


def _signature_of(root: etree._Element) -> etree._Element:
    """Return the last child element, which must be the only signature of the document."""
    last = root[-1] if len(root) else root
    if last is root or last.tag != f"{{{DSIG_NAMESPACE}}}Signature":
        detail = "the last child element of the root is no signature"
        raise MalformedXmlError(XmlFault.SIGNATURE_MISSING, detail)
    if _signature_elements(root) != _signature_elements(last):
        detail = "elements of XML Signature outside the one signature"
        raise MalformedXmlError(XmlFault.SIGNATURE_COUNT, detail)
    return last


def _match_form(block: etree._Element) -> dict[str, str]:
    """Compare a signature with the one form, and return its three texts by element name."""
    levels = _with_levels(block)
    if len(levels) != len(_FORM):
        detail = f"the signature has {len(levels)} elements, not {len(_FORM)}"
        raise MalformedXmlError(XmlFault.SIGNATURE_FORM, detail)
    texts: dict[str, str] = {}
    for (level, element), (level_wanted, name, attributes) in zip(levels, _FORM, strict=True):
        if level != level_wanted or element.tag != f"{{{DSIG_NAMESPACE}}}{name}":
            detail = f"{str(element.tag)[:96]!r} stands where {name} should"
            raise MalformedXmlError(XmlFault.SIGNATURE_FORM, detail)
        _match_attributes(element, name, attributes)
        text = element.text or ""
        if name in _TEXTS:
            texts[name] = text
        elif text.strip(_WHITE_SPACE):
            raise MalformedXmlError(XmlFault.SIGNATURE_FORM, f"text in {name}")
        # What follows the signature itself is the document's, and signed with it.
        if element is not block and (element.tail or "").strip(_WHITE_SPACE):
            raise MalformedXmlError(XmlFault.SIGNATURE_FORM, f"text behind {name}")
    return texts


def _with_levels(block: etree._Element) -> list[tuple[int, etree._Element]]:
    """Return the elements in document order, each with its level; one more than the form at most.

    Nothing but elements can be among them: `read_xml` refuses the rest.
    """
    found: list[tuple[int, etree._Element]] = []
    ahead = [(0, block)]
    while ahead and len(found) <= len(_FORM):
        level, element = ahead.pop()
        found.append((level, element))
        ahead.extend((level + 1, child) for child in reversed(element))
    return found


def _match_attributes(element: etree._Element, name: str, wanted: dict[str, str]) -> None:
    found = dict(element.attrib)
    if found == wanted:
        return
    if found.keys() != wanted.keys():
        detail = f"{name} has the attributes {sorted(found)!r:.96}, not {sorted(wanted)}"
        raise MalformedXmlError(XmlFault.SIGNATURE_FORM, detail)
    if name == "Reference":
        detail = f'the reference is to {found["URI"][:64]!r}, not to the whole document (URI="")'
        raise MalformedXmlError(XmlFault.REFERENCE_NOT_WHOLE, detail)
    detail = f"{name} is {found['Algorithm'][:96]!r}, not {wanted['Algorithm']}"
    raise MalformedXmlError(XmlFault.ALGORITHM_NOT_ALLOWED, detail)


def _take_out(root: etree._Element, block: etree._Element) -> None:
    """Remove the signature and nothing else: the text behind it stays (XML Signature §6.6.4)."""
    before = block.getprevious()
    if before is None:
        root.text = (root.text or "") + (block.tail or "")
    else:
        before.tail = (before.tail or "") + (block.tail or "")
    root.remove(block)


def _decode(text: str, length: int, what: str) -> bytes:
    """Return the bytes of canonical base64; white space may stand anywhere in it."""
    letters = text.translate(_DELETE_WHITE_SPACE)
    try:
        data = base64.b64decode(letters, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if len(data) != length or _encode(data) != letters:
        raise MalformedXmlError(XmlFault.NOT_BASE64, f"{what} is not {length} bytes in base64")
    return data


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
