"""When registries are compared with the ledger, how long they may take, and who is told.

All of it are settings of the hub (``reconciliation`` in the TOML file). Times of day are UTC, files
are named by their paths.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class MailPolicy:
    """The server that takes the hub's e-mail; the password stands in a file of its own."""

    host: str
    sender: str
    recipients: tuple[str, ...]
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password_file: str | None = None


@dataclass(frozen=True, slots=True)
class ReconciliationPolicy:
    """What the operator decides about nights, sessions, cases and alerts.

    ``secret`` names the file that link secrets are derived from; without it nothing is compared by
    digests. A night begins ``at``, registries ``stagger_seconds`` apart, at most
    ``open_sessions_max`` at once; a question is answered within ``answer_seconds`` or the registry
    is silent. After ``movements_between`` movements a registry is compared by day too (0: never).
    Alerts go out for cases of at least ``alert_units_min`` units, to ``webhooks`` and by ``mail``.
    """

    secret: str | None = None
    at: str = "01:30"
    stagger_seconds: float = 1.0
    open_sessions_max: int = 20
    answer_seconds: int = 14_400
    movements_between: int = 10_000
    due_days: int = 5
    report_directory: str | None = None
    webhooks: tuple[str, ...] = ()
    mail: MailPolicy | None = None
    alert_units_min: int = 1
    alert_of_silence: bool = True
