"""The audit of the hub's log: honest growth is sound, and what the proofs cannot see is found."""

from functools import partial
from typing import Any

import pytest

from connectors.session.alarms import AlarmKind
from connectors.session.receiver import Acknowledged
from tests.connectors.session.conftest import World, alarms_of, until
from tests.connectors.session.ledger_handler import note
from tests.connectors.session.log_worlds import (
    FAST,
    MADE_UP,
    all_proven,
    exchange,
    expect_pause,
    standing_of,
)


async def test_honest_growth_of_thousands_of_entries_raises_nothing(world: World) -> None:
    """Thousands of entries of others and of our own, audits in between: not one alarm."""
    session = await world.peer("THA01", **FAST)
    for _ in range(4):
        await session.submit("CHE01", [note()])
        world.hub.log.grow(700)
        await until(partial(all_proven, session))
        report = await session.log_monitor.run_audit()
        assert report.is_sound, report
    standing = await standing_of(session)
    assert standing.audited_size == standing.size >= 2_800
    assert not await alarms_of(session)


async def test_an_audit_that_is_cut_short_goes_on_from_where_it_was(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub that fails in the middle costs the bundles since the last commit, not all of them."""
    monkeypatch.setattr("connectors.session.log.audit._BUNDLES_A_COMMIT", 1)
    session = await world.peer("THA01", **FAST)
    world.hub.log.grow(3_000)
    await until(session.log_monitor.look)
    bundle, asked = session.log_monitor.audit._client.bundle, 0

    async def fail_late(index: int, width: int) -> Any:
        nonlocal asked
        asked += 1
        world.hub.log.down = asked > 5
        return await bundle(index, width)

    monkeypatch.setattr(session.log_monitor.audit._client, "bundle", fail_late)
    report = await session.log_monitor.run_audit()
    assert report.reason is not None
    assert not report.findings
    world.hub.log.down = False
    asked = -100
    before = world.hub.log.bundles_served
    assert (await session.log_monitor.run_audit()).is_sound
    assert world.hub.log.bundles_served - before == 12 - 5


async def test_an_entry_never_told_is_awaited_first_and_then_withheld(world: World) -> None:
    """What may be under way is awaited; once later items came, it was kept from us."""
    sender, taker = await exchange(world)
    log = world.hub.log
    log.append("envelope", "THA01", "CHE01", ["CHE01", "THA01"], b"s" * 16, MADE_UP)
    report = await taker.log_monitor.run_audit()
    assert report.is_sound
    assert report.awaited_count == 1
    await sender.submit("CHE01", [note(text="later")])
    await until(lambda: world.hub.mailboxes["CHE01"].acknowledged == 3)
    report = await taker.log_monitor.run_audit()
    assert any("was to be told to CHE01" in text for text in report.findings)
    await expect_pause(world, taker, AlarmKind.LOG_ENTRY_DIFFERS)


@pytest.mark.parametrize("is_named", [True, False])
async def test_a_delivery_that_was_sealed_again_is_explained_by_the_one_that_came(
    world: World, is_named: bool
) -> None:
    """Nobody could take the older one, its key was revoked; not named, it was withheld."""
    sender, taker = await exchange(world)
    hub = world.hub
    await taker.stop()
    await sender.submit("CHE01", [note(text="under way")])
    await until(partial(_has_items, world, 3))
    older = len(hub.log.entries)
    hub.log.append("delivery", "XHB01", "CHE01", ["CHE01"], b"s" * 16, {"delivery": b"older"})
    replaces = (older,) if is_named else ()
    newer = hub.sign_delivery("CHE01", tuple(hub.mailboxes["CHE01"].items[2:3]), replaces=replaces)
    hub.mailboxes["CHE01"].open_delivery = newer
    await taker.start()
    await until(lambda: hub.mailboxes["CHE01"].acknowledged == 3)
    report = await taker.log_monitor.run_audit()
    assert report.is_sound == is_named, report
    assert any(f"entry {older}" in text for text in report.findings) != is_named


async def test_an_envelope_in_our_name_that_we_did_not_send_is_found(world: World) -> None:
    """To another registry it stops us; to the hub it may be a key command, and only calls."""
    session, _ = await exchange(world)
    for recipient, pauses in (("XHB01", False), ("GHA01", True)):
        world.hub.log.append("envelope", "THA01", recipient, ["THA01"], b"s" * 16, MADE_UP)
        report = await session.log_monitor.run_audit()
        assert len(report.findings) == 1
        assert "did not send" in report.findings[0]
        assert (session.context.pause is not None) == pauses


async def test_bundles_that_are_not_the_signed_tree_are_found(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint is honest and the entries shown are not: nothing of them is kept."""
    session, _ = await exchange(world)
    client = session.log_monitor.audit._client
    honest = client.bundle

    async def altered(index: int, width: int) -> Any:
        entries = await honest(index, width)
        assert isinstance(entries, list)
        return [*entries[:1], entries[1].replace(b"THA01", b"GHA01"), *entries[2:]]

    monkeypatch.setattr(client, "bundle", altered)
    report = await session.log_monitor.run_audit()
    assert "not those of the tree it signed" in report.findings[0]
    assert (await standing_of(session)).audited_size == 0
    await expect_pause(world, session, AlarmKind.LOG_ENTRY_DIFFERS)


def _has_items(world: World, count: int) -> bool:
    return len(world.hub.mailboxes["CHE01"].items) == count


async def test_the_answer_to_a_push_is_known_by_its_order(world: World) -> None:
    """No receipt comes for it, and its entry is ours all the same: the audit attributes it."""
    sender = await world.peer("THA01", messages_per_envelope_max=1, **FAST)
    taker = await world.peer("CHE01", **FAST)
    for count in (1, 2):
        await sender.submit("CHE01", [note(text=str(count))])
        await until(partial(_has_items, world, count))
        answer = await taker.receive(world.hub.delivery("CHE01", count, count))
        assert isinstance(answer, Acknowledged)
        await taker.context.transport.post_envelope(answer.raw)
    await until(partial(all_proven, taker))
    report = await taker.log_monitor.run_audit()
    assert report.is_sound
    standing = await standing_of(taker)
    assert standing.own_entries == {"known": 6, "awaited": 0, "unknown": 0}


async def test_a_backlog_is_proven_at_its_own_pace_and_by_the_audit(world: World) -> None:
    """More promises than a round proves: some by proofs, the others by the audit, none by luck."""
    session = await world.peer(
        "THA01",
        messages_per_envelope_max=1,
        **{**FAST, "log_seconds": 3600.0, "log_proofs_per_round_max": 4},
    )
    await session.submit("CHE01", [note(text=str(number)) for number in range(20)])
    await until(lambda: len(world.hub.log.entries) == 21)
    await session.log_monitor.look()
    report = await session.log_monitor.run_audit()
    assert report.is_sound
    counts = (await standing_of(session)).claims
    assert counts["pending"] == counts["differs"] == 0
    assert 4 <= counts["proven"] < 20
    assert counts["proven"] + counts["audited"] == 20
