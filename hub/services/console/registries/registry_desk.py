"""The desk of registries: all of them at a glance, and one of them in everything.

1. The list is made of four small tables in one view of the database: participants, mailboxes, keys,
   links. Some hundred rows; filtered, searched and sorted here.
2. A registry's page adds what is found by its code alone, each part bounded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from hub.international_registry.accounts import ACCOUNT_TYPES
from hub.services.administration.administration import Administration
from hub.services.administration.deeds import AdministrationError
from hub.services.console.ground import Ground
from hub.services.console.registries import onboarding
from hub.services.console.registries.onboarding import Onboarding
from hub.services.console.registries.registry_keys import KeyShown, ends_first, shown_keys
from hub.services.console.registries.registry_list import (
    CONNECTED,
    RegistryLine,
    RegistryList,
    Wanted,
    in_order,
    is_wanted,
)
from hub.store import mailboxes, reference
from hub.store.console import registry_states
from hub.store.console.registry_states import ActLine, DeliveryLine, Said
from hub.store.mailboxes import Mailbox
from hub.store.reconciliation import links, sessions
from hub.store.reconciliation.links import LinkRow
from hub.store.reconciliation.sessions import SessionRow
from hub.store.reference import ParticipantRow, SuspensionRow
from keys.public_keys import KeyRecord

COMPARED_KIND: Final = "party_registry"
"""The kind of participant whose book is compared with the ledger."""
DELIVERIES_SHOWN: Final = 10
SESSIONS_SHOWN: Final = 8
ACTS_SHOWN: Final = 8
_STEPS_BACK_MAX: Final = 60
"""How many entries of its own a registry's page follows back in search of what it said."""
_ROUNDS_MAX: Final = 12
"""How many the list follows back, for all at once."""


@dataclass(frozen=True, slots=True)
class Positions:
    """Where a recipient's sequence stands, and the same as parts of a thousand to draw it."""

    last: int
    stored: int
    acknowledged: int
    resend_from: int | None
    resend_to: int | None

    @property
    def waiting(self) -> int:
        """How many items the recipient has not acknowledged."""
        return self.last - self.acknowledged

    def bar(self) -> list[tuple[str, int, int]]:
        """Return (part, begin, width) of a bar 1000 wide: acknowledged, sent, unsent, resend.

        The bar is of what is near the end: all that waits, and as much before it, so that a short
        queue behind a million items is seen.
        """
        first = max(0, self.acknowledged - max(self.waiting, 20))
        whole = self.last - first
        if whole == 0:
            return []

        def part(name: str, begin: int, end: int) -> tuple[str, int, int]:
            left, right = (
                1000 * (min(max(one, first), self.last) - first) // whole for one in (begin, end)
            )
            return name, left, right - left

        parts = [
            part("acknowledged", first, self.acknowledged),
            part("stored", self.acknowledged, max(self.stored, self.acknowledged)),
            part("unsent", max(self.stored, self.acknowledged), self.last),
        ]
        if self.resend_from is not None and self.resend_to is not None:
            parts.append(part("resend", self.resend_from - 1, self.resend_to))
        return [one for one in parts if one[2] > 0]


@dataclass(frozen=True, slots=True)
class AccountLine:
    """An account of the international registry, and what its type is called."""

    account_id: str
    type: int
    type_label: str
    entity: str | None
    cooperative_approach: str | None
    metric: str
    status: str


