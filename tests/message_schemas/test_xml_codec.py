"""The XML codec: JSON, dataclass and XML say the same, for every type there is."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from message_schemas import examples, json_codec, strict_json, xml_codec
from message_schemas.blocks import IdentifierInconsistentError
from message_schemas.json_codec import UnknownTypeError
from message_schemas.messages.transfers import TransferCancellation, TransferStatus
from message_schemas.strict_xml import XmlRefusedError, parse_strict
from message_schemas.validation import schema_errors
from message_schemas.xml_codec import XmlFormError, XmlUnwritableError
from message_schemas.xml_forms import FORMS, NAMESPACE
from message_schemas.xml_validation import xml_schema_errors
from tests.message_schemas import strategies
from tests.message_schemas.xml_forgeries import xml_of

PAYLOADS = {
    "envelope": json_codec.decode_envelope,
    "receipt": json_codec.decode_receipt,
    "delivery": json_codec.decode_delivery,
}
TYPES = [*strategies.BODY_TYPES, *PAYLOADS]
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=20)
STATUS = "<transfer_id>THA01-1</transfer_id>"


def decoded(type_: str, document: dict[str, Any]) -> Any:
    """Return the dataclass that JSON makes of a document."""
    if type_ in PAYLOADS:
        return PAYLOADS[type_](document)
    return json_codec.decode_body(type_, 1, document)


def read(type_: str, raw: bytes) -> dict[str, Any]:
    """Return the JSON value that a whole XML document says."""
    found = xml_codec.read_document(type_, parse_strict(raw))
    assert not found.body_faults
    return found.document


@pytest.mark.parametrize("type_", TYPES)
@unhurried
@given(data=st.data())
def test_nothing_is_lost_between_json_dataclass_and_xml(type_: str, data: st.DataObject) -> None:
    """Around in both directions: equal values, equal dataclasses, equal bytes."""
    document = data.draw(strategies.documents(type_))
    raw = xml_codec.encode_document(type_, document)
    element = parse_strict(raw)
    assert xml_schema_errors(type_, element) == ()
    assert read(type_, raw) == document
    value = decoded(type_, document)
    assert xml_codec.decode(type_, element) == value
    assert xml_codec.encode(type_, value) == raw
    assert json_codec.encode(xml_codec.decode(type_, element)) == json_codec.encode(value)


@pytest.mark.parametrize("type_", TYPES)
@unhurried
@given(data=st.data())
def test_what_is_written_is_its_own_canonical_form(type_: str, data: st.DataObject) -> None:
    """Exclusive C14N changes no byte, so one value has one digest."""
    raw = xml_codec.encode_document(type_, data.draw(strategies.documents(type_)))
    element = parse_strict(raw)
    assert etree.tostring(element, method="c14n", exclusive=True, with_comments=False) == raw


@pytest.mark.parametrize(
    "example", examples.VALID, ids=lambda example: f"{example.type}.{example.name}"
)
def test_every_valid_example_goes_through_xml(example: examples.Example) -> None:
    """The documents we publish say the same in both bindings."""
    raw = xml_codec.encode_document(example.type, example.document)
    assert read(example.type, raw) == example.document
    value = decoded(example.type, example.document)
    assert xml_codec.decode(example.type, xml_codec.to_element(example.type, value)) == value


def test_members_stand_in_the_order_of_the_schema() -> None:
    """However the document was put together."""
    document = examples.valid("transfer.proposal", "full")
    backwards = dict(reversed(document.items()))
    assert xml_codec.encode_document("transfer.proposal", backwards) == xml_codec.encode_document(
        "transfer.proposal", document
    )
    element = xml_codec.to_element("transfer.proposal", decoded("transfer.proposal", document))
    names = [etree.QName(child).localname for child in element]
    assert names == [name for name in FORMS["transfer.proposal"].members if name in document]


def test_null_absent_and_empty_are_three_things() -> None:
    """A null log index, no result, no reasons, an empty path."""
    receipt = examples.valid("receipt")
    assert receipt["log_index"] is None
    raw = xml_codec.encode_document("receipt", receipt)
    assert b'xsi:nil="true"></log_index>' in raw
    assert b"<findings></findings>" in raw
    assert b"<result>" not in raw
    assert read("receipt", raw) == receipt
    outcome = {**receipt["outcomes"][0], "result": {}}
    emptied = {**receipt, "outcomes": [outcome]}
    assert read("receipt", xml_codec.encode_document("receipt", emptied)) == emptied
    finding = {**examples.valid("receipt", "full")["outcomes"][0]["findings"][0], "path": ""}
    pathless = {**receipt, "outcomes": [{**outcome, "findings": [finding]}]}
    assert read("receipt", xml_codec.encode_document("receipt", pathless)) == pathless


def test_texts_come_back_to_the_last_character() -> None:
    """White space, line ends, markup and every plane of Unicode."""
    text = " \t<&>\"'\n]]>  \u2028\ud7ff\ue000\ufffd\U0010ffff "
    note = {"subject": " a  b ", "text": text}
    assert not schema_errors("administrator.note", 1, note)
    assert read("administrator.note", xml_codec.encode_document("administrator.note", note)) == note
    key = {**examples.valid("key.rotate"), "key_document": '{\r\n\t"a":\r1}\r'}
    assert read("key.rotate", xml_codec.encode_document("key.rotate", key)) == key


def test_the_original_bytes_in_a_delivery_are_base64() -> None:
    """Another binding's bytes, with characters that XML has no way to write."""
    delivery = examples.valid("delivery", "full")
    item = {
        **next(i for i in delivery["items"] if "envelope" in i),
        "envelope": '{"\x7f\ufffe":\r\n1}',
    }
    carried = {**delivery, "items": [item]}
    raw = xml_codec.encode_document("delivery", carried)
    assert b"<envelope>eyJ/77++IjoNCjF9</envelope>" in raw
    assert read("delivery", raw) == carried


