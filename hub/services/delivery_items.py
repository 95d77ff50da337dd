"""Write the items of a delivery, in the binding it will be sealed in.

1. ``envelope`` is what its sender signed, byte for byte, in whatever binding that is.
2. If the delivery is in the other binding, ``content`` says beside it what the envelope says: the
   same JSON value, which its recipient can read without the other binding. It is unsigned by the
   sender, and stands under the hub's signature.
3. As many items as fit the bytes of a delivery, at least one. An envelope's ``content`` that would
   not fit a delivery by itself, or whose lists and objects nest too deep beside what is around
   it, is left out; its recipient has the original, and an item must not stop a mailbox. Writing
   many small values in XML takes long: what cannot fit is told by their count, before that.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from hub.protocol.signed_objects import (
    Binding,
    ObjectRefusedError,
    binding_of,
    nests_deeper,
    open_object,
)
from hub.services import xml_threads
from hub.store.mailboxes import ReadyItem
from hub.transparency_log.entries import encode_salt
from keys.jws import UnverifiedJws
from message_schemas import timestamps, xml_codec
from message_schemas.strict_json import DEPTH_MAX

_LEVELS_AROUND: Final = 3  # the delivery, the list of its items, the item
_XML_BYTES_PER_JSON_BYTE: Final = 2  # of what the hub writes itself; measured: 1.5
_XML_BYTES_PER_VALUE_MIN: Final = len("<map></map>")
_STRINGS_AND_BLANKS: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[ \t\r\n]+', re.DOTALL)


def written(items: Sequence[ReadyItem], binding: Binding, bytes_max: int) -> list[dict[str, Any]]:
    """Return as many items as fit ``bytes_max`` as the wire shows them, at least one."""
    shown: list[dict[str, Any]] = []
    size = 0
    for ready in items:
        item, item_bytes = _written(ready, binding, bytes_max)
        size += item_bytes
        if shown and size > bytes_max:
            break
        shown.append(item)
    return shown


def rewritten(
    items: Sequence[dict[str, Any]], binding: Binding, bytes_max: int
) -> list[dict[str, Any]]:
    """Return the items of an earlier delivery as they are written in a binding now.

    None can be left for later, so ``content`` is left out of those from which on it would not fit.
    """
    shown = [{name: value for name, value in one.items() if name != "content"} for one in items]
    originals = [one["envelope"].encode() for one in shown if "envelope" in one]
    left = bytes_max - sum(_bytes_in(binding, raw) for raw in originals)
    for item in shown:
        if "envelope" not in item or left <= 0:
            continue
        raw = item["envelope"].encode()
        alone = _bytes_in(binding, raw)
        content, both = _content(raw, binding, alone + left)
        item.update(content)
        left -= both - alone
    return shown


def _written(ready: ReadyItem, binding: Binding, bytes_max: int) -> tuple[dict[str, Any], int]:
    """Return one item, and about how many bytes of a delivery it takes.

    Verdicts and notices are stored as JSON.
    """
    item = ready.item
    told_bytes = len(item.verdicts or "") + len(item.notices or "")
    size = told_bytes * (_XML_BYTES_PER_JSON_BYTE if binding is Binding.XML else 1)
    shown: dict[str, Any] = {
        "sequence": item.sequence,
        "log_index": item.log_index,
        "recorded_at": timestamps.render(item.recorded_at),
    }
    if item.carries_envelope:
        assert ready.envelope is not None, "an envelope is kept until it was delivered"
        assert ready.salt is not None
        shown["envelope"] = ready.envelope.decode()
        content, envelope_bytes = _content(ready.envelope, binding, bytes_max)
        shown |= content
        size += envelope_bytes
        shown["entry_salt"] = encode_salt(ready.salt)
        shown["verdicts"] = msgspec.Raw((item.verdicts or "[]").encode())
    if item.notices is not None:
        shown["notices"] = msgspec.Raw(item.notices.encode())
    return shown, size


def _content(raw: bytes, binding: Binding, bytes_max: int) -> tuple[dict[str, Any], int]:
    """Return the member ``content`` of an envelope's item, if it has one, and the bytes of both."""
    size = _bytes_in(binding, raw)
    if binding_of(raw) is binding:
        return {}, size
    xml_threads.count_bytes(raw)
    opened = open_object(raw, "envelope")
    if isinstance(opened.form, UnverifiedJws):
        count = values_at_least(opened.form.payload)
        if size + count * _XML_BYTES_PER_VALUE_MIN > bytes_max:
            return {}, size
    try:
        document = opened.read().document
    except ObjectRefusedError:  # deeper than others read; the operator allowed it at this door
        return {}, size
    if nests_deeper(document, DEPTH_MAX - _LEVELS_AROUND):
        return {}, size
    if binding is Binding.XML:
        content_bytes = len(xml_codec.encode_document("envelope", document))
    else:
        content_bytes = len(msgspec.json.encode(document))
    if size + content_bytes > bytes_max:
        return {}, size
    return {"content": document}, size + content_bytes


def values_at_least(payload: bytes) -> int:
    """Return a number of values that JSON text has at the least, without reading it.

    Each value but the first follows a comma or opens a list or object that has some.
    """
    bare = _STRINGS_AND_BLANKS.sub(b"", payload)
    opened = bare.count(b"[") + bare.count(b"{")
    return 1 + bare.count(b",") + opened - bare.count(b"[]") - bare.count(b"{}")


def _bytes_in(binding: Binding, raw: bytes) -> int:
    """Return how many bytes of a delivery an original takes: in XML it is base64."""
    return -(-len(raw) // 3) * 4 if binding is Binding.XML else len(raw)
