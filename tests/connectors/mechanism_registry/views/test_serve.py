"""Pull and view at the mechanism registry: each query answered once, and only with what is due."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from connectors.mechanism_registry.one_process import DatabaseBusyError, sole_process
from connectors.mechanism_registry.runs.push import FeedHandler
from connectors.mechanism_registry.runs.run import new_session, running
from connectors.mechanism_registry.settings import MechanismSettings, load_settings
from connectors.mechanism_registry.tables import METADATA, open_feeds
from connectors.mechanism_registry.views import asked
from connectors.mechanism_registry.views.serve import ServeError, serve
from connectors.session import crash_points, inbox
from connectors.session.session import Session, open_database
from connectors.session.settings import SessionSettings
from hub.protocol.signed_objects import open_object
from keys.signer import Signer
from message_schemas.blocks import BlockRange
from message_schemas.json_codec import decode_body
from message_schemas.messages.queries import HistoryQuery, HoldingsQuery
from tests.connectors.fake_hub import FakeHub
from tests.connectors.mechanism_registry.books import TOKEN, Books, happened, held
from tests.connectors.mechanism_registry.hub import write_settings
from tests.connectors.mechanism_registry.test_cli import environment
from tests.connectors.session.conftest import until
from tests.connectors.worlds import make_signer

MECHANISM = "XMR01"
CODES = (MECHANISM, "CHE01", "THA01", "GHA01")
HOLDINGS = [
    held(1, 100, "THA", "CHE"),
    held(101, 200, "THA", "GHA", status="itmo", first_transfer="authorization"),
    held(201, 300, "THA", "CHE", vintage=2023),
    held(1, 50, "GHA", "GHA"),
    held(51, 60, "GHA", "CHE"),
]
HISTORY = [
    happened("issued", 1, 300, "THA", occurred_at="2026-11-20T08:00:00.000Z"),
    happened("moved", 1, 100, "THA", reference="XMR01-40", to_party="CHE"),
    happened("moved", 101, 200, "THA", reference="XMR01-41", to_party="GHA"),
]


@dataclass(slots=True)
class Pull:
    """A hub, the mechanism registry's books, and registries that ask."""

    hub: FakeHub
    books: Books
    folder: Path
    stack: AsyncExitStack
    sessions: dict[str, Session] = field(default_factory=dict)

    def settings(self, **views: Any) -> MechanismSettings:
        """Return the settings of the connector, answering from the books over HTTP."""
        binding = self.hub.binding(MECHANISM).value
        path = write_settings(
            self.hub, self.folder, delivery_mode="pull", log_seconds=0, binding=binding
        )
        section = {
            "url": self.books.url,
            "token": "env:VIEWS_TOKEN",
            "retry_delay_seconds_min": 0.02,
            "retry_delay_seconds_max": 0.05,
            **views,
        }
        lines = [f"{name} = {value!r}\n" for name, value in section.items() if value is not None]
        with path.open("a", encoding="utf-8") as file:
            file.write("\n[views]\n" + "".join(lines))
        return load_settings(path)

    def signer(self, code: str) -> Signer:
        """Return the key of a participant."""
        return make_signer(code, self.hub.label(code))

    async def serve(self, **views: Any) -> None:
        """Start the connector in this process; stopped at the end of the test."""
        stop, started = asyncio.Event(), asyncio.Event()
        running = asyncio.create_task(
            serve(self.settings(**views), lambda _: started.set(), stop, [self.signer(MECHANISM)])
        )

        async def end() -> None:
            stop.set()
            await running

        self.stack.push_async_callback(end)
        await started.wait()

    async def registry(self, code: str) -> Session:
        """Return the session of a registry that asks."""
        if code not in self.sessions:
            settings = SessionSettings(
                participant=code,
                hub_url=self.hub.url,
                fetch_wait_seconds=1,
                request_seconds_max=3.0,
                retry_delay_seconds_min=0.02,
                retry_delay_seconds_max=0.1,
                log_seconds=0,
                binding=self.hub.binding(code),
            )
            database = open_database(self.folder / f"{code}.sqlite")
            self.stack.callback(database.close)
            session = Session(settings, database, [self.signer(code)], self.hub.anchor)
            self.sessions[code] = await self.stack.enter_async_context(session)
        return self.sessions[code]

    async def ask(self, code: str, query: object) -> Any:
        """Ask as a registry, and return its answer."""
        type_ = "holdings.query" if isinstance(query, HoldingsQuery) else "history.query"
        (message_id,) = await (await self.registry(code)).submit(MECHANISM, [(type_, query, "")])
        await until(lambda: self.answers(code, message_id))
        (answer,) = self.answers(code, message_id)
        return answer

    def answers(self, code: str, message_id: str) -> list[Any]:
        """Return every answer that arrived to a query."""
        found = self.sessions[code].database.read_now(inbox.list_items, 0, 1000)
        assert all(item.sender == MECHANISM for item in found)
        said = [
            message
            for entry in found
            for message in open_object(entry.item["envelope"].encode(), "envelope")
            .read()
            .document["messages"]
        ]
        bodies = [decode_body(one["type"], 1, one["body"]) for one in said]
        return [body for body in bodies if body.query_message_id == message_id]


