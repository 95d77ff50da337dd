"""The hub's log as a session sees it: honest growth raises nothing, each lie is found and stops it.

The hub is the fake one with a real log behind it (`fake_log`); the keys, the checkpoints, the
proofs and the bundles are what the formats say, and only what a test spoils is false.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from aiohttp import web
from sqlalchemy import select

from connectors.session.alarms import AlarmKind
from connectors.session.database import Work
from connectors.session.log import claims, heads
from connectors.session.log.audit import AuditReport
from connectors.session.log.pins import load_pin
from connectors.session.log.proving import load_proof
from connectors.session.log.standing import list_evidence
from connectors.session.log.tables import log_claim
from connectors.session.receiver import Refused
from connectors.session.session import Session
from connectors.session.transport import Page, Transport, TryLater
from hub.transparency_log.entries import decode
from hub.transparency_log.proof_files import ProofFile, verify_proof
from message_schemas import timestamps
from tests.connectors.fake_log import ORIGIN, FakeLog
from tests.connectors.session.conftest import World, alarms_of, until
from tests.connectors.session.ledger_handler import note
from tests.connectors.session.log_worlds import (
    FAST,
    all_proven,
    exchange,
    expect_pause,
    found,
    kinds_of,
    quiet,
    standing_of,
)
from tests.connectors.worlds import Clock


async def test_every_promise_is_proven_and_its_proof_stands_alone(world: World) -> None:
    """Receipts, items, deliveries, acknowledgements: each entry is proven and can be shown."""
    sender, taker = await exchange(world)
    for session in (sender, taker):
        standing = await standing_of(session)
        assert standing.claims["proven"] == sum(standing.claims.values())
        assert standing.own_entries["known"] == sum(standing.own_entries.values())
        assert not await alarms_of(session)
    roles = await taker.database.read(
        lambda connection: set(connection.execute(select(log_claim.c.role)).scalars())
    )
    assert roles == {"receipt", "item", "delivery"}
    index = (await sender.database.read(claims.claims_at, range(100))).popitem()[0]
    kept = await sender.database.read(load_proof, index)
    assert kept is not None
    proof = ProofFile.parse(kept.text)
    verify_proof(proof, world.hub.log.entries[index], [world.hub.log.key])


async def test_a_fork_of_the_same_size_is_found(world: World) -> None:
    """Two signed roots for one size: both notes are kept, and the session stands still."""
    sender, _ = await exchange(world)
    await until(lambda: _is_up_to_date(sender, world.hub.log))
    world.hub.log.alter(1, at="2026-01-01T00:00:00.000Z")
    await expect_pause(world, sender, AlarmKind.LOG_FORK)
    evidence = (await sender.database.read(list_evidence, 1))[0]
    assert evidence["believed_note"] != evidence["other_note"]


async def _is_up_to_date(session: Session, log: FakeLog) -> bool:
    return (await standing_of(session)).size == len(log.entries)


async def test_a_longer_fork_is_found(world: World) -> None:
    """Another past under a longer tree: no proof of consistency can hold."""
    sender, _ = await exchange(world)
    world.hub.log.alter(1, at="2026-01-01T00:00:00.000Z")
    world.hub.log.grow(10)
    await expect_pause(world, sender, AlarmKind.LOG_FORK)


async def test_a_hub_restored_from_an_old_backup_is_found(world: World) -> None:
    """The tail is gone: the hub shows fewer entries and cannot prove those it had shown."""
    session = await quiet(world)
    world.hub.log.roll_back(2)
    await session.log_monitor.look()
    await expect_pause(world, session, AlarmKind.LOG_ROLLED_BACK)


async def test_a_restored_hub_that_grew_beyond_is_found(world: World) -> None:
    """It has as many entries again, but others."""
    sender, _ = await exchange(world)
    world.hub.log.roll_back(2)
    world.hub.log.grow(50)
    await expect_pause(world, sender, AlarmKind.LOG_FORK)


async def test_an_old_checkpoint_is_no_rollback_at_once_but_is_one_for_long(world: World) -> None:
    """A cache may show the last second; shown for a minute, the hub has gone back."""
    sender = await quiet(world, log_stale_seconds=60.0)
    size = (await standing_of(sender)).size
    shown = world.hub.log.note(size - 1)
    believer, pin = sender.log_monitor._believer, await sender.database.read(load_pin)
    assert pin is not None
    assert await believer.accept(shown.encode(), pin) is not None
    assert not await alarms_of(sender)
    world.hub.clock.turn(seconds=61)
    assert await believer.accept(shown.encode(), pin) is None
    assert await kinds_of(sender) == {AlarmKind.LOG_ROLLED_BACK.value}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda proof: replace(proof, index=proof.index - 1),
        lambda proof: replace(proof, extra=None),
        lambda proof: replace(proof, extra=(proof.extra or b"") + b" "),
        lambda proof: replace(proof, hashes=proof.hashes[:-1]),
        lambda proof: replace(proof, hashes=(*proof.hashes[:-1], bytes(32))),
    ],
    ids=["another entry", "no entry", "other bytes", "cut", "other hash"],
)
async def test_a_false_proof_is_found(
    world: World, spoil: Callable[[ProofFile], ProofFile]
) -> None:
    """A proof that does not prove what was asked stops the session, with the proof as evidence."""
    sender, _ = await exchange(world)
    world.hub.log.spoil_proof = spoil
    await sender.submit("CHE01", [note(text="next")])
    await expect_pause(world, sender, AlarmKind.LOG_PROOF_INVALID)


LIES: dict[str, tuple[Callable[[FakeLog, int], object], AlarmKind]] = {
    "swapped body": (lambda log, at: log.swap_body(at), AlarmKind.LOG_ENTRY_DIFFERS),
    "other time": (
        lambda log, at: log.alter(at, at="2026-01-01T00:00:00.000Z"),
        AlarmKind.LOG_ENTRY_DIFFERS,
    ),
    "other recipient": (
        lambda log, at: log.alter(at, recipient="GHA01"),
        AlarmKind.LOG_ENTRY_DIFFERS,
    ),
    "not our entry": (lambda log, at: log.alter(at, parties=()), AlarmKind.LOG_ENTRY_DIFFERS),
    "dropped": (lambda log, at: log.drop(at), AlarmKind.LOG_ENTRY_DIFFERS),
    "inserted before": (lambda log, at: log.insert(at, "THA01"), AlarmKind.LOG_ENTRY_DIFFERS),
    "reordered": (lambda log, at: log.reorder(at, at + 1), AlarmKind.LOG_ENTRY_DIFFERS),
    "skipped count": (lambda log, at: log.skip_count(at, "THA01"), AlarmKind.LOG_COUNTER_GAP),
}


@pytest.mark.parametrize("name", LIES)
@pytest.mark.parametrize("by_audit", [False, True], ids=["by proofs", "by audit"])
async def test_a_log_that_says_otherwise_than_promised_is_found(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, by_audit: bool
) -> None:
    """A consistent, well signed log with a lie in it: the receipts and our own count tell."""
    tell, kind = LIES[name]
    world.hub.log.down = True
    session = await world.peer("THA01", messages_per_envelope_max=1, **{**FAST, "log_seconds": 5})
    for number in range(3):
        await session.submit("CHE01", [note(text=str(number))])
    await until(lambda: len(world.hub.log.entries) == 4)
    world.hub.log.grow(2)
    tell(world.hub.log, 2)
    world.hub.log.down = False
    if by_audit:
        monitor = session.log_monitor
        monkeypatch.setattr(monitor._prover, "prove_pending", _prove_nothing)
        report: AuditReport = await monitor.run_audit()
        assert report.findings
    else:
        await session.log_monitor.look()
    await expect_pause(world, session, kind)


async def _prove_nothing(_pin: object) -> int:
    return 0


async def test_a_log_that_stands_still_is_an_alarm_and_no_pause(world: World) -> None:
    """A promised entry that no checkpoint covers for a minute calls the operator, nothing more."""
    session, _ = await exchange(world)
    world.hub.log.published_max = len(world.hub.log.entries)
    await session.submit("CHE01", [note(text="unpublished")])
    await until(lambda: len(world.hub.log.entries) > (world.hub.log.published_max or 0))
    await session.log_monitor.look()
    assert not await alarms_of(session)
    world.hub.clock.turn(seconds=61)
    await found(session, AlarmKind.LOG_CHECKPOINT_STALE)
    assert session.context.pause is None
    world.hub.log.published_max = None
    await until(partial(all_proven, session))


async def test_a_log_that_shows_nothing_is_an_alarm_and_no_pause(world: World) -> None:
    """Heads are published, proofs and entries are not: after two days the operator is called."""
    session, _ = await exchange(world)
    world.hub.log.spoil_proof = _away
    await session.submit("CHE01", [note(text="unproven")])
    await until(lambda: len(world.hub.mailboxes["CHE01"].items) == 3)
    await session.log_monitor.look()  # its head covers what was promised
    world.hub.clock.turn(seconds=47 * 3600)
    await session.log_monitor.look()
    assert not await alarms_of(session)
    world.hub.clock.turn(seconds=2 * 3600)
    await found(session, AlarmKind.LOG_CHECKPOINT_STALE)
    assert session.context.pause is None


def _away(_proof: ProofFile) -> ProofFile:
    raise web.HTTPServiceUnavailable


async def test_one_entry_promised_for_two_envelopes_is_found(world: World) -> None:
    """A hub that leaves an envelope out and names another's entry in its receipt is stopped."""
    session, _ = await exchange(world)

    def promise(work: Work) -> None:
        at = max(claims.claims_between(work.connection, 0, 10**6))
        (first,) = claims.claims_at(work.connection, [at])[at]
        second = replace(first, reference="e-2", commitments={"envelope": "0" * 64})
        claims.file_claims(work.connection, [second], timestamps.render(session.context.clock()))

    await session.database.write("outbox.receipt", promise)
    await session.log_monitor.look()
    await expect_pause(world, session, AlarmKind.LOG_ENTRY_DIFFERS)


