"""A Party registry that misbehaves on demand, to test the other side against.

It is the real connector with the real book; only the way out and the way in are tampered with:

1. Sending: receipts are forgotten, bytes repeated, delayed, reordered. Forgeries are posted beside
   the real envelope, and what the hub answered them is kept in `plan.incidents`.
2. Receiving pushes: 500, HTML, silence, lost or wrong acknowledgements.
3. Answering about the book: other digests, blocks left out, silence. (What is wrong in the book
   itself is `connectors.party_registry.damage`.)
4. Dying: ITMO_CRASH_AT names a place of `connectors.session.crash_points`.

Underneath it stays honest: when the faults end, both ends converge without a human. Every run
starts from a seed that is logged; the same seed draws the same faults.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import aiohttp
import structlog
from aiohttp import web

from connectors.party_registry import simulator_forgery as forgery
from connectors.party_registry.config import RegistryConfig
from connectors.party_registry.connector import Connector
from connectors.party_registry.reconciliation import QUESTIONS, Reconciliation
from connectors.party_registry.simulator_faults import (
    ANSWER_FAULTS,
    PUSH_FAULTS,
    SEND_FAULTS,
    Fault,
    FaultPlan,
)
from connectors.session.context import system_clock
from connectors.session.deliveries import Arrived
from connectors.session.handler import Transaction
from connectors.session.session import Session
from connectors.session.transport import Answer, Page, Problem, Received, Transport, TryLater
from hub.protocol.signed_objects import MEDIA_TYPES, SigningKeys, binding_of
from keys.algorithms import Algorithm
from keys.local_signer import LocalSigner, generate_key
from keys.signer import Signer

__all__ = ["SimulatedConnector"]

_REORDER_SECONDS_MAX: Final = 0.2
_HANG_SECONDS: Final = 60.0
_WRONG_DIGEST: Final = "0" * 64


class _Forger:
    """Makes and posts the forgeries of one participant."""

    def __init__(
        self,
        participant: str,
        keys: SigningKeys,
        expired: Sequence[Signer],
        clock: Callable[[], datetime],
    ) -> None:
        algorithm = Algorithm.ED25519 if keys.xml is None else Algorithm.ES256
        self.stranger = SigningKeys.of([LocalSigner(generate_key(algorithm), participant)])
        other = "CHE01" if participant != "CHE01" else "THA01"
        self._makers: dict[Fault, Callable[[bytes], bytes | None]] = {
            Fault.WRONG_KEY: lambda raw: forgery.with_keys(raw, self.stranger),
            Fault.OTHERS_NAME: lambda raw: forgery.with_sender(raw, keys, other),
            Fault.FUTURE_DATE: lambda raw: forgery.with_date(raw, keys, clock()),
            Fault.SAME_ID: lambda raw: forgery.with_other_content(raw, keys),
            Fault.ALTERED: forgery.altered,
            Fault.WRAPPED: forgery.wrapped,
        }
        if expired:
            former = SigningKeys.of(expired)
            self._makers[Fault.EXPIRED_KEY] = lambda raw: (
                forgery.with_keys(raw, former) if former.speaks(binding_of(raw)) else None
            )

    def make(self, fault: Fault, raw: bytes) -> bytes | None:
        """Return the forgery for a fault, or nothing if it is none (or not in this binding)."""
        maker = self._makers.get(fault)
        return None if maker is None else maker(raw)


class _MisbehavingTransport(Transport):
    """The way to the hub, with faults on it."""

    def __init__(self, inner: Transport, plan: FaultPlan, forger: _Forger) -> None:
        self._inner = inner
        self._plan = plan
        self._forger = forger
        self._passed = asyncio.Event()

    async def fetch(self, path: str) -> Answer:
        """Fetch without faults."""
        return await self._inner.fetch(path)

    async def fetch_page(self, path: str) -> Page | TryLater:
        """Fetch without faults."""
        return await self._inner.fetch_page(path)

    async def post_text(self, path: str, text: str) -> Page | TryLater:
        """Post without faults."""
        return await self._inner.post_text(path, text)

    async def post_envelope(self, raw: bytes) -> Answer:
        """Post an envelope, with the fault of the moment."""
        fault = self._plan.draw(SEND_FAULTS)
        if fault is None:
            return await self._post(raw)
        if fault is Fault.SAME_ID:
            # After the real one: then the hub has the id, and must answer 409.
            answer = await self._post(raw)
            await self._forge(fault, raw)
            return answer
        await self._before(fault, raw)
        answer = await self._post(raw)
        if fault is Fault.REPEAT:
            again = await self._post(raw)
            self._plan.note(fault, "same" if again == answer else "different")
        if fault is Fault.FORGET_RECEIPT:
            self._plan.note(fault, describe(answer))
            return TryLater("the simulator forgot the receipt")
        return answer

    async def _before(self, fault: Fault, raw: bytes) -> None:
        if fault is Fault.DELAY:
            await asyncio.sleep(self._plan.delay_seconds())
            self._plan.note(fault, "")
        elif fault is Fault.REORDER:
            await self._let_another_pass()
            self._plan.note(fault, "")
        else:
            await self._forge(fault, raw)

    async def _let_another_pass(self) -> None:
        self._passed.clear()
        try:
            await asyncio.wait_for(self._passed.wait(), _REORDER_SECONDS_MAX)
        except TimeoutError:
            return  # nobody else is on the way

    async def _forge(self, fault: Fault, raw: bytes) -> None:
        forged = self._forger.make(fault, raw)
        if forged is not None:
            self._plan.note(fault, describe(await self._inner.post_envelope(forged)))

    async def _post(self, raw: bytes) -> Answer:
        answer = await self._inner.post_envelope(raw)
        self._passed.set()
        return answer


def describe(answer: Answer) -> str:
    """Return an answer in a word: `receipt`, the problem's number and name, or `later`."""
    match answer:
        case Received():
            return "receipt"
        case Problem(code=code, name=name):
            return f"{code} {name}"
        case TryLater():
            return "later"


