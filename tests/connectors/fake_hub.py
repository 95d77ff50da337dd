"""A small real hub for connector tests: real keys, real HTTP, real receipts and deliveries.

1. It takes envelopes as the hub does (`hub.protocol.envelopes`), answers each with a signed
   receipt, remembers it by envelope id, and routes messages into mailboxes.
2. Transfers follow the hub's own table of states; it keeps no ledger and checks no domain rule.
3. `faults` make the next answers wrong, one fault an answer: that is what it is for.
4. Participants named in `xml` have an ES256 key and get their deliveries in XML, with `content`
   beside an original in JSON, and the other way round. Answers are in the binding of the question.
"""

import asyncio
import json
import os
from collections import deque
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from hub.protocol.envelopes import (
    MEDIA_TYPE,
    PARTICIPANTS_TYP,
    PROTOCOL,
    OpenEnvelope,
    OpenMessage,
    digest,
    open_envelope,
)
from hub.protocol.errors import PeerError
from hub.protocol.limits import Limits
from hub.protocol.response_codes import ResponseCode
from hub.protocol.signed_objects import (
    MEDIA_TYPES,
    Binding,
    ObjectKind,
    SigningKeys,
    binding_of,
    open_object,
)
from hub.protocol.transfer_states import (
    InputNotAllowedError,
    TransferInput,
    next_state,
)
from hub.transparency_log.entries import encode_salt
from keys.documents import to_document
from keys.jws import sign
from keys.public_keys import KeyRecord
from keys.signer import Signer
from keys.trust import TrustStore
from message_schemas import timestamps
from message_schemas.envelopes import (
    Delivery,
    DeliveryItem,
    Notice,
    Outcome,
    Receipt,
    Verdict,
)
from message_schemas.json_codec import compose_notice, encode_body
from message_schemas.messages.actions import ActionCancellation, ActionUse
from message_schemas.messages.notices import ActionRecorded, TransferClosed, TransferCompleted
from message_schemas.messages.session import DeliveryAcknowledgement, MailboxFetch
from tests.connectors.fake_answers import ANSWERS, SPOILERS, TWISTS, problem, refuse
from tests.connectors.fake_log import FakeLog
from tests.connectors.fake_parts import INPUTS, HubTransfer, Mailbox, only_asks, with_content
from tests.connectors.worlds import XML_LABEL, Clock, make_record, make_signer

HUB = "XHB01"
RULEBOOK = "2026-11-22"


