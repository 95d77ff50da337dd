"""The list of cases: narrowed, ordered, page by page; worked on several at once; taken as a table.

Everything that is asked for stands in the address, so that a list can be kept, sent and opened
again, and works without a script.
"""

from collections.abc import Mapping
from datetime import date
from typing import Final
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from hub.console import acting
from hub.console.flash import is_own_path
from hub.console.forms import FormError, Query, read_form
from hub.console.parts import case_forms
from hub.console.parts.saved_searches import saved_or_first
from hub.console.rendering import render
from hub.console.routing import Route
from hub.console.security import headers_for, person_of
from hub.console.surroundings import console_of
from hub.console.translating import N_, translate
from hub.services.console import exports
from hub.services.console.cases import case_desk
from hub.services.console.cases.case_desk import CaseDesk, CaseView, CaseViewError
from hub.services.people.roles import Right
from hub.services.reconciliation.cases.case_acts import CASES_MAX

PAGE: Final = "cases"
OLDER_DAYS_MAX: Final = 36_500
STATE_NAMES: Final = {
    case_desk.ACTIVE: N_("all open"),
    "open": N_("open, not acknowledged"),
    "acknowledged": N_("acknowledged"),
    "being_corrected": N_("being corrected"),
    "awaiting_rerun": N_("awaiting re-run"),
    "closed": N_("closed"),
    case_desk.ALL: N_("all, closed ones too"),
}
ORDER_NAMES: Final = {
    "opened": N_("oldest first"),
    "-opened": N_("newest first"),
    "due": N_("due first"),
    "-due": N_("due last"),
    "-changed": N_("changed last"),
    "changed": N_("unchanged longest"),
    "-units": N_("most units"),
    "units": N_("fewest units"),
}
COLUMNS: Final = (
    (N_("Case"), None),
    (N_("State"), None),
    (N_("Kind"), None),
    (N_("Registry"), None),
    (N_("Units"), "units"),
    (N_("Opened"), "opened"),
    (N_("Due"), "due"),
    (N_("Assignee"), None),
    (N_("Changed"), "changed"),
    (N_("What it is about"), None),
)
"""The columns of the list, and by what a list is ordered that is ordered by one."""


async def show(request: web.Request) -> web.Response:
    """Show a page of the list; without a query, what the person has chosen to see at first."""
    console, person = console_of(request), person_of(request)
    saved, elsewhere = await saved_or_first(request, PAGE)
    if elsewhere is not None:
        return elsewhere
    view, desk = view_of(Query(request)), console.desk(CaseDesk)
    after = Query(request).optional_text("after", 60)
    try:
        shown = await console.run(desk.listed, view, person.name, after)
    except CaseViewError as error:
        raise FormError(error.field, str(error)) from error
    query = query_of(view)
    return await render(
        request,
        "cases/list.html",
        view=view,
        shown=shown,
        saved=saved,
        query=query,
        states=STATE_NAMES,
        orders=ORDER_NAMES,
        kinds=case_desk.CASE_KINDS,
        columns=[(name, order, _sorted(view, order)) for name, order in COLUMNS],
        assignees=_assignees(view, shown.facets["assignee"], person.name),
        me=case_desk.ME,
        nobody=case_desk.NOBODY,
        colleagues=await console.run(desk.colleagues),
        first_page=_address(query),
        next_page=None if shown.next is None else _address(query, after=shown.next),
        is_first=after is None,
        export=f"/cases/export.csv?{query}",
        export_max=case_desk.EXPORT_ROWS_MAX,
        with_=lambda **changes: _address(_changed(query, changes)),
    )


async def work(request: web.Request) -> web.Response:
    """Look at what is to be done with the chosen cases before it is done."""
    form = await read_form(request)
    chosen = form.many("case", CASES_MAX, 40)
    if not chosen:
        raise FormError("case", translate(N_("Tick at least one case in the list.")))
    do = form.choice("do", case_forms.OF_SEVERAL)
    made = case_forms.act_of(form, do, chosen)
    back = form.raw("back")
    return await acting.confirm(
        request,
        made.deed,
        made.reason,
        back=back if is_own_path(back) else "/cases",
        effects=made.effects,
    )


