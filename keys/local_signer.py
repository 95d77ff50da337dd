"""A private key in this process's memory, shown to the rest of the program only as a signer.

1. It signs, and tells its public half. It has no accessor for the private half.
2. Its text forms name the key id alone, and it refuses to be pickled or copied, so that a log
   line, a traceback with locals or a message between processes cannot carry the key.
"""

from __future__ import annotations

from typing import Final, NoReturn, final

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA65PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from keys.algorithms import Algorithm, public_key_der
from keys.errors import SignerError
from keys.public_keys import PublicKey

__all__ = ["LocalSigner", "PrivateKey", "generate_key", "require_private_key"]

PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey | MLDSA65PrivateKey | MLDSA44PrivateKey

_COORDINATE_BYTES: Final = 32


def generate_key(algorithm: Algorithm) -> PrivateKey:
    """Return a new private key from the operating system's random source."""
    if algorithm is Algorithm.ED25519:
        return Ed25519PrivateKey.generate()
    if algorithm is Algorithm.ES256:
        return generate_private_key(SECP256R1())
    if algorithm is Algorithm.ML_DSA_65:
        return MLDSA65PrivateKey.generate()
    return MLDSA44PrivateKey.generate()


def require_private_key(key: object) -> PrivateKey:
    """Return the key if it is of a kind this exchange signs with.

    Raises:
        SignerError: it is of another kind, such as RSA or another curve.
    """
    if isinstance(key, Ed25519PrivateKey | MLDSA65PrivateKey | MLDSA44PrivateKey):
        return key
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return key
    raise SignerError("the private key is neither Ed25519, nor EC on P-256, nor ML-DSA-65 or -44")


@final
class LocalSigner:
    """Signs for a participant with a private key held in memory. A `keys.signer.Signer`.

    Raises:
        MalformedKeyError: the participant code is malformed or the key is a weak one.
    """

    __slots__ = ("_key", "_public")

    def __init__(self, key: PrivateKey, participant: str) -> None:
        self._key = key
        self._public = PublicKey.from_der(participant, public_key_der(key.public_key()))

    @property
    def key_id(self) -> str:
        """The id under which the public key is registered."""
        return self._public.key_id

    @property
    def algorithm(self) -> Algorithm:
        """The algorithm of the key."""
        return self._public.algorithm

    @property
    def public_key_der(self) -> bytes:
        """The SubjectPublicKeyInfo of the public key, DER."""
        return self._public.public_key_der

    def sign(self, data: bytes) -> bytes:
        """Return the signature as JWS carries it (ES256: r and s, 64 bytes; RFC 7518 §3.4)."""
        if isinstance(self._key, EllipticCurvePrivateKey):
            r, s = decode_dss_signature(self._key.sign(data, ECDSA(SHA256())))
            return r.to_bytes(_COORDINATE_BYTES, "big") + s.to_bytes(_COORDINATE_BYTES, "big")
        return self._key.sign(data)

    def __repr__(self) -> str:
        return f"LocalSigner({self.key_id}, {self.algorithm})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a signer is neither pickled nor copied: it holds a private key")
