"""Which keys and signatures exist at all, checked against published vectors."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keys import base64url
from keys.algorithms import (
    SUITES,
    Algorithm,
    NativePublicKey,
    algorithms_of_suite,
    is_post_quantum,
    load_public_key,
    parse_algorithm,
    public_key_der,
    signature_is_valid,
    signs_messages,
    suite_name,
)
from keys.errors import MalformedKeyError
from tests.keys.support import seeded_signer

# RFC 8037 appendix A.4: Ed25519 over "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".
RFC8037_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
RFC8037_INPUT = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
RFC8037_SIGNATURE = (
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)
# RFC 7515 appendix A.3: ES256.
RFC7515_X = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
RFC7515_Y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
RFC7515_INPUT = (
    b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
    b"cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
)
RFC7515_SIGNATURE = (
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)


def rfc8037_key() -> NativePublicKey:
    """Return the public key of RFC 8037 A.2."""
    return ed25519.Ed25519PublicKey.from_public_bytes(base64url.decode(RFC8037_X))


def rfc7515_key() -> NativePublicKey:
    """Return the public key of RFC 7515 A.3.1."""
    point = b"\x04" + base64url.decode(RFC7515_X) + base64url.decode(RFC7515_Y)
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


def test_the_published_ed25519_vector_verifies() -> None:
    """RFC 8037 A.4 verifies, and with one bit changed it does not."""
    signature = bytearray(base64url.decode(RFC8037_SIGNATURE))
    assert signature_is_valid(rfc8037_key(), bytes(signature), RFC8037_INPUT)
    signature[0] ^= 1
    assert not signature_is_valid(rfc8037_key(), bytes(signature), RFC8037_INPUT)


def test_the_published_es256_vector_verifies() -> None:
    """RFC 7515 A.3 verifies, and over other bytes it does not."""
    signature = base64url.decode(RFC7515_SIGNATURE)
    assert signature_is_valid(rfc7515_key(), signature, RFC7515_INPUT)
    assert not signature_is_valid(rfc7515_key(), signature, RFC7515_INPUT + b"A")


@pytest.mark.parametrize("algorithm", Algorithm)
@pytest.mark.parametrize("signature", [b"", b"\0", b"\0" * 64, b"\xff" * 64, b"\0" * 3309])
def test_nonsense_is_an_invalid_signature_and_no_crash(
    algorithm: Algorithm, signature: bytes
) -> None:
    """Signatures of any length and value are answered with no."""
    _, key = load_public_key(seeded_signer(algorithm).public_key_der)
    assert not signature_is_valid(key, signature, b"data")


def test_eddsa_is_the_older_name_of_ed25519() -> None:
    """RFC 8037 called it EdDSA; RFC 9864 calls it Ed25519."""
    assert parse_algorithm("EdDSA") is parse_algorithm("Ed25519") is Algorithm.ED25519


@pytest.mark.parametrize("name", ["none", "None", "HS256", "RS256", "ES384", "Ed448", "", "es256"])
def test_other_algorithms_do_not_exist(name: str) -> None:
    """What is not in the list is not known, whatever its name."""
    with pytest.raises(ValueError, match="not allowed"):
        parse_algorithm(name)


def test_suites_are_one_classical_algorithm_alone_or_with_ml_dsa() -> None:
    """A suite's name gives its algorithms, and these give the name again in any order."""
    for suite in SUITES:
        algorithms = algorithms_of_suite(suite)
        assert len(algorithms - {Algorithm.ML_DSA_65}) == 1
        assert suite_name(sorted(algorithms)) == suite_name(sorted(algorithms)[::-1]) == suite


def test_ml_dsa_44_is_post_quantum_and_part_of_no_suite() -> None:
    """It signs checkpoints of the log; every other algorithm signs messages."""
    assert [item for item in Algorithm if not signs_messages(item)] == [Algorithm.ML_DSA_44]
    assert [item for item in Algorithm if is_post_quantum(item)] == [
        Algorithm.ML_DSA_65,
        Algorithm.ML_DSA_44,
    ]


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_public_key_is_read_back_from_its_der(algorithm: Algorithm) -> None:
    """The algorithm follows from the bytes."""
    der = seeded_signer(algorithm).public_key_der
    found, key = load_public_key(der)
    assert found is algorithm
    assert public_key_der(key) == der


def forbidden_keys() -> list[bytes]:
    """Return keys that exist elsewhere but not here."""
    point = ec.derive_private_key(7, ec.SECP256R1()).public_key()
    compressed = point.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    prefix = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
    other_curve = ec.derive_private_key(7, ec.SECP384R1()).public_key()
    other_kind = rsa.generate_private_key(65537, 2048).public_key()
    spki = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    good = seeded_signer().public_key_der
    return [
        b"",
        b"garbage",
        good + b"\0",
        good[:-1],
        prefix + compressed,
        other_curve.public_bytes(*spki),
        other_kind.public_bytes(*spki),
    ]


@pytest.mark.parametrize("der", forbidden_keys(), ids=lambda der: f"{len(der)} bytes")
def test_other_keys_and_other_encodings_are_refused(der: bytes) -> None:
    """No RSA, no other curve, no compressed point, nothing after the end."""
    with pytest.raises(MalformedKeyError):
        load_public_key(der)


WEAK = [
    bytes(32),
    (1).to_bytes(32, "little"),
    (2**255 - 20).to_bytes(32, "little"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
]


@pytest.mark.parametrize("raw", WEAK, ids=lambda raw: raw.hex()[:8])
def test_a_small_order_key_would_sign_anything_and_is_refused(raw: bytes) -> None:
    """With such a key one fixed signature fits many texts, so nobody could be held to one."""
    key = ed25519.Ed25519PublicKey.from_public_bytes(raw)
    signature = (1).to_bytes(32, "little") + bytes(32)
    texts = [str(number).encode() for number in range(200)]
    assert sum(signature_is_valid(key, signature, text) for text in texts) > 1
    with pytest.raises(MalformedKeyError, match="small order"):
        load_public_key(public_key_der(key))


@pytest.mark.parametrize("high", [False, True])
@pytest.mark.parametrize("offset", [0, 1, 18])
def test_an_ed25519_key_beyond_the_field_is_refused(offset: int, high: bool) -> None:
    """A coordinate of p or more is a second spelling of another key (RFC 8032 §5.1.3)."""
    value = (2**255 - 19 + offset) | (2**255 if high else 0)
    good = seeded_signer().public_key_der
    with pytest.raises(MalformedKeyError):
        load_public_key(good[:-32] + value.to_bytes(32, "little"))
