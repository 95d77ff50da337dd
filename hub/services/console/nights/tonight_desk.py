"""The desk of the home page: whether the books agree, and whether the exchange runs.

1. All is read in one view of the database, so that no number contradicts another.
2. The verdict speaks of now: of the newest comparison with each registry, whoever asked for it.
   Who agreed in an earlier night and was left out of the newest one is not said to agree.
3. Ages of cases count days of the calendar, UTC: a case of today has the age 0.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from threading import Lock
from typing import Final

from sqlalchemy import Connection

from hub.services.console.ground import Ground
from hub.services.console.leading import LeaderWatch
from hub.services.console.nights import attention, exchange_now
from hub.services.console.nights.attention import Attention, Cause, Clocks, Seen, Severity
from hub.services.console.nights.exchange_now import ExchangeNow, RunningCounts
from hub.services.console.nights.heat_map import (
    AGREEING,
    UNANSWERED,
    Compares,
    HeatMap,
    Result,
    Row,
    heat_map,
)
from hub.services.console.registries.registry_keys import KeyEnd
from hub.services.reconciliation.runs.night_dates import due_at, latest_due
from hub.store import head as heads
from hub.store import reference
from hub.store.console import registry_states, standing
from hub.store.console.standing import FrozenUnits, OpenCases
from hub.store.reconciliation import links, nights
from hub.store.reconciliation.nights import RUNNING, NightRow, RequestRow
from hub.store.reference import ParticipantRow
from message_schemas.catalogue import PARTY

NIGHTS_SHOWN: Final = 14
NIGHTS_MAX: Final = 60
AGES: Final = ((0, 1), (2, 5), (6, 10), (11, None))
"""The groups of ages of open cases, in whole days: from, to."""


class Worry(StrEnum):
    """Whether to worry, in one word."""

    FINE = "fine"
    WATCH = "watch"
    ACT = "act"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How all registries stand together; each counts in one of the first five numbers.

    ``stale`` agreed, but not lately: not in the newest night or since, or their statement is
    overdue. ``never`` were not compared yet. ``dangers`` and ``warnings`` are causes for attention.
    """

    agree: int
    stale: int
    differ: int
    silent: int
    never: int
    total: int
    open_cases: int
    frozen_units: int
    dangers: int
    warnings: int

    @property
    def worry(self) -> Worry:
        """Return how much to worry."""
        if self.differ or self.dangers:
            return Worry.ACT
        is_open = self.open_cases or self.frozen_units
        return Worry.WATCH if self.silent or self.stale or self.never or is_open else Worry.FINE


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the running night is: registries that are through, of all that are asked."""

    night: str
    started_at: datetime | None
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class AgeGroup:
    """An age of open cases: whole days from, to (None: and more); ``since`` is the first day."""

    first: int
    last: int | None
    since: str | None


@dataclass(frozen=True, slots=True)
class CaseAges:
    """Open cases by kind and age."""

    groups: tuple[AgeGroup, ...]
    kinds: tuple[OpenCases, ...]

    @property
    def totals(self) -> tuple[int, ...]:
        """Return how many cases have which age."""
        found = tuple(
            sum(column) for column in zip(*(one.by_age for one in self.kinds), strict=True)
        )
        return found or (0,) * len(self.groups)

    @property
    def overdue(self) -> int:
        """Return how many are overdue."""
        return sum(one.overdue for one in self.kinds)

    @property
    def count(self) -> int:
        """Return how many there are."""
        return sum(self.totals)


@dataclass(frozen=True, slots=True)
class Tonight:
    """All that the home page shows.

    ``frozen`` are units by the registry whose cases freeze them; ``frozen_units`` counts a unit
    once that cases of two registries freeze.
    """

    verdict: Verdict
    map: HeatMap
    cases: CaseAges
    frozen: tuple[tuple[str, int], ...]
    frozen_units: int
    exchange: ExchangeNow
    attention: tuple[Attention, ...]
    progress: Progress | None
    last_night: NightRow | None
    next_night_at: datetime
    requests: tuple[RequestRow, ...]


class TonightDesk:
    """Looks at everything at once. One a process: it keeps what it has counted."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._counts = RunningCounts()
        self._clocks = Clocks()
        self._leader = LeaderWatch()
        self._lock = Lock()
        self._frozen: tuple[int, FrozenUnits] | None = None
        self._key_ends: tuple[int, datetime, Mapping[str, KeyEnd]] | None = None

    def states(self) -> dict[str, int]:
        """Return how many transfers are in which state; asked early, no page counts them all."""
        with self._ground.database.reading() as connection:
            return self._counts.states(connection, self._ground.clock())

    def tonight(self, night_count: int = NIGHTS_SHOWN) -> Tonight:
        """Return what the home page shows, with the last ``night_count`` nights."""
        now = self._ground.clock()
        with self._ground.database.reading() as connection:
            participants = reference.participants(connection)
            rows = nights.newest(connection, night_count)[::-1]
            compared = self._compared(connection, participants)
            open_cases = registry_states.open_case_counts(connection)
            frozen = self._frozen_units(connection)
            sessions = self._sessions(connection, compared, rows)
            map_ = heat_map(rows, compared, sessions, open_cases, frozen.by_registry)
            exchange = exchange_now.look(connection, self._counts, self._ground.retry, now)
            causes = attention.in_order(
                [
                    *self._of_registries(connection, participants, exchange, now),
                    *self._of_leader(connection, now),
                    *attention.of_hub(connection, self._ground, now),
                    *attention.of_nights(connection, rows, self._ground, now),
                    *attention.of_comparisons(connection, compared, map_, now),
                ]
            )
            return Tonight(
                verdict=_verdict(map_, _last_due(rows), open_cases, frozen.total, causes),
                map=map_,
                cases=self._ages(connection, now),
                frozen=tuple(
                    sorted(frozen.by_registry.items(), key=lambda pair: (-pair[1], pair[0]))
                ),
                frozen_units=frozen.total,
                exchange=exchange,
                attention=tuple(causes),
                progress=_progress(rows, map_),
                last_night=next((row for row in reversed(rows) if row.finished_at), None),
                next_night_at=self._next_night(now),
                requests=tuple(nights.open_requests(connection)),
            )

    def attention_of_registries(self) -> list[Attention]:
        """Return the causes about participants alone, the worst first."""
        now = self._ground.clock()
        with self._ground.database.reading() as connection:
            participants = reference.participants(connection)
            exchange = exchange_now.queues(connection, self._ground.retry, now)
            return attention.of_registries(
                self._seen(connection, participants, tuple(exchange), now)
            )

    def choices(self) -> list[tuple[str, str]]:
        """Return code and name of the registries that can be compared now."""
        with self._ground.database.reading() as connection:
            found = self._compared(connection, reference.participants(connection))
        return [(one.code, one.name) for one in found if one.mode != "statement"]

    # --- parts -----------------------------------------------------------------------------------

    def _compared(
        self, connection: Connection, participants: Sequence[ParticipantRow]
    ) -> list[Compares]:
        """Return the active Party registries whose books are compared, by code."""
        known = {row.registry: row for row in links.load_all(connection)}
        found = [
            Compares(row.code, row.name, links.mode_of(known.get(row.code)))
            for row in participants
            if row.kind == PARTY and row.state == "active"
        ]
        return [one for one in found if one.mode != "off"]

    def _sessions(
        self, connection: Connection, compared: Sequence[Compares], rows: Sequence[NightRow]
    ) -> list[standing.Compared]:
        """Return the sessions of the nights and since; of who had none, the newest there is."""
        cuts = (standing.first_cut(connection, row.night) for row in rows)
        first = next((cut for cut in cuts if cut is not None), None)
        codes = [one.code for one in compared]
        found = [] if first is None else standing.sessions_since(connection, codes, first)
        seen = {one.registry for one in found if one.state != "asking"}
        older = (one.code for one in compared if one.code not in seen)
        return [*standing.newest_of(connection, older), *found]

    def _frozen_units(self, connection: Connection) -> FrozenUnits:
        """Return the frozen units, kept until something was frozen or thawed."""
        version = heads.read(connection).reference_version
        with self._lock:
            if self._frozen is None or self._frozen[0] != version:
                self._frozen = version, standing.frozen_units(connection)
            return self._frozen[1]

    def _of_leader(self, connection: Connection, now: datetime) -> list[Attention]:
        since = self._leader.missing_since(connection, self._ground.database, now)
        if since is None:
            return []
        return [Attention(Cause.NOBODY_LEADS, Severity.DANGER, "", "/system", at=since)]

    def _of_registries(
        self,
        connection: Connection,
        participants: Sequence[ParticipantRow],
        exchange: ExchangeNow,
        now: datetime,
    ) -> list[Attention]:
        return attention.of_registries(self._seen(connection, participants, exchange.queues, now))

    def _seen(
        self,
        connection: Connection,
        participants: Sequence[ParticipantRow],
        queues: tuple[exchange_now.Queue, ...],
        now: datetime,
    ) -> Seen:
        codes = [row.code for row in participants]
        return Seen(
            now=now,
            participants=participants,
            keys=self._ends(connection, now),
            queues=queues,
            clocks=self._clocks.read(connection, codes, now),
        )

    def _ends(self, connection: Connection, now: datetime) -> Mapping[str, KeyEnd]:
        """Return which keys end first, read again when keys changed or a minute has passed."""
        version = heads.read(connection).trust_version
        with self._lock:
            kept = self._key_ends
            if (
                kept is None
                or kept[0] != version
                or not timedelta() <= now - kept[1] < timedelta(minutes=1)
            ):
                ends = attention.key_ends(reference.key_records(connection), now)
                kept = self._key_ends = version, now, ends
            return kept[2]

    def _ages(self, connection: Connection, now: datetime) -> CaseAges:
        """Return the open cases by kind and age."""
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        bounds = [midnight - timedelta(days=last) for _, last in AGES if last is not None]
        kinds = standing.open_cases(connection, since=bounds, today=now.date())
        groups = tuple(
            AgeGroup(
                first,
                last,
                None if last is None else str((midnight - timedelta(days=last)).date()),
            )
            for first, last in AGES
        )
        return CaseAges(groups, tuple(kinds))

    def _next_night(self, now: datetime) -> datetime:
        at = self._ground.reconciliation.at
        return due_at(latest_due(at, now) + timedelta(days=1), at)


