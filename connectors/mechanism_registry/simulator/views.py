"""The simulator's books as pull and view asks for them; the form is told in ``views``. PURE.

A row is shown to the host Party of its units and to the Party whose account holds, gave or got
them, and contribution units to nobody. The order never changes: holdings by vintage and serial,
history as it happened. A place names the last row shown, so it stays good while books grow.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from connectors.mechanism_registry.simulator.books import CONTRIBUTION, RegistryBooks
from connectors.mechanism_registry.views.port import HOLDINGS_FILTERS

Row = dict[str, Any]
LIMIT_MAX: Final = 1_000
SERIES: Final = ("cooperative_approach", "originating_registry", "first_transferring_party")
PARTY_MEMBERS: Final = ("account_party", "from_party", "to_party")


class QuestionError(Exception):
    """The question cannot be answered; the text says why."""


def page(books: RegistryBooks, view: str, query: Mapping[str, str]) -> dict[str, Any]:
    """Return one page of a view as JSON values. Raises QuestionError."""
    party, limit = query.get("party", ""), _whole(query, "limit")
    if not party or limit is None or not 1 <= limit <= LIMIT_MAX:
        raise QuestionError(f"party, and a limit from 1 to {LIMIT_MAX}, must be given")
    rows = _holdings(books, query) if view == "holdings" else _history(books, query)
    after, following = query.get("after"), None
    shown: list[tuple[str, Row]] = []
    passed = after is None
    for place, row in rows:
        if passed and party in {row["first_transferring_party"], *map(row.get, PARTY_MEMBERS)}:
            if len(shown) == limit:
                following = shown[-1][0]
                break
            shown.append((place, row))
        passed = passed or place == after
    if not passed:
        raise QuestionError(f"there is no place {after!r}")
    document: dict[str, Any] = {"as_of": books.now, "items": [row for _, row in shown]}
    return document if following is None else document | {"next": following}


def _holdings(books: RegistryBooks, query: Mapping[str, str]) -> Iterator[tuple[str, Row]]:
    registry, world = books.world.mechanism_registry, books.world
    held = [one for one in books.holdings if one.status != CONTRIBUTION]
    for holding in sorted(held, key=lambda one: (one.issuance.vintage, one.span)):
        issuance, (first, last) = holding.issuance, holding.span
        row: Row = {
            "cooperative_approach": issuance.cooperative_approach,
            "originating_registry": registry,
            "first_transferring_party": issuance.host_party,
            "vintage": issuance.vintage,
            "first_serial": first,
            "last_serial": last,
            "quantity": last - first + 1,
            "registry": registry,
            "account": holding.account,
            "account_party": holding.party,
            "status": holding.status,
            "issuance_id": issuance.issuance_id,
            "activity_id": issuance.activity_id,
            "authorization_id": world.authorization_id,
            "authorization_version": world.authorization_version,
        }
        if holding.first_transfer is not None:
            row["first_transfer"] = holding.first_transfer
        if all(query.get(name) in {None, str(row.get(name))} for name in HOLDINGS_FILTERS):
            yield f"{issuance.vintage}.{first}", row


def _history(books: RegistryBooks, query: Mapping[str, str]) -> Iterator[tuple[str, Row]]:
    reference = query.get("transfer_id")
    first, last = _whole(query, "first_serial"), _whole(query, "last_serial")
    if (reference is None) == (first is None or last is None):
        raise QuestionError("give either transfer_id or a range of serials")
    for number, row in enumerate(books.history):
        if reference is not None:
            wanted = row["reference"] == reference
        else:
            assert first is not None
            assert last is not None
            series = all(query.get(name) == str(row[name]) for name in (*SERIES, "vintage"))
            wanted = series and row["first_serial"] <= last and first <= row["last_serial"]
        if wanted:
            yield str(number), row


def _whole(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise QuestionError(f"{name} must be a whole number")
    return int(text)
