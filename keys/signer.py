"""What it takes to sign: the shape every private key shows, wherever it lives.

A signer is handed over by whoever opened it (`keys.signing`): the code that signs neither knows
nor can learn whether the key is in a file or in a hardware module.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from keys.algorithms import Algorithm

__all__ = ["Signer"]


@runtime_checkable
class Signer(Protocol):
    """Signs with one private key that it never shows."""

    @property
    def key_id(self) -> str:
        """The id under which the public key is registered."""
        ...

    @property
    def algorithm(self) -> Algorithm:
        """The algorithm of the key."""
        ...

    @property
    def public_key_der(self) -> bytes:
        """The SubjectPublicKeyInfo of the public key, DER."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Return the signature of `data` as JWS carries it (ES256: r and s, 64 bytes).

        Raises:
            SignerError: the key cannot be used now.
        """
        ...