def _last_due(rows: Sequence[NightRow]) -> datetime | None:
    """Return when the newest night was due that does not run any more, or never did."""
    return next((row.due_at for row in reversed(rows) if row.state != RUNNING), None)


def _verdict(
    map_: HeatMap,
    last_due: datetime | None,
    open_cases: Mapping[str, int],
    frozen_units: int,
    causes: Sequence[Attention],
) -> Verdict:
    stands = [None if row.now is None else row.now.result for row in map_.rows]
    overdue = {one.subject for one in causes if one.cause is Cause.STATEMENT_OVERDUE}
    agreed = [row for row in map_.rows if row.now is not None and row.now.result in AGREEING]
    stale = sum(_is_stale(row, last_due, overdue) for row in agreed)
    return Verdict(
        agree=len(agreed) - stale,
        stale=stale,
        differ=stands.count(Result.FINDINGS),
        silent=sum(one in UNANSWERED for one in stands),
        never=stands.count(None),
        total=len(stands),
        open_cases=sum(open_cases.values()),
        frozen_units=frozen_units,
        dangers=sum(one.severity is Severity.DANGER for one in causes),
        warnings=sum(one.severity is Severity.WARNING for one in causes),
    )


def _is_stale(row: Row, last_due: datetime | None, overdue: Collection[str]) -> bool:
    """Tell whether a registry was not compared when it last was to be."""
    if row.registry.mode == "statement":
        return row.registry.code in overdue
    return last_due is not None and row.compared_at is not None and row.compared_at < last_due


def _progress(rows: Sequence[NightRow], map_: HeatMap) -> Progress | None:
    """Return how far the newest night is, if it runs."""
    if not rows or rows[-1].state != RUNNING:
        return None
    cells = [row.cells[-1] for row in map_.rows if row.registry.mode != "statement"]
    done = sum(cell.result is not Result.WAITING for cell in cells)
    return Progress(rows[-1].night, rows[-1].started_at, done, len(cells))
