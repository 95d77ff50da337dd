"""Signed objects: only the exact form opens, only the right keys verify, over the exact bytes."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import base64url, jws
from keys.algorithms import Algorithm
from keys.errors import (
    JwsFault,
    KeyNotTrustedError,
    KeyOfAnotherParticipantError,
    KeyUnknownError,
    MalformedJwsError,
    SignatureInvalidError,
    SignerError,
    SuiteNotAcceptedError,
)
from keys.local_signer import LocalSigner
from keys.trust import TrustStore
from tests.keys.support import NOW, TYP, raw_jws, record, seeded_signer, trusting

ED = seeded_signer(Algorithm.ED25519)
ES = seeded_signer(Algorithm.ES256)
PQ = seeded_signer(Algorithm.ML_DSA_65)
LOG = seeded_signer(Algorithm.ML_DSA_44)
TRUST = trusting(ED, ES, PQ)


def check(raw: bytes, trust: TrustStore = TRUST) -> jws.VerifiedJws:
    """Open and verify as the door does for THA01 at NOW."""
    return jws.verify(jws.open_signed(raw, TYP), trust, "THA01", NOW)


def header(**changes: object) -> dict[str, object]:
    """Return a right protected header of ED with some members changed or, by None, left out."""
    full = {"alg": "Ed25519", "kid": ED.key_id, "typ": TYP, **changes}
    return {name: value for name, value in full.items() if value is not None}


@pytest.mark.parametrize(
    ("signers", "suite"),
    [
        ([ED], "Ed25519"),
        ([ES], "ES256"),
        ([ED, PQ], "Ed25519+ML-DSA-65"),
        ([PQ, ES], "ES256+ML-DSA-65"),
    ],
)
def test_what_is_signed_verifies(signers: list[LocalSigner], suite: str) -> None:
    """Every suite goes there and back, classical signature first whatever the order given."""
    verified = check(jws.sign(b'{"a":1}', TYP, signers))
    assert verified.payload == b'{"a":1}'
    assert verified.suite == suite
    classical = next(item for item in signers if item is not PQ)
    assert verified.key_ids[0] == classical.key_id
    assert set(verified.key_ids) == {item.key_id for item in signers}


@given(payload=st.binary(max_size=300))
def test_any_payload_survives_byte_for_byte(payload: bytes) -> None:
    """The payload is bytes, not text: nothing in it is interpreted or rewritten."""
    assert check(jws.sign(payload, TYP, [ED])).payload == payload


@pytest.mark.parametrize(
    "payload",
    [
        b'{"b":1,"a":2}',
        b' {\n\t"a" : 1.0 }\r\n',
        b'{"n":1.0,"e":1e2,"z":-0}',
        '{"s":"\\u00e9 é \\/ \\ud83d\\ude00"}'.encode(),
        b"\xff\xfe not even text",
    ],
)
def test_verification_is_over_the_exact_bytes(payload: bytes) -> None:
    """Unsorted keys, blanks, 1.0 and escapes verify, because nothing is written anew."""
    raw = raw_jws({"typ": TYP, "kid": ED.key_id, "alg": "EdDSA"}, payload, ED)
    assert check(raw).payload == payload


def test_white_space_and_order_around_the_signature_do_not_matter() -> None:
    """The outer JSON and the header may be laid out freely; the header's bytes are signed."""
    text = json.dumps(header(), indent=4).encode()
    value = json.loads(raw_jws(text, b"p", ED))
    laid_out = json.dumps(dict(reversed(value.items())), indent=2).encode() + b"\n"
    assert check(laid_out).payload == b"p"


def test_signing_is_compact_and_repeatable() -> None:
    """The same payload and key give the same bytes, with the members in a fixed order."""
    raw = jws.sign(b"p", TYP, [ED])
    assert raw == jws.sign(b"p", TYP, [ED])
    value = json.loads(raw)
    assert json.dumps(value, separators=(",", ":")).encode() == raw
    assert list(value) == ["payload", "signatures"]
    assert list(value["signatures"][0]) == ["protected", "signature"]
    protected = base64url.decode(value["signatures"][0]["protected"])
    assert protected == json.dumps(header(), separators=(",", ":")).encode()


