"""Who must sign an act, and that nothing is done but what was signed, once, here and now."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from hub.protocol.errors import PeerError
from hub.protocol.response_codes import ResponseCode
from hub.services.administration.administrators import add_administrator, remove_administrator
from hub.services.administration.deeds import AdministrationError, Deed
from hub.services.administration.participants import (
    add_key,
    add_participant,
    change_state,
    revoke_key,
)
from hub.services.administration.statements import Place, Says, sign_statement
from hub.services.administration.suspensions import (
    hold_block,
    lift_suspension,
    place_suspension,
    release_block,
)
from hub.store import acts, administrators
from hub.store import head as heads
from keys.local_signer import LocalSigner
from keys.possession import sign_possession
from keys.public_keys import KeyRecord, PublicKey
from message_schemas import timestamps
from tests.hub.services.administration.hands import (
    act_by,
    appoint,
    approve,
    do,
    key_of,
    propose,
    said,
    signed,
    signer_of,
)
from tests.hub.services.administration.test_administration import PERU, RANGE, head_of
from tests.hub.services.administration.test_administration import key_of as participants_key
from tests.hub.world import HUB, World, act, codes_of
from tests.integration.peers import now, seeded_signer

STOP_CHE = place_suspension("participant", "CHE01")


def document_at(world: World, log_index: int) -> dict[str, Any]:
    """Return the document of an act."""
    with world.database.reading() as connection:
        row = acts.at(connection, log_index)
    assert row is not None
    document: dict[str, Any] = msgspec.json.decode(row.document)
    return document


def assert_refused(world: World, match: str, attempt: Any) -> None:
    """Make an attempt that must be refused and leave the database as it was."""
    before = head_of(world)
    with pytest.raises(AdministrationError, match=match):
        attempt()
    assert head_of(world) == before


def test_without_administrators_a_name_is_enough_and_the_document_shows_no_eyes(
    world: World,
) -> None:
    """As at a hub that was just set up; nobody is told a signature counted that did not."""
    done = world.administration.do(STOP_CHE, act("first day"))
    document = document_at(world, done.log_index)
    assert (document["eyes"], document["statements"]) == (0, [])
    by_alice = act_by("alice")
    raw = signed(world, Says.DO, place_suspension("hub", "*"), by_alice)
    assert_refused(
        world,
        "no administrator is registered",
        lambda: world.administration.do(place_suspension("hub", "*"), by_alice, raw),
    )


def test_from_the_first_administrator_on_every_act_is_signed(either_world: World) -> None:
    """Unsigned it is refused with the remedy; signed, its document holds the statement whole."""
    appoint(either_world, "alice")
    assert_refused(
        either_world,
        "--as NAME and --signer URI",
        lambda: either_world.administration.do(STOP_CHE, act_by("alice")),
    )
    by_alice = act_by("alice", "a stolen key")
    raw = signed(either_world, Says.DO, STOP_CHE, by_alice)
    done = either_world.administration.do(STOP_CHE, by_alice, raw)
    document = document_at(either_world, done.log_index)
    assert (document["eyes"], document["statements"]) == (1, [raw.decode()])
    assert (document["actor"], document["reason"]) == ("alice", "a stolen key")
    assert document["detail"] == STOP_CHE.parameters
    either_world.prove()


def test_a_statement_counts_once(either_world: World) -> None:
    """The same statement again is a replay, even after its effect was undone."""
    appoint(either_world, "alice")
    by_alice = act_by("alice")
    raw = signed(either_world, Says.DO, STOP_CHE, by_alice)
    done = either_world.administration.do(STOP_CHE, by_alice, raw)
    do(either_world, lift_suspension("participant", "CHE01"), "alice")
    assert_refused(
        either_world,
        f"used already, for the act at log index {done.log_index}",
        lambda: either_world.administration.do(STOP_CHE, by_alice, raw),
    )


def test_a_statement_for_another_hub_or_log_is_refused(world: World) -> None:
    """The first entry of the log names the database."""
    appoint(world, "alice")
    by_alice = act_by("alice")
    here = said(world, Says.DO, STOP_CHE, by_alice).place
    for place in (Place("XHB02", here.log), Place(here.hub, "0" * 64)):
        raw = signed(world, Says.DO, STOP_CHE, by_alice, place=place)
        assert_refused(
            world, "another hub's log", lambda r=raw: world.administration.do(STOP_CHE, by_alice, r)
        )


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_statement_counts_for_five_minutes_before_and_after(world: World, seconds: int) -> None:
    """An old one, kept by somebody, is worth nothing; nor is one made in advance."""
    appoint(world, "alice")
    by_alice = act_by("alice")
    at = by_alice.at + timedelta(seconds=seconds)
    raw = signed(world, Says.DO, STOP_CHE, by_alice, at=at)
    assert_refused(world, "was signed at", lambda: world.administration.do(STOP_CHE, by_alice, raw))
    raw = signed(world, Says.DO, STOP_CHE, by_alice, at=by_alice.at + timedelta(seconds=299))
    world.administration.do(STOP_CHE, by_alice, raw)


OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("deed", {"deed": place_suspension("participant", "GHA01")}),
    ("deed", {"deed": Deed("suspension.lift", STOP_CHE.subject, STOP_CHE.parameters)}),
    ("deed", {"deed": replace(STOP_CHE, parameters={**STOP_CHE.parameters, "more": 1})}),
    ("reason", {"reason": "another"}),
    ("says", {"says": Says.PROPOSE}),
    ("proposal", {"proposal": "0" * 64}),
]


@pytest.mark.parametrize(("part", "changes"), OTHERS, ids=[f"{n}" for n in range(len(OTHERS))])
def test_what_was_signed_is_exactly_what_is_done(
    world: World, part: str, changes: dict[str, Any]
) -> None:
    """Another subject, kind, parameter or reason, or a statement of another sort: refused."""
    appoint(world, "alice")
    by_alice = act_by("alice")
    statement = replace(said(world, Says.DO, STOP_CHE, by_alice), **changes)
    raw = sign_statement(statement, signer_of("alice"))
    assert_refused(
        world,
        f"signed something else than what is to be done: {part}",
        lambda: world.administration.do(STOP_CHE, by_alice, raw),
    )


def test_nobody_acts_in_anothers_name_or_with_a_strangers_key(world: World) -> None:
    """Alice's key under Bob's name; a key nobody registered; a key of the hub; a changed byte."""
    appoint(world, "alice", "bob")
    for actor, key, match in (
        ("bob", signer_of("alice"), "with the key of alice, as 'bob'"),
        ("mallory", signer_of("mallory"), "not the key of an administrator"),
        ("alice", seeded_signer(HUB), "not the key of an administrator"),
        ("alice", seeded_signer("CHE01"), "not the key of an administrator"),
    ):
        by = act_by(actor)
        raw = sign_statement(said(world, Says.DO, STOP_CHE, by), key)
        assert_refused(world, match, lambda b=by, r=raw: world.administration.do(STOP_CHE, b, r))
    by_alice = act_by("alice")
    raw = signed(world, Says.DO, STOP_CHE, by_alice)
    forged = bytearray(raw)
    forged[-10] = ord("A") if forged[-10] != ord("A") else ord("B")
    assert_refused(
        world,
        "the statement was changed|no signed statement",
        lambda: world.administration.do(STOP_CHE, by_alice, bytes(forged)),
    )


def test_an_administrators_key_opens_no_door(world: World) -> None:
    """It signs no envelope: not for the hub, not for a participant."""
    appoint(world, "alice")
    alice = signer_of("alice")
    for code in (HUB, "CHE01"):
        peer = replace(world.peers["CHE01"], code=code, signers=[alice])
        note = ("administrator.note", {"subject": "hello", "text": "It is me."})
        answer = world.post(peer.envelope("THA01", note))
        assert isinstance(answer, PeerError)
        assert answer.code in (ResponseCode.KEY_UNKNOWN, ResponseCode.KEY_OF_ANOTHER_PARTICIPANT)


def record_for(code: str, signer: LocalSigner) -> KeyRecord:
    """Return a key's record under a participant's code."""
    return KeyRecord.of(PublicKey.from_der(code, signer.public_key_der), now())


def test_a_key_is_an_administrators_or_a_participants_never_both(world: World) -> None:
    """Whichever comes first; and an administrator's key is made under the hub's code."""
    hubs = record_for(HUB, seeded_signer(HUB))
    switzerlands = record_for(HUB, seeded_signer("CHE01"))
    for record in (hubs, switzerlands):
        deed = add_administrator("mallory", record)
        assert_refused(world, "signs messages of", lambda d=deed: world.administration.do(d, act()))
    foreign = add_administrator("mallory", participants_key("CHE01", "new"))
    assert_refused(world, "--participant XHB01", lambda: world.administration.do(foreign, act()))
    appoint(world, "alice")
    alices = record_for("CHE01", signer_of("alice"))
    deed = add_key(alices)
    assert_refused(world, "key of the administrator alice", lambda: do(world, deed, "alice"))
    peru = add_participant(PERU, [record_for("PER01", signer_of("alice"))])
    assert_refused(world, "key of the administrator alice", lambda: do(world, peru, "alice"))


def test_a_participant_cannot_rotate_to_an_administrators_key(world: World) -> None:
    """An administrator who also works for a registry needs two keys."""
    appoint(world, "alice")
    alice = seeded_signer(HUB, "alice")
    as_switzerland = LocalSigner(alice._key, "CHE01")
    starts_at = now() + timedelta(days=1)
    document = sign_possession(as_switzerland, "CHE01", valid_from=starts_at)
    body = {
        "key_document": document.decode(),
        "starts_at": timestamps.render(starts_at),
        "overlap_seconds": 3600,
    }
    receipt = world.say("CHE01", HUB, ("key.rotate", body))
    assert codes_of(receipt) == [ResponseCode.KEY_CHANGE_REFUSED]


def test_a_name_and_a_key_are_used_once_for_ever(world: World) -> None:
    """Two names with one key would be two pairs of eyes in one head."""
    appoint(world, "alice", "bob", "carol")
    alias = add_administrator("alias", key_of("alice"))
    again = add_administrator("alice", key_of("other"))
    assert_refused(world, "nobody signs under two names", lambda: propose(world, alias, "alice"))
    assert_refused(
        world, "there is or was an administrator", lambda: propose(world, again, "alice")
    )


def test_a_removed_administrator_signs_nothing_and_the_last_one_stays(world: World) -> None:
    """Removal takes effect at once; without anybody, acts would need no signature again."""
    appoint(world, "alice")
    last = remove_administrator("alice")
    assert_refused(world, "the last administrator", lambda: do(world, last, "alice"))
    do(world, add_administrator("bob", key_of("bob")), "alice")
    approve(world, propose(world, remove_administrator("alice"), "alice"), "bob")
    assert_refused(world, "not the key of an administrator", lambda: do(world, STOP_CHE, "alice"))
    assert_refused(
        world, "the last administrator", lambda: do(world, remove_administrator("bob"), "bob")
    )
    with world.database.reading() as connection:
        assert [row.name for row in administrators.active(connection)] == ["bob"]


TAKES_TWO = [
    add_participant(PERU, []),
    add_key(participants_key("CHE01", "new")),
    revoke_key(seeded_signer(HUB).key_id),
    change_state("CHE01", "close"),
    lift_suspension("hub", "*"),
    release_block(RANGE),
    add_administrator("carol", key_of("carol")),
    remove_administrator("bob"),
    Deed("log.loss_accepted", "itmo-hub.invalid/xhb01", {"up_to": 10}),
]
TAKES_ONE = [
    revoke_key(seeded_signer("CHE01").key_id),
    change_state("CHE01", "suspend"),
    place_suspension("hub", "*"),
    place_suspension("pair", "CHE01/THA01"),
    hold_block(RANGE),
]


@pytest.mark.parametrize("deed", TAKES_TWO, ids=lambda deed: deed.kind)
def test_what_gives_power_lets_go_or_ends_takes_two(world: World, deed: Deed) -> None:
    """Done directly it is refused, with the remedy."""
    appoint(world, "alice", "bob")
    assert_refused(world, "takes two administrators: .*--propose", lambda: do(world, deed, "alice"))


@pytest.mark.parametrize("deed", TAKES_ONE, ids=lambda deed: deed.kind)
def test_what_stops_something_takes_one(world: World, deed: Deed) -> None:
    """An emergency does not wait for a second administrator."""
    world.begin()
    world.transfer("THA01-1", 1, 9)
    appoint(world, "alice", "bob")
    assert do(world, deed, "alice").eyes == 1


def test_a_sole_administrator_does_it_alone_and_the_log_says_so(world: World) -> None:
    """There is nobody to ask; one pair of eyes stands in the document."""
    appoint(world, "alice")
    done = do(world, change_state("CHE01", "close"), "alice")
    assert document_at(world, done.log_index)["eyes"] == 1


def test_the_hub_registers_its_own_participants_at_a_start_without_a_signature(
    world: World,
) -> None:
    """Nobody sits at the keyboard when it starts."""
    appoint(world, "alice")
    row = replace(PERU, code="XIR02", party="XIR", kind="international_registry")
    done = world.administration.do_at_start(add_participant(row, []), act_by(HUB))
    assert document_at(world, done.log_index)["eyes"] == 0


def test_documents_of_keys_hold_the_keys_whole(world: World) -> None:
    """So that evidence needs nothing of the hub's database to check a signature."""
    key = participants_key("PER01")
    added = world.administration.do(add_participant(PERU, [key]), act())
    (form,) = document_at(world, added.log_index)["detail"]["keys"]
    assert set(form) == {"key_id", "algorithm", "public_key", "valid_from", "valid_until"}
    assert form["key_id"] == key.key_id
    second = participants_key("PER01", "second")
    more = world.administration.do(add_key(second), act())
    detail = document_at(world, more.log_index)["detail"]
    assert (detail["participant"], detail["keys"][0]["key_id"]) == ("PER01", second.key_id)
    gone = world.administration.do(revoke_key(second.key_id), act())
    assert document_at(world, gone.log_index)["detail"] == {"key_id": second.key_id}


