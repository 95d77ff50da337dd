"""What the exchange does now: transfers by state, entries of the log by time, what waits for whom.

1. The log is in the order of its entries' times, but for the little by which the clocks of hub
   processes differ. So when something was recorded is found by halving the log, not by reading it.
2. Transfers are counted once; what changed since is found by index: by the time at which it was
   proposed or closed, some margin earlier, and then by its place in the log, which counts nothing
   twice. The caller holds one reading transaction, so that counts and head are of one moment.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, and_, bindparam, func, select

from hub.store import head as heads
from hub.store import transfers
from hub.store.parts import in_parts
from hub.store.tables import envelope, log_entry, log_party, mailbox, mailbox_item, transfer
from hub.transparency_log.entries import decode
from message_schemas import timestamps

CLOCKS_DIFFER_MAX: Final = timedelta(minutes=15)
"""By how much the clocks of two hub processes may differ without a transfer counted wrongly."""
MESSAGE_BYTES_MAX: Final = 65_536
"""Larger envelopes are not opened to read when they were sent."""
PROPOSED: Final = "proposed"

_ENTRIES_AT: Final = select(log_entry.c.log_index, log_entry.c.entry).where(
    log_entry.c.log_index.in_(bindparam("b_indices", expanding=True))
)
# From the few mailboxes to the many items: an outer join keeps SQLite from beginning with these.
_OLDEST: Final = (
    select(
        mailbox_item.c.recipient,
        mailbox_item.c.sequence,
        mailbox_item.c.log_index,
        mailbox_item.c.recorded_at,
    )
    .select_from(mailbox)
    .outerjoin(
        mailbox_item,
        and_(
            mailbox_item.c.recipient == mailbox.c.recipient,
            mailbox_item.c.sequence == mailbox.c.acknowledged_sequence + 1,
        ),
    )
    .where(mailbox.c.last_sequence > mailbox.c.acknowledged_sequence)
)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many transfers are in which state, as of a log index."""

    log_index: int
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class WaitingItem:
    """The first item that a recipient has not acknowledged, and since when it waits."""

    recipient: str
    sequence: int
    log_index: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class SentEnvelope:
    """An envelope by its place in the log, when it came, and what it says (None: not kept)."""

    log_index: int
    sender: str
    received_at: datetime
    body: bytes | None


# --- transfers -----------------------------------------------------------------------------------


def full_tally(connection: Connection) -> Tally:
    """Return how many transfers are in which state; every transfer is looked at."""
    return Tally(heads.read(connection).log_index, transfers.count_by_state(connection))


def next_tally(connection: Connection, before: Tally) -> Tally:
    """Return the tally of now from an earlier one; only what came since is looked at.

    A log that is shorter than before was restored from a backup: all is counted again.
    """
    head = heads.read(connection).log_index
    if head == before.log_index:
        return before
    if head < before.log_index:
        return full_tally(connection)
    since = times_of(connection, [before.log_index]).get(before.log_index)
    if since is None:
        return full_tally(connection)
    since -= CLOCKS_DIFFER_MAX
    counts = dict(before.counts)
    begun = _begun(connection, since, before.log_index)
    closed = _closed(connection, since, before.log_index)
    counts[PROPOSED] = counts.get(PROPOSED, 0) + begun - sum(closed.values())
    for state, count in closed.items():
        counts[state] = counts.get(state, 0) + count
    return Tally(head, counts)


def _begun(connection: Connection, since: datetime, after: int) -> int:
    """Return how many transfers were entered behind a log index, whatever became of them."""
    found = select(func.count()).where(
        transfer.c.proposed_at >= since, transfer.c.proposed_log_index > after
    )
    return int(connection.execute(found).scalar_one())


def _closed(connection: Connection, since: datetime, after: int) -> dict[str, int]:
    """Return how many transfers ended behind a log index, by the state they ended in."""
    rows = connection.execute(
        select(transfer.c.state, func.count())
        .where(
            transfer.c.closed_at.is_not(None),
            transfer.c.closed_at >= since,
            transfer.c.closed_log_index > after,
        )
        .group_by(transfer.c.state)
    )
    return {row[0]: row[1] for row in rows}


# --- times ---------------------------------------------------------------------------------------


def times_of(connection: Connection, log_indices: Collection[int]) -> dict[int, datetime]:
    """Return the times of entries of the log, of those that are there."""
    return {
        row[0]: timestamps.parse(decode(bytes(row[1])).at)
        for part in in_parts(sorted(set(log_indices)))
        for row in connection.execute(_ENTRIES_AT, {"b_indices": part})
    }


def counts_before(
    connection: Connection, instants: Collection[datetime], first: int, size: int
) -> dict[datetime, int]:
    """Return how many entries the log had before each instant.

    ``size`` is the tree's, ``first`` a number of entries that it had before the earliest instant.
    All instants are halved for together: some twenty short statements, however many there are.
    """
    low = dict.fromkeys(instants, first)
    high = dict.fromkeys(instants, size)
    while open_now := [one for one in low if low[one] < high[one]]:
        middle = {one: (low[one] + high[one]) // 2 for one in open_now}
        known = times_of(connection, middle.values())
        for one in open_now:
            at = known.get(middle[one])
            if at is not None and at < one:
                low[one] = middle[one] + 1
            else:
                high[one] = middle[one]
    return low


# --- who waits, who spoke ------------------------------------------------------------------------


def oldest_waiting(connection: Connection) -> dict[str, WaitingItem]:
    """Return the first item that each recipient has not acknowledged, by recipient."""
    rows = connection.execute(_OLDEST)
    return {row[0]: WaitingItem(*row) for row in rows if row[0] is not None}


def newest_entries(connection: Connection) -> dict[str, int]:
    """Return the index of each participant's newest entry of the log."""
    rows = connection.execute(select(log_party.c.code, log_party.c.last_index))
    return {row[0]: row[1] for row in rows}


def newest_said(
    connection: Connection, newest: dict[str, int], steps_max: int
) -> dict[str, SentEnvelope]:
    """Return the newest envelope of participants, from the index of each one's newest entry.

    Everybody's own entries are followed back together, at most ``steps_max`` of each.
    """
    at = dict(newest)
    own: dict[int, str] = {}
    for _ in range(steps_max):
        if not at:
            break
        found = {
            row[0]: decode(bytes(row[1]))
            for part in in_parts(sorted(set(at.values())))
            for row in connection.execute(_ENTRIES_AT, {"b_indices": part})
        }
        later: dict[str, int] = {}
        for code, index in at.items():
            entry = found.get(index)
            if entry is None:
                continue
            if entry.kind == "envelope" and entry.sender == code:
                own[index] = code
                continue
            step = entry.step_of(code)
            if step is not None and step.previous is not None:
                later[code] = step.previous
        at = later
    return {row.sender: row for row in _envelopes(connection, own)}


def _envelopes(connection: Connection, log_indices: Collection[int]) -> list[SentEnvelope]:
    """Return envelopes by their log index; without the body of one that is large."""
    return [
        SentEnvelope(row[0], row[1], row[2], None if row[3] is None else bytes(row[3]))
        for part in in_parts(sorted(log_indices))
        for row in connection.execute(
            select(
                envelope.c.log_index, envelope.c.sender, envelope.c.received_at, envelope.c.body
            ).where(
                envelope.c.log_index.in_(part),
                func.length(envelope.c.body) <= MESSAGE_BYTES_MAX,
            )
        )
    ]
