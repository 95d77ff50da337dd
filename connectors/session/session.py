"""The exchange from the peer's end, whole: what a registry starts, submits to and stops.

    async with Session(settings, database, signers, anchor, handler) as session:
        await session.submit("CHE01", [("transfer.proposal", body, "our reference")])

1. `submit` returns once the messages are durable; sending, retrying and the receipt follow.
2. Deliveries come by pull (a task of the session) or by push (`push_endpoint` in any aiohttp
   application); both end in `receive`.
3. A monitor watches the hub's transparency log; what it finds may pause the session.
4. Stopping loses nothing: whatever was in the air is sent or fetched again after the next start.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
from aiohttp import web
from sqlalchemy import MetaData

from connectors.session import alarms, outbox_states, state
from connectors.session.context import SessionContext, system_clock
from connectors.session.database import Database, Work
from connectors.session.exchanger import Exchanger
from connectors.session.handler import RegistryHandler, SilentHandler, Transaction
from connectors.session.log.findings import load_pause
from connectors.session.log.monitor import LogMonitor
from connectors.session.log.standing import read_standing
from connectors.session.log.tables import LOG_METADATA
from connectors.session.log.witness import Witness, WitnessKey
from connectors.session.outbox import milliseconds
from connectors.session.participants import Participants
from connectors.session.poller import Poller
from connectors.session.push import PushEndpoint
from connectors.session.receiver import Acknowledged, Receiver, Refused
from connectors.session.sender import Sender
from connectors.session.settings import SessionSettings
from connectors.session.tables import METADATA
from connectors.session.transport import Transport
from connectors.session.trust import Trust
from hub.protocol.signed_objects import SigningKeys
from keys.errors import SignerError
from keys.public_keys import KeyRecord
from keys.signer import Signer
from message_schemas.envelopes import Outcome

__all__ = ["Session", "make_signing_keys", "open_database"]

T = TypeVar("T")


def open_database(path: Any, *metadata: MetaData) -> Database:
    """Open the session's database, with the tables of the registry beside those of the session."""
    return Database(path, METADATA, LOG_METADATA, *metadata)


def make_signing_keys(settings: SessionSettings, signers: Sequence[Signer]) -> SigningKeys:
    """Return the keys that sign in the binding of the settings.

    Raises:
        ValueError: there is none, or one is another participant's.
        SignerError: the binding is XML, and they are not one ES256 key.
    """
    foreign = [s.key_id for s in signers if not s.key_id.startswith(settings.participant)]
    if foreign or not signers:
        raise ValueError(f"{foreign or 'no key'} cannot sign for {settings.participant}")
    keys = SigningKeys.of(signers)
    if not keys.speaks(settings.binding):
        named = ", ".join(f"{signer.key_id} ({signer.algorithm})" for signer in signers)
        raise SignerError(
            f"the binding {settings.binding} is signed with one ES256 key, not with {named}: "
            "make one with `itmo-hub keys generate --algorithm ES256`, have it registered, "
            "and name it alone"
        )
    return keys


