"""What a registry does with what arrives: two calls, each inside the session's own transaction.

Whatever a handler writes through `transaction.connection` is committed together with the item or
the receipt that caused it, or not at all. It must not commit, wait or talk to the network; it may
submit answers, which become durable in the same commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from connectors.session import outbox
from connectors.session.alarms import AlarmKind, raise_alarm
from connectors.session.database import Work
from connectors.session.deliveries import ArrivedItem
from connectors.session.outbox import SentMessage
from connectors.session.settings import SessionSettings
from message_schemas import timestamps
from message_schemas.envelopes import Outcome

__all__ = ["KnownOutcome", "RegistryHandler", "SilentHandler", "Transaction"]


@dataclass(frozen=True, slots=True)
class KnownOutcome:
    """The hub's final word on one of our messages, and the envelope it travelled in."""

    message: SentMessage
    outcome: Outcome
    envelope_id: str
    envelope_sha256: str
    log_index: int | None

    @property
    def in_effect(self) -> bool:
        """Whether the hub holds the message as recorded, now or from an earlier envelope."""
        return self.outcome.outcome in {"accepted", "duplicate-of"}


class Transaction:
    """The session's open transaction, as a handler sees it."""

    __slots__ = ("_seal", "_settings", "_submitted_to", "_wake", "_work", "connection", "now")

    def __init__(
        self,
        work: Work,
        settings: SessionSettings,
        now: datetime,
        wake: Callable[[], None],
        seal: Callable[[Connection, str], None],
    ) -> None:
        self.connection: Connection = work.connection
        self.now = now
        self._work = work
        self._settings = settings
        self._wake = wake
        self._seal = seal
        self._submitted_to: set[str] = set()

    @property
    def at(self) -> str:
        """The time of the transaction as a TS text."""
        return timestamps.render(self.now)

    @property
    def participant(self) -> str:
        """Our own participant code."""
        return self._settings.participant

    @property
    def hub(self) -> str:
        """The hub's participant code."""
        return self._settings.hub

    def submit(self, recipient: str, messages: Iterable[tuple[str, object, str]]) -> list[str]:
        """Put `(type, body dataclass, reference)` messages into the outbox; return their ids.

        Raises:
            MessageInvalidError: as `outbox.submit`.
        """
        message_ids = outbox.submit(self.connection, self._settings, recipient, messages, self.now)
        if not self._submitted_to:
            self._work.before_commit(self._seal_submitted)
            self._work.after_commit(self._wake)
        self._submitted_to.add(recipient)
        return message_ids

    def _seal_submitted(self) -> None:
        for recipient in sorted(self._submitted_to):
            self._seal(self.connection, recipient)

    def alarm(
        self, kind: AlarmKind, reference: str, detail: str, evidence: bytes | None = None
    ) -> None:
        """Record something that an operator must look at."""
        raise_alarm(self.connection, kind, reference, detail, self.at, evidence)

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call this once the transaction is committed, in the database's thread."""
        self._work.after_commit(callback)


class RegistryHandler(Protocol):
    """The registry behind a session."""

    def item_arrived(self, transaction: Transaction, item: ArrivedItem) -> None:
        """Give an item its effect. Called once for each sequence number, in order."""
        ...

    def outcome_known(self, transaction: Transaction, known: KnownOutcome) -> None:
        """Give the hub's answer to one of our messages its effect. Called once a message."""
        ...


class SilentHandler:
    """A registry that only wants its messages kept: it reads inbox and outbox itself."""

    def item_arrived(self, transaction: Transaction, item: ArrivedItem) -> None:
        """Do nothing beyond what the session does."""

    def outcome_known(self, transaction: Transaction, known: KnownOutcome) -> None:
        """Do nothing beyond what the session does."""
