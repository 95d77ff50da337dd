"""One case as its page shows it: words, serial lines, cause, history, and what is possible.

A case may have a hundred thousand ranges and was found again for hundreds of nights. What is shown
of it is bounded: a page of ranges of one series, the newest events; the sums are of all.
"""

from dataclasses import dataclass
from datetime import UTC
from typing import Final

from sqlalchemy import Connection

from hub.services.console.cases import serial_lines
from hub.services.console.cases.serial_lines import Comparison, SerialLine
from hub.services.console.ground import Ground
from hub.services.reconciliation.cases import explaining
from hub.services.reconciliation.cases.explaining import (
    CauseFound,
    Difference,
    SerialsTold,
    UnknownCaseError,
)
from hub.store.reconciliation import case_serials, cases, sessions
from hub.store.reconciliation.case_serials import SeriesOfCase
from hub.store.reconciliation.cases import CaseRow, EventRow, RangeRow
from hub.store.reconciliation.sessions import SessionRow
from reconciliation.case_states import CaseState, Who, possible
from reconciliation.case_words import KINDS, full_range
from reconciliation.cases import RECORD_DIFFERS

__all__ = ["UnknownCaseError"]

SERIES_MAX: Final = 500
LINES_SHOWN: Final = 3
"""Series whose lines are drawn when none is asked for by its number."""

EVENTS_SHOWN: Final = 50
EVENTS_MAX: Final = 2_000
SESSIONS_SHOWN: Final = 10
RECORDS_SHOWN: Final = 100
_COMPARED: Final = frozenset({"opened", "found_again", "reopened", "closed"})
"""The events that a session leaves."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of some serials at either side, and whether it differs."""

    name: str
    ledger: str
    registry: str
    differs: bool


@dataclass(frozen=True, slots=True)
class OtherCase:
    """Another case over the same serials, with its registry."""

    case_id: str
    registry: str
    state: str


@dataclass(frozen=True, slots=True)
class SerialsDiffering:
    """Serials of a case (or a transfer, which has no units) with both views side by side.

    ``subject`` are the serials as acts name them, None for a transfer.
    """

    serials: str
    subject: str | None
    units: int
    attributes: tuple[Attribute, ...]
    is_frozen: bool
    allows: str | None
    others: tuple[OtherCase, ...]


@dataclass(frozen=True, slots=True)
class SeriesShown:
    """A series of a case; ``line`` and ``differences`` of those that are drawn."""

    number: int
    name: str
    range_count: int
    units: int
    first: int
    last: int
    line: SerialLine | None
    differences: tuple[SerialsDiffering, ...]


@dataclass(frozen=True, slots=True)
class CaseStory:
    """A case for its page.

    ``series`` are the series of the case (SERIES_MAX at most), ``records`` the transfers without
    units that differ. ``events`` are the newest, latest first; ``possible`` names what may be done
    as the case stands (``CaseInput``). ``comparison`` is None for a case without serials.
    """

    case: CaseRow
    title: str
    means: str
    today: str
    is_overdue: bool
    cause: CauseFound | None
    at_registry: tuple[str, ...]
    at_hub: tuple[str, ...]
    commands: tuple[tuple[str, str], ...]
    frozen: str
    frozen_units: int
    closes: str
    comparison: Comparison | None
    series: tuple[SeriesShown, ...]
    records: tuple[SerialsDiffering, ...]
    others: tuple[OtherCase, ...]
    events: tuple[EventRow, ...]
    event_count: int
    sessions: tuple[SessionRow, ...]
    possible: frozenset[str]
    may_be_compensated: bool


