"""Transfers: the list and its table to take, one transfer from its proposal to its end; messages.

What is asked stands in the address, as everywhere. Whoever may look reads what was said; the signed
bytes are shown to those alone who may read messages.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from hub.console.flash import see_other
from hub.console.forms import Query
from hub.console.parts import transfer_words
from hub.console.parts.saved_searches import saved_or_first
from hub.console.parts.transfer_picture import picture_of
from hub.console.rendering import render
from hub.console.routing import Route
from hub.console.security import headers_for, person_of
from hub.console.surroundings import console_of
from hub.services.console import exports
from hub.services.console.finding_desk import FindingDesk
from hub.services.console.transfers import transfer_desk
from hub.services.console.transfers.logged_messages import MessageDesk
from hub.services.console.transfers.transfer_desk import (
    Asked,
    AskedError,
    TransferDesk,
    TransferPage,
)
from hub.services.console.transfers.transfer_story import TransferStories
from hub.services.people.roles import Right, may

PAGE: Final = "transfers"
ID: Final = "[A-Z]{3}[0-9]{2}-[0-9]{1,18}"
INDEX: Final = "[0-9]{1,18}"
_PARTS: Final = ("envelope", "receipt")


async def show_list(request: web.Request) -> web.Response:
    """Show a page of the list; without a query, what the person has chosen to see at first."""
    console = console_of(request)
    saved, elsewhere = await saved_or_first(request, PAGE)
    if elsewhere is not None:
        return elsewhere
    desk = console.desk(TransferDesk)
    typed = _typed(request)
    asked, page, error = Asked(typed), TransferPage((), None, None), None
    try:
        asked = transfer_desk.asked_of(typed)
        older, newer = (Query(request).optional_text(name, 60) for name in ("older", "newer"))
        page = await console.run(desk.page, asked, older=older, newer=newer)
    except AskedError as refused:
        error = refused
    query = urlencode(asked.typed)
    return await render(
        request,
        "transfers/list.html",
        status=200 if error is None else 400,
        typed=asked.typed,
        shown=page,
        error=error,
        choices=await console.run(desk.choices),
        saved=saved,
        query=query,
        states=transfer_desk.STATES,
        modes=transfer_desk.MODES,
        names=transfer_words.FILTERS,
        state_kinds=transfer_words.STATE_KINDS,
        without={name: _address(asked.typed, without=name) for name in asked.typed},
        newer=None if page.newer is None else _address(asked.typed, newer=page.newer),
        older=None if page.older is None else _address(asked.typed, older=page.older),
        is_first="older" not in request.query and "newer" not in request.query,
        first_page=_address(asked.typed),
        export=f"/transfers/export.csv?{query}",
        export_max=transfer_desk.EXPORT_ROWS_MAX,
    )


def _typed(request: web.Request) -> dict[str, str]:
    fields = Query(request)
    return {name: value for name in transfer_desk.NAMES if (value := fields.raw(name))}


def _address(typed: Mapping[str, str], without: str = "", **more: str) -> str:
    kept = {name: value for name, value in typed.items() if name != without}
    query = urlencode({**kept, **more})
    return f"/transfers?{query}" if query else "/transfers"


async def export(request: web.Request) -> web.StreamResponse:
    """Send the list as CSV, part by part as it is read."""
    console = console_of(request)
    try:
        asked = transfer_desk.asked_of(_typed(request))
    except AskedError as error:
        raise web.HTTPBadRequest from error
    parts = console.desk(TransferDesk).export(asked)
    response = web.StreamResponse()
    response.content_type, response.charset = exports.CSV_TYPE, "utf-8"
    response.headers["Content-Disposition"] = 'attachment; filename="transfers.csv"'
    headers_for(request, response)
    part = await console.run(next, parts, None)
    await response.prepare(request)
    while part is not None:
        await response.write(part)
        part = await console.run(next, parts, None)
    await response.write_eof()
    return response


async def show(request: web.Request) -> web.Response:
    """Show one transfer."""
    console = console_of(request)
    transfer_id = request.match_info["transfer_id"]
    story = await console.run(
        console.desk(TransferStories).story, transfer_id, with_originals=_reads_messages(request)
    )
    if story is None:
        raise web.HTTPNotFound
    return await render(
        request,
        "transfers/transfer.html",
        story=story,
        transfer=story.transfer,
        picture=picture_of(story, console.ground.identity.hub),
        words=_words(),
    )


async def show_actions(request: web.Request) -> web.Response:
    """Show what was done under an id beside transfers: uses, cancellations, first transfers."""
    console = console_of(request)
    action_id = request.match_info["action_id"]
    taken = await console.run(
        console.desk(MessageDesk).actions, action_id, with_originals=_reads_messages(request)
    )
    if not taken:
        raise web.HTTPNotFound
    return await render(
        request, "transfers/actions.html", action_id=action_id, taken=taken, words=_words()
    )


async def show_envelope(request: web.Request) -> web.Response:
    """Show one recorded envelope."""
    console = console_of(request)
    page = await console.run(
        console.desk(MessageDesk).envelope,
        int(request.match_info["log_index"]),
        with_originals=_reads_messages(request),
    )
    if page is None:
        raise web.HTTPNotFound
    return await render(request, "transfers/envelope.html", shown=page, words=_words())


async def download(request: web.Request) -> web.Response:
    """Send the exact bytes of an envelope, or of its receipt."""
    console = console_of(request)
    index = int(request.match_info["log_index"])
    part = request.match_info["part"]
    raw = await console.run(console.desk(MessageDesk).raw, index, part)
    if raw is None:
        raise web.HTTPNotFound
    ending = "xml" if raw.lstrip()[:1] == b"<" else "jws"
    name = f"{part}-{index}.{ending}"
    return web.Response(
        body=raw,
        content_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def find(request: web.Request) -> web.Response:
    """Lead to what a text names; a list where it names several things, or none."""
    console, person = console_of(request), person_of(request)
    typed = Query(request).raw("q")
    hits = await console.run(console.desk(FindingDesk).find, typed)
    seen = [one for one in hits if may(person.role, one.right)]
    exact = [one for one in seen if one.kind not in ("transfers", "entry")]
    if len(exact) == 1 or len(seen) == 1:
        return see_other(request, (exact or seen)[0].path)
    return await render(
        request, "find/results.html", typed=typed[:400], hits=seen, kinds=transfer_words.HITS
    )


def _reads_messages(request: web.Request) -> bool:
    return may(person_of(request).role, Right.READ_MESSAGES)


def _words() -> Mapping[str, Mapping[str, object]]:
    return {
        "roles": transfer_words.ROLES,
        "state_kinds": transfer_words.STATE_KINDS,
        "delivery_states": transfer_words.DELIVERY_STATES,
        "outcomes": transfer_words.OUTCOMES,
        "outcome_kinds": transfer_words.OUTCOME_KINDS,
    }


ROUTES: Final = (
    Route("GET", "/find", find, Right.LOOK),
    Route("GET", "/transfers", show_list, Right.LOOK),
    Route("GET", "/transfers/export.csv", export, Right.LOOK),
    Route("GET", f"/transfers/{{transfer_id:{ID}}}", show, Right.LOOK),
    Route("GET", f"/actions/{{action_id:{ID}}}", show_actions, Right.LOOK),
    Route("GET", f"/envelopes/{{log_index:{INDEX}}}", show_envelope, Right.LOOK),
    Route(
        "GET",
        f"/envelopes/{{log_index:{INDEX}}}/{{part:{'|'.join(_PARTS)}}}",
        download,
        Right.READ_MESSAGES,
    ),
)
