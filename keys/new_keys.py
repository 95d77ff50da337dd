"""Makes a key and the three files that go with it; none of them overwrites another.

1. `NAME.key`: the private key, encrypted, mode 0600.
2. `NAME.public.json`: its public key document.
3. `NAME.proof.jws`: the document signed by the key itself, for whoever registers it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from keys.algorithms import Algorithm
from keys.documents import render_document
from keys.key_files import save_encrypted, write_new_file
from keys.key_ids import fingerprint
from keys.key_uris import file_uri
from keys.local_signer import LocalSigner, generate_key
from keys.possession import sign_possession
from keys.public_keys import KeyRecord, PublicKey

__all__ = ["NewKey", "make_key"]


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made: its record, and where its files are."""

    record: KeyRecord
    key_path: Path
    document_path: Path
    proof_path: Path

    def described(self, passphrase_env: str | None) -> dict[str, object]:
        """Return what its owner must know of it; the URI names the passphrase's variable."""
        return {
            "key_id": self.record.key_id,
            "uri": file_uri(self.key_path, passphrase_env),
            "document": str(self.document_path),
            "proof": str(self.proof_path),
            "fingerprint": fingerprint(self.record.public_key_der),
        }


def make_key(
    directory: Path,
    participant: str,
    algorithm: Algorithm,
    passphrase: str,
    valid_from: datetime,
    *,
    valid_until: datetime | None = None,
    name: str | None = None,
) -> NewKey:
    """Make a key in a directory, which is made if missing; `name` begins the files' names.

    Raises:
        KeyFileError: a file is there already or cannot be written, or the passphrase is too short.
        KeysError: the window is none.
        OSError: the directory cannot be made.
    """
    key = generate_key(algorithm)
    signer = LocalSigner(key, participant)
    public = PublicKey.from_der(participant, signer.public_key_der)
    record = KeyRecord.of(public, valid_from, valid_until)
    folder = directory.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stem = name or signer.key_id
    made = NewKey(
        record,
        folder / f"{stem}.key",
        folder / f"{stem}.public.json",
        folder / f"{stem}.proof.jws",
    )
    save_encrypted(made.key_path, key, passphrase)
    write_new_file(made.document_path, render_document(record), 0o644)
    proof = sign_possession(signer, participant, valid_from=valid_from, valid_until=valid_until)
    write_new_file(made.proof_path, proof, 0o644)
    return made