async def test_another_key_is_an_alarm_until_it_is_pinned(world: World) -> None:
    """The list names another key: the pinned one counts until the operator pins the new one."""
    session, _ = await exchange(world)
    world.hub.log.change_key()
    world.hub.log.grow(3)
    assert await session.refresh_participants()
    await found(session, AlarmKind.LOG_KEY_CHANGED)
    assert session.context.pause is None
    before = (await standing_of(session)).size
    await session.log_monitor.look()
    assert (await standing_of(session)).size == before
    await session.log_monitor.pin_anew("the secretariat read the new key out")
    await until(lambda: _is_up_to_date(session, world.hub.log))


async def test_only_an_operator_ends_the_pause(world: World) -> None:
    """Resumed with a reason, what was held back leaves; the pause stays on record."""
    sender, _ = await exchange(world)
    log = world.hub.log
    honest = list(log.entries)
    log.alter(1, at="2026-01-01T00:00:00.000Z")
    log.grow(1)
    await found(sender, AlarmKind.LOG_FORK)
    log.entries[:] = honest
    await sender.submit("CHE01", [note(text="held back")])
    assert await sender.log_monitor.resume("the secretariat showed the cause") is True
    await until(lambda: world.hub.mailboxes["CHE01"].items[2:])
    await until(partial(all_proven, sender))
    assert await sender.log_monitor.resume("again") is False


