"""The console's own secret: what seals the secrets of second factors in the database.

1. It is a file of one line, ``itmo-hub-console-secret/1`` and 64 hexadecimal digits, that only its
   owner may read. ``console.secret`` names it; with SQLite it may stand beside the database.
2. It is made when it is missing. Who has the database alone cannot read what is sealed; who loses
   the file must let everybody set up their codes anew.
3. What is sealed names its person: moved to another row it does not open.
"""

import contextlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hub.protocol.console_policy import ConsolePolicy
from hub.services.start_errors import StartError
from hub.store.database import Database
from keys.errors import KeyFileError
from keys.key_files import read_secret_file, write_new_file

FORMAT: Final = "itmo-hub-console-secret/1"
SECRET_BYTES: Final = 32
_LINE: Final = re.compile(rf"{re.escape(FORMAT)} ([0-9a-f]{{64}})\n?")
_TOTP_LABEL: Final = b"itmo-hub/console/totp/v1"
_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12


class ConsoleSecretError(StartError):
    """The file is no console secret, is open to others, or cannot be made; says the remedy."""


class SealBrokenError(Exception):
    """What was sealed does not open: with another secret, for somebody else, or changed."""


@dataclass(frozen=True, slots=True)
class Sealing:
    """Seals and opens small secrets of people."""

    key: bytes = field(repr=False)

    @classmethod
    def of(cls, secret: bytes) -> "Sealing":
        """Return the sealing under the console's secret."""
        derived = HKDF(SHA256(), SECRET_BYTES, salt=None, info=_TOTP_LABEL).derive(secret)
        return cls(derived)

    @classmethod
    def open(cls, policy: ConsolePolicy, database: Database) -> "Sealing":
        """Read the secret's file, or make it. Raises ConsoleSecretError."""
        return cls.of(read_or_make(secret_path(policy, database)))

    def seal(self, secret: bytes, person_id: str) -> bytes:
        """Return a secret as the database keeps it."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + AESGCM(self.key).encrypt(nonce, secret, person_id.encode())

    def unseal(self, sealed: bytes, person_id: str) -> bytes:
        """Return what was sealed for a person. Raises SealBrokenError."""
        nonce, text = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if sealed[:1] != _VERSION or len(nonce) < _NONCE_BYTES:
            raise SealBrokenError("what is stored is not sealed")
        try:
            return AESGCM(self.key).decrypt(nonce, text, person_id.encode())
        except InvalidTag:
            raise SealBrokenError(
                "the console's secret is not the one this was sealed with; put the file of "
                "`console.secret` back, or reset the person (`itmo-hub people reset NAME`)"
            ) from None


def secret_path(policy: ConsolePolicy, database: Database) -> Path:
    """Return where the secret stands. Raises ConsoleSecretError if nothing says it."""
    if policy.secret is not None:
        return Path(policy.secret)
    path = database.url.database
    if not database.is_sqlite or not path:
        raise ConsoleSecretError(
            "the console needs a file that seals second factors: name one in `console.secret` "
            "(it is made when it is missing; every console of this database has the same)"
        )
    return Path(f"{path}.console-secret")


def read_or_make(path: Path) -> bytes:
    """Return the secret in a file, 32 bytes; a missing file is made, with mode 0600.

    Raises ConsoleSecretError; neither it nor anything else repeats what the file holds.
    """
    if not path.exists():
        _make(path)
    try:
        text = read_secret_file(path).decode("ascii", "replace")
    except KeyFileError as error:
        raise ConsoleSecretError(f"the console's secret cannot be used: {error.detail}") from error
    read = _LINE.fullmatch(text)
    if read is None:
        raise ConsoleSecretError(
            f"{path} is no console secret: one line, `{FORMAT}` and 64 hexadecimal digits"
        )
    return bytes.fromhex(read[1])


def _make(path: Path) -> None:
    """Make the file, whole or not at all; if another console was quicker, its secret counts."""
    line = f"{FORMAT} {os.urandom(SECRET_BYTES).hex()}\n"
    draft = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        write_new_file(draft, line.encode(), 0o600)
        try:
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink()
    except (KeyFileError, OSError) as error:
        raise ConsoleSecretError(
            f"the console's secret cannot be made: {error}; name a file that can be written in "
            "`console.secret`"
        ) from error
