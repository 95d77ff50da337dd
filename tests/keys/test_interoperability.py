"""Ordinary JOSE libraries read what we sign, and we read what they sign."""

import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.errors import BadSignatureError
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS, InvalidJWSSignature

from keys import jws
from keys.algorithms import Algorithm, load_public_key
from tests.keys import joserfc_peer
from tests.keys.support import NOW, TYP, seeded_key, seeded_signer, trusting

CLASSICAL = (Algorithm.ED25519, Algorithm.ES256)
NAMES = (("Ed25519", Algorithm.ED25519), ("EdDSA", Algorithm.ED25519), ("ES256", Algorithm.ES256))
PAYLOAD = b'{"b": 1.0, "a": "\\u00e9"}'
ALLOWED = ["Ed25519", "EdDSA", "ES256"]


def broken(raw: bytes) -> bytes:
    """Return the signed object with its payload exchanged."""
    return json.dumps({**json.loads(raw), "payload": "e30"}).encode()


@pytest.mark.parametrize("algorithm", CLASSICAL)
def test_joserfc_reads_what_we_sign(algorithm: Algorithm) -> None:
    """Through its public API; with another payload it refuses."""
    signer = seeded_signer(algorithm)
    raw = jws.sign(PAYLOAD, TYP, [signer])
    keys = {signer.key_id: signer.public_key_der}
    assert joserfc_peer.verify(raw, keys) == PAYLOAD
    with pytest.raises(BadSignatureError):
        joserfc_peer.verify(broken(raw), keys)


@pytest.mark.parametrize("algorithm", CLASSICAL)
def test_joserfc_reads_hybrid_signatures_with_one_algorithm_added(algorithm: Algorithm) -> None:
    """Both signatures are checked; either one wrong is found."""
    signers = [seeded_signer(algorithm), seeded_signer(Algorithm.ML_DSA_65)]
    raw = jws.sign(PAYLOAD, TYP, signers)
    keys = {signer.key_id: signer.public_key_der for signer in signers}
    assert joserfc_peer.verify(raw, keys) == PAYLOAD
    for signer in signers:
        stranger = seeded_signer(signer.algorithm, seed="stranger")
        with pytest.raises(BadSignatureError):
            joserfc_peer.verify(raw, {**keys, signer.key_id: stranger.public_key_der})


# The older name makes joserfc warn; that it is read all the same is the point.
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize(("name", "algorithm"), NAMES)
def test_we_read_what_joserfc_signs(name: str, algorithm: Algorithm) -> None:
    """Under the new and the older name of Ed25519, and ES256."""
    signer = seeded_signer(algorithm)
    header = {"typ": TYP, "kid": signer.key_id, "alg": name}
    raw = joserfc_peer.sign(PAYLOAD, header, seeded_key(algorithm, "one"))
    verified = jws.verify(jws.open_signed(raw, TYP), trusting(signer), "THA01", NOW)
    assert (verified.payload, verified.suite) == (PAYLOAD, algorithm.value)


@pytest.mark.parametrize("algorithm", CLASSICAL)
def test_jwcrypto_reads_what_we_sign(algorithm: Algorithm) -> None:
    """A second library, by other people; with another payload it refuses."""
    signer = seeded_signer(algorithm)
    _, native = load_public_key(signer.public_key_der)
    key = JWK.from_pem(native.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    raw = jws.sign(PAYLOAD, TYP, [signer])
    token = JWS()
    token.allowed_algs = ALLOWED
    token.deserialize(raw.decode(), key)
    assert token.payload == PAYLOAD
    with pytest.raises(InvalidJWSSignature):
        token.deserialize(broken(raw).decode(), key)


@pytest.mark.parametrize(("name", "algorithm"), NAMES)
def test_we_read_what_jwcrypto_signs(name: str, algorithm: Algorithm) -> None:
    """With one signature jwcrypto writes the flattened form (RFC 7515 §7.2.2): same members."""
    signer = seeded_signer(algorithm)
    token = JWS(PAYLOAD)
    token.allowed_algs = ALLOWED
    header = json.dumps({"kid": signer.key_id, "alg": name, "typ": TYP})
    token.add_signature(
        JWK.from_pem(joserfc_peer.as_pem(seeded_key(algorithm, "one"))), name, header
    )
    flattened = json.loads(token.serialize())
    payload = flattened.pop("payload")
    raw = json.dumps({"payload": payload, "signatures": [flattened]}).encode()
    verified = jws.verify(jws.open_signed(raw, TYP), trusting(signer), "THA01", NOW)
    assert (verified.payload, verified.suite) == (PAYLOAD, algorithm.value)
