"""Simulated witnesses, all in one process of their own: `python -m bench.witnesses COUNT VKEY…`.

Each keeps to C2SP tlog-witness and cosigns with Ed25519 and with ML-DSA-44; its state is in memory.
Prints one line: the port. Keys come from the witness's name alone, so that a policy can be written
without asking.
"""

import asyncio
import hashlib
import sys
import time

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from hub.transparency_log.checkpoints import read_checkpoint
from hub.transparency_log.cosignatures import cosign
from hub.transparency_log.notes import SignatureType, VerifierKey
from hub.transparency_log.witnessing import (
    AddCheckpoint,
    WitnessRefusal,
    WitnessState,
    decide,
)


class Witness:
    """One witness with two keys."""

    def __init__(self, number: int, log_keys: list[VerifierKey]) -> None:
        self._log_keys = log_keys
        self._state: WitnessState | None = None
        seed = hashlib.sha256(b"bench witness %d" % number).digest()
        name = f"w{number}.itmo-witness.invalid"
        self._ed25519 = Ed25519PrivateKey.from_private_bytes(seed)
        self._ml_dsa = MLDSA44PrivateKey.from_seed_bytes(seed)
        self.keys = (
            VerifierKey(
                name,
                SignatureType.COSIGNATURE_ED25519,
                self._ed25519.public_key().public_bytes_raw(),
            ),
            VerifierKey(
                name,
                SignatureType.COSIGNATURE_ML_DSA_44,
                self._ml_dsa.public_key().public_bytes_raw(),
            ),
        )

    async def add_checkpoint(self, request: web.Request) -> web.Response:
        """Answer as the specification says."""
        try:
            asked = AddCheckpoint.parse(await request.read())
            self._state = decide(self._state, asked, self._log_keys)
        except WitnessRefusal as refusal:
            return web.Response(
                status=refusal.status,
                body=refusal.body.encode(),
                content_type=refusal.content_type,
            )
        checkpoint, _ = read_checkpoint(asked.note)
        at = int(time.time())
        signing = (self._ed25519.sign, self._ml_dsa.sign)
        lines = [
            cosign(checkpoint, key, sign, at).line
            for key, sign in zip(self.keys, signing, strict=True)
        ]
        return web.Response(text="".join(lines))


def policy(count: int, threshold: int, port: int, *, post_quantum: bool) -> str:
    """Return the policy file: any ``threshold`` of ``count`` witnesses."""
    keys = [Witness(number, []).keys[post_quantum] for number in range(count)]
    lines = [
        f"witness w{number} {key.vkey} http://127.0.0.1:{port}/w{number}"
        for number, key in enumerate(keys)
    ]
    names = " ".join(f"w{number}" for number in range(count))
    return "\n".join([*lines, f"group all-of-them {threshold} {names}", "quorum all-of-them", ""])


async def main(count: int, vkeys: list[str]) -> None:
    """Serve until the standard input is closed."""
    log_keys = [VerifierKey.parse(one) for one in vkeys]
    application = web.Application(client_max_size=2**22)
    for number in range(count):
        witness = Witness(number, log_keys)
        application.router.add_post(f"/w{number}/add-checkpoint", witness.add_checkpoint)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2:]))
