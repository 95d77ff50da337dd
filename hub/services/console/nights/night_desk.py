"""The desk of nights and sessions: what was asked and answered, what came of it, compare again.

To compare now, a request is written into the database, as ``itmo-hub reconcile run`` does: the
leading hub takes it. It is no act: it changes no unit, no case and no registry, and its session,
when it begins, is one in the log.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hub.services.console.ground import Ground
from hub.services.reconciliation.ledger.book_faults import OwnBooks
from hub.services.reconciliation.reports import reports
from hub.store import head as heads
from hub.store import reference
from hub.store.console import standing
from hub.store.console.standing import TouchedCase, Turn
from hub.store.reconciliation import links, nights, sessions
from hub.store.reconciliation import reports as report_rows
from hub.store.reconciliation.nights import NightRow
from hub.store.reconciliation.sessions import SessionRow
from message_schemas.catalogue import PARTY

TURNS_SHOWN: Final = 100
FINDINGS_SHOWN: Final = 100
BODY_CHARACTERS: Final = 2_000
NIGHTS_LISTED: Final = 60
CASES_SHOWN: Final = 200
FORMS: Final = reports.FORMS


class CompareError(Exception):
    """Nothing can be compared as asked; the message says why and what helps."""


@dataclass(frozen=True, slots=True)
class FoundLine:
    """A finding as it is listed: serials, or the transfer of a finding about records.

    ``units`` are the serials as pages name them, ``FIRST_ID..LAST_ID``; ``cause`` is the entry of
    the log behind it.
    """

    ordinal: int
    kind: str
    units: str | None
    quantity: int
    transfer_id: str | None
    fields: tuple[str, ...]
    cause: int | None
    is_frozen: bool
    case_id: str | None


@dataclass(frozen=True, slots=True)
class NightSession:
    """A comparison of a night; without ``session`` the registry was not asked.

    ``result`` is that of a session, or waiting, or not asked.
    """

    registry: str
    name: str
    mode: str
    result: str
    session: str | None = None
    question_count: int = 0
    finding_count: int = 0
    seconds: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class NightView:
    """A night: its comparisons, and the cases it touched with what it did with them.

    ``cases`` holds the first of them; ``has_more_cases`` tells that there are others.
    """

    row: NightRow
    own_books: OwnBooks | None
    sessions: tuple[NightSession, ...]
    cases: tuple[tuple[TouchedCase, str], ...]
    has_more_cases: bool

    @property
    def results(self) -> Counter[str]:
        """Return how many comparisons came to what."""
        return Counter(one.result for one in self.sessions)


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session: what was said and what came of it, page by page.

    ``turns_after`` and ``findings_after`` begin the next page; None where there is none.
    """

    row: SessionRow
    result: str
    name: str
    turns: tuple[Turn, ...]
    turns_after: int | None
    findings: tuple[FoundLine, ...]
    findings_after: int | None


