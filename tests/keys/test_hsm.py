"""Keys in a PKCS#11 token, with a SoftHSM2 token made for the test run.

The whole module is skipped, with the reason in the summary, where SoftHSM2 is not installed.
"""

import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pkcs11
import pytest
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.util.ec import encode_named_curve_parameters

from keys import jws
from keys.algorithms import Algorithm, load_public_key, signature_is_valid
from keys.errors import KeyFileError, SignerError
from keys.hsm import HsmSigner
from keys.possession import sign_possession, verify_possession
from keys.signing import open_signer
from tests.keys.support import NOW, TYP, seeded_signer

MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)
MODULE = next((path for path in MODULES if Path(path).is_file()), None)
TOOL = shutil.which("softhsm2-util")
PIN = "87654321"
TOKEN = "itmo test"

pytestmark = [
    pytest.mark.hsm,
    pytest.mark.skipif(
        MODULE is None or TOOL is None,
        reason="SoftHSM2 is not installed (apt-get install softhsm2): HSM signing is NOT tested",
    ),
]


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the file with the PIN of a fresh token that holds an Ed25519 and two EC keys."""
    assert MODULE is not None
    assert TOOL is not None
    home = tmp_path_factory.mktemp("softhsm")
    (home / "tokens").mkdir()
    config = home / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {home}/tokens\nlog.level = ERROR\n")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(config)
    command = [TOOL, "--init-token", "--free", "--label", TOKEN, "--pin", PIN, "--so-pin", PIN]
    subprocess.run(command, check=True, capture_output=True)
    make_keys(MODULE)
    pin_file = home / "pin"
    pin_file.write_text(PIN + "\n")
    pin_file.chmod(0o600)
    yield pin_file
    pkcs11.unload(MODULE)
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before


def make_keys(module: str) -> None:
    """Make the keys inside the token; the private halves cannot be taken out."""
    session = pkcs11.lib(module).get_token(token_label=TOKEN).open(rw=True, user_pin=PIN)
    curves = [
        ("ed", b"\x01", KeyType.EC_EDWARDS, "1.3.101.112", Mechanism.EC_EDWARDS_KEY_PAIR_GEN),
        ("es", b"\x02", KeyType.EC, "secp256r1", Mechanism.EC_KEY_PAIR_GEN),
        ("p384", b"\x03", KeyType.EC, "secp384r1", Mechanism.EC_KEY_PAIR_GEN),
        ("mixed", b"\x04", KeyType.EC, "secp256r1", Mechanism.EC_KEY_PAIR_GEN),
        ("mixed", b"\x05", KeyType.EC, "secp256r1", Mechanism.EC_KEY_PAIR_GEN),
    ]
    for label, number, kind, curve, mechanism in curves:
        parameters = session.create_domain_parameters(
            kind, {Attribute.EC_PARAMS: encode_named_curve_parameters(curve)}, local=True
        )
        parameters.generate_keypair(id=number, label=label, store=True, mechanism=mechanism)
    private = session.get_key(object_class=ObjectClass.PRIVATE_KEY, id=b"\x04")
    private.copy({Attribute.ID: b"\x06", Attribute.LABEL: "crossed"})
    public = session.get_key(object_class=ObjectClass.PUBLIC_KEY, id=b"\x05")
    public.copy({Attribute.ID: b"\x06", Attribute.LABEL: "crossed"})
    session.close()


def uri(name: str, pin_file: Path, **changes: str) -> str:
    """Return the URI of a key of the token, by its label."""
    token = changes.get("token", "itmo%20test")
    pin = changes.get("pin", f"file:{pin_file}")
    return f"pkcs11:token={token};{name}?module-path={MODULE}&pin-source={pin}"


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [
        ("object=ed", Algorithm.ED25519),
        ("object=es", Algorithm.ES256),
        ("id=%01", Algorithm.ED25519),
        ("object=es;id=%02;type=private", Algorithm.ES256),
    ],
)
def test_a_token_signs_what_the_door_verifies(token: Path, name: str, algorithm: Algorithm) -> None:
    """The signature is as JWS carries it, and the key document proves possession."""
    signer = open_signer(uri(name, token), participant="THA01")
    assert signer.algorithm is algorithm
    _, key = load_public_key(signer.public_key_der)
    signature = signer.sign(b"data")
    assert len(signature) == 64
    assert signature_is_valid(key, signature, b"data")
    assert open_signer(uri(name, token), key_id=signer.key_id).key_id == signer.key_id
    proof = sign_possession(signer, "THA01", valid_from=NOW)
    assert verify_possession(proof).key_id == signer.key_id


def test_a_token_key_and_a_file_key_sign_hybrid_together(token: Path) -> None:
    """Two URIs, one message: the classical key in the token, the post-quantum key beside it."""
    signer = open_signer(uri("object=ed", token), participant="THA01")
    raw = jws.sign(b"p", TYP, [seeded_signer(Algorithm.ML_DSA_65), signer])
    assert jws.open_signed(raw, TYP).suite == "Ed25519+ML-DSA-65"


def test_a_pin_comes_from_a_variable(token: Path) -> None:
    """As with passphrases, by its name."""
    signer = open_signer(
        uri("object=ed", token, pin="env:PIN"), participant="THA01", environment={"PIN": PIN}
    )
    assert signer.algorithm is Algorithm.ED25519


def test_a_session_that_went_away_is_opened_again(token: Path) -> None:
    """After the token closed all sessions, the next signature works and the key is the same."""
    signer = open_signer(uri("object=es", token), participant="THA01")
    assert isinstance(signer, HsmSigner)
    other = pkcs11.lib(str(MODULE)).get_token(token_label=TOKEN).open()
    other.close()
    lost = signer._key.session
    lost.close()
    _, key = load_public_key(signer.public_key_der)
    assert signature_is_valid(key, signer.sign(b"again"), b"again")


def test_many_threads_may_sign_with_one_signer(token: Path) -> None:
    """A session does one thing at a time; the signer keeps the threads apart."""
    signer = open_signer(uri("object=es", token), participant="THA01")
    _, key = load_public_key(signer.public_key_der)
    texts = [str(number).encode() for number in range(200)]
    with ThreadPoolExecutor(8) as threads:
        signatures = list(threads.map(signer.sign, texts))
    assert all(map(signature_is_valid, [key] * 200, signatures, texts))


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("object=none", {}, "NoSuchKey"),
        ("object=mixed", {}, "MultipleObjectsReturned"),
        ("object=ed", {"token": "other"}, "0 tokens fit"),
        ("object=p384", {}, "neither Ed25519 nor EC on P-256"),
        ("object=crossed", {}, "do not belong together"),
    ],
)
def test_what_cannot_sign_is_refused_when_opened(
    token: Path, name: str, changes: dict[str, str], message: str
) -> None:
    """Missing, ambiguous, of another curve, or a private key beside another's public key."""
    with pytest.raises(SignerError, match=message):
        open_signer(uri(name, token, **changes), participant="THA01")


