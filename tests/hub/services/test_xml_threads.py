"""Threads that are replaced: really, in order, and what libxml2 kept is really given back."""

import asyncio
import secrets
import subprocess
import sys
import threading
from concurrent.futures import Future
from datetime import datetime

import psutil
import pytest

from hub.protocol.envelopes import OpenEnvelope, open_envelope
from hub.protocol.errors import PeerError
from hub.protocol.limits import Limits
from hub.protocol.signed_objects import open_object
from hub.services.administration.participants import revoke_key
from hub.services.intake import Intake
from hub.services.xml_threads import (
    ReplacedThread,
    count_bytes,
    counted_bytes,
    run_apart,
)
from keys.errors import MalformedXmlError
from keys.trust import TrustStore
from tests.hub.services.test_answer_queries import questions
from tests.hub.services.test_intake import door
from tests.hub.world import HUB, World, act
from tests.integration.peers import approach, now

NOTE = ("administrator.note", {"subject": "a", "text": "b"})
NAME_COUNT = 10_000
HOSTILE_BYTES = 24 << 20
KEPT_BYTES_MAX = 22 << 20


def parsed(size: int) -> int:
    """Count so many bytes of XML; return which thread did."""
    count_bytes(b"<" + b" " * (size - 1))
    return threading.get_native_id()


def names_nobody_used() -> bytes:
    """Return a document whose every element has a name of its own: half a megabyte."""
    inside = "".join(f"<a{secrets.token_hex(20)}/>" for _ in range(NAME_COUNT))
    return f'<envelope xmlns="urn:itmo-exchange:1">{inside}</envelope>'.encode()


def read_hostile(raw: bytes) -> None:
    """Open it as the door does."""
    count_bytes(raw)
    with pytest.raises(MalformedXmlError):
        open_object(raw, "envelope")


def test_json_counts_for_nothing_and_xml_for_its_bytes() -> None:
    """The count is the thread's own."""
    before = counted_bytes()
    thread = ReplacedThread("counting", xml_bytes_max=1_000)
    thread.submit(count_bytes, b'{"payload": "<"}').result()
    assert thread.submit(counted_bytes).result() == 0
    thread.submit(parsed, 400).result()
    assert thread.submit(counted_bytes).result() == 400
    assert counted_bytes() == before
    thread.shutdown()


def test_a_thread_over_its_bound_is_replaced_and_ends() -> None:
    """Within the bound it goes on; what waits behind keeps its order and is done once."""
    thread = ReplacedThread("replaced", xml_bytes_max=1_000)
    order: list[int] = []

    def noted(number: int, size: int) -> int:
        order.append(number)
        return parsed(size)

    sizes = [400, 400, 400, 1, 2_000, 1, 1, 999, 1, 1]
    done: list[Future[int]] = [thread.submit(noted, n, size) for n, size in enumerate(sizes)]
    ids = [one.result() for one in done]
    assert order == list(range(len(sizes)))
    same = [ids[0:3], ids[3:5], ids[5:8], ids[8:10]]
    assert [len(set(part)) for part in same] == [1, 1, 1, 1], ids
    thread.shutdown()
    assert not [one for one in threading.enumerate() if one.name == "replaced"]


def test_two_functions_never_run_at_once_even_while_threads_change() -> None:
    """The recording thread is such a thread, and recordings must not overlap."""
    thread = ReplacedThread("alone", xml_bytes_max=1)
    running = threading.Lock()

    def alone() -> None:
        assert running.acquire(blocking=False)
        parsed(100)
        running.release()

    done = [thread.submit(alone) for _ in range(300)]
    for one in done:
        one.result()
    thread.shutdown()


def test_errors_reach_who_waits_and_a_closed_thread_takes_nothing() -> None:
    """A failing function costs its caller an error and nobody else; what was taken is finished."""
    thread = ReplacedThread("failing", xml_bytes_max=10)
    with pytest.raises(ZeroDivisionError):
        thread.submit(divmod, 1, 0).result()
    last = [thread.submit(parsed, 100) for _ in range(3)]
    thread.shutdown()
    assert all(one.done() for one in last)
    with pytest.raises(RuntimeError, match="shut down"):
        thread.submit(parsed, 1)
    ReplacedThread("never used").shutdown()
    forgotten = ReplacedThread("forgetful")
    gate = threading.Event()
    first, second = forgotten.submit(gate.wait), forgotten.submit(parsed, 1)
    while not first.running():
        pass
    forgotten.shutdown(wait=False, cancel_futures=True)
    gate.set()
    assert first.result()
    assert second.cancelled()


