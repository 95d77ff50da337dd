"""Tonight, the home page, and the nights behind it: what ran, what it came to, compare again."""

from datetime import date
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web

from hub.console.flash import see_other
from hub.console.forms import Query, read_form
from hub.console.parts import attention_words
from hub.console.rendering import render
from hub.console.routing import Route
from hub.console.security import person_of
from hub.console.surroundings import console_of
from hub.console.translating import N_, translate
from hub.console.words import word
from hub.services.console.nights.heat_map import Cell, Result
from hub.services.console.nights.night_desk import FORMS, CompareError, NightDesk
from hub.services.console.nights.tonight_desk import (
    NIGHTS_MAX,
    NIGHTS_SHOWN,
    AgeGroup,
    CaseAges,
    Tonight,
    TonightDesk,
)
from hub.services.people.roles import Right

ALL: Final = "all"
NIGHTS_OFFERED: Final = (7, 14, 30)
ATTENTION_SHOWN: Final = 40
QUEUES_SHOWN: Final = 15
NEVER: Final = Cell(Result.NOT_ASKED)
FROZEN_SHOWN: Final = 15
REPORT_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
)
"""A report is a page of its own with its style inside, and nothing else may run or load in it."""

RESULTS: Final = {
    Result.AGREED: N_("agreed"),
    Result.FINDINGS: N_("differs"),
    Result.LATE: N_("late"),
    Result.WAITING: N_("waiting"),
    Result.SILENT: N_("silent"),
    Result.REFUSED: N_("refused"),
    Result.FAILED: N_("failed"),
    Result.MISSED: N_("missed"),
    Result.NOT_ASKED: N_("not asked"),
    Result.STATEMENT: N_("statement"),
}
LEGEND: Final = (
    (Result.AGREED, N_("both books agreed")),
    (Result.FINDINGS, N_("they differed; the number is of findings")),
    (Result.LATE, N_("they agreed, by an answer that came late")),
    (Result.WAITING, N_("asked, not answered yet")),
    (Result.SILENT, N_("no answer in time")),
    (Result.REFUSED, N_("the registry refused to answer")),
    (Result.FAILED, N_("the answers could not be compared")),
    (Result.MISSED, N_("no hub ran that night")),
    (Result.NOT_ASKED, N_("not asked that night")),
    (Result.STATEMENT, N_("hands in statements, is not asked")),
)


async def tonight(request: web.Request) -> web.Response:
    """Show whether to worry."""
    count = Query(request).optional_number("nights", 1, NIGHTS_MAX) or NIGHTS_SHOWN
    console = console_of(request)
    seen = await console.run(console.desk(TonightDesk).tonight, count)
    words = {result: translate(text) for result, text in RESULTS.items()}
    return await render(
        request,
        "tonight/tonight.html",
        seen=seen,
        count=count,
        offered=NIGHTS_OFFERED,
        verdict=seen.verdict,
        words=words,
        cells=[
            [_cell(cell, words) for cell in (*row.cells, row.now or NEVER)] for row in seen.map.rows
        ],
        legend=LEGEND,
        attention=attention_words.lines(seen.attention[:ATTENTION_SHOWN]),
        ages=_ages(seen.cases),
        ages_chart=_ages_chart(seen.cases),
        minutes_chart=_minutes_chart(seen),
        queues=seen.exchange.queues[:QUEUES_SHOWN],
        frozen=seen.frozen[:FROZEN_SHOWN],
        cases_path=cases_path,
    )


async def nights(request: web.Request) -> web.Response:
    """List the nights, and offer to compare now."""
    console = console_of(request)
    listed = await console.run(console.desk(NightDesk).listed)
    choices = await console.run(console.desk(TonightDesk).choices)
    return await render(request, "tonight/nights.html", nights=listed, choices=choices, all=ALL)


async def night(request: web.Request) -> web.Response:
    """Show what one night came to."""
    console = console_of(request)
    found = await console.run(console.desk(NightDesk).night, _night_name(request))
    if found is None:
        raise web.HTTPNotFound
    return await render(request, "tonight/night.html", view=found, row=found.row)


async def report(request: web.Request) -> web.Response:
    """Give the report of a night: as a page to print, or as a file."""
    form = request.match_info["form"]
    name = _night_name(request)
    if form not in FORMS:
        raise web.HTTPNotFound
    console = console_of(request)
    body = await console.run(console.desk(NightDesk).report, name, form)
    if body is None:
        raise web.HTTPNotFound
    types = {"html": "text/html", "csv": "text/csv", "json": "application/json"}
    response = web.Response(body=body, content_type=types[form], charset="utf-8")
    if form == "html":
        response.headers["Content-Security-Policy"] = REPORT_POLICY
    else:
        file = f"reconciliation-{name}.{form}"
        response.headers["Content-Disposition"] = f'attachment; filename="{file}"'
    return response


