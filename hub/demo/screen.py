"""What the viewer sees: chapters, sentences, and where each transfer stands.

On a terminal the transfers are a table at the bottom that changes while the story goes on above
it. Elsewhere every change is a line.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.padding import Padding
from rich.table import Table

_STYLES = {
    "completed": "green",
    "rejected": "red",
    "refused": "red",
    "expired": "yellow",
    "cancelled": "yellow",
}


@dataclass(frozen=True, slots=True)
class TransferView:
    """One transfer, and in which state each of those who know it sees it."""

    transfer_id: str
    route: str
    quantity: int
    states: dict[str, str]


@dataclass(slots=True)
class Screen:
    """A console, and perhaps a live table under what it prints."""

    console: Console
    _views: dict[str, TransferView] = field(default_factory=dict)
    _live: Live | None = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Show the live table meanwhile, and leave its last state on the screen."""
        self._start()
        try:
            yield
        finally:
            self._stop()
            if self._views and self.console.is_terminal:
                self.console.print(self._transfers())

    @contextmanager
    def given_away(self) -> Iterator[None]:
        """Take the live table away while another process writes to the terminal."""
        self._stop()
        try:
            yield
        finally:
            self._start()

    def _start(self) -> None:
        if self.console.is_terminal and self._views:
            self._live = Live(
                self._transfers(), console=self.console, transient=True, refresh_per_second=8
            )
            self._live.start()

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def chapter(self, number: int, title: str) -> None:
        """Begin a chapter."""
        self.console.print()
        self.say(f"[bold cyan]{number}. {title}[/]", indent=0)

    def say(self, text: str, indent: int = 3) -> None:
        """Print one sentence; it may hold markup."""
        if self.console.is_terminal:
            self.console.print(Padding(text, (0, 0, 0, indent)), highlight=False)
        else:
            self.console.print(" " * indent + text, highlight=False, soft_wrap=True)

    def facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Print named facts, one below the other."""
        if not self.console.is_terminal:
            for name, value in facts:
                self.say(f"{name + ':':<12}{value}", indent=6)
            return
        grid = Table.grid(padding=(0, 2))
        for name, value in facts:
            grid.add_row(f"[dim]{name}[/]", value)
        self.console.print(Padding(grid, (0, 0, 0, 6)), highlight=False)

    def table(self, table: Table) -> None:
        """Print a table."""
        self.console.print(Padding(table, (0, 0, 0, 3)), highlight=False)

    def show(self, views: Sequence[TransferView]) -> None:
        """Show where the transfers stand now; only what changed is said again."""
        changed = False
        for view in views:
            if self._views.get(view.transfer_id) == view:
                continue
            changed = True
            self._views[view.transfer_id] = view
            if not self.console.is_terminal:
                states = ", ".join(f"{who}: {state}" for who, state in view.states.items())
                self.say(f"{view.transfer_id}  {view.route}  {view.quantity:,} units  {states}")
        if self._live is None:
            self._start()  # with the first transfer there is something to show
        elif changed:
            self._live.update(self._transfers())

    def _transfers(self) -> Table:
        table = Table(title="transfers, as each side has them", title_justify="left")
        for name in ("transfer", "from → to", "units", "sender", "receiver", "hub"):
            table.add_column(name, justify="right" if name == "units" else "left")
        for view in self._views.values():
            states = [_styled(state) for state in view.states.values()]
            table.add_row(view.transfer_id, view.route, f"{view.quantity:,}", *states)
        return table


def _styled(state: str) -> str:
    style = _STYLES.get(state)
    return state if style is None else f"[{style}]{state}[/]"