async def test_what_runs_apart_has_a_thread_of_its_own_that_ends() -> None:
    """Its result comes back, its error too."""
    before = threading.active_count()
    assert await run_apart(parsed, 10) != threading.get_native_id()
    with pytest.raises(ZeroDivisionError):
        await run_apart(divmod, 1, 0)
    for _ in range(100):
        if threading.active_count() == before:
            break
        await asyncio.sleep(0.01)
    assert threading.active_count() == before


def kept_bytes() -> int:
    """Return how much this process has grown after it read many names that nobody used."""
    thread = ReplacedThread("hostile", xml_bytes_max=4 << 20)
    process = psutil.Process()
    thread.submit(read_hostile, names_nobody_used()).result()
    before, read_bytes = process.memory_info().rss, 0
    while read_bytes < HOSTILE_BYTES:
        raw = names_nobody_used()
        read_bytes += len(raw)
        thread.submit(read_hostile, raw).result()
    thread.shutdown()
    return process.memory_info().rss - before


def test_the_memory_of_names_is_given_back() -> None:
    """Without a change of threads, 24 MB of new names would leave 38 MB behind.

    Measured in a process of its own: one that ran other tests before has memory to give and take.
    """
    code = "from tests.hub.services.test_xml_threads import kept_bytes; print(kept_bytes())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < KEPT_BYTES_MAX


async def test_both_threads_of_the_intake_are_replaced(world: World) -> None:
    """The door counts what it parses, before it knows whose it is."""
    seen: dict[str, set[int]] = {"open": set(), "record": set()}

    def note(name: str) -> None:
        seen[name].add(threading.get_native_id())
        count_bytes(b"<" * (17 << 20))

    async with door(world) as intake:
        assert isinstance(intake, Intake)
        for _ in range(3):
            await intake.run_blocking(note, "record")
            await asyncio.wrap_future(intake._opening.submit(note, "open"))
        await intake.submit(world.envelope("THA01", HUB, approach()))
    assert {name: len(ids) for name, ids in seen.items()} == {"open": 3, "record": 3}


async def test_a_question_whose_key_ended_meanwhile_is_opened_in_a_thread_that_ends(
    xml_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its names do not stay in a thread that the whole process shares."""
    peer = xml_world.peers["THA01"].in_xml
    raw = peer.envelope(HUB, ("transfer.status", {"transfer_id": "THA01-1"}))
    (opened,) = xml_world.receiver.open_batch([raw], xml_world.receiver.data.trust, now())
    assert isinstance(opened, OpenEnvelope)
    (key_id,) = opened.key_ids
    xml_world.administration.do(revoke_key(key_id), act())
    threads: list[threading.Thread] = []

    def watched(raw: bytes, trust: TrustStore, limits: Limits, at: datetime) -> OpenEnvelope:
        threads.append(threading.current_thread())
        return open_envelope(raw, trust, limits, at)

    monkeypatch.setattr("hub.services.answer_queries.open_envelope", watched)
    with pytest.raises(PeerError, match="KEY_REVOKED"):
        await questions(xml_world).answer(opened)
    (thread,) = threads
    await asyncio.to_thread(thread.join, 10)
    assert not thread.is_alive()


def test_a_refused_document_is_let_go_at_once(xml_world: World) -> None:
    """Its refusal waits for a whole batch; a tree of a hundred times its bytes must not."""
    good = xml_world.peers["THA01"].in_xml.envelope("CHE01", NOTE)
    refused = (good[:-20], good.replace(b">CHE01<", b">GHA01<"), good.replace(b">THA01-", b">ZZZ"))
    for opened in xml_world.receiver.open_batch(refused, xml_world.receiver.data.trust, now()):
        assert isinstance(opened, PeerError)
        assert opened.__traceback__ is None
        assert opened.__cause__ is None
        assert opened.__context__ is None
