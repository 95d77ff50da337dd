"""What every desk of the console stands on: the database, the hub's identity, limits and clock.

A desk is a class made with a ``Ground``. Its methods block, open the database themselves and return
plain values; pages call them in the console's threads.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.protocol.console_policy import ConsolePolicy
from hub.protocol.limits import Limits
from hub.protocol.reconciliation_policy import ReconciliationPolicy
from hub.protocol.retry_schedule import RetrySchedule
from hub.services.collect_cosignatures import Policies
from hub.services.load_facts import HubIdentity
from hub.store.database import Database, DatabaseUnavailableError

__all__ = ["DatabaseUnavailableError", "Ground"]


@dataclass(frozen=True, slots=True)
class Ground:
    """What desks need of the hub. ``origin`` is the log's name, ``policies`` its witnesses'.

    ``proposal_lapse`` is how long an act waits for a second person; ``retention_days`` how long
    bodies are kept, None for ever.
    """

    database: Database
    identity: HubIdentity
    limits: Limits
    reconciliation: ReconciliationPolicy
    retry: RetrySchedule
    console: ConsolePolicy
    origin: str
    policies: Policies
    clock: Callable[[], datetime]
    proposal_lapse: timedelta
    retention_days: int | None = None