class Session:
    """A participant's end of the exchange. The database stays its owner's to close.

    `anchor` holds the hub's public keys as handed over outside the exchange; `signers` is one
    private key, or two for a hybrid suite. `witness_keys` make the session a witness of the log.

    Raises:
        ValueError: the anchor is empty or not the hub's, or a signer is another participant's.
        SignerError: the binding is XML, and the signers are not one ES256 key.
    """

    def __init__(
        self,
        settings: SessionSettings,
        database: Database,
        signers: Sequence[Signer],
        anchor: Sequence[KeyRecord],
        handler: RegistryHandler | None = None,
        *,
        clock: Callable[[], datetime] = system_clock,
        random_source: random.Random | None = None,
        witness_keys: Sequence[WitnessKey] = (),
    ) -> None:
        self._keys = make_signing_keys(settings, signers)
        self.settings = settings
        self.database = database
        self._trust = Trust.of_anchor(settings.hub, tuple(anchor))
        self._handler = handler or SilentHandler()
        self._clock = clock
        self._random = random_source or random.Random()  # noqa: S311 - jitter is no secret
        self._witness_keys = tuple(witness_keys)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Begin to send and, in the mode `pull`, to fetch."""
        self._client = aiohttp.ClientSession(auto_decompress=False)
        settings = self.settings
        self.context = SessionContext(
            settings,
            self.database,
            self._keys,
            self._trust,
            self._handler,
            self.make_transport(self._client),
            clock=self._clock,
            random=self._random,
            loop=asyncio.get_running_loop(),
        )
        self._participants = Participants(self.context)
        self._participants.load()
        self._exchanger = Exchanger(self.context, self._participants)
        self._receiver = Receiver(self.context, self._participants, self._exchanger)
        self.push_endpoint = PushEndpoint(self._receiver, settings.delivery_bytes_max)
        self.context.pause = await self.database.read(load_pause)
        self.witness = Witness(self.context, self._witness_keys) if self._witness_keys else None
        self.log_monitor = LogMonitor(self.context, self.witness)
        workers = [self._participants.keep_fresh(), Sender(self.context, self._participants).run()]
        if settings.delivery_mode == "pull":
            workers.append(Poller(self.context, self._exchanger, self._receiver).run())
        if settings.log_seconds > 0:
            workers.append(self.log_monitor.run())
            if settings.log_audit_at:
                workers.append(self.log_monitor.run_daily())
        self._tasks = [asyncio.create_task(worker) for worker in workers]

    def make_transport(self, client: aiohttp.ClientSession) -> Transport:
        """Return the way to the hub; simulators put something else in its place."""
        settings = self.settings
        return Transport(
            client,
            settings.hub_url,
            seconds_max=settings.request_seconds_max,
            bytes_max=max(settings.answer_bytes_max, settings.delivery_bytes_max * 2),
        )

    async def stop(self) -> None:
        """Stop the workers; nothing that was committed is lost."""
        await self.log_monitor.stop()
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def submit(
        self, recipient: str, messages: Iterable[tuple[str, object, str]]
    ) -> list[str]:
        """Make `(type, body dataclass, reference)` messages durable; return their message ids.

        Raises:
            MessageInvalidError: one of them may not be sent; none was stored.
        """
        taken = list(messages)
        return await self.write(
            "outbox.submit", lambda transaction: transaction.submit(recipient, taken)
        )

    async def write(self, name: str, use: Callable[[Transaction], T]) -> T:
        """Run `use` in one transaction of the session, in which it may also submit."""
        return await self.database.write(name, lambda work: use(self.context.transaction(work)))

    async def ask(self, type_: str, body: object) -> Outcome:
        """Put a read-only question to the hub; raises as `Exchanger.ask`."""
        return await self._exchanger.ask(type_, body)

    async def receive(self, raw: bytes) -> Acknowledged | Refused:
        """Take the bytes of a delivery, however they came."""
        return await self._receiver.receive(raw)

    async def refresh_participants(self) -> bool:
        """Fetch the list of participants now; tell whether a fresh one is believed."""
        return await self._participants.refresh()

    async def wake(self) -> int:
        """Try everything that waits for a later attempt now; return how many envelopes."""

        def use(work: Work) -> int:
            work.after_commit(self.context.wake_sender)
            return outbox_states.wake_postponed(work.connection, milliseconds(self._clock()))

        return await self.database.write("outbox.operate", use)

    async def handle_push(self, request: web.Request) -> web.Response:
        """Answer a push of the hub; give this to an aiohttp route."""
        return await self.push_endpoint.handle(request)

    async def render_metrics(self) -> bytes:
        """Return the session's metrics with the gauges as of now."""
        counts = await self.database.read(outbox_states.count_open)
        for name, count in counts.items():
            self.context.metrics.outbox.labels(name).set(count)
        open_alarms = await self.database.read(alarms.count_open)
        self.context.metrics.open_alarms.set(open_alarms)
        applied = await self.database.read(state.load_int, state.APPLIED_THROUGH)
        self.context.metrics.applied_through.set(applied)
        self.context.metrics.note_log(await self.database.read(read_standing))
        return self.context.metrics.render()
