"""Who watches a running hub's log from outside: a reader that checks everything, and witnesses."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from hub.transparency_log.checkpoints import Checkpoint, open_checkpoint
from hub.transparency_log.compact_range import CompactRange
from hub.transparency_log.entries import Entry, decode
from hub.transparency_log.hashing import leaf_hash
from hub.transparency_log.proof_files import ProofFile, verify_proof
from hub.transparency_log.proofs import verify_consistency
from hub.transparency_log.text_forms import decode_hash
from hub.transparency_log.tiles import bundles_of, decode_bundle, split_hashes, tiles_of
from tests.hub.log_world import Witness, log_keys

KEYS = log_keys().verifiers


@dataclass(slots=True)
class Watcher:
    """A reader of one hub address. ``seen`` are the roots it saw, by size."""

    address: str
    http: aiohttp.ClientSession
    seen: dict[int, bytes] = field(default_factory=dict)

    async def get(self, path: str) -> bytes:
        """Return what is at a path; it must be there."""
        async with self.http.get(self.address + path) as response:
            body = await response.read()
            assert response.status == 200, (path, response.status, body)
            return body

    async def look(self) -> Checkpoint:
        """Fetch the checkpoint; it must continue every one seen before."""
        checkpoint = open_checkpoint(await self.get("/checkpoint"), KEYS).checkpoint
        if checkpoint.size not in self.seen:
            for size, root in self.seen.items():
                first, second = sorted((size, checkpoint.size))
                roots = {size: root, checkpoint.size: checkpoint.root}
                document = await self._consistency(first, second)
                verify_consistency(first, second, roots[first], roots[second], document)
        assert self.seen.setdefault(checkpoint.size, checkpoint.root) == checkpoint.root
        return checkpoint

    async def _consistency(self, first: int, second: int) -> list[bytes]:
        async with self.http.get(f"{self.address}/v1/log/consistency/{first}/{second}") as response:
            assert response.status == 200, await response.text()
            return [decode_hash(one) for one in (await response.json())["hashes"]]

    async def look_until(self, size: int, seconds: float = 20) -> Checkpoint:
        """Look again and again until a checkpoint has a size at least."""
        async with asyncio.timeout(seconds):
            while True:
                checkpoint = await self.look()
                if checkpoint.size >= size:
                    return checkpoint
                await asyncio.sleep(0.05)

    async def watch(self, stop: asyncio.Event) -> None:
        """Look until told to stop."""
        while not stop.is_set():
            await self.look()
            await asyncio.sleep(0.02)

    async def entries(self) -> list[Entry]:
        """Return every entry of the newest checkpoint, after proving bundles and tiles."""
        checkpoint = await self.look()
        tree, entries, leaves = CompactRange(), list[Entry](), list[bytes]()
        for address in bundles_of(checkpoint.size):
            for data in decode_bundle(await self.get(f"/{address.path}")):
                entries.append(decode(data))
                leaves.append(leaf_hash(data))
                tree.append(leaves[-1])
        assert tree.root() == checkpoint.root
        assert [entry.index for entry in entries] == list(range(checkpoint.size))
        tiles = {
            (one.level, one.index): split_hashes(await self.get(f"/{one.path}"))
            for one in tiles_of(checkpoint.size)
        }
        bottom = [part for (level, _), hashes in tiles.items() if level == 0 for part in hashes]
        assert bottom == leaves
        return entries

    async def proved(self, index: int) -> Entry:
        """Return an entry after proving it by the log's key."""
        proof = ProofFile.parse(await self.get(f"/v1/log/proof/{index}"))
        assert proof.extra is not None
        verify_proof(proof, proof.extra, KEYS)
        return decode(proof.extra)


@asynccontextmanager
async def serving(*witnesses: Witness) -> AsyncIterator[None]:
    """Let witnesses answer over HTTP, each under a path of its own; sets their addresses."""

    def handler(witness: Witness) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def add_checkpoint(request: web.Request) -> web.Response:
            said = witness.answer(await request.read())
            return web.Response(
                status=said.status, body=said.body, headers={"Content-Type": said.content_type}
            )

        return add_checkpoint

    application = web.Application()
    for at, witness in enumerate(witnesses):
        application.router.add_post(f"/w{at}/add-checkpoint", handler(witness))
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    for at, witness in enumerate(witnesses):
        witness.address = f"http://127.0.0.1:{port}/w{at}"
    try:
        yield
    finally:
        await runner.cleanup()
