"""How each registry stands with the hub: what waits for it, what it last said, what it was sent.

Every query is by key or index and bounded: participants are some hundred, their items millions.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, func, select

from hub.store.parts import in_parts
from hub.store.reconciliation.tables import case
from hub.store.tables import (
    account,
    act,
    delivery,
    delivery_replaced,
    envelope,
    log_entry,
    log_party,
    mailbox,
    mailbox_item,
)
from hub.transparency_log.entries import decode
from reconciliation.case_states import IS_OPEN

HELLO_BYTES_MAX: Final = 16_384
"""Larger envelopes are not opened in search of a hello."""


@dataclass(frozen=True, slots=True)
class DeliveryLine:
    """A delivery without its bytes. ``earlier`` are the leaves of sealings it replaced."""

    first_sequence: int
    last_sequence: int
    log_index: int
    sha256: str
    created_at: datetime
    acknowledged_at: datetime | None
    acknowledged_log_index: int | None
    is_erased: bool
    earlier: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """An envelope of a participant: where it is in the log, when it came, which keys signed it."""

    log_index: int
    at: datetime
    key_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ActLine:
    """An act as lists show it."""

    log_index: int
    at: datetime
    kind: str
    actor: str
    subject: str
    reason: str


# From the few mailboxes to the many items: an outer join keeps SQLite from beginning with these.
_OLDEST_WAITING: Final = (
    select(mailbox.c.recipient, mailbox_item.c.recorded_at)
    .outerjoin(
        mailbox_item,
        and_(
            mailbox_item.c.recipient == mailbox.c.recipient,
            mailbox_item.c.sequence == mailbox.c.acknowledged_sequence + 1,
        ),
    )
    .where(mailbox.c.last_sequence > mailbox.c.acknowledged_sequence)
)
_DELIVERIES: Final = select(
    delivery.c.first_sequence,
    delivery.c.last_sequence,
    delivery.c.log_index,
    delivery.c.sha256,
    delivery.c.created_at,
    delivery.c.acknowledged_at,
    delivery.c.acknowledged_log_index,
    delivery.c.body.is_(None),
)
_SAID: Final = select(envelope.c.log_index, envelope.c.received_at, envelope.c.key_ids)
_ENTRIES: Final = select(log_entry.c.log_index, log_entry.c.entry)
_ACKNOWLEDGED_LAST: Final = (
    select(mailbox.c.recipient, envelope.c.log_index, envelope.c.received_at, envelope.c.key_ids)
    .outerjoin(
        delivery,
        and_(
            delivery.c.recipient == mailbox.c.recipient,
            delivery.c.last_sequence == mailbox.c.acknowledged_sequence,
        ),
    )
    .outerjoin(envelope, envelope.c.log_index == delivery.c.acknowledged_log_index)
)
_ACT_LINES: Final = select(
    act.c.log_index, act.c.at, act.c.kind, act.c.actor, act.c.subject, act.c.reason
)


def oldest_waiting(connection: Connection) -> dict[str, datetime]:
    """Return since when the oldest item without acknowledgement waits, by recipient."""
    rows = connection.execute(_OLDEST_WAITING)
    return {row[0]: row[1] for row in rows if row[1] is not None}


def deliveries(
    connection: Connection, recipient: str, before: int | None, limit: int
) -> list[DeliveryLine]:
    """Return the newest deliveries, newest first, of items before ``before`` (None: of all)."""
    statement = _DELIVERIES.where(delivery.c.recipient == recipient)
    if before is not None:
        statement = statement.where(delivery.c.first_sequence < before)
    statement = statement.order_by(delivery.c.first_sequence.desc()).limit(limit)
    rows = connection.execute(statement).all()
    if not rows:
        return []
    earlier = _replaced(connection, recipient, rows[-1][0], rows[0][0])
    return [replace(DeliveryLine(*row), earlier=tuple(earlier.get(row[0], ()))) for row in rows]


def _replaced(
    connection: Connection, recipient: str, first: int, last: int
) -> dict[int, list[int]]:
    """Return the leaves of earlier sealings, by the first item of their delivery."""
    found: dict[int, list[int]] = {}
    replaced = delivery_replaced.c
    rows = connection.execute(
        select(replaced.first_sequence, replaced.log_index)
        .where(replaced.recipient == recipient, replaced.first_sequence.between(first, last))
        .order_by(replaced.log_index)
    )
    for begins, log_index in rows:
        found.setdefault(begins, []).append(log_index)
    return found


def first_acknowledged(connection: Connection, recipient: str) -> DeliveryLine | None:
    """Return the first delivery of all, if it was acknowledged: they are in order."""
    row = connection.execute(
        _DELIVERIES.where(delivery.c.recipient == recipient)
        .order_by(delivery.c.first_sequence)
        .limit(1)
    ).one_or_none()
    return None if row is None or row.acknowledged_at is None else DeliveryLine(*row)


def last_heard(connection: Connection, codes: Collection[str], rounds_max: int) -> dict[str, Said]:
    """Return the newest envelope of each participant, as far as it is found cheaply.

    That is the newer one of: the envelope that acknowledged last; the newest one among its last
    ``rounds_max`` entries of the log. A registry that acknowledges what it is sent is found so.
    """
    found = {
        row[0]: Said(row[1], row[2], tuple(row[3].split()))
        for part in in_parts(sorted(codes))
        for row in connection.execute(_ACKNOWLEDGED_LAST.where(mailbox.c.recipient.in_(part)))
        if row[1] is not None
    }
    own = _newest_own(connection, codes, rounds_max)
    newer = [at for code, at in own.items() if code not in found or found[code].log_index < at]
    said = {
        one.log_index: one
        for part in in_parts(newer)
        for one in map(_said, connection.execute(_SAID.where(envelope.c.log_index.in_(part))))
    }
    return found | {code: said[at] for code, at in own.items() if at in said}


def _newest_own(connection: Connection, codes: Collection[str], rounds_max: int) -> dict[str, int]:
    """Return the index of each participant's newest own envelope among its last entries.

    Every entry names, for each participant it concerns, the one before; all are followed together.
    """
    at: dict[str, int] = {
        row[0]: row[1]
        for part in in_parts(sorted(codes))
        for row in connection.execute(
            select(log_party.c.code, log_party.c.last_index).where(log_party.c.code.in_(part))
        )
    }
    found: dict[str, int] = {}
    for _ in range(rounds_max):
        entries = {
            row[0]: decode(bytes(row[1]))
            for part in in_parts(sorted(set(at.values())))
            for row in connection.execute(_ENTRIES.where(log_entry.c.log_index.in_(part)))
        }
        before: dict[str, int] = {}
        for code, index in at.items():
            entry = entries[index]
            step = entry.step_of(code)
            if entry.kind == "envelope" and entry.sender == code:
                found[code] = index
            elif step is not None and step.previous is not None:
                before[code] = step.previous
        if not before:
            break
        at = before
    return found


def last_said(connection: Connection, code: str, steps_max: int) -> list[Said]:
    """Return the newest envelopes of a participant, newest first.

    Its own entries of the log are followed back, at most ``steps_max`` of them: each names the one
    before it.
    """
    found = select(log_party.c.last_index).where(log_party.c.code == code)
    at: int | None = connection.execute(found).scalar_one_or_none()
    own: list[int] = []
    for _ in range(steps_max):
        if at is None:
            break
        raw = connection.execute(_ENTRIES.where(log_entry.c.log_index == at)).one()[1]
        entry = decode(bytes(raw))
        if entry.kind == "envelope" and entry.sender == code:
            own.append(at)
        step = entry.step_of(code)
        at = None if step is None else step.previous
    rows = connection.execute(
        _SAID.where(envelope.c.log_index.in_(own)).order_by(envelope.c.log_index.desc())
    )
    return [_said(row) for row in rows]


def first_said(connection: Connection, code: str, after: int, up_to: int) -> Said | None:
    """Return the first envelope of a participant between two log indices, if there is one."""
    # Joined to nothing, so that SQLite reads along the log and not all that the sender ever said.
    sender = envelope.c.sender + ""
    row = connection.execute(
        _SAID.where(envelope.c.log_index > after, envelope.c.log_index <= up_to, sender == code)
        .order_by(envelope.c.log_index)
        .limit(1)
    ).one_or_none()
    return None if row is None else _said(row)


def _said(row: Sequence[object]) -> Said:
    log_index, at, key_ids = row
    assert isinstance(log_index, int)
    assert isinstance(at, datetime)
    return Said(log_index, at, tuple(str(key_ids).split()))


def small_bodies(connection: Connection, log_indices: Collection[int]) -> dict[int, bytes]:
    """Return the bytes of those envelopes that are small enough to be a hello, by log index."""
    return {
        row[0]: bytes(row[1])
        for part in in_parts(log_indices)
        for row in connection.execute(
            select(envelope.c.log_index, envelope.c.body).where(
                envelope.c.log_index.in_(part),
                func.length(envelope.c.body) <= HELLO_BYTES_MAX,
            )
        )
    }


def open_case_counts(connection: Connection, registry: str | None = None) -> dict[str, int]:
    """Return how many open cases each registry has, or only that of one."""
    statement = (
        select(case.c.registry, func.count())
        .where(case.c.state.in_(sorted(IS_OPEN)))
        .group_by(case.c.registry)
    )
    if registry is not None:
        statement = statement.where(case.c.registry == registry)
    return {row[0]: row[1] for row in connection.execute(statement)}


def account_party(connection: Connection, registry: str, account_id: str) -> str | None:
    """Return whose account it is, or None if there is none."""
    found: str | None = connection.execute(
        select(account.c.party).where(
            account.c.registry == registry, account.c.account_id == account_id
        )
    ).scalar_one_or_none()
    return found


def acts_about(connection: Connection, subject: str, limit: int) -> list[ActLine]:
    """Return the newest acts about one subject, newest first."""
    rows = connection.execute(
        _ACT_LINES.where(act.c.subject == subject).order_by(act.c.log_index.desc()).limit(limit)
    )
    return [ActLine(*row) for row in rows]


def act_of(connection: Connection, subject: str, kind: str) -> ActLine | None:
    """Return the newest act of a kind about a subject, if there is one."""
    row = connection.execute(
        _ACT_LINES.where(act.c.subject == subject, act.c.kind == kind)
        .order_by(act.c.log_index.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else ActLine(*row)


def acts_on(
    connection: Connection, subjects: Collection[str], kinds: Collection[str]
) -> list[ActLine]:
    """Return the acts of some kinds about some subjects, oldest first of each part."""
    return [
        ActLine(*row)
        for part in in_parts(sorted(subjects))
        for row in connection.execute(
            _ACT_LINES.where(act.c.subject.in_(part), act.c.kind.in_(sorted(kinds))).order_by(
                act.c.log_index
            )
        )
    ]


def acts_at(connection: Connection, log_indices: Collection[int]) -> dict[int, ActLine]:
    """Return the acts at log indices, those that are acts."""
    return {
        row[0]: ActLine(*row)
        for part in in_parts(sorted(log_indices))
        for row in connection.execute(_ACT_LINES.where(act.c.log_index.in_(part)))
    }
