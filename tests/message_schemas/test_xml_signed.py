"""The XML binding under its signature: what is written can be signed, verified and read."""

import subprocess
from pathlib import Path

import pytest

from keys.algorithms import Algorithm
from keys.xml_signatures import open_signed_xml, sign_xml, verify_xml
from message_schemas import examples, schema_files, xml_codec
from message_schemas.strict_xml import XmlRefusedError, parse_strict
from message_schemas.xml_forms import NAMESPACE
from tests.keys.support import NOW, seeded_signer, trusting
from tests.tools import needs_xmllint

SIGNER = seeded_signer(Algorithm.ES256)
TRUST = trusting(SIGNER)
FOLDER = Path(__file__).parents[2] / "message_schemas/xml/v1"


@pytest.mark.parametrize(
    "example",
    [example for example in examples.VALID if example.type in schema_files.PAYLOADS],
    ids=lambda example: f"{example.type}.{example.name}",
)
def test_signed_payloads_are_verified_and_read(example: examples.Example) -> None:
    """The referenced bytes are the very bytes written; the element that is read says the same."""
    raw = xml_codec.encode_document(example.type, example.document)
    signed = sign_xml(raw, SIGNER)
    with pytest.raises(XmlRefusedError, match="an attribute"):
        parse_strict(signed)  # with the signature still in it, nothing is read
    opened = open_signed_xml(signed, f"{{{NAMESPACE}}}{example.type}")
    verified = verify_xml(opened, TRUST, "THA01", NOW)
    assert verified.referenced == raw
    assert xml_codec.read_document(example.type, verified.element).document == example.document


@needs_xmllint
def test_xmllint_accepts_signed_payloads(tmp_path: Path) -> None:
    """The schemas of envelope, receipt and delivery leave the signature its place."""
    for type_ in schema_files.PAYLOADS:
        path = tmp_path / f"{type_}.xml"
        raw = xml_codec.encode_document(type_, examples.valid(type_, "full"))
        path.write_bytes(sign_xml(raw, SIGNER))
        schema = str(FOLDER / f"{type_}.xsd")
        command = ["xmllint", "--noout", "--nonet", "--schema", schema, str(path)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
