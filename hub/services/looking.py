"""What a participant may see of the hub: the status of a transfer, holdings, history.

Who may see what: a registry sees its own holdings and the international registry's accounts of its
Party, the transfers it or such an account takes part in, and the history of units it or such an
account gave or got, or its Party first transferred (4/CMA.6 para 49; 6/CMA.6 para 17).

1. The checks of the message decide who may ask; the conditions of ``hub.store`` what is shown.
2. Each page is one view of the database. Its cursor names the place behind it and the question it
   belongs to; the access rules apply to every page anew, so a cursor opens nothing.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from hub.checks.decision import examine
from hub.checks.facts import Facts, MessageContext
from hub.international_registry.ledger import LedgerWindow
from hub.protocol.limits import Limits
from hub.protocol.response_codes import ResponseCode
from hub.services import outcomes
from hub.services.handlers.transfers import status_of
from hub.services.load_facts import HubIdentity
from hub.services.reference_data import ReferenceData
from hub.store import head as heads
from hub.store import holdings, transfers, views
from hub.store.database import Database
from hub.store.head import Head
from message_schemas import json_codec
from message_schemas.envelopes import Outcome
from message_schemas.messages.queries import HistoryItem, HistoryQuery, HoldingsItem, HoldingsQuery

_CURSOR: Final = re.compile(r"([0-9]{1,19})-([0-9]{1,19})-([0-9a-f]{16})")
_NUMBER_MAX: Final = 2**63 - 1

Query = HoldingsQuery | HistoryQuery


class CursorInvalidError(ValueError):
    """The cursor is not one that an answer to this question gave out."""


def _question_of(asker: str, query: Query) -> str:
    """Return what tells a question from others, however large its pages."""
    asked = json_codec.encode(replace(query, items_max=1, cursor=None, extensions=None))
    text = msgspec.json.encode([asker, type(query).__name__, asked.decode()])
    return hashlib.sha256(text).hexdigest()[:16]


def _cursor(asker: str, query: Query, place: tuple[int, int] | None) -> dict[str, str]:
    """Return the cursor of the next page as a member of the result; nothing at the end."""
    if place is None:
        return {}
    return {"cursor": f"{place[0]}-{place[1]}-{_question_of(asker, query)}"}


def _place(asker: str, query: Query) -> tuple[int, int]:
    """Return the place that a query's cursor names; zeros to begin with."""
    if query.cursor is None:
        return 0, 0
    match = _CURSOR.fullmatch(query.cursor)
    if match is None or match[3] != _question_of(asker, query):
        raise CursorInvalidError(f"{query.cursor[:60]!r} is not a cursor of this question")
    first, second = int(match[1]), int(match[2])
    if max(first, second) > _NUMBER_MAX:
        raise CursorInvalidError(f"{query.cursor[:60]!r} names no place")
    return first, second


