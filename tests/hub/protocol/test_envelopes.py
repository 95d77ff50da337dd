"""The door: each way in which posted bytes fail has its own code, and nothing else gets in."""

import json
from datetime import timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils import uuid7

from hub.protocol import envelopes
from hub.protocol.envelopes import (
    OpenEnvelope,
    digest,
    open_envelope,
    signer_of,
)
from hub.protocol.errors import PeerError
from hub.protocol.limits import Limits
from hub.protocol.response_codes import ResponseCode
from keys.jws import sign
from keys.local_signer import LocalSigner
from keys.public_keys import KeyRecord, PublicKey
from keys.trust import TrustStore
from keys.xml_signatures import sign_xml
from message_schemas import timestamps
from message_schemas.xml_forms import NAMESPACE
from tests.integration.peers import approach, now, proposal, seeded_signer, seeded_xml_signer
from tests.integration.peers import block as wire_block

NOW = now()
SIGNER = seeded_signer("THA01")
LIMITS = Limits()


def record(signer: LocalSigner, **window: timedelta) -> KeyRecord:
    """Return a key's record; its window is given as differences from now."""
    key = PublicKey.from_der(signer.key_id[:5], signer.public_key_der)
    began = NOW + window.get("valid_from", timedelta(hours=-1))
    ends = window.get("valid_until")
    made = KeyRecord.of(key, began, None if ends is None else NOW + ends)
    return made.revoked(NOW + window["revoked_at"]) if "revoked_at" in window else made


TRUST = TrustStore([record(SIGNER), record(seeded_signer("CHE01"))])


def payload(*messages: dict[str, Any], **changes: Any) -> bytes:
    """Return the payload of an envelope of THA01 to the hub."""
    document = {
        "protocol": "itmo-exchange/1",
        "envelope_id": str(uuid7()),
        "sender": "THA01",
        "recipient": "XHB01",
        "sent_at": timestamps.render(NOW),
        "messages": list(messages) or [message(*approach())],
    } | changes
    return json.dumps(document).encode()


def message(type_: str, body: dict[str, Any], version: int = 1) -> dict[str, Any]:
    """Return one message with an id of its own."""
    return {"message_id": str(uuid7()), "type": type_, "version": version, "body": body}


def signed(content: bytes, typ: str = "itmo-envelope+jws", *signers: LocalSigner) -> bytes:
    """Return the payload signed by THA01, or by the signers given."""
    return sign(content, typ, list(signers) or [SIGNER])


def opened(raw: bytes, trust: TrustStore = TRUST, limits: Limits = LIMITS) -> OpenEnvelope:
    """Open bytes as of now."""
    return open_envelope(raw, trust, limits, NOW)


def fault_of(raw: bytes, trust: TrustStore = TRUST, limits: Limits = LIMITS) -> ResponseCode:
    """Return the code with which bytes are refused."""
    with pytest.raises(PeerError) as refused:
        opened(raw, trust, limits)
    assert refused.value.detail
    return refused.value.code


def test_an_honest_envelope_opens_with_its_exact_bytes_and_typed_messages() -> None:
    """The bytes, their digest, the key and the messages all come through."""
    raw = signed(payload())
    item = opened(raw)
    assert (item.raw, item.sha256) == (raw, digest(raw))
    assert item.key_ids == (SIGNER.key_id,)
    assert item.envelope.sender == "THA01"
    (only,) = item.messages
    assert only.faults == ()
    assert cast(Any, only.body).cooperative_approach == "CA0001"


def test_the_size_limit_comes_before_everything_else() -> None:
    """One byte too many is too large, whatever the bytes are; the limit itself passes."""
    raw = signed(payload())
    exact = Limits(envelope_bytes_max=len(raw))
    assert opened(raw, limits=exact).raw == raw
    smaller = Limits(envelope_bytes_max=len(raw) - 1)
    assert fault_of(raw, limits=smaller) is ResponseCode.ENVELOPE_TOO_LARGE
    assert fault_of(b"\xff" * len(raw), limits=smaller) is ResponseCode.ENVELOPE_TOO_LARGE


@pytest.mark.parametrize(
    "raw",
    [b"", b"{}", b"[]", b"\xff\xfe", b'{"payload":"","signatures":[]}', signed(payload(), "x+jws")],
    ids=["empty", "object", "array", "binary", "unsigned", "of another type"],
)
def test_what_is_no_signed_envelope_is_malformed(raw: bytes) -> None:
    """Also a signed object of another type: a receipt is never taken for an envelope."""
    assert fault_of(raw) is ResponseCode.ENVELOPE_MALFORMED


