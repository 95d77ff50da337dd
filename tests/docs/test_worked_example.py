"""The worked example of protocol.md holds: signatures, key ids, digests and the chain of them."""

import hashlib
import json
import re
from typing import Any

import pytest
from jwcrypto.common import base64url_decode
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS, InvalidJWSSignature

from message_schemas.validation import reference_errors
from tests.docs.documents import CodeBlock, blocks_of, text_of
from tests.docs.protocol_client import ALGORITHMS, key_of

STEPS = (
    "proposal",
    "proposal-receipt",
    "delivery",
    "acknowledgement",
    "acceptance",
    "acceptance-receipt",
    "completion",
)
PAYLOAD_OF_TYP = {
    "itmo-envelope+jws": "envelope",
    "itmo-receipt+jws": "receipt",
    "itmo-delivery+jws": "delivery",
}


def example_blocks() -> dict[str, CodeBlock]:
    """Return the blocks of exact bytes by the name of their step."""
    return {block.words[0]: block for block in blocks_of("protocol.md", "text") if block.words}


def example_keys() -> dict[str, JWK]:
    """Return the public keys of the example's table; their ids are derived again."""
    rows = re.findall(r"^\| (\w{5}) \| `([^`]+)` \| `([^`]+)` \|$", text_of("protocol.md"), re.M)
    documents = [{"participant": a, "key_id": b, "public_key": c} for a, b, c in rows]
    return {document["key_id"]: key_of(document) for document in documents}


def raw_of(step: str) -> bytes:
    """Return the exact bytes of a step."""
    return example_blocks()[step].text.rstrip("\n").encode("ascii")


def digest_of(step: str) -> str:
    """Return the digest of a step's exact bytes."""
    return hashlib.sha256(raw_of(step)).hexdigest()


def payload_of(raw: bytes) -> Any:
    """Return a signed object's payload, unverified."""
    return json.loads(base64url_decode(json.loads(raw)["payload"]))


def verify(raw: bytes, typ: str) -> None:
    """Verify a signed object with a JOSE library that is not the hub's."""
    outer = json.loads(raw)
    (member,) = outer["signatures"]
    header = json.loads(base64url_decode(member["protected"]))
    assert header["typ"] == typ
    token = JWS()
    token.allowed_algs = ALGORITHMS
    token.deserialize(json.dumps({"payload": outer["payload"], **member}))
    token.verify(example_keys()[header["kid"]])


def test_the_example_has_all_its_steps_in_order() -> None:
    """Seven signed objects, each with its bytes."""
    assert tuple(example_blocks()) == STEPS


@pytest.mark.parametrize("step", STEPS)
def test_every_signature_and_digest_of_the_example_is_right(step: str) -> None:
    """The bytes verify with the key of the table, and the digest beside them is theirs."""
    verify(raw_of(step), example_blocks()[step].words[1])
    assert f"Exact bytes ({len(raw_of(step))}), SHA-256 `{digest_of(step)}`" in text_of(
        "protocol.md"
    )


@pytest.mark.parametrize("step", STEPS)
def test_a_changed_payload_of_the_example_is_refused(step: str) -> None:
    """The verification above can fail."""
    outer = json.loads(raw_of(step))
    outer["payload"] = "e30"
    with pytest.raises(InvalidJWSSignature):
        verify(json.dumps(outer).encode(), example_blocks()[step].words[1])


@pytest.mark.parametrize("step", STEPS)
def test_every_payload_of_the_example_satisfies_the_published_schemas(step: str) -> None:
    """The payload, the bodies of its messages and those of its notices."""
    payload = payload_of(raw_of(step))
    kind = PAYLOAD_OF_TYP[example_blocks()[step].words[1]]
    assert reference_errors(kind, 1, payload) == ()
    said = [*payload.get("messages", ())]
    for item in payload.get("items", ()):
        said += item.get("notices", ())
    for one in said:
        assert reference_errors(one["type"], one["version"], one["body"]) == ()


def test_the_example_is_one_unbroken_chain() -> None:
    """Receipts name envelopes, deliveries carry them, answers and notices name their digests."""
    receipt, delivery = payload_of(raw_of("proposal-receipt")), payload_of(raw_of("delivery"))
    assert receipt["envelope_sha256"] == digest_of("proposal")
    assert delivery["items"][0]["envelope"].encode() == raw_of("proposal")
    assert delivery["items"][0]["log_index"] == receipt["log_index"]
    acknowledged = payload_of(raw_of("acknowledgement"))["messages"][0]["body"]
    assert acknowledged["delivery_sha256"] == digest_of("delivery")
    answer = payload_of(raw_of("acceptance"))["messages"][0]["body"]
    assert answer["previous_sha256"] == digest_of("proposal")
    completion = payload_of(raw_of("completion"))["items"][0]
    assert completion["envelope"].encode() == raw_of("acceptance")
    (notice,) = completion["notices"]
    assert notice["type"] == "transfer.completed"
    assert notice["body"]["previous_sha256"] == digest_of("acceptance")
