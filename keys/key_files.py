"""Private keys in files and environment variables, and the files that secrets come from.

1. A key file is PKCS#8 in PEM, encrypted; one that is not is refused unless its URI says so.
2. A file that the group or others may read is refused: the secret is no longer one.
3. A new key is written with mode 0600 into a file that did not exist, and reaches the disk
   before anyone is told its name.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)

from keys.errors import KeyFileError, SignerError
from keys.local_signer import PrivateKey, require_private_key

__all__ = [
    "PASSPHRASE_CHARACTERS_MIN",
    "is_encrypted",
    "parse_private_key",
    "read_secret_file",
    "save_encrypted",
    "write_new_file",
]

PASSPHRASE_CHARACTERS_MIN: Final = 12
_SECRET_FILE_BYTES_MAX: Final = 64 * 1024
_PEM_BEGIN: Final = b"-----BEGIN "
_ENCRYPTED_MARK: Final = _PEM_BEGIN + b"ENCRYPTED PRIVATE KEY-----"
_PLAIN_MARK: Final = _PEM_BEGIN + b"PRIVATE KEY-----"


def read_secret_file(path: Path) -> bytes:
    """Return the content of a file that only its owner may read.

    Raises:
        KeyFileError: missing, not a plain file, too large, or open to the group or others.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error
    try:
        _check_private(os.fstat(descriptor), path)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(_SECRET_FILE_BYTES_MAX + 1)
    finally:
        os.close(descriptor)
    if len(content) > _SECRET_FILE_BYTES_MAX:
        raise KeyFileError(f"{path} is larger than {_SECRET_FILE_BYTES_MAX} bytes")
    return content


def _check_private(status: os.stat_result, path: Path) -> None:
    # The status is of the open file, not of the name: the name may change in between.
    if not stat.S_ISREG(status.st_mode):
        raise KeyFileError(f"{path} is not a plain file")
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        mode = stat.S_IMODE(status.st_mode)
        raise KeyFileError(f"{path} has mode {mode:04o}: others may read it; chmod 600 it")


def is_encrypted(text: bytes) -> bool:
    """Tell whether a PEM text is an encrypted PKCS#8 private key."""
    return text.lstrip().startswith(_ENCRYPTED_MARK)


def parse_private_key(text: bytes, passphrase: str | None, where: str) -> PrivateKey:
    """Read a private key: PKCS#8 as PEM, or as base64 of its DER. `where` is for the errors.

    Raises:
        SignerError: not such a key, of a kind not allowed, or not with this passphrase.
    """
    secret = None if passphrase is None else passphrase.encode("utf-8")
    text = text.strip()
    try:
        if text.startswith((_ENCRYPTED_MARK, _PLAIN_MARK)):
            return require_private_key(load_pem_private_key(text, secret))
        der = base64.b64decode(b"".join(text.split()), validate=True)
        return require_private_key(load_der_private_key(der, secret))
    except binascii.Error:
        raise SignerError(f"{where}: neither PEM (PKCS#8) nor base64 of DER") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # What went wrong inside may quote the secret's length or bytes; it goes no further.
        raise SignerError(f"{where}: no PKCS#8 private key that this passphrase opens") from None


def save_encrypted(path: Path, key: PrivateKey, passphrase: str) -> None:
    """Write the key to a new file of mode 0600 as encrypted PKCS#8 (PBES2), PEM.

    Raises:
        KeyFileError: the file exists, cannot be written, or the passphrase is too short.
    """
    if len(passphrase) < PASSPHRASE_CHARACTERS_MIN:
        raise KeyFileError(f"a passphrase has {PASSPHRASE_CHARACTERS_MIN} characters or more")
    encryption = BestAvailableEncryption(passphrase.encode("utf-8"))
    write_new_file(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption), 0o600)


def write_new_file(path: Path, content: bytes, mode: int) -> None:
    """Write a file that must not exist yet, and wait until it is on the disk.

    Raises:
        KeyFileError: it exists, or cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise KeyFileError(f"{path} exists; a key is never overwritten") from None
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error