@pytest.mark.parametrize(
    ("window", "code"),
    [
        ({"valid_from": timedelta(seconds=1)}, ResponseCode.KEY_NOT_YET_VALID),
        ({"valid_until": timedelta(0)}, ResponseCode.KEY_EXPIRED),
        ({"revoked_at": timedelta(0)}, ResponseCode.KEY_REVOKED),
    ],
)
def test_a_key_outside_its_window_is_refused_with_the_reason(
    window: dict[str, timedelta], code: ResponseCode
) -> None:
    """Not yet, no longer, and revoked are three different answers."""
    assert fault_of(signed(payload()), TrustStore([record(SIGNER, **window)])) is code


def test_a_key_nobody_registered_is_unknown() -> None:
    """The right name with another key is not enough."""
    stranger = seeded_signer("THA01", "another")
    assert fault_of(signed(payload(), "itmo-envelope+jws", stranger)) is ResponseCode.KEY_UNKNOWN


def test_a_participant_nobody_registered_is_an_unknown_sender() -> None:
    """Not only its key: nothing at all is known of it."""
    stranger = seeded_signer("PER01")
    raw = signed(payload(sender="PER01"), "itmo-envelope+jws", stranger)
    assert fault_of(raw) is ResponseCode.SENDER_UNKNOWN


def test_the_claimed_signer_is_read_without_being_believed() -> None:
    """For the comparison with a client certificate, before anything is verified."""
    assert signer_of(signed(payload(), "itmo-envelope+jws", seeded_signer("PER01"))) == "PER01"
    with pytest.raises(PeerError, match="ENVELOPE_MALFORMED"):
        signer_of(b"nonsense")


def test_nobody_speaks_for_somebody_else() -> None:
    """Neither by naming another sender, nor by adding the signature of one's own key to theirs."""
    impostor = signed(payload(), "itmo-envelope+jws", seeded_signer("CHE01"))
    assert fault_of(impostor) is ResponseCode.KEY_OF_ANOTHER_PARTICIPANT
    content = payload()
    mine = json.loads(signed(content))
    theirs = json.loads(signed(content, "itmo-envelope+jws", seeded_signer("CHE01")))
    mine["signatures"] += theirs["signatures"]
    both = json.dumps(mine).encode()
    assert fault_of(both) is ResponseCode.KEY_OF_ANOTHER_PARTICIPANT


def test_a_participant_must_sign_with_its_own_suite() -> None:
    """Who agreed to sign with two algorithms cannot be impersonated by breaking one."""
    strict = TrustStore([record(SIGNER)], {"THA01": frozenset({"Ed25519+ML-DSA-65"})})
    assert fault_of(signed(payload()), strict) is ResponseCode.SIGNATURE_SUITE_NOT_ALLOWED


def test_a_signature_of_other_bytes_is_invalid() -> None:
    """The signature is checked over the exact payload that arrived."""
    mine, other = json.loads(signed(payload())), json.loads(signed(payload()))
    mine["payload"] = other["payload"]
    assert fault_of(json.dumps(mine).encode()) is ResponseCode.SIGNATURE_INVALID


def test_another_protocol_is_named_as_such() -> None:
    """A peer of a later version learns what this hub speaks, not that its schema is wrong."""
    raw = signed(payload(protocol="itmo-exchange/2"))
    assert fault_of(raw) is ResponseCode.PROTOCOL_NOT_SUPPORTED


@pytest.mark.parametrize(
    "content",
    [
        b"not json",
        b'{"protocol":"itmo-exchange/1","protocol":"itmo-exchange/1"}',
        b"[1]",
        payload(envelope_id="one"),
        payload(sent_at="yesterday"),
        payload(recipient="nobody"),
        payload(surprise=True),
        payload(messages=[]),
        payload(**{"messages": [{"type": "participant.hello"}]}),
        b"[" * 1_000 + b"]" * 1_000,
    ],
    ids=lambda content: content[:20].decode(),
)
def test_a_signed_payload_that_is_no_envelope_says_so(content: bytes) -> None:
    """Signed nonsense is the signer's fault, and gets the code for it."""
    assert fault_of(signed(content)) is ResponseCode.PAYLOAD_NOT_AN_ENVELOPE


