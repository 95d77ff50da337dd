"""Where a process may die, by name: before and after every commit, and on either side of a send.

Every place is in `CRASH_POINTS`; a kill test walks the whole tuple. How a process is asked to die
is told in `hub.protocol.crash_points`.
"""

from __future__ import annotations

import os
from typing import Final

from hub.protocol.crash_points import ENVIRONMENT_NAME, EXIT_STATUS, CrashPoints

__all__ = ["CRASH_POINTS", "ENVIRONMENT_NAME", "EXIT_STATUS", "TRANSACTIONS", "reach"]

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
    "registry.upgrade",
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

reach: Final = CrashPoints(CRASH_POINTS, os.environ.get(ENVIRONMENT_NAME, ""), os._exit).reach
"""Die at a place if the environment asked for it when the process started; or do nothing."""
