"""The page of one case: both books along its serials, what differs, why, and what can be done.

A form leads to a page that says what will be done (``acting.confirm``); nothing happens before.
"""

from typing import Any, Final

from aiohttp import web

from hub.console import acting
from hub.console.forms import Fields, FormError, Query, read_form
from hub.console.parts import case_forms, serial_drawing
from hub.console.parts.case_forms import CaseAct
from hub.console.rendering import render
from hub.console.routing import Route
from hub.console.surroundings import Console, console_of
from hub.console.translating import N_, translate
from hub.console.words import word
from hub.services.administration.corrections import correct_ledger
from hub.services.administration.deeds import REASON_CHARACTERS_MAX, AdministrationError
from hub.services.console.cases.case_desk import CaseDesk
from hub.services.console.cases.case_entries import CaseEntries, EntryPreview, LedgerPart
from hub.services.console.cases.case_story import (
    CaseStories,
    CaseStory,
    SeriesShown,
    UnknownCaseError,
)
from hub.services.console.cases.serial_lines import SerialLine, Standing
from hub.services.people.roles import Right

SERIES_MAX: Final = 500
_OTHERS_SHOWN: Final = 10
_SERIAL_MAX: Final = 2**63 - 2
_OF_STATE: Final = {
    case_forms.ACKNOWLEDGE: "acknowledge",
    case_forms.ASSIGN: "assign",
    case_forms.NOTE: "note",
    case_forms.DUE: "set_due",
    case_forms.BEGIN_CORRECTION: "begin_correction",
    case_forms.ASK_REGISTRY: "ask_rerun",
    case_forms.RERUN: "ask_rerun",
}
"""What a case's state must allow for each form."""


async def show(request: web.Request) -> web.Response:
    """Show a case."""
    console, case_id = console_of(request), _case_id(request)
    query = Query(request)
    story = await _story(
        console,
        case_id,
        series=query.optional_number("series", 1, SERIES_MAX),
        start=query.optional_number("from", 1, _SERIAL_MAX) or 1,
        all_events=query.is_set("all_events"),
    )
    entries, desk = console.desk(CaseEntries), console.desk(CaseDesk)
    form = await console.run(entries.form, case_id) if story.may_be_compensated else None
    return await render(
        request,
        "cases/case.html",
        story=story,
        case=story.case,
        path=f"/cases/{case_id}",
        lines=[_drawn(one) for one in story.series],
        legend=[(serial_drawing.SIGNS[one], serial_drawing.STANDINGS[one]) for one in Standing],
        left=serial_drawing.LEFT,
        width=serial_drawing.WIDTH,
        inner=serial_drawing.INNER,
        side_words=serial_drawing.side_words,
        standing_words=serial_drawing.standing_words,
        ledger_note=serial_drawing.ledger_note,
        offered=_offered(story),
        entry=form,
        colleagues=await console.run(desk.colleagues),
        back=f"/cases/{case_id}",
    )


async def work(request: web.Request) -> web.Response:
    """Look at what is to be done with a case before it is done."""
    console, case_id = console_of(request), _case_id(request)
    form = await read_form(request)
    do = form.choice("do", case_forms.OF_ONE)
    if do == case_forms.ENTRY:
        made = await _entry(console, form, case_id)
    else:
        made = case_forms.act_of(form, do, [case_id])
    try:
        return await acting.confirm(
            request, made.deed, made.reason, back=f"/cases/{case_id}", effects=made.effects
        )
    except AdministrationError as error:
        raise FormError(do, str(error)) from error


def _case_id(request: web.Request) -> str:
    return f"{request.match_info['date']}/{request.match_info['number']}"


async def _story(console: Console, case_id: str, **how: Any) -> CaseStory:
    try:
        return await console.run(console.desk(CaseStories).story, case_id, **how)
    except UnknownCaseError as error:
        raise web.HTTPNotFound from error


def _offered(story: CaseStory) -> frozenset[str]:
    """Return the forms that a case has as it stands."""
    offered = {do for do, needs in _OF_STATE.items() if needs in story.possible}
    if story.may_be_compensated and "compensate" in story.possible:
        offered.add(case_forms.ENTRY)
    return frozenset(offered)


