"""The transparency log: checkpoints, witnesses, entries, and what a browser verifies by itself."""

import base64
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from hub.console.forms import Query
from hub.console.rendering import render
from hub.console.routing import Route
from hub.console.surroundings import console_of
from hub.console.translating import N_, translate
from hub.services.console.log.log_desk import LogDesk, LogPage, LogRequestError
from hub.services.people.roles import Right

_NUMBER_MAX: Final = 2**63 - 1
_DIGITS_MAX: Final = 19

STATES: Final[Mapping[str, str]] = {
    "good": N_("holds"),
    "bad": N_("does not hold"),
    "unknown": N_("not verified"),
}
VERDICTS: Final[Mapping[str, str]] = {
    "first": N_("This browser saw no checkpoint before. From now on it remembers this one."),
    "same": N_("The log is where this browser left it, and it is the same log."),
    "continued": N_("The log continues what this browser saw last. Nothing was rewritten."),
    "unproved": N_(
        "The newest checkpoint is not compared with what this browser saw: there was no proof."
    ),
    "fork": N_("Fork: the log does not continue what this browser saw. History was rewritten."),
    "rollback": N_("Rollback: the log is shorter than what this browser saw of it."),
    "signature": N_("The newest checkpoint is not signed by the log’s key."),
    "origin": N_("The newest checkpoint is of another log."),
    "cosignature": N_("A line in a witness’s name is not of this checkpoint."),
    "unreadable": N_("What was served as the newest checkpoint is none."),
}
STEPS: Final[Mapping[str, str]] = {
    "read_good": N_("The newest checkpoint was fetched: a tree of {size} entries."),
    "read_bad": N_("What was fetched cannot be read: {detail}."),
    "origin_good": N_("It is of the log “{origin}”."),
    "origin_bad": N_("It is of the log “{origin}”, not of “{remembered}”."),
    "signature_good": N_("The log’s key {keyId} signed it. Fingerprint: {fingerprint}"),
    "signature_bad": N_("No trusted key of the log signed it: {detail}."),
    "signature_unknown_key": N_(
        "The log’s public key is not known here, so the signature is not verified. Paste the key "
        "below to have it verified from now on."
    ),
    "signature_unknown_browser": N_(
        "This browser does not know Ed25519, so no signature is verified. The hashes are."
    ),
    "memory_unknown": N_("There is nothing to compare it with yet."),
    "size_good": N_("It is larger than what was seen last: {from} entries then, {to} now."),
    "size_bad": N_("It has {to} entries, and {from} were seen before."),
    "same_good": N_("It has as many entries as were seen last, {to}, and the same root."),
    "same_bad": N_("It has as many entries as were seen last, {to}, and another root."),
    "proof_good": N_(
        "The proof of {hashes} hashes holds: the {from} entries seen last begin the {to} of now."
    ),
    "proof_bad": N_("The proof from {from} to {to} entries does not hold: {detail}."),
    "proof_unknown": N_("No proof from {from} to {to} entries could be had: {detail}."),
    "witness_good": N_("The witness {name} cosigned it at {time}."),
    "witness_absent": N_("The witness {name} has not cosigned it (yet)."),
    "witness_bad": N_("The line of the witness {name} does not verify."),
    "witness_unverified": N_(
        "The witness {name} cosigned with ML-DSA-44, which browsers cannot verify yet."
    ),
}
WORDS: Final[Mapping[str, str]] = {
    "memory": N_("This browser remembers the checkpoint of {size} entries, seen at {at}."),
    "memory_none": N_("This browser remembers no checkpoint yet."),
    "key": N_("It remembers the log’s key {keyId}, fingerprint {fingerprint}."),
    "pin_other": N_("the key is of “{name}”, not of this log"),
    "pin_error": N_("This key cannot be taken: {detail}."),
    "insecure": N_(
        "Nothing can be verified here: browsers give hashes and signatures to pages over TLS or "
        "of this machine only."
    ),
    "not_checked": N_("Nothing was verified now: {detail}. What is remembered stays as it is."),
    "trouble_at": N_("Found by this browser at {at}; it stays until somebody says it was seen."),
    "trouble_do": N_(
        "Save the evidence: it has both checkpoints with their signatures, which nobody but the "
        "log’s key could make. Show it to the hub’s operator, to a witness, and to somebody "
        "who does not depend on this hub."
    ),
    "save": N_("Save the evidence as a file"),
    "again": N_("Begin again"),
    "again_text": N_(
        "Only after the evidence is saved and the cause is known, such as a loss that the "
        "operator accepted or a new key of the log. The browser forgets what it saw before."
    ),
    "forget": N_("The evidence is saved: forget, and begin again"),
}
ENTRY_WORDS: Final[Mapping[str, str]] = {
    "leaf": N_("This browser hashed the entry’s bytes; the leaf is the one shown."),
    "proof": N_("The hashes lead from the leaf to the root of the checkpoint."),
    "signed": N_("The log’s key signed the checkpoint."),
    "signed_pinned": N_("The log’s key that this browser remembers signed the checkpoint."),
    "not_signed": N_("The checkpoint is not signed by the log’s key:"),
    "no_key": N_("The log’s signature is not verified: its key or Ed25519 is not known here."),
    "known": N_("It is the checkpoint that this browser saw last."),
    "other_size": N_(
        "Whether this checkpoint continues what was seen before, the log’s page says."
    ),
    "fork": N_("This browser saw another tree of this size: the log was rewritten."),
    "not_proved": N_("The entry is not proved:"),
    "failed": N_("The check could not be done:"),
    "insecure": WORDS["insecure"],
}


