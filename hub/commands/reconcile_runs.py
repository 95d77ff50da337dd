"""``itmo-hub reconcile run`` and what ran: a request in the database, which the leading hub takes.

The command compares nothing itself: it writes the request, looks at the tables until the sessions
have ended, and shows what they came to. So it works from anywhere the database can be reached.
"""

from __future__ import annotations

import getpass
import json
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import Annotated, Any

import typer
from rich.console import Console

from connectors.progress import ProgressView
from hub import bootstrap
from hub.commands.options import AsJson, ConfigFile, DatabaseUrl, settings_of
from hub.commands.output import plain, refusals, show, show_json
from hub.services.reconciliation.runs.night_dates import due_at, latest_due
from hub.store import head as heads
from hub.store import reference
from hub.store.database import Database, DatabaseUnavailableError
from hub.store.reconciliation import cases, links, nights, sessions
from hub.store.reconciliation.nights import REFUSED, WAITING, RequestRow
from hub.store.reconciliation.sessions import ASKING, SessionRow, result_of
from message_schemas import timestamps
from message_schemas.catalogue import PARTY

LEAD_SECONDS = 15.0
POLL_SECONDS = 0.2
PATIENCE_SECONDS = 10.0
"""After so long the command says whom it waits for."""
NO_HUB = (
    "no hub leads this database: nobody took the request within {seconds:.0f} s, so it was "
    "withdrawn. Start one with `itmo-hub serve`; `leads` and `log` in its /health/ready (or "
    "itmo_hub_leads in its metrics) tell which process leads, and whether its log is halted."
)


class Status(IntEnum):
    """How ``reconcile run`` exits."""

    AGREED = 0
    DIFFERS = 1
    MISUSED = 2
    NO_ANSWER = 3
    NO_HUB = 4


@dataclass(frozen=True, slots=True)
class Compared:
    """A session as it is shown: with its findings, all of them or those of the series asked for."""

    row: SessionRow
    finding_count: int
    case_ids: tuple[str, ...]

    @property
    def status(self) -> Status:
        """Return what the session means for the exit status."""
        if self.row.state != "done":
            return Status.NO_ANSWER
        return Status.AGREED if self.row.agreed or not self.finding_count else Status.DIFFERS


