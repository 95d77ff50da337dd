"""Whom the readers of made evidence trust: a log, three witnesses, and the anchors of them."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hub.transparency_log.checkpoints import Checkpoint
from hub.transparency_log.cosignatures import cosign
from hub.transparency_log.notes import Note, SignatureType, VerifierKey, sign_note
from keys.algorithms import Algorithm, load_public_key
from keys.local_signer import LocalSigner
from tests.keys import support

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
ORIGIN = "itmo-hub.invalid/xhb01"
HUB, SELLER, BUYER = "XHB01", "THA01", "CHE01"
Signers = Sequence[LocalSigner]
Json = dict[str, Any]


def seeded_signer(
    algorithm: Algorithm = Algorithm.ED25519, participant: str = SELLER, seed: str = "one"
) -> LocalSigner:
    """Return a signer whose key is no other participant's."""
    return support.seeded_signer(algorithm, participant, f"{participant} {seed}")


def raw_key(signer: LocalSigner) -> bytes:
    """Return the raw public key of a signer, as vkeys carry it."""
    _, native = load_public_key(signer.public_key_der)
    return native.public_bytes_raw()  # type: ignore[union-attr]  # no EC key signs notes


def note_key(name: str, type_: SignatureType, signer: LocalSigner) -> VerifierKey:
    """Return the verifier key of a log or witness."""
    return VerifierKey(name, type_, raw_key(signer))


@dataclass(slots=True)
class Trusted:
    """Keys of the log and of three witnesses, and the anchors made of them."""

    log_signer: LocalSigner = field(default_factory=lambda: seeded_signer(participant=HUB))
    settling: LocalSigner = field(
        default_factory=lambda: seeded_signer(Algorithm.ML_DSA_44, HUB, "settling")
    )
    witnesses: Mapping[str, LocalSigner] = field(
        default_factory=lambda: {
            "w1.example": seeded_signer(participant="CHE01", seed="w1"),
            "w2.example": seeded_signer(participant="GHA01", seed="w2"),
            "w3.example": seeded_signer(Algorithm.ML_DSA_44, "THA01", "w3"),
        }
    )

    @property
    def log_key(self) -> VerifierKey:
        """The log's Ed25519 key."""
        return note_key(ORIGIN, SignatureType.ED25519, self.log_signer)

    @property
    def settling_key(self) -> VerifierKey:
        """The log's ML-DSA-44 key."""
        return note_key(ORIGIN, SignatureType.COSIGNATURE_ML_DSA_44, self.settling)

    def witness_key(self, name: str) -> VerifierKey:
        """Return a witness's key."""
        signer = self.witnesses[name]
        pq = signer.algorithm is Algorithm.ML_DSA_44
        kind = SignatureType.COSIGNATURE_ML_DSA_44 if pq else SignatureType.COSIGNATURE_ED25519
        return note_key(name, kind, signer)

    def sign(
        self, checkpoint: Checkpoint, cosigners: Sequence[str], *, settle: bool = False
    ) -> str:
        """Return the signed and cosigned note of a checkpoint."""
        lines = [sign_note(checkpoint.text, self.log_key, self.log_signer.sign)]
        seconds = int(START.timestamp()) + 600
        if settle:
            lines.append(cosign(checkpoint, self.settling_key, self.settling.sign, seconds))
        for name in cosigners:
            signer = self.witnesses[name]
            lines.append(cosign(checkpoint, self.witness_key(name), signer.sign, seconds))
        return Note(checkpoint.text, tuple(lines)).render()

    def policy(self, quorum: str = "group two 2 w1 w2 w3\nquorum two\n") -> str:
        """Return a tlog-policy that names the log and all witnesses."""
        named = "".join(
            f"witness {name.partition('.')[0]} {self.witness_key(name).vkey}\n"
            for name in self.witnesses
        )
        return f"log {self.log_key.vkey}\nlog {self.settling_key.vkey}\n{named}{quorum}"

    def anchor(self, *pinned: LocalSigner, hub: Signers = (), quorum: str | None = None) -> bytes:
        """Return an itmo-anchor/1 document."""
        policy = self.policy() if quorum is None else self.policy(quorum)
        return json.dumps(
            {
                "format": "itmo-anchor/1",
                "policy": policy,
                "hub_keys": [_pin(one) for one in hub],
                "participant_keys": [_pin(one) for one in pinned],
            }
        ).encode()


def _pin(signer: LocalSigner) -> Json:
    public = base64.b64encode(signer.public_key_der).decode()
    return {"key_id": signer.key_id, "public_key": public}
