"""Steps in the middle of something: short-lived, bound to a browser's token, used once.

A second factor that is awaited, a passkey's challenge, codes being set up, the way to a provider.
What a step must remember stays here; the browser has a token that says nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from hub.services.people import limits
from hub.services.people.sessions import digest_of, new_token
from hub.store.database import Database
from hub.store.people import flows as store
from hub.store.people.flows import FlowRow

FLOWS_MAX: Final = 20_000
"""Steps that are open at once, in all; what floods the table stops itself."""

FLOWS_OF_PERSON_MAX: Final = 20
"""Of a kind; whoever begins more ends their own oldest, and keeps nobody else from beginning."""


class Kind(StrEnum):
    """What a step is in the middle of."""

    FACTOR = "factor"
    CODES = "codes"
    PASSKEY = "passkey"
    NEW_PASSKEY = "new passkey"
    PROVIDER = "provider"


LASTS: Final[Mapping[Kind, timedelta]] = {
    Kind.FACTOR: timedelta(minutes=5),
    Kind.CODES: timedelta(minutes=15),
    Kind.PASSKEY: timedelta(minutes=5),
    Kind.NEW_PASSKEY: timedelta(minutes=5),
    Kind.PROVIDER: timedelta(minutes=15),
}


class FlowOverError(Exception):
    """A step took too long, was taken already, or never was: begin anew."""


class TooManyFlowsError(Exception):
    """More steps are open than can be; try again in a few minutes."""


@dataclass(frozen=True, slots=True)
class Flow:
    """An open step."""

    kind: Kind
    person_id: str | None
    data: Mapping[str, Any]


class Flows:
    """The open steps of a console. Methods block; they raise DatabaseUnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(
        self, kind: Kind, person_id: str | None, data: Mapping[str, Any], now: datetime
    ) -> str:
        """Open a step and return its token. Raises TooManyFlowsError."""
        token = new_token()
        row = FlowRow(kind.value, person_id, json.dumps(data), now + LASTS[kind])
        with self._database.writing() as connection:
            store.erase_ended(connection, now)
            if person_id is not None:
                store.keep_newest(connection, person_id, kind.value, FLOWS_OF_PERSON_MAX - 1)
            if store.count(connection) >= FLOWS_MAX:
                raise TooManyFlowsError("too many steps are open at this moment")
            store.add(connection, digest_of(token), row)
        return token

    def begin_for_anybody(
        self, kind: Kind, data: Mapping[str, Any], address: str, now: datetime
    ) -> str:
        """Open a step for whoever is at an address. Raises BlockedError, TooManyFlowsError."""
        with self._database.writing() as connection:
            limits.charge(connection, limits.of_start(address), now)
        return self.begin(kind, None, data, now)

    def find(self, token: str, kind: Kind, now: datetime) -> Flow:
        """Return an open step. Raises FlowOverError."""
        with self._database.reading() as connection:
            row = store.find(connection, digest_of(token), kind.value, now)
        if row is None:
            raise FlowOverError(f"the {kind} step is over")
        return Flow(kind, row.person_id, json.loads(row.data))

    def take(self, token: str, kind: Kind, now: datetime) -> Flow:
        """Return an open step and close it; of two at once, one has it. Raises FlowOverError."""
        flow = self.find(token, kind, now)
        with self._database.writing() as connection:
            if not store.take(connection, digest_of(token)):
                raise FlowOverError(f"the {kind} step was taken already")
        return flow
