"""What witnesses say against the log: enough of them halt it, and a false one alone does not."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from hub.services.collect_cosignatures import Round, WitnessAnswer
from hub.store.database import Database
from hub.transparency_log.witnessing import AddCheckpoint, WitnessState
from tests.hub.log_world import Witness, published, publisher
from tests.hub.witness_world import Collecting
from tests.integration.peers import now

CHE, THA, GHA = (f"{code}.invalid/w" for code in ("che", "tha", "gha"))


async def test_a_witness_that_knows_a_larger_tree_halts_the_log(sqlite: Database) -> None:
    """The database lost its tail: an old backup was restored."""
    che = Witness(CHE, state=WitnessState(10_000, b"r" * 32))
    published(sqlite, 5)
    world = Collecting(sqlite, che)
    await world.round()
    halted = world.halted()
    assert halted is not None
    assert CHE in halted
    assert "--up-to 10000" in halted
    assert await world.round() is None
    assert publisher(sqlite).publish(now()) is None


@pytest.mark.parametrize("grown", [0, 4])
async def test_a_witness_that_knows_another_tree_halts_the_log(
    sqlite: Database, grown: int
) -> None:
    """Of the same size, or one that ours does not continue: a fork."""
    size = published(sqlite, 5).size
    che = Witness(CHE, state=WitnessState(size, b"r" * 32))
    if grown:
        published(sqlite, grown)
    world = Collecting(sqlite, che)
    await world.round()
    halted = world.halted()
    assert halted is not None
    assert f"--up-to {size}" in halted


async def test_a_witness_that_was_reset_after_an_accepted_loss_cosigns_again(
    sqlite: Database,
) -> None:
    """Long before the log is as large as the tail that was lost."""
    che = Witness(CHE, state=WitnessState(10_000, b"r" * 32))
    published(sqlite, 5)
    world = Collecting(sqlite, che)
    await world.round()
    world.accept(10_000)
    published(sqlite, 1)
    await world.round()
    che.state = None
    size = published(sqlite, 1).size
    await world.round(1_000)
    assert world.cosigners(size) == {CHE}


@pytest.mark.parametrize("known", [12, 10_000])
async def test_an_accepted_loss_stops_nothing_again_and_a_new_one_does(
    sqlite: Database, known: int
) -> None:
    """What the witness says of trees up to the accepted size; it stays behind, the others go on."""
    che, tha = Witness(CHE, state=WitnessState(known, b"r" * 32)), Witness(THA)
    published(sqlite, 5)
    world = Collecting(sqlite, che, tha, halt_count=1)
    await world.round()
    assert world.halted()
    world.accept(known)
    assert world.halted() is None
    for _ in range(3):
        size = published(sqlite, 1).size
        done = await world.round(1_000)
        assert done is not None
        assert (done.behind, world.cosigners(size)) == (1, {THA})
        assert world.halted() is None
    world.at += timedelta(days=1)
    tha.state = WitnessState(20_000, b"s" * 32)
    published(sqlite, 1)
    await world.round(1_000)
    assert "20000" in (world.halted() or "")


def says(status: int, body: str) -> Callable[[AddCheckpoint], WitnessAnswer]:
    """Return a witness's answer that is always the same."""
    return lambda _: WitnessAnswer(status, "text/x.tlog.size", body.encode())


def another_tree(request: AddCheckpoint) -> WitnessAnswer:
    """Claim that the log does not continue the tree of 5 that was cosigned."""
    if request.old_size != 5:
        return WitnessAnswer(409, "text/x.tlog.size", b"5\n")
    return WitnessAnswer(422, "text/plain", b"the proof does not verify\n")


@pytest.mark.parametrize("lie", [says(409, "900000\n"), another_tree])
async def test_one_false_witness_among_several_halts_nothing_and_is_marked_until_it_agrees(
    either: Database, lie: Callable[[AddCheckpoint], WitnessAnswer]
) -> None:
    """An alert names it; the others are asked and the log goes on."""
    che, tha, gha = Witness(CHE, broken=lie), Witness(THA), Witness(GHA)
    world = Collecting(either, che, tha, gha, threshold=2)
    for _ in range(3):
        size = published(either, 6).size
        done = await world.round()
        assert done == Round(asked=3, cosigned=2, behind=1, quorum_met=True, disagreeing=1)
        assert world.halted() is None
        assert world.cosigners(size) == {THA, GHA}
    assert world.alerts().keys() == {CHE}
    assert CHE in world.alerts()[CHE]
    che.broken, che.unreachable = None, True
    done = await world.round(600)
    assert done is not None
    assert done.disagreeing == 1  # silence is no consent
    che.unreachable = False
    size = published(either, 1).size
    done = await world.round(1_000)
    assert done is not None
    assert (done.disagreeing, done.behind) == (0, 0)
    assert world.cosigners(size) == {CHE, THA, GHA}


