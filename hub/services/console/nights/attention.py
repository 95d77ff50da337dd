"""What somebody should look at: links, keys, clocks, the log, the nights; the worst first.

1. Each cause is found from rows that say so now. What has passed is not shown, but for alerts,
   which nobody closes: those of the last week are.
2. A clock is told from the newest message of a participant: when it was sent, by its own clock, and
   when it came. Sent in the future, its clock is ahead. Sent long ago, its clock is behind or the
   message waited or was sent again: which of these, the hub does not know, and says so. Messages
   that were refused for their time are among them: the hub keeps them like all others.
3. What a cause means and what to do are texts of the pages; here are only names and numbers.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from threading import Lock
from typing import Final

from sqlalchemy import Connection

from hub.protocol.signed_objects import open_object
from hub.services import log_standing
from hub.services.collect_cosignatures import Policies
from hub.services.console.ground import Ground
from hub.services.console.nights.exchange_now import Queue
from hub.services.console.nights.heat_map import Compares, HeatMap, Result
from hub.services.console.registries.registry_keys import KeyEnd, ends_first
from hub.services.reconciliation.ledger.book_faults import OwnBooks
from hub.services.reconciliation.runs.night_dates import due_at, latest_due
from hub.services.serve_log import keys_of
from hub.store import acts, alerts, log_checkpoints, reference
from hub.store import head as heads
from hub.store.console import activity, standing
from hub.store.console.activity import SentEnvelope
from hub.store.reconciliation.nights import MISSED, RUNNING, NightRow
from hub.store.reference import ParticipantRow
from keys.errors import KeysError
from keys.public_keys import KeyRecord
from message_schemas import timestamps

ALERTS_FOR: Final = timedelta(days=7)
SILENT_AFTER: Final = timedelta(days=2)
"""Without a sign of life for so long, a connected registry is worth a look."""
STATEMENT_EVERY: Final = timedelta(days=31)
"""A registry that hands in statements is expected to, so often."""
NIGHT_LATE_AFTER: Final = timedelta(minutes=10)
CHECKPOINT_LATE_AFTER: Final = timedelta(minutes=5)
AHEAD_MAX: Final = timedelta(seconds=30)
BEHIND_MAX: Final = timedelta(seconds=120)
CLOCKS_READ_EVERY: Final = timedelta(minutes=10)
FAILURES_MANY: Final = 5
QUEUE_OLD_AFTER: Final = timedelta(hours=1)
_STEPS_BACK_MAX: Final = 6
_DEPTH_MAX: Final = 64
_ALERTS_MAX: Final = 30
_CONNECTED: Final = ("party_registry", "mechanism_registry")
_LOG_ALERTS: Final = frozenset({log_standing.BEHIND_WITNESS, log_standing.FORKED})


class Severity(IntEnum):
    """How much it matters; the smaller, the more."""

    DANGER = 1
    WARNING = 2
    INFO = 3


class Cause(StrEnum):
    """Why somebody should look."""

    LOG_HALTED = "log_halted"
    NOBODY_LEADS = "nobody_leads"
    CHECKPOINT_LATE = "checkpoint_late"
    QUORUM_MISSING = "quorum_missing"
    NIGHT_NOT_BEGUN = "night_not_begun"
    NIGHT_MISSED = "night_missed"
    NIGHT_LONG = "night_long"
    OWN_BOOKS = "own_books"
    NO_KEY = "no_key"
    KEY_EXPIRES = "key_expires"
    CIRCUIT_OPEN = "circuit_open"
    BACK_OFF = "back_off"
    QUEUE_OLD = "queue_old"
    SUSPENDED = "suspended"
    SUSPENSION = "suspension"
    NO_SIGN_OF_LIFE = "no_sign_of_life"
    CLOCK_AHEAD = "clock_ahead"
    CLOCK_BEHIND = "clock_behind"
    SILENT = "silent"
    STATEMENT_OVERDUE = "statement_overdue"
    ALERT = "alert"


@dataclass(frozen=True, slots=True)
class Attention:
    """One cause: what it is about, and the numbers and texts that its words need.

    ``subject`` is a participant's code, a night, or what an alert names; ``path`` the page to go
    to. ``detail`` is a text of the hub or of a peer, in English. ``at`` is when it began or will
    be, ``count`` and ``seconds`` what is counted.
    """

    cause: Cause
    severity: Severity
    subject: str
    path: str
    at: datetime | None = None
    count: int = 0
    seconds: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the causes are found from, as it was read together."""

    now: datetime
    participants: Sequence[ParticipantRow]
    keys: Mapping[str, KeyEnd]
    queues: Sequence[Queue]
    clocks: Mapping[str, timedelta]


