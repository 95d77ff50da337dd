"""OpenID providers: a real one as a process (oidc-provider-mock), and one that lies as it is told.

The real one signs and answers as providers do. The other one is ours, because no honest program
sends a wrong nonce: it follows the protocol but for the one thing that a test sets.
"""

import asyncio
import hmac
import json
import socket
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT: Final = "itmo-hub"
START_SECONDS: Final = 30
KEY: Final = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})
OTHER_KEY: Final = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})


@asynccontextmanager
async def provider_process(*options: str) -> AsyncIterator[str]:
    """Run oidc-provider-mock on a free port until the end of the block; give its issuer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "oidc_provider_mock",
        *("--port", str(port), "--require-nonce", "true"),
        *options,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    issuer = f"http://127.0.0.1:{port}"
    try:
        async with aiohttp.ClientSession() as session:
            for _ in range(START_SECONDS * 10):
                try:
                    async with session.get(f"{issuer}/.well-known/openid-configuration") as answer:
                        assert (await answer.json())["issuer"] == issuer
                        break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.1)
            else:
                raise AssertionError("the provider did not start")
        yield issuer
    finally:
        process.terminate()
        await process.wait()


async def allow(address: str, subject: str, **form: str) -> str:
    """Say yes at the real provider's page as a subject; return where it sends the browser."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(address, data={"sub": subject, **form}, allow_redirects=False) as answer,
    ):
        assert answer.status == 302, await answer.text()
        return answer.headers["Location"]


@dataclass
class Liar:
    """A provider of our own. ``claims``, ``header`` and ``document`` replace what it would say."""

    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    document: dict[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    subject: str = "ana-at-the-provider"
    token_status: int = 200
    token_text: str | None = None
    sign_with: Any = None
    unsigned: bool = False
    by_public_key: bool = False
    issuer: str = ""
    asked: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    nonces: dict[str, str] = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: KEY)

    def allow(self, address: str, **changes: str) -> str:
        """Say yes; return where the browser is sent, with ``changes`` to its query."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self.nonces)}"
        self.nonces[code] = asked["nonce"]
        query = {"code": code, "state": asked["state"], **changes}
        return f"{asked['redirect_uri']}?{urlencode(query)}"

    async def metadata(self, request: web.Request) -> web.StreamResponse:
        """Publish what it is."""
        self.asked.append("metadata")
        where = self.issuer
        return web.json_response(
            {
                "issuer": where,
                "authorization_endpoint": f"{where}/authorize",
                "token_endpoint": f"{where}/token",
                "jwks_uri": f"{where}/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
                **self.document,
            }
        )

    async def keys(self, request: web.Request) -> web.StreamResponse:
        """Publish its keys."""
        self.asked.append("keys")
        if "keys" in self.document:
            return web.json_response({"keys": self.document["keys"]})
        return web.json_response({"keys": [self.key.as_dict(private=False)]})

    async def token(self, request: web.Request) -> web.StreamResponse:
        """Give an ID token, as it is told."""
        self.asked.append("token")
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.forms.append(form)
        if self.token_text is not None:
            return web.Response(
                text=self.token_text, status=self.token_status, content_type="application/json"
            )
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": self.subject,
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonces.get(form.get("code", ""), ""),
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if name not in self.without}
        if self.unsigned:
            token = f"{_part({'alg': 'none'})}.{_part(claims)}."
        elif self.by_public_key:
            # The old trick: the key that everybody may have, taken for a shared secret.
            begin = f"{_part({'alg': 'HS256', 'kid': 'first'})}.{_part(claims)}"
            public = self.key.as_pem(private=False)
            token = f"{begin}.{_text(hmac.digest(public, begin.encode(), 'sha256'))}"
        else:
            header = {"alg": "RS256", "kid": "first", **self.header}
            token = jwt.encode(header, claims, self.sign_with or self.key, [header["alg"]])
        return web.json_response({"access_token": "x", "token_type": "Bearer", "id_token": token})


@asynccontextmanager
async def liar() -> AsyncIterator[Liar]:
    """Serve a provider that lies as it is told."""
    made = Liar()
    application = web.Application()
    application.router.add_get("/.well-known/openid-configuration", made.metadata)
    application.router.add_get("/keys", made.keys)
    application.router.add_post("/token", made.token)
    server = TestServer(application, host="127.0.0.1")
    await server.start_server()
    made.issuer = f"http://127.0.0.1:{server.port}"
    try:
        yield made
    finally:
        await server.close()


def _part(value: dict[str, Any]) -> str:
    return _text(json.dumps(value).encode())


def _text(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")
