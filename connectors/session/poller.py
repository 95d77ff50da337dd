"""Fetches deliveries from a hub that cannot reach us: a long poll that never overlaps itself.

`mailbox.fetch` waits at the hub up to `fetch_wait_seconds`; what comes goes the way of a pushed
delivery, and the acknowledgement goes to the hub's door before the next fetch. If it gets lost,
the hub hands out the same bytes again and they are acknowledged again.
"""

from __future__ import annotations

import asyncio
from typing import Final

from connectors.session import state
from connectors.session.alarms import AlarmKind
from connectors.session.context import SessionContext
from connectors.session.exchanger import Exchanger, HubRefusedError, HubUnavailableError
from connectors.session.receiver import Acknowledged, Receiver
from keys.errors import SignerError
from message_schemas.messages.session import MailboxFetch

__all__ = ["Poller"]

_PAUSED_SECONDS: Final = 1.0


class Poller:
    """The worker that fetches. `run` until cancelled."""

    def __init__(self, context: SessionContext, exchanger: Exchanger, receiver: Receiver) -> None:
        self._context = context
        self._exchanger = exchanger
        self._receiver = receiver

    async def run(self) -> None:
        """Fetch until cancelled, backing off while there is nothing usable."""
        failures = 0
        while True:
            retry_after: float | None = None
            if self._context.pause is not None:
                await asyncio.sleep(_PAUSED_SECONDS)
                continue
            try:
                done = await self.fetch_once(self._context.settings.fetch_wait_seconds)
            except HubUnavailableError as error:
                done, retry_after = False, error.retry_after_seconds
                self._context.log.warning("fetch.failed", detail=str(error))
            except (HubRefusedError, SignerError) as error:
                done = False
                self._context.log.error("fetch.refused", detail=str(error))
            failures = 0 if done else failures + 1
            if failures:
                await asyncio.sleep(self._context.retry_delay(failures, retry_after))

    async def fetch_once(self, wait_seconds: int) -> bool:
        """Fetch, apply and acknowledge one delivery; tell whether the hub was understood.

        Raises:
            HubUnavailableError: nothing usable came back.
            HubRefusedError: the hub refused the question itself.
            SignerError: the private key cannot be used now.
        """
        after = await self._context.database.read(state.load_int, state.APPLIED_THROUGH)
        body = MailboxFetch(
            after_sequence=after,
            wait_seconds=wait_seconds,
            items_max=self._context.settings.fetch_items_max,
        )
        outcome = await self._exchanger.ask("mailbox.fetch", body)
        if outcome.outcome != "accepted" or outcome.result is None:
            raise HubUnavailableError(f"mailbox.fetch: {outcome.code} {outcome.name}")
        delivery = outcome.result.get("delivery")
        if delivery is None:
            return True
        answer = await self._receiver.receive(str(delivery).encode("utf-8"))
        if not isinstance(answer, Acknowledged):
            return False
        return await self._acknowledge(answer)

    async def _acknowledge(self, answer: Acknowledged) -> bool:
        outcome = await self._exchanger.post(answer.envelope_id, answer.message_id, answer.raw)
        if outcome.outcome == "refused":
            detail = f"{outcome.code} {outcome.name}"
            await self._context.raise_alarm(
                AlarmKind.ACKNOWLEDGEMENT_REFUSED, "delivery.acknowledgement", detail
            )
            return False
        return True
