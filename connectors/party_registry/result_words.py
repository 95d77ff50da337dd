"""A result of reconciliation in plain words: what differs, and what this registry should do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

__all__ = ["explain_result"]

_BOOK: Final = "itmo-hub registry book correct"
_CORRECTION: Final = "C:"  # how references of the hub's corrections of the ledger begin
_ADVICE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "in_flight": "A transfer under way. Nothing to do.",
        "timing": "A message on its way. Nothing to do.",
        "lost_message": "The book missed what the hub told. `" + _BOOK + " completion {reference} "
        "--reason …` (or `action` for a use or cancellation) gives it its effect.",
        "doubled_message": "The book gave one message its effect twice. `" + _BOOK + " doubled "
        "--block {first}..{last} --reason …` leaves one copy.",
        "missing_at_registry": "The ledger has these units in your name, the book does not. Look "
        "for the message in `registry inbox`; `" + _BOOK + " completion`, `restore` or `put-in`.",
        "missing_at_ledger": "The book has units that the ledger does not have in your name. If "
        "they are not yours: `" + _BOOK + " take-out --block {first}..{last} --reason …`.",
        "attribute_differs": "The sides have other values: {fields}. If the ledger is right: `"
        + _BOOK
        + " value --block {first}..{last} --name … --value … --reason …`, or `vintage`.",
        "held_twice": "The book has these units more than once. `" + _BOOK + " doubled --block "
        "{first}..{last} --reason …` leaves one copy.",
        "used_or_cancelled_on_one_side": "Ended on one side only. If it is right in the book: "
        "`itmo-hub registry book report-use` (or `report-cancellation`) tells the hub. If not: `"
        + _BOOK
        + " value --name status --value held`; or `action` if its record was lost here.",
        "no_answer": "The hub had no answer. Look at `registry reconciliation status`.",
        "record_differs": "A notified transfer is on record otherwise. Compare `registry transfer "
        "show {reference}`.",
    }
)

_CORRECTED: Final[Mapping[bool, str]] = MappingProxyType(
    {
        True: "The hub's administrators corrected the ledger, and told it by an "
        "`administrator.note`: the units are yours now. `" + _BOOK + " put-in --block "
        "{first}..{last} --account … --attributes … --reason …`, or `value` if they lie here.",
        False: "The hub's administrators corrected the ledger, and told it by an "
        "`administrator.note`: the units are not yours any more. `" + _BOOK + " take-out --block "
        "{first}..{last} --reason …`.",
    }
)
"""What to do about a correction of the ledger that the book did not follow: are they ours now?"""


def explain_result(body: Mapping[str, Any]) -> list[str]:
    """Return what a `reconciliation.result` says, one sentence or finding a line."""
    head = f"{body['session']}, as of log index {body['as_of']}"
    if body["agreed"]:
        return [f"{head}: the book and the ledger agree."]
    lines = [f"{head}: {body['finding_count']} findings."]
    if reason := body.get("reason"):
        lines.append(f"Reason: {reason}")
    lines += [line for finding in body.get("findings", ()) for line in _finding(finding)]
    lines += [
        f"{one['transfer_id']}: ledger {_record(one.get('ledger'))}, registry "
        f"{_record(one.get('registry'))}. "
        + _ADVICE["record_differs"].format(reference=one["transfer_id"])
        for one in body.get("records", ())
    ]
    if cases := body.get("opened_cases"):
        lines.append(
            f"Cases: {', '.join(cases)}. When it is put right, say so: `itmo-hub registry "
            f"reconciliation explain-case {cases[0]} --text … --corrected`."
        )
    if closed := body.get("closed_cases"):
        lines.append(f"Closed, and their serials free again: {', '.join(closed)}.")
    return lines


def _finding(finding: Mapping[str, Any]) -> Iterator[str]:
    def name(serial: int) -> str:
        return (
            f"{finding['cooperative_approach']}-{finding['originating_registry']}"
            f"-{finding['first_transferring_party']}-{serial}-{finding['vintage']}"
        )

    first, last = name(finding["first_serial"]), name(finding["last_serial"])
    frozen = ", frozen" if finding.get("frozen") else ""
    case = f", case {finding['case_id']}" if finding.get("case_id") else ""
    yield f"{finding['kind']}: {first} to {last} ({finding['quantity']} units{case}{frozen})"
    for side in ("ledger", "registry"):
        yield f"  {side}: {_views(finding.get(side, ()))}"
    if reference := finding.get("reference"):
        yield f"  message: {reference}, log index {finding.get('cause_index', '?')}"
    advice = _ADVICE.get(finding["kind"], "")
    if finding["kind"] == "lost_message" and str(reference).startswith(_CORRECTION):
        advice = _CORRECTED[bool(finding.get("ledger"))]
    yield "  " + advice.format(
        first=first,
        last=last,
        reference=finding.get("reference", "ID"),
        fields=", ".join(finding.get("fields", ())) or "see above",
    )


def _views(views: Any) -> str:
    if not views:
        return "not there"
    return " and ".join(
        "; ".join(f"{key} {value}" for key, value in view.items()) for view in views
    )


def _record(record: Mapping[str, Any] | None) -> str:
    return "nothing" if record is None else f"{record['state']}, {record['quantity']} units"