def test_only_exact_bytes_are_base64() -> None:
    """Every other text has a pattern or a list of words in its schema."""
    found = []

    def look(form: Any, path: str) -> None:
        for name, part in getattr(form, "members", {}).items():
            look(part, f"{path}/{name}")
        if hasattr(form, "item"):
            look(form.item, path)
        if getattr(form, "kind", "") == "base64":
            found.append(path)

    for type_, form in FORMS.items():
        look(form, type_)
    assert found == ["delivery/items/envelope"]


@pytest.mark.parametrize("character", "\x00\x08\x0b\x0c\x0e\x1f\ufffe\uffff")
def test_no_schema_allows_in_a_text_what_xml_cannot_hold(character: str) -> None:
    """Lines, texts, codes and pointers are refused in JSON too, so both say the same."""
    finding = examples.valid("receipt", "full")["outcomes"][0]["findings"][0]
    for field in ("name", "text", "path"):
        changed = {**finding, field: f"/a{character}b"}
        outcome = {**examples.valid("receipt")["outcomes"][0], "findings": [changed]}
        receipt = {**examples.valid("receipt"), "outcomes": [outcome]}
        assert schema_errors("receipt", 1, receipt)
    use = {**examples.valid("action.use"), "purpose": f"a{character}b"}
    assert schema_errors("action.use", 1, use)


def test_the_deepest_json_that_is_read_can_be_written_and_read() -> None:
    """The limit of depth of the one binding is not below that of the other."""
    value: Any = 1
    message = {**examples.valid("envelope")["messages"][0], "type": "a.b"}
    # Envelope, messages, message, body: four of the levels are taken.
    for _ in range(strict_json.DEPTH_MAX - 4):
        value = {"a": value}
    message["body"] = value
    envelope = {**examples.valid("envelope"), "messages": [message]}
    assert strict_json.parse_strict(json_codec.encode(json_codec.decode_envelope(envelope)))
    assert read("envelope", xml_codec.encode_document("envelope", envelope)) == envelope


# --- bodies ------------------------------------------------------------------------------------


