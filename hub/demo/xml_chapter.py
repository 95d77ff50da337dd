"""Chapter 5: two registries trade, one in XML and one in JSON, and neither notices.

1. Switzerland offers some of its ITMOs to Ghana, in JSON. Ghana gets the offer in XML, with
   Switzerland's own signed bytes in it, and accepts in XML.
2. What was recorded is shown: each envelope as its sender signed it, byte for byte.
"""

from typing import Final

from hub.demo.stage import Stage
from hub.protocol.signed_objects import Binding, binding_of
from hub.store import envelopes, transfers

TRADED: Final = 300


def trade_across_bindings(stage: Stage) -> None:
    """Transfer ITMOs from a registry that writes JSON to one that writes XML."""
    switzerland, ghana = stage.desk("CHE01"), stage.desk("GHA01")
    sold = switzerland.propose(
        ghana, from_account="CH-FOEN-1", account="GH-EPA-1", quantity=str(TRADED)
    )
    stage.say(f"Switzerland proposes to pass {TRADED:,} of its ITMOs on to Ghana: {sold}.")
    stage.until_arrived(sold, ghana)
    ghana.run("transfer", "accept", sold)
    stage.until_closed(sold, "completed")
    _show_originals(stage, sold)
    stage.say("Each got the other's message in its own binding, and the original with it: neither")
    stage.say("has to trust the hub's translation, and a translation that lies is refused.")
    stage.result["across_bindings"] = sold


def _show_originals(stage: Stage, transfer_id: str) -> None:
    """Show how each envelope of the transfer begins, as it was signed and recorded."""
    with stage.database.reading() as connection:
        record = transfers.load(connection, [transfer_id])[transfer_id]
        indices = (record.proposed_log_index, record.closed_log_index or 0)
        recorded = [envelopes.at(connection, index) for index in indices]
    found = {}
    for one in recorded:
        assert one is not None
        assert one.body is not None, "nothing is erased in a demonstration"
        found[one.sender] = binding_of(one.body)
        start = one.body[:44].decode().replace("[", r"\[")
        stage.say(f"  {one.sender} signed {len(one.body):,} bytes: [dim]{start}…[/]")
    wanted = {"CHE01": Binding.JSON, "GHA01": Binding.XML}
    stage.require(found == wanted, f"recorded as {found}")
