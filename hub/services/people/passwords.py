"""Passwords: which are taken, how they are kept, and what it costs to try one.

1. Length counts, nothing else is demanded (NIST SP 800-63B). Refused are a person's own name, one
   thing over and over, and the commonest of the long ones.
2. They are kept as argon2id with the parameters of RFC 9106's second choice. A hash made with
   others is made anew when its person signs in.
3. To try a password for a name that nobody has takes as long as for one that somebody has.
4. At most ``HASHING_MAX`` are tried at once, a few more wait, whoever comes then is sent away: a
   flood of sign-ins takes neither the memory nor the processors from the rest.
"""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from threading import BoundedSemaphore, Lock
from typing import Final

from argon2 import PasswordHasher, profiles
from argon2.exceptions import InvalidHashError, VerificationError

from hub.services.people.common_passwords import COMMON

CHARACTERS_MIN: Final = 12
CHARACTERS_MAX: Final = 200
HASHING_MAX: Final = 2
WAITING_MAX: Final = 6
_DIFFERENT_MIN: Final = 5
_WITHOUT_NAME_MIN: Final = 8


class Rule(StrEnum):
    """What a password may break."""

    LENGTH = "length"
    CHARACTERS = "characters"
    COMMON = "common"
    REPEATED = "repeated"
    NAME = "name"


SAID: Final = {
    Rule.LENGTH: f"a password has {CHARACTERS_MIN} to {CHARACTERS_MAX} characters",
    Rule.CHARACTERS: "a password has no control characters",
    Rule.COMMON: "this is one of the first passwords that others would try",
    Rule.REPEATED: "this repeats a few characters; others would soon guess it",
    Rule.NAME: "this is little more than the name of its owner",
}


class PasswordRefusedError(ValueError):
    """A password is not taken, because of ``rule``."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(SAID[rule])
        self.rule = rule


class BusyError(Exception):
    """More people sign in at this moment than passwords can be tried."""


class Passwords:
    """Makes and checks hashes of passwords, a few at a time."""

    def __init__(
        self,
        hasher: PasswordHasher | None = None,
        *,
        hashing_max: int = HASHING_MAX,
        waiting_max: int = WAITING_MAX,
    ) -> None:
        self._hasher = hasher or PasswordHasher.from_parameters(profiles.RFC_9106_LOW_MEMORY)
        self._nobody = self._hasher.hash("a password that nobody has")
        self._places = BoundedSemaphore(hashing_max)
        self._here = 0
        self._here_max = hashing_max + waiting_max
        self._lock = Lock()

    @property
    def present(self) -> int:
        """How many tries are being made or wait."""
        return self._here

    def hash(self, password: str) -> str:
        """Return how a password is kept. Raises BusyError."""
        with self._place():
            return self._hasher.hash(normal(password))

    def matches(self, password_hash: str | None, password: str) -> bool:
        """Tell whether it is the password; None is nobody's, and takes as long.

        Raises BusyError.
        """
        with self._place():
            try:
                self._hasher.verify(password_hash or self._nobody, normal(password))
            except (VerificationError, InvalidHashError):
                return False
            return password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Tell whether a hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    @contextmanager
    def _place(self) -> Iterator[None]:
        with self._lock:
            if self._here >= self._here_max:
                raise BusyError("too many people are signing in at this moment")
            self._here += 1
        try:
            with self._places:
                yield
        finally:
            with self._lock:
                self._here -= 1


def normal(password: str) -> bytes:
    """Return a password as it is hashed, however a keyboard composes its letters.

    What is longer than any password may be is cut: it is wrong in any case.
    """
    composed = unicodedata.normalize("NFKC", password[: CHARACTERS_MAX + 1])
    return composed.encode("utf-8", "surrogatepass")


def require_good(password: str, names: tuple[str, ...]) -> None:
    """Raise PasswordRefusedError for a password that is not taken from a person of these names."""
    if not CHARACTERS_MIN <= len(password) <= CHARACTERS_MAX:
        raise PasswordRefusedError(Rule.LENGTH)
    if any(not one.isprintable() for one in password):
        raise PasswordRefusedError(Rule.CHARACTERS)
    folded = unicodedata.normalize("NFKC", password).casefold()
    bare = "".join(one for one in folded if one.isalnum())
    if folded in COMMON or bare in COMMON or bare.strip("0123456789") in COMMON:
        raise PasswordRefusedError(Rule.COMMON)
    if len(set(folded)) < _DIFFERENT_MIN or _is_repeated(folded):
        raise PasswordRefusedError(Rule.REPEATED)
    for name in names:
        for part in _parts(name):
            if part in folded and len(folded.replace(part, "")) < _WITHOUT_NAME_MIN:
                raise PasswordRefusedError(Rule.NAME)


def _parts(name: str) -> list[str]:
    folded = name.casefold()
    pieces = "".join(one if one.isalnum() else " " for one in folded).split()
    return [one for one in {folded, "".join(pieces), *pieces} if len(one) >= 4]


def _is_repeated(text: str) -> bool:
    """Tell whether a text is one piece over and over, twice at least."""
    return any(
        text == (text[:length] * (len(text) // length + 1))[: len(text)]
        for length in range(1, len(text) // 2 + 1)
    )
