"""Where the answers of pull and view come from: the mechanism registry's own books, as a port.

The connector knows the messages and who may see what; the mechanism registry knows its units. It
says what a Party may see over HTTP (``views.http``), or in an export (``views.files``). Both give
the same pages.

The HTTP interface that the mechanism registry serves, under ``views_url``:

    GET /holdings?party=CHE&limit=500
        [&after=PLACE&as_of=TIME]
        [&registry=XMR01][&account=…][&cooperative_approach=CA0001]
        [&first_transferring_party=THA][&vintage=2022][&status=authorized|itmo|used|cancelled]
    GET /history?party=CHE&limit=500
        [&after=PLACE&as_of=TIME]
        &transfer_id=XMR01-40
      | &cooperative_approach=…&originating_registry=…&first_transferring_party=…&vintage=…
        &first_serial=…&last_serial=…
    Authorization: Bearer TOKEN

    200 application/json
        {"as_of": "2026-11-22T09:30:00.000Z", "items": [ROW, …], "next": "PLACE"}

1. ``party`` is the Party that asks. A row is for it when it authorized the units as host Party
   (``first_transferring_party``), or when an account associated with it holds them (holdings:
   ``account_party``), or gave or received them (history: ``from_party``, ``to_party``). The
   registry sends no other rows; the connector checks every row again and shows no other.
2. Only authorized A6.4ERs, never contribution units. Other filters narrow; they never widen.
3. A ROW of /holdings has the members of ``holdings_item`` (common.schema.json) and, when an
   account holds the units, ``account_party``; of /history those of ``history_item`` and
   ``from_party`` and ``to_party`` where an account gave or received. ``quantity`` is
   last_serial - first_serial + 1. Members that do not apply are left out.
4. Rows come in one order that does not change: holdings by series and first serial, history by
   time. At most ``limit`` (1 to 1000). ``next`` stands when there may be more, and goes into
   ``after`` of the next page: 1 to 100 characters of A-Z a-z 0-9 _ . ~ -. It stays good while
   books change: no unit comes twice, and a unit that stays where it is comes once.
5. ``as_of`` (UTC, milliseconds) is the time whose state the page tells. From the second page on
   the connector sends the ``as_of`` of the first. A registry that keeps no past states answers by
   the state of now, and says so by its own ``as_of``.
6. A question that cannot be answered: 400 with ``{"detail": "…"}``, or 410 when a place is no
   longer good; the asker is told the sentence. 401, 403, 429 and 5xx: the connector asks again
   later. A Party without units gets an empty list, not an error.
"""

from dataclasses import dataclass
from typing import Any, Final, Protocol

Row = dict[str, Any]
HOLDINGS_FILTERS: Final = (
    "registry",
    "account",
    "cooperative_approach",
    "first_transferring_party",
    "vintage",
    "status",
)
"""What a question for holdings may be narrowed by."""


@dataclass(frozen=True, slots=True)
class ViewQuestion:
    """What is asked of the registry's books: ``view`` is holdings or history, ``filters`` its own.

    ``after`` is the place that an earlier page gave, ``as_of`` the time of the first page.
    """

    view: str
    party: str
    filters: dict[str, str | int]
    limit: int
    after: str | None = None
    as_of: str | None = None


@dataclass(frozen=True, slots=True)
class ViewPage:
    """One page: rows as above, the time they tell, and the place behind them if there is more."""

    as_of: str
    rows: tuple[Row, ...]
    next: str | None


class ViewRefusedError(Exception):
    """The question cannot be answered, now or later; the text is for the asker."""


class ViewUnavailableError(Exception):
    """The books cannot be read now; asking again later may help."""


class Views(Protocol):
    """The registry's books, as the connector sees them."""

    async def look(self, question: ViewQuestion) -> ViewPage:
        """Return a page. Raises ViewRefusedError, ViewUnavailableError."""
        ...


def may_see(view: str, party: str, row: Row) -> bool:
    """Tell whether a row is for a Party: its own units as host, or those of its accounts."""
    names = ("account_party",) if view == "holdings" else ("from_party", "to_party")
    return party in {row.get("first_transferring_party"), *(row.get(name) for name in names)}


def shown(row: Row) -> Row:
    """Return a row as the asker gets it: without whose account it is."""
    hidden = ("account_party", "from_party", "to_party")
    return {name: value for name, value in row.items() if name not in hidden and value is not None}
