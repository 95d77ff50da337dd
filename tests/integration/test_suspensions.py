"""A suspension stops the smallest thing that needs stopping, with a code of its own, and lifts."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hub.international_registry.accounts import Account, AccountStatus
from hub.services.administration.accounts import open_account
from hub.services.administration.deeds import Act, AdministrationError
from hub.services.administration.participants import change_state
from hub.services.administration.suspensions import (
    hold_block,
    lift_suspension,
    place_suspension,
    release_block,
)
from tests.integration.hub_process import HubUnderTest
from tests.integration.peers import Body, Peer, acceptance, now, proposal
from tests.integration.worlds import (
    codes,
    fresh_block,
    fresh_id,
    outcomes,
    part_of,
    record_world,
    rejection,
)


def act(reason: str = "stolen units") -> Act:
    """Return an operator's act."""
    return Act("tests", reason, now())


@contextmanager
def suspended(hub: HubUnderTest, level: str, subject: str) -> Iterator[None]:
    """Suspend something for the length of a block."""
    administration = hub.administration()
    administration.do(place_suspension(level, subject), act())
    try:
        yield
    finally:
        administration.do(lift_suspension(level, subject), act("cleared"))


def offer(recipient: str = "CHE01") -> tuple[str, Body]:
    """Return a proposal that passes when nothing is suspended."""
    del recipient
    return proposal(fresh_id("THA01"), fresh_block(2))


@pytest.mark.parametrize(
    ("level", "subject", "expected"),
    [
        ("hub", "*", 2010),
        ("message_type", "transfer.proposal", 2009),
        ("participant", "THA01", 2006),
        ("participant", "CHE01", 2007),
        ("pair", "CHE01/THA01", 2008),
    ],
)
async def test_a_suspension_refuses_what_it_names_and_lifts_again(
    hub: HubUnderTest, thailand: Peer, level: str, subject: str, expected: int
) -> None:
    """The very next message is refused, with the reason; after lifting the next one passes."""
    await record_world(thailand)
    said = offer()
    with suspended(hub, level, subject):
        receipt = await thailand.say("CHE01", said)
        assert codes(receipt) == [expected]
        assert "stolen units" in str(receipt["outcomes"][0]["findings"][0])
        question = ("transfer.status", {"transfer_id": said[1]["transfer_id"]})
        assert codes(await thailand.say("XHB01", question)) == [4001]
    assert outcomes(await thailand.say("CHE01", said)) == ["accepted"]


async def test_a_suspended_pair_leaves_others_in_peace(hub: HubUnderTest, thailand: Peer) -> None:
    """THA01 and CHE01 are kept apart; THA01 and GHA01 trade on."""
    await record_world(thailand)
    with suspended(hub, "pair", "CHE01/THA01"):
        assert outcomes(await thailand.say("GHA01", offer())) == ["accepted"]


async def test_a_suspension_never_locks_reserved_units_in(
    hub: HubUnderTest, thailand: Peer, switzerland: Peer
) -> None:
    """While a pair is suspended accepting is refused, but rejecting gives the units back."""
    await record_world(thailand)
    name, units = fresh_id("THA01"), fresh_block(4)
    receipt = await thailand.say("CHE01", proposal(name, units))
    digest = receipt["envelope_sha256"]
    with suspended(hub, "pair", "CHE01/THA01"):
        assert codes(await switzerland.say("THA01", acceptance(name, digest))) == [2008]
        refused = await switzerland.say("THA01", rejection(name, digest))
        assert outcomes(refused) == ["accepted"]
    again = await thailand.say("CHE01", proposal(fresh_id("THA01"), units))
    assert outcomes(again) == ["accepted"]


