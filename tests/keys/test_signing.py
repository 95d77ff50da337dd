"""Opening a signer: the secret comes from where the URI says, and the key is the expected one."""

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from keys.algorithms import Algorithm
from keys.errors import KeyFileError, MalformedKeyError, SignerError
from keys.key_files import save_encrypted, write_new_file
from keys.signing import open_signer
from tests.keys.support import seeded_key, seeded_signer

PASSPHRASE = "correct horse battery"
KEY = seeded_key(Algorithm.ED25519, "one")
KEY_ID = seeded_signer().key_id
PLAIN = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Return the path of an encrypted key file."""
    path = tmp_path / "a.key"
    save_encrypted(path, KEY, PASSPHRASE)
    return path


def test_a_passphrase_comes_from_a_variable(key_file: Path) -> None:
    """Named in the URI; empty and missing variables are refused by name."""
    uri = f"file:{key_file}?passphrase-env=PW"
    signer = open_signer(uri, participant="THA01", environment={"PW": PASSPHRASE})
    assert signer.key_id == KEY_ID
    for environment in ({}, {"PW": ""}):
        with pytest.raises(SignerError, match="variable PW is empty or not set"):
            open_signer(uri, participant="THA01", environment=environment)


def test_the_process_environment_is_the_default(
    key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an environment of the caller's, the process's own is read."""
    monkeypatch.setenv("ITMO_TEST_PASSPHRASE", PASSPHRASE)
    uri = f"file:{key_file}?passphrase-env=ITMO_TEST_PASSPHRASE"
    assert open_signer(uri, participant="THA01").key_id == KEY_ID


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_passphrase_comes_from_a_file(key_file: Path, end: bytes) -> None:
    """One line end after it is not part of it; the file must be private too."""
    secret = key_file.parent / "pw"
    write_new_file(secret, PASSPHRASE.encode() + end, 0o600)
    uri = f"file:{key_file}?passphrase-file={secret}"
    assert open_signer(uri, key_id=KEY_ID).key_id == KEY_ID
    secret.chmod(0o644)
    with pytest.raises(KeyFileError, match="others may read it"):
        open_signer(uri, key_id=KEY_ID)


def test_a_passphrase_file_is_text(key_file: Path) -> None:
    """Bytes that are no UTF-8 are refused in a typed way."""
    secret = key_file.parent / "pw"
    write_new_file(secret, b"\xff", 0o600)
    with pytest.raises(SignerError, match="not UTF-8"):
        open_signer(f"file:{key_file}?passphrase-file={secret}", key_id=KEY_ID)


def test_the_caller_is_asked_when_the_uri_names_no_source(key_file: Path) -> None:
    """Once, and only then; with nobody to ask the error tells the option."""
    asked: list[str] = []

    def ask() -> str:
        asked.append("asked")
        return PASSPHRASE

    assert open_signer(f"file:{key_file}", key_id=KEY_ID, passphrase=ask).key_id == KEY_ID
    assert asked == ["asked"]
    with pytest.raises(SignerError, match="passphrase-env=NAME"):
        open_signer(f"file:{key_file}", key_id=KEY_ID)


def test_an_unencrypted_file_needs_a_yes(tmp_path: Path) -> None:
    """The refusal says how to accept the risk; with the yes it opens; an open mode never does."""
    path = tmp_path / "plain.key"
    write_new_file(path, PLAIN, 0o600)
    with pytest.raises(SignerError, match=r"\?unencrypted=yes"):
        open_signer(f"file:{path}", participant="THA01")
    assert open_signer(f"file:{path}?unencrypted=yes", participant="THA01").key_id == KEY_ID
    path.chmod(0o640)
    with pytest.raises(KeyFileError):
        open_signer(f"file:{path}?unencrypted=yes", participant="THA01")


def test_a_key_comes_from_a_variable(key_file: Path) -> None:
    """As PEM, as base64 of DER, and encrypted with a passphrase from another variable."""
    der = KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    for text in (PLAIN.decode(), base64.b64encode(der).decode()):
        assert open_signer("env:K", key_id=KEY_ID, environment={"K": text}).key_id == KEY_ID
    environment = {"K": key_file.read_text(), "PW": PASSPHRASE}
    uri = "env:K?passphrase-env=PW"
    assert open_signer(uri, key_id=KEY_ID, environment=environment).key_id == KEY_ID
    with pytest.raises(SignerError, match="variable K is empty"):
        open_signer("env:K", key_id=KEY_ID, environment={})


def test_the_key_must_be_the_expected_one(key_file: Path) -> None:
    """A URI that leads to another key, or a participant that does not fit, is refused."""
    environment = {"PW": PASSPHRASE}
    uri = f"file:{key_file}?passphrase-env=PW"
    with pytest.raises(SignerError, match=f"leads to the key {KEY_ID}"):
        open_signer(uri, key_id="THA01-0000000000000000", environment=environment)
    with pytest.raises(SignerError, match="is not of CHE01"):
        open_signer(uri, key_id=KEY_ID, participant="CHE01", environment=environment)
    with pytest.raises(SignerError, match="not a key id"):
        open_signer(uri, key_id="key", environment=environment)
    with pytest.raises(SignerError, match="whose key"):
        open_signer(uri, environment=environment)
    with pytest.raises(MalformedKeyError):
        open_signer(uri, participant="nobody", environment=environment)


@pytest.mark.parametrize("module", ["libsofthsm2.so", "/nowhere/x.so"])
def test_a_missing_pkcs11_module_is_named(module: str) -> None:
    """Before any code is loaded from there, and never from a relative path."""
    with pytest.raises(SignerError, match=f"module-path {module}"):
        open_signer(f"pkcs11:token=t;object=k?module-path={module}", participant="THA01")
