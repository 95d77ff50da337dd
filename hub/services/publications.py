"""What anyone may fetch unsigned: participants, rulebook, schemas, code lists, limits."""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from importlib import resources
from typing import Any

import msgspec

from hub.checks import rulebook
from hub.protocol.envelopes import PARTICIPANTS_TYP, PROTOCOL
from hub.protocol.response_codes import ResponseCode
from hub.services.reference_data import ReferenceData
from keys import base64url
from keys.jws import sign
from keys.signer import Signer
from message_schemas import timestamps, xml_schema_files
from message_schemas.catalogue import MESSAGE_TYPES, NOTICE_TYPES

_PLAIN_NAME = re.compile(r"[A-Za-z0-9]+([._-][A-Za-z0-9]+){0,9}", re.ASCII)
_NAME_CHARACTERS_MAX = 100


def participants_document(
    data: ReferenceData, *, hub: str, signers: Sequence[Signer], now: datetime, log: dict[str, Any]
) -> bytes:
    """Return the hub-signed list of participants with all their keys, old ones too.

    ``log``: the name and keys of the transparency log.
    """
    keys_of: dict[str, list[dict[str, Any]]] = {}
    for record in data.trust.records():
        keys_of.setdefault(record.participant, []).append(
            {
                "key_id": record.key_id,
                "participant": record.participant,
                "algorithm": record.algorithm.value,
                "public_key": base64url.encode(record.public_key_der),
                "valid_from": timestamps.render(record.valid_from),
                "valid_until": None
                if record.valid_until is None
                else timestamps.render(record.valid_until),
                "revoked_at": None
                if record.revoked_at is None
                else timestamps.render(record.revoked_at),
            }
        )
    payload = {
        "protocol": PROTOCOL,
        "sender": hub,
        "created_at": timestamps.render(now),
        "participants": [
            {
                "code": row.code,
                "party": row.party,
                "kind": row.kind,
                "name": row.name,
                "state": row.state,
                "binding": row.binding,
                "suites": list(row.suites),
                "keys": keys_of.get(row.code, []),
            }
            for row in data.rows.values()
        ],
        "log": log,
    }
    return sign(msgspec.json.encode(payload), PARTICIPANTS_TYP, signers)


def rulebook_document() -> dict[str, Any]:
    """Return the check catalogue."""
    return rulebook.document()


def problem_texts(code: ResponseCode) -> tuple[str, str]:
    """Return the rule's text and its remedy, for a problem document."""
    rule = rulebook.RULES[code]
    return rule.text, rule.remedy


def schema_document(name: str) -> dict[str, Any] | None:
    """Return a JSON Schema by its file name without ending, or None."""
    return _package_json("message_schemas", "json", "v1", f"{name}.schema.json")


def schema_names() -> list[str]:
    """Return the names of all schemas."""
    folder = resources.files("message_schemas") / "json" / "v1"
    ending = ".schema.json"
    return sorted(
        entry.name.removesuffix(ending) for entry in folder.iterdir() if entry.name.endswith(ending)
    )


def xml_schema_names() -> list[str]:
    """Return the names of all XML Schemas."""
    return sorted(xml_schema_files.TEXTS)


def xml_schema_text(name: str) -> bytes | None:
    """Return an XML Schema by its file name without ending, as it lies in the package, or None."""
    return xml_schema_files.TEXTS.get(name)


def message_summaries() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return for every message type one sentence and the kinds of participants that may say it."""
    return {
        name: (type_.summary, tuple(sorted(type_.senders))) for name, type_ in MESSAGE_TYPES.items()
    }


def notice_summaries() -> dict[str, str]:
    """Return one sentence for every notice type."""
    return {name: type_.summary for name, type_ in NOTICE_TYPES.items()}


def code_list_document(date: str, name: str) -> dict[str, Any] | None:
    """Return a code list of a date, or None."""
    return _package_json("message_schemas", "code_lists", date, f"{name}.json")


def code_list_names() -> dict[str, list[str]]:
    """Return the names of all code lists, by date."""
    folder = resources.files("message_schemas") / "code_lists"
    return {
        dated.name: sorted(entry.name.removesuffix(".json") for entry in dated.iterdir())
        for dated in folder.iterdir()
        if dated.is_dir() and dated.name[:4].isdigit()
    }


def _package_json(package: str, *path: str) -> dict[str, Any] | None:
    """Return a JSON file of a package; None if a part of the path is no plain name or not there."""
    if not all(len(part) <= _NAME_CHARACTERS_MAX and _PLAIN_NAME.fullmatch(part) for part in path):
        return None
    entry = resources.files(package).joinpath(*path)
    if not entry.is_file():
        return None
    document: dict[str, Any] = json.loads(entry.read_text(encoding="utf-8"))
    return document
