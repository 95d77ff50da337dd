"""Questions to the mechanism registry: answered, kept with their evidence, and by nobody else."""

import asyncio
import csv
import json
from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from connectors.mechanism_registry.views.answers import Answerer
from connectors.mechanism_registry.views.asked import AskedQuery
from connectors.mechanism_registry.views.port import ViewPage, ViewQuestion
from connectors.party_registry import query_cli
from connectors.session import inbox
from connectors.session.deliveries import ArrivedItem
from connectors.session.handler import SilentHandler, Transaction
from connectors.session.session import Session, open_database
from connectors.session.settings import SessionSettings
from hub.protocol.envelopes import digest
from hub.protocol.response_codes import ResponseCode
from message_schemas.messages.queries import HoldingsAnswer
from tests.connectors.fake_hub import FakeHub
from tests.connectors.fake_parts import Mailbox
from tests.connectors.mechanism_registry.books import held
from tests.connectors.party_registry.conftest import Registry, Trade
from tests.connectors.party_registry.test_cli import Shell, shell
from tests.connectors.session.conftest import until
from tests.connectors.worlds import make_record, make_signer

MECHANISM = "XMR01"
ROWS = [held(1, 100, "THA", "CHE"), held(201, 300, "THA", "CHE"), held(1, 5, "GHA", "CHE")]
__all__ = ["shell"]  # a fixture, used by name
QUERY = {"type": "holdings.query", "of": MECHANISM, "body": {"items_max": 10}}


class Shelf:
    """Books in memory: all rows are Switzerland's."""

    async def look(self, question: ViewQuestion) -> ViewPage:
        """Return a page; the place is the number of rows before it."""
        start = int(question.after or 0)
        rows = tuple(ROWS[start : start + question.limit])
        end = start + question.limit
        return ViewPage(
            question.as_of or "2026-11-22T09:30:00.000Z",
            rows,
            str(end) if end < len(ROWS) else None,
        )


class Mechanism(SilentHandler):
    """A mechanism registry that answers at once, and what a test wants besides."""

    def __init__(self) -> None:
        self.answerer = Answerer(Shelf(), bytes(32), items_max=2)
        self.twist: dict[str, Any] = {}
        self.silent = False

    def item_arrived(self, transaction: Transaction, item: ArrivedItem) -> None:
        """Answer every query of an item."""
        assert item.envelope is not None
        for message in item.messages if not self.silent else ():
            asked = AskedQuery(
                str(message.message_id),
                item.envelope.sender,
                str(item.envelope_sha256),
                message.type,
                dict(message.plain),
                transaction.at,
                0,
            )
            answer = asyncio.run(self.answerer.answer(asked, "CHE", transaction.at))
            assert isinstance(answer, HoldingsAnswer)
            said = {name: getattr(answer, name) for name in HoldingsAnswer.__dataclass_fields__}
            body = HoldingsAnswer(**said | self.twist)
            transaction.submit(item.envelope.sender, [("holdings.answer", body, "")])


@pytest.fixture
async def mechanism(trade: Trade) -> AsyncIterator[Mechanism]:
    """Run a mechanism registry at the hub of the test."""
    hub: FakeHub = trade.hub
    hub.records[MECHANISM] = [make_record(MECHANISM)]
    hub.mailboxes[MECHANISM] = Mailbox()
    handler = Mechanism()
    settings = SessionSettings(
        participant=MECHANISM,
        hub_url=hub.url,
        fetch_wait_seconds=1,
        request_seconds_max=3.0,
        retry_delay_seconds_min=0.02,
        retry_delay_seconds_max=0.1,
        log_seconds=0,
    )
    database = open_database(trade.folder / "mechanism.sqlite")
    session = Session(settings, database, [make_signer(MECHANISM)], hub.anchor, handler)
    async with session:
        yield handler
    database.close()


async def ask(registry: Registry, **changes: Any) -> Any:
    """Ask the mechanism registry over the local API."""
    return await registry.call("POST", "/v1/queries", {**QUERY, **changes})


async def test_an_answer_is_waited_for_and_kept_with_its_evidence(
    trade: Trade, mechanism: Mechanism
) -> None:
    """The rows, and the digest by which the envelope that carried them is in the inbox."""
    buyer = await trade.buyer()
    found = await ask(buyer)
    assert [row["quantity"] for row in found["answer"]["items"]] == [100, 100]
    assert found["state"] == "answered"
    (item,) = [
        one
        for one in await buyer.connector.session.database.read(inbox.list_items, 0, 100)
        if one.sender == MECHANISM
    ]
    assert digest(item.item["envelope"].encode()) == found["answer_envelope_sha256"]
    assert item.log_index == found["answer_log_index"]
    again = await buyer.call("GET", f"/v1/queries/{found['message_id']}")
    assert again == found
    listed = await buyer.call("GET", "/v1/queries")
    assert [one["message_id"] for one in listed["queries"]] == [found["message_id"]]