@pytest.mark.parametrize("change", ["payload", "protected", "signature"])
def test_a_changed_bit_anywhere_is_refused(change: str) -> None:
    """Payload, protected header and signature are all bound together."""
    value = json.loads(jws.sign(b"payload", TYP, [ED]))
    place = value if change == "payload" else value["signatures"][0]
    data = bytearray(base64url.decode(place[change]))
    data[-3] ^= 1
    place[change] = base64url.encode(bytes(data))
    with pytest.raises((SignatureInvalidError, MalformedJwsError)):
        check(json.dumps(value).encode())


def test_a_hybrid_signature_needs_both() -> None:
    """Corrupt either, swap them, or let a stranger make the second: refused each time."""
    value = json.loads(jws.sign(b"payload", TYP, [ED, PQ]))
    one, two = value["signatures"]
    for broken in (one, two):
        data = bytearray(base64url.decode(broken["signature"]))
        data[40] ^= 1
        bad = {**broken, "signature": base64url.encode(bytes(data))}
        members = [bad if item is broken else item for item in (one, two)]
        with pytest.raises(SignatureInvalidError):
            check(json.dumps({**value, "signatures": members}).encode())
    swapped = [
        {"protected": one["protected"], "signature": two["signature"]},
        {"protected": two["protected"], "signature": one["signature"]},
    ]
    with pytest.raises(SignatureInvalidError):
        check(json.dumps({**value, "signatures": swapped}).encode())
    assert check(json.dumps({**value, "signatures": [two, one]}).encode()).suite.startswith("Ed")
    with pytest.raises(KeyUnknownError):
        check(jws.sign(b"p", TYP, [ED, seeded_signer(Algorithm.ML_DSA_65, seed="stranger")]))


@pytest.mark.parametrize("kept", [0, 1])
def test_dropping_a_hybrid_signature_is_refused_by_policy(kept: int) -> None:
    """A participant that must sign hybrid cannot be downgraded by whoever carries the message."""
    hybrid = frozenset({"Ed25519+ML-DSA-65"})
    strict = trusting(ED, PQ, policies={"THA01": hybrid})
    value = json.loads(jws.sign(b"payload", TYP, [ED, PQ]))
    assert check(json.dumps(value).encode(), strict).suite == "Ed25519+ML-DSA-65"
    value["signatures"] = [value["signatures"][kept]]
    with pytest.raises(SuiteNotAcceptedError, match="THA01 signs with"):
        check(json.dumps(value).encode(), strict)


def test_post_quantum_alone_and_two_classical_are_no_suite() -> None:
    """The policy that accepts everything still accepts only the four suites."""
    with pytest.raises(SuiteNotAcceptedError):
        check(jws.sign(b"p", TYP, [PQ]))
    one, two = (json.loads(jws.sign(b"p", TYP, [item])) for item in (ED, ES))
    both = {**one, "signatures": one["signatures"] + two["signatures"]}
    with pytest.raises(SuiteNotAcceptedError):
        check(json.dumps(both).encode())


def test_a_key_for_checkpoints_signs_no_message() -> None:
    """ML-DSA-44 is refused when signing, and at the door, alone and beside a good signature."""
    for signers in ([LOG], [ED, LOG], [PQ, LOG]):
        with pytest.raises(ValueError, match="no message is signed with"):
            jws.sign(b"p", TYP, signers)
    forged = raw_jws({"alg": "ML-DSA-44", "kid": LOG.key_id, "typ": TYP}, b"p", LOG)
    beside = json.loads(jws.sign(b"p", TYP, [ED]))
    beside["signatures"] += json.loads(forged)["signatures"]
    for raw in (forged, json.dumps(beside).encode()):
        with pytest.raises(MalformedJwsError) as caught:
            check(raw, trusting(ED, LOG))
        assert caught.value.reason == JwsFault.ALGORITHM_NOT_ALLOWED


def test_no_policy_can_allow_a_key_for_checkpoints() -> None:
    """Its own key document opens, as proof of possession; verified as a message it is not."""
    document = jws.open_signed(jws.sign(b"p", jws.KEY_DOCUMENT_TYP, [LOG]), jws.KEY_DOCUMENT_TYP)
    with pytest.raises(SuiteNotAcceptedError):
        jws.verify(document, trusting(LOG), "THA01", NOW)


