"""Registries with real books beside a real hub with a real ledger, all in one thread.

Each registry is the connector's handler on its own file: it submits through its outbox, signs,
gets the hub's receipts and the hub's signed deliveries. Only sockets and clocks are left out.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection

from connectors.party_registry import (
    book_commands,
    book_tables,
    message_commands,
    reconciliation_tables,
    schema_steps,
    tracking_tables,
)
from connectors.party_registry.compared import ComparedBook
from connectors.party_registry.kept_sums import KeptSums, differing_chunks
from connectors.party_registry.link_secret import LinkSecret
from connectors.party_registry.policy import AcceptancePolicy
from connectors.party_registry.reconciliation import Reconciliation
from connectors.party_registry.registry import PartyRegistry
from connectors.party_registry.requests import MessageRequest, OpenAccountRequest
from connectors.session import inbox, outbox, outbox_states
from connectors.session.database import Work, open_engine
from connectors.session.deliveries import open_delivery, open_item
from connectors.session.handler import KnownOutcome, Transaction
from connectors.session.receipts import open_receipt
from connectors.session.settings import SessionSettings
from connectors.session.tables import METADATA as SESSION_METADATA
from connectors.session.trust import Trust
from hub.protocol.signed_objects import SigningKeys
from hub.store import mailboxes
from hub.store.interning import Interning
from hub.store.ledger import all_blocks
from keys.public_keys import KeyRecord, PublicKey
from keys.trust import TrustStore
from reconciliation.link_keys import LinkKey
from reconciliation.movements import Countable
from reconciliation.owned import Block, blocks_of
from reconciliation.steps import differing
from tests.connectors.worlds import KEY_EPOCH
from tests.hub.world import HUB, World
from tests.integration.peers import now, seeded_signer

CODES = ("THA01", "THA02", "CHE01", "GHA01")
SECRET = bytes(range(32))
SKEW = timedelta(seconds=60)
T = TypeVar("T")


def trust_of_all() -> Trust:
    """Return the trust of a registry that has read the hub's list."""
    records = [
        KeyRecord.of(PublicKey.from_der(code, seeded_signer(code).public_key_der), KEY_EPOCH)
        for code in (HUB, *CODES)
    ]
    return Trust(HUB, (records[0],), TrustStore(records))