class FakeHub:
    """The hub under test control. Start it with ``async with``."""

    def __init__(
        self, *participants: str, clock: Clock | None = None, xml: Collection[str] = ()
    ) -> None:
        self.clock = clock or Clock()
        self.xml = frozenset(xml)
        self.tells_content = True
        self.answers_in: Binding | None = None  # instead of the binding of the question
        self.signers: list[Signer] = [make_signer(HUB)]
        self.xml_signer = make_signer(HUB, XML_LABEL)
        self.hub_records = [make_record(HUB), make_record(HUB, XML_LABEL)]
        self.records = {code: [make_record(code, self.label(code))] for code in participants}
        self.limits = Limits()
        self.receipts: dict[str, tuple[str, bytes]] = {}
        self.seen: list[OpenEnvelope] = []
        self.posts: list[bytes] = []
        self.transfers: dict[str, HubTransfer] = {}
        self.actions: dict[str, Any] = {}
        self.mailboxes = {code: Mailbox() for code in participants}
        self.faults: deque[str] = deque()
        self.refusals: dict[str, tuple[ResponseCode, str]] = {}  # message type -> refuse with
        self.acknowledgements: list[DeliveryAcknowledgement] = []
        self.participants_fault: str | None = None
        self.participants_fetched = 0
        self.log = FakeLog(self.clock)
        self.log_document: dict[str, object] | None = None
        self.has_log = True
        self.salts: dict[int, bytes] = {}
        self.log_index = 0
        self.now = timestamps.render(self.clock())
        self.told: set[str] = set()
        self._pushers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "FakeHub":
        application = web.Application(client_max_size=8 * 1024 * 1024)
        application.router.add_post("/v1/envelopes", self._post)
        application.router.add_get("/v1/participants", self._get_participants)
        application.add_routes(self.log.routes())
        self.server = TestServer(application)
        await self.server.start_server()
        self.url = str(self.server.make_url("")).rstrip("/")
        return self

    async def __aexit__(self, *_: object) -> None:
        for pusher in self._pushers:
            pusher.cancel()
        for mailbox in self.mailboxes.values():
            mailbox.changed.set()
        await self.server.close()

    @property
    def anchor(self) -> list[KeyRecord]:
        """The hub's public key as it is handed over outside the exchange."""
        return self.hub_records[:1]

    # --- what it signs -------------------------------------------------------------------------

    def binding(self, code: str) -> Binding:
        """Return the binding that a participant is registered with."""
        return Binding.XML if code in self.xml else Binding.JSON

    def label(self, code: str) -> str:
        """Return the label of the key that a participant has from the start."""
        return XML_LABEL if code in self.xml else "first"

    def seal(
        self, kind: ObjectKind, document: Any, binding: Binding, signers: list[Signer] | None = None
    ) -> bytes:
        """Return what the hub, or somebody else in its place, signs."""
        keys = SigningKeys.of(signers or self.signers, None if signers else self.xml_signer)
        return keys.seal(kind, document, binding)

    def participants_list(self) -> bytes:
        """Return the signed list of participants."""
        everybody = {HUB: self.hub_records, **self.records}
        payload = {
            "protocol": PROTOCOL,
            "sender": HUB,
            "created_at": timestamps.render(self.clock()),
            **({"log": self.log_document or self.log.document} if self.has_log else {}),
            "participants": [
                {
                    "code": code,
                    "party": code[:3],
                    "keys": [to_document(record) for record in records],
                }
                for code, records in everybody.items()
            ],
        }
        signers = self.signers
        if self.participants_fault == "other-key":
            signers = [make_signer(HUB, "somebody")]
        return sign(json.dumps(payload).encode(), PARTICIPANTS_TYP, signers)

    async def _get_participants(self, _request: web.Request) -> web.Response:
        self.participants_fetched += 1
        if self.participants_fault == "down":
            return web.Response(status=503)
        return web.Response(body=self.participants_list(), content_type=MEDIA_TYPE)

    # --- the door ------------------------------------------------------------------------------

    async def _post(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        self.posts.append(raw)
        fault = self.faults.popleft() if self.faults else ""
        if fault in ANSWERS:
            return ANSWERS[fault]()
        if fault == "hang":
            await asyncio.sleep(30)
        try:
            trust = TrustStore([r for records in self.records.values() for r in records])
            envelope = open_envelope(raw, trust, self.limits, self.clock())
        except PeerError as error:
            return problem(401, error.code, error.detail)
        receipt = await self._receipt(envelope)
        if receipt is None:
            return problem(409, ResponseCode.ENVELOPE_ID_REUSED, "other bytes")
        if fault == "drop":  # taken, but the answer never arrives
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        spoiled = self._spoil(receipt, fault)
        return web.Response(body=spoiled, content_type=MEDIA_TYPES[binding_of(spoiled)])

    async def _receipt(self, envelope: OpenEnvelope) -> bytes | None:
        envelope_id = envelope.envelope.envelope_id
        if envelope_id in self.receipts:
            sha256, stored = self.receipts[envelope_id]
            return stored if sha256 == envelope.sha256 else None
        self.seen.append(envelope)
        outcomes = [await self._outcome(envelope, message) for message in envelope.messages]
        log_index, salt, at = None, os.urandom(16), timestamps.render(self.clock())
        if not only_asks(envelope):
            log_index = self.log_index = len(self.log.entries)
            self.salts[log_index] = salt
            self.told = {envelope.envelope.sender}
            self._hand_on(envelope, outcomes, at)
        receipt = Receipt(
            protocol=PROTOCOL,
            receipt_for=envelope_id,
            sender=HUB,
            recipient=envelope.envelope.sender,
            envelope_sha256=envelope.sha256,
            received_at=at,
            log_index=log_index,
            entry_salt=None if log_index is None else encode_salt(salt),
            rulebook=RULEBOOK,
            outcomes=tuple(outcomes),
        )
        raw = self.seal("receipt", receipt, self.answers_in or binding_of(envelope.raw))
        if log_index is not None:
            header = envelope.envelope
            contents = {"envelope": envelope.raw, "receipt": raw}
            placed = self.log.append(
                "envelope", header.sender, header.recipient, self.told, salt, contents, at
            )
            assert placed == log_index, "nothing else is logged meanwhile"
            self.receipts[envelope_id] = (envelope.sha256, raw)
        return raw

    def _spoil(self, raw: bytes, fault: str) -> bytes:
        if fault in {"", "drop", "hang"}:
            return raw
        document, binding = open_object(raw, "receipt").read().document, binding_of(raw)
        if fault in TWISTS:
            return TWISTS[fault](raw)
        signers: list[Signer] | None = None
        label = XML_LABEL if binding is Binding.XML else ""
        if fault == "receipt-other-key":
            signers = [make_signer(HUB, f"{label} somebody")]
        elif fault == "receipt-of-a-party":
            party = next(iter(self.records))
            signers = [make_signer(party, label or "first")]
        else:
            SPOILERS[fault](document)
        return self.seal("receipt", document, binding, signers)

    async def _outcome(self, envelope: OpenEnvelope, opened: OpenMessage) -> Outcome:
        message_id = opened.message.message_id
        if opened.faults:
            return refuse(message_id, opened.faults[0].code, opened.faults[0].detail)
        if opened.message.type in self.refusals:
            return refuse(message_id, *self.refusals[opened.message.type])
        accepted = Outcome(
            message_id=message_id, outcome="accepted", code=0, name="OK", findings=()
        )
        body = opened.body
        if isinstance(body, MailboxFetch):
            return replace(accepted, result=await self._fetch(envelope.envelope.sender, body))
        if isinstance(body, DeliveryAcknowledgement):
            self.acknowledge(envelope.envelope.sender, body)
        return accepted

    # --- routing -------------------------------------------------------------------------------

    def _hand_on(self, envelope: OpenEnvelope, outcomes: list[Outcome], at: str) -> None:
        self.now = at
        sender, recipient = envelope.envelope.sender, envelope.envelope.recipient
        closed: list[tuple[str, TransferClosed]] = []
        for position, (opened, outcome) in enumerate(zip(envelope.messages, outcomes, strict=True)):
            if outcome.outcome != "accepted":
                continue
            try:
                closed += self._advance(envelope, opened)
            except InputNotAllowedError as error:
                code = ResponseCode.INPUT_NOT_ALLOWED_IN_STATE
                outcomes[position] = refuse(outcome.message_id, code, str(error))
        notices = [compose_notice(f"transfer.{body.state}", body) for _, body in closed]
        if recipient != HUB and any(outcome.outcome == "accepted" for outcome in outcomes):
            verdicts = tuple(
                Verdict(message_id=o.message_id, outcome=o.outcome, code=o.code) for o in outcomes
            )
            text = envelope.raw.decode()
            self.post_item(recipient, envelope=text, verdicts=verdicts, notices=tuple(notices))
            if notices:
                self.post_item(sender, notices=tuple(notices))

    def _advance(
        self, envelope: OpenEnvelope, opened: OpenMessage
    ) -> list[tuple[str, TransferClosed]]:
        type_, body = opened.message.type, opened.body
        header = envelope.envelope
        if type_ in {"transfer.proposal", "transfer.notification"}:
            mode = "move" if type_ == "transfer.proposal" else "notify_and_record"
            assert body is not None
            transfer_id = getattr(body, "transfer_id", "")
            self.transfers[transfer_id] = HubTransfer(
                header.sender, header.recipient, body, mode, envelope.sha256
            )
            return []
        if isinstance(body, ActionUse | ActionCancellation):
            self.actions[body.action_id] = body
            self.post_item(header.sender, notices=(self._action_notice(header.sender, body),))
            return []
        transfer = self.transfers.get(getattr(body, "transfer_id", ""))
        if transfer is None or not type_.startswith("transfer."):
            return []
        assert getattr(body, "previous_sha256", None) == transfer.proposal_sha256
        decision = getattr(body, "decision", "withdrawn")
        return [(transfer.acquirer, self.close(transfer, INPUTS[decision], envelope.sha256))]

    def close(self, transfer: HubTransfer, input_: TransferInput, sha256: str) -> TransferClosed:
        """Move a transfer to a final state and return the notice of it."""
        transfer.state = next_state(transfer.state, input_)
        kind = TransferCompleted if transfer.state.value == "completed" else TransferClosed
        return kind(
            transfer_id=transfer.body.transfer_id,
            mode="move" if transfer.mode == "move" else "notify_and_record",
            state=transfer.state.value,  # type: ignore[arg-type]  # a final state is all it can be
            closed_at=timestamps.render(self.clock()),
            log_index=self.log_index,
            quantity=transfer.body.quantity,
            initiator=transfer.initiator,
            acquirer=transfer.acquirer,
            previous_sha256=sha256,
        )

    def expire(self, transfer_id: str) -> None:
        """Let the answer's deadline pass, and tell both ends."""
        transfer = self.transfers[transfer_id]
        self.log_index = len(self.log.entries)
        self.now = timestamps.render(self.clock())
        body = self.close(transfer, TransferInput.DEADLINE_PASSED, transfer.proposal_sha256)
        for code in (transfer.initiator, transfer.acquirer):
            self.post_item(code, notices=(compose_notice("transfer.expired", body),))
        told = (transfer.initiator, transfer.acquirer)
        self.log.append("act", HUB, HUB, told, os.urandom(16), {"act": b"expired"}, self.now)

    def _action_notice(self, sender: str, body: ActionUse | ActionCancellation) -> Notice:
        ranges = tuple(block.range for block in body.blocks)
        recorded = ActionRecorded(
            action_id=body.action_id,
            kind="use" if isinstance(body, ActionUse) else "cancellation",
            registry=sender,
            quantity=body.quantity,
            ranges=ranges,
            recorded_at=timestamps.render(self.clock()),
        )
        return compose_notice("action.recorded", recorded)

    # --- mailboxes -----------------------------------------------------------------------------

    def post_item(
        self,
        recipient: str,
        *,
        envelope: str | None = None,
        verdicts: tuple[Verdict, ...] = (),
        notices: tuple[Notice, ...] = (),
    ) -> None:
        """Put an item into a mailbox."""
        mailbox = self.mailboxes[recipient]
        self.told.add(recipient)
        salt = None if envelope is None else encode_salt(self.salts[self.log_index])
        mailbox.items.append(
            DeliveryItem(
                sequence=len(mailbox.items) + 1,
                log_index=self.log_index,
                recorded_at=self.now,
                envelope=envelope,
                entry_salt=salt,
                verdicts=verdicts,
                notices=notices,
            )
        )
        mailbox.changed.set()

    def delivery(self, recipient: str, first: int, last: int) -> bytes:
        """Return a signed delivery of a range of items."""
        items = tuple(self.mailboxes[recipient].items[first - 1 : last])
        return self.sign_delivery(recipient, items)

    def sign_delivery(
        self,
        recipient: str,
        items: tuple[DeliveryItem, ...],
        *,
        signers: list[Signer] | None = None,
        created_at: datetime | None = None,
        replaces: tuple[int, ...] = (),
        binding: Binding | None = None,
    ) -> bytes:
        """Return a signed delivery of these items, whatever they are: a leaf of the log too."""
        chosen = binding or self.binding(recipient)
        if self.tells_content:
            items = tuple(with_content(item, chosen) for item in items)
        salt, at = os.urandom(16), timestamps.render(created_at or self.clock())
        delivery = Delivery(
            protocol=PROTOCOL,
            sender=HUB,
            recipient=recipient,
            first_sequence=items[0].sequence,
            last_sequence=items[-1].sequence,
            log_index=len(self.log.entries),
            entry_salt=encode_salt(salt),
            created_at=at,
            items=items,
            replaces=replaces,
        )
        raw = self.seal("delivery", delivery, chosen, signers)
        if signers is None and created_at is None:
            self.log.append("delivery", HUB, recipient, [recipient], salt, {"delivery": raw}, at)
        return raw

    def next_delivery(self, recipient: str, items_max: int = 100) -> bytes | None:
        """Return the delivery that is due: the same bytes until it is acknowledged."""
        mailbox = self.mailboxes[recipient]
        if mailbox.open_delivery is None and len(mailbox.items) > mailbox.acknowledged:
            last = min(len(mailbox.items), mailbox.acknowledged + items_max)
            mailbox.open_delivery = self.delivery(recipient, mailbox.acknowledged + 1, last)
        return mailbox.open_delivery

    def acknowledge(self, sender: str, body: DeliveryAcknowledgement) -> None:
        """Take an acknowledgement, by push or through the door."""
        self.acknowledgements.append(body)
        mailbox = self.mailboxes[sender]
        if body.up_to_sequence > len(mailbox.items):
            return  # acknowledges what was never delivered
        if mailbox.open_delivery and body.delivery_sha256 == digest(mailbox.open_delivery):
            mailbox.acknowledged = max(mailbox.acknowledged, body.up_to_sequence)
            mailbox.open_delivery = None

    async def _fetch(self, sender: str, body: MailboxFetch) -> dict[str, Any]:
        mailbox = self.mailboxes[sender]
        delivery = self.next_delivery(sender, body.items_max or 100)
        if delivery is None and body.wait_seconds:
            mailbox.changed.clear()
            try:
                await asyncio.wait_for(mailbox.changed.wait(), body.wait_seconds)
            except TimeoutError:
                return {"delivery": None, "waiting": 0}
            delivery = self.next_delivery(sender, body.items_max or 100)
        return {"delivery": None if delivery is None else delivery.decode(), "waiting": 0}

    def push_to(self, recipient: str, url: str) -> None:
        """Push whatever comes for a recipient to its address from now on, until the end."""
        self._pushers.append(asyncio.create_task(self._keep_pushing(recipient, url)))

    async def _keep_pushing(self, recipient: str, url: str) -> None:
        mailbox = self.mailboxes[recipient]
        async with aiohttp.ClientSession() as client:
            while True:
                mailbox.changed.clear()
                raw = self.next_delivery(recipient)
                if raw is None:
                    await mailbox.changed.wait()
                    continue
                status, _ = await self.push(client, url, raw)
                if status != 200 or self.next_delivery(recipient) == raw:
                    await asyncio.sleep(0.05)

    async def push(self, client: aiohttp.ClientSession, url: str, raw: bytes) -> tuple[int, bytes]:
        """Push a delivery and take the acknowledgement; return the status and the answer."""
        headers = {"Content-Type": MEDIA_TYPES[binding_of(raw)]}
        async with client.post(url, data=raw, headers=headers) as response:
            body = await response.read()
        if response.status == 200:
            trust = TrustStore([r for records in self.records.values() for r in records])
            try:
                await self._receipt(open_envelope(body, trust, self.limits, self.clock()))
            except PeerError as error:
                return int(error.code), body
        return response.status, body


__all__ = ["HUB", "FakeHub", "encode_body", "problem", "refuse"]
