"""The hub as a client: push a delivery to a participant, show a checkpoint to a witness."""

import ssl

import aiohttp

from hub.protocol.signed_objects import MEDIA_TYPES, binding_of
from hub.services.collect_cosignatures import WitnessAnswer, WitnessUnreachableError
from hub.services.courier import PushFailedError

ANSWER_BYTES_MAX = 65_536
WITNESS_SECONDS_MAX = 5.0


class PushClient:
    """One pooled HTTP client for all pushes; bounded in time and in what it reads."""

    def __init__(
        self,
        *,
        timeout_seconds: float,
        allow_http: bool,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._allow_http = allow_http
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the pool."""
        connector = aiohttp.TCPConnector(limit=256, ssl=self._tls if self._tls else True)
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=self._timeout,
            headers={"User-Agent": "itmo-hub"},
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()

    async def post(self, endpoint: str, body: bytes) -> bytes:
        """Return the body of the 200 that answers a delivery. Raises PushFailedError.

        The answer may be in either binding, whatever its media type says: its bytes tell.
        """
        if not self._allow_http and not endpoint.startswith("https://"):
            raise PushFailedError(f"{endpoint} is not https, and plain http is not allowed")
        assert self._session is not None
        headers = {"Content-Type": MEDIA_TYPES[binding_of(body)]}
        try:
            async with self._session.post(
                endpoint, data=body, headers=headers, allow_redirects=False
            ) as response:
                if response.status != 200:
                    raise PushFailedError(f"{endpoint} answered {response.status}")
                answer = await response.content.read(ANSWER_BYTES_MAX + 1)
                while len(answer) <= ANSWER_BYTES_MAX:
                    more = await response.content.read(ANSWER_BYTES_MAX + 1)
                    if not more:
                        return answer
                    answer += more
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise PushFailedError(f"{endpoint}: {type(error).__name__} {error}".rstrip()) from error
        raise PushFailedError(f"{endpoint} answered with more than {ANSWER_BYTES_MAX} bytes")


class WitnessClient:
    """One pooled HTTP client for all witnesses; bounded in time and in what it reads.

    Plain HTTP is allowed: what travels is public, and signed by whoever says it.
    """

    def __init__(self, *, timeout_seconds: float = WITNESS_SECONDS_MAX) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the pool."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=256),
            timeout=self._timeout,
            headers={"Content-Type": "text/plain; charset=utf-8", "User-Agent": "itmo-hub"},
        )

    async def close(self) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()

    async def post(self, url: str, body: bytes) -> WitnessAnswer:
        """Return the answer to a posted body. Raises WitnessUnreachableError."""
        assert self._session is not None
        try:
            async with self._session.post(url, data=body, allow_redirects=False) as response:
                answer = b""
                while more := await response.content.read(ANSWER_BYTES_MAX + 1):
                    answer += more
                    if len(answer) > ANSWER_BYTES_MAX:
                        raise WitnessUnreachableError(
                            f"{url} answered with more than {ANSWER_BYTES_MAX} bytes"
                        )
                kind = response.headers.get("Content-Type", "")
                return WitnessAnswer(response.status, kind, answer)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            what = f"{url}: {type(error).__name__} {error}".rstrip()
            raise WitnessUnreachableError(what) from error
