"""Key files are encrypted, private, and never overwritten."""

import base64
import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from keys.algorithms import Algorithm, public_key_der
from keys.errors import KeyFileError, SignerError
from keys.key_files import (
    is_encrypted,
    parse_private_key,
    read_secret_file,
    save_encrypted,
    write_new_file,
)
from tests.keys.support import seeded_key

PASSPHRASE = "correct horse battery"


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_saved_key_comes_back_with_its_passphrase_only(
    algorithm: Algorithm, tmp_path: Path
) -> None:
    """The file has mode 0600, is encrypted, and opens with the passphrase and with no other."""
    key, path = seeded_key(algorithm, "one"), tmp_path / "a.key"
    save_encrypted(path, key, PASSPHRASE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = read_secret_file(path)
    assert is_encrypted(text)
    found = parse_private_key(text, PASSPHRASE, "a.key")
    assert public_key_der(found.public_key()) == public_key_der(key.public_key())
    for wrong in (None, "", PASSPHRASE + " "):
        with pytest.raises(SignerError, match=r"a\.key: no PKCS#8 private key"):
            parse_private_key(text, wrong, "a.key")


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    """The second key of the same name is refused and the first stays."""
    path = tmp_path / "a.key"
    save_encrypted(path, seeded_key(Algorithm.ED25519, "one"), PASSPHRASE)
    before = path.read_bytes()
    with pytest.raises(KeyFileError, match="exists"):
        save_encrypted(path, seeded_key(Algorithm.ED25519, "two"), PASSPHRASE)
    assert path.read_bytes() == before


def test_a_link_is_not_followed_when_writing(tmp_path: Path) -> None:
    """A dangling link in the key directory cannot send the key elsewhere."""
    (tmp_path / "a.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyFileError, match="exists"):
        save_encrypted(tmp_path / "a.key", seeded_key(Algorithm.ED25519, "one"), PASSPHRASE)
    assert not (tmp_path / "elsewhere").exists()


def test_a_short_passphrase_is_refused(tmp_path: Path) -> None:
    """Eleven characters are too few, and no file is left behind."""
    with pytest.raises(KeyFileError, match="12 characters"):
        save_encrypted(tmp_path / "a.key", seeded_key(Algorithm.ED25519, "one"), "x" * 11)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    """The error says which path and why."""
    with pytest.raises(KeyFileError, match="No such file or directory"):
        write_new_file(tmp_path / "none" / "a", b"x", 0o600)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o660, 0o644, 0o777])
def test_a_file_open_to_others_is_refused(mode: int, tmp_path: Path) -> None:
    """Any right of the group or of others is one too many."""
    path = tmp_path / "secret"
    path.write_bytes(b"x")
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"mode {mode:04o}"):
        read_secret_file(path)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_of_its_owner_is_read(mode: int, tmp_path: Path) -> None:
    """The owner's own rights do not matter."""
    path = tmp_path / "secret"
    path.write_bytes(b"x")
    path.chmod(mode)
    assert read_secret_file(path) == b"x"


def test_only_plain_files_of_moderate_size_are_read(tmp_path: Path) -> None:
    """No directory, no pipe that would hang, no missing file, nothing huge."""
    with pytest.raises(KeyFileError):
        read_secret_file(tmp_path)
    with pytest.raises(KeyFileError, match="No such file"):
        read_secret_file(tmp_path / "none")
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(KeyFileError, match="not a plain file"):
        read_secret_file(tmp_path / "pipe")
    write_new_file(tmp_path / "huge", b"x" * 65_537, 0o600)
    with pytest.raises(KeyFileError, match="larger than"):
        read_secret_file(tmp_path / "huge")


def test_base64_of_der_is_read_too() -> None:
    """As environment variables carry it, plain or encrypted, with line ends or without."""
    key = seeded_key(Algorithm.ED25519, "one")
    for encryption, passphrase in (
        (NoEncryption(), None),
        (BestAvailableEncryption(PASSPHRASE.encode()), PASSPHRASE),
    ):
        der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, encryption)
        for text in (base64.b64encode(der), base64.encodebytes(der)):
            found = parse_private_key(text, passphrase, "env:KEY")
            assert public_key_der(found.public_key()) == public_key_der(key.public_key())


def test_other_keys_and_other_texts_are_refused() -> None:
    """RSA, an EC key in its own old format, text that is neither PEM nor base64."""
    form = (Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    other = base64.b64encode(rsa.generate_private_key(65537, 2048).private_bytes(*form))
    with pytest.raises(SignerError, match="neither Ed25519"):
        parse_private_key(other, None, "here")
    old = seeded_key(Algorithm.ES256, "one").private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    for text, message in ((old, "neither PEM"), (b"!", "neither PEM"), (b"AAAA", "no PKCS#8")):
        with pytest.raises(SignerError, match=message):
            parse_private_key(text, None, "here")


def test_errors_hold_neither_key_nor_passphrase() -> None:
    """What a log would show of a failure names the place alone."""
    text = base64.b64encode(b"\x30\x03secret")
    with pytest.raises(SignerError) as caught:
        parse_private_key(text, PASSPHRASE, "env:KEY")
    assert caught.value.__cause__ is None
    assert str(caught.value) == "env:KEY: no PKCS#8 private key that this passphrase opens"
