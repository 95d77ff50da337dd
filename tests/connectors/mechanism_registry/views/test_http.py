"""The simulated mechanism registry, asked over HTTP: whatever it shows is an answer to somebody."""

from typing import Any

import pytest

from connectors.mechanism_registry.simulator.books import RegistryBooks
from connectors.mechanism_registry.simulator.server import SimulatorServer
from connectors.mechanism_registry.views.answers import Answerer
from connectors.mechanism_registry.views.asked import AskedQuery
from connectors.mechanism_registry.views.http import HttpViews
from connectors.mechanism_registry.views.port import ViewQuestion, ViewUnavailableError

NOW = "2026-11-22T09:30:00.000Z"
SEED = 7
SERIES = (
    "cooperative_approach",
    "originating_registry",
    "first_transferring_party",
    "vintage",
)


def asked(asker: str, type_: str, **body: Any) -> AskedQuery:
    """Return a query as it was filed."""
    message_id = "01970a3c-7c55-7d31-8a6e-3f0d7c2b9a11"
    return AskedQuery(message_id, asker, "0" * 64, type_, body, NOW, 0)


async def whole(answerer: Answerer, asker: str, type_: str, **body: Any) -> list[Any]:
    """Return the rows of all pages of an answer."""
    rows: list[Any] = []
    while True:
        answer: Any = await answerer.answer(asked(asker, type_, **body), asker[:3], NOW)
        assert not answer.reasons, answer.reasons
        rows += answer.items
        if answer.cursor is None:
            return rows
        body["cursor"] = answer.cursor


async def test_every_row_of_the_simulator_is_a_sound_answer_page_by_page() -> None:
    """Holdings by pages of any size are the same; each run of units has a history."""
    books = RegistryBooks(SEED).live(12)
    parties = {one.party for one in books.holdings if one.party} | {books.world.host_party}
    async with SimulatorServer(books, token="a token") as server:
        views = HttpViews(server.url, "a token", 5.0)
        try:
            seen = 0
            for party in sorted(parties):
                few, many = (Answerer(views, bytes(32), items_max=n) for n in (2, 500))
                asker = f"{party}01"
                held = await whole(few, asker, "holdings.query", items_max=1000)
                assert held == await whole(many, asker, "holdings.query", items_max=1000)
                seen += len(held)
                for row in held[:3]:
                    run = {name: getattr(row, name) for name in SERIES}
                    run |= {"first_serial": row.first_serial, "last_serial": row.last_serial}
                    told = await whole(few, asker, "history.query", items_max=9, range=run)
                    assert told, row
            assert seen > 10
        finally:
            await views.close()


@pytest.mark.parametrize(("token", "url"), [(None, None), ("other", None), ("x", "127.0.0.1:9")])
async def test_books_that_cannot_be_read_are_told_apart_from_a_refusal(
    token: str | None, url: str | None
) -> None:
    """Without the token, or with nobody there: later perhaps, and the token is in no text."""
    async with SimulatorServer(RegistryBooks(SEED).live(1), token="a token") as server:
        views = HttpViews(server.url if url is None else f"http://{url}", token, 1.0)
        try:
            with pytest.raises(ViewUnavailableError) as raised:
                await views.look(ViewQuestion("holdings", "CHE", {}, 5))
        finally:
            await views.close()
    assert "other" not in str(raised.value)


def test_a_token_is_not_sent_in_the_clear() -> None:
    """Plain http is for this machine only."""
    with pytest.raises(ValueError, match="https"):
        HttpViews("http://registry.example/view", "a token", 1.0)
    with pytest.raises(ValueError, match="no user name") as refused:
        HttpViews("https://user:secret@registry.example/view", "a token", 1.0)
    assert "secret" not in str(refused.value)
