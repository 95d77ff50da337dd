"""Signed objects: from bytes to a verified payload, and back (JWS General JSON, RFC 7515 §7.2.1).

1. Open: the bytes are one ASCII JSON object with exactly `payload` and `signatures`; one or two
   signatures, each exactly `protected` and `signature`; the protected header is exactly `alg`,
   `kid` and `typ`. Anything more or less is refused, so there is nothing to misread.
2. Verify: each key must be trusted for the participant at the time, each signature must match the
   exact characters that arrived, and the algorithms together must be a suite of its policy.
3. Only then look at the payload, whose bytes are kept as they came and never written anew.

Whatever the bytes are, the errors of `keys.errors` are all that can come out. Why `cryptography`
is called directly stands in docs/adr/0002.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from keys import base64url
from keys.algorithms import (
    SUITES,
    Algorithm,
    is_post_quantum,
    load_public_key,
    parse_algorithm,
    signature_is_valid,
    signs_messages,
    suite_name,
)
from keys.errors import (
    JwsFault,
    MalformedJwsError,
    SignatureInvalidError,
    SignerError,
    SuiteNotAcceptedError,
)
from keys.key_ids import is_key_id
from keys.public_keys import PublicKey
from keys.signer import Signer
from keys.trust import TrustStore

__all__ = [
    "JWS_BYTES_MAX",
    "KEY_DOCUMENT_TYP",
    "SIGNATURE_COUNT_MAX",
    "JwsSignature",
    "UnverifiedJws",
    "VerifiedJws",
    "check_signature",
    "open_signed",
    "sign",
    "verify",
]

JWS_BYTES_MAX: Final = 64 * 1024 * 1024
"""The last resort; each door sets a smaller limit of its own before it comes here."""
KEY_DOCUMENT_TYP: Final = "itmo-key+jws"
"""The one type that a key of no suite may sign: its own key document, as proof of possession."""
SIGNATURE_COUNT_MAX: Final = 2
_HEADER_CHARACTERS_MAX: Final = 512
_TYP_CHARACTERS_MAX: Final = 64


def _object_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member occurs twice")
    return members


# Made once: json.loads would make a decoder for each message, at a fifth of the cost of opening.
_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object_once)


@dataclass(frozen=True, slots=True)
class JwsSignature:
    """One signature of a signed object, read but not verified.

    `signing_input` is the ASCII text of protected header, dot and payload, as it arrived.
    """

    algorithm: Algorithm
    key_id: str
    signing_input: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class UnverifiedJws:
    """A well-formed signed object of which nothing is known to be true yet."""

    payload: bytes
    signatures: tuple[JwsSignature, ...]

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The key ids claimed, in the order of the signatures."""
        return tuple(item.key_id for item in self.signatures)

    @property
    def suite(self) -> str:
        """The algorithms claimed together, classical first; not always a known suite."""
        return suite_name(item.algorithm for item in self.signatures)


@dataclass(frozen=True, slots=True)
class VerifiedJws:
    """A payload, and the keys whose signatures over it were all found right."""

    payload: bytes
    key_ids: tuple[str, ...]
    suite: str


def open_signed(raw: bytes, typ: str, *, jws_bytes_max: int = JWS_BYTES_MAX) -> UnverifiedJws:
    """Read a signed object of the type `typ` without believing any of it.

    Raises:
        MalformedJwsError: the bytes are not of the form above; `reason` is a `JwsFault`.
    """
    payload_text, members = _split(raw, jws_bytes_max)
    # Decoded first: what is base64url is ASCII, so the text may be encoded below.
    payload = _decode(payload_text, "payload")
    tail = f".{payload_text}".encode("ascii")
    signatures = tuple(_read_signature(member, tail, typ) for member in members)
    if len({item.key_id for item in signatures}) != len(signatures):
        raise MalformedJwsError(JwsFault.KEY_REPEATED, "one key signed twice")
    return UnverifiedJws(payload, signatures)


