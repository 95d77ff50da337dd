"""Which transfer brought units where they are, from the journal."""

from collections.abc import Collection, Iterator
from datetime import datetime

from sqlalchemy import Connection, select

from hub.checks.facts import Arrival
from hub.international_registry.postings import PostingKind
from hub.international_registry.units import LedgerBlock, Range
from hub.store.interning import Interning
from hub.store.tables import posting, transfer

MOVES_LOOKED_AT_MAX = 64


def mover_of(connection: Connection, interning: Interning, block: LedgerBlock) -> str | None:
    """Return the id of the transfer that last moved a block's first unit there, or None.

    Only the moves that begin nearest below the serial are looked at: what a person wants explained
    is not worth a scan of the whole journal.
    """
    nearest = (
        select(
            posting.c.reference, posting.c.last_serial, posting.c.to_registry, posting.c.log_index
        )
        .where(
            posting.c.series_id == interning.series_id(connection, block.series),
            posting.c.kind == PostingKind.MOVED.value,
            posting.c.first_serial <= block.first,
        )
        .order_by(posting.c.first_serial.desc(), posting.c.log_index.desc())
        .limit(MOVES_LOOKED_AT_MAX)
        .subquery()
    )
    return connection.execute(
        select(nearest.c.reference)
        .where(nearest.c.last_serial >= block.first, nearest.c.to_registry == block.registry)
        .order_by(nearest.c.log_index.desc())
        .limit(1)
    ).scalar_one_or_none()


def arrivals(
    connection: Connection, interning: Interning, registries: Collection[str], since: datetime
) -> Iterator[Arrival]:
    """Return what transfers brought to the registries since an instant."""
    rows = connection.execute(
        select(
            posting.c.series_id,
            posting.c.first_serial,
            posting.c.last_serial,
            transfer.c.acquirer,
            transfer.c.closed_at,
        )
        .join(posting, posting.c.reference == transfer.c.transfer_id)
        .where(
            transfer.c.closed_at >= since,
            transfer.c.acquirer.in_(sorted(registries)),
            posting.c.kind == PostingKind.MOVED,
        )
    ).all()
    for series_id, first, last, acquirer, closed_at in rows:
        range_ = Range(interning.series(connection, series_id), first, last)
        yield Arrival(range=range_, registry=acquirer, at=closed_at)
