"""Signed objects: whatever the binding, the same value comes out, under the same trust."""

from typing import Any

import msgspec
import pytest

from hub.protocol.signed_objects import (
    MEDIA_TYPES,
    Binding,
    BindingUnavailableError,
    ObjectRefusedError,
    SigningKeys,
    binding_of,
    binding_of_media_type,
    open_object,
)
from keys.algorithms import Algorithm
from keys.errors import KeysError, SignatureInvalidError, SuiteNotAcceptedError
from keys.jws import sign
from keys.trust import TrustStore
from message_schemas import examples, json_codec, schema_files
from message_schemas.envelopes import ENVELOPE_TYP
from tests.keys.support import NOW, seeded_signer, trusting

SIGNER = seeded_signer(Algorithm.ES256)
TRUST = trusting(SIGNER)
KEYS = SigningKeys.of([SIGNER])
PAYLOADS = [example for example in examples.VALID if example.type in schema_files.PAYLOADS]


@pytest.mark.parametrize("binding", Binding)
@pytest.mark.parametrize("example", PAYLOADS, ids=lambda example: f"{example.type}.{example.name}")
def test_what_was_sealed_is_opened_verified_and_read(
    example: examples.Example, binding: Binding
) -> None:
    """Envelopes, receipts and deliveries come back as the same JSON value, in either binding."""
    kind: Any = example.type
    raw = KEYS.seal(kind, example.document, binding)
    opened = open_object(raw, kind)
    assert (opened.binding, binding_of(raw)) == (binding, binding)
    assert opened.key_ids == (SIGNER.key_id,)
    opened.verify(TRUST, "THA01", NOW)
    read = opened.read()
    assert read.document == example.document
    assert not read.body_faults


@pytest.mark.parametrize("binding", Binding)
def test_a_dataclass_and_raw_members_are_sealed_as_their_value_is(binding: Binding) -> None:
    """A caller may hand over a dataclass, or parts that are JSON text already."""
    document = examples.valid("envelope")
    envelope = json_codec.decode_envelope(document)
    raw_member = document | {"messages": msgspec.Raw(msgspec.json.encode(document["messages"]))}
    for given in (envelope, raw_member):
        assert open_object(KEYS.seal("envelope", given, binding), "envelope").read().document == (
            document
        )


@pytest.mark.parametrize("binding", Binding)
def test_a_changed_byte_is_not_believed(binding: Binding) -> None:
    """Either the form is broken or the signature does not match; nothing else can come out."""
    raw = KEYS.seal("envelope", examples.valid("envelope"), binding)
    place = raw.index(b"THA01") if binding is Binding.XML else raw.index(b'"payload"') + 40
    changed = raw[:place] + (b"C" if raw[place : place + 1] != b"C" else b"D") + raw[place + 1 :]
    with pytest.raises(KeysError):
        open_object(changed, "envelope").verify(TRUST, "THA01", NOW)


@pytest.mark.parametrize("binding", Binding)
def test_an_object_of_one_kind_is_not_opened_as_another(binding: Binding) -> None:
    """A receipt is no envelope, whoever signed it."""
    raw = KEYS.seal("receipt", examples.valid("receipt"), binding)
    with pytest.raises(KeysError):
        open_object(raw, "envelope")


@pytest.mark.parametrize("binding", Binding)
def test_the_limit_of_bytes_is_kept(binding: Binding) -> None:
    """A door's own limit holds before anything is parsed."""
    raw = KEYS.seal("envelope", examples.valid("envelope"), binding)
    with pytest.raises(KeysError):
        open_object(raw, "envelope", bytes_max=len(raw) - 1)
    assert open_object(raw, "envelope", bytes_max=len(raw)).binding is binding


def test_the_policy_of_suites_holds_for_xml() -> None:
    """XML is signed with ES256 alone; a participant that must sign hybrid cannot use it."""
    strict = TrustStore(TRUST.records_of("THA01"), {"THA01": frozenset({"ES256+ML-DSA-65"})})
    raw = KEYS.seal("envelope", examples.valid("envelope"), Binding.XML)
    with pytest.raises(SuiteNotAcceptedError):
        open_object(raw, "envelope").verify(strict, "THA01", NOW)


