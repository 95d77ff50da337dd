"""The AsyncAPI 3.0 description of what is said and told, made from the catalogue and its schemas.

1. Two channels have bytes on the wire: envelopes come in at one address, deliveries go out to the
   endpoint that the secretariat has on record for a participant. Both are JWS, or signed XML
   (``x-other-content-type``); ``x-signed-payload`` names the schema of what is signed.
2. Two channels lie inside them: what participants say (bodies of an envelope's messages) and what
   the hub tells (bodies of a delivery's notices), one message a type.
3. All schemas stand in the document itself, so that no reference leads out of it.
"""

from functools import cache
from typing import Any, Final

from hub.http.openapi import JWS
from hub.protocol.envelopes import DELIVERY_TYP, ENVELOPE_TYP, MEDIA_TYPE, RECEIPT_TYP
from hub.protocol.limits import Limits
from hub.protocol.signed_objects import MEDIA_TYPES, Binding
from hub.services import publications

SCHEMA_FORMAT: Final = "application/schema+json;version=draft-2020-12"
_ENDING: Final = ".schema.json"
_SIGNED: Final = {
    "envelope": (ENVELOPE_TYP, "A participant's envelope: up to several messages"),
    "receipt": (RECEIPT_TYP, "The hub's receipt: one outcome for each message"),
    "delivery": (DELIVERY_TYP, "Items of one recipient's own sequence, in order"),
    "acknowledgement": (ENVELOPE_TYP, "An envelope with a delivery.acknowledgement"),
}


def document(limits: Limits) -> dict[str, Any]:
    """Return the description, with the limits in force."""
    said, told = publications.message_summaries(), publications.notice_summaries()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "ITMO Hub",
            "version": "1",
            "description": "What registries say to each other through the hub, and what the hub "
            "tells them. docs/protocol.md is the normative text, /openapi.json describes HTTP.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": MEDIA_TYPE,
        "channels": {
            "envelopes": _channel(
                "/v1/envelopes",
                f"One signed envelope a POST, at most {limits.envelope_bytes_max} bytes.",
                ("envelope", "receipt"),
            ),
            "deliveries": _channel(
                None,
                "Pushed to the participant's own endpoint, one under way at a time, again until "
                f"acknowledged; at most {limits.delivery_items_max} items.",
                ("delivery", "acknowledgement"),
            ),
            "messages": _channel(
                None, "Inside envelopes: the bodies of their messages, by type.", said
            ),
            "notices": _channel(
                None, "Inside deliveries: the bodies of their notices, by type.", told
            ),
        },
        "operations": _operations(tuple(said), tuple(told)),
        "components": {
            "messages": {
                **{name: _signed(name, *about) for name, about in _SIGNED.items()},
                **{name: _inside(name, *about) for name, about in said.items()},
                **{name: _inside(name, summary) for name, summary in told.items()},
            },
            "schemas": _schemas(),
        },
    }


def _channel(address: str | None, description: str, messages: Any) -> dict[str, Any]:
    return {
        "address": address,
        "description": description,
        "messages": {name: _to("components", "messages", name) for name in messages},
    }


def _operations(said: tuple[str, ...], told: tuple[str, ...]) -> dict[str, Any]:
    return {
        "takeEnvelope": _operation(
            "receive", "envelopes", ("envelope",), "The receipt follows the commit.", "receipt"
        ),
        "pushDelivery": _operation(
            "send", "deliveries", ("delivery",), "The answer acknowledges.", "acknowledgement"
        ),
        "hearMessages": _operation("receive", "messages", said, "What participants may say."),
        "tellNotices": _operation("send", "notices", told, "What the hub tells."),
    }


def _operation(
    action: str, channel: str, messages: tuple[str, ...], summary: str, reply: str | None = None
) -> dict[str, Any]:
    def of_channel(name: str) -> dict[str, str]:
        return _to("channels", channel, "messages", name)

    operation: dict[str, Any] = {
        "action": action,
        "channel": _to("channels", channel),
        "summary": summary,
        "messages": [of_channel(name) for name in messages],
    }
    if reply is not None:
        operation["reply"] = {"channel": _to("channels", channel), "messages": [of_channel(reply)]}
    return operation


def _signed(name: str, typ: str, summary: str) -> dict[str, Any]:
    payload = "envelope" if name == "acknowledgement" else name
    return {
        "name": name,
        "summary": f"{summary}. JWS of typ {typ}, or XML with an XML Signature.",
        "contentType": MEDIA_TYPE,
        "payload": _to("components", "schemas", "jws"),
        "x-signed-payload": _to("components", "schemas", payload),
        "x-other-content-type": MEDIA_TYPES[Binding.XML],
    }


def _inside(name: str, summary: str, senders: tuple[str, ...] = ("hub",)) -> dict[str, Any]:
    return {
        "name": name,
        "summary": summary,
        "contentType": "application/json",
        "payload": _to("components", "schemas", name),
        "x-senders": list(senders),
    }


@cache
def _schemas() -> dict[str, Any]:
    """Return every schema that is served, its references turned into ones within the document."""
    schemas = {"jws": _formatted(JWS)}
    for name in publications.schema_names():
        found = publications.schema_document(name)
        assert found is not None, "a schema that is listed is served"
        content = {key: value for key, value in found.items() if key not in ("$id", "$schema")}
        schemas[name] = _formatted(_turned(content, name))
    return schemas


def _formatted(schema: Any) -> dict[str, Any]:
    return {"schemaFormat": SCHEMA_FORMAT, "schema": schema}


def _turned(value: Any, within: str) -> Any:
    """Return a part of the schema ``within`` with its references turned."""
    if isinstance(value, list):
        return [_turned(one, within) for one in value]
    if not isinstance(value, dict):
        return value
    turned = {key: _turned(one, within) for key, one in value.items()}
    if isinstance(reference := turned.get("$ref"), str):
        file, _, pointer = reference.partition("#")
        name = file.removesuffix(_ENDING) or within
        turned["$ref"] = f"#/components/schemas/{name}/schema{pointer}"
    return turned


def _to(*path: str) -> dict[str, str]:
    """Return a reference to a place in this document."""
    return {"$ref": "#/" + "/".join(path)}
