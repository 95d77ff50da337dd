"""Compare a registry with the ledger by a statement of its holdings, in one go.

1. The moment: a log index, or the last entry up to a time. What the registry had not acknowledged
   by then is on its way and not lost.
2. The ledger as of then is laid beside the statement, on one snapshot; nothing is written yet, so a
   trial ends here.
3. The act that takes the statement begins the session (``administration.holdings_statements``), and
   ``end_session`` ends it: the same result, cases and frozen serials as of any other session.

It works beside a running hub, which sees what changed at its next commit.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from hub.protocol.reconciliation_policy import ReconciliationPolicy
from hub.services.administration.deeds import AdministrationError, Deed
from hub.services.administration.holdings_statements import (
    require_in_order,
    session_of,
    take_statement,
)
from hub.services.load_facts import HubIdentity
from hub.services.reconciliation.cases import ending as endings
from hub.services.reconciliation.ledger import folding
from hub.services.reconciliation.ledger.books import open_book
from hub.services.reconciliation.runs.link_secrets import LinkSecrets
from hub.store import head as heads
from hub.store import reference
from hub.store.database import Database
from hub.store.interning import Interning
from hub.store.reconciliation import links, moments, sessions
from message_schemas import timestamps
from reconciliation.owned import OWNED
from reconciliation.run_states import Outcome
from reconciliation.statement_gaps import completed, is_partial, shown
from reconciliation.statements import Statement
from reconciliation.totals import compare_statement

COMPARED_KIND: Final = "party_registry"

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Moment:
    """What a statement speaks of: an entry of the log, and when that was made."""

    index: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Compared:
    """A statement laid beside the ledger, and nothing recorded yet.

    What the registry lacks up to log index ``applied_to`` is lost; after that it is late.
    ``digest`` is the ledger's of all units as of the moment. ``note`` says of what the statement
    was, and what it does not speak of.
    """

    registry: str
    moment: Moment
    statement: Statement
    outcome: Outcome
    applied_to: int
    digest: int
    note: str

    def deed(self, sha256: str) -> Deed:
        """Return the deed that takes the statement; ``sha256`` is the file's digest."""
        said = self.statement
        return take_statement(
            self.registry,
            sha256,
            as_of=self.moment.index,
            applied_to=self.applied_to,
            compared=said.compared,
            rows=said.row_count,
            units=said.units,
        )


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a session: its name, the cases by what became of them, its result's entry."""

    session: str
    opened: tuple[str, ...]
    continued: tuple[str, ...]
    reopened: tuple[str, ...]
    closed: tuple[str, ...]
    log_index: int


def moment_of(
    database: Database,
    index: int | None = None,
    time: datetime | None = None,
    *,
    now: datetime,
) -> Moment:
    """Return the moment of a log index, or the last one up to a time; by default the last of all.

    Raises AdministrationError if it lies before the log or ahead of it.
    """
    if time is not None and time > now:
        raise AdministrationError(f"{timestamps.render(time)} lies ahead of us")
    with database.reading() as connection:
        head = heads.read(connection).log_index
        if index is None and time is not None:
            index = moments.index_at(connection, time)
            if index is None:
                raise AdministrationError(f"the log begins after {timestamps.render(time)}")
        index = head if index is None else index
        if not 0 <= index <= head:
            raise AdministrationError(f"the log goes from 0 to {head}; {index} is not in it")
        return Moment(index, moments.time_at(connection, index))


def require_registry(database: Database, registry: str) -> None:
    """Raise AdministrationError unless there is such a Party registry."""
    with database.reading() as connection:
        codes = [
            row.code for row in reference.participants(connection) if row.kind == COMPARED_KIND
        ]
    if registry not in codes:
        known = ", ".join(codes) or "there is none"
        raise AdministrationError(f"{registry[:20]} is no Party registry here: {known}")


def compare(
    database: Database,
    secrets: LinkSecrets,
    registry: str,
    statement: Statement,
    moment: Moment,
    *,
    now: datetime,
    all_applied: bool = False,
    progress: Progress | None = None,
) -> Compared:
    """Lay a statement beside the ledger as of a moment. ``progress`` tells of folding digests.

    What the registry had not acknowledged by then may be on its way, unless ``all_applied``: it
    says that it did apply everything, as one may that takes no messages.

    Raises AdministrationError if the ledger cannot go back so far, or the registry was compared as
    of later; LinkSecretError if it is compared by digests and the hub has no secret for them.
    """
    with database.reading() as connection:
        require_in_order(connection, registry, moment.index)
        link = links.load(connection, registry) or links.LinkRow(registry)
    year = link.key_year or now.astimezone(UTC).year
    key = secrets.key_for(link.mode, registry, year)
    folding.bring_up_to_date(database, {registry: key}, progress)
    with database.reading() as connection:
        book = open_book(connection, Interning(), link, key)
        try:
            view = book.view_at(moment.index)
        except ValueError as error:
            raise AdministrationError(
                f"the ledger cannot go back to log index {moment.index}: {error}; load a later "
                "statement"
            ) from None
        applied_to = moment.index
        if not all_applied:
            applied_to = moments.acknowledged_to(connection, registry, moment.index)
        outcome = compare_statement(
            registry,
            moment.index,
            view,
            completed(statement, view, book.explainer),
            book.hasher,
            book.explainer,
            applied_to,
        )
        digest = view.root
    outcome = shown(outcome, statement)
    note = _note(statement, moment, applied_to)
    return Compared(registry, moment, statement, outcome, applied_to, digest, note)


def end(
    database: Database,
    compared: Compared,
    log_index: int,
    *,
    identity: HubIdentity,
    policy: ReconciliationPolicy,
    now: datetime,
) -> Ended:
    """End the session that the act at ``log_index`` began: result, cases, frozen serials.

    Raises SessionEndedError if it was ended meanwhile, because it took too long.
    """
    name = session_of(compared.registry, log_index)
    with database.reading() as connection:
        row = _session(connection, name)
    outcome = replace(compared.outcome, session=name, index=log_index)
    ending = endings.Ending("done", outcome, reason=compared.note, digest=compared.digest)
    ended = endings.end_session(
        database, identity=identity, policy=policy, session=row, ending=ending, now=now
    )
    return Ended(name, ended.opened, ended.continued, ended.reopened, ended.closed, ended.log_index)


def _session(connection: Connection, name: str) -> sessions.SessionRow:
    row = sessions.load(connection, name)
    assert row is not None, "the act began the session"
    return row


def _note(statement: Statement, moment: Moment, applied_to: int) -> str:
    text = f"by a statement of holdings as of {timestamps.render(moment.at)}"
    if applied_to < moment.index:
        text += f"; items after log index {applied_to} were not acknowledged by then"
    if not is_partial(statement):
        return text
    missing = [name for name in OWNED if name not in statement.compared]
    if missing:
        text += f"; not compared: {', '.join(missing)}"
    if statement.held_alone:
        text += "; of held units alone"
    return text + "; so no case is closed by it"
