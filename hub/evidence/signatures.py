"""Signed objects and the keys that sign them: JWS (RFC 7515 §7.2.1), or XML Signature.

1. A signed object has one signature, or two of which one is ML-DSA-65 (hybrid); all must verify.
   In XML it is one, ES256.
2. A key signs for one participant, from a time on and perhaps until a time. Whose key it is stands
   in its source; a key is vouched for when the reader's anchor, or a key it pins, names it.
3. The key of the log may be the hub's too. It is nobody else's, whatever a bundle calls it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from hub.evidence.archives import MALFORMED, Json, RefutedError, decode_base64, parse_json
from hub.evidence.xml_signatures import is_xml, open_signed_xml
from hub.evidence.xml_values import EXCHANGE_NAMESPACE, read_value

ENVELOPE_TYP: Final = "itmo-envelope+jws"
RECEIPT_TYP: Final = "itmo-receipt+jws"
DELIVERY_TYP: Final = "itmo-delivery+jws"
SUITES: Final = ("Ed25519", "ES256", "Ed25519+ML-DSA-65", "ES256+ML-DSA-65")
# What may be XML as well, and the name of its root then.
_ROOTS: Final = {ENVELOPE_TYP: "envelope", RECEIPT_TYP: "receipt", DELIVERY_TYP: "delivery"}

Signature: TypeAlias = tuple[str, str, bytes, bytes]
"""Algorithm, key id, the characters that were signed, and the signature over them."""


@dataclass(slots=True)
class Key:
    """A participant's public key (SubjectPublicKeyInfo), and what a bundle shows of its life."""

    der: bytes
    since: datetime | None = None
    until: datetime | None = None
    source: str = ""
    vouched: bool = False
    of_log: bool = False

    def end(self, at: datetime) -> None:
        """Let the key end at that time, unless it ends before."""
        self.until = at if self.until is None else min(at, self.until)

    def check_window(self, key_id: str, at: datetime) -> None:
        """Check that the key might speak at that time. Raises RefutedError."""
        if self.since is not None and at < self.since:
            raise RefutedError(f"the key {key_id} was not valid yet at {at.isoformat()}")
        if self.until is not None and at >= self.until:
            raise RefutedError(f"the key {key_id} had ended at {self.until.isoformat()}")


def open_signed(raw: bytes, typ: str) -> tuple[Json, list[Signature]]:
    """Return the payload of a signed object and its signatures. Raises RefutedError.

    Of XML the digest is right already; no signature is checked here.
    """
    if typ in _ROOTS and is_xml(raw):
        element, xml_signature = open_signed_xml(raw, EXCHANGE_NAMESPACE, _ROOTS[typ])
        return read_value(element), [xml_signature]
    outer = parse_json(raw, f"the {typ}")
    signatures: list[Signature] = []
    try:
        for one in outer["signatures"]:
            header = parse_json(decode_base64(one["protected"]), "a protected header")
            if header.keys() != {"alg", "kid", "typ"} or header["typ"] != typ:
                raise RefutedError(f"it is not signed as {typ}")
            algorithm = "Ed25519" if header["alg"] == "EdDSA" else str(header["alg"])
            signed = f"{one['protected']}.{outer['payload']}".encode("ascii")
            signature = decode_base64(one["signature"])
            signatures.append((algorithm, str(header["kid"]), signed, signature))
        payload = parse_json(decode_base64(outer["payload"]), f"the payload of the {typ}")
    except MALFORMED as error:
        raise RefutedError(f"it is not a signed object: {error}") from error
    names = sorted((one[0] for one in signatures), key=lambda name: name == "ML-DSA-65")
    if "+".join(names) not in SUITES:
        raise RefutedError("it is not signed with the algorithms of one suite")
    return payload, signatures


def check_signature(der: bytes, algorithm: str, signed: bytes, signature: bytes) -> None:
    """Check one signature with one public key. Raises RefutedError."""
    try:
        key = load_der_public_key(der)
        match algorithm, key:
            case "Ed25519", Ed25519PublicKey() as ed25519_key:
                ed25519_key.verify(signature, signed)
            case "ML-DSA-65", MLDSA65PublicKey() as ml_dsa_key:
                ml_dsa_key.verify(signature, signed)
            case "ES256", EllipticCurvePublicKey(curve=SECP256R1()) as ec_key if (
                len(signature) == 64
            ):
                r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
                ec_key.verify(encode_dss_signature(r, s), signed, ECDSA(SHA256()))
            case _:
                raise RefutedError(f"a signature with {algorithm[:20]} is not one of its key")
    except (InvalidSignature, UnsupportedAlgorithm, ValueError) as error:
        raise RefutedError(f"a signature with {algorithm} does not verify") from error


def raw_ed25519(der: bytes) -> bytes | None:
    """Return the 32 bytes of an Ed25519 key, or None if it is of another kind."""
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key.public_bytes_raw() if isinstance(key, Ed25519PublicKey) else None


def is_post_quantum(der: bytes) -> bool:
    """Tell whether a public key takes the second place in a hybrid suite."""
    try:
        return isinstance(load_der_public_key(der), MLDSA65PublicKey)
    except (ValueError, UnsupportedAlgorithm):
        return False