async def test_suspended_units_stay_where_they_are_to_the_serial(
    hub: HubUnderTest, thailand: Peer, switzerland: Peer
) -> None:
    """Only the suspended serials are refused (5011), their neighbours move; then all do."""
    await record_world(thailand)
    name, units = fresh_id("THA01"), fresh_block(10)
    receipt = await thailand.say("CHE01", proposal(name, units))
    await switzerland.say("THA01", acceptance(name, receipt["envelope_sha256"]))
    bad, good = part_of(units, 4, 6), part_of(units, 7, 8)
    subject = f"{bad['first_id']}..{bad['last_id']}"
    hub.administration().do(hold_block(subject), act())
    with pytest.raises(AdministrationError, match="on hold already"):
        hub.administration().do(hold_block(subject), act())

    async def onward(moved: Body) -> int:
        said = proposal(fresh_id("CHE01"), moved, action="transfer", transferring_account="CH-1")
        return codes(await switzerland.say("GHA01", said))[0]

    assert await onward(part_of(units, 6, 8)) == 5011
    assert await onward(good) == 0
    hub.administration().do(release_block(subject), act("cleared"))
    assert await onward(bad) == 0


async def test_giving_up_a_transfer_does_not_shake_off_the_suspension_of_its_units(
    hub: HubUnderTest, thailand: Peer, switzerland: Peer
) -> None:
    """Cancelled or rejected, fresh units stay suspended (5011); lifted in part, that part moves."""
    await record_world(thailand)
    for give_up in ("cancel", "reject"):
        name, units = fresh_id("THA01"), fresh_block(10)
        receipt = await thailand.say("CHE01", proposal(name, units))
        digest = receipt["envelope_sha256"]
        hub.administration().do(hold_block(f"{units['first_id']}..{units['last_id']}"), act())
        if give_up == "cancel":
            body = {"transfer_id": name, "previous_sha256": digest}
            answer = await thailand.say("CHE01", ("transfer.cancellation", body))
        else:
            answer = await switzerland.say("THA01", rejection(name, digest))
        assert outcomes(answer) == ["accepted"]
        again = await thailand.say("CHE01", proposal(fresh_id("THA01"), units))
        assert codes(again) == [5011]
        part = part_of(units, 5, 5)
        hub.administration().do(release_block(part["first_id"]), act("cleared"))
        for first, last, code in ((5, 5, 0), (6, 6, 5011), (4, 4, 5011)):
            said = proposal(fresh_id("THA01"), part_of(units, first, last))
            assert codes(await thailand.say("CHE01", said)) == [code]


async def test_a_suspended_account_neither_takes_nor_gives(
    hub: HubUnderTest, thailand: Peer
) -> None:
    """Its own code; other accounts of the international registry are untouched."""
    await record_world(thailand)
    for account_id in ("CHE-SUS-1", "CHE-SUS-2"):
        account = Account(account_id, "XIR01", 100, "CHE", None, None, "GHG", AccountStatus.OPEN)
        hub.administration().do(open_account(account), act("opened"))

    async def send_to(account_id: str) -> int:
        said = proposal(fresh_id("THA01"), fresh_block(1), acquiring_account=account_id)
        return codes(await thailand.say("XIR01", said))[0]

    with suspended(hub, "account", "XIR01/CHE-SUS-1"):
        assert await send_to("CHE-SUS-1") == 5105
        assert await send_to("CHE-SUS-2") == 0
    assert await send_to("CHE-SUS-1") == 0


async def test_a_suspended_participant_may_catch_up_and_a_closed_one_may_not(
    hub: HubUnderTest, thailand: Peer, ghana: Peer
) -> None:
    """State "suspended": its mailbox stays open to it, its proposals are refused."""
    await record_world(thailand)
    administration = hub.administration()
    administration.do(change_state("GHA01", "suspend"), act())
    try:
        said = proposal(fresh_id("GHA01"), fresh_block(1, "GHA01"))
        assert codes(await ghana.say("CHE01", said)) == [2006]
        assert codes(await thailand.say("GHA01", offer())) == [2007]
        assert await ghana.fetch(0) is not None
    finally:
        administration.do(change_state("GHA01", "activate"), act("cleared"))
    assert outcomes(await thailand.say("GHA01", offer())) == ["accepted"]
