"""The compensating entry of a case, looked at before it is proposed.

What the deed itself demands is checked when it is tried (``administration.corrections``). Here is
what a person wants to see first: whose units these are now, whose they would be, and what is known
of the books of both registries.
"""

from dataclasses import dataclass
from typing import Final

import msgspec
from sqlalchemy import Connection

from hub.international_registry.units import Range
from hub.international_registry.units import Series as LedgerSeries
from hub.services.administration.deeds import Deed
from hub.services.administration.suspensions import parse_range
from hub.services.console.cases.case_story import OtherCase
from hub.services.console.ground import Ground
from hub.services.reconciliation.cases import explaining
from hub.services.reconciliation.cases.explaining import UnknownCaseError
from hub.store import reference
from hub.store.interning import series_id_of
from hub.store.reconciliation import case_serials, cases
from hub.store.reconciliation.case_serials import BlockRow, OverRow
from hub.store.reconciliation.cases import CaseRow, RangeRow
from reconciliation.discrepancies import FindingKind
from reconciliation.owned import Series, series_of

__all__ = ["UnknownCaseError"]

RANGES_OFFERED: Final = 50
PARTS_SHOWN: Final = 8
_OTHERS_MAX: Final = 50
_HOLDING: Final = frozenset({"party_registry", "international_registry"})


@dataclass(frozen=True, slots=True)
class EntryForm:
    """What a form for an entry begins with; the registries are guesses, None where none is."""

    ranges: tuple[str, ...]
    from_registry: str | None
    to_registry: str | None
    registries: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class LedgerPart:
    """Some of the units as the ledger has them now; ``registry`` is None where it has none."""

    units: str
    quantity: int
    registry: str | None
    status: str | None
    reserved_by: str | None
    hold: str | None


@dataclass(frozen=True, slots=True)
class EntryPreview:
    """What an entry would do. ``parts`` are the first of the units now, in order.

    ``book`` says what the registry of the case has of them: nothing, one or several times; None
    where the finding does not tell. ``others`` are the open cases of both registries that it
    touches as well.
    """

    case: CaseRow
    units: str
    quantity: int
    parts: tuple[LedgerPart, ...]
    is_cut: bool
    book: int | None
    others: tuple[OtherCase, ...]


class CaseEntries:
    """Compensating entries of cases, before they are proposed."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def form(self, case_id: str) -> EntryForm | None:
        """Return what the form of a case begins with; None for a case that no entry puts right."""
        with self._ground.database.reading() as connection:
            row = cases.load(connection, [case_id]).get(case_id)
            if row is None or not explaining.may_be_compensated(row):
                return None
            ranges = case_serials.ranges_of(connection, case_id, RANGES_OFFERED)
            if not ranges:
                return None
            giver, taker = _guess(connection, row, ranges[0])
            known = reference.participants(connection)
        return EntryForm(
            tuple(one.units for one in ranges),
            giver,
            taker,
            tuple(
                (one.code, one.name)
                for one in known
                if one.kind in _HOLDING and one.state != "closed"
            ),
        )

    def preview(self, deed: Deed) -> EntryPreview:
        """Return what an entry for a case would do. Raises UnknownCaseError, AdministrationError.

        ``deed`` was made by ``administration.corrections`` and names its case.
        """
        case_id: str = deed.parameters["case"]
        asked = parse_range(deed.subject)
        series = series_of(asked.series)
        touched = {deed.parameters["from_registry"], deed.parameters["to_registry"]}
        with self._ground.database.reading() as connection:
            row = cases.load(connection, [case_id]).get(case_id)
            if row is None:
                raise UnknownCaseError(f"there is no case {case_id[:40]}")
            series_id = series_id_of(connection, LedgerSeries(*series))
            blocks: list[BlockRow] = []
            if series_id is not None:
                place = (series_id, asked.first, asked.last, PARTS_SHOWN + 1)
                blocks = case_serials.blocks_over(connection, *place)
            over = case_serials.over(
                connection, series, asked.first, asked.last, but=case_id, limit=_OTHERS_MAX
            )
            book = _book(connection, case_id, series, asked)
        parts = _parts(asked, blocks)
        others = {
            OtherCase(one.case_id, one.registry, one.state): None
            for one in over
            if one.registry in touched and one.state != "closed"
        }
        return EntryPreview(
            row,
            asked.units,
            asked.quantity,
            tuple(parts[:PARTS_SHOWN]),
            len(parts) > PARTS_SHOWN,
            book,
            tuple(others),
        )


def _guess(connection: Connection, row: CaseRow, found: RangeRow) -> tuple[str | None, str | None]:
    """Return from which registry to which the units probably go."""
    place = (found.series, found.first_serial, found.last_serial)
    over = case_serials.over(connection, *place, but=row.case_id, limit=_OTHERS_MAX)
    if row.kind != FindingKind.MISSING_AT_LEDGER.value:
        return row.registry, _other_registry(over, row.registry)
    series_id = series_id_of(connection, LedgerSeries(*found.series))
    blocks: list[BlockRow] = []
    if series_id is not None:
        blocks = case_serials.blocks_over(connection, series_id, *place[1:], 1)
    return (blocks[0].registry if blocks else None), row.registry


def _other_registry(over: list[OverRow], registry: str) -> str | None:
    """Return the registry that has an open case over the same serials, if it is one alone."""
    others = {one.registry for one in over if one.state != "closed" and one.registry != registry}
    return others.pop() if len(others) == 1 else None


def _book(connection: Connection, case_id: str, series: Series, asked: Range) -> int | None:
    """Return how often the registry of a case has these units, by what was found last."""
    found = case_serials.range_over(connection, case_id, series, asked.first, asked.last)
    return None if found is None else len(msgspec.json.decode(found.body).get("registry", ()))


def _parts(asked: Range, blocks: list[BlockRow]) -> list[LedgerPart]:
    """Return the units as the ledger has them, gaps too."""
    parts: list[LedgerPart] = []
    expected = asked.first
    for one in blocks:
        first, last = max(one.first, asked.first), min(one.last, asked.last)
        if first > expected:
            parts.append(_gap(asked, expected, first - 1))
        units = Range(asked.series, first, last)
        parts.append(
            LedgerPart(
                units.units, units.quantity, one.registry, one.status, one.reserved_by, one.hold
            )
        )
        expected = last + 1
    if expected <= asked.last and len(parts) <= PARTS_SHOWN:
        parts.append(_gap(asked, expected, asked.last))
    return parts


def _gap(asked: Range, first: int, last: int) -> LedgerPart:
    units = Range(asked.series, first, last)
    return LedgerPart(units.units, units.quantity, None, None, None, None)
