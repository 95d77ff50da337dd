"""Keys and records for the tests of `keys`: all from fixed seeds, none of them secret."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA65PrivateKey

from keys import base64url
from keys.algorithms import Algorithm
from keys.local_signer import LocalSigner, PrivateKey
from keys.public_keys import KeyRecord, PublicKey
from keys.trust import TrustStore

TYP = "itmo-envelope+jws"
NOW = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
START = NOW - timedelta(days=30)
END = NOW + timedelta(days=30)


def seeded_key(algorithm: Algorithm, seed: str) -> PrivateKey:
    """Return the one private key that follows from the algorithm and the seed."""
    raw = hashlib.sha256(seed.encode()).digest()
    if algorithm is Algorithm.ED25519:
        return Ed25519PrivateKey.from_private_bytes(raw)
    if algorithm is Algorithm.ES256:
        return derive_private_key(int.from_bytes(raw, "big") >> 1, SECP256R1())
    if algorithm is Algorithm.ML_DSA_65:
        return MLDSA65PrivateKey.from_seed_bytes(raw)
    return MLDSA44PrivateKey.from_seed_bytes(raw)


def seeded_signer(
    algorithm: Algorithm = Algorithm.ED25519, participant: str = "THA01", seed: str = "one"
) -> LocalSigner:
    """Return a signer for the participant with the seeded key."""
    return LocalSigner(seeded_key(algorithm, seed), participant)


def public(signer: LocalSigner) -> PublicKey:
    """Return the public key of a signer."""
    return PublicKey(signer.key_id[:5], signer.key_id, signer.algorithm, signer.public_key_der)


def record(
    signer: LocalSigner,
    valid_from: datetime = START,
    valid_until: datetime | None = END,
    revoked_at: datetime | None = None,
) -> KeyRecord:
    """Return the record of a signer's key, by default valid 30 days before and after NOW."""
    made = KeyRecord.of(public(signer), valid_from, valid_until)
    return made if revoked_at is None else made.revoked(revoked_at)


def trusting(
    *signers: LocalSigner, policies: Mapping[str, frozenset[str]] | None = None
) -> TrustStore:
    """Return a trust store with the keys of these signers, valid at NOW."""
    return TrustStore([record(signer) for signer in signers], policies or {})


def raw_jws(header: object, payload: bytes, signer: LocalSigner) -> bytes:
    """Sign under any protected header at all, also one that our own code would never write."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    protected = base64url.encode(text)
    body = base64url.encode(payload)
    signature = base64url.encode(signer.sign(f"{protected}.{body}".encode()))
    member = {"protected": protected, "signature": signature}
    return json.dumps({"payload": body, "signatures": [member]}).encode()
