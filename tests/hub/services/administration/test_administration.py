"""An operator's acts: done in a transaction, numbered, with who and why; refused with a reason."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from hub.international_registry.accounts import Account, AccountStatus
from hub.protocol.limits import Limits
from hub.protocol.response_codes import ResponseCode
from hub.services.administration.accounts import open_account, set_account_status
from hub.services.administration.administration import Administration
from hub.services.administration.deeds import AdministrationError
from hub.services.administration.doing import NoticeInvalidError, assert_notice_valid
from hub.services.administration.participants import (
    add_key,
    add_participant,
    change_state,
    revoke_key,
    set_delivery,
)
from hub.services.administration.suspensions import (
    hold_block,
    lift_suspension,
    parse_range,
    place_suspension,
    release_block,
)
from hub.store import head as heads
from hub.store import mailboxes, reference
from hub.store.interning import Interning
from hub.store.ledger import all_blocks
from hub.store.reference import ParticipantRow
from keys.public_keys import KeyRecord, PublicKey
from message_schemas import validation
from tests.hub.world import World, accepted, act, codes_of, notices_to
from tests.integration.peers import block, now, proposal, seeded_signer

PERU = ParticipantRow(
    code="PER01",
    party="PER",
    kind="party_registry",
    name="Peru",
    state="registered",
    delivery_mode="pull",
    endpoint=None,
    binding="json",
    suites=(),
    added_at=now(),
    last_seen_at=None,
)
ACCOUNT = Account("CHE-100-1", "XIR01", 100, "CHE", None, None, "GHG", AccountStatus.OPEN)
RANGE = "CA0001-THA01-THA-3-2022..CA0001-THA01-THA-5-2022"


def key_of(code: str, salt: str = "") -> KeyRecord:
    """Return a key record of a participant, valid from now on."""
    return KeyRecord.of(PublicKey.from_der(code, seeded_signer(code, salt).public_key_der), now())


def head_of(world: World) -> heads.Head:
    """Return where the head stands."""
    with world.database.reading() as connection:
        return heads.read(connection)


def test_a_new_participant_has_keys_and_a_mailbox_and_may_not_speak_yet(world: World) -> None:
    """Registered first, active by a second act; both are in the log with who and why."""
    administration, before = world.administration, head_of(world)
    joining = act("joins")
    administration.do(add_participant(PERU, [key_of("PER01")]), joining)
    administration.do(change_state("PER01", "activate"), act("checked"))
    after = head_of(world)
    assert after.log_index == before.log_index + 2
    assert after.trust_version == before.trust_version + 1
    assert after.reference_version == before.reference_version + 2
    with world.database.reading() as connection:
        rows = {row.code: row for row in reference.participants(connection)}
        assert rows["PER01"] == replace(PERU, state="active", added_at=joining.at)
        assert "PER01" in mailboxes.load(connection, ["PER01"])
        logged = connection.execute(
            text("SELECT kind, actor, subject, reason FROM act ORDER BY log_index DESC LIMIT 2")
        ).all()
    assert [tuple(row) for row in logged] == [
        ("participant.activate", "operator", "PER01", "checked"),
        ("participant.add", "operator", "PER01", "joins"),
    ]
    world.prove()


Attempt = Callable[[Administration], Any]
REFUSED: list[tuple[str, Attempt]] = [
    ("registered already", lambda a: a.do(add_participant(replace(PERU, code="CHE01"), []), act())),
    ("three capitals", lambda a: a.do(add_participant(replace(PERU, code="per1"), []), act())),
    ("kind", lambda a: a.do(add_participant(replace(PERU, kind="broker"), []), act())),
    ("endpoint", lambda a: a.do(add_participant(replace(PERU, delivery_mode="push"), []), act())),
    ("suites", lambda a: a.do(add_participant(replace(PERU, suites=("RS256",)), []), act())),
    ("is one of", lambda a: a.do(add_participant(PERU, [key_of("CHE01")]), act())),
    ("not a participant", lambda a: a.do(add_key(key_of("PER01")), act())),
    ("registered already", lambda a: a.do(add_key(key_of("CHE01")), act())),
    ("no key", lambda a: a.do(revoke_key("CHE01-0000"), act())),
    ("not a participant", lambda a: a.do(change_state("PER01", "activate"), act())),
    ("cannot activate", lambda a: a.do(change_state("CHE01", "activate"), act())),
    ("not a participant", lambda a: a.do(set_delivery("PER01", "pull", None), act())),
    ("needs an endpoint", lambda a: a.do(set_delivery("CHE01", "push", None), act())),
    ("account type 999", lambda a: a.do(open_account(replace(ACCOUNT, type=999)), act())),
    ("no account", lambda a: a.do(set_account_status("XIR01", "none", "open"), act())),
    ("level", lambda a: a.do(place_suspension("moon", "CHE01"), act())),
    ("alphabetical", lambda a: a.do(place_suspension("pair", "THA01/CHE01"), act())),
    ("not suspended", lambda a: a.do(lift_suspension("hub", "*"), act())),
    ("not in the ledger", lambda a: a.do(hold_block(RANGE), act())),
    ("not suspended", lambda a: a.do(release_block(RANGE), act())),
    ("nonsense", lambda a: a.do(hold_block("nonsense"), act())),
    ("one line", lambda a: a.do(place_suspension("hub", ""), act())),
    ("one line", lambda a: a.do(place_suspension("participant", "CHE01\n"), act())),
    ("one line", lambda a: a.do(lift_suspension("participant", "C" * 121), act())),
    ("characters", lambda a: a.do(place_suspension("hub", "*"), act(""))),
    ("characters", lambda a: a.do(place_suspension("hub", "*"), act(" \n"))),
    ("characters", lambda a: a.do(hold_block(RANGE), act("x" * 1001))),
    ("control characters", lambda a: a.do(place_suspension("hub", "*"), act("bell \a"))),
    ("control characters", lambda a: a.do(revoke_key("CHE01-0000"), act("no text \udcff"))),
    ("actor", lambda a: a.do(place_suspension("hub", "*"), replace(act(), actor="x" * 101))),
    ("not a participant", lambda a: a.try_now("PER01")),
]


@pytest.mark.parametrize(
    ("reason", "attempt"), REFUSED, ids=[f"{n}: {reason}" for n, (reason, _) in enumerate(REFUSED)]
)
def test_what_cannot_be_done_is_refused_with_a_reason(
    world: World, reason: str, attempt: Attempt
) -> None:
    """Nothing changes, and no number of the log is taken."""
    before = head_of(world)
    with pytest.raises(AdministrationError, match=reason):
        attempt(world.administration)
    assert head_of(world) == before
    world.prove()


def test_a_participant_goes_through_its_states_and_closes_for_good(world: World) -> None:
    """Active, suspended, active again, closed; nothing leads back from there."""
    for verb, state in (
        ("suspend", "suspended"),
        ("activate", "active"),
        ("close", "closed"),
    ):
        world.administration.do(change_state("CHE01", verb), act())
        with world.database.reading() as connection:
            states = {row.code: row.state for row in reference.participants(connection)}
        assert states["CHE01"] == state
    for verb in ("activate", "suspend", "close"):
        with pytest.raises(AdministrationError, match="CHE01 is closed"):
            world.administration.do(change_state("CHE01", verb), act())


def test_an_account_is_opened_once_and_changes_its_status(world: World) -> None:
    """The hub judges by the account as it is from the next commit on."""
    administration = world.administration
    administration.do(open_account(ACCOUNT), act())
    with pytest.raises(AdministrationError, match="exists already"):
        administration.do(open_account(ACCOUNT), act())
    world.begin()
    said = proposal("THA01-1", block(1, 9), acquiring_account="CHE-100-1")
    administration.do(set_account_status("XIR01", "CHE-100-1", "closed"), act())
    assert codes_of(world.say("THA01", "XIR01", said)) == [ResponseCode.ACCOUNT_NOT_OPEN]
    administration.do(set_account_status("XIR01", "CHE-100-1", "open"), act())
    assert codes_of(world.say("THA01", "XIR01", said)) == [0]
    world.prove()


def test_a_suspension_is_placed_once_and_may_be_placed_again_after_it_was_lifted(
    world: World,
) -> None:
    """Each suspension has its own row with its own reason."""
    administration = world.administration
    administration.do(place_suspension("pair", "CHE01/THA01"), act("first"))
    with pytest.raises(AdministrationError, match="suspended already"):
        administration.do(place_suspension("pair", "CHE01/THA01"), act())
    administration.do(lift_suspension("pair", "CHE01/THA01"), act())
    administration.do(place_suspension("pair", "CHE01/THA01"), act("second"))
    with world.database.reading() as connection:
        every = reference.suspensions(connection, open_only=False)
    assert [row.reason for row in every] == ["first", "second"]


def test_units_on_hold_stay_where_they_are_until_released(either_world: World) -> None:
    """Only the units named are stopped; the ledger proves itself before, during and after."""
    either_world.begin()
    either_world.transfer("THA01-1", 1, 9)
    done = either_world.administration.do(hold_block(RANGE), act("stolen"))
    with either_world.database.reading() as connection:
        (held,) = [one for one in all_blocks(connection, Interning()) if one.hold is not None]
    assert held.hold == f"S:{done.log_index}"
    assert [one[:2] for one in either_world.blocks()] == [(1, 2), (3, 5), (6, 9)]
    either_world.prove()
    with pytest.raises(AdministrationError, match="on hold already"):
        either_world.administration.do(hold_block(RANGE), act())
    onward = block(1, 9) | {"first_id": "CA0001-THA01-THA-4-2022", "quantity": 6}
    said = proposal("CHE01-1", onward, action="transfer")
    refused = either_world.say("CHE01", "GHA01", said)
    assert codes_of(refused) == [ResponseCode.BLOCK_SUSPENDED]
    either_world.administration.do(release_block(RANGE), act("found"))
    again = proposal("CHE01-2", onward, action="transfer")
    assert codes_of(either_world.say("CHE01", "GHA01", again)) == [0]
    either_world.prove()


UNIT_4 = "CA0001-THA01-THA-4-2022"


def test_lifting_a_part_of_a_suspension_frees_that_part_only(either_world: World) -> None:
    """One unit of three is free again, the others stay held; its holder is told which."""
    either_world.begin()
    either_world.transfer("THA01-1", 1, 9)
    administration = either_world.administration
    administration.do(hold_block(RANGE), act("stolen"))
    administration.do(release_block(UNIT_4), act("found"))
    assert held_units(either_world) == [(3, 3), (5, 5)]
    type_, body = notices_to(either_world, "CHE01")[-1]
    assert (type_, body["subject"]) == ("suspension.lifted", UNIT_4)
    with pytest.raises(AdministrationError, match="not suspended"):
        administration.do(release_block(UNIT_4), act())
    administration.do(release_block(RANGE), act("the rest"))
    assert held_units(either_world) == []
    assert [one[:2] for one in either_world.blocks()] == [(1, 2), (3, 5), (6, 9)]
    either_world.prove()


def test_a_suspension_is_not_shaken_off_by_giving_up_the_transfer(either_world: World) -> None:
    """Fresh units stay held after a cancellation, and can come in again once it is lifted."""
    either_world.begin()
    digest = either_world.propose("THA01-1", 1, 9)
    either_world.administration.do(hold_block(RANGE), act("doubtful"))
    given_up = {"transfer_id": "THA01-1", "previous_sha256": digest}
    accepted(either_world.say("THA01", "CHE01", ("transfer.cancellation", given_up)))
    assert either_world.blocks() == [(3, 5, "THA01", "authorized")]
    either_world.prove()
    for number, (first, last) in enumerate(((1, 9), (4, 4)), start=2):
        again = proposal(f"THA01-{number}", block(first, last))
        refused = either_world.say("THA01", "CHE01", again)
        assert codes_of(refused) == [ResponseCode.BLOCK_SUSPENDED]
    either_world.administration.do(release_block(RANGE), act("cleared"))
    assert either_world.blocks() == []
    either_world.prove()
    either_world.transfer("THA01-4", 1, 9)
    assert either_world.blocks() == [(1, 9, "CHE01", "itmo")]
    either_world.prove()


def test_no_range_is_too_crowded_for_the_operator(world: World) -> None:
    """What is refused to a peer, a range of very many blocks, is suspended and freed as one."""
    world = World(world.database, limits=Limits(ledger_blocks_per_range_max=2))
    world.begin()
    for number, first in enumerate((1, 4, 7, 10), start=1):
        world.transfer(f"THA01-{number}", first, first)
        world.propose(f"THA01-{number}0", first + 1, first + 2)
    whole = "CA0001-THA01-THA-1-2022..CA0001-THA01-THA-12-2022"
    world.administration.do(hold_block(whole), act("all of it"))
    assert sum(last - first + 1 for first, last in held_units(world)) == 12
    world.administration.do(release_block(whole), act("nothing of it"))
    assert held_units(world) == []
    world.prove()


def held_units(world: World) -> list[tuple[int, int]]:
    """Return the serials on hold, in order."""
    with world.database.reading() as connection:
        return [
            (one.first, one.last)
            for one in all_blocks(connection, Interning())
            if one.hold is not None
        ]


def test_no_notice_that_breaks_its_schema_is_filed() -> None:
    """It is our defect, and found before the commit."""
    body = {"level": "hub", "subject": "*", "reason": "x", "at": "2026-11-22T00:00:00.000Z"}
    assert_notice_valid("suspension.placed", body)
    with pytest.raises(NoticeInvalidError, match="/reason"):
        assert_notice_valid("suspension.placed", body | {"reason": ""})


def test_the_longest_reason_reaches_whom_it_concerns(world: World) -> None:
    """With lines and tabs, word for word, in the notice and in receipts that fit their schema."""
    world.begin()
    reason = "one\n\ttwo ".ljust(1000, "é")
    world.administration.do(place_suspension("participant", "CHE01"), act(reason))
    receipt = world.say("THA01", "CHE01", proposal("THA01-1", block(1, 9)))
    assert validation.schema_errors("receipt", 1, receipt) == ()
    assert reason in receipt["outcomes"][0]["findings"][0]["text"]
    (said,) = [body for type_, body in notices_to(world, "CHE01") if type_ == "suspension.placed"]
    assert said["reason"] == reason


def test_an_operator_may_end_a_back_off(world: World) -> None:
    """The next attempt is due at once."""
    with world.database.writing() as connection:
        mailboxes.note_failure(connection, "CHE01", failure_count=9, error="refused", until=now())
    world.administration.try_now("CHE01")
    with world.database.reading() as connection:
        box = mailboxes.load(connection, ["CHE01"])["CHE01"]
    assert (box.failure_count, box.next_attempt_at) == (0, None)


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "..",
        "CA0001-THA01-THA-5-2022..CA0001-THA01-THA-3-2022",
        "CA0001-THA01-THA-5-2022..CA0001-THA01-THA-7-2023",
        "CA0001-THA01-THA-0-2022",
    ],
)
def test_what_names_no_units_is_refused(subject: str) -> None:
    """Reversed, of two series, or no identifier at all."""
    with pytest.raises(AdministrationError):
        parse_range(subject)


def test_one_identifier_names_one_unit() -> None:
    """The second half may be left out."""
    assert parse_range("CA0001-THA01-THA-5-2022").quantity == 1
    assert parse_range(RANGE).quantity == 3
