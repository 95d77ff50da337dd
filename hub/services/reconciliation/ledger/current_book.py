"""The book that is open now, for a comparison that lives longer than a reading transaction.

A comparison keeps the view it compared last, and the explainer. Both read the database, on one
snapshot. Here they are names for what the snapshot of the moment has: a view as of an index is the
same in every snapshot that reaches the index.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hub.services.reconciliation.ledger.books import SqlBook
from reconciliation.books import LedgerView, Window
from reconciliation.digests import Chunks
from reconciliation.explain import Cause, Explainer, Situation
from reconciliation.movements import Countable, Moved, Movement
from reconciliation.owned import Series


class CurrentBook:
    """A registry's book at the ledger; ``on`` says for a while which one."""

    def __init__(self) -> None:
        self._open: SqlBook | None = None
        self._views: dict[int, LedgerView] = {}
        self.explainer: Explainer = CurrentExplainer(self)

    @contextmanager
    def on(self, book: SqlBook) -> Iterator[None]:
        """Read from ``book`` until the end of the block."""
        self._open = book
        try:
            yield
        finally:
            self._open = None
            self._views = {}

    @property
    def book(self) -> SqlBook:
        """Return the book that is open."""
        assert self._open is not None, "no book is open"
        return self._open

    def view(self, index: int) -> LedgerView:
        """Return the open book's view as of an index; ValueError if it does not reach there."""
        if index not in self._views:
            if index > self.book.head:
                raise ValueError(f"the log ends at {self.book.head}")
            self._views[index] = self.book.view_at(index)
        return self._views[index]

    def view_at(self, index: int) -> LedgerView:
        """Return a view that outlives the open book; ValueError as ``view``."""
        self.view(index)
        return CurrentView(self, index)

    def pending(self, after: int, up_to: int) -> Sequence[Movement]:
        """Return the movements behind one index and up to another."""
        return self.book.pending(after, up_to)


class CurrentView:
    """The ledger as of one index, read from whatever book is open; a ``LedgerView``."""

    def __init__(self, current: CurrentBook, index: int) -> None:
        self._current = current
        self.index = index

    @property
    def root(self) -> int:
        """Return the digest of all units."""
        return self._current.view(self.index).root

    def level(self, shift: int) -> Chunks:
        """Return all digests at a kept shift."""
        return self._current.view(self.index).level(shift)

    def digests(self, shift: int, series: Series, window: Window) -> dict[int, int]:
        """Return the digests of the chunks of a window that are not zero."""
        return self._current.view(self.index).digests(shift, series, window)

    def items(self, series: Series, window: Window) -> list[Countable]:
        """Return the units of a window; some may be taken away again by others."""
        return self._current.view(self.index).items(series, window)

    def block_count(self, series: Series, window: Window) -> int:
        """Return about how many blocks begin in a window."""
        return self._current.view(self.index).block_count(series, window)

    def span(self, series: Series) -> Window | None:
        """Return the first and the last position with an edge, about; None without any."""
        return self._current.view(self.index).span(series)


class CurrentExplainer(Explainer):
    """The movements since the last good cut, as the open book knows them."""

    def __init__(self, current: CurrentBook) -> None:
        super().__init__()
        self._current = current

    def of_all(self, difference: int, situation: Situation) -> list[Cause] | None:
        """Return the causes of a root difference: one, or two; None if there are none."""
        return self._current.book.explainer.of_all(difference, situation)

    def of_series(self, series: Series, difference: int, situation: Situation) -> Cause | None:
        """Return what would explain a series' difference, None if nothing would."""
        return self._current.book.explainer.of_series(series, difference, situation)

    def pieces_of(self, series: Series) -> Sequence[Moved]:
        """Return the pieces in a series, in the order in which they were added."""
        return self._current.book.explainer.pieces_of(series)

    def pieces_over(self, series: Series, first: int, last: int) -> list[Moved]:
        """Return the pieces that touch any of the serials, in no order."""
        return self._current.book.explainer.pieces_over(series, first, last)
