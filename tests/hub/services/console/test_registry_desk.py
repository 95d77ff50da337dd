"""The desks of registries, of what is stopped and of the system, on both databases."""

from dataclasses import replace
from datetime import timedelta

import pytest

from hub.protocol.retry_schedule import RetrySchedule
from hub.services import deliver
from hub.services.administration import suspensions
from hub.services.administration.deeds import AdministrationError
from hub.services.administration.participants import add_key, change_state, revoke_key
from hub.services.console.ground import Ground
from hub.services.console.registries.registry_desk import Positions, RegistryDesk
from hub.services.console.registries.registry_keys import ends_first, read_proofs
from hub.services.console.registries.registry_list import Wanted
from hub.services.console.registries.suspension_desk import SuspensionDesk, read_place, write_place
from hub.services.console.registries.system_desk import SystemDesk
from hub.services.leadership import Leadership
from hub.store import mailboxes
from hub.store.console.registry_states import DeliveryLine
from keys.public_keys import KeyRecord, PublicKey
from tests.hub.console.registry_world import proof, signer_of, trouble
from tests.hub.services.console.grounds import ground_over
from tests.hub.services.handlers.test_reconciliation import asked, cut_ack
from tests.hub.world import HUB, World, accepted, act, codes_of
from tests.integration.peers import now

UNITS = "CA0001-THA01-THA-1-2022..CA0001-THA01-THA-10-2022"


def ground(world: World) -> Ground:
    """Return what desks stand on over a world's database."""
    return ground_over(world.database)


def played(world: World) -> World:
    """Play two transfers, and one delivery that Switzerland acknowledged."""
    world.begin()
    world.transfer("THA01-1", 1, 10)
    (delivery,) = world.maker.prepare(world.database, ["CHE01"], now())
    assert delivery.body is not None
    body = {"up_to_sequence": delivery.last_sequence, "delivery_sha256": delivery.sha256}
    said = ("delivery.acknowledgement", body)
    accepted(world.say("CHE01", HUB, said))
    world.propose("THA01-2", 11, 20)
    return world


def test_the_list_tells_how_each_participant_stands(either_world: World) -> None:
    """Queue, oldest, last heard, back-off and keys, from one view."""
    world = played(either_world)
    trouble(world)
    desk = RegistryDesk(ground(world))
    lines = {line.code: line for line in desk.listed(Wanted()).lines}
    with world.database.reading() as connection:
        boxes = {box.recipient: box for box in mailboxes.load_all(connection)}
    assert set(lines) == set(boxes)
    for code, line in lines.items():
        box = boxes[code]
        assert line.queue == box.last_sequence - box.acknowledged_sequence
        assert (line.oldest_at is not None) is (line.queue > 0), code
    assert lines["THA01"].circuit == "open"
    assert lines["THA01"].heard_at is not None
    assert lines["CHE01"].heard_at is not None
    assert lines["XMR01"].heard_at is None, "it never said anything"
    assert lines["CHE01"].key_end.has_successor
    assert lines["GHA01"].is_suspended
    assert (lines["XMR01"].mode, lines["GHA01"].mode) == (None, "digests")


@pytest.mark.parametrize(
    ("wanted", "codes"),
    [
        (Wanted(search="tHa"), ["THA01"]),
        (Wanted(kind="mechanism_registry"), ["XMR01"]),
        (Wanted(trouble="backing_off"), ["THA01"]),
        (Wanted(trouble="suspended"), ["GHA01"]),
        (Wanted(delivery="push"), ["THA01"]),
        (Wanted(binding="xml"), []),
        (Wanted(mode="off"), []),
        (Wanted(kind="party_registry", sort="code", descending=True), ["THA01", "GHA01", "CHE01"]),
        (Wanted(kind="party_registry", sort="back_off", descending=True), ["THA01"]),
    ],
    ids=str,
)
def test_the_list_is_what_is_asked_for(world: World, wanted: Wanted, codes: list[str]) -> None:
    """Filters together, search by code, Party and name, an order with a stable end."""
    trouble(played(world))
    found = RegistryDesk(ground(world)).listed(wanted)
    assert [line.code for line in found.lines][: len(codes) or None] == codes
    assert found.total == 6


