"""The ledger put right by an act: whole, told to both sides, provable; refused where it must be."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import text

from hub.international_registry.accounts import Account, AccountStatus
from hub.services.administration.accounts import open_account
from hub.services.administration.corrections import correct_ledger
from hub.services.administration.deeds import AdministrationError, Deed
from hub.services.administration.participants import change_state
from hub.services.administration.statements import Says
from hub.services.administration.suspensions import hold_block, place_suspension
from hub.services.check_database import check_exchange
from hub.store.interning import Interning
from hub.store.ledger import all_postings
from tests.hub.services.administration.hands import act_by, appoint, approve, do, propose, signed
from tests.hub.services.administration.test_administration import head_of
from tests.hub.services.administration.test_authority import assert_refused, document_at
from tests.hub.services.administration.test_recorded_acts import read
from tests.hub.services.handlers.test_actions import use
from tests.hub.world import World, accepted, act, notices_to
from tests.integration.peers import block, now, proposal


def units(first: int, last: int) -> str:
    """Return a range of the samples' series."""
    return f"CA0001-THA01-THA-{first}-2022..CA0001-THA01-THA-{last}-2022"


TO_GHANA = correct_ledger(units(3, 5), "CHE01", "GHA01", None)
ACCOUNT = Account("CHE-100-1", "XIR01", 100, "CHE", None, None, "GHG", AccountStatus.OPEN)


def usages(world: World) -> list[tuple[object, ...]]:
    """Return what is recorded of every cap."""
    with world.database.reading() as connection:
        return [tuple(row) for row in connection.execute(text("SELECT * FROM authorization_usage"))]


@pytest.fixture
def moved(either_world: World) -> World:
    """Return a world in which Switzerland has 1 to 9 and is offered 10 to 19."""
    either_world.begin()
    either_world.transfer("THA01-1", 1, 9)
    either_world.propose("THA01-2", 10, 19)
    return either_world


def test_a_correction_moves_the_units_and_leaves_everything_provable(moved: World) -> None:
    """The units change registry, no cap moves, the journal says why, and back again is one too."""
    before = usages(moved)
    done = moved.administration.do(TO_GHANA, act("booked to the wrong registry"))
    assert moved.blocks()[:3] == [
        (1, 2, "CHE01", "itmo"),
        (3, 5, "GHA01", "itmo"),
        (6, 9, "CHE01", "itmo"),
    ]
    assert usages(moved) == before
    with moved.database.reading() as connection:
        (posting,) = [
            one for one in all_postings(connection, Interning()) if one.kind == "corrected"
        ]
    assert (posting.reference, posting.first_transfer) == (f"C:{done.log_index}", None)
    assert (posting.from_registry, posting.to_registry) == ("CHE01", "GHA01")
    document = document_at(moved, done.log_index)
    assert (document["kind"], document["subject"]) == ("ledger.correct", units(3, 5))
    moved.prove()
    moved.administration.do(correct_ledger(units(3, 5), "GHA01", "CHE01", None), act("no"))
    assert {row[2] for row in moved.blocks() if row[0] < 10} == {"CHE01"}
    moved.prove()


def test_both_registries_are_told_and_the_new_one_can_use_what_it_got(moved: World) -> None:
    """One note each, with the reason; and the old holder has lost the units."""
    done = moved.administration.do(TO_GHANA, act("case 17"))
    for code in ("CHE01", "GHA01"):
        type_, body = notices_to(moved, code)[-1]
        assert type_ == "administrator.note"
        assert body["refers_to"] == f"C:{done.log_index}"
        assert "went from CHE01 to GHA01" in body["text"]
        assert "case 17" in body["text"]
    assert all(type_ != "administrator.note" for type_, _ in notices_to(moved, "THA01"))
    assert moved.maker.prepare(moved.database, ["CHE01", "GHA01"], now())


def test_units_go_to_an_account_of_the_international_registry_and_back(moved: World) -> None:
    """There an account is named; at a Party registry none is. The account's Party is told."""
    moved.administration.do(open_account(ACCOUNT), act())
    into = correct_ledger(units(1, 4), "CHE01", "XIR01", "CHE-100-1")
    moved.administration.do(into, act("in"))
    assert moved.blocks()[0] == (1, 4, "XIR01", "itmo")
    assert notices_to(moved, "CHE01")[-1][0] == "administrator.note"
    moved.prove()
    out = correct_ledger(units(1, 4), "XIR01", "GHA01", None)
    moved.administration.do(out, act("out"))
    assert [notices_to(moved, code)[-1][0] for code in ("CHE01", "GHA01")] == [
        "administrator.note"
    ] * 2
    moved.prove()


def test_a_correction_over_several_blocks_is_one_act(moved: World) -> None:
    """Units that arrived apart go together, each piece with its posting."""
    moved.administration.do(correct_ledger(units(4, 4), "CHE01", "GHA01", None), act("one"))
    moved.administration.do(hold_block(units(9, 9)), act("apart"))
    moved.administration.do(correct_ledger(units(5, 8), "CHE01", "GHA01", None), act("the rest"))
    moved.administration.do(correct_ledger(units(4, 8), "GHA01", "THA01", None), act("all back"))
    assert (4, 8, "THA01", "itmo") in moved.blocks()
    moved.prove()


def _use(world: World) -> None:
    accepted(world.say("CHE01", "XHB01", use("CHE01-9", block(3, 3))))


def _offer(world: World) -> None:
    onward = proposal("CHE01-5", block(4, 4), action="transfer")
    accepted(world.say("CHE01", "GHA01", onward))


