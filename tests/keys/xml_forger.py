"""An XML signer by other hands, that signs whatever it is told to: for the tests of our reader.

Every part of the signature can be exchanged, and what comes out is still signed with the right key
over what it says. So a refusal is for the form, and not because the mathematics failed.
"""

import base64
import hashlib
from collections.abc import Callable, Sequence

from lxml import etree

from keys.signer import Signer

DS = "http://www.w3.org/2000/09/xmldsig#"
ENVELOPED = DS + "enveloped-signature"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
EMPTY = b"<signed-here/>"


def canonical(xml: bytes) -> bytes:
    """Return Exclusive C14N of a whole document, as libxml2 writes it."""
    parser = etree.XMLParser(collect_ids=False)  # as two equal ids are one of the attacks
    return etree.tostring(etree.fromstring(xml, parser), method="c14n", exclusive=True)


def base64_of(data: bytes) -> str:
    """Return base64 in one line."""
    return base64.b64encode(data).decode()


def transforms(*members: str) -> str:
    """Return Transforms: each member an algorithm, or the whole element if it begins with `<`."""
    whole = [m if m.startswith("<") else f'<Transform Algorithm="{m}"/>' for m in members]
    return f"<Transforms>{''.join(whole)}</Transforms>"


def reference(
    digest: bytes,
    *,
    attributes: str = 'URI=""',
    chain: Sequence[str] = (ENVELOPED, EXCLUSIVE),
    digest_method: str = f'<DigestMethod Algorithm="{SHA256}"/>',
) -> str:
    """Return one Reference with that digest."""
    value = f"<DigestValue>{base64_of(digest)}</DigestValue>"
    return f"<Reference {attributes}>{transforms(*chain)}{digest_method}{value}</Reference>"


def signed_info(
    references: str,
    *,
    canonicalization: str = f'<CanonicalizationMethod Algorithm="{EXCLUSIVE}"/>',
    method: str = f'<SignatureMethod Algorithm="{ECDSA_SHA256}"/>',
) -> str:
    """Return SignedInfo, in the namespace of the signature around it."""
    return f"<SignedInfo>{canonicalization}{method}{references}</SignedInfo>"


def sign_info(info: str, signer: Signer) -> bytes:
    """Return the signature over canonical SignedInfo."""
    text = info.replace("<SignedInfo", f'<SignedInfo xmlns="{DS}"', 1)
    return signer.sign(canonical(text.encode()))


def signature_block(
    info: str,
    signer: Signer,
    *,
    key_info: str | None = None,
    value: Callable[[bytes], bytes] = lambda signature: signature,
    attributes: str = "",
    more: str = "",
) -> str:
    """Return the Signature element; `value` may exchange the signature, `more` follows KeyInfo."""
    if key_info is None:
        key_info = f"<KeyInfo><KeyName>{signer.key_id}</KeyName></KeyInfo>"
    made = base64_of(value(sign_info(info, signer)))
    value_text = f"<SignatureValue>{made}</SignatureValue>"
    return f'<Signature xmlns="{DS}"{attributes}>{info}{value_text}{key_info}{more}</Signature>'


def put(content: bytes, block: str) -> bytes:
    """Return the document with the signature before the root's end tag."""
    end = content.rindex(b"</")
    return content[:end] + block.encode() + content[end:]


def digest_of(content: bytes) -> bytes:
    """Return the digest of the whole document, which has no signature in it yet."""
    return hashlib.sha256(canonical(content)).digest()


def forge(content: bytes, signer: Signer) -> bytes:
    """Return the document with a signature of the one allowed form, by these other hands."""
    return put(content, signature_block(signed_info(reference(digest_of(content))), signer))