@pytest.mark.parametrize(("apart", "halts"), [(0, True), (240, True), (360, False)])
async def test_two_witnesses_halt_the_log_if_they_say_so_within_five_minutes(
    sqlite: Database, apart: int, halts: bool
) -> None:
    """In one round, or with one of them away meanwhile; what was said long ago counts no more."""
    lost = [Witness(name, state=WitnessState(50, b"r" * 32)) for name in (CHE, THA)]
    lost[1].unreachable = apart > 0
    world = Collecting(sqlite, *lost, Witness(GHA))
    published(sqlite, 5)
    await world.round()
    if apart:
        assert world.halted() is None
        lost[0].unreachable, lost[1].unreachable = True, False
        await world.round(apart)
    said = world.halted()
    assert (said is not None) is halts
    assert said is None or (CHE in said and THA in said)


async def test_as_many_witnesses_must_disagree_as_the_operator_set(sqlite: Database) -> None:
    """Never more than there are."""
    lost = [Witness(name, state=WitnessState(50, b"r" * 32)) for name in (CHE, THA)]
    published(sqlite, 5)
    three = Collecting(sqlite, *lost, Witness(GHA), halt_count=3)
    await three.round()
    assert three.halted() is None
    assert three.alerts().keys() == {CHE, THA}
    only_two = Collecting(sqlite, *lost, halt_count=3)
    await only_two.round()
    assert only_two.halted() is not None


async def test_a_size_no_log_could_have_had_halts_nothing(sqlite: Database) -> None:
    """Not even from all witnesses: it is an alert."""
    absurd = says(409, f"{10**9 + 100}\n")
    published(sqlite, 5)
    for witnesses in ([Witness(CHE)], [Witness(CHE), Witness(THA)]):
        for one in witnesses:
            one.broken = absurd
        world = Collecting(sqlite, *witnesses)
        done = await world.round()
        assert done is not None
        assert done.disagreeing == len(witnesses)
        assert world.halted() is None
        assert world.alerts().keys() >= {one.name for one in witnesses}


async def test_what_is_accepted_of_one_witness_is_not_accepted_of_others(
    sqlite: Database,
) -> None:
    """The loss of those who claimed it, each up to its claim: protection goes on for the rest."""
    che, tha, gha = (Witness(name, state=WitnessState(50, b"r" * 32)) for name in (CHE, THA, GHA))
    gha.state = None
    published(sqlite, 5)
    world = Collecting(sqlite, che, tha, gha, halt_count=2)
    che.broken = says(409, "500000000\n")
    await world.round()
    assert world.halted() is not None
    world.accept(500_000_000)
    published(sqlite, 1)
    await world.round()
    assert world.halted() is None
    gha.state = WitnessState(60, b"r" * 32)  # cosigned more than we have: a later loss
    tha.state = WitnessState(60, b"r" * 32)  # more than it claimed when it was accepted
    published(sqlite, 1)
    await world.round(1_000)
    said = world.halted()
    assert said is not None
    assert "60 entries" in said


async def test_who_claimed_more_than_was_accepted_still_counts(sqlite: Database) -> None:
    """It stays marked, and with one more witness it halts the log again."""
    che, tha = Witness(CHE), Witness(THA, state=WitnessState(50, b"r" * 32))
    gha = Witness(GHA)
    che.broken = says(409, "20000\n")
    published(sqlite, 5)
    world = Collecting(sqlite, che, tha, gha)
    await world.round()
    world.accept(50)
    assert world.halted() is None
    done = await world.round(1_000)
    assert done is not None
    assert (done.disagreeing, world.halted()) == (1, None)
    gha.broken = che.broken
    published(sqlite, 1)
    await world.round(1_000)
    assert "20000" in (world.halted() or "")
