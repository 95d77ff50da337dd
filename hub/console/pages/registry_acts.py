"""What is done to a registry: forms that become deeds, looked at before they are done.

1. A form keeps what was typed when something is wrong with it, and names the field.
2. A right form leads to the page that shows the deed and what follows from it; nothing is done yet.
3. A key is registered in two steps: its document is read and its fingerprint shown, to be read to
   each other over the phone; only then the deed is made.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from hub.console.acting import confirm
from hub.console.forms import Fields, FormError, Query, read_form
from hub.console.pages.registries import CODE, choices
from hub.console.rendering import render
from hub.console.routing import Route
from hub.console.surroundings import console_of
from hub.console.translating import N_, translate, translate_count
from hub.services.administration.comparing import set_mode
from hub.services.administration.deeds import (
    REASON_CHARACTERS_MAX,
    AdministrationError,
    Deed,
)
from hub.services.console.registries import registry_deeds
from hub.services.console.registries.registry_deeds import (
    BINDINGS,
    DELIVERY_MODES,
    ENDPOINT_CHARACTERS_MAX,
    KINDS_ADDED,
    MODES,
    NAME_CHARACTERS_MAX,
    SUITE_NAMES,
    TRANSITIONS,
    Typed,
    TypedError,
)
from hub.services.console.registries.registry_desk import RegistryDesk, RegistryPage
from hub.services.console.registries.registry_keys import Proof, read_proofs
from hub.services.people.roles import Right

PROOFS_CHARACTERS_MAX: Final = 64 * 1024

Effects = Sequence[str]
Made = tuple[Deed, Effects]


class Texts(dict[str, str]):
    """Texts by field, for templates: an empty one for a field that has none."""

    def __missing__(self, field: str) -> str:
        """Return the text of a field that has none."""
        return ""


HEADINGS: Final[Mapping[str, str]] = {
    "activate": N_("Activate {code}"),
    "suspend": N_("Suspend {code}"),
    "close": N_("Close {code} for good"),
    "delivery": N_("How {code} gets its deliveries"),
    "binding": N_("In which binding {code} gets its deliveries"),
    "comparison": N_("How {code} is compared"),
    "revoke": N_("Revoke a key of {code}"),
}
MODE_TEXTS: Final[Mapping[str, str]] = {
    "digests": N_("by keyed sums, down to the serials: the rule"),
    "totals": N_("by units and then by lists, for a registry without sums"),
    "statement": N_("it hands in files of its holdings"),
    "records": N_("only transfers that moved no units"),
    "off": N_("not at all"),
}
_ACTIVATED: Final = (
    N_("From the next commit on {code} may send and receive all that its kind may."),
    N_("No notice is sent; the signed list of participants shows the new state."),
)
_SUSPENDED: Final = (
    N_(
        "From the next commit on messages of {code} are refused; hello, key changes, "
        "acknowledgements and questions are still taken."
    ),
    N_(
        "Messages to {code} are refused too, but for what gives reserved units back, so that "
        "nothing is locked in."
    ),
    N_("What waits for {code} stays in its mailbox and is delivered; nothing is lost."),
    N_("Proposals in flight keep their deadlines: one that is not answered in time expires."),
    N_("It is not compared at night while it is not active."),
    N_("No notice is sent; the signed list of participants shows the new state."),
)
_CLOSED: Final = (
    N_("There is no way back: {code} is closed for good, and every message of it is refused."),
    N_("Its units stay where they are in the ledger; what it signed before stays provable."),
    N_("Proposals in flight to {code} expire at their deadlines."),
    N_("No notice is sent; the signed list of participants shows the new state."),
)
_STATE_EFFECTS: Final = {"activate": _ACTIVATED, "suspend": _SUSPENDED, "close": _CLOSED}


def _said(texts: Sequence[str], **words: object) -> list[str]:
    """Return marked sentences in the reader's language, with their words filled in."""
    return [translate(one).format(**words) for one in texts]


def _told(count: int) -> str:
    """Return how many registries get a notice."""
    one = N_("{count} active registry is told by a signed notice.")
    many = N_("{count} active registries are told by a signed notice.")
    return translate_count(one, many, count).format(count=count)


# --- forms of one registry -----------------------------------------------------------------------

Maker = Callable[[web.Request, RegistryPage, Fields], Awaitable[Made]]


async def _change_state(request: web.Request, page: RegistryPage, form: Fields) -> Made:
    del form
    verb = request.match_info["act"]
    allowed, _ = TRANSITIONS[verb]
    if page.row.state not in allowed:
        raise AdministrationError(
            f"{page.row.code} is {page.row.state}; it cannot {verb} from there"
        )
    code = page.row.code
    return registry_deeds.change_state(code, verb), _said(_STATE_EFFECTS[verb], code=code)


