"""What a run shows of itself: a bar on a terminal, sober lines elsewhere."""

import io

from rich.console import Console

from connectors.progress import ProgressView


class SteppingClock:
    """A clock that stands still until it is told to move."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        """Return the time it was moved to."""
        return self.seconds


def test_plain_lines_come_seldom_and_say_how_long() -> None:
    """No line before five seconds; then done, share, rate and time left; one at the end."""
    file, clock = io.StringIO(), SteppingClock()
    with ProgressView(Console(file=file), "pushed", 4_000, "lines", clock) as view:
        view.advance_to(1_000)  # an earlier run did these
        clock.seconds += 4.9
        view.advance_to(1_500)
        assert file.getvalue() == ""
        clock.seconds += 0.1
        view.advance_to(2_000)
        assert file.getvalue() == "pushed: 2,000 of 4,000 (50 %), 200 lines/s, 10 s left\n"
        clock.seconds += 5.0
        view.advance_to(4_000)
    assert file.getvalue().endswith("pushed: 4,000 of 4,000 (100 %), 300 lines/s\n")


def test_an_empty_feed_needs_no_progress() -> None:
    """Nothing done, nothing said."""
    file = io.StringIO()
    with ProgressView(Console(file=file), "pushed", 0, "lines"):
        pass
    assert file.getvalue() == ""


def test_a_terminal_shows_a_bar_with_the_rate() -> None:
    """The bar stands on the terminal, with count and rate."""
    file, clock = io.StringIO(), SteppingClock()
    console = Console(file=file, force_terminal=True, width=100)
    with ProgressView(console, "pushed", 10, "lines", clock) as view:
        view.advance_to(0)
        clock.seconds += 2.0
        view.advance_to(10)
    assert "10/10" in file.getvalue()
    assert "5 lines/s" in file.getvalue()


def test_where_bytes_are_counted_the_rate_is_of_lines() -> None:
    """A survey knows its bytes from the start; people ask for lines a second."""
    file, clock = io.StringIO(), SteppingClock()
    with ProgressView(Console(file=file), "surveyed", 8_000, "bytes", clock) as view:
        clock.seconds += 5.0
        view.advance_to(2_000, 50)
        view.advance_to(4_000, 100)
    assert "surveyed: 4,000 of 8,000 (50 %), 20 lines/s" in file.getvalue()