def test_a_deed_with_other_parameters_than_its_kind_is_refused(world: World) -> None:
    """Unknown kinds, missing, surplus and mistyped parameters; and a key under a false id."""
    key = add_key(participants_key("CHE01", "new"))
    (form,) = key.parameters["keys"]
    for deed in (
        Deed("hub.burn", "*", {}),
        Deed("key.add", key.subject, {}),
        Deed("key.add", key.subject, {**key.parameters, "keys": []}),
        Deed("key.add", key.subject, {**key.parameters, "more": 1}),
        Deed("key.add", "CHE01-0000000000000000", key.parameters),
        Deed("key.add", key.subject, {**key.parameters, "keys": [{**form, "key_id": "CHE01-0"}]}),
        Deed("participant.close", "CHE01", {"state": "active"}),
        Deed("suspension.place", "hub:*", {"level": "pair", "subject": "CHE01/THA01"}),
        Deed("account.status", "XIR01/CHE-1", {"status": "lost"}),
        Deed("log.loss_accepted", "origin", {"up_to": "many"}),
    ):
        assert_refused(world, ".", lambda d=deed: world.administration.do(d, act()))


def test_the_head_moves_by_one_for_each_act(world: World) -> None:
    """Statements, proposals and their answers are entries like all others."""
    appoint(world, "alice", "bob", "carol")
    with world.database.reading() as connection:
        before = heads.read(connection).log_index
    do(world, STOP_CHE, "carol")
    assert head_of(world).log_index == before + 1
    world.prove()