async def test_deliveries_are_refused_while_paused(world: World) -> None:
    """503 with Retry-After, nothing applied; the hub keeps the delivery."""
    sender, taker = await exchange(world)
    log = world.hub.log
    log.alter(1, at="2026-01-01T00:00:00.000Z")
    log.grow(1)
    await found(taker, AlarmKind.LOG_FORK)
    await sender.log_monitor.resume("only the other one is looked at here")
    world.hub.post_item("CHE01", notices=())
    answer = await taker.receive(world.hub.delivery("CHE01", 1, 2))
    assert isinstance(answer, Refused)
    assert (answer.status, answer.reason) == (503, "paused")
    assert answer.retry_after_seconds is not None


async def test_a_hub_without_a_log_changes_nothing(world: World) -> None:
    """A list that names no log: nothing is pinned, nothing asked, nothing stops."""
    world.hub.has_log = False
    session = await world.peer("THA01", **FAST)
    await session.submit("CHE01", [note()])
    await until(lambda: world.hub.mailboxes["CHE01"].items)
    assert await session.log_monitor.look() is False
    assert (await standing_of(session)).origin is None
    assert not await alarms_of(session)


async def test_the_head_moves_by_check_and_set_only(world: World) -> None:
    """A mover that verified against a head that is gone moves nothing."""
    session, _ = await exchange(world)
    old = await session.database.read(heads.load_head, ORIGIN)
    world.hub.log.grow(5)
    await session.log_monitor.look()
    assert old is not None
    new = replace(old, size=old.size + 1)
    moved = session.database.write_now(
        "log.advance", lambda work: heads.move_head(work.connection, old, new)
    )
    assert not moved
    assert (await standing_of(session)).size == len(world.hub.log.entries)


