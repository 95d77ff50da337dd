"""Who is compared when: nights, comparisons that somebody asked for, and by day after movements.

1. A night is due at the policy's time, UTC. The latest night that is due runs, however late; those
   before it that nobody ran are written down as missed. There is one at a time.
2. A night, or a request, is a *round*: it wants one session with each registry, staggered, at most
   so many open at once. What it has already stands in the tables, so a round goes on where it was
   after any interruption: it begins what is lacking, and ends when nothing is open.
3. A registry that is being asked is asked again only when that session has ended.
4. By day, a registry is compared after so many movements since its last cut.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from hub.protocol.reconciliation_policy import ReconciliationPolicy
from hub.services import crash_points
from hub.services.reconciliation.alerts import alerts
from hub.services.reconciliation.runs import records
from hub.services.reconciliation.runs.link_secrets import NO_MASTER, LinkSecrets
from hub.services.reconciliation.runs.night_dates import due_at, latest_due, missed_between
from hub.services.reconciliation.runs.questions import Beginning, concern_of
from hub.store import acts, reference
from hub.store import head as heads
from hub.store.database import Database
from hub.store.reconciliation import links, nights, sessions
from hub.store.reconciliation.nights import MISSED, REFUSED, RUNNING, NightRow, RequestRow
from hub.store.reconciliation.sessions import ASKING, SessionRow
from message_schemas.catalogue import PARTY

NO_ACT: Final = -1


@dataclass(frozen=True, slots=True)
class Target:
    """A registry, and how it is compared; ``hindrance`` says why it cannot be, and what helps.

    ``records_after`` is the log index behind which its records are compared.
    """

    registry: str
    modes: tuple[str, ...] = ()
    hindrance: str | None = None
    records_after: int = 0


@dataclass(frozen=True, slots=True)
class Round:
    """Sessions wanted together: of a night, or of a request, with one registry or (None) all."""

    trigger: str
    started_at: datetime
    night: str | None = None
    request_id: int | None = None
    registry: str | None = None
    stagger_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a round begins now, and whether it has all its sessions and none of them is open."""

    beginnings: list[Beginning] = field(default_factory=list)
    is_over: bool = False


# --- when ---------------------------------------------------------------------------------------


def begin_due(database: Database, *, at: str, now: datetime) -> NightRow | None:
    """Begin the night that is due, if none runs and it has not run; write down the missed ones.

    A database younger than the last due time waits for its first night.
    """
    tonight = latest_due(at, now)
    with database.reading() as connection:
        if not _is_to_begin(connection, tonight, at):
            return None
    with database.writing() as connection:
        heads.lock(connection)
        if not _is_to_begin(connection, tonight, at):
            return None
        newest = nights.newest(connection, 1)
        last = date.fromisoformat(newest[0].night) if newest else None
        missed = [
            NightRow(str(night), MISSED, due_at(night, at))
            for night in missed_between(last, tonight)
        ]
        row = NightRow(str(tonight), RUNNING, due_at(tonight, at), started_at=now)
        nights.add(connection, [*missed, row])
        crash_points.reach("night.before_commit")
    crash_points.reach("night.after_commit")
    return row


def _is_to_begin(connection: Connection, tonight: date, at: str) -> bool:
    newest = nights.newest(connection, 1)
    if newest:
        return newest[0].state != RUNNING and newest[0].night < str(tonight)
    first = acts.after(connection, NO_ACT, 1)
    return bool(first) and first[0].at <= due_at(tonight, at)


# --- whom ---------------------------------------------------------------------------------------


def targets(connection: Connection, secrets: LinkSecrets) -> list[Target]:
    """Return every active Party registry, by code, with how it is compared or why it is not.

    Whoever took part in transfers that moved no units is compared on records too.
    """
    rows = {row.registry: row for row in links.load_all(connection)}
    recording = set(records.registries(connection))
    found: list[Target] = []
    for row in reference.participants(connection):
        if row.kind != PARTY or row.state != "active":
            continue
        mode: str = links.mode_of(rows.get(row.code))
        hindrance = _hindrance(row.code, mode, secrets)
        if hindrance is not None:
            found.append(Target(row.code, hindrance=hindrance))
        elif mode == "records" or row.code in recording:
            modes = (mode,) if mode == "records" else (mode, "records")
            found.append(Target(row.code, modes, None, records.compared_to(connection, row.code)))
        else:
            found.append(Target(row.code, (mode,)))
    return found


def _hindrance(registry: str, mode: str, secrets: LinkSecrets) -> str | None:
    """Return why a registry of this mode cannot be asked, None if it can."""
    if mode == "off":
        return f"{registry} is not compared (`itmo-hub reconcile mode {registry} digests`)"
    if mode == "statement":
        return f"{registry} is not asked: it hands in statements (`itmo-hub reconcile statement`)"
    return NO_MASTER if mode == "digests" and not secrets.has_master else None


def hindrance_of(wanted: str | None, known: Sequence[Target], asked: Collection[str]) -> str | None:
    """Return why a request can compare nobody, None if it can.

    ``asked`` are the codes of all participants, for a code that is none of an active registry.
    """
    of_round = [one for one in known if wanted in (None, one.registry)]
    if any(one.hindrance is None for one in of_round):
        return None
    if of_round:
        return of_round[0].hindrance
    if wanted is None:
        return "there is no active Party registry to compare"
    if wanted in asked:
        return f"{wanted} is not an active Party registry"
    return f"there is no participant {wanted}"