def test_a_page_tells_everything_about_one_registry(either_world: World) -> None:
    """Positions, deliveries, keys, what it said last, joining; nobody is None."""
    world = played(either_world)
    desk = RegistryDesk(ground(world))
    page = desk.page("CHE01")
    assert page is not None
    (made,) = page.deliveries.deliveries
    assert made.acknowledged_at is not None
    assert page.last_said is not None
    assert page.last_said.log_index == made.acknowledged_log_index
    assert [one.signed_last for one in page.keys] == [True]
    assert page.positions.waiting == page.line.queue == 1
    assert page.onboarding is not None
    done = {step.name: step.is_done for step in page.onboarding.steps}
    assert done == {
        "registered": True,
        "keys": True,
        "heard": True,
        "active": True,
        "acknowledged": True,
        "agreed": False,
    }
    assert page.onboarding.next is not None
    assert "reconciliation" in page.onboarding.next.command
    assert page.onboarding.first is not None
    assert page.onboarding.first.log_index < page.last_said.log_index
    assert desk.page("PER01") is None
    silent = desk.page("XMR01")
    assert silent is not None
    assert silent.onboarding is not None
    assert [step.is_done for step in silent.onboarding.steps] == [True, True, False, True, False]


def test_deliveries_and_accounts_come_in_pages(either_world: World) -> None:
    """Newest first, each once, until there is no more."""
    world = played(either_world)
    trouble(world)
    desk = RegistryDesk(ground(world))
    world.maker.prepare(world.database, ["CHE01"], now())
    found, before = list[DeliveryLine](), None
    while True:
        page = desk.deliveries("CHE01", before, 1)
        assert page is not None
        found += page.deliveries
        before = page.next_before
        if before is None:
            break
    firsts = [one.first_sequence for one in found]
    assert firsts == sorted(firsts, reverse=True)
    assert len(firsts) == len(set(firsts)) == 2
    assert desk.deliveries("PER01", None, 1) is None
    accounts = desk.accounts("CHE01", "", 10)
    assert accounts is not None
    assert [one.account_id for one in accounts.accounts] == ["CH-1"]
    after = desk.accounts("CHE01", "CH-1", 10)
    assert after is not None
    assert after.accounts == ()


def test_a_hello_is_read_for_what_a_registry_says_of_itself(world: World) -> None:
    """Software, versions, binding: its own words."""
    body = {
        "software": "registry <9>",
        "protocol_versions": ["itmo-hub/1"],
        "binding": "json",
        "delivery_mode": "pull",
    }
    accepted(world.say("GHA01", HUB, ("participant.hello", body)))
    page = RegistryDesk(ground(world)).page("GHA01")
    assert page is not None
    assert page.hello is not None
    assert (page.hello.software, page.hello.protocol_versions) == ("registry <9>", ("itmo-hub/1",))


def test_try_now_ends_a_back_off(either_world: World) -> None:
    """The next delivery is due at once; nobody is refused by name."""
    world = either_world
    trouble(world)
    desk = RegistryDesk(ground(world))
    desk.try_now("THA01")
    with world.database.reading() as connection:
        assert mailboxes.load(connection, ["THA01"])["THA01"].failure_count == 0
    with pytest.raises(AdministrationError, match="PER01 is not a participant"):
        desk.try_now("PER01")


def test_the_bar_of_positions_covers_what_waits() -> None:
    """Parts touch, in their order, and fill the bar; a short queue behind many items is seen."""
    bar = Positions(1_000_000, 999_990, 999_980, None, None).bar()
    assert [name for name, _, _ in bar] == ["acknowledged", "stored", "unsent"]
    assert sum(width for _, _, width in bar) == 1000
    assert all(width >= 200 for _, _, width in bar)
    again = Positions(50, 50, 50, 41, 45).bar()
    assert [name for name, _, _ in again] == ["acknowledged", "resend"]
    assert Positions(0, 0, 0, None, None).bar() == []