def with_body(written: str, type_: str = "transfer.status", version: int = 1) -> bytes:
    """Return the XML of an envelope of two messages; the first is right, the second is given."""
    message = (
        "<message><message_id>019aa0b4-9c40-7000-8000-0000000000{:02d}</message_id><type>{}</type>"
        "<version>{}</version><body>{}</body></message>"
    )
    right = message.format(1, "transfer.status", 1, f"<transfer.status>{STATUS}</transfer.status>")
    return xml_of(
        "envelope",
        "<protocol>itmo-exchange/1</protocol>"
        "<envelope_id>019aa0b4-9c40-7000-8000-000000000000</envelope_id><sender>THA01</sender>"
        "<recipient>XHB01</recipient><sent_at>2026-11-22T09:00:00.000Z</sent_at>"
        f"<messages>{right}{message.format(2, type_, version, written)}</messages>",
    )


def test_bodies_of_known_types_are_written_in_their_form() -> None:
    """Named by their type, no generic value in sight."""
    raw = xml_codec.encode_document("envelope", examples.valid("envelope", "full"))
    for message in examples.valid("envelope", "full")["messages"]:
        assert f"<body><{message['type']}>".encode() in raw


@pytest.mark.parametrize(
    ("type_", "version", "body"),
    [
        ("transfer.gift", 1, {"a": 1}),
        ("transfer.status", 2, {"transfer_id": "THA01-1"}),
        ("transfer.status", 1, {"transfer_id": 7, "colour": None}),
        ("transfer.status", 1, {}),
    ],
)
def test_bodies_that_fit_no_form_travel_as_generic_values(
    type_: str, version: int, body: dict[str, Any]
) -> None:
    """Each message is judged by its addressee, also one whose body is wrong or too new."""
    message = {**examples.valid("envelope")["messages"][0], "type": type_, "version": version}
    envelope = {**examples.valid("envelope"), "messages": [{**message, "body": body}]}
    raw = xml_codec.encode_document("envelope", envelope)
    assert b"<body><map>" in raw
    assert read("envelope", raw) == envelope


@pytest.mark.parametrize(
    ("written", "type_", "path", "text"),
    [
        ("<transfer.status><colour/></transfer.status>", "transfer.status", "/colour", "no member"),
        (
            f"<transfer.status>{STATUS}{STATUS}</transfer.status>",
            "transfer.status",
            "/transfer_id",
            "twice",
        ),
        (f"<transfer.status>{STATUS}</transfer.status>", "key.revoke", "", "another type"),
        ("<transfer.gift/>", "transfer.gift", "", "no message or notice is called"),
        ("<envelope/>", "transfer.status", "", "no message or notice is called"),
        ("<map><integer>1</integer></map>", "transfer.status", "/integer", "without its key"),
    ],
)
def test_a_body_that_cannot_be_read_refuses_its_own_message_only(
    written: str, type_: str, path: str, text: str
) -> None:
    """The neighbour is there; the fault is named inside the body."""
    found = xml_codec.read_document("envelope", parse_strict(with_body(written, type_)))
    first, second = found.document["messages"]
    assert (first["body"], second["body"]) == ({"transfer_id": "THA01-1"}, {})
    assert not schema_errors("envelope", 1, found.document)
    assert set(found.body_faults) == {"/messages/1/body"}
    fault = found.body_faults["/messages/1/body"]
    assert fault.path == path
    assert text in fault.text
    with pytest.raises(XmlFormError, match=text) as refused:
        xml_codec.decode("envelope", parse_strict(with_body(written, type_)))
    assert refused.value.path == f"/messages/1/body{path}"


@pytest.mark.parametrize("written", ["", "text", "<map/><map/>", f"<map/>{STATUS}"])
def test_a_body_holds_exactly_one_element(written: str) -> None:
    """Otherwise the envelope itself is not in form."""
    with pytest.raises(XmlFormError, match=r"one element|text between") as refused:
        xml_codec.read_document("envelope", parse_strict(with_body(written)))
    assert refused.value.path == "/messages/1/body"


