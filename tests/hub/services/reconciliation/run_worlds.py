"""Hubs that compare registries, in one process: real workers, real envelopes, real responders.

A registry here is the responder over a book in memory. Its book is what the ledger has of it when
it is made (``copy_of_ledger``), and whatever a test does to it after that.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from hub.protocol.reconciliation_policy import ReconciliationPolicy
from hub.services.metrics import Metrics
from hub.services.reconciliation.ledger.own_digests import compared
from hub.services.reconciliation.runs.link_secrets import LinkSecrets
from hub.services.reconciliation.runs.worker import Around, Worker
from hub.store import head as heads
from hub.store import mailboxes
from hub.store.database import Database
from hub.store.interning import Interning
from hub.store.ledger import all_blocks
from hub.store.reconciliation import nights, sessions
from hub.store.reconciliation.sessions import SessionRow
from reconciliation.owned import OWNED, Block
from reconciliation.responder import Responder
from tests.hub.world import HUB, World, accepted, receipt_of
from tests.integration.peers import now

MASTER: Final = bytes(range(32))
OWN: Final = bytes(range(32, 64))
POLICY: Final = ReconciliationPolicy(stagger_seconds=0.0, movements_between=0)
TURNS_MAX: Final = 60

Answering = Callable[[str, dict[str, Any]], tuple[str, dict[str, Any]] | None]


@dataclass
class BookInMemory:
    """A registry's blocks; ``applied_to`` is the log index of the last item it worked through."""

    held: list[Block]
    applied_to: int = 0

    def blocks(self, series: Any, low: int, high: int) -> Iterator[Any]:
        """Yield the blocks of a series, or of all, that touch the window."""
        for block in self.held:
            if series in (None, block.series) and block.first <= high and block.last >= low:
                yield tuple(block)


@dataclass
class Registry:
    """A Party registry: it reads its mailbox in order and answers, unless a test says otherwise."""

    code: str
    world: World
    secrets: LinkSecrets
    book: BookInMemory = field(default_factory=lambda: BookInMemory([]))
    read_to: int = 0
    answers: bool = True
    says: Answering | None = None
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)

    def copy_of_ledger(self) -> None:
        """Take over what the ledger has of this registry now."""
        self.book.held = ledger_of(self.world.database, self.code)

    def work(self) -> int:
        """Work through the items that are new; return how many questions were answered."""
        with self.world.database.reading() as connection:
            items = mailboxes.items_after(connection, self.code, self.read_to, 1_000)
        count = 0
        for ready in items:
            self.read_to = ready.item.sequence
            self.book.applied_to = ready.item.log_index
            for notice in json.loads(ready.item.notices or "[]"):
                count += self._notice(notice["type"], notice["body"])
        return count

    def _notice(self, type_: str, body: dict[str, Any]) -> int:
        if type_ == "reconciliation.result":
            self.results.append(body)
        elif type_.startswith("reconciliation."):
            self.asked.append((type_, body))
            asked = self.says or self.answer
            said = asked(type_, body) if self.answers else None
            if said is not None:
                raw = self.world.envelope(self.code, HUB, said)
                self.sent.append(raw)
                accepted(receipt_of(self.world.post(raw)))
                return 1
        return 0

    def answer_as_of_the_last_item(self) -> None:
        """Work through all items first, and answer then: with a later index than the question's."""
        waiting: list[tuple[str, dict[str, Any]]] = []
        self.says = lambda type_, body: waiting.append((type_, body))
        self.work()
        self.says = None
        for type_, body in waiting:
            raw = self.world.envelope(self.code, HUB, self.answer(type_, body))
            accepted(receipt_of(self.world.post(raw)))

    def answer(self, type_: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return what the responder says to a question."""
        year = now().year if "key_id" not in body else int(body["key_id"].rpartition("-")[2])
        key = self.secrets.key(self.code, year)
        return Responder(key.secret, key.key_id, self.book).answer(type_, body)


class RunWorld:
    """A hub with Thailand, Switzerland and Ghana, a worker that leads, and a clock of its own."""

    def __init__(
        self,
        database: Database,
        policy: ReconciliationPolicy = POLICY,
        *,
        has_master: bool = True,
    ) -> None:
        self.database = database
        # The night of today was due before this database was made, that of tomorrow is far.
        self.policy = replace(policy, at=f"{now() - timedelta(hours=1):%H:%M}")
        self.world = World(database)
        self.secrets = LinkSecrets(MASTER if has_master else None, OWN)
        self.ahead = timedelta()
        self.news: set[str] = set()
        self.metrics = Metrics()
        self.leads = True
        self.worker = self.another_worker()
        theirs = LinkSecrets(MASTER, OWN)
        self.registries = {
            code: Registry(code, self.world, theirs) for code in ("CHE01", "GHA01", "THA01")
        }

    def another_worker(self) -> Worker:
        """Return the worker of a process that was just started; it has nothing in memory."""
        return Worker(
            self.database,
            self.secrets,
            identity=self.world.identity,
            policy=self.policy,
            around=Around(
                works=lambda: self.leads,
                run_blocking=_at_once,
                clock=self.clock,
                on_recorded=self.news.update,
                metrics=self.metrics,
            ),
        )

    def clock(self) -> datetime:
        """Return the instant now; ``ahead`` makes time pass."""
        return now() + self.ahead

    def sold(self, count: int = 3) -> None:
        """Let Thailand sell hundreds of units to Switzerland, and all books be right."""
        self.world.begin()
        for n in range(count):
            self.world.transfer(f"THA01-{n + 1}", 100 * n + 1, 100 * n + 90)
        for registry in self.registries.values():
            registry.copy_of_ledger()

    def ask(self, registry: str | None = None, case_id: str | None = None) -> int:
        """Ask for a comparison, as the command does."""
        with self.database.writing() as connection:
            heads.lock(connection)
            return nights.add_request(
                connection,
                asked_at=self.clock(),
                actor="tests",
                registry=registry,
                case_id=case_id,
            )

    async def until_quiet(self, worker: Worker | None = None) -> None:
        """Let hub and registries work until nobody has anything to do."""
        for _ in range(TURNS_MAX):
            before = self._state()
            await (worker or self.worker).turn()
            done = sum(registry.work() for registry in self.registries.values())
            if not done and self._state() == before:
                return
        raise AssertionError("the hub comes to no end")

    async def pause(self, worker: Worker | None = None) -> None:
        """Wait for the check of the own books, if one is under way beside the sessions."""
        check = (worker or self.worker)._check
        if check is not None:
            await check

    def _state(self) -> Any:
        with self.database.reading() as connection:
            return (
                heads.read(connection).log_index,
                nights.open_requests(connection),
                nights.newest(connection, 5),
            )

    def sessions(self) -> list[SessionRow]:
        """Return every session, oldest first."""
        with self.database.reading() as connection:
            return sessions.newest(connection, 1_000)[::-1]

    def results(self) -> dict[str, str]:
        """Return what the newest session with each registry came to."""
        return {row.registry: sessions.result_of(row) for row in self.sessions()}


async def _at_once(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)


def ledger_of(database: Database, code: str) -> list[Block]:
    """Return what the ledger has of a registry now, as both sides own it."""
    with database.reading() as connection:
        return [
            block
            for row in all_blocks(connection, Interning())
            if row.registry == code
            for block in compared(row)
        ]


def changed(block: Block, **changes: Any) -> Block:
    """Return a block with some of its owned values changed, or its first or last serial."""
    owned = tuple(changes.pop(name, value) for name, value in zip(OWNED, block.owned, strict=True))
    return block._replace(owned=owned, **changes)
