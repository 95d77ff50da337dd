"""Registries by nights: what each comparison came to, the worst of a night in each cell.

1. A cell says in one word what a registry's night came to. Two sessions of a night, on units and on
   records, make one cell: the worse one's.
2. Where a registry stands *now* is told by its newest sessions, of nights or asked for since: a
   re-run that agreed ends the worry, whatever the night found.
3. Registries with trouble come first: by where they stand, then by findings, then by code.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from hub.services.reconciliation.runs.questions import concern_of
from hub.store.console.standing import Compared
from hub.store.reconciliation.nights import MISSED, RUNNING, NightRow


class Result(StrEnum):
    """What a night came to with a registry."""

    FINDINGS = "findings"
    FAILED = "failed"
    SILENT = "silent"
    REFUSED = "refused"
    LATE = "late"
    WAITING = "waiting"
    MISSED = "missed"
    NOT_ASKED = "not_asked"
    STATEMENT = "statement"
    AGREED = "agreed"


_ORDER: Final = {result: place for place, result in enumerate(Result)}
_OF_STATE: Final = {"silent": Result.SILENT, "refused": Result.REFUSED, "failed": Result.FAILED}
UNANSWERED: Final = frozenset({Result.FAILED, Result.SILENT, Result.REFUSED})
"""What it came to when nothing was compared."""
AGREEING: Final = frozenset({Result.AGREED, Result.LATE})


@dataclass(frozen=True, slots=True)
class Cell:
    """One registry in one night; ``findings`` of all its sessions, ``session`` the worst one's."""

    result: Result
    findings: int = 0
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Compares:
    """A registry whose book is to be compared, and how."""

    code: str
    name: str
    mode: str


@dataclass(frozen=True, slots=True)
class Row:
    """A registry over the nights, oldest first. ``now`` is where it stands, None before it all.

    ``compared_at`` is when it was asked for what tells where it stands.
    """

    registry: Compares
    cells: tuple[Cell, ...]
    now: Cell | None
    open_cases: int
    frozen_units: int
    compared_at: datetime | None = None

    @property
    def findings(self) -> int:
        """Return how many findings its nights had."""
        return sum(cell.findings for cell in self.cells)


@dataclass(frozen=True, slots=True)
class HeatMap:
    """The nights, oldest first, and the registries, those with trouble first."""

    nights: tuple[NightRow, ...]
    rows: tuple[Row, ...]

    @property
    def findings_by_night(self) -> tuple[int, ...]:
        """Return how many findings each night had."""
        columns = zip(*(row.cells for row in self.rows), strict=True)
        return tuple(sum(cell.findings for cell in column) for column in columns) or (0,) * len(
            self.nights
        )

    @property
    def findings(self) -> int:
        """Return how many findings there were in all."""
        return sum(row.findings for row in self.rows)


def result_of(one: Compared) -> Result:
    """Return in one word what a session came to."""
    if one.state == "done":
        if not one.agreed:
            return Result.FINDINGS
        return Result.LATE if one.late else Result.AGREED
    if one.state == "asking":
        return Result.WAITING
    return _OF_STATE.get(one.state, Result.FAILED)


def heat_map(
    nights: Sequence[NightRow],
    registries: Iterable[Compares],
    sessions: Iterable[Compared],
    open_cases: Mapping[str, int],
    frozen_units: Mapping[str, int],
) -> HeatMap:
    """Return the map of ``nights`` (oldest first), from sessions in the order of their cuts."""
    of_night: dict[tuple[str, str], list[Compared]] = {}
    newest: dict[str, dict[str, Compared]] = {}
    for one in sessions:
        if one.night is not None:
            of_night.setdefault((one.registry, one.night), []).append(one)
        if one.state != "asking":
            newest.setdefault(one.registry, {})[concern_of(one.mode)] = one
    rows = [
        Row(
            registry=registry,
            cells=tuple(
                _cell(of_night.get((registry.code, row.night)), row, registry) for row in nights
            ),
            now=worst(newest[registry.code].values()) if registry.code in newest else None,
            open_cases=open_cases.get(registry.code, 0),
            frozen_units=frozen_units.get(registry.code, 0),
            compared_at=_asked_at(newest.get(registry.code, {})),
        )
        for registry in registries
    ]
    return HeatMap(tuple(nights), tuple(sorted(rows, key=_trouble)))


def _asked_at(newest: Mapping[str, Compared]) -> datetime | None:
    """Return when the newest session on units began; on records, where there is none."""
    one = newest.get("units") or newest.get("records")
    return None if one is None else one.asked_at


def worst(sessions: Iterable[Compared]) -> Cell:
    """Return the cell of some sessions, at least one."""
    found = [(result_of(one), one) for one in sessions]
    result, one = min(found, key=lambda pair: _ORDER[pair[0]])
    counted = sum(other.finding_count for what, other in found if what is Result.FINDINGS)
    return Cell(result, counted, one.session)


def _cell(sessions: list[Compared] | None, night: NightRow, registry: Compares) -> Cell:
    if sessions and len(sessions) == 1:  # as most are: a map has thousands of cells
        one, result = sessions[0], result_of(sessions[0])
        return Cell(result, one.finding_count if result is Result.FINDINGS else 0, one.session)
    if sessions:
        return worst(sessions)
    if night.state == MISSED:
        return Cell(Result.MISSED)
    if registry.mode == "statement":
        return Cell(Result.STATEMENT)
    return Cell(Result.WAITING if night.state == RUNNING else Result.NOT_ASKED)


def _trouble(row: Row) -> tuple[int, int, int, int, str]:
    """Return what puts a registry before others: the worst first."""
    stands = _ORDER[Result.NOT_ASKED if row.now is None else row.now.result]
    worry = min(stands, _ORDER[Result.FINDINGS]) if row.open_cases else stands
    return (worry, -row.open_cases, -row.frozen_units, -row.findings, row.registry.code)
