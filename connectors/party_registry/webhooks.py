"""Tells the registry behind the connector what happened: in order, signed, until it takes it.

Each event is one POST of its exact JSON bytes, with the headers

    ITMO-Event-Id: 17
    ITMO-Timestamp: 2026-11-22T10:15:30.123Z
    ITMO-Signature: v1=hex of HMAC-SHA256(secret, "<timestamp>.<event id>.<body>")

A 2xx answer takes the event; anything else is tried again with back-off, the same event first:
the order is never changed. A receiver that sees an id twice has taken it already.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from datetime import timedelta
from hashlib import sha256

import aiohttp

from connectors.party_registry import webhook_store
from connectors.party_registry.webhook_store import WebhookEvent
from connectors.session.context import SessionContext
from connectors.session.crash_points import reach
from connectors.session.outbox import milliseconds
from message_schemas import timestamps

__all__ = ["WebhookWorker", "signature_of"]

_IDLE_SECONDS_MAX = 60.0


def signature_of(secret: bytes, timestamp: str, event_id: int, body: bytes) -> str:
    """Return the value of the header ITMO-Signature."""
    signed = f"{timestamp}.{event_id}.".encode("ascii") + body
    return f"v1={hmac.new(secret, signed, sha256).hexdigest()}"


class WebhookWorker:
    """The worker that posts events. `run` until cancelled."""

    def __init__(
        self, context: SessionContext, url: str, secret: bytes, *, seconds_max: float
    ) -> None:
        self._context = context
        self._url = url
        self._secret = secret
        self._timeout = aiohttp.ClientTimeout(total=seconds_max)
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def wake(self) -> None:
        """Tell the worker that there is an event; may be called from any thread."""
        self._loop.call_soon_threadsafe(self._changed.set)

    async def run(self) -> None:
        """Post events until cancelled."""
        async with aiohttp.ClientSession() as client:
            while True:
                self._changed.clear()
                event = await self._context.database.read(webhook_store.fetch_next)
                wait = _IDLE_SECONDS_MAX if event is None else self._seconds_until(event)
                if event is not None and wait <= 0:
                    await self._deliver(client, event)
                    continue
                with contextlib.suppress(TimeoutError):
                    # not wait_for(): on Python 3.11 it can swallow a cancellation
                    async with asyncio.timeout(wait):
                        await self._changed.wait()

    def _seconds_until(self, event: WebhookEvent) -> float:
        return event.due_at_ms / 1000 - self._context.clock().timestamp()

    async def _deliver(self, client: aiohttp.ClientSession, event: WebhookEvent) -> None:
        problem = await self._post(client, event)
        reach("webhooks.after_send")
        now = self._context.clock()
        if problem is None:
            at = timestamps.render(now)
            await self._context.database.write(
                "webhooks.settle",
                lambda work: webhook_store.settle(work.connection, event.event_id, at),
            )
            return
        delay = self._context.retry_delay(event.attempt_count + 1)
        due = milliseconds(now + timedelta(seconds=delay))
        self._context.log.warning("webhook.failed", event_id=event.event_id, reason=problem)
        await self._context.database.write(
            "webhooks.postpone",
            lambda work: webhook_store.postpone(work.connection, event.event_id, due, problem),
        )

    async def _post(self, client: aiohttp.ClientSession, event: WebhookEvent) -> str | None:
        timestamp = timestamps.render(self._context.clock())
        headers = {
            "Content-Type": "application/json",
            "ITMO-Event-Id": str(event.event_id),
            "ITMO-Timestamp": timestamp,
            "ITMO-Signature": signature_of(self._secret, timestamp, event.event_id, event.body),
        }
        try:
            async with client.post(
                self._url, data=event.body, headers=headers, timeout=self._timeout
            ) as response:
                return None if 200 <= response.status < 300 else f"HTTP {response.status}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return f"{type(error).__name__}: {error}"
