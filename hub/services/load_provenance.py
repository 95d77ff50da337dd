"""Where units came from: loaded only where an answer or a policy needs it.

- *brought by*: a refused double sale is explained to its sender by the transfer that took the units
  away, if the sender was an end of it.
- *arrivals*: units that came a short while ago must not move on at once, if the policy says so
  (stolen units crossed five countries within hours: facts on the earlier systems, 2011).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from hub.checks.facts import Arrival, Policy, TransferRecord
from hub.international_registry.units import LedgerBlock
from hub.store import provenance, transfers
from hub.store.interning import Interning

EXPLAINED_BLOCKS_MAX = 5


def brought_by(
    connection: Connection, interning: Interning, blocks: Sequence[LedgerBlock]
) -> dict[int, TransferRecord]:
    """Return the transfer that brought each block to its holder, for the first few of them."""
    movers = {
        block.block_id: mover
        for block in blocks[:EXPLAINED_BLOCKS_MAX]
        if (mover := provenance.mover_of(connection, interning, block)) is not None
    }
    records = transfers.load(connection, set(movers.values()))
    return {
        block_id: records[transfer_id]
        for block_id, transfer_id in movers.items()
        if transfer_id in records
    }


def arrivals(
    connection: Connection,
    interning: Interning,
    initiators: set[str],
    policy: Policy,
    now: datetime,
) -> tuple[Arrival, ...]:
    """Return what came to the initiators within the policy's delay; nothing without one."""
    if policy.onward_delay_seconds is None or not initiators:
        return ()
    since = now - timedelta(seconds=policy.onward_delay_seconds)
    return tuple(provenance.arrivals(connection, interning, initiators, since))
