"""A witness of the hub's log (C2SP tlog-witness): cosigns what continues all that we have seen.

1. The state is the head that the monitor believes, and no second one: whatever saw N+K first,
   monitor or witness, nothing here ever accepts N again.
2. Deciding and persisting are one transaction, begun before the state is read; the cosignature
   is made after the commit. A request that lost the race is answered 409 with the new size.
3. Two roots for one size, signed by the log, are a fork: kept, and the session pauses.
4. A witness whose operator gave the history up that it cosigned is spent: its key never signs
   again, because whoever trusts it may hold what it said before.
5. The witness has a name and keys of its own: Ed25519, and for settlement ML-DSA-44 beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from aiohttp import web
from sqlalchemy import Connection

from connectors.session import state
from connectors.session.alarms import AlarmKind
from connectors.session.context import SessionContext
from connectors.session.database import Work
from connectors.session.log import heads
from connectors.session.log.findings import Finding
from connectors.session.log.heads import Head
from connectors.session.log.pins import LogPin, load_pin
from hub.transparency_log.checkpoints import Checkpoint, read_checkpoint
from hub.transparency_log.cosignatures import cosign
from hub.transparency_log.notes import NoteError, SignatureType, VerifierKey
from hub.transparency_log.witnessing import (
    REQUEST_BYTES_MAX,
    AddCheckpoint,
    WitnessRefusal,
    decide,
)
from keys.algorithms import Algorithm, load_public_key
from keys.errors import SignerError
from keys.signer import Signer
from message_schemas import timestamps

__all__ = ["Witness", "WitnessKey", "default_name", "make_keys"]

_SPENT = "log_witness_spent"
_TYPES = {
    Algorithm.ED25519: SignatureType.COSIGNATURE_ED25519,
    Algorithm.ML_DSA_44: SignatureType.COSIGNATURE_ML_DSA_44,
}


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """A private key of a witness, and its public half as others verify with it."""

    signer: Signer
    verifier: VerifierKey


def default_name(participant: str) -> str:
    """Return the name of a participant's witness, unless another is set."""
    return f"{participant.lower()}.itmo-witness.invalid"


def make_keys(name: str, signer: Signer, settlement: Signer | None) -> list[WitnessKey]:
    """Return the keys of a witness: Ed25519 first, then ML-DSA-44 if there is one.

    Raises:
        ValueError: the name cannot be a key's, or a key is of another algorithm.
    """
    wanted = [(signer, Algorithm.ED25519)]
    if settlement is not None:
        wanted.append((settlement, Algorithm.ML_DSA_44))
    keys: list[WitnessKey] = []
    for one, algorithm in wanted:
        if one.algorithm is not algorithm:
            raise ValueError(
                f"the witness's key {one.key_id} is {one.algorithm}, and {algorithm} is wanted: "
                f"make one with `itmo-hub keys generate --algorithm {algorithm}`"
            )
        _, native = load_public_key(one.public_key_der)
        raw = native.public_bytes_raw()  # type: ignore[union-attr]  # both kinds have raw bytes
        try:
            keys.append(WitnessKey(one, VerifierKey(name, _TYPES[algorithm], raw)))
        except NoteError as error:
            raise ValueError(str(error)) from error
    return keys


