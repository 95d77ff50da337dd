"""The codec: JSON to dataclass to JSON without loss, for every type there is."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from message_schemas import examples, json_codec
from message_schemas.blocks import IdentifierInconsistentError
from message_schemas.catalogue import MESSAGE_TYPES, NOTICE_TYPES
from message_schemas.envelopes import Delivery, Envelope, Finding, Outcome, Receipt
from message_schemas.json_codec import UnknownTypeError
from message_schemas.messages.transfers import TransferCancellation, TransferStatus
from message_schemas.validation import schema_errors
from tests.message_schemas import strategies

PAYLOADS = {
    "envelope": json_codec.decode_envelope,
    "receipt": json_codec.decode_receipt,
    "delivery": json_codec.decode_delivery,
}
# Drawing a whole receipt or envelope is slow beside the test itself.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=20)


def decoded(example: examples.Example | examples.InvalidExample) -> Any:
    """Return the dataclass of an example, body or payload."""
    if example.type in PAYLOADS:
        return PAYLOADS[example.type](example.document)
    return json_codec.decode_body(example.type, example.version, example.document)


@pytest.mark.parametrize("type_", strategies.BODY_TYPES)
@unhurried
@given(data=st.data())
def test_no_body_loses_anything_on_the_way(type_: str, data: st.DataObject) -> None:
    """JSON, dataclass, JSON, dataclass: equal at every second stop, and valid."""
    document = data.draw(strategies.documents(type_))
    assert not schema_errors(type_, 1, document)
    body = json_codec.decode_body(type_, 1, document)
    assert json_codec.encode_body(body) == document
    assert json_codec.parse_strict(json_codec.encode(body)) == document
    assert json_codec.decode_body(type_, 1, json_codec.encode_body(body)) == body


@pytest.mark.parametrize("kind", PAYLOADS)
@unhurried
@given(data=st.data())
def test_no_payload_loses_anything_on_the_way(kind: str, data: st.DataObject) -> None:
    """Envelopes, receipts and deliveries, through their bytes."""
    document = data.draw(strategies.documents(kind))
    assert not schema_errors(kind, 1, document)
    raw = json_codec.encode(PAYLOADS[kind](document))
    assert json_codec.parse_strict(raw) == document


@unhurried
@given(
    envelope=strategies.envelopes(),
    receipt=strategies.receipts(),
    delivery=strategies.deliveries(),
)
def test_drawn_payloads_come_back_equal(
    envelope: Envelope, receipt: Receipt, delivery: Delivery
) -> None:
    """The dataclasses survive their own bytes."""
    for kind, payload in (("envelope", envelope), ("receipt", receipt), ("delivery", delivery)):
        assert PAYLOADS[kind](json_codec.parse_strict(json_codec.encode(payload))) == payload


@pytest.mark.parametrize(
    "example", examples.VALID, ids=lambda example: f"{example.type}.{example.name}"
)
def test_every_valid_example_decodes_and_encodes_back(example: examples.Example) -> None:
    """Split columns come back as identifiers; everything else comes back as it was."""
    if example.type in PAYLOADS:
        payload: Any = PAYLOADS[example.type](example.document)
        assert json.loads(json_codec.encode(payload)) == example.document
        return
    body = json_codec.decode_body(example.type, example.version, example.document)
    encoded = json_codec.encode_body(body)
    if example.name == "split_columns":
        assert not schema_errors(example.type, example.version, encoded)
        assert json_codec.decode_body(example.type, example.version, encoded) == body
    else:
        assert encoded == example.document


def test_decoded_values_cannot_be_changed() -> None:
    """Lists become tuples, and every dataclass is frozen."""
    body = json_codec.decode_body("transfer.proposal", 1, examples.valid("transfer.proposal"))
    assert isinstance(body.blocks, tuple)
    with pytest.raises(AttributeError):
        body.quantity = 1
    with pytest.raises(AttributeError):
        body.blocks[0].quantity = 1


def test_decoding_leaves_the_document_as_it_was() -> None:
    """The parsed document is evidence, nobody writes into it."""
    document = examples.valid("transfer.proposal", "full")
    before = json.dumps(document)
    json_codec.decode_body("transfer.proposal", 1, document)
    assert json.dumps(document) == before


def test_absent_fields_stay_absent_and_null_stays_null() -> None:
    """Optional means left out; only the log index of a receipt can be null."""
    outcome = Outcome(message_id="m", outcome="accepted", code=0, name="OK", findings=())
    assert json_codec.encode_body(outcome) == {
        "message_id": "m",
        "outcome": "accepted",
        "code": 0,
        "name": "OK",
        "findings": [],
    }
    receipt = examples.valid("receipt")
    assert receipt["log_index"] is None
    assert b'"log_index":null' in json_codec.encode(json_codec.decode_receipt(receipt))


def test_findings_name_blocks_by_identifiers() -> None:
    """A refusal's ranges are read and written as in messages."""
    receipt = json_codec.decode_receipt(examples.valid("receipt", "full"))
    finding: Finding = receipt.outcomes[0].findings[0]
    assert [block.first_serial for block in finding.blocks] == [1917]
    assert json_codec.encode_body(finding)["blocks"][0]["first_id"] == finding.blocks[0].first_id