@pytest.mark.parametrize("signers", [[], [ED, ES], [PQ, PQ], [ED, ES, PQ], [ED, ED]])
def test_no_message_is_signed_in_another_suite(signers: list[LocalSigner]) -> None:
    """What the door would refuse is not produced in the first place."""
    with pytest.raises(ValueError, match="no message is signed with"):
        jws.sign(b"p", TYP, signers)


@pytest.mark.parametrize("typ", ["", "é+jws", "a\nb", "x" * 65])
def test_a_strange_type_name_is_not_signed(typ: str) -> None:
    """The type is a short printable ASCII word."""
    with pytest.raises(ValueError, match="not a type name"):
        jws.sign(b"p", typ, [ED])


def test_a_signer_that_answers_nothing_is_not_believed() -> None:
    """An empty signature from a token is a fault of the signer, found before sending."""

    class Silent:
        key_id = ED.key_id
        algorithm = ED.algorithm
        public_key_der = ED.public_key_der

        def sign(self, data: bytes) -> bytes:
            return data[:0]

    with pytest.raises(SignerError, match="returned nothing"):
        jws.sign(b"p", TYP, [Silent()])


def test_a_signer_with_a_strange_key_id_is_refused() -> None:
    """A key id that no reader would accept is not written."""

    class Misnamed:
        key_id = "my-key"
        algorithm = ED.algorithm
        public_key_der = ED.public_key_der

        def sign(self, data: bytes) -> bytes:
            return ED.sign(data)

    with pytest.raises(ValueError, match="not a key id"):
        jws.sign(b"p", TYP, [Misnamed()])


def test_a_key_speaks_only_for_its_participant() -> None:
    """A right signature under another sender's name is refused, and so is an unknown key."""
    stranger = seeded_signer(participant="CHE01", seed="other")
    unverified = jws.open_signed(jws.sign(b"p", TYP, [stranger]), TYP)
    with pytest.raises(KeyOfAnotherParticipantError):
        jws.verify(unverified, trusting(ED, stranger), "THA01", NOW)
    with pytest.raises(KeyUnknownError):
        jws.verify(unverified, TRUST, "CHE01", NOW)


def test_what_was_signed_before_a_revocation_stays_valid() -> None:
    """At the door the key is refused at once; asked about an earlier time it still verifies."""
    trust = TrustStore([record(ED, revoked_at=NOW)])
    unverified = jws.open_signed(jws.sign(b"p", TYP, [ED]), TYP)
    with pytest.raises(KeyNotTrustedError, match="revoked"):
        jws.verify(unverified, trust, "THA01", NOW)
    earlier = NOW - timedelta(microseconds=1)
    assert jws.verify(unverified, trust, "THA01", earlier).payload == b"p"