@pytest.fixture
async def pull(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[Pull]:
    """Give a hub and books with a few rows; who is in its parameter speaks XML."""
    monkeypatch.setenv("VIEWS_TOKEN", TOKEN)
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(FakeHub(*CODES, xml=getattr(request, "param", ())))
        books = await stack.enter_async_context(Books(list(HOLDINGS), list(HISTORY)))
        yield Pull(hub, books, tmp_path, stack)


def runs(answer: Any) -> list[tuple[str, int, int]]:
    """Return (host, first, last) of each row of an answer."""
    return [(i.first_transferring_party, i.first_serial, i.last_serial) for i in answer.items]


@pytest.mark.parametrize("pull", [(), CODES, (MECHANISM,), ("CHE01",)], indirect=True)
async def test_a_party_sees_what_it_authorized_and_what_its_accounts_hold(pull: Pull) -> None:
    """Each asker has its own view of the same books, and nobody learns whose account it is."""
    await pull.serve()
    seen = {
        code: runs(await pull.ask(code, HoldingsQuery(items_max=10)))
        for code in ("THA01", "CHE01", "GHA01")
    }
    assert seen == {
        "THA01": [("THA", 1, 100), ("THA", 101, 200), ("THA", 201, 300)],
        "CHE01": [("THA", 1, 100), ("THA", 201, 300), ("GHA", 51, 60)],
        "GHA01": [("THA", 101, 200), ("GHA", 1, 50), ("GHA", 51, 60)],
    }
    assert all("account_party" not in str(envelope.messages) for envelope in pull.hub.seen)


async def test_an_answer_binds_to_the_envelope_that_asked(pull: Pull) -> None:
    """It names the message and the digest of the exact bytes, and tells the books' time."""
    await pull.serve()
    answer = await pull.ask("CHE01", HoldingsQuery(items_max=10, vintage=2023))
    assert runs(answer) == [("THA", 201, 300)]
    (question,) = [e for e in pull.hub.seen if e.envelope.recipient == MECHANISM]
    assert answer.previous_sha256 == question.sha256
    assert answer.as_of == "2026-11-22T09:30:00.000Z"
    assert answer.cursor is None


async def test_history_is_for_who_took_part(pull: Pull) -> None:
    """By transfer or by serial numbers; the host Party sees all that happened to its units."""
    await pull.serve()
    asked_range = BlockRange("CA0001", MECHANISM, "THA", 2022, 90, 110)
    by_range = HistoryQuery(items_max=10, range=asked_range)
    kinds = {
        code: [(i.kind, i.reference) for i in (await pull.ask(code, by_range)).items]
        for code in ("THA01", "CHE01")
    }
    assert [kind for kind, _ in kinds["THA01"]] == ["issued", "moved", "moved"]
    assert kinds["CHE01"] == [("moved", "XMR01-40")]
    by_id = HistoryQuery(items_max=10, transfer_id="XMR01-41")
    assert (await pull.ask("CHE01", by_id)).items == ()


async def test_pages_join_to_the_whole_and_a_foreign_cursor_is_refused(pull: Pull) -> None:
    """The cursor is good for the same query of the same asker, whatever the size of the page."""
    await pull.serve(items_max=2)
    first = await pull.ask("THA01", HoldingsQuery(items_max=10))
    assert first.cursor is not None
    second = await pull.ask("THA01", HoldingsQuery(items_max=1, cursor=first.cursor))
    assert runs(first) + runs(second) == [("THA", 1, 100), ("THA", 101, 200), ("THA", 201, 300)]
    assert second.cursor is None
    assert pull.books.asked[-1]["as_of"] == first.as_of
    for code, query in (
        ("CHE01", HoldingsQuery(items_max=10, cursor=first.cursor)),
        ("THA01", HoldingsQuery(items_max=10, vintage=2022, cursor=first.cursor)),
        ("THA01", HistoryQuery(items_max=9, transfer_id="XMR01-40", cursor=first.cursor)),
        ("THA01", HoldingsQuery(items_max=10, cursor=first.cursor[:-1] + "~")),
        ("THA01", HoldingsQuery(items_max=10, cursor="1")),
    ):
        refused = await pull.ask(code, query)
        assert (refused.items, refused.reasons[0].code) == ((), "CURSOR_INVALID")


async def test_books_that_show_anothers_units_are_not_believed(pull: Pull) -> None:
    """Whatever the registry's own system sends: the row is checked again, and not shown."""
    foreign = held(7, 8, "FRA", "FRA")
    pull.books.faults.append(lambda page: page | {"items": [foreign, *page["items"]]})
    await pull.serve()
    assert ("FRA", 7, 8) not in runs(await pull.ask("CHE01", HoldingsQuery(items_max=10)))
    assert len(pull.books.asked) == 2


@pytest.mark.parametrize(
    "fault",
    [
        500,
        429,
        lambda page: page | {"items": [{**page["items"][0], "status": "contribution"}]},
        lambda page: page | {"items": [{**page["items"][0], "quantity": 1}]},
        lambda page: page | {"items": [{**page["items"][0], "owner": "x"}]},
        lambda page: page | {"items": page["items"] * 9},
        lambda page: page | {"next": "a/b"},
        lambda page: page | {"items": [{**page["items"][0], "last_serial": "9"}]},
        lambda page: page | {"items": [{**page["items"][0], "account_party": ["CHE"]}]},
        lambda page: page | {"as_of": "today"},
        lambda page: {"rows": []},
        b"[" * 100_000,
        b'{"as_of": "\xff"}',
    ],
)
async def test_books_out_of_order_are_asked_again(pull: Pull, fault: Any) -> None:
    """The asker gets its answer once they are well again, and nothing of the fault."""
    pull.books.faults.append(fault)
    await pull.serve()
    assert len(runs(await pull.ask("CHE01", HoldingsQuery(items_max=10)))) == 3


async def test_who_waits_in_vain_is_told(pull: Pull) -> None:
    """After the time set for it; and a refusal of the books is handed on at once."""
    pull.books.faults.extend([503] * 500)
    await pull.serve(give_up_seconds=0.2)
    late = await pull.ask("CHE01", HoldingsQuery(items_max=10))
    assert late.reasons[0].code == "NOT_AVAILABLE"
    pull.books.faults.clear()
    pull.books.faults.append(410)
    gone = await pull.ask("CHE01", HoldingsQuery(items_max=10))
    assert (gone.reasons[0].code, gone.reasons[0].text) == ("NOT_SHOWN", "fault 410")


async def test_a_query_that_comes_while_a_feed_is_pushed_is_answered_later(pull: Pull) -> None:
    """The push files it with the delivery that brought it; nothing is lost between the two."""
    settings = pull.settings()
    database = open_feeds(settings.database)
    handler = FeedHandler()
    session = new_session(settings, database, handler, [make_signer(MECHANISM)])
    asker = await pull.registry("CHE01")
    query = ("holdings.query", HoldingsQuery(items_max=9), "")
    async with running(session):
        (message_id,) = await asker.submit(MECHANISM, [query])
        await until(lambda: database.read_now(asked.count_states) == {"waiting": 1})
    database.close()
    await pull.serve()
    await until(lambda: pull.answers("CHE01", message_id))


async def test_a_database_has_one_process(pull: Pull, tmp_path: Path) -> None:
    """A second one is told, and so is who sets nothing to answer from."""
    path = tmp_path / "x.sqlite"
    with sole_process(path), pytest.raises(DatabaseBusyError, match="another"), sole_process(path):
        pass
    settings = load_settings(write_settings(pull.hub, tmp_path, delivery_mode="pull"))
    with pytest.raises(ServeError, match="views"):
        await serve(settings, lambda _: None, asyncio.Event(), [make_signer(MECHANISM)])


@pytest.mark.slow
@pytest.mark.parametrize(
    "place",
    [
        "inbox.apply.after_commit",
        "registry.command.before_commit",
        "registry.command.after_commit",
    ],
)
async def test_a_kill_at_any_place_answers_once(pull: Pull, place: str) -> None:
    """Die there, start again: each of two queries has exactly one answer."""
    pull.settings()
    asker = await pull.registry("CHE01")
    ids = await asker.submit(
        MECHANISM, [("holdings.query", HoldingsQuery(items_max=n), "") for n in (5, 6)]
    )
    await until(lambda: len(pull.hub.mailboxes[MECHANISM].items) >= 1)
    assert await _run(pull, {crash_points.ENVIRONMENT_NAME: place}) == crash_points.EXIT_STATUS
    process = await _start(pull, {})
    try:
        await until(lambda: all(pull.answers("CHE01", one) for one in ids))
        await asyncio.sleep(0.3)
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert [len(pull.answers("CHE01", one)) for one in ids] == [1, 1]
    database = open_database(pull.folder / "mechanism.sqlite", METADATA)
    pull.stack.callback(database.close)
    assert database.read_now(asked.count_states) == {"answered": 2}


async def _start(pull: Pull, more: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "connectors.mechanism_registry.cli",
        "serve",
        "--config",
        str(pull.folder / "mechanism.toml"),
        env={**environment(), "VIEWS_TOKEN": TOKEN, **more, "PYTHONPATH": str(Path.cwd())},
        stdout=asyncio.subprocess.DEVNULL,
    )


async def _run(pull: Pull, more: dict[str, str]) -> int:
    async with asyncio.timeout(20):
        return await (await _start(pull, more)).wait()
