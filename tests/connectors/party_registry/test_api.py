"""The local API and the webhooks: what a registry in any other language builds on."""

import asyncio
import hmac
import json
from functools import partial
from hashlib import sha256
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from connectors.party_registry.config import WebhookSection
from connectors.party_registry.openapi import openapi_document
from hub.protocol.response_codes import ResponseCode
from tests.connectors.fake_hub import HUB
from tests.connectors.party_registry.conftest import (
    APPROACH,
    AUTHORIZATION,
    Registry,
    Trade,
    proposal,
)
from tests.connectors.party_registry.test_trade import is_state, propose
from tests.connectors.session.conftest import until

SECRET = b"a webhook secret for tests only"


async def test_without_the_token_nothing_is_shown_or_done(trade: Trade) -> None:
    """Only health and the OpenAPI document are open; a wrong token is no token."""
    seller = await trade.start("THA01")
    async with aiohttp.ClientSession() as client:
        for token in ("", "Bearer wrong", f"bearer {seller.token}"):
            for path in ("/v1/holdings", "/v1/alarms", "/metrics", "/v1/no/such/path"):
                url = seller.connector.api_url + path
                async with client.get(url, headers={"Authorization": token}) as response:
                    assert response.status == 401
        for path in ("/openapi.json", "/health/live"):
            async with client.get(seller.connector.api_url + path) as response:
                assert response.status == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"account": "x y"},
        {"account": "TH-1", "colour": "green"},
        {"account": 7},
        {"account": "TH-1", "kind": "use"},
    ],
)
async def test_a_malformed_request_is_refused_with_the_field(
    trade: Trade, body: dict[str, Any]
) -> None:
    """Misspelt, missing or wrongly typed members are told, and nothing happens."""
    seller = await trade.start("THA01")
    answer = await seller.call("POST", "/v1/accounts", body, status=422)
    assert answer["name"] == "request"
    assert (await seller.call("GET", "/v1/accounts"))["accounts"] == []


async def test_every_route_is_in_the_openapi_document(trade: Trade) -> None:
    """The document lists each path and method, and every reference in it leads somewhere."""
    await trade.start("THA01")
    document = openapi_document()
    assert document["openapi"] == "3.1.0"
    assert {"get", "post"} <= document["paths"]["/v1/transfers"].keys()
    assert "/v1/outbox/{envelope_id}/{command}" in document["paths"]
    references = set(_references(document))
    names = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references <= names


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [found for member in value.values() for found in _references(member)]
    if isinstance(value, list):
        return [found for member in value for found in _references(member)]
    return []


async def test_health_metrics_inbox_and_outbox_tell_how_it_stands(trade: Trade) -> None:
    """Ready with a list of participants; items in order; confirmation never runs ahead."""
    seller, buyer = await trade.seller(), await trade.buyer(auto_accept=True)
    transfer_id = await propose(seller)
    await until(partial(is_state, buyer, transfer_id, "completed"))
    assert (await buyer.call("GET", "/health/ready"))["ready"] is True
    items = (await buyer.call("GET", "/v1/inbox?after=0"))["items"]
    assert [item["sequence"] for item in items] == list(range(1, len(items) + 1))
    assert items[0]["sender"] == "THA01"
    await buyer.call("POST", "/v1/inbox/confirm", {"through": len(items) + 1}, status=409)
    done = await buyer.call("POST", "/v1/inbox/confirm", {"through": len(items)})
    assert done == {"confirmed_through": len(items)}
    assert (await seller.call("GET", "/v1/outbox"))["counts"]["parked"] == 0
    async with aiohttp.ClientSession() as client:
        headers = {"Authorization": f"Bearer {buyer.token}"}
        async with client.get(buyer.connector.api_url + "/metrics", headers=headers) as response:
            text = await response.text()
    assert f"itmo_session_items_applied_total {float(len(items))}" in text


async def test_a_parked_envelope_is_operated_through_the_api(trade: Trade) -> None:
    """Abandoning ends what it carried: the units come back, and the line goes on."""
    seller = await trade.seller()
    trade.hub.faults.extend(["problem-401"] * 3)
    await seller.call("POST", "/v1/transfers", proposal())
    await until(partial(_parked, seller))
    assert (await seller.call("GET", "/health/ready", status=503))["ready"] is False
    entry = next(
        e for e in (await seller.call("GET", "/v1/outbox"))["envelopes"] if e["state"] == "parked"
    )
    trade.hub.faults.clear()
    await seller.call("POST", f"/v1/outbox/{entry['envelope_id']}/abandon")
    await seller.call("POST", f"/v1/outbox/{entry['envelope_id']}/abandon", status=409)
    assert all(reserved is None for *_, reserved in await seller.holds("TH-100-1"))
    assert await seller.check() == []


async def _parked(registry: Registry) -> bool:
    counts = (await registry.call("GET", "/v1/outbox"))["counts"]
    return bool(counts["parked"])


