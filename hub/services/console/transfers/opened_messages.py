"""Signed objects as they were stored, opened for reading: who signed, what it says, word for word.

They are read by the code that reads evidence: either binding gives the same value, and nothing that
a participant wrote is parsed by libxml2 here. Nothing is verified; for that there is
``transfer_proof``. What cannot be read is shown as that, with the reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from hub.evidence.archives import MALFORMED, RefutedError
from hub.evidence.originals import laid_out
from hub.evidence.signatures import DELIVERY_TYP, ENVELOPE_TYP, RECEIPT_TYP, open_signed
from hub.evidence.xml_signatures import is_xml

EXACT_CHARACTERS_MAX: Final = 16_384
"""Of the exact bytes a page shows so much; the file has all of them."""
_TYPS: Final = {"envelope": ENVELOPE_TYP, "receipt": RECEIPT_TYP, "delivery": DELIVERY_TYP}


@dataclass(frozen=True, slots=True)
class Original:
    """A signed object word for word: laid out for reading, and its exact characters."""

    laid_out: str
    exact: str
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """A signed object: its binding, size, signatures (key id, algorithm), and the value it says.

    ``said`` is None where it cannot be read, and ``fault`` says why.
    """

    kind: str
    binding: str
    byte_count: int
    signatures: tuple[tuple[str, str], ...] = ()
    said: Mapping[str, Any] | None = None
    fault: str | None = None
    original: Original | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """One message of an envelope, and the hub's decision on it if the receipt is here."""

    message_id: str
    type: str
    version: int
    body: Mapping[str, Any]
    outcome: str | None = None
    code: int | None = None
    name: str | None = None
    findings: Sequence[Mapping[str, Any]] = field(default=())
    result: Mapping[str, Any] | None = None


def opened(kind: str, raw: bytes | None, *, with_original: bool) -> Opened | None:
    """Return a stored object for reading; None once it was erased.

    ``kind`` is envelope, receipt or delivery.
    """
    if raw is None:
        return None
    binding = binding_shown(raw)
    original = _original(kind, raw) if with_original else None
    try:
        said, signatures = open_signed(raw, _TYPS[kind])
    except (RefutedError, *MALFORMED) as error:
        return Opened(kind, binding, len(raw), fault=str(error), original=original)
    signed_by = tuple((key_id, algorithm) for algorithm, key_id, _, _ in signatures)
    return Opened(kind, binding, len(raw), signed_by, said, original=original)


def binding_shown(raw: bytes) -> str:
    """Return JSON or XML, by the first bytes."""
    return "XML" if is_xml(raw) else "JSON"


def _original(kind: str, raw: bytes) -> Original:
    exact = raw.decode("utf-8", "replace")
    try:
        words = laid_out(raw, kind)[1]
    except (RefutedError, *MALFORMED):
        words = ""
    return Original(words, exact[:EXACT_CHARACTERS_MAX], len(exact) > EXACT_CHARACTERS_MAX)


def messages_of(envelope: Opened | None, receipt: Opened | None) -> tuple[Said, ...]:
    """Return the messages of an envelope, each with the outcome that its receipt names."""
    if envelope is None or envelope.said is None:
        return ()
    answers = _outcomes(receipt)
    said: list[Said] = []
    for one in _objects(envelope.said.get("messages")):
        message_id = str(one.get("message_id", ""))
        answer = answers.get(message_id, {})
        body, result, version = one.get("body"), answer.get("result"), one.get("version")
        said.append(
            Said(
                message_id=message_id,
                type=str(one.get("type", "")),
                version=version if isinstance(version, int) else 0,
                body=body if isinstance(body, Mapping) else {},
                outcome=answer.get("outcome"),
                code=answer.get("code"),
                name=answer.get("name"),
                findings=_objects(answer.get("findings")),
                result=result if isinstance(result, Mapping) else None,
            )
        )
    return tuple(said)


def _outcomes(receipt: Opened | None) -> dict[str, Mapping[str, Any]]:
    if receipt is None or receipt.said is None:
        return {}
    found = _objects(receipt.said.get("outcomes"))
    return {str(one.get("message_id", "")): one for one in found}


def _objects(value: Any) -> tuple[Mapping[str, Any], ...]:
    """Return the JSON objects of a list; nothing for what is none."""
    if not isinstance(value, list):
        return ()
    return tuple(one for one in value if isinstance(one, Mapping))


def names_id(body: Mapping[str, Any], wanted: str) -> bool:
    """Tell whether a message is about a transfer or action of this id."""
    return any(body.get(name) == wanted for name in _IDS)


def notices_of(text: str | None, wanted: str | None) -> tuple[Said, ...]:
    """Return the stored notices of an item that are about this id, or all of them."""
    if text is None:
        return ()
    try:
        stored = _objects(msgspec.json.decode(text))
    except msgspec.DecodeError:  # damaged: nothing can be read of it
        return ()
    return tuple(
        Said("", str(one.get("type", "")), 1, body)
        for one in stored
        if isinstance(body := one.get("body"), Mapping)
        and (wanted is None or names_id(body, wanted) or body.get("reference") == wanted)
    )


_IDS: Final = ("transfer_id", "action_id", "first_transfer_id", "change_id", "issuance_id")
