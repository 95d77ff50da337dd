"""A fake hub that knows a64 messages: it takes each natural id once, and some never."""

import asyncio
import json
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from hub.protocol.envelopes import OpenEnvelope, OpenMessage
from hub.protocol.response_codes import ResponseCode
from keys.documents import render_document
from keys.signer import Signer
from message_schemas.blocks import BlockRange
from message_schemas.envelopes import Outcome
from message_schemas.messages.article64 import A64FirstTransfer, A64IssuanceNotice
from tests.connectors.fake_hub import FakeHub, refuse
from tests.connectors.worlds import make_signer

MECHANISM = "XMR01"


class MechanismHub(FakeHub):
    """The hub as the mechanism registry sees it.

    ``taken`` counts how often each natural id arrived in a fresh envelope, in order of arrival;
    ``refused_accounts`` are accounts it refuses; ``shares`` proves that shares came first.
    """

    def __init__(self, xml: Collection[str] = ()) -> None:
        super().__init__(MECHANISM, xml=xml)
        self.taken: Counter[str] = Counter()
        self.order: list[tuple[str, str]] = []
        self.refused_accounts: set[str] = set()
        self.arrived_count = 0
        self._arrival = asyncio.Condition()

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        return self

    async def posted_at_least(self, count: int) -> None:
        """Wait until the hub saw so many posts, answered or not."""
        async with self._arrival:
            await self._arrival.wait_for(lambda: self.arrived_count >= count)

    async def _post(self, request: web.Request) -> web.StreamResponse:
        async with self._arrival:
            self.arrived_count += 1
            self._arrival.notify_all()
        return await super()._post(request)

    async def _outcome(self, envelope: OpenEnvelope, opened: OpenMessage) -> Outcome:
        outcome = await super()._outcome(envelope, opened)
        body = opened.body
        if outcome.outcome != "accepted":
            return outcome
        if isinstance(body, A64IssuanceNotice):
            return self._take(f"issuance {body.issuance_id}", body.issuance_id, "issuance", outcome)
        if isinstance(body, A64FirstTransfer):
            if body.acquiring_account in self.refused_accounts:
                return _refuse_account(outcome, body)
            issuance = body.issuance_id or ""
            return self._take(body.first_transfer_id, issuance, body.kind, outcome)
        return outcome

    def _take(self, reference: str, issuance: str, kind: str, outcome: Outcome) -> Outcome:
        self.taken[reference] += 1
        self.order.append((issuance, kind))
        return outcome if self.taken[reference] == 1 else replace(outcome, outcome="duplicate-of")

    def kinds_of(self, issuance: str) -> list[str]:
        """Return the kinds of an issuance's messages, as they arrived, without repetition."""
        return list(dict.fromkeys(kind for name, kind in self.order if name == issuance))


def _refuse_account(outcome: Outcome, body: A64FirstTransfer) -> Outcome:
    refused = refuse(outcome.message_id, ResponseCode.ACCOUNT_NOT_OPEN, "The account is closed.")
    block = body.blocks[0]
    blocks = (
        BlockRange(
            block.cooperative_approach,
            block.originating_registry,
            block.first_transferring_party,
            block.vintage,
            block.first_serial,
            block.last_serial,
        ),
    )
    finding = replace(refused.findings[0], path="/acquiring_account", blocks=blocks)
    return replace(refused, findings=(finding,))


def signers(label: str = "first") -> list[Signer]:
    """Return the mechanism registry's key of a label."""
    return [make_signer(MECHANISM, label)]


def write_settings(hub: FakeHub | None, folder: Path, **changes: Any) -> Path:
    """Write a settings file for a hub, and its key; return the settings file."""
    values: dict[str, Any] = {
        "hub_url": "http://127.0.0.1:9" if hub is None else hub.url,
        "hub_keys": ["hub.json"],
        "signing_keys": ["env:XMR01_KEY"],
        "delivery_mode": "none",
        "retry_delay_seconds_min": 0.02,
        "retry_delay_seconds_max": 0.1,
    }
    anchor = (hub or FakeHub()).anchor[0]
    (folder / "hub.json").write_bytes(render_document(anchor))
    path = folder / "mechanism.toml"
    # Strings, numbers and lists look the same in TOML and in JSON.
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in (values | changes).items()]
    path.write_text("".join(lines), encoding="utf-8")
    return path
