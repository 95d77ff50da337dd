"""A key of the hub is revoked: what waits is sealed again, and the old leaf stays explained."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from connectors.session.deliveries import CheckedDelivery, DeliveryRefusedError, open_delivery
from connectors.session.trust import Trust
from hub.protocol.errors import UnavailableError
from hub.protocol.signed_objects import SigningKeys
from hub.services.administration.participants import add_key, revoke_key
from hub.services.check_log import check_log
from hub.services.deliver import DeliveryMaker
from hub.services.own_keys import OwnKeys
from hub.store import evidence, log, reference
from hub.store import head as heads
from hub.store.mailboxes import Delivery
from hub.transparency_log.entries import decode
from keys.public_keys import KeyRecord, PublicKey
from tests.hub.services.test_deliver import acknowledgement, fill, items_of
from tests.hub.services.test_erase_bodies import erase_all, stored_bodies
from tests.hub.world import HUB, World, accepted, act
from tests.integration.peers import now, payload_of, seeded_signer

FIRST, SECOND, THIRD = (seeded_signer(HUB, salt) for salt in ("", "second", "third"))


@dataclass
class Rekeyed:
    """A hub whose own keys change under it."""

    world: World
    signer: Any = FIRST

    @property
    def maker(self) -> DeliveryMaker:
        """Return what makes deliveries with the key of now."""
        return DeliveryMaker(HUB, self.world.limits, OwnKeys(HUB, SigningKeys.of([self.signer])))

    def change_key(self, signer: Any) -> None:
        """Register the next key, revoke the one before, and go on with the next."""
        record = KeyRecord.of(PublicKey.from_der(HUB, signer.public_key_der), now())
        self.world.administration.do(add_key(record), act("the next key"))
        self.world.administration.do(revoke_key(self.signer.key_id), act("stolen"))
        self.signer = signer
        self.world.restart(SigningKeys.of([signer]))

    def next_of(self, recipient: str = "CHE01") -> Delivery:
        """Return the delivery to push next."""
        (made,) = self.maker.prepare(self.world.database, [recipient], now())
        return made

    def opened(self, made: Delivery, at: datetime | None = None) -> CheckedDelivery:
        """Open a delivery as the recipient's connector does, with the keys of now."""
        with self.world.database.reading() as connection:
            records = [one for one in reference.key_records(connection) if one.participant == HUB]
        assert made.body is not None
        trust = Trust.of_anchor(HUB, tuple(records))
        skew = timedelta(minutes=5)
        return open_delivery(
            made.body, trust=trust, participant="CHE01", now=at or now(), skew=skew
        )

    def log_index(self) -> int:
        """Return the index of the log's last leaf."""
        with self.world.database.reading() as connection:
            return heads.read(connection).log_index

    def prove(self) -> None:
        """Prove ledger, mailboxes and every leaf of the log."""
        self.world.prove()
        assert check_log(self.world.database) == []


@pytest.fixture
def hub(either_world: World) -> Rekeyed:
    """Return a hub with three items for CHE01 in a stored delivery."""
    fill(either_world, 3)
    return Rekeyed(either_world)


def replaced_by(made: Delivery) -> Any:
    """Return the places of the deliveries that one says it replaces."""
    assert made.body is not None
    return payload_of(made.body, "itmo-delivery+jws").get("replaces")


def test_a_waiting_delivery_of_a_revoked_key_is_sealed_again_and_taken(hub: Rekeyed) -> None:
    """The same items under a key that counts, a leaf of its own; then the same bytes again."""
    old = hub.next_of()
    assert hub.opened(old).delivery.first_sequence == 1
    hub.change_key(SECOND)
    with pytest.raises(DeliveryRefusedError, match="revoked"):
        hub.opened(old)
    new = hub.next_of()
    assert new.log_index > old.log_index
    assert items_of(new) == items_of(old) == [1, 2, 3]
    assert hub.opened(new).delivery.replaces == (old.log_index,)
    assert replaced_by(new) == [old.log_index]
    assert replaced_by(old) is None
    assert hub.next_of().body == new.body
    hub.prove()
    accepted(hub.world.say("CHE01", HUB, acknowledgement(new)))
    assert items_of(hub.next_of()) == [4, 5]  # the notices of the two keys
    hub.prove()


def test_the_items_sealed_again_are_byte_for_byte_the_same(hub: Rekeyed) -> None:
    """Who applied the old sealing compares each item, and finds nothing that differs."""
    old = hub.next_of()
    before = hub.opened(old).delivery
    hub.change_key(SECOND)
    after = hub.opened(hub.next_of()).delivery
    assert after.items == before.items
    assert (after.first_sequence, after.last_sequence) == (1, 3)