class _SimulatedSession(Session):
    """A session whose transport misbehaves."""

    plan: FaultPlan
    forger: _Forger

    def make_transport(self, client: aiohttp.ClientSession) -> Transport:
        """Return the real transport with the faults before it."""
        return _MisbehavingTransport(super().make_transport(client), self.plan, self.forger)


class _LyingReconciliation(Reconciliation):
    """Answers about the book with faults."""

    plan: FaultPlan

    def take(self, transaction: Transaction, notice: Arrived, log_index: int) -> None:
        """Take a notice, or pass a question over in silence."""
        self._fault = self.plan.draw(ANSWER_FAULTS) if notice.type in QUESTIONS else None
        if self._fault is not None:
            self.plan.note(self._fault, notice.type)
        if self._fault is not Fault.ANSWER_NOT:
            super().take(transaction, notice, log_index)

    def answer_of(
        self, transaction: Transaction, type_: str, asked: dict[str, Any], log_index: int
    ) -> tuple[str, dict[str, Any]]:
        """Return the answer with the fault of the moment."""
        answer, body = super().answer_of(transaction, type_, asked, log_index)
        if self._fault is Fault.LIE_DIGEST and "digest" in body:
            body = {**body, "digest": f"{int(body['digest'], 16) ^ 1:032x}"}
        elif self._fault is Fault.LIE_BLOCKS and body.get("blocks"):
            first, *others = body["blocks"]
            shorter = {**first, "blocks": first["blocks"][1:]}
            body = {**body, "blocks": ([shorter] if shorter["blocks"] else []) + others}
        elif self._fault is Fault.LIE_APPLIED_TO and "applied_to" in body:
            body = {**body, "applied_to": body["applied_to"] + 10**9}
        return answer, body


class SimulatedConnector(Connector):
    """A connector that misbehaves by a plan. `expired` are keys of ours whose window has ended."""

    def __init__(
        self,
        config: RegistryConfig,
        plan: FaultPlan,
        *,
        expired: Sequence[Signer] = (),
        clock: Callable[[], datetime] = system_clock,
    ) -> None:
        super().__init__(config, clock=clock)
        self.plan = plan
        self._forger = _Forger(config.participant, self.keys, expired, clock)
        log = structlog.get_logger("connectors.simulator")
        log.info("simulator", participant=config.participant, seed=plan.seed)

    def make_reconciliation(self) -> Reconciliation:
        """Return what answers about the book with faults."""
        config = self.config
        liar = _LyingReconciliation(
            has_book=config.book, secret=self.link_secret, by_api=config.reconciliation_by_api
        )
        liar.plan = self.plan
        return liar

    def make_session(self) -> Session:
        """Return a session that sends with faults."""
        session = _SimulatedSession(
            self.config.session_settings(),
            self.database,
            self.signers,
            self.anchor,
            self.registry,
            clock=self.clock,
            witness_keys=self.witness_keys,
        )
        session.plan, session.forger = self.plan, self._forger
        return session

    async def handle_push(self, request: web.Request) -> web.StreamResponse:
        """Answer a push with the fault of the moment."""
        fault = self.plan.draw(PUSH_FAULTS)
        if fault is not None:
            self.plan.note(fault, "")
        match fault:
            case Fault.PUSH_500:
                return web.Response(status=500, text="Internal Server Error")
            case Fault.PUSH_HTML:
                return web.Response(text="<html>login</html>", content_type="text/html")
            case Fault.PUSH_HANG:
                await asyncio.sleep(_HANG_SECONDS)
                return web.Response(status=504)
        answer = await super().handle_push(request)
        if fault is None or answer.status != 200 or not isinstance(answer, web.Response):
            return answer
        return self._spoil(fault, answer)

    def _spoil(self, fault: Fault, answer: web.Response) -> web.Response:
        raw = answer.body
        assert isinstance(raw, bytes), "the session answers with bytes"
        match fault:
            case Fault.PUSH_FORGET:
                return web.Response(status=502)
            case Fault.ACK_WRONG_DIGEST:
                raw = forgery.without_digest(raw, self.keys, _WRONG_DIGEST)
            case Fault.ACK_NO_DIGEST:
                raw = forgery.without_digest(raw, self.keys, None)
            case Fault.ACK_WRONG_KEY:
                raw = forgery.with_keys(raw, self._forger.stranger)
            case Fault.ACK_TOO_FAR:
                raw = forgery.changed(
                    raw,
                    self.keys,
                    lambda document: document["messages"][0]["body"].update(up_to_sequence=10**9),
                )
        return web.Response(body=raw, content_type=MEDIA_TYPES[binding_of(raw)])
