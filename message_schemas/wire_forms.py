"""From dataclasses to plain JSON values and back, for every payload and body.

The rule of optional fields: a field without a default is always written, even as null; a field
with a default is left out when it has it. Blocks are written with their full identifiers and
read in both forms (see ``blocks``).
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import cache
from operator import attrgetter
from typing import Any, Final, TypeVar

import msgspec

from message_schemas.blocks import (
    SERIAL_MAX,
    Block,
    BlockRange,
    IdentifierInconsistentError,
    render_identifier,
)

T = TypeVar("T")
Json = dict[str, Any]

_PLAIN: Final = frozenset({str, int, bool, type(None), dict})
_BLOCK_LISTS: Final = ("blocks", "ranges", "not_first_transferred")
_HOLDERS_OF_BLOCKS: Final = ("reasons", "outcomes", "findings", "shares")
_REQUIRED: Final = object()


def to_plain(value: Any) -> Any:
    """Return the plain JSON value (dict, list, str, int, bool, None) of a payload or a part."""
    kind: Any = type(value)
    if kind in _PLAIN:
        return value
    if kind is tuple or kind is list:
        return [item if type(item) is str else to_plain(item) for item in value]
    if kind is BlockRange:
        return _range_to_plain(value)
    return _writer(kind)(value)


def from_plain(plain: Mapping[str, Any], cls: type[T]) -> T:
    """Return the dataclass of a plain JSON object that its schema has already accepted.

    Raises IdentifierInconsistentError where a block's two identifiers are not one block's, and
    ValueError where the object does not fit the class (its schema would have refused it).
    """
    return msgspec.convert(_with_columns(plain), cls)


@cache
def _writer(cls: Any) -> Callable[[Any], Json]:
    """Return the function that writes one dataclass, its fields looked up once and for all."""
    names = tuple(field.name for field in fields(cls))
    defaults = tuple(
        _REQUIRED if field.default is MISSING else field.default for field in fields(cls)
    )
    values_of = attrgetter(*names)  # a tuple, because no class of ours has a single field
    plan = tuple(zip(names, defaults, strict=True))

    def write(value: Any) -> Json:
        written = {}
        for (name, default), item in zip(plan, values_of(value), strict=True):
            if default is not _REQUIRED and item == default:
                continue
            written[name] = item if type(item) in _PLAIN else to_plain(item)
        return written

    return _block_writer(write) if cls is Block else write


def _range_to_plain(block: BlockRange) -> Json:
    return {"first_id": block.first_id, "last_id": block.last_id}


def _block_writer(write: Callable[[Any], Json]) -> Callable[[Any], Json]:
    def write_block(block: Block) -> Json:
        columns = write(block)
        series = (
            columns.pop("cooperative_approach"),
            columns.pop("originating_registry"),
            columns.pop("first_transferring_party"),
        )
        vintage = columns.pop("vintage")
        first = render_identifier(*series, columns.pop("first_serial"), vintage)
        last = render_identifier(*series, columns.pop("last_serial"), vintage)
        return {"first_id": first, "last_id": last, **columns}

    return write_block


def _with_columns(plain: Mapping[str, Any], path: str = "") -> Mapping[str, Any]:
    """Return the object with every full identifier replaced by its columns."""
    changed: Json = {}
    for key in _BLOCK_LISTS:
        if key in plain:
            changed[key] = [
                _split(block, path, key, position) if "first_id" in block else block
                for position, block in enumerate(plain[key])
            ]
    if "range" in plain and "first_id" in plain["range"]:
        changed["range"] = _split(plain["range"], path, "range", None)
    for key in _HOLDERS_OF_BLOCKS:
        if key in plain:
            changed[key] = [
                _with_columns(item, f"{path}/{key}/{position}")
                for position, item in enumerate(plain[key])
            ]
    return {**plain, **changed} if changed else plain


def _split(block: Json, path: str, key: str, position: int | None) -> Json:
    """Return the columns of one block; the schema has checked the form of both identifiers."""
    first, last = block["first_id"].split("-"), block["last_id"].split("-")
    approach, registry, party, first_serial, vintage = first
    if last[:3] != first[:3] or last[4] != vintage:
        raise IdentifierInconsistentError(
            _place(path, key, position),
            f"first_id {block['first_id']} and last_id {block['last_id']} differ in more than"
            " the serial number",
        )
    serials = int(first_serial), int(last[3])
    if max(serials) > SERIAL_MAX:
        raise IdentifierInconsistentError(
            _place(path, key, position), f"a serial number beyond {SERIAL_MAX}"
        )
    columns = {
        **block,
        "cooperative_approach": approach,
        "originating_registry": registry,
        "first_transferring_party": party,
        "vintage": int(vintage),
        "first_serial": serials[0],
        "last_serial": serials[1],
    }
    del columns["first_id"], columns["last_id"]
    return columns


def _place(path: str, key: str, position: int | None) -> str:
    return f"{path}/{key}" if position is None else f"{path}/{key}/{position}"