def test_a_pin_file_open_to_others_is_refused(token: Path, tmp_path: Path) -> None:
    """The PIN is as secret as a passphrase."""
    path = tmp_path / "pin"
    path.write_text(PIN)
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match="others may read it"):
        open_signer(uri("object=ed", path), participant="THA01")


def test_a_wrong_pin_is_refused_without_being_repeated(token: Path) -> None:
    """In a process that has not logged in to the token yet."""
    program = (
        "import sys\n"
        "from keys.errors import SignerError\n"
        "from keys.signing import open_signer\n"
        "try:\n"
        "    open_signer(sys.argv[1], participant='THA01', environment={'PIN': '11112222'})\n"
        "except SignerError as error:\n"
        "    print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, uri("object=ed", token, pin="env:PIN")],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "PinIncorrect" in result.stdout
    assert "11112222" not in result.stdout + result.stderr


def test_a_token_signer_shows_its_key_id_only_and_stays_in_the_process(token: Path) -> None:
    """Neither its text nor a pickle carries the PIN or the session."""
    signer = open_signer(uri("object=ed", token), participant="THA01")
    assert repr(signer) == f"HsmSigner({signer.key_id}, Ed25519)"
    with pytest.raises(TypeError, match="neither pickled nor copied"):
        pickle.dumps(signer)
