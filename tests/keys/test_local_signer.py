"""A private key in memory signs, and never shows itself."""

import copy
import logging
import pickle
import traceback

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from keys.algorithms import Algorithm, load_public_key, signature_is_valid
from keys.errors import MalformedKeyError, SignerError
from keys.local_signer import LocalSigner, generate_key, require_private_key
from keys.signer import Signer
from tests.keys.support import seeded_key, seeded_signer

SIGNATURE_BYTES = {"Ed25519": 64, "ES256": 64, "ML-DSA-65": 3309, "ML-DSA-44": 2420}


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_signature_verifies_with_the_public_half(algorithm: Algorithm) -> None:
    """Each algorithm, in the form in which JWS carries its signature."""
    signer: Signer = seeded_signer(algorithm)
    found, key = load_public_key(signer.public_key_der)
    signature = signer.sign(b"data")
    assert found is signer.algorithm is algorithm
    assert len(signature) == SIGNATURE_BYTES[algorithm]
    assert signature_is_valid(key, signature, b"data")
    assert not signature_is_valid(key, signature, b"date")


@pytest.mark.parametrize("algorithm", Algorithm)
def test_generated_keys_differ(algorithm: Algorithm) -> None:
    """Two new keys are two keys, of the kind asked for."""
    signers = [LocalSigner(generate_key(algorithm), "THA01") for _ in range(2)]
    assert signers[0].key_id != signers[1].key_id
    assert {signer.algorithm for signer in signers} == {algorithm}


@pytest.mark.parametrize("algorithm", Algorithm)
def test_the_private_key_is_in_no_text_of_the_signer(
    algorithm: Algorithm, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in repr, str, format, a log line or a traceback; the key id is."""
    signer = seeded_signer(algorithm)
    logging.getLogger("test").warning("%s %r", signer, signer)
    try:
        pickle.dumps(signer)
    except TypeError as error:
        trace = traceback.TracebackException.from_exception(error, capture_locals=True)
        texts = [caplog.text, repr(signer), str(signer), f"{signer}", "".join(trace.format())]
    key = seeded_key(algorithm, "one")
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    secret = der[-32:]
    for text in texts:
        assert secret.hex() not in text
        assert repr(secret)[2:-1] not in text
        assert signer.key_id in text
    assert not hasattr(signer, "__dict__")


def test_a_signer_is_neither_pickled_nor_copied() -> None:
    """It stays in the process and the object that opened it."""
    signer = seeded_signer()
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="holds a private key"):
            pickle.dumps(signer, protocol)
    for duplicate in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="holds a private key"):
            duplicate(signer)


@pytest.mark.parametrize(
    "key",
    [
        ed448.Ed448PrivateKey.generate(),
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(65537, 2048),
        "text",
    ],
    ids=lambda key: type(key).__name__,
)
def test_other_kinds_of_private_keys_are_refused(key: object) -> None:
    """Only what the exchange verifies may sign."""
    with pytest.raises(SignerError, match="neither Ed25519"):
        require_private_key(key)


def test_a_signer_needs_a_participant() -> None:
    """A malformed code is refused when the signer is made."""
    with pytest.raises(MalformedKeyError):
        LocalSigner(seeded_key(Algorithm.ED25519, "one"), "nobody")
