"""Cosignatures: asked for, verified, stored; and what a witness knows better stops the hub."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import text

from hub.services import collect_cosignatures
from hub.services.collect_cosignatures import (
    Policies,
    Round,
    WitnessAnswer,
)
from hub.services.serve_log import LogRequestError, NotInLogError
from hub.store import log_checkpoints
from hub.store.database import Database
from hub.transparency_log.checkpoints import Checkpoint
from hub.transparency_log.cosignatures import verify_cosignature
from hub.transparency_log.notes import NoteSignature, VerifierKey
from hub.transparency_log.policies import Policy
from tests.hub.log_world import (
    ORIGIN,
    SETTLEMENT_AT,
    Witness,
    grow,
    log_keys,
    policy_text,
    published,
    publisher,
)
from tests.hub.witness_world import Collecting
from tests.integration.peers import now

CHE, THA, GHA = (f"{code}.invalid/w" for code in ("che", "tha", "gha"))


async def test_every_witness_is_asked_and_its_word_is_stored(either: Database) -> None:
    """New witnesses and old ones, round after round; the quorum is counted."""
    che, tha = Witness(CHE), Witness(THA)
    world = Collecting(either, che, tha, threshold=2)
    assert await world.round() is None  # nothing is published
    for count in (3, 300, 1):
        size = published(either, count).size
        assert await world.round() == Round(asked=2, cosigned=2, behind=0, quorum_met=True)
        assert world.cosigners(size) == {CHE, THA}
        assert che.state is not None
        assert che.state.size == size


async def test_a_collector_that_forgot_learns_each_witness_s_size_anew(sqlite: Database) -> None:
    """After a restart: 409 with the size, then the proof from there. Two requests, no more."""
    che = Witness(CHE)
    published(sqlite, 5)
    await Collecting(sqlite, che).round()
    che.asked = 0
    size = published(sqlite, 9).size
    world = Collecting(sqlite, che)
    await world.round()
    assert world.cosigners(size) == {CHE}
    assert che.asked == 2


async def test_an_unchanged_tree_is_not_shown_again_for_a_minute(sqlite: Database) -> None:
    """Then it is: a fresh time says that nothing changed until now."""
    che = Witness(CHE)
    published(sqlite, 5)
    world = Collecting(sqlite, che)
    for later in (10, 10, 10):
        await world.round(later)
    assert che.asked == 1
    await world.round(60)
    assert che.asked == 2


async def test_a_witness_that_is_away_is_left_alone_for_longer_and_longer(
    sqlite: Database,
) -> None:
    """The others are asked meanwhile; when it answers again, it is asked in every round."""
    che, tha = Witness(CHE, unreachable=True), Witness(THA)
    world = Collecting(sqlite, che, tha)
    for _ in range(40):
        published(sqlite, 1)
        done = await world.round(10)
        assert done is not None
        assert (done.behind, done.quorum_met) == (1, True)
    assert che.asked < 8
    assert tha.asked == 40
    che.unreachable = False
    published(sqlite, 1)
    done = await world.round(1_000)
    assert done == Round(asked=2, cosigned=2, behind=0, quorum_met=True)


@pytest.mark.parametrize(
    "answer",
    [
        WitnessAnswer(200, "text/plain", b""),
        WitnessAnswer(200, "text/plain", b"\xff\xfe"),
        WitnessAnswer(200, "text/plain", "— che.invalid/w AAAA\n".encode()),
        WitnessAnswer(404, "text/plain", b"unknown log\n"),
        WitnessAnswer(403, "text/plain", b"no\n"),
        WitnessAnswer(500, "text/html", b"<html>"),
        WitnessAnswer(409, "text/html", b"5\n"),
        WitnessAnswer(409, "text/x.tlog.size", b"-5\n"),
        WitnessAnswer(409, "text/x.tlog.size", b"0\n"),
    ],
)
async def test_an_answer_that_makes_no_sense_is_a_witness_that_is_behind(
    sqlite: Database, answer: WitnessAnswer
) -> None:
    """Nothing is stored, nothing stops, the others go on."""
    che, tha = Witness(CHE, broken=lambda _: answer), Witness(THA)
    size = published(sqlite, 5).size
    world = Collecting(sqlite, che, tha)
    assert await world.round() == Round(asked=2, cosigned=1, behind=1, quorum_met=True)
    assert world.cosigners(size) == {THA}
    assert world.halted() is None


async def test_a_word_about_another_checkpoint_or_of_the_future_is_not_stored(
    sqlite: Database,
) -> None:
    """A signature counts only if it verifies over what we published, at a time that was."""
    other = published(sqlite, 5)
    size = published(sqlite, 5).size
    che, tha = Witness(CHE), Witness(THA, at=lambda: now() + timedelta(hours=1))
    wrong = che.cosign(other.note).encode()
    che.broken = lambda _: WitnessAnswer(200, "text/plain", wrong)
    world = Collecting(sqlite, che, tha)
    done = await world.round()
    assert done is not None
    assert (done.cosigned, done.behind) == (0, 2)
    assert world.cosigners(size) == set()


async def test_a_settlement_is_shown_before_newer_checkpoints(sqlite: Database) -> None:
    """A witness that passed it can no longer cosign it."""
    che = Witness(CHE)
    grow(sqlite, 2)
    tomorrow = now() + timedelta(days=2)
    settled = publisher(sqlite, settling=True).publish(
        tomorrow.replace(hour=SETTLEMENT_AT.hour, minute=SETTLEMENT_AT.minute + 1)
    )
    assert settled is not None
    assert settled.settlement
    newer = published(sqlite, 3)
    world = Collecting(sqlite, che)
    done = await world.round()
    assert done is not None
    assert done.cosigned == 2
    assert world.cosigners(settled.size) == world.cosigners(newer.size) == {CHE}


async def test_a_checkpoint_of_another_process_is_no_larger_tree(sqlite: Database) -> None:
    """A witness that cosigned what another process published meanwhile is ahead of nobody."""
    che = Witness(CHE)
    published(sqlite, 5)
    world = Collecting(sqlite, che)
    targets = world.collector._targets()
    size = published(sqlite, 5).size
    await Collecting(sqlite, che).round()
    assert che.state is not None
    assert che.state.size == size
    world.collector._targets = lambda: targets  # type: ignore[method-assign]  # the older view
    await world.round()
    assert world.halted() is None


async def test_a_witness_may_bring_its_word_itself(sqlite: Database) -> None:
    """Size on the first line, then signatures; keys nobody named are refused."""
    che, stranger = Witness(CHE), Witness(GHA)
    checkpoint = published(sqlite, 5)
    size = checkpoint.size
    world = Collecting(sqlite, che)
    line = che.cosign(checkpoint.note)
    turns: list[Callable[[], None]] = []

    async def in_turn(write: Callable[[], None]) -> None:
        turns.append(write)
        write()

    bring = partial(world.collector.volunteer, run_blocking=in_turn)
    assert await bring(f"{size}\n{stranger.cosign(checkpoint.note)}{line}".encode(), now()) == 1
    assert world.cosigners(size) == {CHE}
    with pytest.raises(NotInLogError):
        await bring(f"{size + 1}\n{line}".encode(), now())
    strange = stranger.cosign(checkpoint.note)
    for body in (
        b"",
        b"\xff",
        f"{size}\n".encode(),
        line.encode(),
        f"{size}\n{strange}".encode(),
        f"{size}\n{line}".rstrip().encode(),
        f"{size}\n{checkpoint.note}".encode(),
    ):
        with pytest.raises(LogRequestError) as refused:
            await bring(body, now())
        assert refused.value.remedy
    assert len(turns) == 1


async def test_who_brings_an_old_word_or_a_pile_of_false_ones_takes_no_turn(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may send cosignatures: the writer works for good and newer ones alone."""
    che = Witness(CHE)
    checkpoint = published(sqlite, 5)
    world = Collecting(sqlite, che)
    turns: list[Callable[[], None]] = []

    async def in_turn(write: Callable[[], None]) -> None:
        turns.append(write)
        write()

    checked: list[NoteSignature] = []

    def verify(text: Checkpoint, key: VerifierKey, line: NoteSignature) -> int:
        checked.append(line)
        return verify_cosignature(text, key, line)

    monkeypatch.setattr(collect_cosignatures, "verify_cosignature", verify)
    size = checkpoint.size
    line = che.cosign(checkpoint.note)
    bring = partial(world.collector.volunteer, run_blocking=in_turn)
    assert [await bring(f"{size}\n{line}".encode(), now()) for _ in range(3)] == [1, 1, 1]
    assert len(turns) == 1
    true = NoteSignature.parse(line)
    lie = NoteSignature(true.name, true.key_id, bytes(len(true.signature))).line
    before = len(checked)
    with pytest.raises(LogRequestError):
        await bring(f"{size}\n{lie * 400}".encode(), now())
    assert (len(checked) - before, len(turns)) == (1, 1)


async def test_a_word_about_a_checkpoint_that_is_gone_is_let_go(sqlite: Database) -> None:
    """It was forgotten between question and answer."""
    checkpoint = published(sqlite, 5)
    che = Witness(CHE)

    def forget(_: object) -> WitnessAnswer:
        with sqlite.writing() as connection:
            connection.execute(text("UPDATE log_checkpoint SET size = size + 1"))
        return WitnessAnswer(200, "text/plain", che.cosign(checkpoint.note).encode())

    che.broken = forget
    await Collecting(sqlite, che).round()
    with sqlite.reading() as connection:
        assert log_checkpoints.cosignatures(connection, checkpoint.size) == []


def test_witnesses_of_both_policies_count_once() -> None:
    """The prompt and the settlement policy may name the same; without URL nobody is asked."""
    che, tha = Witness(CHE), Witness(THA)
    prompt = Policy.parse(policy_text(che))
    settlement = Policy.parse(policy_text(che, tha, urls=False))
    policies = Policies(prompt, settlement)
    assert policies.keys == (che.key, tha.key)
    assert policies.urls() == {che.key: che.url}
    assert Policies().keys == ()
    assert log_keys().origin == ORIGIN