def test_a_key_of_somebody_else_is_not_believed() -> None:
    """Another key under our key's name does not verify."""
    other = seeded_signer(Algorithm.ES256, seed="other")
    raw = SigningKeys.of([other]).seal("envelope", examples.valid("envelope"), Binding.XML)
    forged = raw.replace(other.key_id.encode(), SIGNER.key_id.encode())
    with pytest.raises(SignatureInvalidError):
        open_object(forged, "envelope").verify(TRUST, "THA01", NOW)


def test_a_body_that_breaks_the_form_is_a_fault_of_its_own_message() -> None:
    """The neighbours of a broken body are read; the fault has the place of the body."""
    document = examples.valid("envelope")
    raw = KEYS.seal("envelope", document, Binding.XML)
    body = document["messages"][0]["body"]
    name = next(name for name, value in body.items() if isinstance(value, str))
    broken = raw.replace(f"<{name}>".encode(), b"<unheard_of>", 1)
    broken = broken.replace(f"</{name}>".encode(), b"</unheard_of>", 1)
    read = open_object(broken, "envelope").read()
    assert list(read.body_faults) == ["/messages/0/body"]
    assert read.document["messages"][0]["body"] == {}


DEPTH_OF_NOTE = 12  # envelope, messages, message, body, extensions, and seven of the value


def test_depth_means_the_same_in_both_bindings() -> None:
    """A value as deep as the limit is read, one level more is refused."""
    deep: dict[str, Any] = {"a": 1}
    for _ in range(3):
        deep = {"a": [deep]}
    document = examples.valid("envelope")
    note = {"subject": "a", "text": "b", "extensions": {"a.example/b": deep}}
    document = document | {
        "messages": [document["messages"][0] | {"type": "administrator.note", "body": note}]
    }
    for binding in Binding:
        opened = open_object(KEYS.seal("envelope", document, binding), "envelope")
        assert opened.read(depth_max=DEPTH_OF_NOTE).document == document
        with pytest.raises(ObjectRefusedError, match="nested deeper"):
            opened.read(depth_max=DEPTH_OF_NOTE - 1)


def test_a_payload_that_is_no_json_is_refused_with_its_reason() -> None:
    """Signed rightly, but nothing that can be read."""
    raw = sign(b"{", ENVELOPE_TYP, [SIGNER])
    with pytest.raises(ObjectRefusedError):
        open_object(raw, "envelope").read()


def test_nothing_is_sealed_in_a_binding_without_a_key() -> None:
    """An Ed25519 key signs JSON only; a key for XML may stand beside it."""
    ed25519 = seeded_signer(Algorithm.ED25519)
    alone = SigningKeys.of([ed25519])
    assert not alone.speaks(Binding.XML)
    with pytest.raises(BindingUnavailableError, match="ES256"):
        alone.seal("envelope", examples.valid("envelope"), Binding.XML)
    both = SigningKeys.of([ed25519], SIGNER)
    assert both.speaks(Binding.XML)
    assert both.key_ids == {ed25519.key_id, SIGNER.key_id}
    assert both.key_ids_of(Binding.XML) == {SIGNER.key_id}


def test_media_types_name_their_binding() -> None:
    """Each binding's own media type, and the common names of it."""
    for binding, media_type in MEDIA_TYPES.items():
        assert binding_of_media_type(media_type) is binding
    assert binding_of_media_type("text/xml") is Binding.XML
    assert binding_of_media_type("application/JSON") is Binding.JSON
    assert binding_of_media_type("text/plain") is None


def test_white_space_before_the_root_does_not_hide_xml() -> None:
    """The binding is told by the first character that is no white space."""
    assert binding_of(b" \r\n\t<envelope/>") is Binding.XML
    assert binding_of(b' {"payload":""}') is Binding.JSON
    assert binding_of(b"") is Binding.JSON