# --- clocks --------------------------------------------------------------------------------------


class Clocks:
    """By how much participants' clocks seem to differ, read anew every some minutes.

    A positive difference: the clock is ahead of the hub's.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._read_at: datetime | None = None
        self._known: dict[str, timedelta] = {}
        self._entries: dict[str, int] = {}

    def read(
        self, connection: Connection, codes: Collection[str], now: datetime
    ) -> dict[str, timedelta]:
        """Return the differences of those of whom a message is kept that says when it was sent."""
        with self._lock:
            is_fresh = self._read_at is not None and now - self._read_at < CLOCKS_READ_EVERY
            if not (is_fresh and set(codes) <= self._entries.keys()):
                self._look(connection, codes)
                self._read_at = now
            return dict(self._known)

    def _look(self, connection: Connection, codes: Collection[str]) -> None:
        newest = activity.newest_entries(connection)
        wanted = {code: newest[code] for code in codes if code in newest}
        changed = {
            code: index for code, index in wanted.items() if self._entries.get(code) != index
        }
        for code, sent in activity.newest_said(connection, changed, _STEPS_BACK_MAX).items():
            difference = difference_of(sent)
            if difference is None:
                self._known.pop(code, None)
            else:
                self._known[code] = difference
        self._entries = dict.fromkeys(codes, -1) | wanted


def difference_of(sent: SentEnvelope) -> timedelta | None:
    """Return how far a message's time of sending is ahead of when it came; None if unreadable."""
    if sent.body is None:
        return None
    try:
        document = open_object(sent.body, "envelope").read(depth_max=_DEPTH_MAX).document
        return timestamps.parse(document["sent_at"]) - sent.received_at
    except (KeysError, ValueError, KeyError, TypeError):
        return None  # a binding or form that this release reads no more: nothing is known


# --- registries ----------------------------------------------------------------------------------


def of_registries(seen: Seen) -> list[Attention]:
    """Return the causes about participants, the worst first."""
    found: list[Attention] = []
    queues = {queue.recipient: queue for queue in seen.queues}
    for row in seen.participants:
        if row.state == "closed":
            continue
        found += _of_keys(row, seen)
        if row.kind not in _CONNECTED:
            continue
        found += _of_state(row, seen)
        if row.code in queues:
            found += _of_queue(queues[row.code], seen.now)
        found += _of_clock(row, seen)
    return in_order(found)


def in_order(found: Iterable[Attention]) -> list[Attention]:
    """Return causes, the worst first."""
    places = {cause: place for place, cause in enumerate(Cause)}
    return sorted(found, key=lambda one: (one.severity, places[one.cause], one.subject))


def key_ends(records: Iterable[KeyRecord], now: datetime) -> dict[str, KeyEnd]:
    """Return which key of each participant ends first."""
    by_owner: dict[str, list[KeyRecord]] = {}
    for record in records:
        by_owner.setdefault(record.participant, []).append(record)
    return {code: ends_first(owned, now) for code, owned in by_owner.items()}


def _of_keys(row: ParticipantRow, seen: Seen) -> list[Attention]:
    end = seen.keys.get(row.code, KeyEnd(None, None, False))
    urgency, path = end.urgency(seen.now), f"/registries/{row.code}"
    if urgency == "none":
        # The international registry signs nothing; who is only registered has time for its key.
        if row.kind == "international_registry" or row.state != "active":
            return []
        return [Attention(Cause.NO_KEY, Severity.DANGER, row.code, path)]
    if urgency == "fine":
        return []
    severity = Severity.DANGER if urgency == "urgent" else Severity.WARNING
    detail = end.key_id or ""
    return [Attention(Cause.KEY_EXPIRES, severity, row.code, path, at=end.ends_at, detail=detail)]


