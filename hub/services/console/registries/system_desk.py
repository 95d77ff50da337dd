"""The desk of the hub itself: versions, limits, settings, how log and database stand.

No secret passes here: files of secrets are told of as set or not, webhooks by their hosts alone.
"""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final
from urllib.parse import urlsplit

from hub.checks import rulebook
from hub.protocol.envelopes import PROTOCOL
from hub.protocol.reconciliation_policy import ReconciliationPolicy
from hub.services import log_standing
from hub.services.console.ground import Ground
from hub.services.console.leading import is_led
from hub.store import alerts, log_checkpoints, schema
from hub.store import head as heads
from hub.store.alerts import Alert
from hub.store.console import system_facts
from message_schemas import code_lists

_LARGEST_SHOWN: Final = 8
_ALERTS_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class SystemFacts:
    """What the page shows. ``leads`` is None where it cannot be known from here."""

    hub: str
    international_registry: str
    mechanism_registry: str
    origin: str
    versions: Mapping[str, str]
    schema_revision: str | None
    schema_needed: str
    log_index: int
    checkpoint_size: int | None
    halted: str | None
    alerts: tuple[Alert, ...]
    leads: bool | None
    database: str
    database_version: str
    sizes: tuple[tuple[str, int], ...]
    largest: tuple[tuple[str, int], ...]
    limits: Mapping[str, int]
    policy: Mapping[str, Any]
    retry: Mapping[str, Any]
    reconciliation: Mapping[str, Any]
    retention_days: int | None
    proposal_days: float


class SystemDesk:
    """Looks at the hub this console belongs to."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def shown(self) -> SystemFacts:
        """Return all of it, in one view of the database."""
        ground = self._ground
        database = ground.database
        with database.reading() as connection:
            newest = log_checkpoints.newest(connection)
            return SystemFacts(
                hub=ground.identity.hub,
                international_registry=ground.identity.international_registry,
                mechanism_registry=ground.identity.mechanism_registry,
                origin=ground.origin,
                versions=_versions(),
                schema_revision=schema.revision_of(connection),
                schema_needed=schema.newest_revision(),
                log_index=heads.read(connection).log_index,
                checkpoint_size=None if newest is None else newest.size,
                halted=log_standing.read(connection).halted,
                alerts=tuple(alerts.newest(connection, _ALERTS_SHOWN)),
                leads=is_led(connection, database),
                database="SQLite" if database.is_sqlite else "PostgreSQL",
                database_version=system_facts.version_of(connection, database),
                sizes=tuple(system_facts.size_of(connection, database)),
                largest=tuple(system_facts.largest_tables(connection, database, _LARGEST_SHOWN)),
                limits=ground.limits.document(),
                policy=_members(ground.identity.policy),
                retry=_members(ground.retry),
                reconciliation=_shown(ground.reconciliation),
                retention_days=ground.retention_days,
                proposal_days=ground.proposal_lapse.total_seconds() / 86_400,
            )


def _versions() -> Mapping[str, str]:
    try:
        own = version("itmo-hub")
    except PackageNotFoundError:
        own = "unknown"
    return {
        "software": own,
        "python": platform.python_version(),
        "protocol": PROTOCOL,
        "rulebook": rulebook.CURRENT,
        "code_lists": code_lists.CURRENT,
    }


def _members(values: Any) -> Mapping[str, Any]:
    return {name: getattr(values, name) for name in type(values).__slots__}


def _shown(policy: ReconciliationPolicy) -> Mapping[str, Any]:
    """Return what is decided about nights, without what could be a secret."""
    shown = dict(_members(policy))
    shown["secret"] = policy.secret is not None
    shown["webhooks"] = ", ".join(sorted({urlsplit(one).hostname or "" for one in policy.webhooks}))
    shown["mail"] = "" if policy.mail is None else f"{policy.mail.host}:{policy.mail.port}"
    return shown