def verify(
    unverified: UnverifiedJws, trust: TrustStore, participant: str, at: datetime
) -> VerifiedJws:
    """Check every signature with the keys that may speak for `participant` at the time `at`.

    Raises:
        KeyNotTrustedError: a key is unknown, of somebody else, or not valid then (its kinds).
        SuiteNotAcceptedError: the algorithms are not a suite that the participant may use.
        SignatureInvalidError: a signature does not match the bytes, or its key's algorithm.
    """
    keys = [trust.find(item.key_id, participant, at) for item in unverified.signatures]
    suite = unverified.suite
    accepted = trust.suites_of(participant)
    if suite not in accepted:
        wanted = ", ".join(sorted(accepted))
        raise SuiteNotAcceptedError(f"signed with {suite}; {participant} signs with {wanted}")
    for signature, key in zip(unverified.signatures, keys, strict=True):
        check_signature(signature, key)
    return VerifiedJws(unverified.payload, unverified.key_ids, suite)


def check_signature(signature: JwsSignature, key: PublicKey) -> None:
    """Check one signature with one public key, whose window the caller has looked at.

    Raises:
        SignatureInvalidError: the algorithms differ, or the signature does not match.
    """
    if signature.algorithm is not key.algorithm:
        detail = f"{signature.key_id} signs with {key.algorithm}, not with {signature.algorithm}"
        raise SignatureInvalidError(detail)
    _, native = load_public_key(key.public_key_der)
    if not signature_is_valid(native, signature.signature, signature.signing_input):
        raise SignatureInvalidError(f"the signature of {signature.key_id} is wrong")


def sign(payload: bytes, typ: str, signers: Sequence[Signer]) -> bytes:
    """Return the signed object over `payload` as compact UTF-8 JSON, classical signature first.

    One signer, or two of which one is ML-DSA-65 (hybrid). A lone ML-DSA-65 key may sign too: its
    own key document needs that; no participant's policy accepts it for a message. ML-DSA-44 signs
    its own key document and nothing else.

    Raises:
        ValueError: no suite can come of these signers, or `typ` is not a plain type name.
        SignerError: a key cannot be used now, or answers with something that is no signature.
    """
    ordered = sorted(signers, key=lambda item: (is_post_quantum(item.algorithm), item.key_id))
    suite = suite_name(item.algorithm for item in ordered)
    is_own_document = len(ordered) == 1 and typ == KEY_DOCUMENT_TYP
    if suite not in SUITES and suite != Algorithm.ML_DSA_65 and not is_own_document:
        raise ValueError(f"no message is signed with {suite or 'no key at all'}")
    text = base64url.encode(payload)
    tail = f".{text}".encode("ascii")
    members = ",".join(_sign_member(tail, typ, signer) for signer in ordered)
    return f'{{"payload":"{text}","signatures":[{members}]}}'.encode("ascii")


def _sign_member(tail: bytes, typ: str, signer: Signer) -> str:
    protected = _protected_header(signer.algorithm, signer.key_id, typ)
    signature = signer.sign(protected.encode("ascii") + tail)
    if not signature:
        raise SignerError(f"the signer of {signer.key_id} returned nothing")
    return f'{{"protected":"{protected}","signature":"{base64url.encode(signature)}"}}'


@lru_cache(maxsize=256)
def _protected_header(algorithm: Algorithm, key_id: str, typ: str) -> str:
    if not (typ.isascii() and typ.isprintable() and 0 < len(typ) <= _TYP_CHARACTERS_MAX):
        raise ValueError(f"{typ[:64]!r} is not a type name")
    if not is_key_id(key_id):
        raise ValueError(f"{key_id[:64]!r} is not a key id")
    header = {"alg": algorithm.value, "kid": key_id, "typ": typ}
    return base64url.encode(json.dumps(header, separators=(",", ":")).encode("ascii"))


def _split(raw: bytes, jws_bytes_max: int) -> tuple[str, list[dict[str, str]]]:
    """Take the outer JSON apart: the payload's text and the members that hold signatures."""
    if len(raw) > jws_bytes_max:
        raise MalformedJwsError(JwsFault.TOO_LARGE, f"more than {jws_bytes_max} bytes")
    # The form has one object, one array and at most two objects in it, and no value of it holds
    # a bracket: so a count refuses deep nesting before a recursive parser meets it.
    if _more_than(1 + SIGNATURE_COUNT_MAX, b"{", raw) or _more_than(1, b"[", raw):
        raise MalformedJwsError(JwsFault.SIGNATURE_COUNT, "too many objects or arrays")
    outer = _parse_object(raw, JwsFault.NOT_JSON, "the body")
    _demand_members(outer, {"payload", "signatures"}, "the body")
    payload, members = outer["payload"], outer["signatures"]
    if not isinstance(payload, str) or not isinstance(members, list):
        raise MalformedJwsError(JwsFault.WRONG_MEMBERS, "payload or signatures of a wrong type")
    if not 1 <= len(members) <= SIGNATURE_COUNT_MAX:
        raise MalformedJwsError(JwsFault.SIGNATURE_COUNT, f"{len(members)} signatures")
    return payload, [_signature_member(item) for item in members]