def _of_state(row: ParticipantRow, seen: Seen) -> list[Attention]:
    path = f"/registries/{row.code}"
    if row.state == "suspended":
        return [Attention(Cause.SUSPENDED, Severity.WARNING, row.code, path)]
    if row.state != "active":
        return []
    since = row.last_seen_at or row.added_at
    if seen.now - since <= SILENT_AFTER:
        return []
    return [Attention(Cause.NO_SIGN_OF_LIFE, Severity.WARNING, row.code, path, at=since)]


def _of_queue(queue: Queue, now: datetime) -> list[Attention]:
    path, found = f"/registries/{queue.recipient}", []
    if queue.failure_count:
        is_open = queue.circuit != "closed" or queue.failure_count >= FAILURES_MANY
        found.append(
            Attention(
                Cause.CIRCUIT_OPEN if is_open else Cause.BACK_OFF,
                Severity.DANGER if is_open else Severity.WARNING,
                queue.recipient,
                path,
                at=queue.next_attempt_at,
                count=queue.failure_count,
                detail=queue.last_error or "",
            )
        )
    if queue.oldest is not None and now - queue.oldest.recorded_at > QUEUE_OLD_AFTER:
        at, count = queue.oldest.recorded_at, queue.count
        found.append(
            Attention(Cause.QUEUE_OLD, Severity.WARNING, queue.recipient, path, at=at, count=count)
        )
    return found


def _of_clock(row: ParticipantRow, seen: Seen) -> list[Attention]:
    difference, path = seen.clocks.get(row.code), f"/registries/{row.code}"
    if difference is None:
        return []
    seconds = abs(int(difference.total_seconds()))
    if difference > AHEAD_MAX:
        return [Attention(Cause.CLOCK_AHEAD, Severity.WARNING, row.code, path, seconds=seconds)]
    if difference < -BEHIND_MAX:
        return [Attention(Cause.CLOCK_BEHIND, Severity.INFO, row.code, path, seconds=seconds)]
    return []


# --- the hub itself ------------------------------------------------------------------------------


def of_hub(connection: Connection, ground: Ground, now: datetime) -> list[Attention]:
    """Return the causes about the log, suspensions in force and alerts."""
    found = [*_of_log(connection, ground.policies, now)]
    for one in reference.suspensions(connection):
        if one.level != "participant":
            subject = f"{one.level}: {one.subject}"
            found.append(
                Attention(
                    *(Cause.SUSPENSION, Severity.INFO, subject, "/suspensions"),
                    at=one.placed_at,
                    detail=one.reason,
                )
            )
    found += [
        Attention(
            *(Cause.ALERT, Severity.WARNING, one.subject, "/system"),
            at=one.at,
            count=one.count,
            detail=f"{one.kind}: {one.detail}",
        )
        for one in alerts.newest(connection, _ALERTS_MAX)
        if now - one.at <= ALERTS_FOR and one.kind not in _LOG_ALERTS
    ]
    return found


def _of_log(connection: Connection, policies: Policies, now: datetime) -> list[Attention]:
    found: list[Attention] = []
    halted = log_standing.read(connection).halted
    if halted is not None:
        found.append(Attention(Cause.LOG_HALTED, Severity.DANGER, "", "/log", detail=halted))
    newest = log_checkpoints.newest(connection)
    head = heads.read(connection).log_index
    covered = 0 if newest is None else newest.size
    if head >= covered:
        entry_at = activity.times_of(connection, [covered]).get(covered)
        if entry_at is not None and now - entry_at > CHECKPOINT_LATE_AFTER:
            count = head + 1 - covered
            found.append(
                Attention(
                    Cause.CHECKPOINT_LATE, Severity.DANGER, "", "/log", at=entry_at, count=count
                )
            )
    found += _of_quorum(connection, policies, now)
    return found


