"""Keys as the parameters of a deed carry them: whole, so that the log's document proves them.

{"key_id":…, "algorithm":…, "public_key": base64 of the SubjectPublicKeyInfo (DER),
 "valid_from":…, "valid_until":… or null}
"""

import base64
from collections.abc import Mapping
from typing import Any

from hub.services.administration.deeds import AdministrationError
from keys.errors import MalformedKeyError
from keys.public_keys import KeyRecord, PublicKey
from message_schemas import timestamps


def key_form(record: KeyRecord) -> dict[str, Any]:
    """Return a key as plain JSON."""
    until = record.valid_until
    return {
        "key_id": record.key_id,
        "algorithm": record.algorithm.value,
        "public_key": base64.b64encode(record.public_key_der).decode(),
        "valid_from": timestamps.render(record.valid_from),
        "valid_until": None if until is None else timestamps.render(until),
    }


def key_of_form(participant: str, form: Mapping[str, Any]) -> KeyRecord:
    """Return the record of a key. Raises AdministrationError if its members contradict."""
    try:
        key = PublicKey.from_der(participant, base64.b64decode(form["public_key"], validate=True))
        until = form["valid_until"]
        record = KeyRecord.of(
            key,
            timestamps.parse(form["valid_from"]),
            None if until is None else timestamps.parse(until),
        )
    except (ValueError, KeyError, TypeError, MalformedKeyError) as error:
        raise AdministrationError(f"this is no key of {participant}: {error}") from error
    if key_form(record) != dict(form):
        raise AdministrationError(
            f"{str(form.get('key_id'))[:40]} is not the id of this key, which is {record.key_id}"
        )
    return record