def test_the_algorithm_of_the_key_decides_not_the_header() -> None:
    """A header that names another algorithm than the key's is a wrong signature."""
    for claimed in ("ES256", "ML-DSA-65"):
        raw = raw_jws(header(alg=claimed), b"p", ED)
        trust = trusting(ED, PQ)
        with pytest.raises((SignatureInvalidError, SuiteNotAcceptedError)):
            check(raw, trust)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        (header(alg="none"), JwsFault.ALGORITHM_NOT_ALLOWED),
        (header(alg="HS256"), JwsFault.ALGORITHM_NOT_ALLOWED),
        (header(alg="ES384"), JwsFault.ALGORITHM_NOT_ALLOWED),
        (header(alg=None), JwsFault.HEADER_INVALID),
        (header(kid=None), JwsFault.HEADER_INVALID),
        (header(typ=None), JwsFault.HEADER_INVALID),
        (header(alg=1), JwsFault.HEADER_INVALID),
        (header(kid=["x"]), JwsFault.HEADER_INVALID),
        (header(kid="x"), JwsFault.KEY_ID_INVALID),
        (header(kid="tha01-0123456789abcdef"), JwsFault.KEY_ID_INVALID),
        (header(typ="itmo-receipt+jws"), JwsFault.TYP_UNEXPECTED),
        (header(typ="ITMO-envelope+jws"), JwsFault.TYP_UNEXPECTED),
        (header(crit=["exp"]), JwsFault.HEADER_INVALID),
        (header(b64=False), JwsFault.HEADER_INVALID),
        (header(jwk={"kty": "OKP"}), JwsFault.HEADER_INVALID),
        (header(jku="https://example.org/keys"), JwsFault.HEADER_INVALID),
        (header(x5u="https://example.org/cert"), JwsFault.HEADER_INVALID),
        (header(cty="json"), JwsFault.HEADER_INVALID),
        (header(kid="x" * 600), JwsFault.HEADER_INVALID),
        ([], JwsFault.HEADER_INVALID),
        ("alg", JwsFault.HEADER_INVALID),
        (b"", JwsFault.HEADER_INVALID),
        (b"{", JwsFault.HEADER_INVALID),
        (b'{"a":{"a":{"a":{}}}}', JwsFault.HEADER_INVALID),
        (b'{"alg":"none","alg":"Ed25519","kid":"k","typ":"t"}', JwsFault.HEADER_INVALID),
        ('{"alg":"é"}'.encode(), JwsFault.NOT_ASCII),
    ],
    ids=lambda value: str(value)[:40],
)
def test_only_the_three_header_members_are_read(changed: object, fault: JwsFault) -> None:
    """Exactly alg, kid and typ, each once, each a known string: though correctly signed."""
    with pytest.raises(MalformedJwsError) as caught:
        jws.open_signed(raw_jws(changed, b"p", ED), TYP)
    assert caught.value.reason == fault


GOOD = json.loads(jws.sign(b"p", TYP, [ED]))
MEMBER = GOOD["signatures"][0]


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ([], JwsFault.NOT_JSON),
        ("jws", JwsFault.NOT_JSON),
        (None, JwsFault.NOT_JSON),
        ({}, JwsFault.WRONG_MEMBERS),
        ({"payload": GOOD["payload"], **MEMBER}, JwsFault.WRONG_MEMBERS),
        ({**GOOD, "header": {}}, JwsFault.WRONG_MEMBERS),
        ({**GOOD, "extra": 1}, JwsFault.WRONG_MEMBERS),
        ({**GOOD, "payload": 1}, JwsFault.WRONG_MEMBERS),
        ({**GOOD, "payload": GOOD["payload"] + "="}, JwsFault.NOT_BASE64URL),
        ({**GOOD, "payload": "\ud800"}, JwsFault.NOT_BASE64URL),
        ({**GOOD, "signatures": {}}, JwsFault.WRONG_MEMBERS),
        ({**GOOD, "signatures": "x"}, JwsFault.WRONG_MEMBERS),
        ({**GOOD, "signatures": []}, JwsFault.SIGNATURE_COUNT),
        ({**GOOD, "signatures": [MEMBER] * 3}, JwsFault.SIGNATURE_COUNT),
        ({**GOOD, "signatures": [1] * 3}, JwsFault.SIGNATURE_COUNT),
        ({**GOOD, "signatures": [MEMBER, MEMBER]}, JwsFault.KEY_REPEATED),
        ({**GOOD, "signatures": ["x"]}, JwsFault.WRONG_MEMBERS),
        ({**GOOD, "signatures": [{**MEMBER, "header": {}}]}, JwsFault.WRONG_MEMBERS),
        ({**GOOD, "signatures": [{"signature": MEMBER["signature"]}]}, JwsFault.WRONG_MEMBERS),
        ({**GOOD, "signatures": [{**MEMBER, "signature": None}]}, JwsFault.WRONG_MEMBERS),
        ({**GOOD, "signatures": [{**MEMBER, "signature": "A"}]}, JwsFault.NOT_BASE64URL),
        ({**GOOD, "signatures": [{**MEMBER, "protected": "+"}]}, JwsFault.NOT_BASE64URL),
    ],
    ids=lambda value: str(value)[:60],
)
def test_only_the_exact_outer_form_opens(value: object, fault: JwsFault) -> None:
    """Flattened form, unprotected headers, missing, foreign and repeated parts are refused."""
    with pytest.raises(MalformedJwsError) as caught:
        jws.open_signed(json.dumps(value).encode(), TYP)
    assert caught.value.reason == fault