Attempt = tuple[str, Callable[[World], object] | None, Deed]
REFUSED: list[Attempt] = [
    ("reserved by CHE01-5", _offer, TO_GHANA),
    ("not first transferred yet", None, correct_ledger(units(10, 12), "THA01", "GHA01", None)),
    ("20 is not in the ledger", None, correct_ledger(units(20, 21), "CHE01", "GHA01", None)),
    ("in THA01: a correction", None, correct_ledger(units(8, 99), "CHE01", "GHA01", None)),
    ("in CHE01", None, correct_ledger(units(3, 5), "THA01", "GHA01", None)),
    (
        "not a participant",
        None,
        replace(TO_GHANA, parameters={**TO_GHANA.parameters, "to_registry": "PER01"}),
    ),
    ("holds no units", None, correct_ledger(units(3, 5), "CHE01", "XMR01", None)),
    ("holds no units", None, correct_ledger(units(3, 5), "CHE01", "XHB01", None)),
    ("leave --account out", None, correct_ledger(units(3, 5), "CHE01", "GHA01", "A-1")),
    ("name one with --account", None, correct_ledger(units(3, 5), "CHE01", "XIR01", None)),
    ("no account A-1", None, correct_ledger(units(3, 5), "CHE01", "XIR01", "A-1")),
    (
        "open holding account",
        lambda world: world.administration.do(open_account(replace(ACCOUNT, type=310)), act()),
        correct_ledger(units(3, 5), "CHE01", "XIR01", "CHE-100-1"),
    ),
    (
        "is bound to CA0009",
        lambda world: world.administration.do(
            open_account(replace(ACCOUNT, cooperative_approach="CA0009")), act()
        ),
        correct_ledger(units(3, 5), "CHE01", "XIR01", "CHE-100-1"),
    ),
    (
        "account XIR01/CHE-100-1 is suspended: court",
        lambda world: (
            world.administration.do(open_account(ACCOUNT), act()),
            world.administration.do(
                place_suspension("account", "XIR01/CHE-100-1"), act("court order")
            ),
        ),
        correct_ledger(units(3, 5), "CHE01", "XIR01", "CHE-100-1"),
    ),
    (
        "held by S:",
        lambda world: world.administration.do(hold_block(units(5, 5)), act()),
        TO_GHANA,
    ),
    (
        "is closed",
        lambda world: world.administration.do(change_state("GHA01", "close"), act()),
        TO_GHANA,
    ),
    ("already used", _use, TO_GHANA),
    ("not those of this act", None, replace(TO_GHANA, subject="CA0001-THA01-THA-3-2022")),
]


@pytest.mark.parametrize(
    ("reason", "before", "deed"), REFUSED, ids=[f"{n}: {row[0]}" for n, row in enumerate(REFUSED)]
)
def test_what_may_not_be_corrected_is_refused_with_a_reason(
    moved: World, reason: str, before: Callable[[World], object] | None, deed: Deed
) -> None:
    """Nothing changes, and no number of the log is taken."""
    if before is not None:
        before(moved)
    head, blocks = head_of(moved), moved.blocks()
    with pytest.raises(AdministrationError, match=reason):
        moved.administration.do(deed, act())
    assert (head_of(moved), moved.blocks()) == (head, blocks)
    moved.prove()


def test_a_correction_between_one_registry_and_itself_is_none() -> None:
    """Two ends, or there is nothing to correct."""
    with pytest.raises(AdministrationError, match="between two registries"):
        correct_ledger(units(3, 5), "CHE01", "CHE01", None)


def test_a_correction_takes_two_administrators(moved: World) -> None:
    """One alone is refused; proposed by one and approved by another it is done."""
    appoint(moved, "alice", "bob")
    by_alice = act_by("alice")
    raw = signed(moved, Says.DO, TO_GHANA, by_alice)
    assert_refused(moved, "takes two", lambda: moved.administration.do(TO_GHANA, by_alice, raw))
    proposal_id = propose(moved, TO_GHANA, "alice")
    assert (3, 5, "GHA01", "itmo") not in moved.blocks()
    assert_refused(moved, "another administrator", lambda: approve(moved, proposal_id, "alice"))
    done = approve(moved, proposal_id, "bob")
    assert (3, 5, "GHA01", "itmo") in moved.blocks()
    assert read(moved, done.log_index).verdict == "signed by 2"
    moved.prove()


def test_a_correction_is_tried_again_when_it_is_approved(moved: World) -> None:
    """Units that were put on hold meanwhile stay where they are."""
    appoint(moved, "alice", "bob")
    proposal_id = propose(moved, TO_GHANA, "alice")
    do(moved, hold_block(units(4, 4)), "alice")
    assert_refused(moved, "held by S:", lambda: approve(moved, proposal_id, "bob"))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE act SET kind = 'block.hold' WHERE kind = 'ledger.correct'", "no act there"),
        ("UPDATE posting SET reference = 'C:1' WHERE kind = 'corrected'", "not corrected as"),
        ("UPDATE posting SET to_registry = 'THA01' WHERE kind = 'corrected'", "not corrected as"),
        ("UPDATE posting SET last_serial = 6 WHERE kind = 'corrected'", "not corrected as"),
        ("DELETE FROM posting WHERE kind = 'corrected'", "not corrected as"),
    ],
)
def test_a_correction_that_its_act_does_not_bear_out_is_found(
    moved: World, damage: str, said: str
) -> None:
    """Whoever edits the journal or the act is contradicted by the other."""
    moved.administration.do(TO_GHANA, act())
    with moved.database.writing() as connection:
        assert connection.execute(text(damage)).rowcount == 1
    (fault,) = check_exchange(moved.database)
    assert said in fault