def test_the_key_that_ends_first_matters_only_without_a_successor() -> None:
    """Urgency is of the end of the last key that goes on."""
    at = now()
    one, two = (
        KeyRecord.of(
            PublicKey.from_der("CHE01", signer_of("CHE01", seed).public_key_der),
            at - timedelta(days=1),
            at + timedelta(days=days),
        )
        for seed, days in (("a", 3), ("b", 60))
    )
    assert ends_first([], at).urgency(at) == "none"
    assert ends_first([one], at).urgency(at) == "urgent"
    assert ends_first([one, two], at).urgency(at) == "fine"
    assert ends_first([one.revoked(at), two], at).key_id == two.key_id
    assert ends_first([two], at).urgency(at + timedelta(days=40)) == "soon"


def test_a_proof_is_read_and_a_wrong_one_is_refused_by_its_place() -> None:
    """Whole documents alone, each once."""
    text = proof("CHE01", days=30)
    (read,) = read_proofs(text, now())
    assert read.shown.participant == "CHE01"
    assert len(read.shown.fingerprint.split()) == 16
    for wrong, why in (
        (text + " nonsense", "document 2 is no proof"),
        (text[:-4] + "AAAA", "document 1 is no proof"),
        (f"{text}\n{text}", "twice"),
        (" ".join([text] * 6), "1 to 5 documents"),
    ):
        with pytest.raises(AdministrationError, match=why):
            read_proofs(wrong, now())


def test_what_is_stopped_is_told_with_who_did_it_and_why(either_world: World) -> None:
    """Every level, registries in state suspended, holds; and afterwards the history."""
    world = played(either_world)
    trouble(world)
    administration = world.administration
    administration.do(change_state("CHE01", "suspend"), act("look at it"))
    administration.do(suspensions.hold_block(UNITS), act("a claim"))
    desk = SuspensionDesk(ground(world))
    found = desk.now()
    assert {one.row.level for one in found.suspensions} == {
        "participant",
        "message_type",
        "account",
    }
    assert all(one.placed is not None for one in found.suspensions)
    (registry,) = found.registries
    assert registry.act is not None
    assert (registry.code, registry.act.reason) == ("CHE01", "look at it")
    (hold,) = found.holds
    assert hold.act is not None
    assert (hold.release, hold.act.reason, hold.act.actor) == (UNITS, "a claim", "operator")
    assert sum(one.last_serial - one.first_serial + 1 for one in hold.blocks) == 10
    (before,) = desk.history(None, 10).stops
    assert before.lifted is not None
    assert (before.row.subject, before.lifted.reason) == ("CHE01/THA01", "again")


def test_the_history_of_suspensions_comes_in_pages(either_world: World) -> None:
    """Each once, the latest lifted first, also where times are the same."""
    world = either_world
    at = now()
    for number in range(7):
        subject = f"CHE0{number}"
        one = replace(act(), at=at)
        world.administration.do(suspensions.place_suspension("participant", subject), one)
        world.administration.do(suspensions.lift_suspension("participant", subject), one)
    desk, found, before = SuspensionDesk(ground(world)), list[str](), None
    while True:
        page = desk.history(before, 3)
        found += [one.row.subject for one in page.stops]
        if page.next_before is None:
            break
        before = read_place(write_place(page.next_before))
    assert found == [f"CHE0{number}" for number in reversed(range(7))]
    for text, why in (
        ("a~b", "a~b"),
        ("a~b~c~d", "isoformat"),
        ("2026-01-01~2026-01-01~hub~*", "zone"),
    ):
        with pytest.raises(ValueError, match=why):
            read_place(text)