async def test_a_registry_with_its_own_book_uses_messages(trade: Trade) -> None:
    """Without a book here, whole bodies are submitted and tracked; bad ones are refused."""
    plain = await trade.start("THA01", book=False)
    await plain.call("POST", "/v1/accounts", {"account": "TH-1"}, status=409)
    body = {
        "action": "first_transfer",
        "cooperative_approach": "CA0001",
        "transferring_account": "T-1",
        "acquiring_account": "C-1",
        "purpose": "NDC",
        "quantity": 10,
        "blocks": [
            {
                "first_id": "CA0001-THA01-THA-1-2022",
                "last_id": "CA0001-THA01-THA-10-2022",
                "quantity": 10,
                "metric": "GHG",
                "mitigation_type": "Emission reductions",
                "authorization_id": "TH-2022-001",
                "authorization_version": 1,
                "sector": "Transportation",
            }
        ],
    }
    message = {"recipient": "CHE01", "type": "transfer.proposal", "body": body}
    sent = await plain.call("POST", "/v1/messages", message)
    await until(partial(is_state, plain, sent["id"], "proposed"))
    wrong = {**message, "body": {**body, "quantity": "ten"}}
    answer = await plain.call("POST", "/v1/messages", wrong, status=409)
    assert "/quantity" in answer["detail"]
    unknown = {**message, "type": "transfer.telepathy"}
    await plain.call("POST", "/v1/messages", unknown, status=409)


async def test_with_a_book_units_move_by_the_books_commands_only(trade: Trade) -> None:
    """A raw proposal would move units that the book never reserved: refused."""
    seller = await trade.seller()
    message = {"recipient": "CHE01", "type": "transfer.proposal", "body": {}}
    answer = await seller.call("POST", "/v1/messages", message, status=409)
    assert "book's own commands" in answer["detail"]


async def test_issuing_needs_an_authorization_that_the_hub_recorded(trade: Trade) -> None:
    """Refused by the hub, or of another vintage: nothing is issued."""
    trade.hub.refusals["authorization.record"] = (ResponseCode.RECORD_VERSION_NOT_NEXT, "version 1")
    seller = await trade.start("THA01")
    await seller.call("POST", "/v1/accounts", {"account": "TH-100-1"})
    for type_, body in (
        ("cooperative_approach.record", APPROACH),
        ("authorization.record", AUTHORIZATION),
    ):
        message = {"recipient": HUB, "type": type_, "body": body}
        await seller.call("POST", "/v1/messages", message)
    await until(partial(_has_alarms, seller))
    issue = {
        "account": "TH-100-1",
        "authorization": "TH-2022-001",
        "vintage": 2022,
        "quantity": 10,
    }
    answer = await seller.call("POST", "/v1/issuances", issue, status=409)
    assert "in force" in answer["detail"]
    (alarm,) = (await seller.call("GET", "/v1/alarms"))["alarms"]
    await seller.call("POST", f"/v1/alarms/{alarm['alarm_id']}/close")
    assert await seller.alarms() == []


async def _has_alarms(registry: Registry) -> bool:
    return bool(await registry.alarms())


class Receiver:
    """The registry behind the connector: takes events, sometimes not at once."""

    def __init__(self, refuse_first: int) -> None:
        self.refuse = refuse_first
        self.taken: list[tuple[int, dict[str, Any]]] = []
        self.changed = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        """Check the signature as the documentation says, and take the event."""
        body = await request.read()
        stamp, number = request.headers["ITMO-Timestamp"], request.headers["ITMO-Event-Id"]
        signed = f"{stamp}.{number}.".encode() + body
        expected = "v1=" + hmac.new(SECRET, signed, sha256).hexdigest()
        assert hmac.compare_digest(request.headers["ITMO-Signature"], expected)
        if self.refuse:
            self.refuse -= 1
            return web.Response(status=503)
        self.taken.append((int(number), json.loads(body)))
        return web.Response(status=204)


async def test_events_are_pushed_signed_in_order_until_taken(trade: Trade) -> None:
    """A registry that is down for three attempts still gets every event once, in order."""
    receiver = Receiver(refuse_first=3)
    application = web.Application()
    application.router.add_post("/events", receiver.take)
    server = TestServer(application)
    await server.start_server()
    trade.stack.push_async_callback(server.close)
    secret_file = trade.folder / "webhook-secret"
    secret_file.write_bytes(SECRET)
    secret_file.chmod(0o600)
    webhooks = WebhookSection(url=str(server.make_url("/events")), secret_file=secret_file)
    seller, buyer = await trade.seller(), await trade.buyer(auto_accept=True, webhooks=webhooks)
    transfer_id = await propose(seller)
    await until(partial(is_state, buyer, transfer_id, "completed"))
    await until(lambda: len(receiver.taken) == 4)
    numbers = [number for number, _ in receiver.taken]
    kinds = {event["kind"] for _, event in receiver.taken}
    assert numbers == sorted(set(numbers))
    assert kinds == {"message.transfer.proposal", "outcome", "notice.transfer.completed"}

    async def nothing_waits() -> bool:  # the last one is settled after its receiver answered
        return bool((await buyer.call("GET", "/v1/webhooks"))["waiting"] == 0)

    await until(nothing_waits)
