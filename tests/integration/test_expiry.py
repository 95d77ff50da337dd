"""Every transfer has an exit: accepted in time it is completed, else it expires, never both."""

import asyncio
from datetime import timedelta

from sqlalchemy import select

from hub.store.database import Database
from hub.store.tables import unit_block
from message_schemas import timestamps
from tests.integration.hub_process import HubUnderTest
from tests.integration.peers import Peer, acceptance, now, payload_of, proposal
from tests.integration.worlds import (
    codes,
    final_notices,
    fresh_block,
    fresh_id,
    last_sequence,
    mailbox,
    outcomes,
    record_world,
    until,
)

HUB_ENVIRONMENT = {"ITMO_HUB_EXPIRY_SWEEP_SECONDS": "0.1"}
RACE_COUNT = 60
RACE_SECONDS = 3.0


def reserved_blocks(hub: HubUnderTest) -> list[str]:
    """Return the transfers that still reserve units."""
    database = Database(hub.database_url)
    with database.reading() as connection:
        rows = connection.execute(
            select(unit_block.c.reserved_by).where(unit_block.c.reserved_by.is_not(None))
        )
        found = [str(row[0]) for row in rows]
    database.dispose()
    return found


async def test_an_unanswered_transfer_expires_and_a_late_acceptance_is_told_so(
    hub: HubUnderTest, thailand: Peer, switzerland: Peer
) -> None:
    """The sweep gives the units back and tells both ends; accepting afterwards gets 4006."""
    await record_world(thailand)
    name, units = fresh_id("THA01"), fresh_block(7)
    respond_by = timestamps.render(now() + timedelta(seconds=1.5))
    receipt = await thailand.say("CHE01", proposal(name, units, respond_by=respond_by))
    assert outcomes(receipt) == ["accepted"]
    after = [await last_sequence(peer) for peer in (thailand, switzerland)]
    for peer, sequence in zip((thailand, switzerland), after, strict=True):
        delivery = await peer.fetch(sequence, wait_seconds=20)
        assert final_notices(delivery["items"]) == {name: ["expired"]}
    late = await switzerland.say("THA01", acceptance(name, receipt["envelope_sha256"]))
    assert codes(late) == [4006]
    assert name not in reserved_blocks(hub)
    again = await thailand.say("CHE01", proposal(fresh_id("THA01"), units))
    assert outcomes(again) == ["accepted"]


async def test_acceptances_racing_the_sweep_end_each_transfer_once_and_alike_at_both_ends(
    hub: HubUnderTest, thailand: Peer, switzerland: Peer
) -> None:
    """Whichever commit comes first decides; both mailboxes and the receipt agree with it."""
    await record_world(thailand)
    starts = [await last_sequence(peer) for peer in (thailand, switzerland)]
    deadline = now() + timedelta(seconds=RACE_SECONDS)
    # Spread around the deadline, so that some acceptances come early, some late, some within.
    names = [fresh_id("THA01") for _ in range(RACE_COUNT)]
    receipts = await asyncio.gather(
        *(
            thailand.say(
                "CHE01",
                proposal(name, fresh_block(2), respond_by=timestamps.render(deadline)),
            )
            for name in names
        )
    )
    assert {tuple(outcomes(receipt)) for receipt in receipts} == {("accepted",)}

    async def accept(position: int) -> int:
        at = deadline + timedelta(seconds=(position / RACE_COUNT - 0.5) * 0.8)
        await asyncio.sleep(max(0.0, (at - now()).total_seconds()))
        said = acceptance(names[position], receipts[position]["envelope_sha256"])
        status, body = await switzerland.post(switzerland.envelope("THA01", said))
        assert status == 200
        return codes(payload_of(body, "itmo-receipt+jws"))[0]

    answers = await asyncio.gather(*(accept(position) for position in range(RACE_COUNT)))
    assert set(answers) <= {0, 4006}
    await until(lambda: not set(names) & set(reserved_blocks(hub)))
    for peer, start in zip((thailand, switzerland), starts, strict=True):
        told = final_notices(await mailbox(peer, start))
        for name, code in zip(names, answers, strict=True):
            assert told[name] == ["completed" if code == 0 else "expired"], name
