"""The deed that takes a registry's statement of its holdings: a session begins with it.

The act commits to the file by its digest, and says what it is a statement of. What the comparison
comes to is the hub's own act, ``reconciliation.result``, right behind it.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from hub.services.administration.deeds import AdministrationError, Deed, require_same
from hub.services.administration.doing import Doing
from hub.store.reconciliation import moments, sessions
from hub.store.reconciliation.sessions import ASKING, SessionRow
from message_schemas import timestamps
from reconciliation.owned import OWNED

TAKEN: Final = "reconciliation.statement"
MODE: Final = "statement"
RECORDS: Final = "records"

ENDED_WITHIN: Final = timedelta(minutes=5)
"""When a session is over whose command was stopped before it could end it."""


def take_statement(
    registry: str,
    sha256: str,
    *,
    as_of: int,
    applied_to: int,
    compared: Sequence[str],
    rows: int,
    units: int,
) -> Deed:
    """Compare a registry with the ledger as of log index ``as_of`` by a file it handed in.

    ``sha256`` is the file's digest in hexadecimal digits; ``applied_to`` the index up to where what
    the registry lacks is lost, and after which it is late; ``compared`` names the owned attributes
    that the file speaks of.
    """
    parameters = {
        "sha256": sha256,
        "as_of": as_of,
        "applied_to": applied_to,
        "compared": list(compared),
        "rows": rows,
        "units": units,
    }
    return Deed(TAKEN, registry, parameters)


def do_take_statement(doing: Doing, deed: Deed) -> None:
    """Begin the session; refused beside another one, and if the registry was compared later on."""
    parameters, registry = deed.parameters, deed.subject
    require_same(take_statement(registry, **parameters), deed)
    known = doing.data.participants.get(registry)
    if known is None or known.kind != "party_registry":
        raise AdministrationError(
            f"{registry} is no Party registry; these alone are compared with the ledger"
        )
    if not set(parameters["compared"]) <= set(OWNED):
        raise AdministrationError(f"a statement speaks of some of {', '.join(OWNED)}")
    if not -1 <= parameters["applied_to"] <= parameters["as_of"] < doing.log_index:
        raise AdministrationError(
            f"a statement as of {parameters['as_of']}, applied up to {parameters['applied_to']}: "
            f"these are entries of the log in order, and it ends at {doing.log_index - 1}"
        )
    require_in_order(doing.connection, registry, parameters["as_of"])
    row = SessionRow(
        session=session_of(registry, doing.log_index),
        registry=registry,
        night=None,
        request_id=None,
        trigger=MODE,
        mode=MODE,
        log_index=doing.log_index,
        key_id=None,
        state=ASKING,
        asked_at=doing.at,
        answer_by=doing.at + ENDED_WITHIN,
    )
    sessions.add(doing.connection, [row])


def require_in_order(connection: Connection, registry: str, as_of: int) -> None:
    """Raise AdministrationError if another comparison of a registry is open, or was of later on.

    What is known of later would be opened, or closed, by what was true before.
    """
    for row in sessions.open_sessions(connection):
        if row.registry == registry and row.mode != RECORDS:
            raise AdministrationError(
                f"session {row.session} with {registry} is not ended; wait until it is "
                f"(by {timestamps.render(row.answer_by)})"
            )
    latest = moments.compared_as_of(connection, registry)
    if latest is not None and as_of < latest:
        raise AdministrationError(
            f"{registry} was compared as of log index {latest}; a statement as of {as_of} says "
            "nothing newer: load a later one"
        )


def session_of(registry: str, log_index: int) -> str:
    """Return the name of the session that the act at ``log_index`` began."""
    return f"{registry}-{log_index}"
