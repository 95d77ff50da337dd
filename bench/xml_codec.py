"""JSON against XML: what a message costs to write and to read, in batches of 500 and alone.

The same envelopes in both bindings, no signature and no network. ``read`` is all that stands
between verified bytes and typed bodies: parse strictly, check the schema of the envelope and of
each body, make the dataclasses. For XML its parts are shown, and what the XML Schemas would cost
on top.
"""

import time
from collections.abc import Callable
from typing import Any

from bench.report import Report
from message_schemas import examples, json_codec, strict_xml, xml_codec
from message_schemas.envelopes import Envelope
from message_schemas.validation import schema_errors
from message_schemas.xml_validation import xml_schema_errors

BATCH = 500
SECONDS = 1.0
ROUNDS = 5


def envelope_of(type_: str, name: str, count: int) -> Envelope:
    """Return an envelope of ``count`` messages with the body of one example."""
    body = json_codec.decode_body(type_, 1, examples.valid(type_, name))
    messages = tuple(
        json_codec.compose_message(f"0192f6e8-4c00-7a10-8b20-{number:012d}", type_, body)
        for number in range(count)
    )
    return Envelope(
        protocol="itmo-exchange/1",
        envelope_id="0192f6e8-4c00-7a10-8b20-ffffffffffff",
        sender="THA01",
        recipient="CHE01",
        sent_at="2026-11-22T10:15:30.123Z",
        messages=messages,
    )


def microseconds(work: Callable[[], object], messages: int) -> float:
    """Return the CPU time of ``work`` a message: the best of a few rounds."""
    found = []
    for _ in range(ROUNDS):
        count, started = 0, time.process_time()
        while time.process_time() - started < SECONDS / ROUNDS:
            work()
            count += 1
        found.append((time.process_time() - started) / count / messages)
    return min(found) * 1e6


def _typed(document: Any) -> list[Any]:
    """Do what follows parsing in both bindings: schemas and dataclasses."""
    if schema_errors("envelope", 1, document):
        raise ValueError("the benchmark's own envelope is refused")
    bodies = []
    for message in json_codec.decode_envelope(document).messages:
        if schema_errors(message.type, message.version, message.body):
            raise ValueError("the benchmark's own message is refused")
        bodies.append(json_codec.decode_body(message.type, message.version, message.body))
    return bodies


def row(type_: str, name: str, count: int) -> dict[str, Any]:
    """Return the figures of one kind of message."""
    envelope = envelope_of(type_, name, count)
    as_json = json_codec.encode(envelope)
    as_xml = xml_codec.encode("envelope", envelope)
    element = strict_xml.parse_strict(as_xml)
    document = json_codec.parse_strict(as_json)
    if xml_codec.read_document("envelope", element).document != document:
        raise ValueError("the two bindings do not say the same")

    def read_json() -> object:
        return _typed(json_codec.parse_strict(as_json))

    def read_xml() -> object:
        parsed = strict_xml.parse_strict(as_xml)
        return _typed(xml_codec.read_document("envelope", parsed).document)

    timed = {
        "JSON write": lambda: json_codec.encode(envelope),
        "XML write": lambda: xml_codec.encode("envelope", envelope),
        "JSON read": read_json,
        "XML read": read_xml,
        "· XML parse": lambda: strict_xml.parse_strict(as_xml),
        "· XML to values": lambda: xml_codec.read_document("envelope", element),
        "XML Schema": lambda: xml_schema_errors("itmo-exchange", element),
    }
    return {
        "message": f"{type_} ({name})",
        "messages": count,
        "JSON bytes": len(as_json) // count,
        "XML bytes": len(as_xml) // count,
        **{title: microseconds(work, count) for title, work in timed.items()},
    }


async def run(report: Report) -> None:
    """Measure a small and a large message, in a full envelope and alone."""
    rows = []
    for type_, name in (("transfer.proposal", "full"), ("transfer.status", "minimal")):
        for count in (BATCH, 1):
            report.progress(f"{type_} ({name}), {count} in an envelope")
            rows.append(row(type_, name, count))
    report.table(
        "Bindings: CPU a message, in microseconds, and bytes a message",
        rows,
        "read: parse, schemas, dataclasses; XML Schema: with all bodies, not part of read",
    )
