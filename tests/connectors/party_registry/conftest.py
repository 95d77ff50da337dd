"""Two real registries over real HTTP, with the fake hub between them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from connectors.party_registry.cli_init import write_settings
from connectors.party_registry.config import RegistryConfig, load_config
from connectors.party_registry.connector import Connector
from keys.documents import render_document
from keys.key_files import save_encrypted
from tests.connectors.fake_hub import HUB, FakeHub
from tests.connectors.session.conftest import PARTICIPANTS, until
from tests.connectors.worlds import Clock, make_key

PASSPHRASE = "correct horse battery staple"
APPROACH = {
    "cooperative_approach": "CA0001",
    "version": 1,
    "title": "Thailand and Switzerland",
    "participating_parties": ["THA", "CHE"],
    "ndc_periods": [
        {"party": "THA", "first_year": 2021, "last_year": 2030},
        {"party": "CHE", "first_year": 2021, "last_year": 2030},
    ],
    "status": "active",
}
AUTHORIZATION = {
    "authorization_id": "TH-2022-001",
    "version": 1,
    "cooperative_approach": "CA0001",
    "authorizing_party": "THA",
    "authorized_on": "2022-02-15",
    "purposes": "NDC",
    "authorized_parties": [],
    "authorized_entities": [],
    "metric": "GHG",
    "gwp_values": "AR5",
    "sectors": ["Transportation"],
    "activity_types": [],
    "vintage_first": 2021,
    "vintage_last": 2030,
    "valid_from": "2022-02-15",
    "changes_apply_to_first_transferred": False,
    "status": "in_force",
}


def make_config(folder: Path, hub: FakeHub, participant: str, **changes: Any) -> RegistryConfig:
    """Write keys and settings of a registry as its operator would, and read them back."""
    home = folder / participant
    home.mkdir(exist_ok=True)
    key_file, document = home / "key.pem", home / "hub.json"
    if not key_file.exists():
        save_encrypted(key_file, make_key(participant, hub.label(participant)), PASSPHRASE)
        document.write_bytes(render_document(hub.anchor[0]))
        write_settings(
            home,
            participant=participant,
            hub_url=hub.url,
            hub_keys=[document],
            key_uris=[f"file:{key_file}?passphrase-env=REGISTRY_PASSPHRASE"],
            api_listen="127.0.0.1:0",
            push_listen="127.0.0.1:0" if changes.pop("push", False) else None,
            book=changes.pop("book", True),
            auto_accept=changes.pop("auto_accept", False),
            binding=hub.binding(participant),
        )
    config = load_config(home / "registry.toml")
    limits = config.limits.model_copy(
        update={
            "retry_delay_seconds_min": 0.02,
            "retry_delay_seconds_max": 0.1,
            "fetch_wait_seconds": 1,
        }
    )
    return config.model_copy(update={"limits": limits, **changes})


class Registry:
    """A running registry, called as its operator calls it."""

    def __init__(self, connector: Connector, client: aiohttp.ClientSession) -> None:
        self.connector = connector
        self._client = client
        self.token = connector.config.api.token_file.read_text().strip()

    async def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, status: int = 200
    ) -> Any:
        """Call the local API and expect a status; 2xx is any success."""
        async with self._client.request(
            method,
            self.connector.api_url + path,
            json=body,
            headers={"Authorization": f"Bearer {self.token}"},
        ) as response:
            answer = await response.json()
            expected = response.status // 100 == 2 if status == 200 else response.status == status
            assert expected, (response.status, answer)
            return answer

    async def state_of(self, transfer_id: str) -> str | None:
        """Return the state of a transfer, or nothing if it is not known yet."""
        found = (await self.call("GET", "/v1/transfers"))["transfers"]
        states = {transfer["transfer_id"]: transfer["state"] for transfer in found}
        return states.get(transfer_id)

    async def holds(self, account: str) -> list[tuple[str, str, str, str | None]]:
        """Return first and last identifier, status and reservation of the blocks in an account."""
        found = await self.call("GET", f"/v1/holdings?account={account}")
        return sorted(
            (b["first_id"], b["last_id"], b["status"], b["reserved_by"]) for b in found["blocks"]
        )

    async def check(self) -> list[str]:
        """Return what is wrong with the book."""
        problems: list[str] = (await self.call("GET", "/v1/check"))["problems"]
        return problems

    async def alarms(self) -> list[str]:
        """Return the kinds of the open alarms."""
        return [a["kind"] for a in (await self.call("GET", "/v1/alarms"))["alarms"]]


class Trade:
    """A hub and the registries that a test starts."""

    def __init__(self, hub: FakeHub, folder: Path, stack: AsyncExitStack) -> None:
        self.hub = hub
        self.folder = folder
        self.stack = stack

    async def start(self, participant: str, **changes: Any) -> Registry:
        """Start a registry; stopped at the end of the test."""
        config = make_config(self.folder, self.hub, participant, **changes)
        connector = await self.stack.enter_async_context(Connector(config, clock=self.hub.clock))
        client = await self.stack.enter_async_context(aiohttp.ClientSession())
        return Registry(connector, client)

    async def seller(self, quantity: int = 1000, **changes: Any) -> Registry:
        """Start THA01 with an authorization and units of it in the account TH-100-1."""
        seller = await self.start("THA01", **changes)
        for type_, body in (
            ("cooperative_approach.record", APPROACH),
            ("authorization.record", AUTHORIZATION),
        ):
            message = {"recipient": HUB, "type": type_, "body": body}
            await seller.call("POST", "/v1/messages", message)

        async def recorded() -> bool:
            found = await seller.call("GET", "/v1/records")
            return bool(found["authorizations"][0]["state"] == "in_force")

        await until(recorded)
        await seller.call("POST", "/v1/accounts", {"account": "TH-100-1"})
        issue = {
            "account": "TH-100-1",
            "authorization": "TH-2022-001",
            "vintage": 2022,
            "quantity": quantity,
        }
        await seller.call("POST", "/v1/issuances", issue)
        return seller

    async def buyer(self, **changes: Any) -> Registry:
        """Start CHE01 with the open account CH-100-1."""
        buyer = await self.start("CHE01", **changes)
        await buyer.call("POST", "/v1/accounts", {"account": "CH-100-1"})
        return buyer


def proposal(**changes: Any) -> dict[str, Any]:
    """Return the request to transfer 100 units from THA01 to CHE01."""
    return {
        "recipient": "CHE01",
        "cooperative_approach": "CA0001",
        "from_account": "TH-100-1",
        "to_account": "CH-100-1",
        "quantity": 100,
        **changes,
    }


def bindings(*names: str) -> pytest.MarkDecorator:
    """Return a mark that runs a test of `trade` with these named sets of XML participants."""
    xml = {"json": (), "xml": PARTICIPANTS, "xml-buyer": ("CHE01",), "xml-seller": ("THA01",)}
    return pytest.mark.parametrize("trade", [xml[name] for name in names], ids=names, indirect=True)


@pytest.fixture
async def trade(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[Trade]:
    """A hub that knows THA01, CHE01 and GHA01, no registries yet; its parameter speaks XML."""
    monkeypatch.setenv("REGISTRY_PASSPHRASE", PASSPHRASE)
    xml = getattr(request, "param", ())
    async with (
        FakeHub(*PARTICIPANTS, clock=Clock(), xml=xml) as hub,
        AsyncExitStack() as stack,
    ):
        yield Trade(hub, tmp_path, stack)
