"""Two registries with books of their own at a real hub: one speaks XML, the other JSON.

Each is the connector as its operator runs it, from its settings file; the hub is a process.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select

from connectors.party_registry.cli_init import write_settings
from connectors.party_registry.config import RegistryConfig, load_config
from connectors.party_registry.connector import Connector
from connectors.session.log.standing import read_standing
from connectors.session.tables import inbox_delivery, inbox_item, outbox_envelope
from hub.protocol.signed_objects import Binding, binding_of
from keys.documents import render_document
from keys.public_keys import KeyRecord, PublicKey
from tests.connectors.party_registry.conftest import (
    APPROACH,
    AUTHORIZATION,
    Registry,
    proposal,
)
from tests.connectors.session.conftest import until
from tests.integration.conftest import KINDS, new_database_url
from tests.integration.hub_process import HubUnderTest, hub_key_variable, register
from tests.integration.peers import now, seeded_signer, seeded_xml_signer

XML, JSON = Binding.XML, Binding.JSON
ACCOUNTS = {"THA01": "TH-100-1", "CHE01": "CH-100-1"}


class Registries:
    """Writes the settings of registries and starts them; all are stopped in the end."""

    def __init__(self, hub: HubUnderTest, folder: Path, stack: AsyncExitStack) -> None:
        self.hub = hub
        self.folder = folder
        self.stack = stack

    async def restart(self, registry: Registry, binding: Binding) -> Registry:
        """Stop a registry and start it again in a binding."""
        await registry.connector.stop()
        return await self.start(registry.connector.config.participant, binding)

    async def start(self, code: str, binding: Binding) -> Registry:
        """Start a registry on the database it had before, in a binding, accepting everything."""
        connector = await self.stack.enter_async_context(Connector(self._config(code, binding)))
        client = await self.stack.enter_async_context(aiohttp.ClientSession())
        return Registry(connector, client)

    def _config(self, code: str, binding: Binding) -> RegistryConfig:
        home = self.folder / code
        home.mkdir(exist_ok=True)
        der = seeded_signer("XHB01").public_key_der
        anchor = KeyRecord.of(PublicKey.from_der("XHB01", der), now())
        (home / "hub.json").write_bytes(render_document(anchor))
        (home / "registry.toml").unlink(missing_ok=True)
        (home / "api-token").unlink(missing_ok=True)
        path = write_settings(
            home,
            participant=code,
            hub_url=self.hub.address,
            hub_keys=[home / "hub.json"],
            key_uris=[f"env:{code}_{binding}"],
            api_listen="127.0.0.1:0",
            push_listen=None,
            book=True,
            auto_accept=True,
            binding=binding,
        )
        config = load_config(path)
        limits = config.limits.model_copy(update={"retry_delay_seconds_min": 0.1})
        log = config.log.model_copy(update={"log_seconds": 0.5})
        return config.model_copy(update={"limits": limits, "log": log})


@pytest.fixture
async def registries(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Registries]:
    """A hub that speaks both, on the database of the parameter, and the keys of two registries."""
    url = new_database_url(request, request.param, tmp_path)
    await asyncio.to_thread(register, url, None, ("XHB01", *ACCOUNTS))
    for code in ACCOUNTS:
        monkeypatch.setenv(f"{code}_json", hub_key_variable(seeded_signer(code)))
        monkeypatch.setenv(f"{code}_xml", hub_key_variable(seeded_xml_signer(code)))
    environment = {"ITMO_HUB_CHECKPOINT_SECONDS": "0.2"}
    hub = HubUnderTest(url, tmp_path, environment=environment, speaks_xml=True)
    await hub.start()
    try:
        async with AsyncExitStack() as stack:
            yield Registries(hub, tmp_path, stack)
    finally:
        hub.kill_now()


async def prepare(seller: Registry, buyer: Registry) -> None:
    """Record and issue 1,000 units in the account of THA01, and open one at CHE01."""
    for type_, body in (
        ("cooperative_approach.record", APPROACH),
        ("authorization.record", AUTHORIZATION),
    ):
        message = {"recipient": "XHB01", "type": type_, "body": body}
        await seller.call("POST", "/v1/messages", message)
    await until(partial(is_in_force, seller))
    await seller.call("POST", "/v1/accounts", {"account": ACCOUNTS["THA01"]})
    await buyer.call("POST", "/v1/accounts", {"account": ACCOUNTS["CHE01"]})
    units = {"authorization": "TH-2022-001", "vintage": 2022, "quantity": 1000}
    more = {"sector": "Transportation", "activity_type": "Transport"}
    await seller.call("POST", "/v1/issuances", {"account": "TH-100-1", **units, **more})


async def is_in_force(seller: Registry) -> bool:
    """Tell whether the hub has recorded the authorization."""
    found = await seller.call("GET", "/v1/records")
    return bool(found["authorizations"][0]["state"] == "in_force")


async def trade(seller: Registry, buyer: Registry, quantity: int) -> None:
    """Transfer units to CHE01, which accepts by itself, and wait until both books have them."""
    made = await seller.call("POST", "/v1/transfers", proposal(quantity=quantity))
    for registry in (seller, buyer):
        await until(partial(is_completed, registry, made["transfer_id"]))


async def is_completed(registry: Registry, transfer_id: str) -> bool:
    """Tell whether a registry sees a transfer completed."""
    state = await registry.state_of(transfer_id)
    assert state in {None, "submitted", "proposed", "accepted", "completed"}, state
    return state == "completed"


async def column(registry: Registry, name: Any) -> list[Any]:
    """Return a column of the registry's database, without nulls, in the order of the rows."""
    database = registry.connector.database
    found = await database.read(lambda c: c.execute(select(name)).scalars().all())
    return [value for value in found if value is not None]


