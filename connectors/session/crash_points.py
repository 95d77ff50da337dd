"""Where a process may die, by name: before and after every commit, and on either side of a send.

1. Every place is in `CRASH_POINTS`; a kill test walks the whole tuple.
2. `reach(name)` does nothing, unless the environment variable ITMO_CRASH_AT names that place:
   then the process ends at once, as by `kill -9` (no clean-up, no flush), with status 137.
3. `ITMO_CRASH_AT=name:3` dies at the third time the place is reached.
"""

from __future__ import annotations

import os
from typing import Final

__all__ = ["CRASH_POINTS", "ENVIRONMENT_NAME", "EXIT_STATUS", "TRANSACTIONS", "reach"]

ENVIRONMENT_NAME: Final = "ITMO_CRASH_AT"
EXIT_STATUS: Final = 137

TRANSACTIONS: Final = (
    "outbox.submit",
    "outbox.seal",
    "outbox.receipt",
    "outbox.postpone",
    "outbox.park",
    "outbox.operate",
    "inbox.apply",
    "inbox.refuse",
    "inbox.acknowledge",
    "inbox.confirm",
    "participants.store",
    "alarms.raise",
    "alarms.close",
    "log.pin",
    "log.advance",
    "log.prove",
    "log.find",
    "log.audit",
    "log.cosign",
    "log.resume",
    "registry.command",
    "webhooks.settle",
    "webhooks.postpone",
)
"""Every kind of write transaction, by name."""

CRASH_POINTS: Final = (
    *(f"{name}.{side}_commit" for name in TRANSACTIONS for side in ("before", "after")),
    "outbox.before_send",
    "outbox.after_send",
    "inbox.before_acknowledgement",
    "webhooks.after_send",
)
"""Every named place, in no particular order."""

_KNOWN: Final = frozenset(CRASH_POINTS)
_reached: dict[str, int] = {}


def reach(name: str) -> None:
    """Die here if the environment asks for it; otherwise do nothing."""
    assert name in _KNOWN, f"the crash point {name} is not in the list"
    wanted = os.environ.get(ENVIRONMENT_NAME)
    if wanted is None:
        return
    place, _, count = wanted.partition(":")
    if place != name:
        return
    _reached[name] = _reached.get(name, 0) + 1
    if _reached[name] >= int(count or "1"):
        os._exit(EXIT_STATUS)