@dataclass(frozen=True, slots=True)
class AccountPage:
    """Some accounts of a Party, and the id behind which the next page begins."""

    party: str
    registry: str
    accounts: tuple[AccountLine, ...]
    next_after: str | None


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Some deliveries, newest first, and the item before which the next page ends."""

    deliveries: tuple[DeliveryLine, ...]
    next_before: int | None


@dataclass(frozen=True, slots=True)
class RegistryPage:
    """All that is shown of one participant."""

    line: RegistryLine
    row: ParticipantRow
    positions: Positions
    last_error: str | None
    keys: tuple[KeyShown, ...]
    suspensions: tuple[SuspensionRow, ...]
    deliveries: DeliveryPage
    last_said: Said | None
    hello: onboarding.Hello | None
    link: LinkRow | None
    sessions: tuple[tuple[SessionRow, str], ...]
    accounts: AccountPage
    acts: tuple[ActLine, ...]
    onboarding: Onboarding | None

    @property
    def is_central(self) -> bool:
        """Tell whether it is the hub or the international registry, which nobody connects."""
        return self.row.kind in ("hub", "international_registry")


class RegistryDesk:
    """Looks at participants; each method is one view of the database."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def listed(self, wanted: Wanted) -> RegistryList:
        """Return the participants that are wanted, in the order asked for."""
        now = self._ground.clock()
        with self._ground.database.reading() as connection:
            lines = self._lines(connection, now)
        states: dict[str, int] = {}
        for line in lines:
            states[line.state] = states.get(line.state, 0) + 1
        found = [line for line in lines if is_wanted(line, wanted, now)]
        return RegistryList(tuple(in_order(found, wanted)), len(lines), states)

    def page(self, code: str) -> RegistryPage | None:
        """Return everything about one participant, or None if there is no such one."""
        now = self._ground.clock()
        with self._ground.database.reading() as connection:
            rows = {row.code: row for row in reference.participants(connection)}
            if code not in rows:
                return None
            row, box = rows[code], mailboxes.load(connection, [code])[code]
            records = [one for one in reference.key_records(connection) if one.participant == code]
            link = links.load(connection, code)
            stops = reference.suspensions(connection)
            said = registry_states.last_said(connection, code, _STEPS_BACK_MAX)
            heard = registry_states.last_heard(connection, [code], 1)
            newest = said[0] if said else heard.get(code)
            known = {} if newest is None else {code: newest}
            (line,) = self._made([row], [box], records, [link], stops, known, connection, now)
            key_ids = () if newest is None else newest.key_ids
            joined = onboarding.of(connection, row, records, link, newest, now)
            if joined is not None and joined.first is not None:
                said.append(joined.first)
            return RegistryPage(
                line=line,
                row=row,
                positions=_positions(box),
                last_error=box.last_error,
                keys=shown_keys(records, now, key_ids),
                suspensions=tuple(one for one in stops if _touches(one, code)),
                deliveries=_deliveries(connection, code, None, DELIVERIES_SHOWN),
                last_said=newest,
                hello=onboarding.newest_hello(connection, said),
                link=link,
                sessions=tuple(
                    (one, sessions.result_of(one))
                    for one in sessions.newest(connection, SESSIONS_SHOWN, registry=code)
                ),
                accounts=self._accounts(connection, row.party, "", 10),
                acts=tuple(registry_states.acts_about(connection, code, ACTS_SHOWN)),
                onboarding=joined,
            )

    def deliveries(self, code: str, before: int | None, limit: int) -> DeliveryPage | None:
        """Return a page of deliveries to a participant, or None if there is no such one."""
        with self._ground.database.reading() as connection:
            if not mailboxes.load(connection, [code]):
                return None
            return _deliveries(connection, code, before, limit)

    def accounts(self, code: str, after: str, limit: int) -> AccountPage | None:
        """Return a page of the accounts of a registry's Party, or None without such a registry."""
        with self._ground.database.reading() as connection:
            row = _row(connection, code)
            return None if row is None else self._accounts(connection, row.party, after, limit)

    def row(self, code: str) -> ParticipantRow | None:
        """Return a participant as it is registered, or None."""
        with self._ground.database.reading() as connection:
            return _row(connection, code)

    def mode(self, code: str) -> str:
        """Return how a registry is compared."""
        with self._ground.database.reading() as connection:
            return links.mode_of(links.load(connection, code))

    def choices(self) -> list[tuple[str, str]]:
        """Return the code and name of every participant, by code."""
        with self._ground.database.reading() as connection:
            return [(row.code, row.name) for row in reference.participants(connection)]

    def key(self, key_id: str) -> KeyShown | None:
        """Return a registered key, or None."""
        now = self._ground.clock()
        with self._ground.database.reading() as connection:
            found = [one for one in reference.key_records(connection) if one.key_id == key_id]
        return shown_keys(found, now, ())[0] if found else None

    def active_count(self) -> int:
        """Return how many registries are told of what concerns all."""
        with self._ground.database.reading() as connection:
            rows = reference.participants(connection)
        return sum(row.state == "active" and row.kind in CONNECTED for row in rows)

    def try_now(self, code: str) -> None:
        """End a recipient's back-off. Raises AdministrationError if there is no such one."""
        ground = self._ground
        Administration(ground.database, ground.identity, ground.limits).try_now(code)

    def _lines(self, connection: Connection, now: datetime) -> list[RegistryLine]:
        rows = reference.participants(connection)
        return self._made(
            rows,
            mailboxes.load_all(connection),
            reference.key_records(connection),
            links.load_all(connection),
            reference.suspensions(connection),
            registry_states.last_heard(connection, [row.code for row in rows], _ROUNDS_MAX),
            connection,
            now,
        )

    def _made(
        self,
        rows: Sequence[ParticipantRow],
        boxes: Sequence[Mailbox],
        records: Sequence[KeyRecord],
        all_links: Sequence[LinkRow | None],
        stops: Sequence[SuspensionRow],
        heard: Mapping[str, Said],
        connection: Connection,
        now: datetime,
    ) -> list[RegistryLine]:
        """Return the lines of ``rows``, from what else was read."""
        by_recipient = {box.recipient: box for box in boxes}
        by_registry = {link.registry: link for link in all_links if link is not None}
        keys: dict[str, list[KeyRecord]] = {}
        for record in records:
            keys.setdefault(record.participant, []).append(record)
        suspended = {one.subject for one in stops if one.level == "participant"}
        oldest = registry_states.oldest_waiting(connection)
        cases = registry_states.open_case_counts(
            connection, rows[0].code if len(rows) == 1 else None
        )
        retry, lines = self._ground.retry, []
        for row in rows:
            box, link = by_recipient[row.code], by_registry.get(row.code)
            circuit = retry.circuit(box.failure_count, box.next_attempt_at, now)
            lines.append(
                RegistryLine(
                    code=row.code,
                    party=row.party,
                    kind=row.kind,
                    name=row.name,
                    state=row.state,
                    is_suspended=row.state == "suspended" or row.code in suspended,
                    heard_at=_latest(row, heard.get(row.code)),
                    binding=row.binding,
                    delivery_mode=row.delivery_mode,
                    queue=box.last_sequence - box.acknowledged_sequence,
                    oldest_at=oldest.get(row.code),
                    failure_count=box.failure_count,
                    next_attempt_at=box.next_attempt_at,
                    circuit=str(circuit),
                    key_end=ends_first(keys.get(row.code, []), now),
                    mode=links.mode_of(link) if row.kind == COMPARED_KIND else None,
                    agreed_to=None if link is None else link.agreed_to,
                    agreed_at=None if link is None else link.agreed_at,
                    open_cases=cases.get(row.code, 0),
                )
            )
        return lines

    def _accounts(self, connection: Connection, party: str, after: str, limit: int) -> AccountPage:
        registry = self._ground.identity.international_registry
        found = reference.accounts_of(connection, registry, party, after, limit + 1)
        shown = found[:limit]
        return AccountPage(
            party,
            registry,
            tuple(
                AccountLine(
                    one.account_id,
                    one.type,
                    ACCOUNT_TYPES[one.type].label if one.type in ACCOUNT_TYPES else "",
                    one.entity,
                    one.cooperative_approach,
                    one.metric,
                    str(one.status),
                )
                for one in shown
            ),
            shown[-1].account_id if len(found) > limit else None,
        )