def test_each_sealing_names_all_before_it(hub: Rekeyed) -> None:
    """Two keys lost one after the other: the third delivery explains both leaves."""
    first = hub.next_of()
    hub.change_key(SECOND)
    second = hub.next_of()
    hub.change_key(THIRD)
    third = hub.next_of()
    assert replaced_by(third) == [first.log_index, second.log_index]
    hub.prove()
    with hub.world.database.reading() as connection:
        for one in (first, second, third):
            entry = log.entry_at(connection, one.log_index)
            assert entry is not None
            assert decode(entry).kind == "delivery"
            found = evidence.content_at(connection, one.log_index)
            assert found is not None
            assert found.contents == {"delivery": one.body}


def test_a_stored_delivery_of_a_key_that_merely_ended_keeps_its_bytes(hub: Rekeyed) -> None:
    """What was signed while the key counted is believed still: nothing is sealed again."""
    old = hub.next_of()
    record = KeyRecord.of(PublicKey.from_der(HUB, SECOND.public_key_der), now())
    hub.world.administration.do(add_key(record), act("the next key"))
    with hub.world.database.writing() as connection:
        reference.end_key(connection, FIRST.key_id, now())
    hub.signer = SECOND
    assert hub.next_of().body == old.body


def test_a_process_that_still_has_the_revoked_key_sends_and_logs_nothing(hub: Rekeyed) -> None:
    """The mailbox waits as it is, pushed or fetched; the process with the next key goes on."""
    old = hub.next_of()
    hub.change_key(SECOND)
    hub.signer = FIRST
    size = hub.log_index()
    assert hub.maker.prepare(hub.world.database, ["CHE01"], now()) == []
    with pytest.raises(UnavailableError):
        hub.maker.fetch(hub.world.database, "CHE01", 0, now())
    assert hub.log_index() == size
    hub.signer = SECOND
    assert replaced_by(hub.next_of()) == [old.log_index]
    hub.prove()


def test_what_was_acknowledged_and_is_asked_for_again_can_be_taken_too(hub: Rekeyed) -> None:
    """By push or by pull: a registry restored from a backup. The acknowledgement stays where it is.

    Evidence shows the sealing that was acknowledged.
    """
    old = hub.next_of()
    accepted(hub.world.say("CHE01", HUB, acknowledgement(old)))
    hub.change_key(SECOND)
    again = ("delivery.resend", {"from_sequence": 1, "to_sequence": 3})
    accepted(hub.world.say("CHE01", HUB, again))
    new = hub.next_of()
    assert (items_of(new), replaced_by(new)) == ([1, 2, 3], [old.log_index])
    fetched, _ = hub.maker.fetch(hub.world.database, "CHE01", 0, now())
    assert fetched is not None
    assert fetched.body == new.body
    accepted(hub.world.say("CHE01", HUB, acknowledgement(new)))
    told = payload_of(new.body or b"", "itmo-delivery+jws")["items"][0]["log_index"]
    with hub.world.database.reading() as connection:
        made = evidence.delivery_of(connection, "CHE01", told)
    assert made is not None
    assert made.log_index == old.log_index
    assert made.acknowledged_log_index is not None
    hub.prove()


def test_older_sealings_are_erased_with_the_delivery_that_took_their_place(hub: Rekeyed) -> None:
    """Nothing of the items is left after the time of retention, and the log still holds."""
    hub.next_of()
    hub.change_key(SECOND)
    accepted(hub.world.say("CHE01", HUB, acknowledgement(hub.next_of())))
    accepted(hub.world.say("CHE01", HUB, acknowledgement(hub.next_of())))
    erase_all(hub.world, now() + timedelta(days=400))
    assert stored_bodies(hub.world)[1] == 0
    with hub.world.database.reading() as connection:
        kept = connection.exec_driver_sql(
            "SELECT count(*) FROM delivery_replaced WHERE body IS NOT NULL OR salt IS NOT NULL"
        ).scalar_one()
    assert kept == 0
    hub.prove()


def test_an_older_sealing_that_was_changed_or_lost_is_found(hub: Rekeyed) -> None:
    """The old leaf commits to the old bytes, whatever took their place."""
    old = hub.next_of()
    hub.change_key(SECOND)
    hub.next_of()
    with hub.world.database.writing() as connection:
        connection.exec_driver_sql("UPDATE delivery_replaced SET body = salt")
    assert check_log(hub.world.database) == [
        f"entry {old.log_index}: the stored delivery is not the one it commits to"
    ]
    with hub.world.database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM delivery_replaced")
    assert check_log(hub.world.database) == [f"entry {old.log_index}: no delivery is stored for it"]