@pytest.mark.parametrize(
    "example",
    [e for e in examples.INVALID if e.refused_by == "identifiers"],
    ids=lambda example: f"{example.type}.{example.name}",
)
def test_inconsistent_identifiers_are_refused_at_their_place(
    example: examples.InvalidExample,
) -> None:
    """The one thing a schema cannot say is refused in decoding."""
    with pytest.raises(IdentifierInconsistentError) as refused:
        decoded(example)
    assert refused.value.path == example.path


@pytest.mark.parametrize(("type_", "version"), [("transfer.gift", 1), ("transfer.status", 2)])
def test_unknown_types_and_versions_are_told_apart_from_bad_bodies(
    type_: str, version: int
) -> None:
    """The caller answers these with codes of their own."""
    with pytest.raises(UnknownTypeError, match=f"{type_}.*{version}"):
        json_codec.decode_body(type_, version, {})


def test_a_body_that_skipped_its_schema_is_a_value_error() -> None:
    """Decoding trusts the schema; a caller that forgot it hears a ValueError."""
    with pytest.raises(ValueError, match="transfer_id"):
        json_codec.decode_body("transfer.status", 1, {})


@pytest.mark.parametrize("type_", MESSAGE_TYPES)
def test_messages_are_composed_from_their_own_body(type_: str) -> None:
    """Type, version and body of a composed message fit together."""
    body = json_codec.decode_body(type_, 1, examples.valid(type_))
    message = json_codec.compose_message("id", type_, body)
    assert (message.type, message.version, message.body) == (type_, 1, examples.valid(type_))


@pytest.mark.parametrize("type_", NOTICE_TYPES)
def test_notices_are_composed_from_their_own_body(type_: str) -> None:
    """Type, version and body of a composed notice fit together."""
    body = json_codec.decode_body(type_, 1, examples.valid(type_))
    notice = json_codec.compose_notice(type_, body)
    assert (notice.type, notice.version, notice.body) == (type_, 1, examples.valid(type_))


def test_a_body_under_a_foreign_type_is_refused() -> None:
    """A status query does not travel as a cancellation, nor a message as a notice."""
    status = TransferStatus(transfer_id="THA01-1")
    cancellation = TransferCancellation(transfer_id="THA01-1", previous_sha256="0" * 64)
    with pytest.raises(UnknownTypeError, match="TransferStatus"):
        json_codec.compose_message("id", "transfer.cancellation", status)
    with pytest.raises(UnknownTypeError, match="TransferCancellation"):
        json_codec.compose_notice("transfer.cancelled", cancellation)
