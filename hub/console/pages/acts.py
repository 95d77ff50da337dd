"""Acts: done through ``acting``, and read back from the log as ``itmo-hub act`` reads them.

Beside them what waits for a second person: shown as its proposer signed it, approved or rejected.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from hub.console import acting
from hub.console.forms import Query, read_form
from hub.console.parts.act_words import KINDS, kind_word, lines_of
from hub.console.rendering import render
from hub.console.routing import Route
from hub.console.surroundings import console_of
from hub.console.translating import N_
from hub.services.administration.deeds import REASON_CHARACTERS_MAX
from hub.services.administration.statements import Says
from hub.services.console.acts.acts_log import ActsLog
from hub.services.people.roles import Right, right_for

_INDEX_MAX: Final = 2**63 - 1
STATES: Final[Mapping[str, tuple[str, str]]] = {
    "proposed": ("warning", N_("waiting")),
    "lapsed": ("secondary", N_("lapsed")),
    "executed": ("success", N_("approved and done")),
    "rejected": ("secondary", N_("rejected")),
    "changed": ("danger", N_("changed in the database")),
}
"""How a proposal stands: the colour and the word."""
SAYS: Final[Mapping[str, str]] = {
    "do": N_("did it"),
    "propose": N_("proposed it"),
    "approve": N_("approved it"),
    "reject": N_("rejected it"),
    "": N_("unreadable"),
}


async def list_acts(request: web.Request) -> web.Response:
    """Show what was done, newest first, each with whether its statements hold."""
    query, console = Query(request), console_of(request)
    before = query.optional_number("before", 0, _INDEX_MAX)
    wanted = {
        "kind": query.optional_text("kind", 50),
        "actor": query.optional_text("actor", 100),
        "subject": query.optional_text("subject", 200),
    }
    page = await console.run(console.desk(ActsLog).page, before, **wanted)
    kinds = sorted(((kind, kind_word(kind)) for kind in KINDS), key=lambda one: one[1])
    kept = {name: value for name, value in wanted.items() if value is not None}
    return await render(
        request,
        "acts/list.html",
        page=page,
        wanted=wanted,
        kinds=kinds,
        newer=None if before is None else f"/acts?{urlencode(kept)}",
        older=None if page.older is None else f"/acts?{urlencode({**kept, 'before': page.older})}",
    )


async def show_act(request: web.Request) -> web.Response:
    """Show one act: its document, and each statement judged by the administrators of then."""
    console = console_of(request)
    log_index = int(request.match_info["log_index"])
    found = None
    if log_index <= _INDEX_MAX:
        found = await console.run(console.desk(ActsLog).act, log_index)
    if found is None:
        raise web.HTTPNotFound
    lines = [] if found.document is None else lines_of(found.document.deed.parameters)
    return await render(request, "acts/act.html", act=found, lines=lines, says_words=SAYS)


async def list_proposals(request: web.Request) -> web.Response:
    """Show what waits for a second person, and what was decided."""
    console, desk = console_of(request), console_of(request).desk(ActsLog)
    cursor = Query(request).optional_text("before", 80)
    waiting = await console.run(desk.waiting)
    decided = await console.run(desk.decided, cursor)
    return await render(
        request,
        "acts/proposals.html",
        waiting=waiting,
        decided=decided,
        newer=None if cursor is None else "/approvals",
        older=(
            None if decided.older is None else f"/approvals?{urlencode({'before': decided.older})}"
        ),
        states=STATES,
    )


async def show_proposal(request: web.Request) -> web.Response:
    """Show one proposal: everything it would do, as its proposer signed it."""
    console = console_of(request)
    found = await console.run(
        console.desk(ActsLog).proposal, request.match_info["proposal_id"].lower()
    )
    if found is None:
        raise web.HTTPNotFound
    lines = [] if found.deed is None else lines_of(found.deed.parameters)
    return await render(
        request,
        "acts/proposal.html",
        proposal=found,
        lines=lines,
        states=STATES,
        right=right_for(found.row.kind).value,
    )


async def decide(request: web.Request) -> web.Response:
    """Lead to what is signed to approve or to reject a proposal."""
    form = await read_form(request)
    says = Says(form.choice("says", (Says.APPROVE.value, Says.REJECT.value)))
    reason = form.text("reason", REASON_CHARACTERS_MAX)
    proposal_id = request.match_info["proposal_id"].lower()
    back = f"/approvals/{proposal_id}"
    return await acting.confirm_decision(request, proposal_id, says, reason, back=back)


_PROPOSAL: Final = "/approvals/{proposal_id:[0-9a-fA-F-]{36}}"
ROUTES: Final = (
    *acting.ROUTES,
    Route("GET", "/acts", list_acts, Right.READ_ACTS),
    Route("GET", "/acts/{log_index:[0-9]{1,19}}", show_act, Right.READ_ACTS),
    Route("GET", "/approvals", list_proposals, Right.READ_ACTS),
    Route("GET", _PROPOSAL, show_proposal, Right.READ_ACTS),
    Route("POST", _PROPOSAL, decide, Right.READ_ACTS),
)