async def session(request: web.Request) -> web.Response:
    """Show what was said with a registry, and what came of it."""
    query, console = Query(request), console_of(request)
    found = await console.run(
        console.desk(NightDesk).session,
        request.match_info["session"],
        turns_after=query.optional_number("turns", 0, 10**9) or 0,
        findings_after=query.optional_number("findings", 0, 10**9) or 0,
    )
    if found is None:
        raise web.HTTPNotFound
    return await render(request, "tonight/session.html", view=found, row=found.row)


async def compare(request: web.Request) -> web.Response:
    """Ask for a comparison; the leading hub begins it."""
    form, console = await read_form(request), console_of(request)
    registry = form.text("registry", 5)
    wanted = None if registry == ALL else registry
    actor = person_of(request).name
    try:
        await console.run(console.desk(NightDesk).compare, wanted, actor)
    except CompareError as error:
        message = N_("Not asked: {why}")
        return see_other(request, "/nights", message, kind="warning", why=str(error))
    if wanted is None:
        return see_other(request, "/", N_("Asked for: every registry is compared now."))
    message = N_("Asked for: {registry} is compared now.")
    return see_other(request, "/", message, registry=wanted)


def _cell(cell: Cell, words: dict[Result, str]) -> tuple[str, str | None, str, int]:
    """Return class, session, word and findings of a cell; there are thousands of them."""
    return f"is-{cell.result.value}", cell.session, words[cell.result], cell.findings


def cases_path(**wanted: Any) -> str:
    """Return the address of the list of open cases, narrowed to what is given."""
    named = {name: str(value) for name, value in wanted.items() if value is not None}
    return f"/cases?{urlencode(named)}" if named else "/cases"


def _night_name(request: web.Request) -> str:
    """Return the date of the night asked for. Raises HTTPNotFound for what is none."""
    try:
        return date.fromisoformat(request.match_info["night"]).isoformat()
    except ValueError:
        raise web.HTTPNotFound from None


def _age(group: AgeGroup) -> str:
    """Return the words for an age."""
    if group.last is None:
        return translate(N_("over {days} days")).format(days=group.first - 1)
    return translate(N_("{first}–{last} days")).format(first=group.first, last=group.last)


def _path_of(group: AgeGroup, kind: str | None) -> str:
    return cases_path(kind=kind, older=group.first or None, since=group.since)


def _ages(cases: CaseAges) -> dict[str, Any]:
    """Return the table of open cases by kind and age, each number with its address."""
    rows = [
        {
            "kind": word(one.kind, "case_kind"),
            "cells": [
                (count, _path_of(group, one.kind))
                for count, group in zip(one.by_age, cases.groups, strict=True)
            ],
            "overdue": (one.overdue, cases_path(kind=one.kind, overdue=1)),
            "total": (one.count, cases_path(kind=one.kind)),
        }
        for one in cases.kinds
    ]
    totals = [
        (count, _path_of(group, None))
        for count, group in zip(cases.totals, cases.groups, strict=True)
    ]
    return {
        "labels": [_age(group) for group in cases.groups],
        "rows": rows,
        "totals": totals,
        "overdue": (cases.overdue, cases_path(overdue=1)),
        "total": (cases.count, cases_path()),
    }


def _ages_chart(cases: CaseAges) -> dict[str, Any]:
    return {
        "kind": "stacked",
        "categories": [_age(group) for group in cases.groups],
        "series": [
            {
                "name": word(one.kind, "case_kind"),
                "values": list(one.by_age),
                "links": [_path_of(group, one.kind) for group in cases.groups],
            }
            for one in cases.kinds
        ],
    }


def _minutes_chart(seen: Tonight) -> dict[str, Any]:
    return {
        "kind": "line",
        "categories": [f"{at:%H:%M}" for at, _ in seen.exchange.minutes],
        "series": [
            {
                "name": translate(N_("entries a minute")),
                "values": [count for _, count in seen.exchange.minutes],
            }
        ],
    }


ROUTES: Final = (
    Route("GET", "/", tonight, Right.LOOK),
    Route("GET", "/nights", nights, Right.LOOK),
    Route("POST", "/nights/compare", compare, Right.WORK_CASES),
    Route("GET", "/nights/sessions/{session}", session, Right.LOOK),
    Route("GET", "/nights/{night}", night, Right.LOOK),
    Route("GET", "/nights/{night}/report.{form}", report, Right.LOOK),
)
