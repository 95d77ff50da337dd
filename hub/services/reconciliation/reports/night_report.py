"""What the report of a night says, as values: no markup, no tables, no database."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hub.services.reconciliation.ledger.book_faults import OwnBooks

AGES: Final = ((0, 1), (2, 5), (6, 14), (15, 30), (31, None))
"""The ages of open cases in whole days, as they are counted: from, to."""
UNANSWERED: Final = frozenset({"silent", "refused", "failed"})
"""What a session came to when nothing was compared."""


@dataclass(frozen=True, slots=True)
class SessionLine:
    """One comparison; without ``session`` the registry was not asked.

    ``result``: agreed, differs, silent, refused, failed, asking, waiting or not asked.
    """

    registry: str
    name: str
    mode: str
    result: str
    session: str | None = None
    log_index: int | None = None
    as_of: int | None = None
    basis: str | None = None
    question_count: int = 0
    finding_count: int = 0
    seconds: float | None = None
    characters_asked: int = 0
    characters_answered: int = 0
    result_log_index: int | None = None
    reason: str | None = None

    @property
    def is_due(self) -> bool:
        """Tell whether the night was to compare it: who hands in statements is not asked."""
        return self.session is not None or self.mode not in ("statement", "off")


@dataclass(frozen=True, slots=True)
class CaseLine:
    """A case, and what this night did with it.

    ``tonight``: opened, continued, reopened, closed, or nothing. ``age_days`` counts to the end of
    the night.
    """

    case_id: str
    registry: str
    kind: str
    state: str
    summary: str
    units: int
    frozen_units: int
    opened_on: str
    age_days: int
    tonight: str = ""
    assignee: str | None = None
    due_on: str | None = None
    is_overdue: bool = False
    reopened_count: int = 0

    @property
    def is_open(self) -> bool:
        """Tell whether the case was open when the night ended."""
        return self.tonight != "closed"


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """What each night came to with one registry; ``missed``: no night, ``none``: not asked."""

    registry: str
    name: str
    results: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AgeGroup:
    """Open cases of an age: how many, how many of them late, and their units."""

    label: str
    count: int
    overdue_count: int
    units: int


@dataclass(frozen=True, slots=True)
class NightReport:
    """All that is told of one night."""

    hub: str
    night: str
    state: str
    due_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    made_at: datetime
    sessions: tuple[SessionLine, ...] = ()
    cases: tuple[CaseLine, ...] = ()
    own_books: OwnBooks | None = None
    missed_nights: tuple[str, ...] = ()
    history_nights: tuple[str, ...] = ()
    history: tuple[HistoryLine, ...] = ()

    @property
    def seconds(self) -> float | None:
        """How long the night took, None while it runs."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()

    @property
    def results(self) -> Counter[str]:
        """How many sessions came to what."""
        return Counter(line.result for line in self.sessions)

    @property
    def unanswered(self) -> tuple[SessionLine, ...]:
        """The sessions in which nothing was compared."""
        return tuple(line for line in self.sessions if line.result in UNANSWERED)

    @property
    def open_cases(self) -> tuple[CaseLine, ...]:
        """The cases open at the end, oldest first."""
        return tuple(line for line in self.cases if line.is_open)

    def happened(self, what: str) -> tuple[CaseLine, ...]:
        """Return the cases that were opened, continued, reopened or closed tonight."""
        return tuple(line for line in self.cases if line.tonight == what)

    @property
    def units_frozen(self) -> int:
        """How many units cases keep frozen."""
        return sum(line.frozen_units for line in self.cases)

    @property
    def question_count(self) -> int:
        """How many questions were asked."""
        return sum(line.question_count for line in self.sessions)

    @property
    def characters(self) -> int:
        """How many characters questions and answers had."""
        return sum(line.characters_asked + line.characters_answered for line in self.sessions)

    @property
    def ages(self) -> tuple[AgeGroup, ...]:
        """The open cases by age."""
        groups = []
        for first, last in AGES:
            lines = [
                line
                for line in self.open_cases
                if first <= line.age_days and (last is None or line.age_days <= last)
            ]
            label = f"over {first - 1} days" if last is None else f"{first}–{last} days"
            late = sum(line.is_overdue for line in lines)
            groups.append(AgeGroup(label, len(lines), late, sum(line.units for line in lines)))
        return tuple(groups)

    @property
    def is_good(self) -> bool:
        """Tell whether there is nothing to do: all agreed, no case open, own books sound."""
        sound = self.own_books is None or self.own_books.is_sound
        good = all(line.result == "agreed" for line in self.sessions if line.is_due)
        return sound and good and not self.open_cases and not self.missed_nights
