"""Suspensions: all that is stopped now at every level, what was, and the forms that change it.

1. Which fields a suspension takes depends on its level. The level is chosen first, by a link, so
   that the form works without a script.
2. What is placed and lifted is a deed like any other: nothing is done before it was looked at.
"""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from hub.console.acting import confirm
from hub.console.forms import Fields, FormError, Query, read_form
from hub.console.pages.registry_acts import Texts, errors_of
from hub.console.rendering import render
from hub.console.routing import Route
from hub.console.surroundings import console_of
from hub.console.translating import N_, translate, translate_count
from hub.services.administration.deeds import (
    REASON_CHARACTERS_MAX,
    AdministrationError,
    Deed,
)
from hub.services.administration.suspensions import (
    SUBJECT_CHARACTERS_MAX,
    hold_block,
    lift_suspension,
    place_suspension,
    release_block,
)
from hub.services.console.registries.registry_desk import RegistryDesk
from hub.services.console.registries.suspension_desk import (
    ALL_LEVELS,
    BLOCK,
    HUB_SUBJECT,
    Before,
    SuspensionDesk,
    Told,
    read_place,
    write_place,
)
from hub.services.people.roles import Right

HISTORY_PER_PAGE: Final = 50
UNITS_CHARACTERS_MAX: Final = 200
CODES_NAMED_MAX: Final = 12

LEVEL_TEXTS: Final[Mapping[str, str]] = {
    "hub": N_("The whole hub: only sessions and questions go on."),
    "participant": N_("One participant: its messages, and those to it that would move units."),
    "pair": N_("Two participants: what they send each other."),
    "message_type": N_("One type of message, whoever sends it."),
    "account": N_("One account of the international registry."),
    BLOCK: N_("Units, in the ledger itself: they stay where they are."),
}
_PLACED: Final[Mapping[str, Sequence[str]]] = {
    "hub": (
        N_("From the next commit on every message of every registry is refused (2010)."),
        N_("Only hello, key changes, acknowledgements and questions are still taken."),
        N_("Answers to comparisons are refused too: at night all registries count as silent."),
    ),
    "participant": (
        N_("From the next commit on messages of {subject} are refused (2006)."),
        N_(
            "Messages to {subject} are refused too (2007), but for what gives reserved units "
            "back, so that nothing is locked in."
        ),
        N_("It is still asked at night, but its answers are refused: it counts as silent."),
    ),
    "pair": (
        N_("From the next commit on what {subject} send each other is refused (2008)."),
        N_("Withdrawing and declining stay possible; each may go on with all others."),
    ),
    "message_type": (N_("From the next commit on every {subject} is refused (2009)."),),
    "account": (N_("From the next commit on nothing may leave or enter the account {subject}."),),
    BLOCK: (
        N_("These units may not be transferred, used or cancelled until they are released."),
        N_("They stay where they are, and comparisons go on."),
    ),
}
_ALWAYS_PLACED: Final = (
    N_("Deliveries go on; proposals in flight keep their deadlines and may expire."),
)
_LIFTED: Final = (
    N_("From the next commit on it is taken again."),
    N_("What was refused meanwhile was not kept: its senders send it again."),
)
_RELEASED: Final = (N_("From the next commit on these units may be moved and used again."),)


async def suspensions(request: web.Request) -> web.Response:
    """Show all that is stopped now, and what was stopped before."""
    console = console_of(request)
    desk = console.desk(SuspensionDesk)
    before = _before(Query(request))
    found = await console.run(desk.now)
    history = await console.run(desk.history, before, HISTORY_PER_PAGE)
    older = None
    if history.next_before is not None:
        older = f"/suspensions?{urlencode({'before': write_place(history.next_before)})}#history"
    return await render(
        request,
        "suspensions/list.html",
        found=found,
        history=history,
        newer="/suspensions#history" if before is not None else None,
        older=older,
        address=_lift_address,
    )


def _before(query: Query) -> Before | None:
    text = query.optional_text("before", 300)
    try:
        return None if text is None else read_place(text)
    except ValueError:
        raise FormError("before", translate(N_("This names no place of the history."))) from None


def _lift_address(level: str, subject: str) -> str:
    return f"/suspensions/lift?{urlencode({'level': level, 'subject': subject})}"


async def place_page(request: web.Request) -> web.Response:
    """Show the form that suspends something of a level; without one, the levels."""
    query = Query(request)
    level = query.optional_choice("level", ALL_LEVELS)
    typed = {"subject": query.optional_text("subject", UNITS_CHARACTERS_MAX) or ""}
    return await _place_form(request, level, typed)