def _of_quorum(connection: Connection, policies: Policies, now: datetime) -> list[Attention]:
    """Return that the newest checkpoints lack their quorum; the very newest may still get it."""
    policy = policies.prompt
    newest = log_checkpoints.newest(connection)
    if policy is None or newest is None:
        return []
    looked_at = log_checkpoints.newest_cosigned(connection, 0, 8)
    for one in looked_at:
        if policy.is_met_by(keys_of(policy, log_checkpoints.cosignatures(connection, one.size))):
            if newest.at - one.at <= CHECKPOINT_LATE_AFTER:
                return []
            return [_no_quorum(connection, policies, one.at)]
    if not looked_at and now - newest.at <= CHECKPOINT_LATE_AFTER:
        return []
    return [_no_quorum(connection, policies, None)]


def _no_quorum(connection: Connection, policies: Policies, last: datetime | None) -> Attention:
    newest, policy = log_checkpoints.newest(connection), policies.prompt
    assert newest is not None, "without a checkpoint no quorum is missed"
    assert policy is not None, "without a policy no quorum is missed"
    missing = policy.missing(keys_of(policy, log_checkpoints.cosignatures(connection, newest.size)))
    return Attention(Cause.QUORUM_MISSING, Severity.WARNING, "", "/log", at=last, detail=missing)


# --- nights --------------------------------------------------------------------------------------


def of_nights(
    connection: Connection, nights: Sequence[NightRow], ground: Ground, now: datetime
) -> list[Attention]:
    """Return the causes about the last nights (oldest first)."""
    found: list[Attention] = []
    policy = ground.reconciliation
    tonight = str(latest_due(policy.at, now))
    newest = nights[-1] if nights else None
    if newest is None or (newest.night < tonight and newest.state != RUNNING):
        due = due_at(latest_due(policy.at, now), policy.at)
        if now - due > NIGHT_LATE_AFTER and _is_older_than(connection, due):
            found.append(
                Attention(Cause.NIGHT_NOT_BEGUN, Severity.DANGER, tonight, "/system", at=due)
            )
    found += [
        Attention(Cause.NIGHT_MISSED, Severity.WARNING, row.night, f"/nights/{row.night}")
        for row in nights[-7:]
        if row.state == MISSED
    ]
    if newest is not None:
        found += _of_newest_night(newest, ground, now)
    return found


def _is_older_than(connection: Connection, due: datetime) -> bool:
    """Tell whether the hub was there when a night was due: its first night waits otherwise."""
    first = acts.after(connection, -1, 1)
    return bool(first) and first[0].at <= due


def _of_newest_night(newest: NightRow, ground: Ground, now: datetime) -> list[Attention]:
    path, found = f"/nights/{newest.night}", []
    longest = timedelta(seconds=ground.reconciliation.answer_seconds) + timedelta(hours=1)
    if newest.state == RUNNING and newest.started_at and now - newest.started_at > longest:
        at = newest.started_at
        found.append(Attention(Cause.NIGHT_LONG, Severity.WARNING, newest.night, path, at=at))
    if newest.own_books is not None:
        books = OwnBooks.from_json(newest.own_books)
        if not books.is_sound:
            found.append(
                Attention(
                    *(Cause.OWN_BOOKS, Severity.DANGER, newest.night, path),
                    count=books.fault_count,
                    detail="; ".join(one.text for one in books.faults[:3]),
                )
            )
    return found


def of_comparisons(
    connection: Connection, compared: Sequence[Compares], map_: HeatMap, now: datetime
) -> list[Attention]:
    """Return the causes about registries that were not compared when they were to be."""
    found = [
        Attention(
            *(Cause.SILENT, Severity.WARNING, row.registry.code),
            f"/nights/sessions/{row.now.session}",
            detail=str(row.now.result),
        )
        for row in map_.rows
        if row.now is not None and row.now.result in (Result.SILENT, Result.FAILED, Result.REFUSED)
    ]
    handing_in = [one.code for one in compared if one.mode == "statement"]
    known = standing.last_statements(connection, handing_in)
    for code in handing_in:
        at = known.get(code)
        if at is None or now - at > STATEMENT_EVERY:
            path = f"/registries/{code}"
            found.append(Attention(Cause.STATEMENT_OVERDUE, Severity.WARNING, code, path, at=at))
    return found