def test_notices_name_their_faults_by_item_and_notice() -> None:
    """Deliveries carry bodies too."""
    raw = xml_codec.encode_document("delivery", examples.valid("delivery", "full"))
    type_ = next(
        notice["type"]
        for item in examples.valid("delivery", "full")["items"]
        for notice in item.get("notices", ())
    )
    broken = raw.replace(f"<body><{type_}>".encode(), f"<body><{type_}><colour/>".encode())
    found = xml_codec.read_document("delivery", parse_strict(broken))
    assert found.body_faults
    for place in found.body_faults:
        _, items, item, notices, notice, body = place.split("/")
        assert (items, notices, body) == ("items", "notices", "body")
        assert found.document["items"][int(item)]["notices"][int(notice)]["body"] == {}


# --- what is refused ---------------------------------------------------------------------------

NIL = 'xsi:nil="true"'
REFUSED = {
    "unknown member": ("transfer.status", f"{STATUS}<colour>red</colour>", "/colour", "no member"),
    "member twice": ("transfer.status", STATUS * 2, "/transfer_id", "twice"),
    "member out of order": (
        "transfer.cancellation",
        f"<previous_sha256>{'0' * 64}</previous_sha256>{STATUS}",
        "/transfer_id",
        "after members it stands before",
    ),
    "another namespace": (
        "transfer.status",
        STATUS.replace("<transfer_id>", '<transfer_id xmlns="urn:x">'),
        "/transfer_id",
        "another namespace",
    ),
    "no namespace": (
        "transfer.status",
        STATUS.replace("<transfer_id>", '<transfer_id xmlns="">'),
        "/transfer_id",
        "another namespace",
    ),
    "signature": (
        "transfer.status",
        f'{STATUS}<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/>',
        "/Signature",
        "verify it",
    ),
    "text between": ("transfer.status", f"{STATUS}so", "", "text between"),
    "text before": ("transfer.status", f"\u00a0{STATUS}", "", "text between"),
    "element in a text": (
        "transfer.status",
        "<transfer_id>T<b/></transfer_id>",
        "/transfer_id/b",
        "an element inside",
    ),
    "key on a member": (
        "transfer.status",
        STATUS.replace("_id>T", '_id key="x">T'),
        "/x",
        "an attribute key",
    ),
    "null for a member": (
        "transfer.status",
        f"<transfer_id {NIL}/>",
        "/transfer_id",
        "an attribute nil",
    ),
    "null for a list": (
        "transfer.acknowledgement",
        f"<reasons {NIL}/>",
        "/reasons",
        "an attribute nil",
    ),
    "null with a text": ("receipt", f"<log_index {NIL}>1</log_index>", "/log_index", "null is"),
    "null in other words": ("receipt", '<log_index xsi:nil="1"/>', "/log_index", "null is"),
    "another item": ("transfer.proposal", "<blocks><item/></blocks>", "/blocks/item", "no member"),
    "item in an item": (
        "transfer.proposal",
        "<blocks><block/><block><colour/></block></blocks>",
        "/blocks/1/colour",
        "no member",
    ),
}
NUMBERS = ["", " 1", "1 ", "+1", "01", "-0", "1.0", "1e3", "0x1", "٣", "one", "9223372036854775808"]


@pytest.mark.parametrize("name", REFUSED)
def test_elements_out_of_form_are_refused_at_their_place(name: str) -> None:
    """With the JSON pointer of the member, so that both bindings speak of the same place."""
    type_, inside, path, text = REFUSED[name]
    with pytest.raises(XmlFormError, match=text) as refused:
        xml_codec.read_document(type_, parse_strict(xml_of(type_, inside)))
    assert refused.value.path == path
    assert refused.value.line == 1


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_have_one_writing(number: str) -> None:
    """What a lenient reader would take for a number is refused."""
    raw = xml_of("mailbox.fetch", f"<after_sequence>{number}</after_sequence>")
    with pytest.raises(XmlFormError, match="is no integer") as refused:
        xml_codec.read_document("mailbox.fetch", parse_strict(raw))
    assert refused.value.path == "/after_sequence"


