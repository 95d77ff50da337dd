"""The process of a Party registry connector: session, registry, local API, push address, webhooks.

1. Open keys and the anchor first: without them nothing starts.
2. One database file for the exchange, the tracking and the book.
3. The local API listens on loopback; the push address, if there is one, where it was told to.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime
from types import TracebackType
from typing import Self

from aiohttp import web

from connectors.party_registry import (
    api,
    book_tables,
    reconciliation_tables,
    schema_steps,
    tracking_tables,
)
from connectors.party_registry.config import RegistryConfig, split_address
from connectors.party_registry.link_secret import LinkSecret, read_link_secret
from connectors.party_registry.reconciliation import Reconciliation
from connectors.party_registry.registry import PartyRegistry
from connectors.party_registry.webhooks import WebhookWorker
from connectors.session.context import system_clock
from connectors.session.database import Database
from connectors.session.hello import say_hello
from connectors.session.log.witness import WitnessKey, default_name, make_keys
from connectors.session.session import Session, make_signing_keys, open_database
from keys.documents import parse_document
from keys.key_files import read_secret_file
from keys.public_keys import KeyRecord
from keys.signer import Signer
from keys.signing import open_signer

__all__ = ["Connector", "open_link_secret", "open_registry_database", "open_witness_keys"]


def open_registry_database(config: RegistryConfig) -> Database:
    """Open the registry's file, with every table as it is in this version."""
    database = open_database(
        config.database,
        tracking_tables.METADATA,
        book_tables.METADATA,
        reconciliation_tables.METADATA,
    )
    database.write_now(
        "registry.upgrade", lambda work: schema_steps.bring_up_to_date(work.connection)
    )
    return database


def open_link_secret(config: RegistryConfig) -> LinkSecret | None:
    """Read the secret of our link with the hub: none if there is none.

    Raises:
        KeyFileError: the file is not there, open to others, or another link's.
    """
    if config.reconciliation_secret is None:
        return None
    return read_link_secret(config.reconciliation_secret, config.participant)


def open_witness_keys(config: RegistryConfig) -> list[WitnessKey]:
    """Open the keys of our witness: none if there is none.

    Raises:
        KeysError: a key cannot be opened.
        ValueError: a key is of an algorithm that cosigns nothing, or the name is none of a key.
    """
    witness, participant = config.witness, config.participant
    if witness is None:
        return []
    settlement = witness.witness_settlement_signer
    return make_keys(
        witness.witness_name or default_name(participant),
        open_signer(witness.witness_signer, participant=participant),
        None if settlement is None else open_signer(settlement, participant=participant),
    )


class Connector:
    """A running connector. `api_url` and the other addresses are known once it has started.

    Raises:
        KeysError: a key, the anchor or the link's secret cannot be opened, or our keys do not sign
            in the binding of the settings.
        ValueError: a key of the witness is of an algorithm that cosigns nothing.
    """

    def __init__(
        self, config: RegistryConfig, *, clock: Callable[[], datetime] = system_clock
    ) -> None:
        self.config = config
        self.clock = clock
        self.signers = self._open_signers()
        self.keys = make_signing_keys(config.session_settings(), self.signers)
        self.anchor = self._open_anchor()
        self.witness_keys = open_witness_keys(config)
        self.link_secret = open_link_secret(config)
        self._webhooks: WebhookWorker | None = None
        self._stack = AsyncExitStack()
        self.push_url: str | None = None
        self.witness_url: str | None = None

    def _open_signers(self) -> list[Signer]:
        return [
            open_signer(uri, participant=self.config.participant) for uri in self.config.keys.uris
        ]

    def _open_anchor(self) -> list[KeyRecord]:
        return [parse_document(path.read_bytes()) for path in self.config.hub.key_documents]

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
        """Open the database, begin the exchange and listen."""
        config = self.config
        token = read_secret_file(config.api.token_file).decode("ascii").strip()
        self.database = open_registry_database(config)
        self._stack.callback(self.database.close)
        self.registry = PartyRegistry(
            book=config.book,
            policy=config.policy(),
            webhooks=self._wake_webhooks if config.webhooks is not None else None,
            reconciliation=self.make_reconciliation(),
        )
        self.session = self.make_session()
        await self._stack.enter_async_context(self.session)
        self._start_webhooks()
        await say_hello(self.session)
        application = api.make_application(self.session, self.registry, token)
        self.api_url = await self._listen(application, config.api.listen)
        if config.delivery.mode == "push":
            url = await self._listen(self._push_application(), config.delivery.listen, self._tls())
            self.push_url = url + config.delivery.path
        if config.witness is not None and config.witness.listen is not None:
            alone = web.Application(client_max_size=0)
            self._add_witness(alone)
            url = await self._listen(alone, config.witness.listen, self._tls())
            self.witness_url = url + config.witness.path
        elif config.witness is not None and config.delivery.mode == "push":
            self.witness_url = url + config.witness.path

    def make_reconciliation(self) -> Reconciliation:
        """Return what answers the hub about our book; simulators put a liar in its place."""
        config = self.config
        return Reconciliation(
            has_book=config.book, secret=self.link_secret, by_api=config.reconciliation_by_api
        )

    def make_session(self) -> Session:
        """Return the session; simulators put a misbehaving one in its place."""
        return Session(
            self.config.session_settings(),
            self.database,
            self.signers,
            self.anchor,
            self.registry,
            clock=self.clock,
            witness_keys=self.witness_keys,
        )

    async def handle_push(self, request: web.Request) -> web.StreamResponse:
        """Answer a push of the hub; simulators answer something else."""
        return await self.session.handle_push(request)

    def _start_webhooks(self) -> None:
        webhooks = self.config.webhooks
        if webhooks is None:
            return
        self._webhooks = WebhookWorker(
            self.session.context,
            webhooks.url,
            read_secret_file(webhooks.secret_file).strip(),
            seconds_max=webhooks.request_seconds_max,
        )
        task = asyncio.create_task(self._webhooks.run())
        self._stack.callback(task.cancel)

    def _wake_webhooks(self) -> None:
        if self._webhooks is not None:
            self._webhooks.wake()

    def _push_application(self) -> web.Application:
        # The body is read in pieces within the session's own limit.
        application = web.Application(client_max_size=0)
        application.router.add_post(self.config.delivery.path, self.handle_push)
        if self.config.witness is not None and self.config.witness.listen is None:
            self._add_witness(application)
        return application

    def _add_witness(self, application: web.Application) -> None:
        witness = self.session.witness
        assert witness is not None, "a configured witness has its keys"
        assert self.config.witness is not None, "and its section"
        path = f"{self.config.witness.path}/add-checkpoint"
        application.router.add_post(path, witness.handle)

    def _tls(self) -> ssl.SSLContext | None:
        delivery = self.config.delivery
        if delivery.certificate_file is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(delivery.certificate_file, delivery.certificate_key_file)
        return context

    async def _listen(
        self, application: web.Application, address: str, tls: ssl.SSLContext | None = None
    ) -> str:
        host, port = split_address(address)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
        bound = runner.addresses[0]
        return f"{'http' if tls is None else 'https'}://{bound[0]}:{bound[1]}"

    async def stop(self) -> None:
        """Stop listening and sending; nothing that was committed is lost."""
        await self._stack.aclose()