def _drawn(shown: SeriesShown) -> dict[str, Any]:
    """Return a series with its picture, as far as it is drawn."""
    line: SerialLine | None = shown.line
    if line is None:
        return {"shown": shown, "line": None}
    first, last = serial_drawing.extent(line)
    marks = serial_drawing.overview(line.spans, first, last)
    return {
        "shown": shown,
        "line": line,
        "strips": serial_drawing.strips(line.cells),
        "first": first,
        "last": last,
        "marks": marks,
        "data": serial_drawing.script_data(line),
        "is_paged": line.before is not None or line.after is not None,
    }


# --- the compensating entry ----------------------------------------------------------------------


async def _entry(console: Console, form: Fields, case_id: str) -> CaseAct:
    """Return the entry that a form proposes, with its effect on both books."""
    units = form.text("units", 400)
    giver, taker = form.text("from_registry", 5), form.text("to_registry", 5)
    account = form.optional_text("account", 50)
    reason = form.text("reason", REASON_CHARACTERS_MAX)
    try:
        deed = correct_ledger(units, giver, taker, account, case_id)
        preview = await console.run(console.desk(CaseEntries).preview, deed)
    except AdministrationError as error:
        raise FormError("units", str(error)) from error
    except UnknownCaseError as error:
        raise web.HTTPNotFound from error
    target = taker if account is None else f"{taker}, {account}"
    return CaseAct(deed, reason, tuple(_effects(preview, giver, taker, target)))


def _effects(preview: EntryPreview, giver: str, taker: str, target: str) -> list[str]:
    effects = [
        *(_said(N_("The ledger now: {part}."), part=_part_words(one)) for one in preview.parts),
        *([translate(N_("The ledger now: and more blocks."))] if preview.is_cut else []),
        _said(
            N_("The ledger afterwards: {units}, {count} units, all at {target}."),
            units=preview.units,
            count=preview.quantity,
            target=target,
        ),
        _said(_BOOK[_book_of(preview, taker)], registry=preview.case.registry),
        _said(
            N_(
                "{giver} and {taker} are told by a note of the hub. They change their own books by "
                "themselves: the next comparison shows whether both agree."
            ),
            giver=giver,
            taker=taker,
        ),
        translate(
            N_(
                "The case is being corrected afterwards and its serials stay frozen until a "
                "comparison finds them equal. What stands in the journal stays; one more posting "
                "follows."
            )
        ),
    ]
    if preview.others:
        shown = preview.others[:_OTHERS_SHOWN]
        names = ", ".join(f"{one.case_id} ({one.registry})" for one in shown)
        effects.append(_said(N_("It counts for these cases as well: {names}."), names=names))
    return effects


_BOOK: Final = {
    "unknown": N_(
        "What the book of {registry} has of these units, the last finding does not tell: they are "
        "not all in one range of the case."
    ),
    "has": N_(
        "The book of {registry} has these units by the last finding, and the ledger will have them "
        "there too."
    ),
    "has_too_many": N_(
        "The book of {registry} has these units by the last finding, and the ledger will not: the "
        "registry takes them out."
    ),
    "lacks": N_(
        "The book of {registry} has nothing of these units by the last finding, and the ledger "
        "will have nothing of them there either."
    ),
    "lacks_too_few": N_(
        "The book of {registry} has nothing of these units by the last finding, and the ledger "
        "will have them there: the registry puts them in."
    ),
}


def _book_of(preview: EntryPreview, taker: str) -> str:
    """Return what becomes of the registry's book beside the ledger's."""
    if preview.book is None:
        return "unknown"
    is_there = taker == preview.case.registry
    if preview.book:
        return "has" if is_there else "has_too_many"
    return "lacks_too_few" if is_there else "lacks"


def _part_words(part: LedgerPart) -> str:
    if part.registry is None:
        return _said(N_("{units}: nothing"), units=part.units)
    words = _said(
        N_("{units} at {registry}, {status}"),
        units=part.units,
        registry=part.registry,
        status=word(part.status, "block_status"),
    )
    held = part.reserved_by or part.hold
    if held is None:
        return words
    return _said(N_("{words} (held back by {what})"), words=words, what=held)


def _said(text: str, **words: object) -> str:
    return translate(text).format(**words)


_PATH: Final = r"/cases/{date:[12][0-9]{3}-[0-9]{2}-[0-9]{2}}/{number:[1-9][0-9]{0,8}}"
ROUTES: Final = (
    Route("GET", _PATH, show, Right.LOOK),
    Route("POST", _PATH, work, Right.WORK_CASES),
)