class BookKeeper:
    """One registry: its file, its handler, and its hands on the hub."""

    def __init__(
        self,
        world: World,
        code: str,
        folder: Path,
        *,
        auto: bool = False,
        secret: bytes = SECRET,
    ) -> None:
        self.world, self.code, self.account = world, code, f"{code[:2]}-1"
        self.settings = SessionSettings(participant=code, hub_url="http://127.0.0.1:1")
        self.keys = SigningKeys.of([seeded_signer(code)])
        self.trust = trust_of_all()
        self.engine = open_engine(folder / f"{code}.sqlite")
        self.reconciliation = Reconciliation(has_book=True, secret=LinkSecret(code, secret))
        self.handler = PartyRegistry(
            book=True,
            policy=AcceptancePolicy(
                mode="auto" if auto else "ask", trusted=frozenset(), auto_quantity_max=None
            ),
            reconciliation=self.reconciliation,
        )
        self.applied = 0
        with self.engine.begin() as connection:
            for metadata in (
                SESSION_METADATA,
                tracking_tables.METADATA,
                book_tables.METADATA,
                reconciliation_tables.METADATA,
            ):
                metadata.create_all(connection)
            schema_steps.bring_up_to_date(connection)
        self.do(lambda t: book_commands.open_account(t, OpenAccountRequest(account=self.account)))

    def close(self) -> None:
        """Close the file."""
        self.engine.dispose()

    def read(self, use: Callable[[Connection], T]) -> T:
        """Read from the file."""
        with self.engine.begin() as connection:
            return use(connection)

    def do(self, use: Callable[[Transaction], T]) -> T:
        """Do something in one transaction; what was submitted stays in the outbox."""
        with self.engine.begin() as connection:
            return use(self._transaction(connection))

    def _transaction(self, connection: Connection) -> Transaction:
        nothing: Callable[..., None] = lambda *_: None  # noqa: E731 - no sender to wake, no seal
        return Transaction(Work(connection), self.settings, now(), nothing, nothing)

    def send(self) -> list[Any]:
        """Send all that waits, and take the receipts; return the outcomes."""
        answered: list[Any] = []
        while recipients := self.read(outbox.waiting_recipients):
            with self.engine.begin() as connection:
                queued = outbox.seal_next(
                    connection, self.settings, self.keys, recipients[0], now()
                )
                assert queued is not None
            raw = self.world.post(queued.raw)
            assert isinstance(raw, bytes), raw
            with self.engine.begin() as connection:
                messages = outbox.fetch_messages_of(connection, queued.envelope_id)
                receipt = open_receipt(
                    raw,
                    trust=self.trust,
                    participant=self.code,
                    envelope_id=queued.envelope_id,
                    envelope_sha256=queued.sha256,
                    message_ids=[message.message_id for message in messages],
                    now=now(),
                    skew=SKEW,
                )
                outcomes = {outcome.message_id: outcome for outcome in receipt.outcomes}
                transaction = self._transaction(connection)
                envelope_id, digest = queued.envelope_id, queued.sha256
                outbox_states.record_receipt(connection, envelope_id, raw, outcomes, transaction.at)
                for message in messages:
                    outcome = outcomes[message.message_id]
                    answered.append(outcome)
                    known = KnownOutcome(message, outcome, envelope_id, digest, receipt.log_index)
                    self.handler.outcome_known(transaction, known)
        return answered

    def receive(self, items_max: int = 100) -> int:
        """Take the hub's next delivery; return how many items it had."""
        made, _ = self.world.maker.fetch(
            self.world.database, self.code, self.applied, now(), items_max
        )
        if made is None or made.body is None:
            return 0
        checked = open_delivery(
            made.body, trust=self.trust, participant=self.code, now=now(), skew=SKEW
        )
        items = [
            open_item(item, trust=self.trust, participant=self.code)
            for item in checked.delivery.items
            if item.sequence > self.applied
        ]
        with self.engine.begin() as connection:
            transaction = self._transaction(connection)
            inbox.store_items(connection, items, checked.sha256, transaction.at)
            for item in items:
                self.handler.item_arrived(transaction, item)
        self.applied = checked.delivery.last_sequence
        return len(items)

    def waiting(self) -> bool:
        """Tell whether the hub has mail for this registry that it did not take yet."""
        with self.world.database.reading() as connection:
            return bool(mailboxes.items_after(connection, self.code, self.applied, 1))

    def settle(self) -> None:
        """Send and receive until nothing is left."""
        while self.send() or self.receive():
            pass

    def submit(self, type_: str, body: dict[str, Any]) -> None:
        """Submit a message to the hub as the registry behind the local API does."""
        request = MessageRequest(recipient=HUB, type=type_, body=body)
        self.do(lambda t: message_commands.submit_message(t, request, has_book=True))

    def root_and_faults(self, sums: KeptSums, key: LinkKey) -> tuple[int, int | None]:
        """Return the digest of all units by the kept sums, and how many of those are wrong."""
        kept = self.do(lambda t: sums.current(t.connection, key.secret, key.key_id, t.at))
        root = sum(sum(its.values()) for its in kept.chunks.values()) % 2**128
        return root, self.read(lambda connection: differing_chunks(connection, key.secret))

    def compared(self) -> list[Block]:
        """Return the blocks that this side compares."""
        return self.read(
            lambda connection: [
                Block(*block)  # type: ignore[arg-type]  # the same series, by another class
                for block in ComparedBook(connection, 0).blocks(None, 0, 2**63)
            ]
        )

    def ledger(self) -> list[Block]:
        """Return the blocks that the ledger compares."""
        with self.world.database.reading() as connection:
            return blocks_of(all_blocks(connection, Interning()), self.code)


def differences(ledger: list[Block], registry: list[Block]) -> list[Any]:
    """Return the runs of serials on which two sides differ, with their series."""
    every = {tuple(block.series) for block in (*ledger, *registry)}
    return [
        (series, run)
        for series in sorted(every)
        for run in differing(_countables(ledger, series), _countables(registry, series))
    ]


def _countables(blocks: list[Block], series: Any) -> list[Countable]:
    return [
        Countable(block.first, block.last, block.owned, 1)
        for block in blocks
        if tuple(block.series) == series
    ]