class Witness:
    """Cosigns for one participant; `handle` answers add-checkpoint."""

    def __init__(self, context: SessionContext, keys: Sequence[WitnessKey]) -> None:
        self._context = context
        self._keys = tuple(keys)

    @property
    def vkeys(self) -> list[str]:
        """The public keys, as the hub's policy names them."""
        return [key.verifier.vkey for key in self._keys]

    async def cosign_head(self, head: Head, *, settlement: bool) -> list[str]:
        """Return our signature lines for the head, if it is still the one believed.

        Raises SignerError.
        """
        checkpoint, _ = read_checkpoint(head.note)
        at = timestamps.render(self._context.clock())

        def use(work: Work) -> bool:
            found = heads.load_head(work.connection, head.origin)
            is_spent = self._is_spent(work.connection)
            if found is None or found.state != head.state or is_spent:
                return False
            heads.note_cosigned(work.connection, head.origin, at)
            return True

        # Whoever else moves the head waits for this transaction, or this one sees that it moved.
        if not await self._context.database.write("log.cosign", use):
            return []
        return await self._sign(checkpoint, settlement=settlement)

    async def add_checkpoint(self, data: bytes) -> str:
        """Return the signature lines for a request. Raises WitnessRefusal, SignerError."""
        request = AddCheckpoint.parse(data)
        if self._context.pause is not None:
            raise WitnessRefusal(503, "this witness is paused: its operator has an alarm to see\n")
        pin = await self._context.database.read(load_pin)
        if pin is None:
            raise WitnessRefusal(404, "this witness knows no log yet\n")
        decide_now = partial(self._decide, pin, request)
        try:
            checkpoint = await self._context.database.write("log.cosign", decide_now)
        except WitnessRefusal as refusal:
            if refusal.is_fork:
                await self._find_fork(pin, request)
            raise
        return "".join(await self._sign(checkpoint, settlement=True))

    def spend(self, connection: Connection) -> None:
        """Never sign again with these keys: the history that they cosigned was given up."""
        spent = state.load(connection, _SPENT) or b""
        state.store(connection, _SPENT, spent + "".join(f"{v}\n" for v in self.vkeys).encode())

    def _is_spent(self, connection: Connection) -> bool:
        spent = (state.load(connection, _SPENT) or b"").decode().split("\n")
        return any(vkey in spent for vkey in self.vkeys)

    def _decide(self, pin: LogPin, request: AddCheckpoint, work: Work) -> Checkpoint:
        if self._is_spent(work.connection):
            raise WitnessRefusal(503, "the key of this witness is spent\n")
        believed = heads.load_head(work.connection, pin.origin)
        before = None if believed is None else believed.state
        after = decide(before, request, pin.keys)
        checkpoint, _ = read_checkpoint(request.note)
        at = timestamps.render(self._context.clock())
        if after != before:
            note = request.note.encode("utf-8")
            new = Head(pin.origin, after.size, after.root, note, at)
            moved = heads.move_head(work.connection, believed, new)
            assert moved, "nobody else writes while this transaction is open"
        heads.note_cosigned(work.connection, pin.origin, at)
        return checkpoint

    async def _find_fork(self, pin: LogPin, request: AddCheckpoint) -> None:
        head = await self._context.database.read(heads.load_head, pin.origin)
        await self._context.find(
            Finding(
                kind=AlarmKind.LOG_FORK,
                reference=pin.origin,
                detail="a checkpoint sent to our witness has another root for the same size",
                believed_note=None if head is None else head.note,
                other_note=request.note.encode("utf-8"),
            )
        )

    async def _sign(self, checkpoint: Checkpoint, *, settlement: bool) -> list[str]:
        keys = self._keys if settlement else self._keys[:1]
        now = int(self._context.clock().timestamp())
        loop = asyncio.get_running_loop()
        lines: list[str] = []
        for key in keys:
            # In a thread: a key in a token answers slowly.
            make = partial(cosign, checkpoint, key.verifier, key.signer.sign, now)
            lines.append((await loop.run_in_executor(None, make)).line)
        return lines

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one add-checkpoint request; give this to an aiohttp route."""
        data = bytearray()
        async for part in request.content.iter_any():
            data += part
            if len(data) > REQUEST_BYTES_MAX:
                return web.Response(status=413, text="the request is too large\n")
        try:
            lines = await self.add_checkpoint(bytes(data))
        except WitnessRefusal as refusal:
            headers = {"Content-Type": refusal.content_type}
            return web.Response(
                status=refusal.status, body=refusal.body.encode("utf-8"), headers=headers
            )
        except SignerError as error:
            self._context.log.error("log.witness_signer_unavailable", detail=str(error))
            return web.Response(status=503, text="the key of this witness is away\n")
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        return web.Response(body=lines.encode("utf-8"), headers=headers)
