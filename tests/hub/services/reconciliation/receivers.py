"""Receivers of alerts on loopback that take, refuse, fail, hang or hang up: real sockets.

The SMTP server is a process of its own. It says its port on standard output, then writes each
letter that it took as one line of JSON.
"""

import asyncio
import json
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

PASSWORD = "a password of tests"


@dataclass
class Hook:
    """A webhook receiver; ``behaviour`` is what it does with the next requests."""

    url: str
    behaviour: str = "take"
    got: list[tuple[str, bytes]] = field(default_factory=list)


@asynccontextmanager
async def webhook(tls: ssl.SSLContext | None = None) -> AsyncIterator[Hook]:
    """Run a receiver of webhooks."""
    hook = Hook("")

    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        match hook.behaviour:
            case "hang":
                await asyncio.sleep(30)
            case "close":
                assert request.transport is not None
                request.transport.abort()
            case "fail":
                return web.Response(status=500)
            case "redirect":
                return web.Response(status=307, headers={"Location": f"{hook.url}/elsewhere"})
            case _:
                hook.got.append((request.headers["Content-Type"], body))
        return web.Response(status=204)

    application = web.Application()
    application.router.add_post("/{tail:.*}", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    hook.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield hook
    await runner.cleanup()


@dataclass(frozen=True)
class MailServer:
    """A mail server of its own process."""

    port: int
    process: "subprocess.Popen[str]"

    def letter(self) -> tuple[Any, EmailMessage]:
        """Return the next letter that it took: what was said around it, and the letter."""
        assert self.process.stdout is not None
        said = json.loads(self.process.stdout.readline())
        letter = message_from_bytes(bytes.fromhex(said["content"]), policy=default)
        assert isinstance(letter, EmailMessage)
        return said, letter


@contextmanager
def mail_server(behaviour: str = "take", folder: Path | None = None) -> Iterator[MailServer]:
    """Run a mail server: take, auth, refuse, starttls, tls, hang, close or closing."""
    command = [sys.executable, "-m", __spec__.name, behaviour, str(folder or "")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield MailServer(int(process.stdout.readline()), process)
    finally:
        process.kill()
        process.wait()


class _Taking:
    """What the server does with letters."""

    def __init__(self, behaviour: str) -> None:
        self._behaviour = behaviour

    async def handle_RCPT(self, *said: Any) -> str:  # noqa: N802 - the library calls it so
        """Refuse a recipient, or take it."""
        if self._behaviour == "refuse":
            return "550 no such box"
        _server, _session, envelope, recipient, _options = said
        envelope.rcpt_tos.append(recipient)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - likewise
        """Print a letter, or close the connection over it."""
        if self._behaviour == "closing":
            server.transport.abort()
            return "451 no"
        said = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "user": session.auth_data and session.auth_data.decode(),
            "tls": server.transport.get_extra_info("ssl_object") is not None,
            "content": envelope.content.hex(),
        }
        print(json.dumps(said), flush=True)
        return "250 OK"


def _authenticate(
    _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: LoginPassword
) -> AuthResult:
    """Let the right password in."""
    is_right = data.password == PASSWORD.encode()
    return AuthResult(success=is_right, handled=False, auth_data=data.login if is_right else None)


async def _serve(behaviour: str, folder: str) -> None:
    tls = None
    if behaviour in {"starttls", "tls"}:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(f"{folder}/server.pem", f"{folder}/server.key")

    def protocol() -> asyncio.Protocol:
        if behaviour in {"hang", "close"}:
            return _Rude(behaviour)
        options: dict[str, Any] = {}
        if behaviour == "starttls":
            options = {"tls_context": tls, "require_starttls": True}
        if behaviour in {"auth", "starttls", "tls"}:
            options |= {
                "authenticator": _authenticate,
                "auth_required": True,
                "auth_require_tls": behaviour == "starttls",
            }
        return SMTP(_Taking(behaviour), **options)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        protocol, "127.0.0.1", 0, ssl=tls if behaviour == "tls" else None
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class _Rude(asyncio.Protocol):
    """Says nothing, or hangs up at once."""

    def __init__(self, behaviour: str) -> None:
        self._behaviour = behaviour

    def connection_made(self, transport: Any) -> None:
        """Hang up, unless it only hangs."""
        if self._behaviour == "close":
            transport.abort()


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:]))
