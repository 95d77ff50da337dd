"""Signed XML (XML Signature 1.1): from exact bytes to what was signed, in the one form there is.

1. The signature is the last child of the root and the only one: the thirteen elements of the table
   below, in that order, with those attributes. So it refers to the whole document without itself,
   canonical, by SHA-256, signs with ECDSA on P-256 and SHA-256, and names a key, no more.
2. The digest must be of the canonical document without the signature. What is read is parsed anew
   from just those bytes: what they do not hold, nobody reads.
3. The signature is over the canonical SignedInfo; r and s are 64 bytes.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from typing import Final

from hub.evidence.archives import MALFORMED, RefutedError
from hub.evidence.xml_documents import WHITE_SPACE, Element, canonical, read_xml

DSIG_NAMESPACE: Final = "http://www.w3.org/2000/09/xmldsig#"
_EXCLUSIVE_C14N: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"

# Level, name, attribute, its value: in document order these say everything about the tree.
SIGNATURE_FORM: Final = (
    (0, "Signature", "", ""),
    (1, "SignedInfo", "", ""),
    (2, "CanonicalizationMethod", "Algorithm", _EXCLUSIVE_C14N),
    (2, "SignatureMethod", "Algorithm", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"),
    (2, "Reference", "URI", ""),
    (3, "Transforms", "", ""),
    (4, "Transform", "Algorithm", f"{DSIG_NAMESPACE}enveloped-signature"),
    (4, "Transform", "Algorithm", _EXCLUSIVE_C14N),
    (3, "DigestMethod", "Algorithm", "http://www.w3.org/2001/04/xmlenc#sha256"),
    (3, "DigestValue", "", ""),
    (1, "SignatureValue", "", ""),
    (1, "KeyInfo", "", ""),
    (2, "KeyName", "", ""),
)
_WORDED: Final = ("DigestValue", "SignatureValue", "KeyName")
_KEY_ID: Final = re.compile(r"[A-Z]{3}[0-9]{2}-[0-9a-f]{16}")


def is_xml(raw: bytes) -> bool:
    """Tell whether signed bytes are XML, which begins with `<`; JSON never does."""
    return raw[:64].lstrip(b" \t\r\n")[:1] == b"<"


def open_signed_xml(
    raw: bytes, namespace: str, local: str
) -> tuple[Element, tuple[str, str, bytes, bytes]]:
    """Return what a document of that root signs, and its signature: as signatures.open_signed.

    The digest is checked; the signature over it is not yet. Raises RefutedError.
    """
    root = read_xml(raw)
    if (root.namespace, root.local) != (namespace, local):
        raise RefutedError(f"it is no {local}: the root of the XML is {root.name[:60]}")
    block = _signature_of(root)
    texts = _matched(block)
    key_id = texts["KeyName"]
    if _KEY_ID.fullmatch(key_id) is None:
        raise RefutedError("the KeyName of the XML signature is no key id")
    signed_info = canonical(block.children[0])
    root.content = [one for one in root.content if one is not block]
    referenced = canonical(root)
    if hashlib.sha256(referenced).digest() != _decoded(texts["DigestValue"], 32):
        raise RefutedError("the XML document is not the one that its signature is of")
    signature = _decoded(texts["SignatureValue"], 64)
    return read_xml(referenced), ("ES256", key_id, signed_info, signature)


def _signature_of(root: Element) -> Element:
    children = root.children
    if not children or _name(children[-1]) != (DSIG_NAMESPACE, "Signature"):
        raise RefutedError("the last element of the XML document is no signature")
    elsewhere = (one for child in children[:-1] for _, one in _levels(child, 0))
    if root.namespace == DSIG_NAMESPACE or any(
        one.namespace == DSIG_NAMESPACE for one in elsewhere
    ):
        raise RefutedError("the XML document has parts of a signature outside its one signature")
    return children[-1]


def _name(element: Element) -> tuple[str, str]:
    return element.namespace, element.local


def _levels(element: Element, level: int) -> Iterator[tuple[int, Element]]:
    """Yield an element and those in it in document order, each with its level."""
    yield level, element
    for child in element.children:
        yield from _levels(child, level + 1)


def _matched(block: Element) -> dict[str, str]:
    """Compare a signature with the one form; return its three texts. Raises RefutedError."""
    found = list(_levels(block, 0))
    if len(found) != len(SIGNATURE_FORM):
        raise RefutedError(f"the XML signature has {len(found)} elements, not of the one form")
    texts: dict[str, str] = {}
    for (level, element), (wanted, local, attribute, value) in zip(
        found, SIGNATURE_FORM, strict=True
    ):
        attributes = [("", attribute, attribute, value)] if attribute else []
        if (level, *_name(element)) != (wanted, DSIG_NAMESPACE, local):
            raise RefutedError(f"the XML signature has {element.name[:60]} where {local} should be")
        if element.attributes != attributes:
            raise RefutedError(f"the {local} of the XML signature is not the one there is")
        if local in _WORDED:
            texts[local] = element.text
        elif element.text.strip(WHITE_SPACE):
            raise RefutedError(f"the XML signature has text in {local}")
    return texts


def _decoded(text: str, length: int) -> bytes:
    """Return the bytes of canonical base64, white space in it or not. Raises RefutedError."""
    letters = "".join(one for one in text if one not in WHITE_SPACE)
    try:
        data = base64.b64decode(letters, validate=True)
    except MALFORMED as error:
        raise RefutedError("a text of the XML signature is not base64") from error
    if len(data) != length or base64.b64encode(data).decode("ascii") != letters:
        raise RefutedError(f"a text of the XML signature is not {length} bytes in base64")
    return data