async def place_sent(request: web.Request) -> web.Response:
    """Lead to the page that shows what will be suspended, and who is told."""
    form = await read_form(request)
    level = form.choice("level", ALL_LEVELS)
    console = console_of(request)
    try:
        subject = _subject(form, level, console.ground.identity.international_registry)
        told = await console.run(console.desk(SuspensionDesk).require_placeable, level, subject)
        reason = form.text("reason", REASON_CHARACTERS_MAX)
        deed = hold_block(subject) if level == BLOCK else place_suspension(level, subject)
        texts = [
            translate(one).format(subject=subject) for one in (*_PLACED[level], *_ALWAYS_PLACED)
        ]
        return await _confirm(request, deed, reason, texts, told)
    except (FormError, AdministrationError) as error:
        return await _place_form(request, level, form.typed(), errors_of(error))


def _subject(form: Fields, level: str, international_registry: str) -> str:
    """Return what is to be suspended, from the fields of its level. Raises FormError."""
    match level:
        case "hub":
            return HUB_SUBJECT
        case "participant":
            return form.text("subject", 5)
        case "pair":
            return "/".join(sorted((form.text("first", 5), form.text("second", 5))))
        case "account":
            return f"{international_registry}/{form.text('subject', 50)}"
        case "message_type":
            return form.text("subject", SUBJECT_CHARACTERS_MAX)
        case _:
            return form.text("subject", UNITS_CHARACTERS_MAX)


async def _place_form(
    request: web.Request,
    level: str | None,
    typed: Mapping[str, str],
    errors: Texts | None = None,
) -> web.Response:
    console = console_of(request)
    participants = await console.run(console.desk(RegistryDesk).choices)
    return await render(
        request,
        "suspensions/place.html",
        status=400 if errors else 200,
        level=level,
        levels=[(one, translate(LEVEL_TEXTS[one])) for one in ALL_LEVELS],
        typed=Texts(typed),
        errors=errors or Texts(),
        participants=[(code, f"{code} · {name}"[:80]) for code, name in participants],
        message_types=console.desk(SuspensionDesk).message_types(),
        international_registry=console.ground.identity.international_registry,
        reason_max=REASON_CHARACTERS_MAX,
        units_max=UNITS_CHARACTERS_MAX,
    )


async def lift_page(request: web.Request) -> web.Response:
    """Show the form that lifts a suspension or releases units."""
    query = Query(request)
    level = query.choice("level", ALL_LEVELS)
    subject = query.text("subject", UNITS_CHARACTERS_MAX)
    return await _lift_form(request, level, subject, {})


async def lift_sent(request: web.Request) -> web.Response:
    """Lead to the page that shows what will be lifted, and who is told."""
    form = await read_form(request)
    level = form.choice("level", ALL_LEVELS)
    subject = form.text("subject", UNITS_CHARACTERS_MAX)
    console = console_of(request)
    try:
        told = await console.run(console.desk(SuspensionDesk).require_liftable, level, subject)
        reason = form.text("reason", REASON_CHARACTERS_MAX)
        deed = release_block(subject) if level == BLOCK else lift_suspension(level, subject)
        texts = [translate(one) for one in (_RELEASED if level == BLOCK else _LIFTED)]
        return await _confirm(request, deed, reason, texts, told)
    except (FormError, AdministrationError) as error:
        return await _lift_form(request, level, subject, form.typed(), errors_of(error))


async def _lift_form(
    request: web.Request,
    level: str,
    subject: str,
    typed: Mapping[str, str],
    errors: Texts | None = None,
) -> web.Response:
    return await render(
        request,
        "suspensions/lift.html",
        status=400 if errors else 200,
        level=level,
        subject=subject,
        typed=Texts(typed),
        errors=errors or Texts(),
        reason_max=REASON_CHARACTERS_MAX,
        units_max=UNITS_CHARACTERS_MAX,
    )


async def _confirm(
    request: web.Request, deed: Deed, reason: str, texts: Sequence[str], told: Told
) -> web.Response:
    return await confirm(
        request, deed, reason, back="/suspensions", effects=[*texts, told_text(told)]
    )


def told_text(told: Told) -> str:
    """Return who is told, by name while they are few."""
    count = len(told.codes)
    if not told.is_all and 0 < count <= CODES_NAMED_MAX:
        text = translate(N_("Told by a signed notice, with the reason: {codes}."))
        return text.format(codes=", ".join(told.codes))
    one = N_("{count} registry is told by a signed notice, with the reason.")
    many = N_("{count} registries are told by a signed notice, with the reason.")
    return translate_count(one, many, count).format(count=count)


ROUTES: Final = (
    Route("GET", "/suspensions", suspensions, Right.LOOK),
    Route("GET", "/suspensions/place", place_page, Right.OPERATE),
    Route("POST", "/suspensions/place", place_sent, Right.OPERATE),
    Route("GET", "/suspensions/lift", lift_page, Right.OPERATE),
    Route("POST", "/suspensions/lift", lift_sent, Right.OPERATE),
)
