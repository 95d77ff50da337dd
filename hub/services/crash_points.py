"""Where a hub process may die, by name: on either side of every commit and of every send.

Every place is in `CRASH_POINTS`; the kill tests walk its two parts. How a process is asked to die
is told in ``hub.protocol.crash_points``.
"""

import os
from typing import Final

from hub.protocol.crash_points import ENVIRONMENT_NAME, CrashPoints

EXCHANGE_POINTS: Final = (
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
"""The places of the exchange, in the order in which an envelope meets them."""

RECONCILIATION_POINTS: Final = (
    "night.before_commit",
    "night.after_commit",
    "cut.before_commit",
    "cut.after_commit",
    "question.before_commit",
    "question.after_commit",
    "result.before_commit",
    "result.after_commit",
    "night_end.before_commit",
    "night_end.after_commit",
)
"""Those of a comparison with registries, in the order in which a night meets them."""

CRASH_POINTS: Final = (*EXCHANGE_POINTS, *RECONCILIATION_POINTS)
"""Every named place."""

reach: Final = CrashPoints(CRASH_POINTS, os.environ.get(ENVIRONMENT_NAME, ""), os._exit).reach
"""Die at a place if the environment asked for it when the process started; or do nothing."""
