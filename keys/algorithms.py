"""The signature algorithms of the exchange, and the suites they form.

1. `Ed25519` (RFC 8037, named as in RFC 9864), `ES256` (RFC 7518 §3.4), `ML-DSA-65` (FIPS 204).
   `EdDSA` is read as `Ed25519`: older libraries write it so. Nothing else is known here, so
   `none` and every keyed hash are refused by absence.
2. A suite is what one message is signed with: one classical algorithm, alone or together with
   ML-DSA-65 over the same payload (hybrid). ML-DSA-65 alone is not a suite.
3. `ML-DSA-44` (FIPS 204) signs checkpoints of the transparency log and nothing else: it is in no
   suite, so no message is ever signed with it.
4. A public key is its SubjectPublicKeyInfo in DER, in the one encoding `cryptography` writes,
   of the algorithm's own type and curve, and not of small order: such a key "verifies" texts
   its owner never saw, which would end non-repudiation.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey, MLDSA65PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from keys.errors import MalformedKeyError

__all__ = [
    "SUITES",
    "Algorithm",
    "NativePublicKey",
    "algorithm_of",
    "algorithms_of_suite",
    "is_post_quantum",
    "load_public_key",
    "parse_algorithm",
    "public_key_der",
    "signature_is_valid",
    "signs_messages",
    "suite_name",
]

NativePublicKey = Ed25519PublicKey | EllipticCurvePublicKey | MLDSA44PublicKey | MLDSA65PublicKey

_ED25519_PRIME: Final = 2**255 - 19
# The y coordinates of the eight points of small order (RFC 7748 §7 tells why they are refused).
_SMALL_ORDER_Y: Final = frozenset(
    {
        0,
        1,
        _ED25519_PRIME - 1,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    }
)
_ES256_COORDINATE_BYTES: Final = 32
_PUBLIC_KEY_CACHE_COUNT_MAX: Final = 1024


class Algorithm(StrEnum):
    """A signature algorithm, by its name in the `alg` member of a JOSE header."""

    ED25519 = "Ed25519"
    ES256 = "ES256"
    ML_DSA_65 = "ML-DSA-65"
    ML_DSA_44 = "ML-DSA-44"


SUITES: Final = frozenset({"Ed25519", "ES256", "Ed25519+ML-DSA-65", "ES256+ML-DSA-65"})
"""Every suite a message may be signed with; a participant's policy is a subset."""

_SYNONYMS: Final = {**{item.value: item for item in Algorithm}, "EdDSA": Algorithm.ED25519}


def parse_algorithm(name: str) -> Algorithm:
    """Return the algorithm of an `alg` member; `EdDSA` is `Ed25519`.

    Raises:
        ValueError: the name is not of an algorithm this exchange allows.
    """
    try:
        return _SYNONYMS[name]
    except KeyError:
        raise ValueError(f"the algorithm {name[:32]!r} is not allowed") from None


def is_post_quantum(algorithm: Algorithm) -> bool:
    """Tell whether the algorithm withstands a quantum computer; in a suite it comes second."""
    return algorithm in {Algorithm.ML_DSA_65, Algorithm.ML_DSA_44}


def signs_messages(algorithm: Algorithm) -> bool:
    """Tell whether the algorithm is part of any suite."""
    return any(algorithm in algorithms_of_suite(suite) for suite in SUITES)


def suite_name(algorithms: Iterable[Algorithm]) -> str:
    """Return the name of the algorithms together, classical first; not always a known suite."""
    classical_first = sorted((is_post_quantum(item), item.value) for item in algorithms)
    return "+".join(name for _, name in classical_first)


def algorithms_of_suite(suite: str) -> frozenset[Algorithm]:
    """Return the algorithms that must all have signed a message of this suite."""
    return frozenset(Algorithm(name) for name in suite.split("+"))


def algorithm_of(key: object) -> Algorithm:
    """Return the algorithm that a public key of `cryptography` is for.

    Raises:
        MalformedKeyError: the key is of another kind or curve.
    """
    if isinstance(key, Ed25519PublicKey):
        return Algorithm.ED25519
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return Algorithm.ES256
    if isinstance(key, MLDSA65PublicKey):
        return Algorithm.ML_DSA_65
    if isinstance(key, MLDSA44PublicKey):
        return Algorithm.ML_DSA_44
    raise MalformedKeyError("the key is neither Ed25519, nor EC on P-256, nor ML-DSA-65 or -44")


def public_key_der(key: NativePublicKey) -> bytes:
    """Return the SubjectPublicKeyInfo of a public key, DER (RFC 5280 §4.1.2.7)."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@lru_cache(maxsize=_PUBLIC_KEY_CACHE_COUNT_MAX)
def load_public_key(der: bytes) -> tuple[Algorithm, NativePublicKey]:
    """Read a SubjectPublicKeyInfo, and tell its algorithm.

    Raises:
        MalformedKeyError: not DER, of a kind not allowed, of small order, or not in the one
            encoding (a compressed point would give one key two key ids).
    """
    try:
        key = load_der_public_key(der)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise MalformedKeyError("the bytes are not a SubjectPublicKeyInfo") from error
    algorithm = algorithm_of(key)
    assert isinstance(key, NativePublicKey), "algorithm_of admits only these types"
    if public_key_der(key) != der:
        raise MalformedKeyError("the key is not in its canonical DER encoding")
    if isinstance(key, Ed25519PublicKey) and _is_weak_ed25519(key.public_bytes_raw()):
        raise MalformedKeyError("the Ed25519 key is a point of small order or not canonical")
    return algorithm, key


def signature_is_valid(key: NativePublicKey, signature: bytes, data: bytes) -> bool:
    """Tell whether `signature` (for ES256: r and s, 32 bytes each) is of `data` by `key`."""
    try:
        if isinstance(key, EllipticCurvePublicKey):
            key.verify(_der_from_raw(signature), data, ECDSA(SHA256()))
        else:
            key.verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def _is_weak_ed25519(raw: bytes) -> bool:
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    return y >= _ED25519_PRIME or y in _SMALL_ORDER_Y


def _der_from_raw(signature: bytes) -> bytes:
    if len(signature) != 2 * _ES256_COORDINATE_BYTES:
        raise ValueError("an ES256 signature has 64 bytes")
    r = int.from_bytes(signature[:_ES256_COORDINATE_BYTES], "big")
    s = int.from_bytes(signature[_ES256_COORDINATE_BYTES:], "big")
    return encode_dss_signature(r, s)
