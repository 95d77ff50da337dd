"""Pushing: a 200 within time and size, over https unless allowed otherwise, or a failure."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from hub.http.client import ANSWER_BYTES_MAX, PushClient
from hub.services.courier import PushFailedError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def client() -> AsyncIterator[PushClient]:
    """Return a client that may push to plain http, with little patience."""
    opened = PushClient(timeout_seconds=0.5, allow_http=True)
    await opened.start()
    yield opened
    await opened.close()


async def answered(client: PushClient, handler: Handler, body: bytes = b"delivery") -> bytes:
    """Push to a server with one handler; return what the client returns."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    async with TestServer(application) as server:
        return await client.post(str(server.make_url("/inbox")), body)


async def test_the_body_of_a_200_comes_back(client: PushClient) -> None:
    """The delivery arrives as it is, with its media type; the answer comes back as it is."""

    async def take(request: web.Request) -> web.Response:
        assert request.content_type == "application/jose+json"
        return web.Response(body=b"answer to " + await request.read())

    assert await answered(client, take, b"\x00\xff") == b"answer to \x00\xff"


@pytest.mark.parametrize("status", [201, 204, 302, 400, 404, 500, 503])
async def test_anything_but_a_200_is_a_failure(client: PushClient, status: int) -> None:
    """Also a redirection: nobody sends our deliveries somewhere else."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    with pytest.raises(PushFailedError, match=f"answered {status}"):
        await answered(client, answer)


async def test_an_answer_may_be_so_long_and_no_longer(client: PushClient) -> None:
    """The limit itself still passes, whether announced or in pieces."""

    async def long(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * ANSWER_BYTES_MAX)

    assert len(await answered(client, long)) == ANSWER_BYTES_MAX

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(ANSWER_BYTES_MAX // 1_000 + 1):
            await response.write(b"x" * 1_000)
        return response

    with pytest.raises(PushFailedError, match="more than"):
        await answered(client, endless)


async def test_a_recipient_that_never_answers_costs_a_bounded_time(client: PushClient) -> None:
    """Silence is a failure like any other."""

    async def sleep(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    with pytest.raises(PushFailedError, match="Timeout"):
        await asyncio.wait_for(answered(client, sleep), 10)


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:1/inbox", "nonsense", "ftp://127.0.0.1/", "http://", ""]
)
async def test_an_endpoint_that_is_none_is_a_failure_and_no_crash(
    client: PushClient, endpoint: str
) -> None:
    """Nobody listens there, or it is no address at all: tried again later, and told."""
    with pytest.raises(PushFailedError):
        await client.post(endpoint, b"delivery")


async def test_plain_http_is_used_only_where_it_is_allowed() -> None:
    """By default a delivery leaves over TLS or not at all."""
    client = PushClient(timeout_seconds=0.5, allow_http=False)
    await client.start()
    with pytest.raises(PushFailedError, match="not https"):
        await client.post("http://127.0.0.1:1/inbox", b"delivery")
    await client.close()
