"""Passkeys (WebAuthn): what a browser is asked, and whether its answer is right.

1. The device must verify its user (by PIN, finger or face), so a passkey is two factors in one.
2. It is made for the console's host (RP id) and answers on the console's address (origin) alone:
   another site can neither ask it nor pass its answer on.
3. A device that counts must count on; a count that stands still or goes back is of a copied key.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import webauthn
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, options_to_json_dict
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

RP_NAME: Final = "ITMO Hub"
CHALLENGE_BYTES: Final = 32
CREDENTIAL_ID_BYTES_MAX: Final = 1_023
"""As WebAuthn has it."""


class PasskeyRefusedError(Exception):
    """A device's answer is not what was asked for; the message is for the log, not for pages."""


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """A passkey as its device made it; ``public_key`` is COSE."""

    credential_id: bytes
    public_key: bytes
    sign_count: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a device answered to a question: with which passkey, for whom if it says so."""

    credential_id: bytes
    person_id: str | None
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """The console as devices know it."""

    rp_id: str
    origin: str

    @classmethod
    def of(cls, url: str) -> "RelyingParty":
        """Return the relying party at the console's address."""
        return cls(urlsplit(url).hostname or "", url.rstrip("/"))

    @property
    def is_possible(self) -> bool:
        """Tell whether browsers make passkeys here: for names, not for numbers."""
        try:
            ip_address(self.rp_id)
        except ValueError:
            return bool(self.rp_id)
        return False

    def options_to_make(
        self,
        person_id: str,
        name: str,
        display_name: str,
        challenge: bytes,
        existing: Sequence[bytes],
    ) -> dict[str, Any]:
        """Return what a browser is asked to make a passkey with; not on a device that has one."""
        options = webauthn.generate_registration_options(
            rp_id=self.rp_id,
            rp_name=RP_NAME,
            user_id=UUID(person_id).bytes,
            user_name=name,
            user_display_name=display_name,
            challenge=challenge,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=one) for one in existing],
        )
        return dict(options_to_json_dict(options))

    def options_to_sign_in(self, challenge: bytes) -> dict[str, Any]:
        """Return what a browser is asked to sign in with; whoever's passkeys the device has."""
        options = webauthn.generate_authentication_options(
            rp_id=self.rp_id,
            challenge=challenge,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return dict(options_to_json_dict(options))

    def made(self, credential: str, challenge: bytes) -> NewPasskey:
        """Return the passkey that a device made. Raises PasskeyRefusedError."""
        try:
            verified = webauthn.verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self.rp_id,
                expected_origin=self.origin,
                require_user_verification=True,
            )
        except Exception as error:  # whatever the library raises at a stranger's bytes
            raise PasskeyRefusedError(f"the new passkey is refused: {error}") from error
        if not 1 <= len(verified.credential_id) <= CREDENTIAL_ID_BYTES_MAX:
            raise PasskeyRefusedError("the new passkey has an id of no possible length")
        return NewPasskey(
            verified.credential_id, verified.credential_public_key, verified.sign_count
        )

    def count_after(
        self, answer: Answer, challenge: bytes, public_key: bytes, sign_count: int
    ) -> int:
        """Return a passkey's new count, if its answer is right. Raises PasskeyRefusedError."""
        try:
            verified = webauthn.verify_authentication_response(
                credential=answer.document,
                expected_challenge=challenge,
                expected_rp_id=self.rp_id,
                expected_origin=self.origin,
                credential_public_key=public_key,
                credential_current_sign_count=sign_count,
                require_user_verification=True,
            )
        except Exception as error:  # whatever the library raises at a stranger's bytes
            raise PasskeyRefusedError(f"the passkey's answer is refused: {error}") from error
        return verified.new_sign_count


def read_answer(credential: str) -> Answer:
    """Return a device's answer, not judged yet. Raises PasskeyRefusedError."""
    try:
        document = json.loads(credential)
        credential_id = base64url_to_bytes(document["rawId"])
        handle = document["response"].get("userHandle")
        person_id = None if handle is None else str(UUID(bytes=base64url_to_bytes(handle)))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise PasskeyRefusedError("this is no answer of a passkey") from error
    return Answer(credential_id, person_id, document)


def text_of(value: bytes) -> str:
    """Return bytes as WebAuthn writes them."""
    return bytes_to_base64url(value)


def bytes_of(text: str) -> bytes:
    """Return what ``text_of`` wrote. Raises PasskeyRefusedError."""
    try:
        return base64url_to_bytes(text)
    except ValueError as error:
        raise PasskeyRefusedError("this is no id of a passkey") from error