async def _set_delivery(request: web.Request, page: RegistryPage, form: Fields) -> Made:
    del request
    code = page.row.code
    mode = form.choice("mode", DELIVERY_MODES)
    endpoint = form.optional_text("endpoint", ENDPOINT_CHARACTERS_MAX)
    registry_deeds.check_delivery(mode, endpoint)
    if mode == "push":
        first = N_("From the next commit on the hub sends deliveries to {endpoint}.")
    else:
        first = N_("From the next commit on {code} asks for its deliveries; nothing is pushed.")
    texts = (
        first,
        N_("A delivery that is stored already is sent as it is; nothing is lost or doubled."),
        N_("The hello of {code} itself may change the mode again; not the address."),
    )
    deed = registry_deeds.set_delivery(code, mode, endpoint)
    return deed, _said(texts, code=code, endpoint=endpoint)


async def _set_binding(request: web.Request, page: RegistryPage, form: Fields) -> Made:
    del request
    code = page.row.code
    binding = form.choice("binding", BINDINGS)
    texts = (
        N_("Deliveries that are made from the next commit on are written in {binding}."),
        N_("Those that are stored already keep their bytes."),
        N_("The next hello of {code} sets the binding that it names."),
    )
    return registry_deeds.set_binding(code, binding), _said(
        texts, code=code, binding=binding.upper()
    )


async def _set_mode(request: web.Request, page: RegistryPage, form: Fields) -> Made:
    del request
    code = page.row.code
    if page.line.mode is None:
        raise AdministrationError(
            f"{code} is a {page.row.kind}; Party registries alone are compared with the ledger"
        )
    mode = form.choice("mode", MODES)
    texts = [N_("From the next comparison on {code} is compared so: {how}.")]
    if (page.line.mode == "digests") != (mode == "digests"):
        texts.append(N_("The kept sums of its link are forgotten and built anew when needed."))
    if mode == "off":
        texts.append(N_("Its open cases stay open: nothing will find their serials clean."))
    else:
        texts.append(N_("Its open cases stay as they are until a comparison finds them clean."))
    texts.append(N_("The registry is not told; agree on it with its operator first."))
    return set_mode(code, mode), _said(texts, code=code, how=translate(MODE_TEXTS[mode]))


async def _revoke(request: web.Request, page: RegistryPage, form: Fields) -> Made:
    del form
    key = _key_of(request, page)
    if key.state == "revoked":
        raise AdministrationError(f"{key.key_id} is revoked already")
    code = page.row.code
    texts = [
        N_("From the next commit on nothing that is signed with {key} is taken any more."),
        N_("What it signed before stays valid. A revocation is never taken back."),
    ]
    others = [one for one in page.keys if one.state == "valid" and one.key_id != key.key_id]
    if not others:
        texts.append(
            N_("It is the only key of {code} that speaks: nobody hears {code} until another is.")
        )
    if page.row.kind == "hub":
        texts.append(
            N_("It is a key of the hub: what it signs with this key stops until it has another.")
        )
    console = console_of(request)
    told = await console.run(console.desk(RegistryDesk).active_count)
    deed = registry_deeds.revoke_key(key.key_id)
    return deed, [*_said(texts, code=code, key=key.key_id), _told(told)]


def _key_of(request: web.Request, page: RegistryPage) -> Any:
    """Return the registry's key that an address names. Raises HTTPNotFound."""
    key_id = request.match_info["key_id"]
    for key in page.keys:
        if key.key_id == key_id:
            return key
    raise web.HTTPNotFound


MAKERS: Final[Mapping[str, Maker]] = {
    "activate": _change_state,
    "suspend": _change_state,
    "close": _change_state,
    "delivery": _set_delivery,
    "binding": _set_binding,
    "comparison": _set_mode,
    "revoke": _revoke,
}


async def form_page(request: web.Request) -> web.Response:
    """Show the form of one act on a registry."""
    page = await _registry(request)
    return await _form(request, page, {})


async def form_sent(request: web.Request) -> web.Response:
    """Lead from a form to the page that shows the deed; or show the form with what is wrong."""
    page, form = await _registry(request), await read_form(request)
    try:
        deed, effects = await MAKERS[_act_of(request)](request, page, form)
        reason = form.text("reason", REASON_CHARACTERS_MAX)
        back = f"/registries/{page.row.code}"
        return await confirm(request, deed, reason, back=back, effects=effects)
    except (FormError, AdministrationError) as error:
        return await _form(request, page, form.typed(), errors_of(error))