async def log(request: web.Request) -> web.Response:
    """Show how the log stands, its witnesses and checkpoints; the browser verifies on its own."""
    below = Query(request).optional_number("below", 0, _NUMBER_MAX)
    console = console_of(request)
    desk = console.desk(LogDesk)
    found = await console.run(desk.page, below)
    return await render(
        request, "log/log.html", found=found, is_first=below is None, facts=_facts(found, desk)
    )


def _facts(found: LogPage, desk: LogDesk) -> Mapping[str, Any]:
    """Return what the browser's own check goes by, and the words it says."""
    words: dict[str, Any] = {name: translate(text) for name, text in WORDS.items()}
    return {
        "origin": found.origin,
        "vkeys": found.vkeys,
        "witnesses": desk.witness_vkeys(),
        "words": {
            **words,
            "verdicts": {name: translate(text) for name, text in VERDICTS.items()},
            "steps": {name: translate(text) for name, text in STEPS.items()},
            "states": {name: translate(text) for name, text in STATES.items()},
        },
    }


async def entry(request: web.Request) -> web.Response:
    """Show one entry with its proof."""
    text = request.match_info["index"]
    index = int(text) if text.isdecimal() and text.isascii() and len(text) <= _DIGITS_MAX else -1
    console = console_of(request)
    desk = console.desk(LogDesk)
    found = None if not 0 <= index <= _NUMBER_MAX else await console.run(desk.entry, index)
    if found is None:
        raise web.HTTPNotFound
    words = {name: translate(text) for name, text in ENTRY_WORDS.items()}
    return await render(
        request,
        "log/entry.html",
        found=found,
        text=found.data.decode("utf-8", "replace"),
        proof=None
        if found.note is None
        else {
            "index": str(found.index),
            "data": _base64(found.data),
            "leaf": found.leaf.hex(),
            "proof": [_base64(one) for one in found.proof],
            "note": found.note,
            "vkeys": found.vkeys,
            "words": {**words, "states": {name: translate(one) for name, one in STATES.items()}},
        },
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


# --- for the browser's own check -----------------------------------------------------------------


async def checkpoint(request: web.Request) -> web.Response:
    """Send the newest checkpoint with its cosignatures, as it is signed."""
    console = console_of(request)
    try:
        note = await console.run(console.desk(LogDesk).checkpoint)
    except LogRequestError as error:
        return _refused(error, 404)
    return web.Response(text=note, content_type="text/plain")


async def consistency(request: web.Request) -> web.Response:
    """Send the hashes that show one tree to begin another; sizes are texts, for they are large."""
    query = Query(request)
    console = console_of(request)
    desk = console.desk(LogDesk)
    try:
        first, second, hashes = await console.run(
            desk.consistency, query.raw("from")[:40], query.raw("to")[:40]
        )
    except LogRequestError as error:
        return _refused(error, 400)
    return web.json_response(
        {"from": str(first), "to": str(second), "hashes": [_base64(one) for one in hashes]}
    )


def _refused(error: LogRequestError, status: int) -> web.Response:
    return web.json_response({"detail": error.detail, "remedy": error.remedy}, status=status)


ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "/log", log, Right.LOOK),
    Route("GET", "/log/checkpoint", checkpoint, Right.LOOK),
    Route("GET", "/log/consistency", consistency, Right.LOOK),
    Route("GET", "/log/entries/{index}", entry, Right.LOOK),
)
