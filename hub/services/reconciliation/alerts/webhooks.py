"""Alerts by webhook: one POST of the signed document, as every signed object of the hub is signed.

1. The body is a JWS (general JSON, RFC 7515 §7.2.1), media type ``application/jose+json``; its
   payload is the alert's document. Each protected header is exactly ``alg``, ``kid`` and ``typ``,
   the latter ``itmo-alert+jws``. ``X-Itmo-Alert`` repeats the name of the event, for routing only.
2. Who receives it verifies it with the hub's keys (``GET /participants``) and believes nothing
   before that. The same event may come twice: ``alert`` in the document names it.
3. Any answer from 200 to 299 is a delivery. No redirect is followed: an alert goes where the
   operator said, by https unless plain http is allowed.
"""

import asyncio
import ssl
from collections.abc import Sequence
from typing import Final

import aiohttp

from hub.protocol.envelopes import MEDIA_TYPE
from hub.services.reconciliation.alerts.alerts import Alert
from keys.errors import KeysError
from keys.jws import sign
from keys.signer import Signer

ALERT_TYP: Final = "itmo-alert+jws"
TIMEOUT_SECONDS: Final = 15.0


class NotSentError(Exception):
    """An alert could not be sent, and why; it is tried again."""


class Webhooks:
    """Posts signed documents. ``tls`` replaces the trust in the system's authorities."""

    def __init__(
        self,
        signers: Sequence[Signer],
        *,
        allow_http: bool,
        timeout_seconds: float = TIMEOUT_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._signers = signers
        self._allow_http = allow_http
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._tls = tls

    async def send(self, url: str, document: str) -> None:
        """Post a document, signed now. Raises NotSentError."""
        if not self._allow_http and not url.startswith("https://"):
            raise NotSentError("it is not https, and plain http is not allowed")
        name = Alert.from_json(document).alert
        try:
            body = await asyncio.to_thread(sign, document.encode(), ALERT_TYP, self._signers)
        except (KeysError, ValueError) as error:
            raise NotSentError(f"it cannot be signed: {error}") from error
        headers = {"Content-Type": MEDIA_TYPE, "User-Agent": "itmo-hub", "X-Itmo-Alert": name}
        connector = aiohttp.TCPConnector(ssl=self._tls if self._tls else True)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=self._timeout) as session,
                session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                if not 200 <= answer.status < 300:
                    raise NotSentError(f"it answered {answer.status}")
        except TimeoutError as error:
            raise NotSentError(f"no answer within {self._timeout.total:g} seconds") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NotSentError(f"{type(error).__name__} {error}".rstrip()) from error