async def _form(
    request: web.Request,
    page: RegistryPage,
    typed: Mapping[str, str],
    errors: Texts | None = None,
) -> web.Response:
    act, row = _act_of(request), page.row
    given: dict[str, str] = {"endpoint": row.endpoint or "", "reason": ""}
    given |= {"mode": row.delivery_mode if act == "delivery" else page.line.mode or ""}
    given |= {"binding": row.binding}
    return await render(
        request,
        "registries/act.html",
        status=400 if errors else 200,
        act=act,
        page=page,
        heading=translate(HEADINGS[act]).format(code=row.code),
        key=_key_of(request, page) if act == "revoke" else None,
        typed=Texts(given | dict(typed)),
        errors=errors or Texts(),
        allowed=act not in TRANSITIONS or row.state in TRANSITIONS[act][0],
        delivery_modes=choices(DELIVERY_MODES, "delivery_mode"),
        bindings=[(one, one.upper()) for one in BINDINGS],
        modes=[(name, translate(MODE_TEXTS[name])) for name in MODES],
        reason_max=REASON_CHARACTERS_MAX,
        endpoint_max=ENDPOINT_CHARACTERS_MAX,
    )


def _act_of(request: web.Request) -> str:
    return request.match_info.get("act", "revoke")


async def _registry(request: web.Request) -> RegistryPage:
    """Return the registry that an address names. Raises HTTPNotFound.

    The central ones have no state, delivery or comparison to change; their keys do end.
    """
    console = console_of(request)
    page = await console.run(console.desk(RegistryDesk).page, request.match_info["code"])
    if page is None or (page.is_central and "act" in request.match_info):
        raise web.HTTPNotFound
    return page


def errors_of(error: FormError | AdministrationError) -> Texts:
    """Return what is wrong with a form, by field; ``form`` is the form as a whole."""
    if isinstance(error, FormError):
        return Texts({error.field: error.message})
    field = error.field if isinstance(error, TypedError) else "form"
    return Texts({field: str(error)})


# --- keys and new participants -------------------------------------------------------------------


async def key_page(request: web.Request) -> web.Response:
    """Show the form that registers a key of a registry."""
    return await _key_form(request, await _registry(request), {})


async def key_sent(request: web.Request) -> web.Response:
    """Show what a key document says; then, once it was compared, the deed."""
    page, form = await _registry(request), await read_form(request)
    code, proofs = page.row.code, list[Proof]()
    try:
        proofs = _proofs(request, form)
        (proof,) = proofs
        if proof.record.participant != code:
            message = f"{proof.record.key_id} is a key of {proof.record.participant}, not of {code}"
            raise TypedError("keys", message)
        if any(one.key_id == proof.shown.key_id for one in page.keys):
            raise TypedError("keys", f"{proof.shown.key_id} is registered already")
        reason = form.text("reason", REASON_CHARACTERS_MAX)
        if not _is_compared(form):
            return await _key_form(request, page, form.typed(), proofs=proofs)
        texts = (
            N_("Messages signed with {key} count as words of {code}, from {begin} on."),
            N_("Its other keys stay as they are; a key that was lost is revoked by its own act."),
        )
        begin = f"{proof.shown.valid_from:%Y-%m-%d %H:%M} UTC"
        console = console_of(request)
        told = await console.run(console.desk(RegistryDesk).active_count)
        effects = _said(texts, code=code, key=proof.shown.key_id, begin=begin)
        return await confirm(
            request,
            registry_deeds.add_key(proof.record),
            reason,
            back=f"/registries/{code}",
            effects=[*effects, _told(told)],
        )
    except (FormError, AdministrationError) as error:
        return await _key_form(request, page, form.typed(), errors_of(error), proofs)


async def _key_form(
    request: web.Request,
    page: RegistryPage,
    typed: Mapping[str, str],
    errors: Texts | None = None,
    proofs: Sequence[Proof] = (),
) -> web.Response:
    return await render(
        request,
        "registries/key_add.html",
        status=400 if errors else 200,
        code=page.row.code,
        proofs=[one.shown for one in proofs],
        typed=Texts(typed),
        errors=errors or Texts(),
        keys_max=PROOFS_CHARACTERS_MAX,
        reason_max=REASON_CHARACTERS_MAX,
    )


