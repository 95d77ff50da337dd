"""What a case is about, gathered for a person: both views, the message behind it, what to do.

1. The serials, in full identifiers, with what each side has there and which attributes differ.
2. The suspected cause: the message (or act) in the log, its type, when it was recorded, delivered
   and acknowledged, and the command that exports it as evidence.
3. What each side does, step by step; what is frozen; what closes the case; what was done so far.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from hub.international_registry.units import Series as LedgerSeries
from hub.protocol.envelopes import stored_messages
from hub.store import evidence, log, transfers
from hub.store.reconciliation import cases
from hub.store.reconciliation.cases import CaseRow, EventRow, RangeRow
from hub.transparency_log.entries import decode
from message_schemas import timestamps
from reconciliation.case_states import CaseState
from reconciliation.case_words import ENDED_HERE, ENDED_THERE, KINDS, full_range
from reconciliation.cases import NO_ANSWER, RECORD_DIFFERS
from reconciliation.discrepancies import FindingKind
from reconciliation.owned import OWNED

ALWAYS_SHOWN: Final = ("status", "first_transferred", "authorization_id")
"""Shown of units that one side does not have, so that they can be recognised."""

NOTHING: Final = "nothing"


class UnknownCaseError(LookupError):
    """There is no case of this id."""


@dataclass(frozen=True, slots=True)
class CauseFound:
    """The entry of the log behind a case, as far as it is known.

    ``types`` are the message types, or the kind of act; none once the body was erased. The times
    are in the protocol's form, None for what has not happened.
    """

    log_index: int
    reference: str | None
    types: tuple[str, ...]
    sender: str
    recorded_at: str
    delivered_at: str | None
    acknowledged_at: str | None
    evidence: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """Serials of a case, or a transfer: ``rows`` are (attribute, at the ledger, at the registry).

    ``units`` is 0 for a transfer, which moved none. ``also_in`` are other open cases over the same
    serials, with their registries.
    """

    serials: str
    units: int
    rows: tuple[tuple[str, str, str], ...]
    is_frozen: bool
    allows: str | None
    also_in: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SerialsTold:
    """What the words about a case need of its serials, however many there are.

    ``first_units`` are the first of them as commands name them; None for a case without serials.
    ``allows`` are those of the frozen ranges; the two ``ended`` tell whether there are ranges that
    the registry alone has ended, and whether there are others.
    """

    first_units: str | None = None
    frozen_units: int = 0
    frozen_ranges: int = 0
    has_none_at_ledger: bool = False
    allows: frozenset[str] = frozenset()
    ended_there: bool = False
    ended_elsewhere: bool = False

    @classmethod
    def of(cls, ranges: Sequence[RangeRow]) -> "SerialsTold":
        """Return the same of ranges that are all at hand."""
        frozen = [one for one in ranges if one.is_frozen]
        return cls(
            ranges[0].units if ranges else None,
            sum(one.quantity for one in frozen),
            len(frozen),
            any(not one.has_ledger for one in frozen),
            frozenset(one.allows for one in frozen if one.allows is not None),
            any(one.allows is not None for one in ranges),
            any(one.allows is None for one in ranges),
        )


@dataclass(frozen=True, slots=True)
class Explanation:
    """A case for a person."""

    case: CaseRow
    means: str
    differences: tuple[Difference, ...]
    cause: CauseFound | None
    at_registry: tuple[str, ...]
    at_hub: tuple[str, ...]
    commands: tuple[tuple[str, str], ...]
    frozen: str
    closes: str
    events: tuple[EventRow, ...]

    def document(self) -> dict[str, Any]:
        """Return the explanation as plain JSON."""
        return {
            **case_document(self.case),
            "means": self.means,
            "differences": [msgspec.to_builtins(one) for one in self.differences],
            "cause": None if self.cause is None else msgspec.to_builtins(self.cause),
            "at_registry": list(self.at_registry),
            "at_hub": list(self.at_hub),
            "commands": dict(self.commands),
            "frozen": self.frozen,
            "closes": self.closes,
            "events": [event_document(one) for one in self.events],
        }


def case_document(row: CaseRow) -> dict[str, Any]:
    """Return a case as plain JSON, with its instants in the protocol's form."""
    return {
        name: timestamps.render(value) if name.endswith("_at") and value is not None else value
        for name, value in ((name, getattr(row, name)) for name in row.__slots__)
    }


def event_document(row: EventRow) -> dict[str, Any]:
    """Return an event as plain JSON."""
    return {
        "log_index": row.log_index,
        "at": timestamps.render(row.at),
        "actor": row.actor,
        "kind": row.kind,
        "text": row.text,
    }