async def bindings_of(registry: Registry, name: Any) -> Counter[Binding]:
    """Return in which bindings the signed objects of a column are."""
    return Counter(binding_of(raw) for raw in await column(registry, name))


async def is_all_proven(registry: Registry) -> bool:
    """Tell whether each entry of the log that the hub promised is proven."""
    claims = (await registry.connector.database.read(read_standing)).claims
    return claims["proven"] > 0 and claims["pending"] == 0


def total(blocks: list[tuple[str, str, str, str | None]]) -> int:
    """Return how many units blocks hold, by their serial numbers."""
    return sum(int(b[1].split("-")[3]) - int(b[0].split("-")[3]) + 1 for b in blocks)


@pytest.mark.slow
@pytest.mark.parametrize("registries", KINDS, indirect=True)
async def test_an_xml_registry_and_a_json_registry_trade(registries: Registries) -> None:
    """Both books are sound, every promise is proven, and each end writes and gets its binding."""
    seller = await registries.start("THA01", XML)
    buyer = await registries.start("CHE01", JSON)
    await prepare(seller, buyer)
    for quantity in (100, 250):
        await trade(seller, buyer, quantity)
    assert total(await buyer.holds("CH-100-1")) == 350
    assert await seller.check() == await buyer.check() == []
    for registry, binding in ((seller, XML), (buyer, JSON)):
        await until(partial(is_all_proven, registry))
        for objects in (outbox_envelope.c.raw, outbox_envelope.c.receipt):
            assert set(await bindings_of(registry, objects)) == {binding}
        assert (await bindings_of(registry, inbox_delivery.c.raw))[binding] > 0
        assert await registry.alarms() == []
    contents = [item for item in await column(buyer, inbox_item.c.item) if b'"content"' in item]
    assert contents, "an original in XML comes with its content in JSON"


@pytest.mark.slow
@pytest.mark.parametrize("registries", ["sqlite"], indirect=True)
async def test_a_registry_changes_its_binding_between_two_transfers(
    registries: Registries,
) -> None:
    """JSON, then XML after a restart, then JSON again: hello says so and the books stay sound."""
    seller = await registries.start("THA01", JSON)
    buyer = await registries.start("CHE01", JSON)
    await prepare(seller, buyer)
    await trade(seller, buyer, 100)
    for binding in (XML, JSON):
        before = len(await column(buyer, inbox_delivery.c.raw))
        buyer = await registries.restart(buyer, binding)
        await until(partial(is_idle, buyer))
        await trade(seller, buyer, 100)
        fresh = (await column(buyer, inbox_delivery.c.raw))[before:]
        assert {binding_of(raw) for raw in fresh} == {binding}
    assert total(await buyer.holds("CH-100-1")) == 300
    assert await seller.check() == await buyer.check() == []
    assert await seller.alarms() == await buyer.alarms() == []
    registries.hub.prove()


@pytest.mark.slow
@pytest.mark.parametrize("registries", ["sqlite"], indirect=True)
async def test_a_registry_goes_back_to_json_at_a_hub_without_a_key_for_xml(
    registries: Registries,
) -> None:
    """What was written in XML is parked with the remedy; signed anew as JSON it arrives."""
    registries.hub.kill_now()
    registries.hub.speaks_xml = False
    await registries.hub.start()
    seller = await registries.start("THA01", XML)
    await until(partial(is_parked, seller))
    (entry,) = (await seller.call("GET", "/v1/outbox"))["envelopes"]
    assert "MEDIA_TYPE_NOT_SUPPORTED" in entry["reason"]
    assert "JSON" in entry["reason"], entry["reason"]
    seller = await registries.restart(seller, JSON)
    await seller.call("POST", f"/v1/outbox/{entry['envelope_id']}/reseal")
    buyer = await registries.start("CHE01", JSON)
    await prepare(seller, buyer)
    await trade(seller, buyer, 100)
    assert set(await bindings_of(seller, outbox_envelope.c.receipt)) == {JSON}
    refused = [alarm for alarm in await seller.alarms() if alarm == "message-refused"]
    assert len(refused) == 1, "the hello that asked for XML"


async def is_parked(registry: Registry) -> bool:
    """Tell whether an envelope waits for an operator."""
    counts = (await registry.call("GET", "/v1/outbox"))["counts"]
    return bool(counts["parked"])


async def is_idle(registry: Registry) -> bool:
    """Tell whether nothing of a registry waits for the hub."""
    return not any((await registry.call("GET", "/v1/outbox"))["counts"].values())
