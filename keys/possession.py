"""Proof of possession: nobody registers a key they do not hold.

The public key document, signed as a JWS of type `itmo-key+jws` by the very key it describes. It
proves that whoever made it held the private key and meant it for this participant and window; it
does not prove who that was: the participant's older key, or the secretariat, vouches for that.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from keys.documents import parse_document, render_document
from keys.errors import MalformedDocumentError, PossessionInvalidError, SignatureInvalidError
from keys.jws import KEY_DOCUMENT_TYP, check_signature, open_signed, sign
from keys.public_keys import KeyRecord, PublicKey
from keys.signer import Signer

__all__ = ["KEY_DOCUMENT_TYP", "sign_possession", "verify_possession"]

_PROOF_BYTES_MAX: Final = 64 * 1024


def sign_possession(
    signer: Signer,
    participant: str,
    *,
    valid_from: datetime,
    valid_until: datetime | None = None,
) -> bytes:
    """Return the signer's own key document for this window, signed by itself (JWS, UTF-8).

    Raises:
        MalformedKeyError: the window is empty, a time has no zone, the code is malformed.
        PossessionInvalidError: the signer was opened for another participant.
        SignerError: the key cannot be used now.
    """
    key = PublicKey.from_der(participant, signer.public_key_der)
    if key.key_id != signer.key_id:
        raise PossessionInvalidError(f"the signer speaks as {signer.key_id}, not as {key.key_id}")
    record = KeyRecord.of(key, valid_from, valid_until)
    return sign(render_document(record), KEY_DOCUMENT_TYP, [signer])


def verify_possession(raw: bytes) -> KeyRecord:
    """Return the record of a self-signed key document, if its own key signed it.

    Raises:
        MalformedJwsError: the bytes are not a signed object of this type.
        MalformedDocumentError: the payload is not a key document.
        PossessionInvalidError: another key signed, or more than one, or it comes revoked.
    """
    unverified = open_signed(raw, KEY_DOCUMENT_TYP, jws_bytes_max=_PROOF_BYTES_MAX)
    record = parse_document(unverified.payload)
    if unverified.key_ids != (record.key_id,):
        raise PossessionInvalidError(f"signed by {unverified.key_ids}, not by {record.key_id}")
    if record.revoked_at is not None:
        raise MalformedDocumentError("a key cannot be announced as revoked")
    try:
        check_signature(unverified.signatures[0], record)
    except SignatureInvalidError as error:
        raise PossessionInvalidError(error.detail) from error
    return record
