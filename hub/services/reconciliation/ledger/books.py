"""A registry's book as the ledger has it: views at any index, and what may explain a difference.

Everything is read when it is asked for, in the one snapshot that the book was opened on. Equal
books never come to the explanation; a single lost or doubled message is found by one look into an
index; only what nothing explains at once reads the movements since the last good cut.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from hub.store import head as heads
from hub.store.interning import Interning
from hub.store.reconciliation import links, movements
from hub.store.reconciliation.ledger_view import LedgerSnapshot
from hub.store.reconciliation.links import LinkRow
from reconciliation.books import LedgerView
from reconciliation.digests import MASK, EdgeHasher
from reconciliation.explain import PAIR_CANDIDATES_MAX, Cause, Explainer, Situation
from reconciliation.link_keys import LinkKey
from reconciliation.movements import Moved, Movement, edge_deltas
from reconciliation.owned import Series

__all__ = ["NoDigestsError", "SqlBook", "SqlExplainer", "open_book"]

_NO_PIECES: Final = ()


class NoDigestsError(LookupError):
    """A registry has no digests under the key named; bring them up to date first."""


class SqlBook:
    """One registry's units, in one snapshot; to be used while the snapshot's transaction lasts.

    ``head`` is the last index it knows. ``folded_to`` is where the digests stand.
    """

    def __init__(self, connection: Connection, snapshot: LedgerSnapshot, link: LinkRow) -> None:
        self._snapshot = snapshot
        self.head, self.hasher = snapshot.head, snapshot.hasher
        self.folded_to, self.link = snapshot.folded_to, link
        self.explainer: Explainer = SqlExplainer(connection, snapshot, link.agreed_to)

    def view_at(self, index: int) -> LedgerView:
        """Return the view as of a log index.

        Raises ValueError if it lies before the movements that are kept, or after the head.
        """
        return self._snapshot.view(index)

    def pending(self, after: int, up_to: int) -> list[Movement]:
        """Return what moved at the registry after an index and up to another, in order."""
        return self._snapshot.movements(after, up_to)


def open_book(connection: Connection, interning: Interning, link: LinkRow, key: LinkKey) -> SqlBook:
    """Return the book of a link on a reading connection, which is one snapshot.

    The link is read again there: its digests may have been folded on since ``link`` was read.
    Raises NoDigestsError unless it has digests under the key.
    """
    fresh = links.load(connection, link.registry)
    if fresh is None or fresh.key_check != key.check:
        raise NoDigestsError(
            f"{link.registry} has no digests under key {key.key_id}: bring them up to date first"
        )
    head = heads.read(connection).log_index
    snapshot = LedgerSnapshot(connection, interning, fresh, head, EdgeHasher(key.secret))
    return SqlBook(connection, snapshot, fresh)


class SqlExplainer(Explainer):
    """The movements since the last good cut, read when they are asked for.

    1. One movement: looked up by its total, in an index; then what is in flight.
    2. Two: all totals are read, unless there are more than PAIR_CANDIDATES_MAX.
    3. A series: the entries that moved anything of it at this registry are read with all pieces.
    """

    def __init__(
        self, connection: Connection, snapshot: LedgerSnapshot, agreed_to: int | None
    ) -> None:
        super().__init__()
        self._connection, self._snapshot = connection, snapshot
        self._after = max(snapshot.movements_from, agreed_to or 0)
        self._known: dict[int, Movement] = {}
        self._read: set[Series] = set()
        self._has_totals = False
        self._is_quiet: bool | None = None
        self._tail: list[tuple[Movement, int]] | None = None
        self._flights: list[Movement] | None = None

    def of_all(self, difference: int, situation: Situation) -> list[Cause] | None:
        """Return the causes of a root difference: one, or two; None if there are none."""
        single = self.single(difference, situation)
        if single is not None:
            return [single]
        pair = self._read_totals() and self.pair(difference, situation)
        return [self._told(cause) for cause in pair] if pair else None

    def single(self, difference: int, situation: Situation) -> Cause | None:
        """Return the one cause of a root difference; None if there is none."""
        if self._has_totals:
            known = super().single(difference, situation)
            return None if known is None else self._told(known)
        few = Explainer()
        for row in self._with_total(difference):
            few.add_total(*row)
        found = few.single(difference, situation)
        if found is not None:
            return self._told(found)
        for movement in self._in_flight_now():
            few.add_total(movement, self._total_of(movement), in_flight=True)
        return few.single(difference, situation)

    def of_series(self, series: Series, difference: int, situation: Situation) -> Cause | None:
        """Return what would explain a series' difference, None if nothing would."""
        self._read_series(series)
        return super().of_series(series, difference, situation)

    def pieces_of(self, series: Series) -> Sequence[Moved]:
        """Return the pieces in a series, in the order of the log; what is in flight last."""
        self._read_series(series)
        return super().pieces_of(series)

    def pieces_over(self, series: Series, first: int, last: int) -> list[Moved]:
        """Return the pieces that touch any of the serials, in no order."""
        self._read_series(series)
        return super().pieces_over(series, first, last)

    # --- reading -------------------------------------------------------------------------------

    def _with_total(self, difference: int) -> list[tuple[Movement, int]]:
        """Return the movements that did the difference or its opposite, without their pieces."""
        wanted = {difference & MASK, -difference & MASK}
        rows = movements.with_total(self._connection, self._snapshot.key, difference)
        found = [
            (Movement(row.log_index, row.reference, _NO_PIECES), row.total)
            for row in rows
            if self._after < row.log_index <= self._snapshot.folded_to
        ]
        return found + [row for row in self._unfolded() if row[1] in wanted]

    def _read_totals(self) -> bool:
        """Add every total, and what is in flight; False if there are too many for pairs."""
        if self._has_totals:
            return True
        key, folded_to = self._snapshot.key, self._snapshot.folded_to
        bound = PAIR_CANDIDATES_MAX + 1
        if movements.count_between(self._connection, key, self._after, folded_to, bound) >= bound:
            return False
        for row in movements.totals_between(self._connection, key, self._after, folded_to):
            self.add_total(Movement(row.log_index, row.reference, _NO_PIECES), row.total)
        for movement, total in self._unfolded():
            self.add_total(movement, total)
        for movement in self._in_flight_now():
            self.add_total(movement, self._total_of(movement), in_flight=True)
        self._has_totals = True
        return True

    def _read_series(self, series: Series) -> None:
        """Add the movements that touched a series, with all their pieces."""
        if series in self._read:
            return
        self._read.add(series)
        snapshot = self._snapshot
        series_id = snapshot.journal.series_id(series)
        if series_id is None:
            return
        for movement in self._moved_in(series_id):
            self._add_in(series, movement, in_flight=False)
        for movement in self._in_flight_now():
            self._add_in(series, movement, in_flight=True)

    def _moved_in(self, series_id: int) -> list[Movement]:
        """Return the movements of this registry that touched a series, whole."""
        snapshot = self._snapshot
        if self._is_quiet is None:
            key, upto = snapshot.key, snapshot.folded_to
            count = movements.count_between(self._connection, key, self._after, upto, 1)
            self._is_quiet = not count and not self._unfolded()
        if self._is_quiet:
            return []
        indices = snapshot.journal.entries_of_series(
            snapshot.registry, series_id, self._after, snapshot.head
        )
        unknown = [index for index in indices if index not in self._known]
        self._known |= snapshot.journal.of_entries(snapshot.registry, unknown)
        return [self._known[index] for index in indices if index in self._known]

    def _add_in(self, series: Series, movement: Movement, *, in_flight: bool) -> None:
        pieces = [piece for piece in movement.pieces if piece.series == series]
        if pieces:
            deltas = edge_deltas(self._snapshot.hasher, pieces)
            change = sum(change for _, _, change in deltas)
            self.add_of_series(movement, series, change, in_flight=in_flight)

    def _unfolded(self) -> list[tuple[Movement, int]]:
        """Return the movements after those that are folded, with their totals."""
        if self._tail is None:
            snapshot = self._snapshot
            after = max(self._after, snapshot.folded_to)
            self._tail = [
                (movement, self._total_of(movement))
                for movement in snapshot.movements(after, snapshot.head)
            ]
        return self._tail

    def _in_flight_now(self) -> list[Movement]:
        """Return what completing each transfer in flight would do to this registry."""
        if self._flights is None:
            self._flights = self._snapshot.journal.in_flight(self._snapshot.registry)
        return self._flights

    def _total_of(self, movement: Movement) -> int:
        deltas = edge_deltas(self._snapshot.hasher, movement.pieces)
        return sum(change for _, _, change in deltas) & MASK

    def _told(self, cause: Cause) -> Cause:
        """Return a cause with its movement's pieces."""
        movement = cause.movement
        if movement.pieces:
            return cause
        index = movement.log_index
        if index not in self._known:
            self._known |= self._snapshot.journal.of_entries(self._snapshot.registry, [index])
        return cause._replace(movement=self._known[index])