def _proofs(request: web.Request, form: Fields) -> list[Proof]:
    """Return the keys of the documents in a form. Raises TypedError, FormError."""
    text = form.text("keys", PROOFS_CHARACTERS_MAX)
    try:
        found = read_proofs(text, console_of(request).ground.clock())
    except AdministrationError as error:
        raise TypedError("keys", str(error)) from error
    if "code" in request.match_info and len(found) != 1:
        raise TypedError("keys", f"register one key at a time; these are {len(found)}")
    return found


def _is_compared(form: Fields) -> bool:
    """Tell whether the fingerprints were compared; the first step does not ask yet.

    Raises FormError if they were shown and the box is not ticked.
    """
    if not form.is_set("shown"):
        return False
    if not form.is_set("compared"):
        message = N_("Read the fingerprints to each other over the phone, then tick the box.")
        raise FormError("compared", translate(message))
    return True


async def add_page(request: web.Request) -> web.Response:
    """Show the form that registers a participant."""
    typed = {"kind": "party_registry", "delivery_mode": "pull", "binding": "json"}
    code = Query(request).optional_text("code", 5)
    return await _add_form(request, typed | ({"code": code} if code else {}))


async def add_sent(request: web.Request) -> web.Response:
    """Show what the key documents say; then, once they were compared, the deed."""
    form = await read_form(request)
    console = console_of(request)
    proofs, suites = list[Proof](), list[str]()
    try:
        suites = form.many("suite", len(SUITE_NAMES), 40)
        typed = Typed(
            code=form.text("code", 5),
            kind=form.choice("kind", KINDS_ADDED),
            name=form.text("name", NAME_CHARACTERS_MAX),
            delivery_mode=form.choice("delivery_mode", DELIVERY_MODES),
            endpoint=form.optional_text("endpoint", ENDPOINT_CHARACTERS_MAX),
            binding=form.choice("binding", BINDINGS),
            suites=tuple(suites),
        )
        known = await console.run(console.desk(RegistryDesk).row, typed.code)
        proofs = _proofs(request, form)
        deed = registry_deeds.new_participant(
            typed, proofs, known is not None, console.ground.clock()
        )
        reason = form.text("reason", REASON_CHARACTERS_MAX)
        if not _is_compared(form):
            return await _add_form(request, form.typed(), suites=suites, proofs=proofs)
        texts = (
            N_("{code} is registered with these keys. Its hello is taken at once."),
            N_("It may not transfer before it is activated, by another act."),
            N_("No notice is sent; the signed list of participants names it."),
        )
        effects = _said(texts, code=typed.code)
        return await confirm(request, deed, reason, back="/registries", effects=effects)
    except (FormError, AdministrationError) as error:
        return await _add_form(request, form.typed(), errors_of(error), suites, proofs)


async def _add_form(
    request: web.Request,
    typed: Mapping[str, str],
    errors: Texts | None = None,
    suites: Sequence[str] = (),
    proofs: Sequence[Proof] = (),
) -> web.Response:
    return await render(
        request,
        "registries/add.html",
        status=400 if errors else 200,
        typed=Texts(typed),
        errors=errors or Texts(),
        suites=suites,
        proofs=[one.shown for one in proofs],
        kinds=choices(KINDS_ADDED, "participant_kind"),
        delivery_modes=choices(DELIVERY_MODES, "delivery_mode"),
        bindings=[(one, one.upper()) for one in BINDINGS],
        suite_names=SUITE_NAMES,
        name_max=NAME_CHARACTERS_MAX,
        endpoint_max=ENDPOINT_CHARACTERS_MAX,
        keys_max=PROOFS_CHARACTERS_MAX,
        reason_max=REASON_CHARACTERS_MAX,
    )


_ACT: Final = "{act:activate|suspend|close|delivery|binding|comparison}"
_KEY: Final = "{key_id:[A-Z]{3}[0-9]{2}-[0-9a-f]{16}}"
ROUTES: Final = (
    Route("GET", "/registries/add", add_page, Right.OPERATE),
    Route("POST", "/registries/add", add_sent, Right.OPERATE),
    Route("GET", f"/registries/{CODE}/{_ACT}", form_page, Right.OPERATE),
    Route("POST", f"/registries/{CODE}/{_ACT}", form_sent, Right.OPERATE),
    Route("GET", f"/registries/{CODE}/keys/add", key_page, Right.OPERATE),
    Route("POST", f"/registries/{CODE}/keys/add", key_sent, Right.OPERATE),
    Route("GET", f"/registries/{CODE}/keys/{_KEY}/revoke", form_page, Right.OPERATE),
    Route("POST", f"/registries/{CODE}/keys/{_KEY}/revoke", form_sent, Right.OPERATE),
)
