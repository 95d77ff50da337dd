"""Nobody registers a key they do not hold."""

import json
from dataclasses import replace

import pytest

from keys import base64url, jws
from keys.algorithms import Algorithm
from keys.documents import render_document
from keys.errors import (
    JwsFault,
    MalformedDocumentError,
    MalformedJwsError,
    MalformedKeyError,
    PossessionInvalidError,
)
from keys.possession import KEY_DOCUMENT_TYP, sign_possession, verify_possession
from tests.keys.support import END, NOW, START, TYP, raw_jws, record, seeded_signer

SIGNER = seeded_signer()
OTHER = seeded_signer(seed="other")


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_key_vouches_for_its_own_document(algorithm: Algorithm) -> None:
    """Each kind of key, ML-DSA-65 alone too, proves its possession; the window is in the proof."""
    signer = seeded_signer(algorithm)
    raw = sign_possession(signer, "THA01", valid_from=START, valid_until=END)
    assert verify_possession(raw) == record(signer)


def test_a_document_signed_by_another_key_proves_nothing() -> None:
    """Neither with the other key's id nor under the id of the key described."""
    document = render_document(record(SIGNER))
    with pytest.raises(PossessionInvalidError, match="signed by"):
        verify_possession(jws.sign(document, KEY_DOCUMENT_TYP, [OTHER]))
    header = {"alg": "Ed25519", "kid": SIGNER.key_id, "typ": KEY_DOCUMENT_TYP}
    with pytest.raises(PossessionInvalidError, match="wrong"):
        verify_possession(raw_jws(header, document, OTHER))


def test_a_document_has_one_signature() -> None:
    """A second signature would vouch for nothing that is described."""
    post_quantum = seeded_signer(Algorithm.ML_DSA_65)
    document = render_document(record(SIGNER))
    with pytest.raises(PossessionInvalidError):
        verify_possession(jws.sign(document, KEY_DOCUMENT_TYP, [SIGNER, post_quantum]))


def test_a_message_is_no_key_document() -> None:
    """A signature made for another purpose, over the same bytes, is not accepted for this one."""
    with pytest.raises(MalformedJwsError) as caught:
        verify_possession(jws.sign(render_document(record(SIGNER)), TYP, [SIGNER]))
    assert caught.value.reason == JwsFault.TYP_UNEXPECTED


def test_the_payload_must_be_a_document_of_a_living_key() -> None:
    """Other payloads are malformed, and so is a key that arrives revoked."""
    for payload in (b"{}", render_document(record(SIGNER, revoked_at=NOW))):
        with pytest.raises(MalformedDocumentError):
            verify_possession(jws.sign(payload, KEY_DOCUMENT_TYP, [SIGNER]))


def test_a_signer_proves_possession_for_its_own_participant_only() -> None:
    """The same key for another participant is another key id; that is for its own signer."""
    with pytest.raises(PossessionInvalidError, match="speaks as"):
        sign_possession(SIGNER, "CHE01", valid_from=START)
    with pytest.raises(MalformedKeyError):
        sign_possession(SIGNER, "che01", valid_from=START)


def test_a_stolen_document_cannot_be_moved_to_another_window() -> None:
    """The window is under the signature: with another one the signature is wrong."""
    raw = sign_possession(SIGNER, "THA01", valid_from=START, valid_until=END)
    value = json.loads(raw)
    value["payload"] = base64url.encode(render_document(replace(record(SIGNER), valid_until=None)))
    with pytest.raises(PossessionInvalidError, match="wrong"):
        verify_possession(json.dumps(value).encode())
