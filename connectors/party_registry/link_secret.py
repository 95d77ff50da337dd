"""The secret that this registry shares with the hub for comparing books, and the keys made of it.

It comes as a file of one line, `itmo-hub-link-secret/1 CHE01` and 64 hexadecimal digits, that only
its owner may read; the hub's operator writes it with `itmo-hub reconcile secret`. The key of a
calendar year is made by both sides alike, so a new year needs no message.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from keys.errors import KeyFileError
from keys.key_files import read_secret_file

__all__ = ["HOW_TO_GET_ONE", "LinkSecret", "read_link_secret"]

HOW_TO_GET_ONE: Final = (
    "ask the hub's operator for the secret of this link (`itmo-hub reconcile secret CODE --out "
    "FILE`), keep the file with mode 0600, and name it in the settings as reconciliation_secret"
)
_FORM: Final = re.compile(rb"itmo-hub-link-secret/1 ([A-Z]{3}[0-9]{2}) ([0-9a-f]{64})\s*")
_LABEL: Final = b"itmo-hub/reconciliation/digest-key/v1"
_KEY_ID: Final = re.compile(r"([A-Z]{3}[0-9]{2})-([0-9]{4})")


@dataclass(frozen=True, slots=True)
class LinkSecret:
    """The secret of the link between the hub and `participant`; never printed."""

    participant: str
    secret: bytes = field(repr=False)

    def key_named(self, key_id: str, this_year: int) -> bytes | None:
        """Return the 64 bytes of a key such as `CHE01-2026`.

        Nothing, if it is another registry's, or not of this year or one beside it: so nobody can
        make us build sums for every year there is.
        """
        named = _KEY_ID.fullmatch(key_id)
        if named is None or named[1] != self.participant or abs(int(named[2]) - this_year) > 1:
            return None
        message = b"\n".join((_LABEL, named[1].encode(), named[2].encode()))
        return hmac.new(self.secret, message, hashlib.sha512).digest()


def read_link_secret(path: Path, participant: str) -> LinkSecret:
    """Read the file of a link's secret.

    Raises:
        KeyFileError: it is missing, open to others, not of the form above, or another link's.
    """
    found = _FORM.fullmatch(read_secret_file(path))
    if found is None:
        raise KeyFileError(f"{path} is no link secret: {HOW_TO_GET_ONE}")
    if found[1].decode() != participant:
        raise KeyFileError(f"{path} is the secret of {found[1].decode()}, not of {participant}")
    return LinkSecret(participant, bytes.fromhex(found[2].decode()))
