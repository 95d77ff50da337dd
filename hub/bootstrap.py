"""Put the hub together: the only module (with ``cli``) that knows everyone.

Settings in, a running process out: database checked, own keys opened, handlers by message type,
intake, courier, sweeper, and the HTTP applications.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog
from aiohttp import web

from hub import jobs
from hub.checks import rulebook
from hub.config import Settings
from hub.http.client import PushClient, WitnessClient
from hub.http.routes import Door, operator_application, public_application
from hub.http.tls import server_context
from hub.protocol.errors import UnavailableError
from hub.protocol.response_codes import ResponseCode
from hub.protocol.signed_objects import Binding, SigningKeys
from hub.services import (
    announce_rulebook,
    erase_bodies,
    expire_transfers,
    own_participants,
    publications,
)
from hub.services.answer_queries import Questions
from hub.services.collect_cosignatures import Policies
from hub.services.courier import Courier, Surroundings
from hub.services.deliver import DeliveryMaker
from hub.services.handlers import table
from hub.services.intake import Intake, IntakeLimits
from hub.services.leadership import Leadership
from hub.services.load_facts import HubIdentity
from hub.services.log_duties import LogDuties, LogSurroundings
from hub.services.log_keys import LogKeys, choose, require_origin
from hub.services.metrics import Metrics
from hub.services.news import News
from hub.services.own_keys import OwnKeys
from hub.services.publish_log import LogPublisher
from hub.services.receive_envelopes import EnvelopeReceiver
from hub.services.reconciliation.alerts import alert_sending
from hub.services.reconciliation.runs.link_secrets import LinkSecrets
from hub.services.reconciliation.runs.worker import Around, Worker
from hub.services.sightings import NOTED_EVERY_SECONDS, Sightings
from hub.services.start_errors import StartError
from hub.store import head as heads
from hub.store import schema
from hub.store.database import Database, DatabaseUnavailableError
from hub.transparency_log.policies import Policy, PolicyError
from keys.algorithms import Algorithm
from keys.signer import Signer
from keys.signing import open_signer

log = structlog.get_logger(__name__)

ERASURE_SECONDS = 3_600.0
"""How often the hub looks for bodies older than the time of retention."""
LINGERING_SECONDS = 2.0
"""How long a refused request may go on sending, so that its sender reads the refusal."""

HANDLERS: Final = table.HANDLERS
"""Every message type that records, and what it does."""


def clock() -> datetime:
    """Return the instant now, in whole milliseconds, UTC."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def open_signers(settings: Settings) -> list[Signer]:
    """Open the hub's own keys. Raises StartError without one, keys.errors.KeysError otherwise."""
    if not settings.signers:
        raise StartError(
            "the hub has no signing key. Make one with `itmo-hub keys generate --participant "
            f"{settings.hub_code} --algorithm Ed25519 --out DIR` and name its URI in `signers`; "
            "for XML another one with `--algorithm ES256`, named in `xml_signer`."
        )
    return [open_signer(uri, participant=settings.hub_code) for uri in settings.signers]


def open_keys(settings: Settings) -> SigningKeys:
    """Open the hub's own keys, those for JSON and the one for XML. Raises as ``open_signers``."""
    signers, uri = open_signers(settings), settings.xml_signer
    if uri is None:
        return SigningKeys.of(signers)
    xml_signer = open_signer(uri, participant=settings.hub_code)
    if xml_signer.algorithm is not Algorithm.ES256:
        raise StartError(
            f"`xml_signer` is a key of {xml_signer.algorithm}, and XML is signed with ES256. Make "
            f"one with `itmo-hub keys generate --participant {settings.hub_code} --algorithm ES256 "
            "--out DIR`."
        )
    return SigningKeys.of(signers, xml_signer)


def open_log_keys(settings: Settings, signers: list[Signer]) -> LogKeys:
    """Open the keys of the transparency log. Raises StartError, keys.errors.KeysError."""
    own, settling = (
        None if uri is None else open_signer(uri, participant=settings.hub_code)
        for uri in (settings.log_signer, settings.log_settlement_signer)
    )
    return choose(settings.origin, signers, own, settling)


def log_policies(settings: Settings) -> Policies:
    """Read the policies of the log's witnesses. Raises StartError naming file, line and remedy."""

    def read(path: Path | None) -> Policy | None:
        try:
            return None if path is None else Policy.parse(path.read_bytes())
        except (OSError, PolicyError) as error:
            raise StartError(f"the policy {path} cannot be used: {error}") from error

    return Policies(
        read(settings.witness_policy),
        read(settings.settlement_policy),
        settings.witness_halt_count,
    )


