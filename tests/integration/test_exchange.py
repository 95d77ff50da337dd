"""The whole way of a transfer through a real hub, on both databases."""

from tests.integration.hub_process import HubUnderTest
from tests.integration.peers import (
    Body,
    Peer,
    acceptance,
    approach,
    authorization,
    block,
    proposal,
)


async def test_a_transfer_goes_from_proposal_to_completion_at_both_ends(
    hub: HubUnderTest, thailand: Peer, switzerland: Peer
) -> None:
    """Proposed, accepted, completed; both mailboxes tell it; the ledger proves itself."""
    await thailand.say("XHB01", approach(), authorization())
    proposed = await thailand.say("CHE01", proposal("THA01-1", block(1, 100)))
    assert [one["outcome"] for one in proposed["outcomes"]] == ["accepted"]
    assert proposed["outcomes"][0]["result"]["state"] == "proposed"

    delivered = await switzerland.fetch(1)
    assert delivered["items"][-1]["verdicts"][0]["outcome"] == "accepted"

    accepted = await switzerland.say("THA01", acceptance("THA01-1", proposed["envelope_sha256"]))
    assert accepted["outcomes"][0]["result"]["state"] == "completed"
    for peer in (thailand, switzerland):
        items: list[Body] = []
        while (delivery := await peer.fetch(len(items))) is not None:
            items.extend(delivery["items"])
        notices = [notice["type"] for item in items for notice in item.get("notices", ())]
        assert notices.count("transfer.completed") == 1
        assert [item["sequence"] for item in items] == list(range(1, len(items) + 1))
    held = await switzerland.say("XHB01", ("holdings.query", {"items_max": 10}))
    (row,) = held["outcomes"][0]["result"]["items"]
    assert (row["registry"], row["quantity"], row["first_transfer"]) == (
        "CHE01",
        100,
        "international_transfer",
    )
    hub.prove()
