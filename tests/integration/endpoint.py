"""A participant's endpoint that takes pushes, and misbehaves as a test tells it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from hub.protocol.signed_objects import MEDIA_TYPES, binding_of
from hub.services.administration.deeds import Act
from hub.services.administration.participants import set_delivery
from tests.integration.hub_process import HubUnderTest
from tests.integration.peers import Body, Peer, now, payload_of
from tests.integration.worlds import acknowledgement, until

Manner = Callable[["Endpoint", bytes], Awaitable[web.StreamResponse]]


@dataclass
class Endpoint:
    """What was pushed, when, and how it is answered; ``manner`` may change at any time."""

    peer: Peer
    manner: Manner
    pushed: list[bytes] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    media_types: list[str] = field(default_factory=list)
    url: str = ""

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Keep what came, answer in the manner of the moment."""
        raw = await request.read()
        self.pushed.append(raw)
        self.times.append(time.monotonic())
        self.media_types.append(request.content_type)
        return await self.manner(self, raw)

    async def until_pushed(self, count: int, seconds: float = 20) -> None:
        """Wait until there were so many pushes."""
        await until(lambda: len(self.pushed) >= count, seconds)

    @property
    def items(self) -> list[Body]:
        """Return all items pushed, each once, by sequence."""
        seen = {
            item["sequence"]: item
            for raw in self.pushed
            for item in payload_of(raw, "itmo-delivery+jws")["items"]
        }
        return [seen[at] for at in sorted(seen)]


@asynccontextmanager
async def endpoint_of(hub: HubUnderTest, peer: Peer, manner: Manner) -> AsyncIterator[Endpoint]:
    """Serve an endpoint and have the peer's deliveries pushed to it; afterwards it pulls again."""
    endpoint = Endpoint(peer, manner)
    application = web.Application(client_max_size=16 << 20)
    application.router.add_post("/deliveries", endpoint.take)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}/deliveries"
    administration = hub.administration()
    administration.do(
        set_delivery(peer.code, "push", endpoint.url), Act("tests", "wants pushes", now())
    )
    try:
        yield endpoint
    finally:
        administration.do(set_delivery(peer.code, "pull", None), Act("tests", "pulls again", now()))
        await runner.cleanup()


def signed(body: bytes) -> web.Response:
    """Return an answer with a signed object."""
    return web.Response(body=body, content_type=MEDIA_TYPES[binding_of(body)])


async def well_behaved(endpoint: Endpoint, raw: bytes) -> web.StreamResponse:
    """Acknowledge what came."""
    return signed(endpoint.peer.envelope("XHB01", acknowledgement(raw)))


async def broken(endpoint: Endpoint, raw: bytes) -> web.StreamResponse:
    """Answer 500."""
    return web.Response(status=500)


async def hanging(endpoint: Endpoint, raw: bytes) -> web.StreamResponse:
    """Never answer."""
    await asyncio.sleep(60)
    return web.Response()


async def closing(endpoint: Endpoint, raw: bytes) -> web.StreamResponse:
    """Close the connection in the middle of the answer."""
    raise ConnectionResetError("closed on purpose")


async def garbled(endpoint: Endpoint, raw: bytes) -> web.StreamResponse:
    """Answer 200 with garbage."""
    return web.Response(body=b"\xff\xfe thanks")


async def flooding(endpoint: Endpoint, raw: bytes) -> web.StreamResponse:
    """Answer 200 with far too much."""
    return web.Response(body=b"x" * (4 << 20))


async def redirecting(endpoint: Endpoint, raw: bytes) -> web.StreamResponse:
    """Send the hub somewhere else."""
    return web.Response(status=307, headers={"Location": endpoint.url})


async def digest_wrong(endpoint: Endpoint, raw: bytes) -> web.StreamResponse:
    """Acknowledge other bytes than those that came."""
    type_, body = acknowledgement(raw)
    return signed(endpoint.peer.envelope("XHB01", (type_, body | {"delivery_sha256": "0" * 64})))


async def signed_by_another(endpoint: Endpoint, raw: bytes) -> web.StreamResponse:
    """Hand in another participant's word: of its own mailbox, far ahead of this one."""
    other = Peer("GHA01", endpoint.peer.hub, endpoint.peer.http)
    return signed(other.envelope("XHB01", acknowledgement(raw)))


async def talking_past(endpoint: Endpoint, raw: bytes) -> web.StreamResponse:
    """Answer with a valid envelope that acknowledges nothing."""
    note = ("administrator.note", {"subject": "hello", "text": "We will come back to you."})
    return signed(endpoint.peer.envelope("XHB01", note))
