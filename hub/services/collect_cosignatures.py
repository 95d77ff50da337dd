"""Ask witnesses to cosign checkpoints (C2SP tlog-witness), and take what others bring.

1. Every witness of the policies that has a URL is asked, all at once, each with a time-out. A
   witness that does not answer is left alone for a while, twice as long each time.
2. It is told the size it last answered. When it says 409 with another size, it is asked again from
   there. Lines are verified before they are stored; lines of keys nobody named are ignored.
3. A settlement comes first: a witness cannot cosign a tree smaller than the last it cosigned.
4. A witness that holds a larger tree than any we published, or one ours does not continue, is the
   sign that this database lost its tail or that the log was forked, or that the witness is wrong.
   It is marked until it agrees. Enough of them at a time halt the log (`witness_claims`); fewer
   are an alert.
5. A witness that cannot be reached brings its cosignature itself; it is verified the same way.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

import structlog

from hub.services import log_standing, witness_claims
from hub.services.serve_log import LogRequestError, LogServer, NotInLogError, keys_of
from hub.services.witness_claims import Claim, ClaimError
from hub.store import alerts, log_checkpoints
from hub.store.database import Database
from hub.store.log_checkpoints import StoredCheckpoint, StoredCosignature
from hub.transparency_log.checkpoints import Checkpoint, read_checkpoint
from hub.transparency_log.cosignatures import CosignatureError, verify_cosignature
from hub.transparency_log.cosigned_messages import TIMESTAMP_BYTES
from hub.transparency_log.notes import NoteError, NoteSignature, VerifierKey, parse_signatures
from hub.transparency_log.policies import Policy
from hub.transparency_log.text_forms import parse_number
from hub.transparency_log.witnessing import SIZE_CONTENT_TYPE, AddCheckpoint

log = structlog.get_logger(__name__)

BACK_OFF_SECONDS_MAX: Final = 600.0
FRESH: Final = timedelta(seconds=60)
"""How long a cosignature of an unchanged tree is not asked for again."""

_CLOCK_SKEW: Final = timedelta(seconds=300)


class WitnessUnreachableError(Exception):
    """The witness did not answer."""


@dataclass(frozen=True, slots=True)
class WitnessAnswer:
    """The answer of a witness to ``add-checkpoint``."""

    status: int
    content_type: str
    body: bytes


PostToWitness = Callable[[str, bytes], Awaitable[WitnessAnswer]]
"""Posts a body to a URL within a bounded time. Raises WitnessUnreachableError."""


@dataclass(frozen=True, slots=True)
class Policies:
    """Whose cosignatures count: at once, and for settlements. None: no witness is needed.

    ``halt_count``: how many witnesses must contradict the log to halt it; None: see
    ``witness_claims``.
    """

    prompt: Policy | None = None
    settlement: Policy | None = None
    halt_count: int | None = None

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """Every witness key of either policy."""
        found = [key for one in self._both() for key in one.witness_keys]
        return tuple(dict.fromkeys(found))

    def urls(self) -> dict[VerifierKey, str]:
        """Return where the witnesses that can be reached are reached, by their key."""
        found = [pair for one in self._both() for pair in one.witnesses.values()]
        return {key: url for key, url in found if url is not None}

    def _both(self) -> list[Policy]:
        return [one for one in (self.prompt, self.settlement) if one is not None]


@dataclass(slots=True)
class _Witness:
    """What is known of one witness between two rounds. A witness may have two keys at one URL."""

    url: str
    keys: tuple[VerifierKey, ...]
    size: int = 0
    failures: int = 0
    not_before: datetime | None = None
    asked_at: dict[int, datetime] = field(default_factory=dict)
    claim: Claim | None = None

    @property
    def name(self) -> str:
        return self.keys[0].name[: log_standing.SUBJECT_CHARACTERS_MAX]


@dataclass(frozen=True, slots=True)
class Round:
    """What one round brought: ``behind`` witnesses did not cosign.

    They did not answer, hold a tree that was lost, or are among the ``disagreeing``, who contradict
    the log.
    """

    asked: int
    cosigned: int
    behind: int
    quorum_met: bool
    disagreeing: int = 0


class CosignatureCollector:
    """Collects the cosignatures of one database's checkpoints."""

    def __init__(
        self, database: Database, policies: Policies, server: LogServer, post: PostToWitness
    ) -> None:
        self._database = database
        self._policies = policies
        self._server = server
        self._post = post
        by_url: dict[str, list[VerifierKey]] = {}
        for key, url in policies.urls().items():
            by_url.setdefault(url.rstrip("/"), []).append(key)
        self._witnesses = [_Witness(url, tuple(keys)) for url, keys in by_url.items()]
        names = {one.name for one in self._witnesses}
        self._halt_count = witness_claims.halt_count(policies.halt_count, len(names))

    async def collect(
        self, now: datetime, wait_seconds: float, run_blocking: "RunBlocking"
    ) -> Round | None:
        """Ask every witness whose time has come; store what they say. None before a checkpoint.

        ``wait_seconds`` is the first pause after a failure. Raises DatabaseUnavailableError.
        """
        targets, accepted = await asyncio.to_thread(self._targets)
        if not targets:
            return None
        due = [one for one in self._witnesses if one.not_before is None or one.not_before <= now]
        before = {one.name: one.claim for one in self._witnesses}
        results = await asyncio.gather(
            *(self._ask_all(one, targets, accepted.get(one.name, 0), now) for one in due)
        )
        lines = [line for got in results for line in got]
        for witness in due:
            if witness.failures:
                pause = min(wait_seconds * 2.0**witness.failures, BACK_OFF_SECONDS_MAX)
                witness.not_before = now + timedelta(seconds=pause)
        claims = {one.name: one.claim for one in self._witnesses if one.claim is not None}
        halting = witness_claims.halting(claims, self._halt_count, now)
        news = {
            name: claim
            for name, claim in claims.items()
            if name not in halting and not claim.repeats(before[name])
        }
        if lines or halting or news:
            await run_blocking(lambda: self._write(lines, now, halting, news))
        return await asyncio.to_thread(self._summary, targets[-1], len(due), len(lines))

    async def volunteer(self, body: bytes, now: datetime, run_blocking: "RunBlocking") -> int:
        """Store cosignatures that a witness brings; return how many are good.

        ``body``: the size of a published checkpoint on a line, then signature lines. Anybody may
        send one: the writer's turn is taken only for what is good and new. Raises
        LogRequestError, NotInLogError if no checkpoint of the size is kept.
        """
        found, news = await asyncio.to_thread(self._judge_volunteered, body, now)
        if news:
            await run_blocking(lambda: self._write(news, now))
        return len(found)

    def _judge_volunteered(
        self, body: bytes, now: datetime
    ) -> tuple[list[StoredCosignature], list[StoredCosignature]]:
        """Return the good cosignatures of a body, and those of them that are newer than known."""
        size, signatures = _read_volunteered(body)
        with self._database.reading() as connection:
            checkpoint = log_checkpoints.at_size(connection, size)
            known = log_checkpoints.cosignatures(connection, size)
        if checkpoint is None:
            raise NotInLogError(
                f"no checkpoint of {size} entries is kept",
                "Cosign the checkpoint at /checkpoint and bring it within a minute.",
            )
        found = self._verified(checkpoint, signatures, self._policies.keys, now)
        if not found:
            raise LogRequestError(
                "no line is a cosignature of this checkpoint by a witness of the policy",
                "GET /v1/log/policy names the witnesses; have your key entered there first.",
            )
        times = {(one.witness, one.key_id): _time_of(one) for one in known}
        return found, [
            one for one in found if _time_of(one) > times.get((one.witness, one.key_id), 0)
        ]

    def _targets(self) -> tuple[list[StoredCheckpoint], Mapping[str, int]]:
        """Return what to have cosigned, the smallest first, and the accepted loss by witness."""
        with self._database.reading() as connection:
            standing = log_standing.read(connection)
            newest = log_checkpoints.newest(connection)
            settlement = log_checkpoints.newest_settlement(connection)
        if standing.halted is not None or newest is None:
            return [], {}
        targets = [newest]
        if settlement is not None and settlement.size < newest.size:
            targets.insert(0, settlement)
        return targets, standing.accepted

    async def _ask_all(
        self,
        witness: _Witness,
        targets: Sequence[StoredCheckpoint],
        accepted_size: int,
        now: datetime,
    ) -> list[StoredCosignature]:
        """Ask one witness about each checkpoint it can still cosign; return its lines.

        A contradiction marks it; it is then asked as if it had never answered, in every round.
        """
        got: list[StoredCosignature] = []
        if witness.claim is not None and witness.claim.size <= accepted_size:
            witness.claim = None
        for target in targets:
            asked_at = witness.asked_at.get(target.size)
            if target.size < witness.size or (asked_at is not None and now - asked_at < FRESH):
                continue
            try:
                lines = await self._ask(witness, target, accepted_size, now)
                got += lines
                witness.failures = 0
                witness.asked_at = {target.size: now}
                if lines and witness.claim is not None:
                    log.info("a witness agrees again", witness=witness.name)
                    witness.claim = None
            except ClaimError as error:
                witness.claim = Claim(error.size, str(error), now, error.is_plausible)
                witness.size = witness.failures = 0
                witness.asked_at = {}
                break
            except WitnessUnreachableError as error:
                witness.failures += 1
                log.warning("a witness did not cosign", witness=witness.name, detail=str(error))
                break
        return got

    async def _ask(
        self, witness: _Witness, target: StoredCheckpoint, accepted_size: int, now: datetime
    ) -> list[StoredCosignature]:
        """Ask once, and once more from the size the witness names.

        Raises WitnessUnreachableError, ClaimError.
        """
        for _ in range(2):
            old = min(witness.size, target.size)
            proof = await asyncio.to_thread(self._server.consistency_between, old, target.size)
            body = AddCheckpoint(old, tuple(proof), target.note).render().encode()
            answer = await self._post(f"{witness.url}/add-checkpoint", body)
            if answer.status == 200:
                return self._cosigned(witness, target, answer, now)
            said = _size_of(answer)
            if answer.status == 409 and said is not None and said != old:
                await self._require_ours(witness, said, accepted_size)
                witness.size = said
                if said > target.size:  # it passed this checkpoint meanwhile
                    return []
                continue
            if answer.status == 422 or (answer.status == 409 and old == target.size):
                self._require_continued(witness, old, target.size, accepted_size)
            break
        raise WitnessUnreachableError(f"{witness.url} answered {answer.status}")

    def _cosigned(
        self, witness: _Witness, target: StoredCheckpoint, answer: WitnessAnswer, now: datetime
    ) -> list[StoredCosignature]:
        try:
            lines = parse_signatures(answer.body.decode("utf-8"))
        except ValueError as error:
            raise WitnessUnreachableError(f"{witness.url}: {error}") from error
        found = self._verified(target, lines, witness.keys, now)
        if not found:
            raise WitnessUnreachableError(
                f"{witness.url} answered with no cosignature of {witness.name} that verifies"
            )
        witness.size = target.size
        return found

    async def _require_ours(self, witness: _Witness, said: int, accepted_size: int) -> None:
        """Require a tree that we published, if only by another process meanwhile.

        Raises ClaimError for a larger one, WitnessUnreachableError if its loss was accepted: such a
        witness is asked anew later, as its operator may have reset it.
        """
        newest = await asyncio.to_thread(self._newest)
        if said <= newest.size:
            return
        if said > accepted_size:
            raise witness_claims.of_larger_tree(witness.name, said, newest.size)
        witness.size = 0
        raise WitnessUnreachableError(f"{witness.name} holds the lost tail, of {said} entries")

    def _require_continued(
        self, witness: _Witness, old: int, size: int, accepted_size: int
    ) -> None:
        """Raise ClaimError for a tree that ours does not continue, unless it was accepted."""
        if old > accepted_size:
            raise witness_claims.of_other_tree(witness.name, old, size)

    def _newest(self) -> StoredCheckpoint:
        with self._database.reading() as connection:
            newest = log_checkpoints.newest(connection)
        assert newest is not None, "witnesses are asked about published checkpoints"
        return newest

    def _verified(
        self,
        checkpoint: StoredCheckpoint,
        lines: Iterable[NoteSignature],
        keys: Sequence[VerifierKey],
        now: datetime,
    ) -> list[StoredCosignature]:
        """Return the lines that are cosignatures by one of the keys, and not of the future.

        One line of each key is looked at: nobody makes the hub verify more.
        """
        text = Checkpoint.parse(read_checkpoint(checkpoint.note)[1].text)
        found: list[StoredCosignature] = []
        unheard = {(key.name, key.key_id): key for key in keys}
        for line in lines:
            key = unheard.pop((line.name, line.key_id), None)
            if key is not None:
                try:
                    at = verify_cosignature(text, key, line)
                except CosignatureError:
                    continue
                if 0 < at <= (now + _CLOCK_SKEW).timestamp():
                    key_id = key.key_id.hex()
                    found.append(
                        StoredCosignature(checkpoint.size, key.name, key_id, line.line, now)
                    )
        return found

    def _write(
        self,
        lines: Sequence[StoredCosignature],
        now: datetime,
        halting: Mapping[str, Claim] = MappingProxyType({}),
        disagreeing: Mapping[str, Claim] = MappingProxyType({}),
    ) -> None:
        """Store lines; halt the log for some claims, and raise the alert of others."""
        with self._database.writing() as connection:
            # A checkpoint may have been forgotten meanwhile: its cosignature goes with it.
            kept = [
                one for one in lines if log_checkpoints.at_size(connection, one.size) is not None
            ]
            log_checkpoints.add_cosignatures(connection, kept)
            for name, claim in halting.items():
                log_standing.halt(
                    connection,
                    kind=log_standing.BEHIND_WITNESS,
                    subject=name,
                    detail=f"{claim.detail}: {witness_claims.REMEDY} (--up-to {claim.size})",
                    at=now,
                    size=claim.size,
                )
            for name, claim in disagreeing.items():
                kind = log_standing.WITNESS_DISAGREES
                detail = f"{claim.detail}: {witness_claims.REMEDY_ALONE}"
                alerts.add(connection, kind=kind, subject=name, detail=detail, at=now)

    def _summary(self, target: StoredCheckpoint, asked: int, cosigned: int) -> Round:
        with self._database.reading() as connection:
            known = log_checkpoints.cosignatures(connection, target.size)
        policy = self._policies.prompt
        disagreeing = sum(one.claim is not None for one in self._witnesses)
        behind = disagreeing + sum(
            one.claim is None and (one.failures > 0 or one.size > target.size)
            for one in self._witnesses
        )
        met = policy is None or policy.is_met_by(keys_of(policy, known))
        return Round(asked, cosigned, behind, met, disagreeing)


RunBlocking = Callable[[Callable[[], None]], Awaitable[None]]
"""Runs a function that writes, between two batches of the intake."""


def _time_of(one: StoredCosignature) -> int:
    """Return the time in a stored cosignature, POSIX seconds."""
    return int.from_bytes(NoteSignature.parse(one.line).signature[:TIMESTAMP_BYTES], "big")


def _size_of(answer: WitnessAnswer) -> int | None:
    """Return the size that a 409 names, or None."""
    if answer.content_type.partition(";")[0].strip() != SIZE_CONTENT_TYPE:
        return None
    try:
        return parse_number(answer.body.decode("ascii").removesuffix("\n"))
    except ValueError:
        return None


def _read_volunteered(body: bytes) -> tuple[int, tuple[NoteSignature, ...]]:
    try:
        first, _, rest = body.decode("utf-8").partition("\n")
        return parse_number(first), parse_signatures(rest)
    except (ValueError, NoteError) as error:
        raise LogRequestError(
            f"not a size and signature lines: {error}",
            "Send the size of the checkpoint on the first line, then one signature line a key "
            "('— <name> <base64>'), each ending in a newline.",
        ) from error
