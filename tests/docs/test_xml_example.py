"""The worked example of xml-binding.md holds: signatures, digests, schemas, and the translation."""

import base64
import hashlib
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from hub.evidence.archives import RefutedError
from hub.evidence.signatures import check_signature
from hub.evidence.xml_signatures import open_signed_xml
from hub.protocol.signed_objects import open_object
from keys import base64url
from message_schemas.validation import reference_errors
from message_schemas.xml_forms import NAMESPACE
from tests.docs.documents import CodeBlock, blocks_of, text_of
from tests.tools import needs_xmlsec1

STEPS = ("proposal", "proposal-receipt", "completion")


def example_blocks() -> dict[str, CodeBlock]:
    """Return the blocks of exact bytes by the name of their step."""
    found = blocks_of("xml-binding.md", "text")
    return {block.words[0]: block for block in found if block.words}


def raw_of(step: str) -> bytes:
    """Return the exact bytes of a step."""
    return example_blocks()[step].text.rstrip("\n").encode()


def document_of(step: str) -> Any:
    """Return the value that a step says, unverified."""
    kind: Any = example_blocks()[step].words[1]
    return open_object(raw_of(step), kind).read().document


def public_keys() -> dict[str, bytes]:
    """Return the public keys of the table by their ids."""
    text = text_of("xml-binding.md")
    rows = re.findall(r"^\| \w{5} \| `(\w{5}-[0-9a-f]{16})` \| `([^`]+)` \|$", text, re.M)
    return {key_id: base64url.decode(key) for key_id, key in rows}


def verify(raw: bytes, kind: str) -> None:
    """Verify with the reader of the evidence, which shares no code with the hub's own."""
    _, (algorithm, key_id, signed, signature) = open_signed_xml(raw, NAMESPACE, kind)
    check_signature(public_keys()[key_id], algorithm, signed, signature)


def test_the_example_has_all_its_steps_in_order() -> None:
    """What THA01 posts, its receipt, and the delivery of the end."""
    assert tuple(example_blocks()) == STEPS


@pytest.mark.parametrize("step", STEPS)
def test_every_signature_and_digest_of_the_example_is_right(step: str) -> None:
    """The bytes verify with the key of the table, and the digest beside them is theirs."""
    raw = raw_of(step)
    verify(raw, example_blocks()[step].words[1])
    stated = f"Exact bytes ({len(raw)}), SHA-256 `{hashlib.sha256(raw).hexdigest()}`"
    assert stated in text_of("xml-binding.md")


@pytest.mark.parametrize("step", STEPS)
def test_a_changed_example_is_refused(step: str) -> None:
    """The verification above can fail."""
    with pytest.raises(RefutedError):
        verify(raw_of(step).replace(b"THA01", b"GHA01", 1), example_blocks()[step].words[1])


@needs_xmlsec1
@pytest.mark.parametrize("step", STEPS)
def test_xmlsec1_verifies_the_example_by_the_command_of_the_document(
    step: str, tmp_path: Path
) -> None:
    """The command stands in the document; another's implementation says yes."""
    (block,) = [one for one in blocks_of("xml-binding.md", "") if "xmlsec1" in one.text]
    _, (_, key_id, _, _) = open_signed_xml(raw_of(step), NAMESPACE, example_blocks()[step].words[1])
    key = load_der_public_key(public_keys()[key_id])
    (tmp_path / "hub.pem").write_bytes(
        key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    (tmp_path / "receipt.xml").write_bytes(raw_of(step))
    command = re.sub(r"XHB01-[0-9a-f]{16}", key_id, block.text).split()
    done = subprocess.run(
        command, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("step", STEPS)
def test_every_document_of_the_example_satisfies_the_published_schemas(step: str) -> None:
    """The same JSON Schemas judge what was written in XML."""
    assert reference_errors(example_blocks()[step].words[1], 1, document_of(step)) == ()


def test_the_acceptance_is_there_as_it_was_signed_and_as_it_is_read() -> None:
    """The JSON original and its content in the delivery say the same; the chain is unbroken."""
    receipt, (item,) = document_of("proposal-receipt"), document_of("completion")["items"]
    digest = hashlib.sha256(raw_of("proposal")).hexdigest()
    assert receipt["envelope_sha256"] == digest
    original = item["envelope"].encode()
    assert original[:1] == b"{"
    assert open_object(original, "envelope").read().document == item["content"]
    (message,) = item["content"]["messages"]
    assert message["body"]["previous_sha256"] == digest
    (notice,) = item["notices"]
    assert notice["body"]["previous_sha256"] == hashlib.sha256(original).hexdigest()
    assert base64.b64encode(original) in raw_of("completion")
