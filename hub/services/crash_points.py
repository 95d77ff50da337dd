"""Where a hub process may die, by name: on either side of every commit and of every send.

1. Every place is in `CRASH_POINTS`; the kill tests walk the whole tuple.
2. `reach(name)` does nothing, unless the environment variable ITMO_CRASH_AT names that place when
   the process starts: then it ends at once, as by `kill -9` (no clean-up, no flush), with status
   137.
3. `ITMO_CRASH_AT=name:3` dies at the third time the place is reached.
"""

import os
from typing import Final

ENVIRONMENT_NAME: Final = "ITMO_CRASH_AT"
EXIT_STATUS: Final = 137

CRASH_POINTS: Final = (
    "intake.before_commit",
    "intake.after_commit",
    "intake.before_receipt",
    "delivery.before_commit",
    "delivery.after_commit",
    "push.before_acknowledgement",
    "push.after_acknowledgement",
    "sweep.before_commit",
    "sweep.after_commit",
    "checkpoint.before_commit",
    "checkpoint.after_commit",
)
"""Every named place, in the order in which an envelope meets them."""

_PLACE, _, _COUNT = os.environ.get(ENVIRONMENT_NAME, "").partition(":")
_reached: dict[str, int] = {}


def reach(name: str) -> None:
    """Die here if the environment asked for it; otherwise do nothing."""
    assert name in CRASH_POINTS, f"the crash point {name} is not in the list"
    if name != _PLACE:
        return
    _reached[name] = _reached.get(name, 0) + 1
    if _reached[name] >= int(_COUNT or "1"):
        os._exit(EXIT_STATUS)
