"""A key that is made: three files, none of them ever overwritten, one secret among them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from keys.algorithms import Algorithm
from keys.documents import parse_document
from keys.errors import KeyFileError
from keys.new_keys import make_key
from keys.possession import verify_possession
from keys.signing import open_signer

PASSPHRASE = "correct horse battery staple"
NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_made_key_opens_and_its_papers_are_its_own(tmp_path: Path, algorithm: Algorithm) -> None:
    """The private key opens by its URI; document and proof say the same key and window."""
    made = make_key(tmp_path / "new", "THA01", algorithm, PASSPHRASE, NOW)
    uri = str(made.described("PASS")["uri"])
    signer = open_signer(uri, participant="THA01", environment={"PASS": PASSPHRASE})
    assert (signer.key_id, signer.algorithm) == (made.record.key_id, algorithm)
    assert parse_document(made.document_path.read_bytes()) == made.record
    assert verify_possession(made.proof_path.read_bytes()) == made.record
    assert made.record.valid_from == NOW
    assert made.key_path.stat().st_mode & 0o077 == 0
    assert PASSPHRASE.encode() not in made.key_path.read_bytes()


def test_no_file_of_a_key_is_overwritten(tmp_path: Path) -> None:
    """A second key of the same name is refused, and the first one stays."""
    first = make_key(tmp_path, "THA01", Algorithm.ES256, PASSPHRASE, NOW, name="signing")
    kept = first.key_path.read_bytes()
    with pytest.raises(KeyFileError, match="exists"):
        make_key(tmp_path, "THA01", Algorithm.ES256, PASSPHRASE, NOW, name="signing")
    assert first.key_path.read_bytes() == kept


def test_a_short_passphrase_makes_nothing(tmp_path: Path) -> None:
    """The folder stays empty."""
    with pytest.raises(KeyFileError, match="12 characters"):
        make_key(tmp_path, "THA01", Algorithm.ES256, "too short", NOW)
    assert not list(tmp_path.iterdir())
