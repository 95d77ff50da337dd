"""A hub's transparency log over a real list of entries, able to lie in every known way.

Honest: `append` gives each entry its place, its parties' counters and its commitments, and the
routes serve checkpoint, entry bundles, proofs and consistency from the list, by the same formats
as the hub. A lie changes what is served from then on; the keys stay the log's own.
"""

import base64
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from aiohttp import web

from hub.transparency_log.checkpoints import Checkpoint
from hub.transparency_log.compact_range import CompactRange
from hub.transparency_log.cosignatures import cosigners
from hub.transparency_log.entries import Entry, PartyStep, commitment, decode, encode
from hub.transparency_log.hashing import leaf_hash
from hub.transparency_log.notes import (
    Note,
    SignatureType,
    VerifierKey,
    parse_signatures,
    sign_note,
)
from hub.transparency_log.proof_files import ProofFile
from hub.transparency_log.proofs import consistency_proof, inclusion_proof, root_of
from hub.transparency_log.tiles import TILE_WIDTH, encode_bundle, parse_tile_path, perfect_root
from message_schemas import timestamps
from tests.connectors.worlds import make_private_key

ORIGIN = "itmo-hub.invalid/xhb01"


class FakeLog:
    """The log of a hub under test control."""

    def __init__(self, clock: Callable[[], datetime], label: str = "log") -> None:
        self.clock = clock
        self.entries: list[bytes] = []
        self.counts: dict[str, tuple[int, int]] = {}
        self._use_key(label)
        self.published_max: int | None = None  # a checkpoint of at most so many entries
        self.spoil_proof: Callable[[ProofFile], ProofFile] | None = None
        self.down = False
        self.cosignatures: list[tuple[int, str]] = []
        self.witness_keys: list[VerifierKey] = []
        self.bundles_served = 0
        self.append("genesis", "", "", (), b"", {})

    def _use_key(self, label: str) -> None:
        self._private = make_private_key("XHB01", label)
        raw = self._private.public_key().public_bytes_raw()
        self.key = VerifierKey(ORIGIN, SignatureType.ED25519, raw)

    @property
    def document(self) -> dict[str, object]:
        """The `log` member of the list of participants."""
        return {"origin": ORIGIN, "vkeys": [self.key.vkey]}

    # --- growing -------------------------------------------------------------------------------

    def append(
        self,
        kind: str,
        sender: str,
        recipient: str,
        parties: Iterable[str],
        salt: bytes,
        contents: dict[str, bytes],
        at: str | None = None,
    ) -> int:
        """Append an entry; return its index."""
        index = len(self.entries)
        steps: list[PartyStep] = []
        for code in sorted(set(parties)):
            count, previous = self.counts.get(code, (0, -1))
            steps.append(PartyStep(code, count + 1, previous if count else None))
            self.counts[code] = (count + 1, index)
        shown = {name: commitment(salt, content) for name, content in contents.items()}
        when = at or timestamps.render(self.clock())
        self.entries.append(
            encode(Entry(index, kind, when, sender, recipient, tuple(steps), shown))
        )
        return index

    def grow(self, count: int, *parties: str) -> None:
        """Append acts that these participants are told of; nobody means others' business."""
        for _ in range(count):
            self.append("act", "XHB01", "XHB01", parties, os.urandom(16), {"act": os.urandom(8)})

    # --- lies ----------------------------------------------------------------------------------

    def alter(self, index: int, **changes: object) -> None:
        """Show another entry in the place of one, and hash it into the tree."""
        entry = replace(decode(self.entries[index]), **changes)  # type: ignore[arg-type]  # any field
        self.entries[index] = encode(entry)

    def swap_body(self, index: int) -> None:
        """Let an entry commit to other bytes than were shown."""
        entry = decode(self.entries[index])
        self.alter(index, commitments=dict.fromkeys(entry.commitments, "0" * 64))

    def drop(self, index: int) -> None:
        """Leave an entry out, renumber the rest and keep everyone's counters in order."""
        del self.entries[index]
        self.renumber()

    def insert(self, index: int, *parties: str, sender: str = "CHE01", to: str = "THA01") -> None:
        """Slip an entry in, renumber the rest and keep everyone's counters in order."""
        shown = {"envelope": "1" * 64, "receipt": "2" * 64}
        steps = tuple(PartyStep(code, 1, None) for code in parties)
        at = timestamps.render(self.clock())
        self.entries.insert(index, encode(Entry(index, "envelope", at, sender, to, steps, shown)))
        self.renumber()

    def reorder(self, first: int, second: int) -> None:
        """Let two entries change places, with their counters."""
        self.entries[first], self.entries[second] = self.entries[second], self.entries[first]
        self.renumber()

    def renumber(self) -> None:
        """Make indices and counters what they would be had it always been so."""
        self.counts = {}
        for index, raw in enumerate(self.entries):
            entry = decode(raw)
            steps: list[PartyStep] = []
            for step in entry.parties:
                count, previous = self.counts.get(step.code, (0, -1))
                steps.append(PartyStep(step.code, count + 1, previous if count else None))
                self.counts[step.code] = (count + 1, index)
            self.entries[index] = encode(replace(entry, index=index, parties=tuple(steps)))

    def skip_count(self, index: int, code: str) -> None:
        """Let a participant's counter jump over one."""
        entry = decode(self.entries[index])
        steps = tuple(
            replace(step, count=step.count + 1) if step.code == code and step.previous else step
            for step in entry.parties
        )
        self.alter(index, parties=steps)

    def roll_back(self, size: int) -> None:
        """Forget the tail, as a hub restored from an old backup does."""
        del self.entries[size:]
        self.renumber()

    def change_key(self) -> None:
        """Sign with another key from now on."""
        self._use_key("another log key")

    # --- what is served ------------------------------------------------------------------------

    def read_tile(self, level: int, index: int, width: int) -> bytes:
        """Return the hashes of a tile, made of the list."""
        span = TILE_WIDTH**level
        first = index * TILE_WIDTH
        return b"".join(
            perfect_root([leaf_hash(raw) for raw in self.entries[at * span : (at + 1) * span]])
            for at in range(first, first + width)
        )

    @property
    def size(self) -> int:
        """How many entries are published."""
        return min(len(self.entries), self.published_max or len(self.entries))

    def note(self, size: int | None = None) -> str:
        """Return the signed checkpoint of the first `size` entries."""
        chosen = self.size if size is None else size
        return self.sign(chosen, root_of(chosen, self.read_tile))

    def sign(self, size: int, root: bytes) -> str:
        """Return a signed checkpoint of any tree."""
        text = Checkpoint(ORIGIN, size, root).text
        return Note(text, (sign_note(text, self.key, self._private.sign),)).render()

    def consistency(self, first: int, second: int) -> list[bytes]:
        """Return the consistency proof."""
        return consistency_proof(first, second, self.read_tile)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes as the hub has them."""
        return [
            web.get("/checkpoint", self._get_checkpoint),
            web.get("/tile/{path:.+}", self._get_tile),
            web.get("/v1/log/proof/{index:[0-9]+}", self._get_proof),
            web.get("/v1/log/consistency/{first:[0-9]+}/{second:[0-9]+}", self._get_consistency),
            web.post("/v1/log/cosignatures", self._post_cosignatures),
        ]

    async def _get_checkpoint(self, _request: web.Request) -> web.Response:
        if self.down:
            return web.Response(status=503)
        return web.Response(text=self.note())

    async def _get_tile(self, request: web.Request) -> web.Response:
        address = parse_tile_path(f"tile/{request.match_info['path']}")
        first = address.index * TILE_WIDTH
        if self.down or first + address.width > self.size:
            return _absent("beyond the tree")
        self.bundles_served += 1
        if address.level is not None:
            body = self.read_tile(address.level, address.index, address.width)
        else:
            body = encode_bundle(self.entries[first : first + address.width])
        return web.Response(body=body, content_type="application/octet-stream")

    async def _get_proof(self, request: web.Request) -> web.Response:
        index = int(request.match_info["index"])
        if self.down:
            return web.Response(status=503)
        if index >= self.size:
            return _absent("beyond the tree")
        hashes = tuple(inclusion_proof(index, self.size, self.read_tile))
        proof = ProofFile(index, hashes, self.note(), self.entries[index])
        if self.spoil_proof is not None:
            proof = self.spoil_proof(proof)
        return web.Response(text=proof.render())

    async def _get_consistency(self, request: web.Request) -> web.Response:
        first, second = (int(request.match_info[name]) for name in ("first", "second"))
        if not 0 < first <= second <= self.size:
            return _absent("beyond the tree")
        hashes = [base64.b64encode(one).decode() for one in self.consistency(first, second)]
        return web.json_response({"first": first, "second": second, "hashes": hashes})

    async def _post_cosignatures(self, request: web.Request) -> web.Response:
        first, _, lines = (await request.text()).partition("\n")
        note = Note.parse(self.note(int(first))).with_signatures(parse_signatures(lines))
        for name in cosigners(note, self.witness_keys):
            self.cosignatures.append((int(first), name))
        return web.json_response({"taken": True})


def _absent(detail: str) -> web.Response:
    body = {"type": "about:blank", "title": "Not Found", "status": 404, "detail": detail}
    return web.json_response(body, status=404, content_type="application/problem+json")


def root_of_entries(entries: Iterable[bytes]) -> bytes:
    """Return the root of the tree of these entries."""
    tree = CompactRange()
    for raw in entries:
        tree.append(leaf_hash(raw))
    return tree.root()
