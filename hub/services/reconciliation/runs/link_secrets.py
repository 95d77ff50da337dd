"""The secrets that keys of digests are made of: one master at the hub, one secret for each link.

1. The hub's operator makes one master secret (``reconciliation.secret`` names its file). The secret
   of a link is HMAC-SHA512 under it of a label and the registry's code, its first 32 bytes. So one
   file is kept, and a registry that knows its own secret learns nothing of another's.
2. The registry is given the secret of its link as a file, like a key document.
3. A file is one line, ``itmo-hub-link-secret/1 CODE`` and 64 hexadecimal digits; CODE is the hub's
   for the master, the registry's for a link. It is made with mode 0600, never over another file,
   and refused when others may read it.
4. Where a registry has no digests (totals, statements, records) the hub sums alone, and needs a key
   that nobody else knows. That one is made of the salt of the first act in the log: random, kept as
   long as the database, told to nobody. So it needs no file, and is the same in every process.
"""

import hashlib
import hmac
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hub.services.start_errors import StartError
from hub.store import acts
from hub.store.database import Database
from keys.errors import KeyFileError
from keys.key_files import read_secret_file, write_new_file
from reconciliation.link_keys import LinkKey, key_of_year

FORMAT: Final = "itmo-hub-link-secret/1"
SECRET_BYTES: Final = 32
_LINK_LABEL: Final = b"itmo-hub/reconciliation/link-secret/v1"
_OWN_LABEL: Final = b"itmo-hub/reconciliation/own-secret/v1"
_LINE: Final = re.compile(rf"{re.escape(FORMAT)} ([A-Z]{{3}}[0-9]{{2}}) ([0-9a-f]{{64}})\n?")


class LinkSecretError(StartError):
    """A file is no link secret, is another participant's, or is open to others; says the remedy."""


@dataclass(frozen=True, slots=True)
class LinkSecrets:
    """What keys are made of. ``master`` is None where the operator has not made one yet."""

    master: bytes | None = field(repr=False)
    own: bytes = field(repr=False)

    @classmethod
    def open(cls, path: str | None, hub: str, database: Database) -> "LinkSecrets":
        """Read the master's file, if one is named, and the hub's own secret.

        Raises LinkSecretError, DatabaseUnavailableError.
        """
        master = None if path is None else read_secret(Path(path), hub)
        with database.reading() as connection:
            first = acts.after(connection, -1, 1)
        if not first:
            raise LinkSecretError("the log has no act yet: start the hub once with its keys")
        own = hmac.new(first[0].salt, _OWN_LABEL, hashlib.sha512).digest()
        return cls(master, own[:SECRET_BYTES])

    @property
    def has_master(self) -> bool:
        """Tell whether registries can be compared by digests."""
        return self.master is not None

    def secret_of(self, registry: str) -> bytes:
        """Return the secret of a link, 32 bytes. Raises LinkSecretError without a master."""
        if self.master is None:
            raise LinkSecretError(NO_MASTER)
        message = b"\n".join((_LINK_LABEL, registry.encode()))
        return hmac.new(self.master, message, hashlib.sha512).digest()[:SECRET_BYTES]

    def key(self, registry: str, year: int) -> LinkKey:
        """Return a link's key for a calendar year (UTC). Raises LinkSecretError without a master.

        It depends on nothing else, so both sides have it without a message.
        """
        return key_of_year(self.secret_of(registry), registry, year)

    def own_key(self, registry: str, year: int) -> LinkKey:
        """Return the key by which the hub sums alone what a registry without digests answers."""
        return key_of_year(self.own, registry, year)

    def key_for(self, mode: str, registry: str, year: int) -> LinkKey:
        """Return the key of a link of this mode. Raises LinkSecretError: digests without master."""
        return self.key(registry, year) if mode == "digests" else self.own_key(registry, year)


NO_MASTER: Final = (
    "the hub has no link secret, so no registry is compared by digests. Make one with `itmo-hub "
    "reconcile secret new --out FILE`, name the file in the setting `reconciliation.secret`, and "
    "start the hub again; then hand each registry its own (`itmo-hub reconcile secret CODE --out "
    "FILE`). Until then a registry can be compared by totals (`itmo-hub reconcile mode CODE "
    "totals`)"
)


def new_secret() -> bytes:
    """Return a new master secret: 32 random bytes."""
    return os.urandom(SECRET_BYTES)


def read_secret(path: Path, code: str) -> bytes:
    """Return the secret in a file, 32 bytes. Raises LinkSecretError unless it is that of ``code``.

    Neither the message nor anything else repeats what the file holds.
    """
    try:
        text = read_secret_file(path).decode("ascii", "replace")
    except KeyFileError as error:
        raise LinkSecretError(f"the link secret cannot be used: {error.detail}") from error
    read = _LINE.fullmatch(text)
    if read is None:
        raise LinkSecretError(
            f"{path} is no link secret: one line, `{FORMAT} CODE` and 64 hexadecimal digits"
        )
    if read[1] != code:
        raise LinkSecretError(f"{path} is the link secret of {read[1]}, not of {code}")
    return bytes.fromhex(read[2])


def write_secret(path: Path, code: str, secret: bytes) -> None:
    """Write a secret to a new file of mode 0600. Raises KeyFileError, also if the file exists."""
    write_new_file(path, f"{FORMAT} {code} {secret.hex()}\n".encode(), 0o600)