class Looking:
    """Looks for one participant at a time; ``load_data`` gives the reference data of a head."""

    def __init__(
        self,
        database: Database,
        load_data: Callable[[Connection, Head], ReferenceData],
        *,
        identity: HubIdentity,
        limits: Limits,
    ) -> None:
        self._database = database
        self._load_data = load_data
        self._identity = identity
        self._limits = limits

    def examine(self, context: MessageContext) -> tuple[Facts, Outcome | None, Any]:
        """Check who asks; return the facts, the refusal if there is one, and the warnings."""
        facts = self._facts(context)
        drafts = examine(context, facts)
        if any(outcomes.stops(draft) for draft in drafts):
            return facts, outcomes.refused(context.message_id, drafts), drafts
        return facts, None, drafts

    def look(self, context: MessageContext) -> Outcome:
        """Return the answer to a transfer.status, holdings.query or history.query."""
        facts, refusal, drafts = self.examine(context)
        if refusal is not None:
            return refusal
        try:
            result = _READERS[context.type](self, context, facts)
        except CursorInvalidError as error:
            code = ResponseCode.CURSOR_INVALID
            return outcomes.refused_for(context.message_id, code, str(error))
        return outcomes.accepted(context.message_id, result, drafts)

    def _facts(self, context: MessageContext) -> Facts:
        body: Any = context.body
        with self._database.reading() as connection:
            data = self._load_data(connection, heads.read(connection))
            transfer_id = getattr(body, "transfer_id", None)
            known = {} if transfer_id is None else transfers.load(connection, [transfer_id])
        return Facts(
            now=context.received_at,
            window=LedgerWindow((), 1),
            hub=self._identity.hub,
            international_registry=self._identity.international_registry,
            mechanism_registry=self._identity.mechanism_registry,
            policy=self._identity.policy,
            participants=data.participants,
            suspensions=data.suspensions,
            accounts=data.accounts,
            transfers=known,
        )

    def _transfer_status(self, context: MessageContext, facts: Facts) -> dict[str, Any]:
        body: Any = context.body
        return status_of(facts.transfers[body.transfer_id])

    def _holdings(self, context: MessageContext, facts: Facts) -> dict[str, Any]:
        query = context.body
        assert isinstance(query, HoldingsQuery), "the type of the message"
        place = _place(context.sender, query)
        party = facts.participants[context.sender].party
        with self._database.reading() as connection:
            as_of = heads.read(connection).log_index
            page = holdings.page(
                connection,
                streams=holdings.visible_to(
                    connection, context.sender, party, facts.international_registry
                ),
                filters={name: getattr(query, name, None) for name in holdings.FILTERS},
                after=holdings.Place(*place),
                limit=min(query.items_max, self._limits.query_rows_max),
            )
        following = None if page.next is None else (page.next.series_id, page.next.serial)
        return {
            "as_of_log_index": as_of,
            "items": [json_codec.encode_body(holdings_item(row)) for row in page.rows],
            **_cursor(context.sender, query, following),
        }

    def _history(self, context: MessageContext, facts: Facts) -> dict[str, Any]:
        query = context.body
        assert isinstance(query, HistoryQuery), "the type of the message"
        place = _place(context.sender, query)
        party = facts.participants[context.sender].party
        viewer = views.Viewer(context.sender, party, facts.international_registry)
        with self._database.reading() as connection:
            as_of = heads.read(connection).log_index
            page = views.history(
                connection,
                subject=subject_of(query, viewer),
                after=place,
                limit=min(query.items_max, self._limits.query_rows_max),
            )
        return {
            "as_of_log_index": as_of,
            "items": [json_codec.encode_body(history_item(row)) for row in page.rows],
            **_cursor(context.sender, query, page.next),
        }


def subject_of(query: HistoryQuery, viewer: views.Viewer | None) -> views.Subject:
    """Return whose history is asked for; the checks have let the asker of a transfer through."""
    if query.transfer_id is not None:
        return views.Subject(reference=query.transfer_id)
    asked = query.range
    assert asked is not None, "the schema demands one of the two"
    return views.Subject(
        series_key=(
            asked.cooperative_approach,
            asked.originating_registry,
            asked.first_transferring_party,
            asked.vintage,
        ),
        serials=(asked.first_serial, asked.last_serial),
        viewer=viewer,
    )


def holdings_item(row: holdings.HoldingRow) -> HoldingsItem:
    """Return a row of the ledger as the protocol shows it."""
    status: Any = row.status
    return HoldingsItem(
        cooperative_approach=row.cooperative_approach,
        originating_registry=row.originating_registry,
        first_transferring_party=row.first_transferring_party,
        vintage=row.vintage,
        first_serial=row.first_serial,
        last_serial=row.last_serial,
        quantity=row.quantity,
        registry=row.registry,
        status=status,
        account=row.account,
        first_transfer=row.first_transfer,
        reserved_by=row.reserved_by,
        hold=row.hold,
    )


def history_item(row: views.HistoryRow) -> HistoryItem:
    """Return a posting as the protocol shows it."""
    return HistoryItem(
        kind=row.kind,
        cooperative_approach=row.cooperative_approach,
        originating_registry=row.originating_registry,
        first_transferring_party=row.first_transferring_party,
        vintage=row.vintage,
        first_serial=row.first_serial,
        last_serial=row.last_serial,
        quantity=row.quantity,
        reference=row.reference,
        log_index=row.log_index,
        ordinal=row.ordinal,
        from_registry=row.from_registry,
        to_registry=row.to_registry,
    )


_READERS: Final[dict[str, Callable[[Looking, MessageContext, Facts], dict[str, Any]]]] = {
    "transfer.status": Looking._transfer_status,
    "holdings.query": Looking._holdings,
    "history.query": Looking._history,
}
