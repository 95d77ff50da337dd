"""Whose key is it, and since when? Key ids, trust, rotation, verification and signing.

Pure, values in and values out:

- `errors`: every refusal, each with a reason that never changes.
- `base64url`, `algorithms`, `key_ids`, `public_keys`: the words, read strictly.
- `trust`: which key may speak for whom, and when; with which suites.
- `jws`: signed objects, opened, verified over the exact bytes, and made.
- `xml_reading`, `xml_signatures`: XML without surprises; signed XML documents, likewise.
- `documents`, `possession`: public key documents, and the proof that one holds the key.
- `rotation`: changing keys with an overlap; countdowns and gaps.
- `signer`: the shape every private key shows.

Shell, where secrets, files and tokens are:

- `local_signer`, `key_files`, `key_uris`, `hsm`: private keys in memory, files, variables, tokens.
- `signing`: opens a signer by URI; `new_keys`: makes a key, with its files.
- `cli`: the commands `generate`, `show` and `possession`.

The names below are what other packages should need; `xml_reading`, `xml_signatures`, `hsm` and
`cli` are imported by those who use them.
"""

from keys.algorithms import SUITES, Algorithm
from keys.documents import from_document, parse_document, render_document, to_document
from keys.errors import (
    JwsFault,
    KeyExpiredError,
    KeyNotTrustedError,
    KeyNotYetValidError,
    KeyOfAnotherParticipantError,
    KeyRevokedError,
    KeysError,
    KeyUnknownError,
    MalformedDocumentError,
    MalformedJwsError,
    MalformedKeyError,
    MalformedXmlError,
    PossessionInvalidError,
    SignatureInvalidError,
    SignerError,
    SuiteNotAcceptedError,
    TrustStoreError,
    XmlFault,
)
from keys.jws import UnverifiedJws, VerifiedJws, open_signed, sign, verify
from keys.key_ids import make_key_id, participant_of
from keys.possession import sign_possession, verify_possession
from keys.public_keys import KeyRecord, PublicKey
from keys.rotation import RotationError, RotationPlan, coverage_gaps, expiring, plan_rotation
from keys.signer import Signer
from keys.trust import TrustStore

__all__ = [
    "SUITES",
    "Algorithm",
    "JwsFault",
    "KeyExpiredError",
    "KeyNotTrustedError",
    "KeyNotYetValidError",
    "KeyOfAnotherParticipantError",
    "KeyRecord",
    "KeyRevokedError",
    "KeyUnknownError",
    "KeysError",
    "MalformedDocumentError",
    "MalformedJwsError",
    "MalformedKeyError",
    "MalformedXmlError",
    "PossessionInvalidError",
    "PublicKey",
    "RotationError",
    "RotationPlan",
    "SignatureInvalidError",
    "Signer",
    "SignerError",
    "SuiteNotAcceptedError",
    "TrustStore",
    "TrustStoreError",
    "UnverifiedJws",
    "VerifiedJws",
    "XmlFault",
    "coverage_gaps",
    "expiring",
    "from_document",
    "make_key_id",
    "open_signed",
    "parse_document",
    "participant_of",
    "plan_rotation",
    "render_document",
    "sign",
    "sign_possession",
    "to_document",
    "verify",
    "verify_possession",
]
