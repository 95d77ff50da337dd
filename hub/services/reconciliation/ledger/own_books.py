"""The hub checks its own books in the run in which it compares those of the registries.

1. No two blocks of a series share a unit; the journal of the series, played again from nothing,
   gives exactly its blocks; units introduced less withdrawn, over all registries, are the units in
   blocks (``invariants``).
2. The kept digests of every registry are those of its blocks, as of where they are folded to; its
   root is their sum; the totals of its movements are what the journal moved.
3. Frozen serials belong to cases that are not closed.

A night looks at every series touched since the last check, at every series that was faulty then,
and at a share of the others, so that 28 nights prove everything. Each series is read in one
snapshot of its own: trading goes on, and no snapshot stays open for long.

Cost: about 13 s of one core for 100,000 blocks with 300,000 postings and their digests, so some 5 s
a night for the share of 10^6 blocks, and what was traded.

A fault is the hub's own. It is told to the operator and stands in the report; no registry has a
case for it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date, datetime
from itertools import islice
from time import monotonic
from typing import Final, TypeVar

from sqlalchemy import Connection

from hub.international_registry.invariants import prove_series
from hub.international_registry.postings import Posting
from hub.international_registry.replay import JournalError, SeriesReplay
from hub.international_registry.units import LedgerBlock, Series
from hub.services.reconciliation.ledger.book_faults import (
    FAULTS_MAX,
    BookFault,
    FaultKind,
    OwnBooks,
)
from hub.services.reconciliation.ledger.own_digests import (
    UNREADABLE,
    OwnDigests,
    compared,
    root_faults,
)
from hub.store import alerts, ledger
from hub.store import head as heads
from hub.store.database import Database
from hub.store.interning import Interning
from hub.store.reconciliation import nights
from hub.store.reconciliation import own_books as rows
from reconciliation.link_keys import LinkKey
from reconciliation.owned import Block, owned_of, series_of

NIGHTS: Final = 28
"""In so many nights every series is looked at once, however quiet it is."""

__all__ = ["NIGHTS", "OwnBooks", "check", "chosen", "keep", "tell_failure", "tell_operator"]

ALERT_KIND: Final = "own_books"
_ROWS_A_STEP: Final = 5_000

_Row = TypeVar("_Row")
Progress = Callable[[int, int], None]
"""Told how many rows of how many are looked at."""


def chosen(
    known: Iterable[int],
    touched: Collection[int],
    faulty: Collection[int],
    last_night: date | None,
    night: date,
) -> list[int]:
    """Return the series to look at tonight, by id: touched, faulty, and the share of the night.

    The share of a night is every ``NIGHTS``-th series. Nights without a check since
    ``last_night`` are made up for; without any check so far everything is looked at.
    """
    since = NIGHTS if last_night is None else min((night - last_night).days, NIGHTS)
    shares = {(night.toordinal() - back) % NIGHTS for back in range(since)}
    return sorted(one for one in known if one in touched or one in faulty or one % NIGHTS in shares)


def check(
    database: Database,
    *,
    keys: Mapping[str, LinkKey],
    night: date,
    everything: bool = False,
    progress: Progress | None = None,
) -> OwnBooks:
    """Check the books as far as tonight's turn goes, or ``everything``. Reads only.

    ``keys`` are those of the links whose digests are kept, by registry.
    """
    return _Check(database, keys, progress).run(night, everything=everything)


def tell_operator(connection: Connection, checked: OwnBooks, at: datetime) -> None:
    """Raise an alert for each kind of fault that was found."""
    for kind in sorted({fault.kind for fault in checked.faults}):
        found = [fault for fault in checked.faults if fault.kind is kind]
        detail = f"{len(found)} of {checked.fault_count} faults; {found[0].subject}: "
        alerts.add(connection, kind=ALERT_KIND, subject=kind, detail=detail + found[0].text, at=at)


def keep(database: Database, night: str, checked: OwnBooks, at: datetime) -> None:
    """Keep what a check found with its night, and tell the operator of faults."""
    with database.writing() as connection:
        heads.lock(connection)
        nights.set_own_books(connection, night, checked.as_json())
        tell_operator(connection, checked, at)


def tell_failure(database: Database, night: str, why: str, at: datetime) -> None:
    """Raise an alert for a check that could not be made."""
    detail = f"the check of night {night} failed: {why}"
    with database.writing() as connection:
        heads.lock(connection)
        alerts.add(connection, kind=ALERT_KIND, subject="check", detail=detail[:500], at=at)


class _Check:
    """One check under way."""

    def __init__(
        self, database: Database, keys: Mapping[str, LinkKey], progress: Progress | None
    ) -> None:
        self._database = database
        self._digests = OwnDigests(keys)
        self._progress = progress
        self._interning = Interning()
        self._done = self._total = 0
        self._blocks = self._postings = 0
        self._faults: list[BookFault] = []
        self._count = 0

    def run(self, night: date, *, everything: bool) -> OwnBooks:
        started_at = monotonic()
        with self._database.reading() as connection:
            head = heads.read(connection).log_index
            known = rows.known_series(connection)
            before = _last(connection)
            since = 0 if before is None or everything else before[1].checked_to
            wanted = sorted(known)
            if not everything:
                faulty = _faulty(before)
                touched = rows.touched_series(connection, since, head)
                wanted = chosen(known, touched, faulty, before and before[0], night)
            if self._progress is not None:
                self._total = rows.row_count(connection, None if everything else wanted)
            links = rows.kept_links(connection)
            self._add(root_faults(connection, links))
            keyed = [one for one in links if self._digests.is_keyed(one)]
            self._add(self._digests.movement_faults(connection, self._interning, keyed, since))
            self._add(_freeze_faults(connection))
        for series_id in wanted:
            with self._database.reading() as connection:
                self._look_at(connection, series_id)
        unkeyed = [one.registry for one in links if not self._digests.is_keyed(one)]
        return OwnBooks(
            checked_to=head,
            series_known=len(known),
            series_checked=len(wanted),
            block_count=self._blocks,
            posting_count=self._postings,
            digest_count=self._digests.count,
            seconds=round(monotonic() - started_at, 3),
            unkeyed=tuple(unkeyed),
            fault_count=self._count,
            faults=tuple(self._faults),
        )

    def _add(self, faults: Iterable[BookFault]) -> None:
        for fault in faults:
            self._count += 1
            if len(self._faults) < FAULTS_MAX:
                self._faults.append(fault)

    def _look_at(self, connection: Connection, series_id: int) -> None:
        """Look at one series; rows that cannot even be read are a fault as well."""
        try:
            self._prove(connection, series_id)
        except UNREADABLE as error:
            text = f"it has a row that cannot be read: {type(error).__name__} {error}"
            self._add([BookFault(FaultKind.SERIES, f"series {series_id}", text, series_id)])

    def _prove(self, connection: Connection, series_id: int) -> None:
        series = self._interning.series(connection, series_id)
        links = [one for one in rows.kept_links(connection) if self._digests.is_keyed(one)]
        blocks: dict[str, list[Block]] = {one.registry: [] for one in links}
        self._add(
            BookFault(FaultKind(found.kind.value), found.subject, found.text, series_id)
            for found in prove_series(
                series,
                self._counted_blocks(connection, series_id, blocks),
                self._counted_postings(connection, series_id),
            )
        )
        self._look_at_digests(connection, series_id, series, links, blocks)

    def _look_at_digests(
        self,
        connection: Connection,
        series_id: int,
        series: Series,
        links: list[rows.KeptLink],
        blocks: dict[str, list[Block]],
    ) -> None:
        newest = rows.last_posting(connection, series_id)
        for folded_to in {one.folded_to for one in links if one.folded_to < newest}:
            # The series went on since these digests were folded: the journal knows how it was.
            as_of = self._as_of(connection, series_id, folded_to)
            for one in links:
                if one.folded_to == folded_to:
                    blocks[one.registry] = as_of.get(one.registry, [])
        self._add(self._digests.faults(connection, series_id, series, links, blocks))

    def _counted_blocks(
        self, connection: Connection, series_id: int, into: dict[str, list[Block]]
    ) -> Iterator[LedgerBlock]:
        """Stream the blocks, and keep what both sides own of them for the digests."""
        for row in self._counted(ledger.blocks_of_series(connection, self._interning, series_id)):
            self._blocks += 1
            if row.registry in into:
                into[row.registry].extend(compared(row))
            yield row

    def _counted_postings(self, connection: Connection, series_id: int) -> Iterator[Posting]:
        for row in self._counted(ledger.postings_of_series(connection, self._interning, series_id)):
            self._postings += 1
            yield row

    def _counted(self, stream: Iterable[_Row]) -> Iterator[_Row]:
        iterator = iter(stream)
        while part := list(islice(iterator, _ROWS_A_STEP)):
            yield from part
            self._done += len(part)
            if self._progress is not None:
                self._progress(self._done, max(self._total, self._done))

    def _as_of(self, connection: Connection, series_id: int, index: int) -> dict[str, list[Block]]:
        """Return what each registry had of a series as of a log index, by the journal."""
        replay = SeriesReplay()
        for at, posting in ledger.journal_of_series(connection, self._interning, series_id):
            if at > index:
                break
            try:
                replay.apply(posting)
            except JournalError:
                continue  # is a fault of the journal already
        series = series_of(self._interning.series(connection, series_id))
        found: dict[str, list[Block]] = {}
        for first, last, standing in replay:
            owned = owned_of(standing)
            if owned is not None:
                found.setdefault(standing.registry, []).append(Block(series, first, last, owned))
        return found


def _last(connection: Connection) -> tuple[date, OwnBooks] | None:
    """Return the newest night with a check, and the check."""
    found = rows.newest_check(connection)
    return None if found is None else (date.fromisoformat(found[0]), OwnBooks.from_json(found[1]))


def _faulty(before: tuple[date, OwnBooks] | None) -> set[int]:
    """Return the series in which the last check found a fault."""
    if before is None:
        return set()
    return {one.series_id for one in before[1].faults if one.series_id is not None}


def _freeze_faults(connection: Connection) -> Iterator[BookFault]:
    for one in rows.stray_ranges(connection, FAULTS_MAX):
        state = "is closed" if one.state == "closed" else "is not there"
        text = f"{one.series} {one.first} to {one.last} is frozen, and its case {state}"
        yield BookFault(FaultKind.FREEZE, f"case {one.case_id}", text)
