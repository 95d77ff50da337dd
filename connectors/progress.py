"""Show how far a run is: a bar on a terminal, a plain line now and then elsewhere."""

from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

LINE_SECONDS_MIN: Final = 5.0
"""The least time between two plain lines."""


class ProgressView:
    """The progress of one phase: ``advance_to`` says how many of ``total`` units are done."""

    def __init__(
        self,
        console: Console,
        title: str,
        total: int,
        unit: str,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._console = console
        self._title = title
        self._total = total
        self._unit = unit
        self._clock = clock
        self._started_at = self._said_at = clock()
        self._first: int | None = None
        self._done = 0
        self._lines: int | None = None
        self._bar: Progress | None = None
        if console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                console=console,
            )
            self._task = self._bar.add_task(title, total=total, rate="")

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        type_: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif self._done:
            self._say()

    def advance_to(self, done: int, lines: int | None = None) -> None:
        """Note that so many units are done, counted from the beginning of the feed.

        Where the unit is no line, ``lines`` says how many lines this run has done.
        """
        self._lines = lines
        if self._first is None:
            self._first = done
        self._done = done
        if self._bar is not None:
            self._bar.update(self._task, completed=done, rate=self._rate())
        elif self._clock() - self._said_at >= LINE_SECONDS_MIN:
            self._say()

    @property
    def seconds(self) -> float:
        """Return how long this phase lasts by now."""
        return self._clock() - self._started_at

    @property
    def per_second(self) -> float:
        """Return how many units a second this run did so far."""
        seconds = self.seconds
        return (self._done - (self._first or 0)) / seconds if seconds > 0 else 0.0

    def _rate(self) -> str:
        if self._lines is None:
            return f"{self.per_second:,.0f} {self._unit}/s"
        return f"{self._lines / max(self.seconds, 1e-9):,.0f} lines/s"

    def _say(self) -> None:
        """Print one plain line."""
        self._said_at = self._clock()
        share = 100 * self._done // self._total if self._total else 100
        text = f"{self._title}: {self._done:,} of {self._total:,} ({share} %), {self._rate()}"
        if self.per_second > 0 and self._done < self._total:
            text += f", {(self._total - self._done) / self.per_second:,.0f} s left"
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
