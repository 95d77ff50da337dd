"""What the hub serves about its log, read into values; nothing of it is believed here.

| what came | means |
|---|---|
| the value | to be verified by who asked |
| `Unserved` | the hub itself says that it has no such thing: beyond its tree, or unknown |
| `TryLater` | no answer that means anything: the network, a proxy, a cut or unreadable page |
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from connectors.session.transport import Page, Transport, TryLater
from hub.transparency_log.proof_files import ProofFile, ProofFileError
from hub.transparency_log.tiles import TILE_WIDTH, TileError, decode_bundle, entries_path

__all__ = ["LogClient", "Unserved"]


@dataclass(frozen=True, slots=True)
class Unserved:
    """The hub's own problem document: it has no such thing."""

    status: int
    detail: str

    def __str__(self) -> str:
        return f"HTTP {self.status}: {self.detail}"


class _Consistency(msgspec.Struct):
    first: int
    second: int
    hashes: list[str]


class LogClient:
    """Asks the hub about its log."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def checkpoint(self) -> bytes | Unserved | TryLater:
        """Return the newest checkpoint, a signed note."""
        return await self._get("/checkpoint")

    async def proof(self, index: int) -> tuple[ProofFile, bytes] | Unserved | TryLater:
        """Return the tlog-proof of an entry, and its text as it came."""
        found = await self._get(f"/v1/log/proof/{index}")
        if not isinstance(found, bytes):
            return found
        try:
            return ProofFile.parse(found), found
        except ProofFileError as error:
            return TryLater(f"the proof of entry {index}: {error}")

    async def consistency(self, first: int, second: int) -> list[bytes] | Unserved | TryLater:
        """Return the hashes that prove the tree of `second` to continue that of `first`."""
        found = await self._get(f"/v1/log/consistency/{first}/{second}")
        if not isinstance(found, bytes):
            return found
        try:
            document = msgspec.json.decode(found, type=_Consistency)
            return [base64.b64decode(text, validate=True) for text in document.hashes]
        except (msgspec.DecodeError, binascii.Error, ValueError) as error:
            return TryLater(f"the consistency of {first} and {second}: {error}")

    async def bundle(self, index: int, width: int) -> list[bytes] | Unserved | TryLater:
        """Return `width` entries of a bundle; a full one in place of a partial one counts too."""
        found = await self._get(f"/{entries_path(index, width)}")
        if not isinstance(found, bytes) and width < TILE_WIDTH:
            # A partial bundle may be dropped once the full one is there.
            found = await self._get(f"/{entries_path(index)}")
        if not isinstance(found, bytes):
            return found
        try:
            entries = decode_bundle(found)
        except TileError as error:
            return TryLater(f"the entry bundle {index}: {error}")
        if len(entries) < width:
            return TryLater(f"the entry bundle {index} has {len(entries)} of {width} entries")
        return entries[:width]

    async def send_cosignatures(self, size: int, lines: Sequence[str]) -> str | None:
        """Hand our cosignatures over; return nothing when they were taken, or why not."""
        text = f"{size}\n{''.join(lines)}"
        answer = await self._transport.post_text("/v1/log/cosignatures", text)
        if isinstance(answer, TryLater):
            return answer.reason
        if answer.status // 100 == 2:
            return None
        return f"HTTP {answer.status}: {answer.body[:200].decode('utf-8', 'replace')}"

    async def _get(self, path: str) -> bytes | Unserved | TryLater:
        answer = await self._transport.fetch_page(path)
        if isinstance(answer, TryLater):
            return answer
        return _read(answer)


def _read(page: Page) -> bytes | Unserved | TryLater:
    if page.status == 200:
        return page.body
    text = page.body[:200].decode("utf-8", "replace")
    if page.is_problem and page.status in {400, 404, 410, 422}:
        return Unserved(page.status, text)
    return TryLater(f"HTTP {page.status}: {text}")
