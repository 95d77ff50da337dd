"""One question, one answer: an envelope that needs no outbox.

For read-only messages (`mailbox.fetch`, `transfer.status`, `holdings.query`, `history.query`),
which the hub does not record, and for acknowledgements, which a repeated delivery asks for again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import uuid_utils

from connectors.session.context import SessionContext
from connectors.session.database import Work
from connectors.session.log.acknowledgements import note_receipt
from connectors.session.log.claims import claims_of_receipt
from connectors.session.opening import open_aside
from connectors.session.outbox import build_envelope
from connectors.session.participants import Participants
from connectors.session.receipts import ReceiptInvalidError, open_receipt
from connectors.session.transport import Problem, Received, TryLater
from connectors.session.trust import Trust
from hub.protocol.envelopes import digest
from message_schemas.envelopes import Outcome, Receipt
from message_schemas.json_codec import encode_body

__all__ = ["Exchanger", "HubRefusedError", "HubUnavailableError"]


class HubUnavailableError(Exception):
    """No usable answer: the network, the hub's load, or a receipt that does not verify."""

    def __init__(self, detail: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class HubRefusedError(Exception):
    """The hub refused the envelope as a whole, with a problem document."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class Exchanger:
    """Signs an envelope of one message, posts it and returns the verified outcome."""

    def __init__(self, context: SessionContext, participants: Participants) -> None:
        self._context = context
        self._participants = participants

    def seal(self, type_: str, body: Any) -> tuple[str, str, bytes]:
        """Return envelope id, message id and signed bytes of one message to the hub."""
        message_id = str(uuid_utils.uuid7())
        settings = self._context.settings
        messages: Sequence[tuple[str, str, dict[str, Any]]] = [
            (message_id, type_, encode_body(body))
        ]
        envelope_id, raw = build_envelope(
            settings, self._context.keys, settings.hub, messages, self._context.clock()
        )
        return envelope_id, message_id, raw

    async def ask(self, type_: str, body: Any) -> Outcome:
        """Say one message to the hub and return its outcome, whatever that is.

        Raises:
            HubUnavailableError: nothing usable came back; asking again may help.
            HubRefusedError: the hub refused the envelope; asking again will not help.
            SignerError: the private key cannot be used now.
        """
        return await self.post(*self.seal(type_, body))

    async def post(self, envelope_id: str, message_id: str, raw: bytes) -> Outcome:
        """Post sealed bytes and return the outcome; raises as `ask`."""
        if (pause := self._context.pause) is not None:
            raise HubUnavailableError(f"paused since {pause.paused_at}: {pause.detail}")
        answer = await self._context.transport.post_envelope(raw)
        match answer:
            case Problem():
                raise HubRefusedError(answer)
            case TryLater(reason, retry_after):
                raise HubUnavailableError(reason, retry_after)
            case Received(body):
                receipt = await self._open(body, envelope_id, message_id, digest(raw))
                if receipt.log_index is not None:
                    await self._file(receipt, raw, body)
                return receipt.outcomes[0]

    async def _file(self, receipt: Receipt, raw: bytes, body: bytes) -> None:
        """Keep the receipt of an acknowledgement, and the promise in it."""
        index = receipt.log_index
        assert index is not None, "what was not recorded promises nothing"
        promised = claims_of_receipt(receipt, raw, body, receipt.sender)

        def use(work: Work) -> None:
            note_receipt(work.connection, receipt.receipt_for, body, index)
            self._context.file_claims(work, promised)

        await self._context.database.write("inbox.acknowledge", use)

    async def _open(self, body: bytes, envelope_id: str, message_id: str, sha256: str) -> Receipt:
        def use(trust: Trust) -> Receipt:
            return open_receipt(
                body,
                trust=trust,
                participant=self._context.settings.participant,
                envelope_id=envelope_id,
                envelope_sha256=sha256,
                message_ids=[message_id],
                now=self._context.clock(),
                skew=self._context.skew,
            )

        for attempt in range(2):
            trust = self._context.trust
            try:
                return await open_aside(partial(use, trust), [body])
            except ReceiptInvalidError as error:
                stale = error.key_unknown and attempt == 0
                if not (stale and await self._participants.refresh(unlike=trust)):
                    raise HubUnavailableError(f"receipt refused: {error}") from error
        raise AssertionError("the second attempt returns or raises")