def run(
    registry: Annotated[
        list[str] | None, typer.Option(help="Compare this registry; several times for several.")
    ] = None,
    series: Annotated[
        list[str] | None,
        typer.Option(
            help="Look only at findings of this series (CA0001-THA01-THA-*-2022). The comparison "
            "is always of the whole book, which costs nothing where it is equal."
        ),
    ] = None,
    case: Annotated[
        str | None, typer.Option(help="Compare the registry of this case, to close it if it can.")
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(help="Seconds to wait for results (else as long as answers may take)."),
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Compare registries now, wait for the results, and show them.

    Without --registry: every registry that is compared. The leading hub does the work.

    Exit status: 0 all agreed; 1 differences; 2 asked for what cannot be; 3 somebody did not answer,
    refused, or there was no result in time; 4 no hub took the request.
    """
    try:
        with refusals():
            settings = settings_of(config, database)
            opened = bootstrap.open_database(settings)
            wanted = _wanted(opened, registry or [], case)
            ids = _ask(opened, wanted, case)
    except typer.Exit:
        raise typer.Exit(Status.MISUSED) from None
    seconds = timeout or settings.reconciliation.answer_seconds + LEAD_SECONDS
    try:
        requests = _wait(opened, ids, seconds, Console(stderr=True))
    except NobodyLeadsError:
        typer.echo(f"itmo-hub: {NO_HUB.format(seconds=LEAD_SECONDS)}", err=True)
        raise typer.Exit(Status.NO_HUB) from None
    found = _results(opened, ids, series or [])
    _show(found, as_json=as_json)
    raise typer.Exit(_status(requests, found))


class NobodyLeadsError(Exception):
    """Nobody took a request."""


def _wanted(opened: Database, registries: list[str], case_id: str | None) -> list[str | None]:
    """Return the registries to ask for; None stands for all. Raises typer.Exit for a bad case."""
    if case_id is None:
        return [*dict.fromkeys(registries)] or [None]
    with opened.reading() as connection:
        known = cases.load(connection, [case_id])
    if case_id not in known:
        typer.echo(f"itmo-hub: there is no case {case_id}", err=True)
        raise typer.Exit(Status.MISUSED)
    of_case = known[case_id].registry
    if registries and registries != [of_case]:
        typer.echo(f"itmo-hub: case {case_id} is of {of_case}; leave --registry out", err=True)
        raise typer.Exit(Status.MISUSED)
    return [of_case]


def _ask(opened: Database, wanted: list[str | None], case_id: str | None) -> list[int]:
    """Write a request for each registry and return their numbers."""
    with opened.writing() as connection:
        heads.lock(connection)
        return [
            nights.add_request(
                connection,
                asked_at=bootstrap.clock(),
                actor=getpass.getuser(),
                registry=registry,
                case_id=case_id,
            )
            for registry in wanted
        ]


def _wait(opened: Database, ids: list[int], seconds: float, console: Console) -> list[RequestRow]:
    """Wait until the requests have ended, or for so long; show how far they are.

    Raises NobodyLeadsError if nobody takes them; they are withdrawn then.
    """
    began = time.monotonic()
    rows: list[RequestRow] = []
    shown, told = -1, False
    with ProgressView(console, "compared", _registry_count(opened, ids), "registries") as view:
        while True:
            with suppress(DatabaseUnavailableError):  # away for a moment: looked at again
                rows, ended, asking = _look(opened, ids)
                if ended != shown:
                    view.advance_to(ended)
                    shown = ended
                if asking and not told and time.monotonic() - began > PATIENCE_SECONDS:
                    _tell_waiting(console, asking)
                    told = True
            if rows and all(row.state not in (WAITING, nights.RUNNING) for row in rows):
                return rows
            waited = time.monotonic() - began
            if waited > LEAD_SECONDS and all(row.state == WAITING for row in rows):
                _withdraw(opened, rows)
                raise NobodyLeadsError
            if waited > seconds:
                return rows
            time.sleep(POLL_SECONDS)


def _registry_count(opened: Database, ids: list[int]) -> int:
    with opened.reading() as connection:
        rows = [nights.load_request(connection, one) for one in ids]
        if all(row is not None and row.registry is not None for row in rows):
            return len(rows)
        modes = {row.registry: row.mode for row in links.load_all(connection)}
        return sum(
            row.kind == PARTY
            and row.state == "active"
            and modes.get(row.code) not in ("off", "statement")
            for row in reference.participants(connection)
        )


def _tell_waiting(console: Console, asking: list[SessionRow]) -> None:
    """Say once who has not answered, and how long it may."""
    names = ", ".join(
        f"{row.registry} (until {timestamps.render(row.answer_by)})" for row in asking
    )
    console.print(f"waiting for {names}; --timeout SECONDS waits less", markup=False)


def _look(opened: Database, ids: list[int]) -> tuple[list[RequestRow], int, list[SessionRow]]:
    """Return the requests, with how many registries they are through, and who is being asked."""
    with opened.reading() as connection:
        rows = [row for one in ids if (row := nights.load_request(connection, one)) is not None]
        of_all = [row for one in ids for row in sessions.of_request(connection, one)]
    asking = [row for row in of_all if row.state == ASKING]
    through = {row.registry for row in of_all} - {row.registry for row in asking}
    return rows, len(through), asking


def _withdraw(opened: Database, rows: list[RequestRow]) -> None:
    with opened.writing() as connection:
        heads.lock(connection)
        for row in rows:
            now, why = bootstrap.clock(), "withdrawn: no hub took it"
            nights.set_request(
                connection, row.request_id, state=REFUSED, finished_at=now, detail=why
            )


def _results(opened: Database, ids: list[int], series: list[str]) -> list[Compared]:
    """Return the sessions of the requests, with their findings in the series asked for."""
    with opened.reading() as connection:
        return [
            _compared(connection, row, series)
            for one in ids
            for row in sessions.of_request(connection, one)
        ]


def _compared(connection: Any, row: SessionRow, series: list[str]) -> Compared:
    if not series:
        found = cases.findings(connection, row.session)
        case_ids = {one.case_id for one in found if one.case_id is not None}
        # A session may differ without a finding: answers that contradict each other.
        count = len(found) if row.agreed else max(1, len(found))
        return Compared(row, count, tuple(sorted(case_ids)))
    in_series = [
        one
        for one in cases.findings(connection, row.session)
        if _series_of(json.loads(one.body)) in series
    ]
    case_ids = {one.case_id for one in in_series if one.case_id is not None}
    return Compared(row, len(in_series), tuple(sorted(case_ids)))


def _series_of(body: dict[str, Any]) -> str | None:
    """Return the series of a finding as it is written for people; None of a record."""
    if "vintage" not in body:
        return None
    return (
        f"{body['cooperative_approach']}-{body['originating_registry']}"
        f"-{body['first_transferring_party']}-*-{body['vintage']}"
    )


def _show(found: list[Compared], *, as_json: bool) -> None:
    columns = ("session", "registry", "mode", "result", "as_of", "findings", "cases", "reason")
    show(
        columns,
        [
            (
                one.row.session,
                one.row.registry,
                one.row.mode,
                result_of(one.row),
                one.row.as_of,
                one.finding_count if one.row.state == "done" else None,
                one.case_ids,
                one.row.reason,
            )
            for one in found
        ],
        as_json=as_json,
    )


def _status(requests: list[RequestRow], found: list[Compared]) -> Status:
    """Return the exit status, and say what was refused."""
    refused = [row for row in requests if row.state == REFUSED]
    for row in refused:
        typer.echo(f"itmo-hub: {row.detail}", err=True)
    if refused:
        return Status.MISUSED
    statuses = {one.status for one in found}
    if any(row.state != nights.FINISHED for row in requests):
        typer.echo("itmo-hub: no result in time; see `itmo-hub reconcile sessions`", err=True)
        statuses.add(Status.NO_ANSWER)
    for status in (Status.DIFFERS, Status.NO_ANSWER):
        if status in statuses:
            return status
    return Status.AGREED


# --- what ran -----------------------------------------------------------------------------------


def status(
    as_json: AsJson = False, config: ConfigFile = None, database: DatabaseUrl = None
) -> None:
    """Show how each registry is compared, and when it last agreed."""
    with refusals():
        settings = settings_of(config, database)
        with bootstrap.open_database(settings).reading() as connection:
            rows = [_standing(connection, one) for one in reference.participants(connection)]
            running = nights.running(connection)
    columns = (
        *("registry", "state", "mode", "agreed_to", "agreed_at", "folded_to"),
        *("last_session", "result", "open_cases"),
    )
    listed = [row for row in rows if row is not None]
    if not as_json:
        show(columns, listed, as_json=False)
        return
    at = settings.reconciliation.at
    tomorrow = latest_due(at, bootstrap.clock()) + timedelta(days=1)
    show_json(
        {
            "running_night": None if running is None else running.night,
            "next_night_at": plain(due_at(tomorrow, at)),
            "registries": [dict(zip(columns, map(plain, row), strict=True)) for row in listed],
        }
    )


def _standing(connection: Any, row: Any) -> tuple[Any, ...] | None:
    """Return what is to be said of a participant; None of one that is not compared."""
    if row.kind != PARTY:
        return None
    link = links.load(connection, row.code)
    last = next(iter(sessions.newest(connection, 1, registry=row.code)), None)
    return (
        row.code,
        row.state,
        links.mode_of(link),
        None if link is None else link.agreed_to,
        None if link is None else link.agreed_at,
        None if link is None else link.folded_to,
        None if last is None else last.session,
        None if last is None else result_of(last),
        len(cases.open_of(connection, row.code)),
    )


def list_nights(
    limit: Annotated[int, typer.Option(help="How many.")] = 30,
    as_json: AsJson = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """List nights, newest first."""
    with refusals():
        with bootstrap.open_database(settings_of(config, database)).reading() as connection:
            rows = [
                (row, sessions.finished_counts(sessions.of_night(connection, row.night)))
                for row in nights.newest(connection, limit)
            ]
        counted = ("agreed", "differs", "silent", "refused", "failed")
        show(
            ("night", "state", "due_at", "started_at", "finished_at", *counted, "own_book_faults"),
            [
                (
                    *(row.night, row.state, row.due_at, row.started_at, row.finished_at),
                    *(counts.get(name, 0) for name in counted),
                    None if row.own_books is None else json.loads(row.own_books)["fault_count"],
                )
                for row, counts in rows
            ],
            as_json=as_json,
        )


def list_sessions(
    registry: Annotated[str | None, typer.Option(help="Of this registry alone.")] = None,
    night: Annotated[str | None, typer.Option(help="Of this night alone (2026-11-22).")] = None,
    limit: Annotated[int, typer.Option(help="How many.")] = 50,
    as_json: AsJson = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """List comparisons, newest first: with whom, why, and what they came to."""
    with refusals():
        with bootstrap.open_database(settings_of(config, database)).reading() as connection:
            rows = sessions.newest(connection, limit, registry=registry, night=night)
        columns = (
            *("session", "registry", "trigger", "mode", "result", "asked_at", "finished_at"),
            *("as_of", "basis", "question_count", "finding_count", "reason"),
        )
        show(
            columns,
            [
                (
                    *(row.session, row.registry, row.trigger, row.mode, result_of(row)),
                    *(row.asked_at, row.finished_at, row.as_of, row.basis, row.question_count),
                    *(row.finding_count, row.reason),
                )
                for row in rows
            ],
            as_json=as_json,
        )