@pytest.mark.parametrize("word", ["", "True", "1", "yes", " true"])
def test_booleans_have_one_writing(word: str) -> None:
    """``true`` or ``false``, nothing else."""
    raw = xml_of("a64.issuance_notice", f"<sop_exempt>{word}</sop_exempt>")
    with pytest.raises(XmlFormError, match="is no boolean"):
        xml_codec.read_document("a64.issuance_notice", parse_strict(raw))


@pytest.mark.parametrize(
    "text", ["eyJ9", "eyJ/77++IjoNCjF9\n", "ey J9", "eyJ", "e30", "e31=", "/w=="]
)
def test_original_bytes_have_one_writing(text: str) -> None:
    """Padded, unbroken, of UTF-8; stray bits would make two texts of one envelope."""
    raw = xml_of("delivery", f"<items><item><envelope>{text}</envelope></item></items>")
    if text == "eyJ9":
        assert read("delivery", raw)["items"] == [{"envelope": '{"}'}]
        return
    with pytest.raises(XmlFormError, match="is no base64"):
        xml_codec.read_document("delivery", parse_strict(raw))


def test_the_root_is_the_element_of_the_type() -> None:
    """No other type, no other namespace, and no tree with surprises."""
    for raw in (
        xml_of("transfer.cancellation", STATUS),
        b"<transfer.status/>",
        xml_of("transfer.status", STATUS).replace(b"exchange:1", b"exchange:2"),
    ):
        with pytest.raises(XmlFormError, match="the element is"):
            xml_codec.read_document("transfer.status", parse_strict(raw))
    with pytest.raises(XmlRefusedError, match="a comment"):
        xml_codec.read_document("transfer.status", etree.fromstring(b"<a><!-- x --></a>"))


def test_what_only_the_schema_can_refuse_is_refused_by_decoding() -> None:
    """Missing members, patterns, conditions: the JSON Schema's rules hold for XML."""
    wrong = {
        "transfer.status": ("", "transfer_id"),
        "transfer.acknowledgement": (
            f"{STATUS}<decision>reject</decision><previous_sha256>{'0' * 64}</previous_sha256>"
            "<reasons/>",
            "less than 1 item",
        ),
    }
    for type_, (inside, text) in wrong.items():
        with pytest.raises(XmlFormError, match=text):
            xml_codec.decode(type_, parse_strict(xml_of(type_, inside)))


@pytest.mark.parametrize(
    "example",
    [e for e in examples.INVALID if e.refused_by == "identifiers"],
    ids=lambda example: f"{example.type}.{example.name}",
)
def test_inconsistent_identifiers_are_refused_as_in_json(example: examples.InvalidExample) -> None:
    """At the same place, by the same error."""
    element = parse_strict(xml_codec.encode_document(example.type, example.document))
    with pytest.raises(IdentifierInconsistentError) as refused:
        xml_codec.decode(example.type, element)
    assert refused.value.path == example.path


def test_nothing_is_dropped_in_writing() -> None:
    """A member the type does not have, or a character XML does not have, is an error of ours."""
    with pytest.raises(XmlUnwritableError, match="colour"):
        xml_codec.encode_document("transfer.status", {"transfer_id": "THA01-1", "colour": "red"})
    with pytest.raises(XmlUnwritableError, match=r"U\+0007"):
        xml_codec.encode(
            "transfer.cancellation",
            TransferCancellation(transfer_id="THA01-1", previous_sha256="0" * 64, reason="\x07"),
        )


def test_unknown_types_are_told_apart() -> None:
    """For reading and writing alike."""
    with pytest.raises(UnknownTypeError, match=r"transfer\.gift"):
        xml_codec.encode("transfer.gift", TransferStatus(transfer_id="THA01-1"))
    with pytest.raises(UnknownTypeError, match="common"):
        xml_codec.read_document("common", etree.fromstring(f'<common xmlns="{NAMESPACE}"/>'))