def explain(connection: Connection, case_id: str) -> Explanation:
    """Return what a case is about. Raises UnknownCaseError."""
    row = cases.load(connection, [case_id]).get(case_id)
    if row is None:
        raise UnknownCaseError(
            f"there is no case {case_id[:40]} (`itmo-hub reconcile case list --state all`)"
        )
    ranges = cases.ranges(connection, [case_id])[case_id]
    cause, told = cause_found(connection, row), SerialsTold.of(ranges)
    return Explanation(
        row,
        KINDS[row.kind].means,
        tuple(
            records_differing(connection, row)
            if row.kind == RECORD_DIFFERS
            else _differences(connection, row, ranges)
        ),
        cause,
        steps_at_registry(row, told),
        steps_at_hub(row),
        commands_for(row, told, cause),
        frozen_text(row, told),
        closes_by(row),
        tuple(cases.events(connection, case_id)),
    )


# --- what differs --------------------------------------------------------------------------------


def _differences(
    connection: Connection, row: CaseRow, ranges: Sequence[RangeRow]
) -> list[Difference]:
    frozen = cases.frozen(connection)
    found: list[Difference] = []
    for one in ranges:
        over = frozen.over(LedgerSeries(*one.series), one.first_serial, one.last_serial)
        others = {
            f"{freeze.case_id} ({freeze.registry})"
            for _, _, freeze in over
            if freeze.case_id != row.case_id
        }
        found.append(
            Difference(
                full_range(one.series, one.first_serial, one.last_serial),
                one.quantity,
                side_by_side(one.body),
                one.is_frozen,
                one.allows if one.is_frozen else None,
                tuple(sorted(others)),
            )
        )
    return found


def records_differing(
    connection: Connection, row: CaseRow, limit: int | None = None
) -> list[Difference]:
    """Return the transfers without units that differed when the case was last found."""
    found: list[Difference] = []
    for one in cases.findings(connection, row.last_session, limit):
        if one.case_id != row.case_id:
            continue
        body = msgspec.json.decode(one.body)
        ours, theirs = body.get("ledger") or {}, body.get("registry") or {}
        rows = tuple(
            (name, str(ours.get(name, NOTHING)), str(theirs.get(name, NOTHING)))
            for name in ("state", "quantity")
            if ours.get(name) != theirs.get(name)
        )
        found.append(
            Difference(body["transfer_id"], 0, rows, is_frozen=False, allows=None, also_in=())
        )
    return found


def side_by_side(finding: str) -> tuple[tuple[str, str, str], ...]:
    """Return both views of a finding: what differs, and enough to recognise the units by."""
    body: dict[str, Any] = msgspec.json.decode(finding)
    ledger, registry = body.get("ledger", []), body.get("registry", [])
    rows = [("has them", _times(ledger), _times(registry))] if len(ledger) != len(registry) else []
    if len(ledger) == len(registry) == 1:
        names = list(body.get("fields", ()))
    else:
        names = [name for name in OWNED if name in ALWAYS_SHOWN or _varies(name, ledger, registry)]
    for name in names:
        rows.append((name.replace("_", " "), _values(name, ledger), _values(name, registry)))
    return tuple(rows)


def _times(view: Sequence[Any]) -> str:
    return {0: NOTHING, 1: "once"}.get(len(view), f"{len(view)} times")


def _varies(name: str, ledger: Sequence[Any], registry: Sequence[Any]) -> bool:
    return len({values.get(name) for values in (*ledger, *registry)}) > 1


def _values(name: str, view: Sequence[Any]) -> str:
    values = dict.fromkeys(str(values.get(name, "none")) for values in view)
    return " | ".join(values) or "-"


# --- the cause -----------------------------------------------------------------------------------


def cause_found(connection: Connection, row: CaseRow) -> CauseFound | None:
    """Return the entry of the log behind a case, None if none is known."""
    if row.cause_index is None:
        return None
    content = evidence.content_at(connection, row.cause_index)
    if content is None:
        return None
    entry = decode(content.entry)
    delivery = evidence.delivery_of(connection, row.registry, row.cause_index)
    is_transfer = row.reference is not None and bool(transfers.load(connection, [row.reference]))
    return CauseFound(
        row.cause_index,
        row.reference,
        _types(content.kind, content.contents, row.reference),
        entry.sender,
        entry.at,
        None if delivery is None else _time_of(connection, delivery.log_index),
        None
        if delivery is None or delivery.acknowledged_log_index is None
        else _time_of(connection, delivery.acknowledged_log_index),
        f"itmo-hub evidence export {row.reference} --out {row.reference}.evidence"
        if is_transfer
        else None,
    )


