"""The places where a kill test may end a process: the one asked for, at the time asked for."""

import pytest

from connectors.session import crash_points as of_connectors
from hub.protocol.crash_points import EXIT_STATUS, CrashPoints
from hub.services import crash_points as of_hub

NAMES = ("intake.before_commit", "intake.after_commit")


def ends(wanted: str, *reached: str) -> list[tuple[int, int]]:
    """Return (how many places were reached, exit status) at each end of the process."""
    found: list[tuple[int, int]] = []
    points = CrashPoints(NAMES, wanted, lambda status: found.append((count, status)))
    for count, name in enumerate(reached, start=1):  # noqa: B007 - read by the lambda above
        points.reach(name)
    return found


def test_nothing_dies_unless_it_is_asked_for() -> None:
    """Without a wish, or with one for another place."""
    assert ends("", *NAMES, *NAMES) == []
    assert ends("intake.before_receipt", *NAMES) == []


def test_the_process_ends_at_the_place_asked_for() -> None:
    """At the first time, or at the one that was counted."""
    before, after = NAMES
    assert ends(after, before, after)[0] == (2, EXIT_STATUS)
    assert ends(f"{after}:2", after, before, after)[0] == (3, EXIT_STATUS)
    assert ends(f"{after}:2", after, before) == []


def test_a_place_that_no_list_names_cannot_be_reached() -> None:
    """So that the kill tests, which walk the list, know every place."""
    with pytest.raises(AssertionError, match="not in the list"):
        ends("", "somewhere.else")


def test_both_ends_name_each_place_once() -> None:
    """And share none: one wish in the environment means one place."""
    names = (*of_hub.CRASH_POINTS, *of_connectors.CRASH_POINTS)
    assert len(names) == len(set(names))