def ensure_own_participants(
    database: Database, settings: Settings, keys: SigningKeys, now: datetime
) -> None:
    """Register the hub, the international registry and the hub's keys. Raises StartError."""
    skew = timedelta(seconds=settings.limits.clock_skew_seconds_max)
    own_participants.ensure(database, identity_of(settings), keys, now, skew)


def open_database(settings: Settings, *, create: bool = False) -> Database:
    """Open the database; refuse an older or newer schema, and none unless it may be created.

    Raises SchemaError or DatabaseUnavailableError.
    """
    database = Database(settings.database_url)
    path = database.url.database
    missing = path is not None and Path(path).parent.is_dir() and not Path(path).exists()
    if database.is_sqlite and missing and not create:
        raise schema.SchemaError(
            f"there is no database {path}. Make one with `itmo-hub db upgrade`, or name the one "
            "you mean with --database, --config or ITMO_HUB_DATABASE_URL."
        )
    if create:
        with database.reading() as connection:
            empty = schema.revision_of(connection) is None
        if empty:
            schema.upgrade(database)
    schema.require_current(database)
    return database


class HubProcess:
    """One hub, put together and not yet started."""

    def __init__(
        self, settings: Settings, database: Database, keys: SigningKeys, log_keys: LogKeys
    ) -> None:
        self.settings = settings
        self.database = database
        self.keys = keys
        self.own_keys = OwnKeys(settings.hub_code, keys)
        self.address = ""
        self._tls = server_context(
            settings.tls_certificate, settings.tls_key, settings.tls_client_ca
        )
        self.metrics = Metrics()
        self.leadership = Leadership(database)
        self.identity = identity_of(settings)
        self.receiver = EnvelopeReceiver(
            database,
            handlers=HANDLERS,
            identity=self.identity,
            limits=settings.limits,
            keys=self.own_keys,
        )
        self._news = News()
        self._runners: list[web.AppRunner] = []
        self._maker = DeliveryMaker(settings.hub_code, settings.limits, self.own_keys)
        self.intake = self._make_intake()
        self._sightings = Sightings(database, self.intake.run_blocking, clock)
        self._questions = self._make_questions()
        self._push = PushClient(
            timeout_seconds=settings.push_timeout_seconds, allow_http=settings.allow_http_endpoints
        )
        self._witness_client = WitnessClient()
        self.log = self._make_log(log_keys)
        self.courier = self._make_courier()
        self.reconciliation = self._make_reconciliation()
        self._alerts = alert_sending.sender(
            database,
            settings.reconciliation,
            settings.retry,
            keys.json,
            alert_sending.Around(self._works, clock, self.intake.run_blocking, self.metrics),
            allow_http=settings.allow_http_endpoints,
        )
        self._rulebook_is_announced = False
        self._scheduler = jobs.schedule(self._jobs())

    def _make_intake(self) -> Intake:
        settings = self.settings
        return Intake(
            self.receiver,
            IntakeLimits(
                batch_envelopes_max=settings.batch_envelopes_max,
                batch_bytes_max=16 * settings.limits.envelope_bytes_max,
                queue_envelopes_max=settings.queue_envelopes_max,
                queue_bytes_max=settings.queue_bytes_max,
                questions_per_participant_max=settings.limits.open_questions_per_participant_max,
            ),
            clock=clock,
            on_recorded=self._on_recorded,
            on_heard=self._on_heard,
            answer_question=lambda item: self._questions.answer(item),  # noqa: PLW0108 - made later
            on_receipt=self.metrics.receipt_seconds.observe,
        )

    def _make_questions(self) -> Questions:
        return Questions(
            self.database,
            self.receiver,
            self._maker,
            identity=self.identity,
            limits=self.settings.limits,
            clock=clock,
            run_blocking=self.intake.run_blocking,
            wait_for_news=self._news.wait,
        )

    def _make_courier(self) -> Courier:
        return Courier(
            self.database,
            self._maker,
            schedule=self.settings.retry,
            poll_seconds=self.settings.delivery_poll_seconds,
            around=Surroundings(
                participants=lambda: self.receiver.data.rows,
                refresh=self.receiver.look_again,
                submit=self._receive,
                post=self._push.post,
                is_leader=self._works,
                clock=clock,
                run_blocking=self.intake.run_blocking,
                count=lambda result: self.metrics.deliveries.labels(result).inc(),
            ),
        )

    def _make_reconciliation(self) -> Worker:
        """Return what compares registries. Raises LinkSecretError."""
        policy = self.settings.reconciliation
        return Worker(
            self.database,
            LinkSecrets.open(policy.secret, self.settings.hub_code, self.database),
            identity=self.identity,
            policy=policy,
            around=Around(
                works=self._works,
                run_blocking=self.intake.run_blocking,
                clock=clock,
                on_recorded=self._on_recorded,
                metrics=self.metrics,
                poll_seconds=self.settings.delivery_poll_seconds,
            ),
        )

    def _make_log(self, keys: LogKeys) -> LogDuties:
        settings = self.settings
        return LogDuties(
            self.database,
            keys,
            log_policies(settings),
            LogPublisher(self.database, keys, settings.settlement_time),
            LogSurroundings(
                is_leader=lambda: self.leadership.leads,
                run_blocking=self.intake.run_blocking,
                clock=clock,
                post=self._witness_client.post,
                metrics=self.metrics,
                witness_seconds=settings.witness_seconds,
            ),
        )

    def _on_heard(self, senders: Collection[str]) -> None:
        """Tell who just showed that it lives: the courier, and what is noted of it."""
        self.courier.heard_from(senders)
        self._sightings.heard_from(senders)

    def _on_recorded(self, recipients: Collection[str]) -> None:
        """Tell the courier and the long polls who has new items."""
        self.courier.has_news(recipients)
        self._news.tell(recipients)

    async def start(self) -> None:
        """Open the ports and begin to work."""
        await self._push.start()
        await self._witness_client.start()
        self.leadership.seek()
        await self.log.begin()
        self.intake.start()
        self.courier.start()
        self._scheduler.start()
        self.address = await self._listen(
            public_application(self._door()), self.settings.port, tls=self._tls
        )
        if self.settings.metrics_port is not None:
            await self._listen(
                operator_application(self.metrics.registry), self.settings.metrics_port
            )
        self.reconciliation.start()
        self._warn_of_unwritable()
        log.info("hub listens", address=self.address, database=self.database.url.render_as_string())

    def _warn_of_unwritable(self) -> None:
        """Say who gets JSON instead of the XML they were promised."""
        if not self.keys.speaks(Binding.XML):
            promised = [
                row.code for row in self.receiver.data.rows.values() if row.binding == "xml"
            ]
            if promised:
                log.warning("no key for XML: deliveries leave in JSON", participants=promised)

    async def _listen(
        self, application: web.Application, port: int, tls: ssl.SSLContext | None = None
    ) -> str:
        runner = web.AppRunner(
            application,
            access_log=None,
            keepalive_timeout=self.settings.idle_seconds_max,
            lingering_time=LINGERING_SECONDS,
        )
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, self.settings.host, port, ssl_context=tls, backlog=1024)
        await site.start()
        bound = runner.addresses[0][1]
        return f"{'https' if tls else 'http'}://{self.settings.host}:{bound}"

    def _door(self) -> Door:
        return Door(
            receive=self._receive,
            participants=self._participants,
            health=self._health,
            limits=self.settings.limits,
            metrics=self.metrics,
            request_seconds_max=self.settings.request_seconds_max,
            log=self.log,
        )

    async def _receive(self, raw: bytes) -> bytes:
        """Take an envelope, unless the log is halted. Raises PeerError or UnavailableError."""
        self.log.require_open()
        return await self.intake.submit(raw)

    def _works(self) -> bool:
        """Tell whether this process pushes, sweeps and publishes."""
        return self.leadership.leads and self.log.standing.halted is None

    def _participants(self) -> bytes:
        try:
            with self.database.reading() as connection:
                data = self.receiver.refresh(connection, heads.read(connection))
        except DatabaseUnavailableError as error:
            log.warning("database unavailable", detail=str(error))
            raise UnavailableError(
                ResponseCode.HUB_UNAVAILABLE, "the list cannot be read now", retry_after_seconds=2
            ) from error
        self.own_keys.require_open(data.trust, Binding.JSON, clock())
        return publications.participants_document(
            data,
            hub=self.settings.hub_code,
            signers=self.keys.json,
            now=clock(),
            log=self.log.document(),
        )

    def _health(self) -> dict[str, Any]:
        parts: dict[str, Any] = {"leads": self.leadership.leads}
        try:
            with self.database.reading() as connection:
                parts["log_index"] = heads.read(connection).log_index
            parts["database"] = "ready"
        except DatabaseUnavailableError as error:
            # The log has the reason; who asks from outside need not know our database.
            log.warning("database unavailable", detail=str(error))
            parts["database"] = "unavailable"
        halted = self.log.standing.halted
        parts["log"] = "published" if halted is None else f"halted: {halted}"
        closed = self._closed_bindings()
        parts["keys"] = "; ".join(closed.values()) or "good"
        parts["intake_waiting"] = self.intake.waiting_count
        signs = any(self.keys.speaks(one) and one not in closed for one in Binding)
        ready = parts["database"] == "ready" and halted is None and signs
        parts["status"] = "ready" if ready else "unavailable"
        return parts

    def _closed_bindings(self) -> dict[Binding, str]:
        """Return in which bindings nothing is signed now, and why, as this process last saw it."""
        trust, at = self.receiver.data.trust, clock()
        found = {binding: self.own_keys.fault(trust, binding, at) for binding in Binding}
        return {one: f"{one}: {' '.join(fault)}" for one, fault in found.items() if fault}

    def _jobs(self) -> list[jobs.Job]:
        """Return the timed jobs."""
        return [
            jobs.Job("seek-lead", 1.0, self._seek_lead),
            jobs.Job("expire-transfers", self.settings.expiry_sweep_seconds, self._sweep),
            jobs.Job("erase-bodies", ERASURE_SECONDS, self._erase),
            jobs.Job("note-sightings", NOTED_EVERY_SECONDS, self._sightings.note),
            jobs.Job("publish-log", self.settings.checkpoint_seconds, self.log.publish),
            jobs.Job("send-alerts", alert_sending.SECONDS, self._alerts.run),
            jobs.Job("collect-cosignatures", self.settings.witness_seconds, self.log.collect),
        ]

    async def _seek_lead(self) -> None:
        self.metrics.leads.set(await asyncio.to_thread(self.leadership.seek))
        self.metrics.queue.set(self.intake.waiting_count)
        await self._announce_rulebook()

    async def _announce_rulebook(self) -> None:
        """Once, when this process first leads: tell everybody of a rulebook new to them."""
        if self._rulebook_is_announced or not self._works():
            return
        with contextlib.suppress(DatabaseUnavailableError):
            told = await self.intake.run_blocking(
                lambda: announce_rulebook.announce(
                    self.database,
                    hub=self.settings.hub_code,
                    now=clock(),
                    current=rulebook.CURRENT,
                )
            )
            self._rulebook_is_announced = True
            self._on_recorded(told)

    async def _erase(self) -> None:
        """Erase what is older than the time of retention, part by part between two batches."""
        days = self.settings.retention_days
        if days is None or not self._works():
            return
        part = partial(erase_bodies.erase_part, self.database, hub=self.settings.hub_code)
        with contextlib.suppress(DatabaseUnavailableError):
            while await self.intake.run_blocking(partial(part, retention_days=days, now=clock())):
                log.debug("erased a part")

    async def _sweep(self) -> None:
        if not self._works():
            return
        with contextlib.suppress(DatabaseUnavailableError):
            count, recipients = await self.intake.run_blocking(self._expire)
            self.metrics.expired.inc(count)
            self._on_recorded(recipients)

    def _expire(self) -> tuple[int, list[str]]:
        return expire_transfers.expire_due(
            self.database, identity=self.identity, limits=self.settings.limits, now=clock()
        )

    async def close(self) -> None:
        """Stop taking, finish what was taken, close everything."""
        self._scheduler.shutdown(wait=False)
        self._news.close()
        for runner in self._runners:
            await runner.cleanup()
        await self.courier.close()
        await self.reconciliation.close()
        await self.intake.close()
        await self._push.close()
        await self._witness_client.close()
        self.leadership.close()
        self.database.dispose()


def build(settings: Settings) -> HubProcess:
    """Return a hub ready to be started. Raises StartError, SchemaError, KeysError and the like."""
    keys = open_keys(settings)
    database = open_database(settings, create=True)
    log_keys = open_log_keys(settings, list(keys.json))
    ensure_own_participants(database, settings, keys, clock())
    require_origin(database, log_keys.origin)
    return HubProcess(settings, database, keys, log_keys)


def identity_of(settings: Settings) -> HubIdentity:
    """Return the codes of the central systems and the policy, as the services take them."""
    return HubIdentity(
        hub=settings.hub_code,
        international_registry=settings.international_registry_code,
        mechanism_registry=settings.mechanism_registry_code,
        policy=settings.policy,
    )