def test_entries_of_the_fake_log_are_what_they_seem() -> None:
    """The liar's honest half is honest: counters follow, indices are places."""
    log = FakeLog(Clock())
    log.grow(10, "THA01")
    steps = [decode(raw).step_of("THA01") for raw in log.entries[1:]]
    assert [step.count for step in steps if step] == list(range(1, 11))


async def test_pages_of_a_proxy_are_neither_proofs_nor_lies(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTML, cut and foreign bytes in place of every answer: no alarm and no pause."""
    session = await world.peer("THA01", **FAST)
    await until(session.log_monitor.look)
    pin = await session.database.read(load_pin)
    assert pin is not None
    honest, pages = Transport.fetch_page, [b"<html>login</html>", b"", b"\xff\xfe", b"1\n2\n\n3"]

    async def proxied(path: str) -> Page | TryLater:
        return Page(200, pages[len(path) % len(pages)], is_problem=False)

    monkeypatch.setattr(Transport, "fetch_page", staticmethod(proxied))
    await session.submit("CHE01", [note()])
    await asyncio.sleep(0.3)
    for page in list(pages):
        pages[:] = [page]
        await session.log_monitor.look()
        assert await session.log_monitor._prover.prove_pending(pin) == 0
        assert (await session.log_monitor.audit.run(await _head(session))).findings == ()
    assert not await alarms_of(session)
    monkeypatch.setattr(Transport, "fetch_page", honest)
    await until(partial(all_proven, session))


async def _head(session: Session) -> heads.Head:
    head = await session.database.read(heads.load_head, ORIGIN)
    assert head is not None
    return head


async def test_a_key_of_a_newer_kind_in_the_list_is_left_alone(world: World) -> None:
    """The hub may list keys that this code cannot verify; those it can are pinned."""
    document = world.hub.log.document
    vkeys = [world.hub.log.key.vkey, "itmo-hub.invalid/xhb01+00000000+CQ=="]
    world.hub.log_document = {**document, "vkeys": vkeys}
    session = await world.peer("THA01", **FAST)
    await until(session.log_monitor.look)
    assert (await standing_of(session)).vkeys == (world.hub.log.key.vkey,)
    assert not await alarms_of(session)