def require(row: ParticipantRow | None, code: str) -> ParticipantRow:
    """Return a participant's row. Raises AdministrationError if there is none."""
    if row is None:
        raise AdministrationError(f"{code[:20]} is not a participant")
    return row


def _row(connection: Connection, code: str) -> ParticipantRow | None:
    return next((row for row in reference.participants(connection) if row.code == code), None)


def _latest(row: ParticipantRow, said: Said | None) -> datetime | None:
    """Return when a participant was last heard from."""
    known = [at for at in (row.last_seen_at, None if said is None else said.at) if at is not None]
    return max(known, default=None)


def _positions(box: Mailbox) -> Positions:
    return Positions(
        last=box.last_sequence,
        stored=box.stored_sequence,
        acknowledged=box.acknowledged_sequence,
        resend_from=box.resend_from,
        resend_to=box.resend_to,
    )


def _deliveries(connection: Connection, code: str, before: int | None, limit: int) -> DeliveryPage:
    found = registry_states.deliveries(connection, code, before, limit + 1)
    shown = tuple(found[:limit])
    return DeliveryPage(shown, shown[-1].first_sequence if len(found) > limit else None)


def _touches(stop: SuspensionRow, code: str) -> bool:
    """Tell whether a suspension stops something of a participant by its code."""
    match stop.level:
        case "hub":
            return True
        case "participant" | "pair":
            return code in stop.subject.split("/")
        case _:
            return False
