"""The common nomenclatures: code lists as dated data, never as constants.

The lists are managed in CARP; elements are never changed, new ones may be added (6/CMA.4 annex I,
paragraphs 28-31). So a list is asked for at a date, and a new snapshot is a new folder.

Each file says where its values come from and how sure that is. A list with ``complete`` false
has values whose meaning is not published yet; they are accepted, not explained.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Final, TypeAlias

Code: TypeAlias = str | int


class UnknownCodeListError(LookupError):
    """No code list has this name, or none was in force at the date."""


@dataclass(frozen=True, slots=True)
class CodeList:
    """One list of one snapshot.

    ``titles`` explains values where an explanation is known. ``table`` is the table of the
    published list of common nomenclatures.
    """

    name: str
    title: str
    table: str
    source: str
    confidence: str
    complete: bool
    values: tuple[Code, ...]
    titles: Mapping[Code, str]


def contains(list_name: str, value: Code, at: str | None = None) -> bool:
    """Tell whether a value is in a list; ``at`` is a date (YYYY-MM-DD), today's list if None.

    Raises UnknownCodeListError.
    """
    try:
        return value in _MEMBERS[_snapshot_at(at)][list_name]
    except KeyError:
        raise UnknownCodeListError(f"no code list {list_name!r}") from None


def values(list_name: str, at: str | None = None) -> tuple[Code, ...]:
    """Return the values of a list in their published order. Raises UnknownCodeListError."""
    return find(list_name, at).values


def find(list_name: str, at: str | None = None) -> CodeList:
    """Return a list as it stood at a date. Raises UnknownCodeListError."""
    try:
        return SNAPSHOTS[_snapshot_at(at)][list_name]
    except KeyError:
        raise UnknownCodeListError(f"no code list {list_name!r}") from None


def _snapshot_at(at: str | None) -> str:
    if at is None or at >= CURRENT:
        return CURRENT
    dates = [date for date in SNAPSHOTS if date <= at]
    if not dates:
        raise UnknownCodeListError(f"no code lists of {at} or before")
    return max(dates)


def _read_list(text: str) -> CodeList:
    document = json.loads(text)
    entries = document["values"]
    return CodeList(
        name=document["name"],
        title=document["title"],
        table=document["table"],
        source=document["source"],
        confidence=document["confidence"],
        complete=document["complete"],
        values=tuple(entry["value"] for entry in entries),
        titles=MappingProxyType(
            {entry["value"]: entry["title"] for entry in entries if "title" in entry}
        ),
    )


def _read_snapshots() -> tuple[Mapping[str, bytes], Mapping[str, Mapping[str, CodeList]]]:
    texts: dict[str, bytes] = {}
    snapshots: dict[str, Mapping[str, CodeList]] = {}
    root = files("message_schemas").joinpath("code_lists")
    for folder in sorted(root.iterdir(), key=lambda entry: entry.name):
        if not folder.is_dir():
            continue
        lists = {}
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if entry.name.endswith(".json"):
                texts[f"{folder.name}/{entry.name}"] = entry.read_bytes()
                code_list = _read_list(entry.read_text(encoding="utf-8"))
                lists[code_list.name] = code_list
        snapshots[folder.name] = MappingProxyType(lists)
    return MappingProxyType(texts), MappingProxyType(snapshots)


TEXTS, SNAPSHOTS = _read_snapshots()
"""``2026-02-17/sector.json`` to the bytes served at /v1/code-lists; date to lists by name."""

CURRENT: Final[str] = max(SNAPSHOTS)
"""The date of the newest snapshot."""

_MEMBERS: Final = {
    date: {name: frozenset(code_list.values) for name, code_list in lists.items()}
    for date, lists in SNAPSHOTS.items()
}

LIST_OF_FIELD: Final[Mapping[str, str]] = MappingProxyType(
    {
        "metric": "metric",
        "mitigation_type": "mitigation_type",
        "sector": "sector",
        "sectors": "sector",
        "activity_type": "activity_type",
        "activity_types": "activity_type",
        "purpose": "purpose",
        "purposes": "purpose",
        "action_subtype": "action_subtype",
        "registry": "underlying_registry",
        "authorizing_party": "party",
        "authorized_parties": "party",
        "participating_parties": "party",
        "country_of_incorporation": "party",
        "first_transferring_party": "party",
        "host_party": "party",
        "using_party": "party",
        "cancelling_party": "party",
    }
)
"""Message field to the list its value must be in; ``registry`` inside ``underlying_unit`` only."""