TEXT = json.dumps(GOOD)


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"", JwsFault.NOT_JSON),
        (b"not json", JwsFault.NOT_JSON),
        (TEXT.encode() + b"x", JwsFault.NOT_JSON),
        (TEXT.encode() + TEXT.encode(), JwsFault.SIGNATURE_COUNT),
        (TEXT.encode("utf-16"), JwsFault.NOT_ASCII),
        (TEXT.encode("utf-16-le"), JwsFault.NOT_JSON),
        (b"\xef\xbb\xbf" + TEXT.encode(), JwsFault.NOT_ASCII),
        (TEXT.replace("payload", "p\u00e4yload").encode(), JwsFault.NOT_ASCII),
        (b'{"payload":"QQ",' + TEXT.encode()[1:], JwsFault.NOT_JSON),
        (b"[" * 1_000_000, JwsFault.SIGNATURE_COUNT),
        (b'{"a":' * 1_000_000, JwsFault.SIGNATURE_COUNT),
        (b'{"payload":' + b"1" * 100_000 + b',"signatures":[]}', JwsFault.NOT_JSON),
        (b'{"payload":NaN,"signatures":[]}', JwsFault.WRONG_MEMBERS),
    ],
    ids=lambda value: str(value)[:40],
)
def test_hostile_bytes_are_malformed_and_nothing_worse(raw: bytes, fault: JwsFault) -> None:
    """Other encodings, repeated members, deep nesting and huge numbers are all just refused."""
    with pytest.raises(MalformedJwsError) as caught:
        jws.open_signed(raw, TYP)
    assert caught.value.reason == fault


def test_the_size_limit_is_inclusive() -> None:
    """As many bytes as allowed open; one less allowed, and they do not."""
    raw = jws.sign(b"p", TYP, [ED])
    assert jws.open_signed(raw, TYP, jws_bytes_max=len(raw)).payload == b"p"
    with pytest.raises(MalformedJwsError) as caught:
        jws.open_signed(raw, TYP, jws_bytes_max=len(raw) - 1)
    assert caught.value.reason == JwsFault.TOO_LARGE


def survive(raw: bytes) -> None:
    """Open and verify; only our own refusals may come out."""
    try:
        check(raw)
    except (MalformedJwsError, SignatureInvalidError, KeyNotTrustedError, SuiteNotAcceptedError):
        return


@given(st.binary(max_size=400))
def test_random_bytes_bring_out_typed_errors_only(raw: bytes) -> None:
    """No bytes whatever make anything but a typed refusal."""
    survive(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["payload", "signatures", "protected", "signature", "header", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(value=JSON, ensure_ascii=st.booleans())
def test_random_json_brings_out_typed_errors_only(value: object, ensure_ascii: bool) -> None:
    """JSON of the right names in wrong places is refused in a typed way."""
    survive(json.dumps(value, ensure_ascii=ensure_ascii).encode("utf-8", "surrogatepass"))


@given(value=JSON | st.fixed_dictionaries({"alg": JSON, "kid": JSON, "typ": st.just(TYP)}))
def test_random_headers_bring_out_typed_errors_only(value: object) -> None:
    """Any JSON as a protected header, correctly signed, is refused in a typed way."""
    survive(raw_jws(value, b"p", ED))


@given(data=st.data())
def test_a_mutated_message_never_verifies_as_another(data: st.DataObject) -> None:
    """Replace, insert or cut bytes: it is refused, or it is the same payload by the same key."""
    raw = bytearray(jws.sign(b'{"envelope_id":"1"}', TYP, [ED]))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(raw)))
        stop = data.draw(st.integers(start, min(len(raw), start + 4)))
        raw[start:stop] = data.draw(st.binary(max_size=4))
    try:
        verified = check(bytes(raw))
    except (MalformedJwsError, SignatureInvalidError, KeyNotTrustedError, SuiteNotAcceptedError):
        return
    assert verified.payload == b'{"envelope_id":"1"}'
    assert verified.key_ids == (ED.key_id,)
