"""Where a process may die, by name: what the kill tests at both ends have in common.

1. Each end lists its own places; a place that is not in the list cannot be reached.
2. The environment variable ITMO_CRASH_AT names one of them when the process starts: reaching it
   ends the process at once, as by `kill -9` (no clean-up, no flush), with status 137.
3. `ITMO_CRASH_AT=name:3` dies at the third time the place is reached.

Reading the environment and ending the process are the shells', in ``hub.services.crash_points`` and
``connectors.session.crash_points``.
"""

from collections.abc import Callable, Collection
from typing import Final

ENVIRONMENT_NAME: Final = "ITMO_CRASH_AT"
EXIT_STATUS: Final = 137


class CrashPoints:
    """The named places of one process. ``wanted`` is what the environment asks for, or empty.

    ``end`` is called with the exit status and does not return.
    """

    def __init__(self, names: Collection[str], wanted: str, end: Callable[[int], object]) -> None:
        self._names = frozenset(names)
        self._place, _, count = wanted.partition(":")
        self._remaining = int(count or "1")
        self._end = end

    def reach(self, name: str) -> None:
        """Die here if the environment asked for it; otherwise do nothing."""
        assert name in self._names, f"the crash point {name} is not in the list"
        if name != self._place:
            return
        self._remaining -= 1
        if self._remaining <= 0:
            self._end(EXIT_STATUS)