async def test_the_next_page_follows_the_cursor(trade: Trade, mechanism: Mechanism) -> None:
    """The same question with the cursor of the last answer."""
    buyer = await trade.buyer()
    first = (await ask(buyer))["answer"]
    second = (await ask(buyer, body={"items_max": 10, "cursor": first["cursor"]}))["answer"]
    assert [row["first_transferring_party"] for row in second["items"]] == ["GHA"]
    assert "cursor" not in second


async def test_what_has_no_answer_yet_can_be_looked_at_later(
    trade: Trade, mechanism: Mechanism
) -> None:
    """The call ends when its time is over, and says so."""
    mechanism.silent = True
    buyer = await trade.buyer()
    found = await ask(buyer, wait_seconds=0.2)
    assert (found["state"], found["answer"]) == ("waiting", None)


@pytest.mark.parametrize(
    ("twist", "says"),
    [
        ({"query_message_id": "01970a3c-7c55-7d31-8a6e-3f0d7c2b9a11"}, "nothing was asked"),
        ({"previous_sha256": "0" * 64}, "another envelope"),
    ],
)
async def test_an_answer_to_something_else_is_not_taken(
    trade: Trade, mechanism: Mechanism, twist: dict[str, Any], says: str
) -> None:
    """It raises an alarm; the question goes on waiting."""
    mechanism.twist = twist
    buyer = await trade.buyer()
    found = await ask(buyer, wait_seconds=0.1)

    async def alarmed() -> bool:
        return "answer-unexpected" in await buyer.alarms()

    await until(alarmed)
    (alarm,) = (await buyer.call("GET", "/v1/alarms"))["alarms"]
    assert says in alarm["detail"]
    again = await buyer.call("GET", f"/v1/queries/{found['message_id']}")
    assert again["state"] == "waiting"


async def test_what_the_mechanism_registry_is_not_asked_is_refused_here(trade: Trade) -> None:
    """Only holdings and history; and a body that its schema refuses is not sent."""
    buyer = await trade.buyer()
    status = {"type": "transfer.status", "of": MECHANISM, "body": {"transfer_id": "THA01-1"}}
    assert "alone" in (await buyer.call("POST", "/v1/queries", status, 409))["detail"]
    bad = {**QUERY, "body": {"items_max": 0}}
    assert "items_max" in (await buyer.call("POST", "/v1/queries", bad, 409))["detail"]
    missing = f"/v1/queries/{'0' * 8}-0000-7000-8000-{'0' * 12}"
    assert (await buyer.call("GET", missing, status=404))["name"] == "query"


async def test_a_question_that_the_hub_refuses_is_known_as_refused(trade: Trade) -> None:
    """With the hub's words; nobody waits for an answer that cannot come."""
    trade.hub.refusals["holdings.query"] = (ResponseCode.RECIPIENT_NOT_FOR_TYPE, "not to FRA01")
    buyer = await trade.buyer()
    found = await ask(buyer, of="FRA01", wait_seconds=10)
    assert found["state"] == "refused"
    assert "not to FRA01" in found["reason"]


def test_an_empty_page_at_the_beginning_adds_no_second_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A filter may leave nothing of a first page that others follow."""
    row = {"registry": MECHANISM, "first_serial": 1, "last_serial": 2, "quantity": 2}
    found = [([], "then"), ([row], "then"), ([row], "now")]
    monkeypatch.setattr(query_cli, "client", lambda _: nullcontext())
    monkeypatch.setattr(query_cli, "_pages", lambda *_: iter(found))
    query_cli.holdings(tmp_path, of=MECHANISM, as_csv=True)
    output, said = capsys.readouterr()
    assert [one["registry"] for one in csv.DictReader(output.splitlines())] == [MECHANISM] * 2
    assert said == "2 rows, 4 units, as of now\n"


@pytest.mark.slow
async def test_the_command_follows_the_pages(
    trade: Trade, shell: Shell, mechanism: Mechanism
) -> None:
    """CSV with one header, one JSON object a line, and a sentence with the totals."""
    server = await shell.start("serve", "--json")
    assert server.stdout is not None
    await server.stdout.readline()
    status, output, errors = await shell.run("query", "holdings", "--of", MECHANISM, "--csv")
    assert status == 0, errors
    rows = list(csv.DictReader(output.splitlines()))
    assert [row["first_serial"] for row in rows] == ["1", "201", "1"]
    assert {row["originating_registry"] for row in rows} == {MECHANISM}
    _, output, _ = await shell.run("query", "holdings", "--of", MECHANISM, "--limit", "1")
    assert output.splitlines()[0].split("\t")[0] == (
        f"CA0001-{MECHANISM}-THA-1-2022..CA0001-{MECHANISM}-THA-100-2022"
    ), "a name that --units takes"
    assert "3 rows, 205 units, as of 2026-11-22T09:30:00.000Z" in errors
    _, output, _ = await shell.run("query", "holdings", "--of", MECHANISM, "--limit", "1", "--json")
    assert json.loads(output)["last_serial"] == 100
    _, output, _ = await shell.run("query", "list")
    assert [line.split("\t")[3] for line in output.splitlines()] == ["answered"] * 4
    server.terminate()
    assert await server.wait() == 0
