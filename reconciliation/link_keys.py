"""The key of the sums: one per link and year, made by both sides from the link's secret.

1. When a registry joins, the hub and it agree on a secret of at least 32 bytes for their link.
2. The key of a year is HMAC-SHA512 under that secret of a label, the registry and the year: 64
   bytes, so rotation needs no message, and a key of one year tells nothing of another's.
3. A key has an id, ``KEN01-2026``; a cut names it. A new year's table is built beside the old one,
   and the old one goes when the first cut under the new key has been answered.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

KEY_BYTES: Final = 64
_SECRET_BYTES_MIN: Final = 32
_LABEL: Final = b"itmo-hub/reconciliation/digest-key/v1"
_CHECK_LABEL: Final = b"itmo-hub/reconciliation/digest-key-check/v1"


@dataclass(frozen=True, slots=True)
class LinkKey:
    """The key of one link for one calendar year (UTC); ``secret`` is 64 bytes and never printed."""

    registry: str
    year: int
    secret: bytes = field(repr=False)

    @property
    def key_id(self) -> str:
        """Return the name by which both sides know the key."""
        return f"{self.registry}-{self.year}"

    @property
    def check(self) -> bytes:
        """Return a check value of 8 bytes: it tells this key from others, and nothing of it."""
        return hmac.new(self.secret, _CHECK_LABEL, hashlib.sha256).digest()[:8]


def key_of_year(link_secret: bytes, registry: str, year: int) -> LinkKey:
    """Return the link's key for a year; ValueError if the link's secret is too short."""
    if len(link_secret) < _SECRET_BYTES_MIN:
        raise ValueError(f"the secret of a link has at least {_SECRET_BYTES_MIN} bytes")
    message = b"\n".join((_LABEL, registry.encode(), str(year).encode()))
    return LinkKey(registry, year, hmac.new(link_secret, message, hashlib.sha512).digest())