class NightDesk:
    """Looks at nights and sessions, and asks for a comparison."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def listed(self) -> list[NightRow]:
        """Return the newest nights, newest first."""
        with self._ground.database.reading() as connection:
            return nights.newest(connection, NIGHTS_LISTED)

    def night(self, name: str) -> NightView | None:
        """Return a night, or None if there was no such one."""
        now = self._ground.clock()
        with self._ground.database.reading() as connection:
            row = nights.load(connection, name)
            if row is None:
                return None
            of_night = sessions.of_night(connection, name)
            since = row.started_at or row.due_at
            ours = [one.session for one in of_night]
            touched = standing.touched_cases(
                connection, ours, since, row.finished_at or now, CASES_SHOWN + 1
            )
            names = report_rows.names(connection)
            modes = report_rows.compared(connection)
        lines = [_night_session(one, names) for one in of_night]
        lines += _not_asked(row, {one.registry for one in of_night}, names, modes)
        return NightView(
            row=row,
            own_books=None if row.own_books is None else OwnBooks.from_json(row.own_books),
            sessions=tuple(sorted(lines, key=lambda one: (one.registry, one.session or ""))),
            cases=tuple((one, _done(one, set(ours))) for one in touched[:CASES_SHOWN]),
            has_more_cases=len(touched) > CASES_SHOWN,
        )

    def report(self, name: str, form: str) -> bytes | None:
        """Return the report as a file of one of FORMS, or None if there was no such night."""
        with self._ground.database.reading() as connection:
            try:
                found = reports.build(connection, name, self._ground.clock())
            except reports.NoNightError:
                return None
        return reports.written(found, form)

    def session(
        self, name: str, *, turns_after: int = 0, findings_after: int = -1
    ) -> SessionView | None:
        """Return a session, or None if there is no such one."""
        with self._ground.database.reading() as connection:
            row = sessions.load(connection, name)
            if row is None:
                return None
            turns = standing.turns(
                connection,
                name,
                after=turns_after,
                limit=TURNS_SHOWN + 1,
                characters=BODY_CHARACTERS,
            )
            found = standing.findings(
                connection, name, after=findings_after, limit=FINDINGS_SHOWN + 1
            )
            names = {one.code: one.name for one in reference.participants(connection)}
        shown, lines = turns[:TURNS_SHOWN], found[:FINDINGS_SHOWN]
        return SessionView(
            row=row,
            result=sessions.result_of(row),
            name=names.get(row.registry, row.registry),
            turns=tuple(shown),
            turns_after=shown[-1].number if len(turns) > len(shown) else None,
            findings=tuple(_line(one.ordinal, one.kind, one.body, one.case_id) for one in lines),
            findings_after=lines[-1].ordinal if len(found) > len(lines) else None,
        )

    def compare(self, registry: str | None, actor: str) -> int:
        """Ask for a comparison of a registry, or (None) of all; return the request's number.

        Raises CompareError where nobody can be compared, or one that waits already does it.
        """
        with self._ground.database.writing() as connection:
            heads.lock(connection)
            known = {row.registry: row for row in links.load_all(connection)}
            active = [
                row.code
                for row in reference.participants(connection)
                if row.kind == PARTY and row.state == "active"
            ]
            modes = {code: links.mode_of(known.get(code)) for code in active}
            _require_comparable(registry, modes)
            waiting = [
                row for row in nights.open_requests(connection) if row.state == nights.WAITING
            ]
            same = next((row for row in waiting if row.registry in (None, registry)), None)
            if same is not None:
                raise CompareError(
                    f"this is asked for already, by {same.actor}: the hub that leads has not taken "
                    "it yet. If it waits for long, no hub runs on this database"
                )
            return nights.add_request(
                connection, asked_at=self._ground.clock(), actor=actor, registry=registry
            )


def _require_comparable(registry: str | None, modes: Mapping[str, str]) -> None:
    """Raise CompareError unless there is somebody to ask."""
    askable = [code for code, mode in modes.items() if mode not in ("off", "statement")]
    if registry is None and not askable:
        raise CompareError("no active Party registry is compared by questions")
    if registry is None:
        return
    if registry not in modes:
        raise CompareError(f"{registry} is not an active Party registry")
    if modes[registry] == "off":
        raise CompareError(f"{registry} is not compared: `itmo-hub reconcile mode` changes that")
    if modes[registry] == "statement":
        raise CompareError(
            f"{registry} is not asked: it hands in statements (`itmo-hub reconcile statement`)"
        )


def _night_session(row: SessionRow, names: Mapping[str, str]) -> NightSession:
    seconds = None if row.finished_at is None else (row.finished_at - row.asked_at).total_seconds()
    return NightSession(
        registry=row.registry,
        name=names.get(row.registry, row.registry),
        mode=row.mode,
        result=sessions.result_of(row),
        session=row.session,
        question_count=row.question_count or 0,
        finding_count=row.finding_count or 0,
        seconds=seconds,
        reason=row.reason,
    )


def _not_asked(
    row: NightRow, asked: Collection[str], names: Mapping[str, str], modes: Mapping[str, str]
) -> list[NightSession]:
    """Return a line for each registry that the night did not ask, and why."""
    summary = {} if row.summary is None else json.loads(row.summary)
    why = summary.get("not_compared", {})
    result = "waiting" if row.state == nights.RUNNING else "not asked"
    return [
        NightSession(code, names.get(code, code), mode, result, reason=why.get(code))
        for code, mode in modes.items()
        if code not in asked
    ]


def _done(one: TouchedCase, ours: Collection[str]) -> str:
    """Return in one word what a night did with a case."""
    if one.closed_session in ours and one.state == "closed":
        return "closed"
    return "opened" if one.opened_session in ours else "continued"


def _line(ordinal: int, kind: str, body: str, case_id: str | None) -> FoundLine:
    """Return a finding as it is listed, from its row of the result."""
    said: dict[str, Any] = json.loads(body)
    if "transfer_id" in said:
        return FoundLine(ordinal, kind, None, 0, said["transfer_id"], (), None, False, case_id)
    return FoundLine(
        ordinal=ordinal,
        kind=kind,
        units=_units(said),
        quantity=said["last_serial"] - said["first_serial"] + 1,
        transfer_id=None,
        fields=tuple(said.get("fields") or ()),
        cause=said.get("cause_index"),
        is_frozen=bool(said.get("frozen")),
        case_id=case_id,
    )


def _units(said: Mapping[str, Any]) -> str:
    first, last = (
        f"{said['cooperative_approach']}-{said['originating_registry']}"
        f"-{said['first_transferring_party']}-{serial}-{said['vintage']}"
        for serial in (said["first_serial"], said["last_serial"])
    )
    return f"{first}..{last}"