async def export(request: web.Request) -> web.StreamResponse:
    """Send the list as CSV, part by part as it is read."""
    console, person = console_of(request), person_of(request)
    view = view_of(Query(request))
    rows = console.desk(CaseDesk).exported(view, person.name)
    parts = exports.csv_rows(case_desk.EXPORTED, rows)
    try:
        part = await console.run(next, parts, None)
    except CaseViewError as error:
        raise FormError(error.field, str(error)) from error
    response = web.StreamResponse()
    response.content_type, response.charset = exports.CSV_TYPE, "utf-8"
    response.headers["Content-Disposition"] = 'attachment; filename="cases.csv"'
    headers_for(request, response)
    await response.prepare(request)
    while part is not None:
        await response.write(part)
        part = await console.run(next, parts, None)
    await response.write_eof()
    return response


# --- the address ---------------------------------------------------------------------------------


def view_of(query: Query) -> CaseView:
    """Return what an address asks for. Raises FormError."""
    since = query.optional_text("since", 10)
    try:
        day = None if since is None else date.fromisoformat(since)
    except ValueError as error:
        message = translate(N_("This is no day: write it as 2026-11-30."))
        raise FormError("since", message) from error
    return CaseView(
        state=query.optional_choice("state", STATE_NAMES) or case_desk.ACTIVE,
        registry=query.optional_text("registry", 5),
        kind=query.optional_choice("kind", case_desk.CASE_KINDS),
        assignee=query.optional_text("assignee", 100),
        is_overdue=query.is_set("overdue"),
        older_days=query.optional_number("older", 0, OLDER_DAYS_MAX),
        since=day,
        named=query.optional_text("named", 60),
        order=query.optional_choice("order", case_desk.ORDERS) or CaseView().order,
    )


def query_of(view: CaseView) -> str:
    """Return a view as the query of an address; what is as usual is left out."""
    parts: Mapping[str, object] = {
        "state": view.state,
        "registry": view.registry,
        "kind": view.kind,
        "assignee": view.assignee,
        "overdue": "1" if view.is_overdue else None,
        "older": view.older_days,
        "since": view.since,
        "named": view.named,
        "order": None if view.order == CaseView().order else view.order,
    }
    return urlencode({name: value for name, value in parts.items() if value is not None})


def _changed(query: str, changes: Mapping[str, object]) -> str:
    """Return a query with some of its parts replaced, or (None) left out."""
    kept = [pair for pair in parse_qsl(query) if pair[0] not in changes and pair[0] != "after"]
    kept += [(name, str(value)) for name, value in changes.items() if value is not None]
    return urlencode(kept)


def _address(query: str, **more: str) -> str:
    return f"/cases?{_changed(query, more)}"


def _sorted(view: CaseView, order: str | None) -> tuple[str, str] | None:
    """Return how a column is ordered (``aria-sort``), and the order its heading leads to."""
    if order is None:
        return None
    if view.order == order:
        return "ascending", f"-{order}"
    if view.order == f"-{order}":
        return "descending", order
    return "none", order if order in ("due", "opened") else f"-{order}"


def _assignees(
    view: CaseView, facet: tuple[case_desk.FacetValue, ...], me: str
) -> list[tuple[str, int]]:
    """Return the people who have open cases, with how many, and the one that is asked for."""
    special = (case_desk.ME, case_desk.NOBODY)
    found = [(one.value, one.count) for one in facet if one.value not in (me, *special)]
    named = [name for name, _ in found]
    if view.assignee is not None and view.assignee not in (*named, *special):
        found.append((view.assignee, 0))
    return found


ROUTES: Final = (
    Route("GET", "/cases", show, Right.LOOK),
    Route("POST", "/cases", work, Right.WORK_CASES),
    Route("GET", "/cases/export.csv", export, Right.LOOK),
)
