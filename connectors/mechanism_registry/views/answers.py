"""From a query to its answer: who asks, what of the books is theirs, and the next cursor.

1. The asker's Party is the one the hub's signed list names.
2. A cursor must be one that this query was answered with (``cursors``).
3. The books are asked (``views``); every row is checked again: a Party sees units it authorized as
   host Party and units of accounts associated with it, never another's (6/CMA.6 para 17).
4. The rows go out as they are, without whose account it is. What cannot be answered is answered
   with its reason.
"""

from dataclasses import dataclass, replace
from typing import Any, Final, cast

import msgspec

from connectors.mechanism_registry.views.asked import AskedQuery
from connectors.mechanism_registry.views.cursors import (
    CursorRefusedError,
    Place,
    Query,
    make_cursor,
    read_cursor,
)
from connectors.mechanism_registry.views.port import (
    HOLDINGS_FILTERS,
    Row,
    ViewPage,
    ViewQuestion,
    ViewRefusedError,
    Views,
    ViewUnavailableError,
    may_see,
    shown,
)
from message_schemas.json_codec import decode_body, encode_body
from message_schemas.messages.queries import (
    HistoryAnswer,
    HistoryItem,
    HoldingsAnswer,
    HoldingsItem,
    HoldingsQuery,
)
from message_schemas.messages.transfers import Reason
from message_schemas.validation import schema_errors

Answer = HoldingsAnswer | HistoryAnswer

_VERSION: Final = 1
_RANGE: Final = (
    "cooperative_approach",
    "originating_registry",
    "first_transferring_party",
    "vintage",
    "first_serial",
    "last_serial",
)


@dataclass(frozen=True, slots=True)
class Answerer:
    """Answers queries from the books; ``secret`` seals the cursors."""

    views: Views
    secret: bytes
    items_max: int

    async def answer(self, asked: AskedQuery, party: str | None, now: str) -> Answer:
        """Return the answer to a query of a Party, at a time (TS).

        Raises ViewUnavailableError: not now, or the books show what is no row.
        """
        query = cast(Query, decode_body(asked.type, _VERSION, asked.body))
        blank = blank_answer(asked, now)
        if party is None:
            text = f"{asked.asker} is not in the hub's list of participants."
            return _refused(blank, "RECIPIENT_UNKNOWN", text)
        try:
            place = read_cursor(self.secret, asked.asker, query)
            page = await self.views.look(self._question(query, party, place))
        except CursorRefusedError as error:
            return _refused(blank, "CURSOR_INVALID", str(error))
        except ViewRefusedError as error:
            return _refused(blank, "NOT_SHOWN", str(error))
        answer = self._fill(blank, party, page)
        if page.next is not None:
            first = page.as_of if place is None else place.as_of
            cursor = make_cursor(self.secret, asked.asker, query, Place(page.next, first))
            answer = replace(answer, cursor=cursor)
        return _sound(answer)

    def _question(self, query: Query, party: str, place: Place | None) -> ViewQuestion:
        limit = min(query.items_max, self.items_max)
        after, as_of = (None, None) if place is None else (place.after, place.as_of)
        if isinstance(query, HoldingsQuery):
            return ViewQuestion(
                "holdings", party, _given(query, HOLDINGS_FILTERS), limit, after, as_of
            )
        if query.transfer_id is not None:
            filters = _given(query, ("transfer_id",))
        else:
            filters = _given(query.range, _RANGE)
        return ViewQuestion("history", party, filters, limit, after, as_of)

    def _fill(self, blank: Answer, party: str, page: ViewPage) -> Answer:
        view = "holdings" if isinstance(blank, HoldingsAnswer) else "history"
        try:
            for row in page.rows:
                if not may_see(view, party, row):
                    raise ViewUnavailableError(f"the books show {party} a row that is not for it")
            if isinstance(blank, HoldingsAnswer):
                items = tuple(_typed(row, HoldingsItem) for row in page.rows)
                return replace(blank, as_of=page.as_of, items=items)
            events = tuple(_typed(row, HistoryItem) for row in page.rows)
            return replace(blank, as_of=page.as_of, items=events)
        except (msgspec.ValidationError, TypeError) as error:
            raise ViewUnavailableError(f"a row has not the form agreed: {error}") from error


def blank_answer(asked: AskedQuery, now: str) -> Answer:
    """Return an answer to a query that shows nothing yet."""
    kind = HoldingsAnswer if asked.type == "holdings.query" else HistoryAnswer
    return kind(
        query_message_id=asked.message_id,
        previous_sha256=asked.envelope_sha256,
        as_of=now,
        items=(),
    )


def unanswered(asked: AskedQuery, now: str) -> Answer:
    """Return the answer of who waited for the books in vain."""
    text = "The mechanism registry's books cannot be read at present; ask again later."
    return _refused(blank_answer(asked, now), "NOT_AVAILABLE", text)


def not_sent(asked: AskedQuery, now: str, why: str) -> Answer:
    """Return the answer where the page itself is too large for an envelope."""
    text = f"The page cannot be sent: {why}. Ask for fewer items."
    return _refused(blank_answer(asked, now), "PAGE_TOO_LARGE", text[:2000])


def type_of(answer: Answer) -> str:
    """Return the message type of an answer."""
    return "holdings.answer" if isinstance(answer, HoldingsAnswer) else "history.answer"


def _refused(blank: Answer, code: str, text: str) -> Answer:
    return replace(blank, reasons=(Reason(code=code, text=text),))


def _given(source: Any, names: tuple[str, ...]) -> dict[str, str | int]:
    values = {name: getattr(source, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _typed(row: Row, shape: type[Any]) -> Any:
    plain = shown(row)
    unknown = plain.keys() - shape.__dataclass_fields__.keys()
    if unknown:
        raise ViewUnavailableError(f"a row has a member that is not agreed: {sorted(unknown)[0]}")
    if plain.get("quantity") != plain.get("last_serial", 0) - plain.get("first_serial", 1) + 1:
        raise ViewUnavailableError("the quantity of a row is not that of its serial numbers")
    return msgspec.convert(plain, shape)


def _sound(answer: Answer) -> Answer:
    """Return the answer if its schema takes it; a fault is one of the books.

    Raises ViewUnavailableError.
    """
    document = encode_body(answer)
    if errors := schema_errors(type_of(answer), _VERSION, document):
        raise ViewUnavailableError(f"{errors[0].path}: {errors[0].text}")
    return answer
