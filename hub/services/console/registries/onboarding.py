"""How far a registry has come in joining: what the hub itself has seen of it, and what comes next.

Nothing about joining is written down anywhere. Each step is a fact of the database: keys that are
registered, the first envelope, the first acknowledgement, the first comparison that agreed. The
commands are those of docs/joining.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from hub.protocol.envelopes import stored_messages
from hub.services.console.registries.registry_list import CONNECTED
from hub.store import head as heads
from hub.store.console import registry_states
from hub.store.console.registry_states import ActLine, DeliveryLine, Said
from hub.store.reconciliation.links import LinkRow
from hub.store.reference import ParticipantRow
from keys.public_keys import KeyRecord

_LOOKED_THROUGH_MAX: Final = 50_000
"""How many entries after its registration are looked through for a registry's first word."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What a registry said of itself at its last known hello; all of it is its own text."""

    log_index: int
    at: datetime
    software: str
    protocol_versions: tuple[str, ...]
    binding: str
    code_lists: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of joining: its name, whether it is done, since when, and by which entry.

    ``command`` is what the registry's engineer or the hub's operator runs for it (``by`` says who),
    ``section`` the place of docs/joining.md.
    """

    name: str
    is_done: bool
    at: datetime | None
    log_index: int | None
    by: str
    command: str
    section: str


@dataclass(frozen=True, slots=True)
class Onboarding:
    """The steps in order, and the registry's first envelope if it was found."""

    steps: tuple[Step, ...]
    first: Said | None

    @property
    def next(self) -> Step | None:
        """The first step that is open, None when all are done."""
        return next((one for one in self.steps if not one.is_done), None)

    @property
    def done_count(self) -> int:
        """How many steps are done."""
        return sum(one.is_done for one in self.steps)


def newest_hello(connection: Connection, said: Sequence[Said]) -> Hello | None:
    """Return the newest hello among envelopes of one participant, if there is one."""
    bodies = registry_states.small_bodies(connection, [one.log_index for one in said])
    for one in said:
        if one.log_index not in bodies:
            continue
        for opened in stored_messages(bodies[one.log_index]):
            if opened.message.type != "participant.hello" or opened.body is None:
                continue
            body: Any = opened.body
            return Hello(
                log_index=one.log_index,
                at=one.at,
                software=body.software,
                protocol_versions=tuple(body.protocol_versions),
                binding=body.binding,
                code_lists=body.code_lists,
            )
    return None


def of(
    connection: Connection,
    row: ParticipantRow,
    records: Sequence[KeyRecord],
    link: LinkRow | None,
    last_said: Said | None,
    now: datetime,
) -> Onboarding | None:
    """Return how far a registry has come; None for who is not connected by joining.

    ``last_said`` is the newest envelope known of it: if the first one is not found near its
    registration, the step is done by that one.
    """
    if row.kind not in CONNECTED:
        return None
    code = row.code
    added = registry_states.act_of(connection, code, "participant.add")
    activated = registry_states.act_of(connection, code, "participant.activate")
    acknowledged = registry_states.first_acknowledged(connection, code)
    first = None
    if last_said is not None and added is not None:
        first = _first_heard(connection, code, added, acknowledged)
    heard = first or last_said
    return Onboarding(
        (
            _registered(row, added),
            _keys(code, records, now),
            Step(
                "heard",
                heard is not None,
                None if heard is None else heard.at,
                None if heard is None else heard.log_index,
                "registry",
                "itmo-hub registry serve",
                "5",
            ),
            _active(row, activated),
            _acknowledged(acknowledged),
            *([_agreed(link)] if row.kind == "party_registry" else []),
        ),
        first,
    )


def _registered(row: ParticipantRow, added: ActLine | None) -> Step:
    code = row.code
    return Step(
        "registered",
        True,
        row.added_at,
        None if added is None else added.log_index,
        "operator",
        f"itmo-hub participant add {code} --key {code}-0123456789abcdef.proof.jws",
        "3",
    )


def _keys(code: str, records: Sequence[KeyRecord], now: datetime) -> Step:
    is_done = any(one.is_valid_at(now) for one in records)
    return Step(
        "keys",
        is_done,
        min((one.valid_from for one in records), default=None) if is_done else None,
        None,
        "registry",
        f"itmo-hub keys generate --participant {code} --out registry "
        f"--passphrase-env {code}_PASSPHRASE",
        "2",
    )


def _active(row: ParticipantRow, activated: ActLine | None) -> Step:
    is_active = row.state == "active"
    began = row.added_at if is_active else None
    return Step(
        "active",
        is_active or activated is not None,
        began if activated is None else activated.at,
        None if activated is None else activated.log_index,
        "operator",
        f"itmo-hub participant activate {row.code}",
        "3",
    )


def _acknowledged(first: DeliveryLine | None) -> Step:
    return Step(
        "acknowledged",
        first is not None,
        None if first is None else first.acknowledged_at,
        None if first is None else first.acknowledged_log_index,
        "registry",
        "itmo-hub registry alarms",
        "5",
    )


def _agreed(link: LinkRow | None) -> Step:
    agreed_at = None if link is None else link.agreed_at
    return Step(
        "agreed",
        agreed_at is not None,
        agreed_at,
        None,
        "registry",
        "itmo-hub registry reconciliation status",
        "8",
    )


def _first_heard(
    connection: Connection, code: str, added: ActLine, acknowledged: DeliveryLine | None
) -> Said | None:
    """Return a registry's first envelope, if it is found near its registration."""
    newest = heads.read(connection).log_index
    up_to = min(newest, added.log_index + _LOOKED_THROUGH_MAX)
    if acknowledged is not None and acknowledged.acknowledged_log_index is not None:
        up_to = min(up_to, acknowledged.acknowledged_log_index)
    return registry_states.first_said(connection, code, added.log_index, up_to)
