"""Key ids follow from the participant and the key, and from nothing else."""

import hashlib

import pytest

from keys.algorithms import Algorithm
from keys.key_ids import fingerprint, is_key_id, is_participant, make_key_id, participant_of
from tests.keys.support import seeded_signer


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_key_id_is_participant_and_digest(algorithm: Algorithm) -> None:
    """It is the code, a hyphen, and 16 digits of the SHA-256 of the SubjectPublicKeyInfo."""
    signer = seeded_signer(algorithm)
    digest = hashlib.sha256(signer.public_key_der).hexdigest()
    assert signer.key_id == f"THA01-{digest[:16]}"
    assert fingerprint(signer.public_key_der) == digest
    assert participant_of(signer.key_id) == "THA01"
    assert is_key_id(signer.key_id)


@pytest.mark.parametrize("code", ["", "THA1", "tha01", "THA01 ", "THA001", "THA0١", "THA01\n"])
def test_a_malformed_participant_gets_no_key_id(code: str) -> None:
    """Only three capitals and two ASCII digits are a participant code."""
    assert not is_participant(code)
    with pytest.raises(ValueError, match="not a participant code"):
        make_key_id(code, b"any")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "THA01",
        "THA01-",
        "THA01-0123456789abcde",
        "THA01-0123456789ABCDEF",
        "THA01-0123456789abcdef0",
        "THA01-0123456789abcdef\n",
        "tha01-0123456789abcdef",
    ],
)
def test_a_malformed_key_id_names_nobody(text: str) -> None:
    """The form is exact: length, lower case, no line end."""
    assert not is_key_id(text)
    with pytest.raises(ValueError, match="not a key id"):
        participant_of(text)