# --- what ---------------------------------------------------------------------------------------


def plan(
    round_: Round,
    known: Iterable[Target],
    own: Iterable[SessionRow],
    open_now: Collection[SessionRow],
    *,
    open_max: int,
    now: datetime,
) -> Plan:
    """Return what a round begins now. ``own`` are its sessions, ``open_now`` all that ask."""
    has = {(row.registry, concern_of(row.mode)): row.state for row in own}
    busy = {(row.registry, concern_of(row.mode)) for row in open_now}
    beginnings: list[Beginning] = []
    is_over = True
    wanted = [one for one in known if round_.registry in (None, one.registry)]
    for position, target in enumerate(one for one in wanted if one.hindrance is None):
        for mode in target.modes:
            place = (target.registry, concern_of(mode))
            if place in has:
                is_over = is_over and has[place] != ASKING
                continue
            is_over = False
            turn = round_.started_at + timedelta(seconds=position * round_.stagger_seconds)
            if now < turn or place in busy or len(open_now) + len(beginnings) >= open_max:
                continue
            beginnings.append(beginning(target, mode, round_, now))
    return Plan(beginnings, is_over)


def beginning(target: Target, mode: str, round_: Round, now: datetime) -> Beginning:
    """Return a session of a round; by digests, under the key of this year."""
    return Beginning(
        target.registry,
        mode,
        round_.trigger,
        after=target.records_after,
        key_id=f"{target.registry}-{now.astimezone(UTC).year}" if mode == "digests" else None,
        night=round_.night,
        request_id=round_.request_id,
    )


def round_of_night(row: NightRow, policy: ReconciliationPolicy) -> Round:
    """Return what a night wants."""
    assert row.started_at is not None, "a night that runs has begun"
    return Round("night", row.started_at, night=row.night, stagger_seconds=policy.stagger_seconds)


def round_of_request(row: RequestRow) -> Round:
    """Return what a request wants: at once, all together."""
    trigger = "request" if row.case_id is None else "case"
    return Round(trigger, row.asked_at, request_id=row.request_id, registry=row.registry)


def sessions_of(connection: Connection, round_: Round) -> list[SessionRow]:
    """Return the sessions that a round has so far."""
    if round_.night is not None:
        return sessions.of_night(connection, round_.night)
    assert round_.request_id is not None, "a round is a night or a request"
    return sessions.of_request(connection, round_.request_id)


# --- the ends -----------------------------------------------------------------------------------


def finish_night(
    database: Database,
    row: NightRow,
    known: Iterable[Target],
    policy: ReconciliationPolicy,
    now: datetime,
) -> NightRow | None:
    """End a night all of whose sessions have ended, and file its alerts; None if it was ended."""
    with database.writing() as connection:
        heads.lock(connection)
        summary = summary_of(sessions.of_night(connection, row.night), known)
        ended = nights.finish(
            connection, row.night, at=now, summary=msgspec.json.encode(summary).decode()
        )
        if ended:
            alerts.after_night(connection, row.night, policy=policy, now=now)
        crash_points.reach("night_end.before_commit")
        after = nights.load(connection, row.night)
    crash_points.reach("night_end.after_commit")
    return after if ended else None


def summary_of(rows: Sequence[SessionRow], known: Iterable[Target]) -> dict[str, Any]:
    """Return what came of a night: sessions by result, and who was not compared, and why."""
    not_asked = {one.registry: one.hindrance for one in known if one.hindrance is not None}
    return {"sessions": sessions.finished_counts(rows), "not_compared": not_asked}


def refuse_request(database: Database, row: RequestRow, why: str, now: datetime) -> None:
    """End a request that can compare nobody; ``why`` is shown to whoever asked."""
    _set_request(database, row, state=REFUSED, finished_at=now, detail=why)


def run_request(database: Database, row: RequestRow) -> None:
    """Note that a request is being carried out."""
    _set_request(database, row, state=RUNNING, finished_at=None, detail=None)


def finish_request(database: Database, row: RequestRow, now: datetime) -> None:
    """End a request all of whose sessions have ended."""
    _set_request(database, row, state=nights.FINISHED, finished_at=now, detail=None)


def _set_request(database: Database, row: RequestRow, **changes: Any) -> None:
    with database.writing() as connection:
        heads.lock(connection)
        nights.set_request(connection, row.request_id, **changes)


def by_day(
    known: Iterable[Target],
    moved: Mapping[str, int],
    open_now: Collection[SessionRow],
    policy: ReconciliationPolicy,
    now: datetime,
) -> list[Beginning]:
    """Return the sessions that begin because their registry's units moved so often.

    ``moved`` counts the movements of each registry since its last cut.
    """
    if not policy.movements_between:
        return []
    busy = {row.registry for row in open_now}
    free = max(0, policy.open_sessions_max - len(open_now))
    round_ = Round("movements", now)
    due = [
        beginning(target, mode, round_, now)
        for target in known
        if moved.get(target.registry, 0) >= policy.movements_between and target.registry not in busy
        for mode in target.modes
        if concern_of(mode) == "units"
    ]
    return due[:free]