def _more_than(count: int, needle: bytes, raw: bytes) -> bool:
    # Four searches at most; bytes.count would look at every byte of a long payload, slowly.
    position = -1
    for _ in range(count + 1):
        position = raw.find(needle, position + 1)
        if position < 0:
            return False
    return True


def _signature_member(item: object) -> dict[str, str]:
    if not isinstance(item, dict):
        raise MalformedJwsError(JwsFault.WRONG_MEMBERS, "a signature is not an object")
    _demand_members(item, {"protected", "signature"}, "a signature")
    return _strings(item, JwsFault.WRONG_MEMBERS)


def _read_signature(member: dict[str, str], tail: bytes, typ: str) -> JwsSignature:
    protected = member["protected"]
    algorithm, key_id = _read_header(protected, typ)
    signature = _decode(member["signature"], "signature")
    return JwsSignature(algorithm, key_id, protected.encode("ascii") + tail, signature)


# Peers repeat their few headers for ever; only faultless ones stay in the cache (errors do not).
@lru_cache(maxsize=1024)
def _read_header(protected: str, typ: str) -> tuple[Algorithm, str]:
    if len(protected) > _HEADER_CHARACTERS_MAX:
        raise MalformedJwsError(JwsFault.HEADER_INVALID, "the protected header is too long")
    text = _decode(protected, "protected header")
    if text.count(b"{") > 1 or b"[" in text:
        raise MalformedJwsError(JwsFault.HEADER_INVALID, "the protected header is nested")
    parsed = _parse_object(text, JwsFault.HEADER_INVALID, "the protected header")
    if parsed.keys() != {"alg", "kid", "typ"}:
        detail = f"the protected header has the members {_names(parsed)}, not alg, kid and typ"
        raise MalformedJwsError(JwsFault.HEADER_INVALID, detail)
    header = _strings(parsed, JwsFault.HEADER_INVALID)
    if header["typ"] != typ:
        raise MalformedJwsError(JwsFault.TYP_UNEXPECTED, f"typ {header['typ'][:64]!r}, not {typ}")
    try:
        algorithm = parse_algorithm(header["alg"])
    except ValueError as error:
        raise MalformedJwsError(JwsFault.ALGORITHM_NOT_ALLOWED, str(error)) from None
    if not signs_messages(algorithm) and typ != KEY_DOCUMENT_TYP:
        detail = f"{algorithm} signs checkpoints, not messages"
        raise MalformedJwsError(JwsFault.ALGORITHM_NOT_ALLOWED, detail)
    if not is_key_id(header["kid"]):
        raise MalformedJwsError(JwsFault.KEY_ID_INVALID, f"kid {header['kid'][:64]!r}")
    return algorithm, header["kid"]


def _parse_object(text: bytes, fault: JwsFault, what: str) -> dict[str, object]:
    if not text.isascii():
        raise MalformedJwsError(JwsFault.NOT_ASCII, f"{what} is not ASCII")
    try:
        value = _DECODER.decode(text.decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise MalformedJwsError(fault, f"{what} is not JSON: {str(error)[:96]}") from None
    if not isinstance(value, dict):
        raise MalformedJwsError(fault, f"{what} is not a JSON object")
    return value


def _demand_members(value: dict[str, object], wanted: set[str], what: str) -> None:
    if value.keys() != wanted:
        detail = f"{what} has the members {_names(value)}, not {', '.join(sorted(wanted))}"
        raise MalformedJwsError(JwsFault.WRONG_MEMBERS, detail)


def _names(value: dict[str, object]) -> str:
    return repr(sorted(value)[:8])[:128]


def _strings(value: dict[str, object], fault: JwsFault) -> dict[str, str]:
    strings = {name: item for name, item in value.items() if isinstance(item, str)}
    if len(strings) != len(value):
        raise MalformedJwsError(fault, "a member is not a string")
    return strings


def _decode(text: str, what: str) -> bytes:
    try:
        return base64url.decode(text)
    except ValueError as error:
        detail = f"the {what} is not canonical base64url: {str(error)[:64]}"
        raise MalformedJwsError(JwsFault.NOT_BASE64URL, detail) from None
