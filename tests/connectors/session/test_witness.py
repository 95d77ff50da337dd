"""A session as a witness (C2SP tlog-witness): it never cosigns what contradicts what it saw."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from connectors.session.alarms import AlarmKind
from connectors.session.log.witness import WitnessKey, default_name, make_keys
from connectors.session.session import Session
from hub.transparency_log.checkpoints import read_checkpoint
from hub.transparency_log.cosignatures import cosigners
from hub.transparency_log.notes import parse_signatures
from hub.transparency_log.witnessing import AddCheckpoint
from keys.algorithms import Algorithm
from keys.local_signer import LocalSigner, generate_key
from tests.connectors.fake_log import FakeLog
from tests.connectors.session.conftest import World, alarms_of, until
from tests.connectors.worlds import make_signer

NAME = default_name("THA01")


def make_witness_keys() -> list[WitnessKey]:
    """Return an Ed25519 key and an ML-DSA-44 key for the witness of THA01."""
    settlement = LocalSigner(generate_key(Algorithm.ML_DSA_44), "THA01")
    return make_keys(NAME, make_signer("THA01", "witness"), settlement)


@dataclass
class Asked:
    """A witness behind HTTP, and the log that asks it."""

    session: Session
    log: FakeLog
    keys: list[WitnessKey]
    client: aiohttp.ClientSession
    url: str

    def request(self, old_size: int, size: int | None = None) -> AddCheckpoint:
        """Return an honest request, from an old size to the size of now."""
        new = self.log.size if size is None else size
        hashes = self.log.consistency(old_size, new) if 0 < old_size < new else []
        return AddCheckpoint(old_size, tuple(hashes), self.log.note(new))

    async def ask(self, request: AddCheckpoint | bytes) -> tuple[int, str, str]:
        """Post a request; return status, body and content type."""
        data = request if isinstance(request, bytes) else request.render().encode()
        async with self.client.post(self.url + "/add-checkpoint", data=data) as response:
            return response.status, await response.text(), response.content_type

    def cosigners(self, note: str, lines: str) -> dict[str, int]:
        """Return who cosigned, by lines that the witness answered."""
        whole = read_checkpoint(note)[1].with_signatures(parse_signatures(lines))
        return cosigners(whole, [key.verifier for key in self.keys])


@pytest.fixture
async def asked(world: World) -> AsyncIterator[Asked]:
    """A witness that has pinned the log and looks only when a test says so."""
    keys = make_witness_keys()
    world.hub.log.grow(20)
    session = await world.peer("THA01", witness_keys=keys, log_seconds=3600.0, log_audit_at="")
    await until(lambda: session.context.trust.log)
    await session.log_monitor.look()
    application = web.Application(client_max_size=0)
    assert session.witness is not None
    application.router.add_post("/add-checkpoint", session.witness.handle)
    async with TestServer(application) as server, aiohttp.ClientSession() as client:
        url = str(server.make_url("")).rstrip("/")
        yield Asked(session, world.hub.log, keys, client, url)


async def test_it_cosigns_what_continues_the_last_head(asked: Asked) -> None:
    """200 with a line under each key, over exactly that checkpoint."""
    old = asked.log.size
    asked.log.grow(300)
    request = asked.request(old)
    status, lines, _ = await asked.ask(request)
    assert status == 200
    assert lines.count("\n") == 2
    assert list(asked.cosigners(request.note, lines)) == [NAME]
    again, _, _ = await asked.ask(replace(request, old_size=asked.log.size, proof=()))
    assert again == 200


async def test_another_old_size_is_answered_with_its_own(asked: Asked) -> None:
    """409, the size in decimal, as text/x.tlog.size; with it the log succeeds."""
    old = asked.log.size
    asked.log.grow(5)
    for wrong in (0, old - 1):
        status, body, kind = await asked.ask(asked.request(wrong))
        assert (status, body, kind) == (409, f"{old}\n", "text/x.tlog.size")
    status, _, _ = await asked.ask(asked.request(old))
    assert status == 200


async def test_the_monitor_and_the_witness_are_one_memory(asked: Asked) -> None:
    """What the monitor saw the witness never goes behind, and the other way round."""
    old = asked.log.size
    asked.log.grow(10)
    await asked.session.log_monitor.look()
    status, body, _ = await asked.ask(asked.request(old, old + 5))
    assert (status, body) == (409, f"{asked.log.size}\n")
    seen = asked.log.size
    asked.log.grow(10)
    assert (await asked.ask(asked.request(seen)))[0] == 200
    head = await asked.session.database.read(_size)
    assert head == asked.log.size


def _size(connection: Any) -> int:
    from connectors.session.log.standing import read_standing

    return read_standing(connection).size


async def test_of_requests_that_race_only_consistent_ones_are_answered(asked: Asked) -> None:
    """Twenty at once from one old size: one wins, the others learn the size it won with."""
    old = asked.log.size
    asked.log.grow(40)
    sizes = [old + 2 * number for number in range(1, 21)]
    answers = await asyncio.gather(*(asked.ask(asked.request(old, size)) for size in sizes))
    winners = [size for size, (status, _, _) in zip(sizes, answers, strict=True) if status == 200]
    assert len(winners) == 1
    assert {body for status, body, _ in answers if status == 409} == {f"{winners[0]}\n"}


async def test_each_other_refusal_is_the_specifications(asked: Asked) -> None:
    """400 malformed or old beyond new, 403 unsigned, 404 unknown log, 422 false proof."""
    old = asked.log.size
    asked.log.grow(4)
    good = asked.request(old)
    other = good.note.replace("itmo-hub.invalid/xhb01", "itmo-hub.invalid/xhb02")
    unsigned = good.note.replace(f"\n{asked.log.size}\n", f"\n{asked.log.size + 1}\n", 1)
    for status, request in (
        (400, b"no such thing"),
        (400, replace(good, old_size=10**6, proof=())),
        (403, replace(good, note=unsigned)),
        (404, replace(good, note=other)),
        (422, replace(good, proof=(*good.proof[:-1], bytes(32)))),
        (422, replace(good, proof=())),
    ):
        assert (await asked.ask(request))[0] == status
    assert not await alarms_of(asked.session)


async def test_two_roots_for_one_size_are_evidence_and_a_pause(asked: Asked) -> None:
    """409, and from then on 503: its operator looks first."""
    size = asked.log.size
    forked = AddCheckpoint(size, (), asked.log.sign(size, b"\x01" * 32))
    assert (await asked.ask(forked))[0] == 409
    assert [alarm.kind for alarm in await alarms_of(asked.session)] == [AlarmKind.LOG_FORK]
    assert (await asked.ask(asked.request(size)))[0] == 503


async def test_a_witness_whose_history_was_given_up_never_signs_again(asked: Asked) -> None:
    """After following a restored hub the old key is spent; only a new one cosigns."""
    asked.log.roll_back(10)
    await asked.session.log_monitor.look()
    assert asked.session.context.pause is not None
    assert await asked.session.log_monitor.resume("restored, as announced", follow_hub=True)
    assert (await asked.ask(asked.request(asked.log.size)))[0] == 503
    asked.log.grow(3)
    assert await asked.session.log_monitor.look()
    assert asked.session.context.pause is None


async def test_its_cosignatures_are_handed_to_the_hub(world: World) -> None:
    """A witness that nobody can reach volunteers after each checkpoint it verified."""
    keys = make_witness_keys()
    log = world.hub.log
    log.witness_keys = [key.verifier for key in keys]
    session = await world.peer(
        "THA01", witness_keys=keys, log_seconds=0.05, log_nudge_seconds=0.0, log_audit_at=""
    )
    await until(lambda: (log.size, NAME) in log.cosignatures)
    log.grow(7)
    await until(lambda: (log.size, NAME) in log.cosignatures)
    count = len(log.cosignatures)
    assert (await session.log_monitor.run_audit()).is_sound
    assert len(log.cosignatures) == count + 1


@pytest.mark.parametrize("name", ["", "with blank", "with+plus"])
def test_a_witness_needs_a_name_that_a_key_can_have(name: str) -> None:
    """A vkey could not be written with it."""
    with pytest.raises(ValueError, match="name"):
        make_keys(name, make_signer("THA01"), None)


def test_a_witness_needs_an_ed25519_key() -> None:
    """The settlement key cannot stand in the first place."""
    wrong = LocalSigner(generate_key(Algorithm.ML_DSA_44), "THA01")
    with pytest.raises(ValueError, match="Ed25519"):
        make_keys(NAME, wrong, None)
