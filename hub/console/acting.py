"""How a page acts: first a page that says what will be done, then one form that does it.

1. A form's handler makes a deed and returns ``confirm``: nothing is done yet. The page shows every
   part of the deed, under whose name it is done, and whether it takes a second person.
2. Where administrators are registered, the page carries the exact bytes to sign. A script shows
   what is in them, signs them with the key in the person's browser, and posts what it signed.
3. ``POST /acts`` does what was signed, or says why not.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from aiohttp import web

from hub.console.flash import is_own_path, see_other
from hub.console.forms import Fields, FormError, read_form
from hub.console.parts.act_words import lines_of
from hub.console.rendering import render
from hub.console.routing import Route
from hub.console.security import RightError, person_of
from hub.console.surroundings import console_of
from hub.console.translating import N_, translate
from hub.services.administration.deeds import (
    REASON_CHARACTERS_MAX,
    AdministrationError,
    Deed,
)
from hub.services.administration.statements import Says
from hub.services.console.acts.acts_desk import (
    ActsDesk,
    NotAllowedError,
    Outcome,
    Prepared,
    read_deed,
)
from hub.services.people.roles import Right

EFFECTS_COUNT_MAX: Final = 20
EFFECT_CHARACTERS_MAX: Final = 500
_STATEMENT_CHARACTERS_MAX: Final = 512 * 1024
_TEXT_CHARACTERS_MAX: Final = 256 * 1024

_DONE: Final = {
    Says.DO: N_("Done: it is entry {index} of the log."),
    Says.PROPOSE: N_("Proposed: it waits for another person to approve it."),
    Says.APPROVE: N_("Approved and done: it is entry {index} of the log."),
    Says.REJECT: N_("Rejected: it will not be done."),
}
_BEFORE: Final = N_("This was sent before, as entry {index} of the log; nothing was done twice.")

T = TypeVar("T")


async def confirm(
    request: web.Request, deed: Deed, reason: str, *, back: str, effects: Sequence[str] = ()
) -> web.Response:
    """Return the page on which a person looks at a deed before it is done.

    ``back`` is where they go afterwards; ``effects`` say in sentences (marked or translated) what
    else follows. Raises RightError, AdministrationError.
    """
    console = console_of(request)
    prepared = await console.run(
        with_rights, console.desk(ActsDesk).prepare, person_of(request), deed, reason
    )
    return await _page(request, prepared, back, effects)


async def confirm_decision(
    request: web.Request, proposal_id: str, says: Says, reason: str, *, back: str
) -> web.Response:
    """Return the page on which a person looks at a proposal before they approve or reject it."""
    console = console_of(request)
    prepared = await console.run(
        with_rights,
        console.desk(ActsDesk).prepare_decision,
        person_of(request),
        proposal_id,
        says,
        reason,
    )
    return await _page(request, prepared, back, ())


async def act(request: web.Request) -> web.Response:
    """Do what was looked at: what was signed, or the deed itself where nobody signs."""
    form = await read_form(request)
    back = _back(form)
    console, person = console_of(request), person_of(request)
    desk = console.desk(ActsDesk)
    statement = _long(form, "statement", _STATEMENT_CHARACTERS_MAX)
    outcome: Outcome
    try:
        if statement:
            raw = statement.encode("utf-8", "surrogatepass")
            proposal_id = form.optional_text("proposal", 36)
            outcome = await console.run(with_rights, desk.carry_out, person, raw, proposal_id)
        else:
            deed = read_deed(_long(form, "deed", _TEXT_CHARACTERS_MAX))
            reason, form_id = form.text("reason", REASON_CHARACTERS_MAX), form.text("once", 36)
            outcome = await console.run(
                with_rights, desk.carry_out_unsigned, person, deed, reason, form_id
            )
    except AdministrationError as error:
        return await _refused(request, form, str(error), back)
    if outcome.is_repeated:
        return see_other(request, back, _BEFORE, kind="info", index=outcome.log_index)
    to = f"/approvals/{outcome.proposal_id}" if outcome.says is Says.PROPOSE else back
    return see_other(request, to, _DONE[outcome.says], index=outcome.log_index)


async def prepare_again(request: web.Request) -> web.Response:
    """Make the page of an act anew, with a statement that counts from now."""
    form = await read_form(request)
    back, reason = _back(form), form.text("reason", REASON_CHARACTERS_MAX)
    proposal_id = form.optional_text("proposal", 36)
    if proposal_id is not None:
        says = Says(form.choice("says", (Says.APPROVE.value, Says.REJECT.value)))
        return await confirm_decision(request, proposal_id, says, reason, back=back)
    deed = read_deed(_long(form, "deed", _TEXT_CHARACTERS_MAX))
    effects = form.many("effect", EFFECTS_COUNT_MAX, EFFECT_CHARACTERS_MAX)
    return await confirm(request, deed, reason, back=back, effects=effects)


def with_rights(function: Callable[..., T], *arguments: Any) -> T:
    """Call a desk; whose role has not the right is told so like at any other door."""
    try:
        return function(*arguments)
    except NotAllowedError as error:
        raise RightError(error.right) from error


async def _page(
    request: web.Request, prepared: Prepared, back: str, effects: Sequence[str]
) -> web.Response:
    return await render(
        request,
        "acts/confirm.html",
        prepared=prepared,
        lines=lines_of(prepared.deed.parameters),
        back=back if is_own_path(back) else "/",
        effects=[translate(one) for one in effects][:EFFECTS_COUNT_MAX],
        signing=_signing(prepared),
    )


def _signing(prepared: Prepared) -> dict[str, Any] | None:
    """Return what the script needs to show and sign a statement."""
    to_sign = prepared.to_sign
    if to_sign is None:
        return None
    return {
        "payload": to_sign.payload,
        "typ": to_sign.typ,
        "keyId": to_sign.key_id,
        "algorithm": to_sign.algorithm,
        "freshSeconds": to_sign.fresh_for.total_seconds(),
    }


async def _refused(request: web.Request, form: Fields, why: str, back: str) -> web.Response:
    """Return the page that says why nothing was done, with a way to try again."""
    return await render(
        request,
        "acts/refused.html",
        status=409,
        why=why,
        back=back,
        again={
            name: form.raw(name)
            for name in ("deed", "reason", "proposal", "says")
            if 0 < len(form.raw(name)) <= _TEXT_CHARACTERS_MAX
        },
        effects=form.many("effect", EFFECTS_COUNT_MAX, EFFECT_CHARACTERS_MAX),
    )


def _back(form: Fields) -> str:
    """Return where a form leads to afterwards; nowhere but in the console."""
    back = form.raw("back")
    return back if is_own_path(back) else "/"


def _long(form: Fields, name: str, characters_max: int) -> str:
    value = form.raw(name).strip()
    if len(value) > characters_max:
        message = translate(N_("At most {max} characters; these are {count}."))
        raise FormError(name, message.format(max=characters_max, count=len(value)))
    return value


ROUTES: Final = (
    Route("POST", "/acts", act, Right.READ_ACTS),
    Route("POST", "/acts/prepare", prepare_again, Right.READ_ACTS),
)