@pytest.mark.parametrize(
    ("level", "subject", "why"),
    [
        ("participant", "PER01", "is not a participant"),
        ("participant", "GHA01", "is suspended already"),
        ("pair", "CHE01/CHE01", "two different participants"),
        ("pair", "CHE01/PER01", "two different participants"),
        ("message_type", "transfer.teleport", "no message type"),
        ("account", "XIR01/NONE", "no account"),
        ("hub", "all", "is \\*"),
        ("block", "nonsense", "nonsense"),
        ("block", "CA0001-THA01-THA-1-2022..CA0001-THA01-THA-99-2022", "not in the ledger"),
    ],
)
def test_what_cannot_be_suspended_is_refused_with_why(
    world: World, level: str, subject: str, why: str
) -> None:
    """Before anybody signs."""
    trouble(played(world))
    with pytest.raises(AdministrationError, match=why):
        SuspensionDesk(ground(world)).require_placeable(level, subject)


def test_who_is_told_is_who_the_service_tells(either_world: World) -> None:
    """The same codes as the notices that are filed."""
    world = played(either_world)
    trouble(world)
    desk = SuspensionDesk(ground(world))
    cases = (
        ("participant", "THA01"),
        ("pair", "CHE01/GHA01"),
        ("hub", "*"),
        ("message_type", "action.use"),
        ("block", UNITS),
    )
    for level, subject in cases:
        told = desk.require_placeable(level, subject)
        with world.database.reading() as connection:
            was = {box.recipient: box.last_sequence for box in mailboxes.load_all(connection)}
        if level == "block":
            deed = suspensions.hold_block(subject)
        else:
            deed = suspensions.place_suspension(level, subject)
        world.administration.do(deed, act())
        with world.database.reading() as connection:
            boxes = mailboxes.load_all(connection)
        got = {box.recipient for box in boxes if box.last_sequence > was[box.recipient]}
        assert got == set(told.codes), level
        assert desk.require_liftable(level, subject).codes == told.codes
    with pytest.raises(AdministrationError, match="is not suspended"):
        desk.require_liftable("participant", "CHE01")
    with pytest.raises(AdministrationError, match="is on hold"):
        desk.require_liftable("block", UNITS.replace("-1-", "-11-").replace("-10-", "-20-"))


def test_the_system_tells_whether_a_hub_leads(either_world: World) -> None:
    """By the lock a leading process holds, without taking it."""
    desk = SystemDesk(ground(either_world))
    assert desk.shown().leads is False
    leader = Leadership(either_world.database)
    assert leader.seek()
    try:
        assert desk.shown().leads is True
    finally:
        leader.close()
    facts = desk.shown()
    assert facts.leads is False
    assert facts.schema_revision == facts.schema_needed
    assert facts.sizes[0][1] > 0
    assert facts.halted is None


def test_a_revoked_key_and_a_failure_are_seen_at_once(world: World) -> None:
    """Nothing is kept from one look to the next."""
    desk = RegistryDesk(ground(world))
    key = PublicKey.from_der("CHE01", signer_of("CHE01").public_key_der)
    world.administration.do(add_key(KeyRecord.of(key, now())), act())
    world.administration.do(revoke_key(key.key_id), act())
    shown = desk.key(key.key_id)
    assert shown is not None
    assert shown.state == "revoked"
    deliver.note_failure(
        world.database, "CHE01", error="x", schedule=RetrySchedule(), jitter=0.0, now=now()
    )
    page = desk.page("CHE01")
    assert page is not None
    assert (page.last_error, page.line.is_backing_off) == ("x", True)


@pytest.mark.parametrize(
    ("level", "subject", "code"), [("participant", "CHE01", 2006), ("hub", "*", 2010)]
)
def test_who_is_suspended_cannot_answer_at_night(
    world: World, level: str, subject: str, code: int
) -> None:
    """What the page says of a suspension is so: an answer to a comparison is refused."""
    asked(world)
    world.administration.do(suspensions.place_suspension(level, subject), act())
    assert codes_of(world.say("CHE01", HUB, cut_ack())) == [code]