class CaseStories:
    """Cases one by one."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def story(
        self, case_id: str, *, series: int | None = None, start: int = 1, all_events: bool = False
    ) -> CaseStory:
        """Return a case: of its series number ``series`` the page that begins with ``start``.

        Without a number, the first page of the first few. Raises UnknownCaseError.
        """
        today = self._ground.clock().astimezone(UTC).date().isoformat()
        with self._ground.database.reading() as connection:
            row = cases.load(connection, [case_id]).get(case_id)
            if row is None:
                raise UnknownCaseError(f"there is no case {case_id[:40]}")
            told = _told(connection, case_id)
            comparison = serial_lines.comparison_of(connection, row) if row.units else None
            found = case_serials.series_of(connection, case_id, SERIES_MAX)
            shown = tuple(
                _series(connection, row, one, number, comparison, series, start)
                for number, one in enumerate(found, 1)
            )
            cause = explaining.cause_found(connection, row)
            events = cases.events(connection, case_id)
            return CaseStory(
                case=row,
                title=KINDS[row.kind].title,
                means=KINDS[row.kind].means,
                today=today,
                is_overdue=row.is_open and row.due_on is not None and row.due_on < today,
                cause=cause,
                at_registry=explaining.steps_at_registry(row, told),
                at_hub=explaining.steps_at_hub(row),
                commands=explaining.commands_for(row, told, cause),
                frozen=explaining.frozen_text(row, told),
                frozen_units=told.frozen_units,
                closes=explaining.closes_by(row),
                comparison=comparison,
                series=shown,
                records=_records(connection, row),
                others=_others(shown),
                events=tuple(reversed(events[-(EVENTS_MAX if all_events else EVENTS_SHOWN) :])),
                event_count=len(events),
                sessions=_sessions(connection, row, events),
                possible=frozenset(
                    one.value for one in possible(CaseState(row.state), Who.ADMINISTRATOR)
                ),
                may_be_compensated=explaining.may_be_compensated(row),
            )


def _told(connection: Connection, case_id: str) -> SerialsTold:
    found = case_serials.counts_of(connection, case_id)
    first = case_serials.ranges_of(connection, case_id, 1)
    return SerialsTold(
        first[0].units if first else None,
        found.frozen_units,
        found.frozen_ranges,
        found.has_none_at_ledger,
        found.allows,
        found.ended_there,
        found.ended_elsewhere,
    )


def _series(
    connection: Connection,
    row: CaseRow,
    found: SeriesOfCase,
    number: int,
    comparison: Comparison | None,
    looked_at: int | None,
    start: int,
) -> SeriesShown:
    line: SerialLine | None = None
    differences: tuple[SerialsDiffering, ...] = ()
    is_drawn = number <= LINES_SHOWN if looked_at is None else number == looked_at
    if is_drawn and comparison is not None:
        begin = 1 if looked_at is None else start
        line = serial_lines.line_of(connection, row, found, number, comparison, begin)
        differences = tuple(_difference(one, line) for one in line.ranges)
    return SeriesShown(
        number,
        str(found.series),
        found.range_count,
        found.units,
        found.first,
        found.last,
        line,
        differences,
    )


def _difference(row: RangeRow, line: SerialLine) -> SerialsDiffering:
    others = {
        OtherCase(one.case_id, one.registry, one.state): None
        for one in line.others
        if one.first <= row.last_serial and one.last >= row.first_serial
    }
    return SerialsDiffering(
        full_range(row.series, row.first_serial, row.last_serial),
        row.units,
        row.quantity,
        _attributes(explaining.side_by_side(row.body)),
        row.is_frozen,
        row.allows if row.is_frozen else None,
        tuple(others),
    )


def _attributes(rows: tuple[tuple[str, str, str], ...]) -> tuple[Attribute, ...]:
    return tuple(Attribute(name, ours, theirs, ours != theirs) for name, ours, theirs in rows)


def _records(connection: Connection, row: CaseRow) -> tuple[SerialsDiffering, ...]:
    if row.kind != RECORD_DIFFERS:
        return ()
    found: list[Difference] = explaining.records_differing(connection, row, RECORDS_SHOWN)
    return tuple(
        SerialsDiffering(
            one.serials, None, 0, _attributes(one.rows), is_frozen=False, allows=None, others=()
        )
        for one in found
    )


def _others(series: tuple[SeriesShown, ...]) -> tuple[OtherCase, ...]:
    """Return the other cases over the serials that are looked at, each once."""
    every = (other for one in series for part in one.differences for other in part.others)
    return tuple(sorted(set(every), key=lambda one: one.case_id))


def _sessions(
    connection: Connection, row: CaseRow, events: list[EventRow]
) -> tuple[SessionRow, ...]:
    """Return the newest sessions that found the case or found it clean, latest first."""
    of_sessions = [one.log_index for one in events if one.kind in _COMPARED][-SESSIONS_SHOWN:]
    found = sessions.with_results(connection, row.registry, of_sessions)
    return tuple(sorted(found, key=lambda one: -one.log_index))
