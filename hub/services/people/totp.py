"""Codes of an authenticator app (RFC 6238): six digits every 30 seconds, each good once.

The secret is shown once, when it is set up, and kept sealed. A code is taken one step early or
late, for clocks; the step it is of, and all before, count no more.
"""

import re
from base64 import b32encode
from dataclasses import dataclass, field
from datetime import datetime
from os import urandom
from typing import Final

import pyotp
import segno
from pyotp.exceptions import OTPVerificationError

ISSUER: Final = "ITMO Hub"
SECRET_BYTES: Final = 20
STEPS_EARLY_OR_LATE: Final = 1
_CODE: Final = re.compile(r"[0-9]{6}")
_QR_MODULE: Final = 4


@dataclass(frozen=True, slots=True)
class NewCodes:
    """What an authenticator app is given: as a picture, as a link, or typed in groups of four."""

    secret: bytes = field(repr=False)
    uri: str = field(repr=False)

    @property
    def typed(self) -> str:
        """Return the secret as somebody types it."""
        text = _text(self.secret)
        return " ".join(text[at : at + 4] for at in range(0, len(text), 4))

    @property
    def picture(self) -> str:
        """Return the QR code as an SVG in a ``data:`` address."""
        return str(
            segno.make_qr(self.uri, error="m").svg_data_uri(
                scale=_QR_MODULE, dark="#000", light="#fff", encode_minimal=True
            )
        )


def new_codes(name: str, hub: str) -> NewCodes:
    """Return a new secret for a person of a hub."""
    return codes_of(urandom(SECRET_BYTES), name, hub)


def codes_of(secret: bytes, name: str, hub: str) -> NewCodes:
    """Return what an app is given for a secret."""
    uri = _totp(secret).provisioning_uri(name=name, issuer_name=f"{ISSUER} {hub}")
    return NewCodes(secret, uri)


def step_of(secret: bytes, code: str, now: datetime) -> int | None:
    """Return the time step that a code is of; None if it is of none about now."""
    digits = "".join(code.split())
    if not _CODE.fullmatch(digits):
        return None
    try:
        return _totp(secret).verify_and_get_timecode(
            digits, for_time=now, valid_window=STEPS_EARLY_OR_LATE
        )
    except OTPVerificationError:
        return None


def _text(secret: bytes) -> str:
    return b32encode(secret).decode().rstrip("=")


def _totp(secret: bytes) -> pyotp.TOTP:
    return pyotp.TOTP(_text(secret))