def _time_of(connection: Connection, log_index: int) -> str | None:
    entry = log.entry_at(connection, log_index)
    return None if entry is None else decode(entry).at


def _types(kind: str, contents: Any, reference: str | None) -> tuple[str, ...]:
    """Return the types of the messages about the reference, or of all messages of the envelope."""
    raw = contents.get(kind)
    if raw is None:
        return ()
    if kind == "act":
        return (str(msgspec.json.decode(raw)["kind"]),)
    if kind != "envelope":
        return ()
    named: list[str] = []
    every: list[str] = []
    for message in stored_messages(raw):
        every.append(message.message.type)
        ids = (getattr(message.body, name, None) for name in _NAMES_OF_REFERENCES)
        if reference is not None and reference in ids:
            named.append(message.message.type)
    return tuple(dict.fromkeys(named or every))


_NAMES_OF_REFERENCES: Final = ("transfer_id", "action_id", "first_transfer_id", "change_id")


# --- what to do ----------------------------------------------------------------------------------


def _addressed(step: str, row: CaseRow) -> str:
    return step.replace("The registry", row.registry).replace("the registry", row.registry)


def steps_at_registry(row: CaseRow, told: SerialsTold) -> tuple[str, ...]:
    """Return what the registry does, without a step that is for the other side."""
    needless: set[str] = set()
    if told.ended_there and not told.ended_elsewhere:
        needless = {ENDED_HERE}
    elif told.ended_elsewhere and not told.ended_there:
        needless = {ENDED_THERE}
    steps = KINDS[row.kind].at_registry
    return tuple(_addressed(step, row) for step in steps if step not in needless)


def steps_at_hub(row: CaseRow) -> tuple[str, ...]:
    """Return what the hub's operators do."""
    return tuple(_addressed(step, row) for step in KINDS[row.kind].at_hub)


def may_be_compensated(row: CaseRow) -> bool:
    """Tell whether an entry in the ledger can put such a case right."""
    return row.is_open and row.units > 0 and row.kind in _COMPENSATED


def commands_for(
    row: CaseRow, told: SerialsTold, cause: CauseFound | None
) -> tuple[tuple[str, str], ...]:
    """Return what the hub's operators may run for this very case: (for what, the command)."""
    case = f"itmo-hub reconcile case {{}} {row.case_id} --reason TEXT"
    commands: list[tuple[str, str]] = []
    if row.state == CaseState.OPEN:
        commands.append(("acknowledge", case.format("acknowledge")))
    if cause is not None and cause.evidence is not None:
        commands.append(("evidence", cause.evidence))
    if told.first_units is not None:
        commands.append(("history", f"itmo-hub query history --units {told.first_units}"))
    if told.first_units is not None and may_be_compensated(row):
        commands.append(
            (
                "compensating entry",
                f"itmo-hub ledger correct {told.first_units} --from CODE --to CODE "
                f"--case {row.case_id} --reason TEXT",
            )
        )
    if row.is_open:
        commands.append(("compare again", case.format("rerun")))
    return tuple(commands)


_COMPENSATED: Final = frozenset(
    {
        FindingKind.LOST_MESSAGE.value,
        FindingKind.MISSING_AT_REGISTRY.value,
        FindingKind.MISSING_AT_LEDGER.value,
    }
)


def frozen_text(row: CaseRow, told: SerialsTold) -> str:
    """Return what is frozen by a case, and for whom not."""
    if not told.frozen_ranges:
        return "Nothing is frozen by this case."
    text = (
        f"{_counted(told.frozen_units, 'unit')} in {_counted(told.frozen_ranges, 'range')}: no "
        "transfer, use or cancellation may touch these serials (5005). All other serials move as "
        "always."
    )
    if told.has_none_at_ledger:
        text += (
            f" What the ledger has not with {row.registry} is frozen for {row.registry} alone:"
            " it can neither give nor take it."
        )
    for type_ in sorted(told.allows):
        text += f" {row.registry} may send the `{type_}` that puts the ledger right."
    return text


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def closes_by(row: CaseRow) -> str:
    """Return what closes a case, or what closed it."""
    if not row.is_open:
        return f"Closed by session {row.closed_session}."
    if row.kind == NO_ANSWER:
        return f"The next comparison that {row.registry} answers closes this case."
    return (
        f"A comparison with {row.registry} in which none of these serials differs closes this case "
        "and thaws them; nobody can close it by hand."
        if row.units
        else f"A comparison of records with {row.registry} without a difference closes this case."
    )
