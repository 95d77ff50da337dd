"""Lines to begin from: an issuance of 1,000 units, its shares, and its forwarding."""

import json
from pathlib import Path
from typing import Any

from connectors.mechanism_registry.feeds.fields import FeedRules
from connectors.mechanism_registry.feeds.lines import FeedLine

RULES = FeedRules("XMR01", vintage_max=2026)


def issuance(**changes: Any) -> dict[str, Any]:
    """Return the fields of a good issuance line; None leaves a field out."""
    fields: dict[str, Any] = {
        "record": "issuance",
        "issuance_id": "XMR01-1",
        "activity_id": "A64-THA-0001",
        "host_party": "THA",
        "cooperative_approach": "CA0001",
        "vintage": 2022,
        "issued_quantity": 1000,
        "authorized_quantity": 1000,
        "sop_quantity": 50,
        "sop_exempt": False,
        "omge_quantity": 20,
        "issued_at": "2026-03-01T09:00:00.000Z",
    }
    return changed(fields, changes)


def block(first: int = 1, last: int = 930, **changes: Any) -> dict[str, Any]:
    """Return the fields of a good forwarding line over these serials."""
    fields: dict[str, Any] = {
        "record": "first_transfer",
        "first_transfer_id": f"XMR01-{first}",
        "kind": "forwarding",
        "issuance_id": "XMR01-1",
        "activity_id": "A64-THA-0001",
        "host_party": "THA",
        "cooperative_approach": "CA0001",
        "vintage": 2022,
        "first_serial": first,
        "last_serial": last,
        "quantity": last - first + 1,
        "metric": "GHG",
        "mitigation_type": "Emission reductions",
        "authorization_id": "TH-2022-001",
        "authorization_version": 1,
        "authorization_status": "authorized",
        "sector": "Transportation",
        "acquiring_account": "CHE-HOLDING-1",
    }
    return changed(fields, changes)


def changed(fields: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return fields with changes; None leaves a field out."""
    return {name: value for name, value in (fields | changes).items() if value is not None}


def whole_issuance() -> list[dict[str, Any]]:
    """Return the lines of a good feed: the issuance, both shares, the rest."""
    return [
        issuance(),
        block(1, 50, kind="sop_adaptation", acquiring_account="AF-HOLDING-1"),
        block(51, 70, kind="omge", acquiring_account="OMGE-1"),
        block(71, 1000),
    ]


def feed_lines(lines: list[dict[str, Any]]) -> list[FeedLine]:
    """Return lines as the reader returns them."""
    return [FeedLine(number, number, fields, None) for number, fields in enumerate(lines, 1)]


def write_lines(path: Path, lines: list[dict[str, Any]]) -> Path:
    """Write a feed of JSON lines."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def contribution(first: int, last: int, **changes: Any) -> dict[str, Any]:
    """Return the fields of a good line of contribution units that participants hold."""
    without = dict.fromkeys(("authorization_id", "authorization_version", "acquiring_account"))
    fields = {"kind": "held", "authorization_status": "contribution"}
    return block(first, last, **(without | fields | changes))


def change(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return the fields of a good later authorization; give it its runs of serials."""
    fields: dict[str, Any] = {
        "record": "authorization_change",
        "change_id": f"XMR01-{number}",
        "issuance_id": "XMR01-1",
        "activity_id": "A64-THA-0001",
        "host_party": "THA",
        "cooperative_approach": "CA0001",
        "vintage": 2022,
        "changed_at": "2026-06-01T09:00:00.000Z",
        "metric": "GHG",
        "mitigation_type": "Emission reductions",
        "authorization_id": "TH-2022-001",
        "authorization_version": 1,
        "sector": "Transportation",
    }
    runs = [(changes.get(f"{p}first_serial"), changes.get(f"{p}last_serial")) for p in PREFIXES]
    fields["quantity"] = sum(last - first + 1 for first, last in runs if first and last)
    accounts = {"sop_account": "AF-HOLDING-1", "omge_account": "OMGE-1"}
    fields |= {
        n: a for n, a in accounts.items() if changes.get(n.replace("account", "last_serial"))
    }
    return changed(fields, changes)


PREFIXES = ("", "sop_", "omge_")


def retirement(first: int, last: int, **changes: Any) -> dict[str, Any]:
    """Return the fields of a good retirement for Switzerland's NDC."""
    fields = {
        "record": "retirement",
        "action_id": f"XMR01-{first}",
        "account": "CHE-M-1",
        "account_party": "CHE",
        "using_party": "CHE",
        "purpose": "NDC",
        "calendar_year": 2025,
    }
    return _ended(first, last, fields | changes)


def cancellation(first: int, last: int, **changes: Any) -> dict[str, Any]:
    """Return the fields of a good voluntary cancellation for OMGE."""
    fields = {
        "record": "cancellation",
        "action_id": f"XMR01-{first}",
        "account": "CHE-M-1",
        "account_party": "CHE",
        "cancelling_party": "CHE",
        "cancellation_kind": "omge",
    }
    return _ended(first, last, fields | changes)


def _ended(first: int, last: int, changes: dict[str, Any]) -> dict[str, Any]:
    names = ("first_transfer_id", "kind", "authorization_status", "acquiring_account")
    return block(first, last, **(dict.fromkeys(names) | changes))


def half_authorized(**changes: Any) -> list[dict[str, Any]]:
    """Return an issuance half of which is contribution units, those shown line by line."""
    authorized = {"authorized_quantity": 500}
    return [
        issuance(**(authorized | changes)),
        block(1, 25, kind="sop_adaptation", acquiring_account="AF-HOLDING-1"),
        block(26, 35, kind="omge", acquiring_account="OMGE-1"),
        contribution(501, 525, kind="sop_adaptation"),
        contribution(526, 535, kind="omge"),
        contribution(536, 1000),
        block(36, 500),
    ]
