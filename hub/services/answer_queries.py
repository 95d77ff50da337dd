"""Answer messages that only ask: never recorded, answered anew each time, signed like a receipt.

What there is to see is told in ``looking``; here are the limits, the keys, the times and the wait
for a delivery.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, cast

from hub.checks.facts import MessageContext
from hub.protocol.envelopes import OpenEnvelope, OpenMessage, open_envelope
from hub.protocol.errors import PeerError
from hub.protocol.limits import Limits
from hub.protocol.response_codes import ResponseCode
from hub.services import outcomes, xml_threads
from hub.services.deliver import DeliveryErasedError, DeliveryMaker
from hub.services.load_facts import HubIdentity
from hub.services.looking import Looking
from hub.services.receive_envelopes import EnvelopeReceiver
from hub.store import mailboxes
from hub.store.database import Database
from message_schemas import timestamps
from message_schemas.envelopes import Outcome

_LOOK_AGAIN_SECONDS = 0.5  # another hub process of this database may have recorded it


def _require_few(item: OpenEnvelope, limits: Limits) -> None:
    """Raise PeerError for more questions than one answer may hold, or a second fetch."""
    types = [message.message.type for message in item.messages]
    if len(types) > limits.questions_per_envelope_max or types.count("mailbox.fetch") > 1:
        raise PeerError(
            ResponseCode.PAYLOAD_NOT_AN_ENVELOPE,
            f"{len(types)} questions, {types.count('mailbox.fetch')} of them mailbox.fetch; "
            f"{limits.questions_per_envelope_max} and 1 at most fit one envelope",
        )


class Questions:
    """The use case: one read-only envelope in, one signed answer out."""

    def __init__(
        self,
        database: Database,
        receiver: EnvelopeReceiver,
        maker: DeliveryMaker,
        *,
        identity: HubIdentity,
        limits: Limits,
        clock: Callable[[], Any],
        run_blocking: Callable[..., Awaitable[Any]],
        wait_for_news: Callable[[str, float], Awaitable[bool]],
    ) -> None:
        self._database = database
        self._receiver = receiver
        self._maker = maker
        self._looking = Looking(database, receiver.refresh, identity=identity, limits=limits)
        self._limits = limits
        self._clock = clock
        self._run_blocking = run_blocking
        self._wait_for_news = wait_for_news

    async def answer(self, item: OpenEnvelope) -> bytes:
        """Return the signed answer to a read-only envelope.

        Raises PeerError for an ended key, UnavailableError while the hub's own speaks no more.
        """
        _require_few(item, self._limits)
        if not await asyncio.to_thread(self._are_keys_good, item):
            trust, now = self._receiver.data.trust, self._clock()
            await xml_threads.run_apart(open_envelope, item.raw, trust, self._limits, now)
        found = [await self._answer(item, message) for message in item.messages]
        # The wait for a delivery may have been long: the hub's own key is judged anew.
        return await asyncio.to_thread(self._receiver.seal_answer, item, found, self._clock())

    def _are_keys_good(self, item: OpenEnvelope) -> bool:
        """Tell whether no key of the envelope has ended: in another process, a moment ago.

        One that has is not the whole answer: which of the refusals it is, opening again tells.
        """
        now = self._clock()
        trust = self._receiver.require_answerable(item, now)
        records = [trust.get(key_id) for key_id in item.key_ids]
        return all(record is not None and record.is_valid_at(now) for record in records)

    async def _answer(self, item: OpenEnvelope, message: OpenMessage) -> Outcome:
        said, now = message.message, self._clock()
        if message.body is None:
            return outcomes.refused_for_faults(said.message_id, message.faults)
        skew = timedelta(seconds=self._limits.clock_skew_seconds_max)
        sent_at = timestamps.parse(item.envelope.sent_at)
        if abs(sent_at - now) > skew:
            code = ResponseCode.SENT_AT_IN_FUTURE if sent_at > now else ResponseCode.SENT_AT_TOO_OLD
            detail = f"sent_at {item.envelope.sent_at}, received {timestamps.render(now)}"
            return outcomes.refused_for(said.message_id, code, detail)
        if said.type == "mailbox.fetch":
            await self._await_item(item.envelope.sender, message.body)
            # A new delivery may have to be stored: with the other writers, in their turn.
            return cast(Outcome, await self._run_blocking(self._look, item, message))
        return await asyncio.to_thread(self._look, item, message)

    async def _await_item(self, sender: str, body: Any) -> None:
        """Wait, as long as the participant likes, until there is something after its last item."""
        wait_seconds = min(body.wait_seconds, self._limits.fetch_wait_seconds_max)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_seconds
        while (rest := deadline - loop.time()) > 0:
            if await asyncio.to_thread(self._last_sequence, sender) > body.after_sequence:
                return
            if not await self._wait_for_news(sender, min(rest, _LOOK_AGAIN_SECONDS)):
                return

    def _last_sequence(self, sender: str) -> int:
        with self._database.reading() as connection:
            found = mailboxes.load(connection, [sender])
        return found[sender].last_sequence if sender in found else 0

    def _look(self, item: OpenEnvelope, message: OpenMessage) -> Outcome:
        """Check who asks, then read the answer."""
        said = message.message
        context = MessageContext(
            sender=item.envelope.sender,
            recipient=item.envelope.recipient,
            message_id=said.message_id,
            type=said.type,
            version=said.version,
            body=message.body,
            log_index=0,
            position=0,
            envelope_sha256=item.sha256,
            received_at=self._clock(),
        )
        if said.type != "mailbox.fetch":
            return self._looking.look(context)
        _, refusal, drafts = self._looking.examine(context)
        if refusal is not None:
            return refusal
        try:
            result = self._mailbox(context)
        except DeliveryErasedError as error:
            return outcomes.refused_for(said.message_id, ResponseCode.DELIVERY_ERASED, str(error))
        return outcomes.accepted(said.message_id, result, drafts)

    def _mailbox(self, context: MessageContext) -> dict[str, Any]:
        body: Any = context.body
        delivery, waiting = self._maker.fetch(
            self._database, context.sender, body.after_sequence, self._clock(), body.items_max
        )
        body_text = None if delivery is None or delivery.body is None else delivery.body.decode()
        return {"delivery": body_text, "waiting": waiting}
