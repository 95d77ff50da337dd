"""A peer that uses joserfc's public API, taught ML-DSA-65 by an algorithm model of its own.

It shows what an implementer with an ordinary JOSE library has to add for hybrid signatures: one
key class and one algorithm, registered in a registry that leaves joserfc's own untouched.
"""

import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey
from joserfc.jws import JWSAlgModel  # type: ignore[attr-defined]  # there, but not in __all__

from keys.algorithms import Algorithm, load_public_key
from keys.local_signer import PrivateKey

ALGORITHMS = ["Ed25519", "EdDSA", "ES256", "ML-DSA-65"]


class AkpKey(OKPKey):
    """An ML-DSA-65 public key. A kind of OKP key only because joserfc admits no fifth kind."""

    def __init__(self, key: MLDSA65PublicKey) -> None:
        self.native = key
        self._dict_value = {"kty": "AKP", "alg": "ML-DSA-65"}


class MlDsa65(JWSAlgModel):
    """The algorithm `ML-DSA-65` for joserfc, verifying."""

    name = "ML-DSA-65"
    description = "ML-DSA-65 of FIPS 204"

    def check_key(self, key: Any) -> None:
        """Admit keys of the class above only."""
        assert isinstance(key, AkpKey)

    def sign(self, msg: bytes, key: Any) -> bytes:
        """Refuse: this peer signs with its classical key only."""
        raise PermissionError(f"no private key for {len(msg)} bytes in {key!r}")

    def verify(self, msg: bytes, sig: bytes, key: Any) -> bool:
        """Tell whether the signature matches."""
        try:
            key.native.verify(sig, msg)
        except InvalidSignature:
            return False
        return True


class PeerRegistry(jws.JWSRegistry):
    """joserfc's algorithms and ML-DSA-65, with room for its long signatures."""

    algorithms = {**jws.JWSRegistry.algorithms, "ML-DSA-65": MlDsa65()}  # noqa: RUF012 - joserfc's form
    max_signature_length = 8192
    max_payload_length = 2_000_000


def verify(raw: bytes, keys: Mapping[str, bytes]) -> bytes:
    """Return the payload if every signature verifies with the key of its `kid` (id to DER)."""
    natives = {key_id: load_public_key(der) for key_id, der in keys.items()}

    def find(member: Any) -> Any:
        algorithm, native = natives[member.headers()["kid"]]
        if isinstance(native, MLDSA65PublicKey):
            return AkpKey(native)
        kind = OKPKey if algorithm is Algorithm.ED25519 else ECKey
        return kind.import_key(keys[member.headers()["kid"]])

    registry = PeerRegistry(algorithms=ALGORITHMS)
    payload: bytes = jws.deserialize_json(json.loads(raw), find, registry=registry).payload
    return payload


def sign(payload: bytes, header: dict[str, Any], key: PrivateKey) -> bytes:
    """Return the JWS General JSON Serialization that joserfc makes under this header."""
    kind = ECKey if header["alg"] == "ES256" else OKPKey
    made = jws.serialize_json(
        [{"protected": header}], payload, kind.import_key(as_pem(key)), algorithms=ALGORITHMS
    )
    return json.dumps(made).encode()


def as_pem(key: PrivateKey) -> bytes:
    """Return the PEM of a test key, as libraries import it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
