"""TLS 1.3 or nothing, and certificates of participants where the operator asks for them."""

import asyncio
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import aiohttp
import pytest
import trustme

from hub.protocol.signed_objects import MEDIA_TYPES, Binding, binding_of
from tests.integration.hub_process import HubUnderTest, register
from tests.integration.peers import Peer, approach


@dataclass(slots=True)
class TlsHub:
    """A hub that asks for client certificates, and the authority that issues them."""

    address: str
    authority: trustme.CA

    def context(self, *client: str) -> ssl.SSLContext:
        """Return a client's context, with a certificate for these names if any."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        if client:
            self.authority.issue_cert(*client).configure_cert(context)
        return context


@pytest.fixture(scope="module")
def tls_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsHub]:
    """Run a hub with TLS and mutual authentication."""
    folder: Path = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    served = authority.issue_cert("127.0.0.1")
    served.private_key_and_cert_chain_pem.write_to_path(folder / "hub.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    url = f"sqlite:///{folder}/hub.db"
    register(url, xml=("XHB01", "THA01"))
    environment = {
        "ITMO_HUB_TLS_CERTIFICATE": str(folder / "hub.pem"),
        "ITMO_HUB_TLS_KEY": str(folder / "hub.pem"),
        "ITMO_HUB_TLS_CLIENT_CA": str(folder / "ca.pem"),
    }
    hub = HubUnderTest(url, folder, environment=environment, speaks_xml=True).start_now()
    assert hub.address.startswith("https://")
    yield TlsHub(hub.address, authority)
    hub.kill_now()


async def posted(
    hub: TlsHub, sender: str, context: ssl.SSLContext, binding: Binding = Binding.JSON
) -> tuple[int, int]:
    """Post an envelope of a sender; return status and code (0 for a receipt)."""
    peer = Peer(sender, "", cast(aiohttp.ClientSession, None), binding=binding)
    raw = peer.envelope("XHB01", approach())
    connector = aiohttp.TCPConnector(ssl=context)
    async with (
        aiohttp.ClientSession(connector=connector) as http,
        http.post(
            hub.address + "/v1/envelopes",
            data=raw,
            headers={"Content-Type": MEDIA_TYPES[binding]},
        ) as response,
    ):
        body = await response.read()
        if binding_of(body) is Binding.XML:
            return response.status, 0
        document = json.loads(body)
        return response.status, document.get("code", 0)


async def test_a_participant_with_its_own_certificate_is_served(tls_hub: TlsHub) -> None:
    """The certificate's name is the participant's code, in whatever case an authority writes."""
    assert await posted(tls_hub, "THA01", tls_hub.context("THA01")) == (200, 0)
    assert await posted(tls_hub, "THA01", tls_hub.context("tha01")) == (200, 0)


async def test_nobody_posts_over_the_connection_of_another(tls_hub: TlsHub) -> None:
    """A good signature over a connection of somebody else's certificate is refused."""
    assert await posted(tls_hub, "THA01", tls_hub.context("CHE01")) == (401, 1009)


async def test_certificates_are_asked_for_in_xml_too(tls_hub: TlsHub) -> None:
    """Who signed is read before the envelope is taken, in either binding."""
    own, other = tls_hub.context("THA01"), tls_hub.context("CHE01")
    assert await posted(tls_hub, "THA01", own, Binding.XML) == (200, 0)
    assert await posted(tls_hub, "THA01", other, Binding.XML) == (401, 1009)


async def test_without_a_certificate_there_is_no_connection(tls_hub: TlsHub) -> None:
    """Nor with one of another authority."""
    with pytest.raises((aiohttp.ClientError, OSError)):
        await posted(tls_hub, "THA01", tls_hub.context())
    foreign = tls_hub.context()
    trustme.CA().issue_cert("THA01").configure_cert(foreign)
    with pytest.raises((aiohttp.ClientError, OSError)):
        await posted(tls_hub, "THA01", foreign)


async def test_older_versions_of_tls_are_refused(tls_hub: TlsHub) -> None:
    """A client that cannot speak 1.3 does not get in; one that can does."""
    context = tls_hub.context("THA01")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    host, port = tls_hub.address.removeprefix("https://").split(":")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection(host, int(port), ssl=context)
    _, writer = await asyncio.open_connection(host, int(port), ssl=tls_hub.context("THA01"))
    assert writer.get_extra_info("ssl_object").version() == "TLSv1.3"
    writer.close()