def test_more_messages_than_the_hub_takes_are_refused_as_a_whole() -> None:
    """The hub's own setting counts, also below the schema's 500."""
    raw = signed(payload(message(*approach()), message(*approach())))
    limits = Limits(messages_per_envelope_max=1)
    assert fault_of(raw, limits=limits) is ResponseCode.PAYLOAD_NOT_AN_ENVELOPE
    assert len(opened(raw).messages) == 2


REVERSED = wire_block(1, 5) | {"last_id": "CA0001-CHE01-CHE-5-2022"}


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (message("transfer.imagine", {}), ResponseCode.MESSAGE_TYPE_UNKNOWN),
        (message(*approach(), version=2), ResponseCode.MESSAGE_VERSION_NOT_SUPPORTED),
        (message("transfer.cancellation", {"reason": 1}), ResponseCode.SCHEMA_VIOLATED),
        (message(*proposal("THA01-1", REVERSED)), ResponseCode.IDENTIFIER_INCONSISTENT),
    ],
    ids=lambda value: value.name if isinstance(value, ResponseCode) else "message",
)
def test_a_faulty_message_does_not_spoil_its_neighbours(
    said: dict[str, Any], code: ResponseCode
) -> None:
    """It carries its faults, with a place in its body; the message beside it is typed."""
    bad, good = opened(signed(payload(said, message(*approach())))).messages
    assert bad.body is None
    assert {fault.code for fault in bad.faults} == {code}
    assert all(fault.detail for fault in bad.faults)
    assert good.body is not None
    assert good.faults == ()


def test_more_unit_blocks_than_the_hub_takes_are_refused_with_their_message() -> None:
    """The hub's own limit counts, also below the schema's 1,000; the neighbour is typed."""
    two = message(*proposal("THA01-1", wire_block(1, 5), wire_block(6, 9)))
    one = message(*proposal("THA01-2", wire_block(1, 5)))
    limits = Limits(blocks_per_message_max=1)
    bad, good = opened(signed(payload(two, one)), limits=limits).messages
    assert [(fault.code, fault.path) for fault in bad.faults] == [
        (ResponseCode.SCHEMA_VIOLATED, "/blocks")
    ]
    assert (bad.body, good.faults) == (None, ())


def test_the_faults_of_one_message_are_bounded() -> None:
    """A thousand errors in one body are answered with twenty."""
    blocks = [{"first_id": 1} for _ in range(1_000)]
    (only,) = opened(signed(payload(message(*proposal("THA01-1", blocks=blocks))))).messages
    assert 1 <= len(only.faults) <= 20


@given(raw=st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_whatever_arrives_only_a_peers_error_comes_out(raw: bytes) -> None:
    """No bytes crash the door, and none open by chance."""
    assert fault_of(raw) is ResponseCode.ENVELOPE_MALFORMED


HONEST = signed(payload())


@given(position=st.integers(0, len(HONEST) - 1), byte=st.integers(0, 255))
def test_no_byte_of_a_signed_envelope_can_be_changed(position: int, byte: int) -> None:
    """Every byte matters: each other byte in its place is refused."""
    changed = HONEST[:position] + bytes([byte]) + HONEST[position + 1 :]
    if changed == HONEST:
        assert opened(changed).raw == HONEST
    else:
        fault_of(changed)


def test_long_xml_that_nobody_known_signed_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever has no key costs hardly more in XML than in JSON: only the end is looked at."""
    known = seeded_xml_signer("THA01")
    trust = TrustStore([record(known)])
    body = f'<envelope xmlns="{NAMESPACE}">{"<a/>" * 10_000}</envelope>'.encode()
    assert fault_of(sign_xml(body, known), trust) is ResponseCode.PAYLOAD_NOT_AN_ENVELOPE

    def read(*_: Any, **__: Any) -> None:
        raise AssertionError("the document was read")

    monkeypatch.setattr(envelopes, "open_object", read)
    others = sign_xml(body, seeded_xml_signer("GHA01"))
    renamed = others.replace(b"GHA01-", b"THA01-")
    forged = others.replace(seeded_xml_signer("GHA01").key_id.encode(), known.key_id.encode())
    assert fault_of(body, trust) is ResponseCode.ENVELOPE_MALFORMED
    assert fault_of(others, trust) is ResponseCode.SENDER_UNKNOWN
    assert fault_of(renamed, trust) is ResponseCode.KEY_UNKNOWN
    assert fault_of(forged, trust) is ResponseCode.SIGNATURE_INVALID
    with pytest.raises(AssertionError, match="was read"):
        opened(sign_xml(body, known), trust)
