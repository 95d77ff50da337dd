"""Reference data: participants and their keys, accounts, suspensions, versioned records, issuances.

All of it is small. The services keep it in memory and load it again when the head's version moved.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, insert, select, update

from hub.international_registry.accounts import Account
from hub.international_registry.authorizations import AuthorizationUsage
from hub.store.many_rows import Insert, Update
from hub.store.pairs import PairLookup
from hub.store.parts import in_parts
from hub.store.tables import (
    account,
    authorization_usage,
    issuance,
    participant,
    participant_key,
    record,
    suspension,
)
from keys.algorithms import Algorithm
from keys.public_keys import KeyRecord


@dataclass(frozen=True, slots=True)
class ParticipantRow:
    """A participant as the hub knows it. ``suites`` are the signature suites it must use."""

    code: str
    party: str
    kind: str
    name: str
    state: str
    delivery_mode: str
    endpoint: str | None
    binding: str
    suites: tuple[str, ...]
    added_at: datetime
    last_seen_at: datetime | None


def participants(connection: Connection) -> list[ParticipantRow]:
    """Return all participants, by code."""
    rows = connection.execute(
        select(
            participant.c.code,
            participant.c.party,
            participant.c.kind,
            participant.c.name,
            participant.c.state,
            participant.c.delivery_mode,
            participant.c.endpoint,
            participant.c.binding,
            participant.c.suites,
            participant.c.added_at,
            participant.c.last_seen_at,
        ).order_by(participant.c.code)
    )
    return [ParticipantRow(*row[:8], tuple(row[8].split()), *row[9:]) for row in rows]


def add_participant(connection: Connection, row: ParticipantRow) -> None:
    """Insert a participant."""
    connection.execute(
        insert(participant).values(
            code=row.code,
            party=row.party,
            kind=row.kind,
            name=row.name,
            state=row.state,
            delivery_mode=row.delivery_mode,
            endpoint=row.endpoint,
            binding=row.binding,
            suites=" ".join(row.suites),
            added_at=row.added_at,
        )
    )


def set_participant_state(connection: Connection, code: str, state: str) -> None:
    """Write a participant's state."""
    connection.execute(update(participant).where(participant.c.code == code).values(state=state))


def set_delivery(connection: Connection, code: str, *, mode: str, endpoint: str | None) -> None:
    """Write how a participant receives its deliveries."""
    connection.execute(
        update(participant)
        .where(participant.c.code == code)
        .values(delivery_mode=mode, endpoint=endpoint)
    )


def set_binding(connection: Connection, code: str, binding: str) -> None:
    """Write in which binding a participant receives its deliveries."""
    connection.execute(
        update(participant).where(participant.c.code == code).values(binding=binding)
    )


def bindings(connection: Connection, codes: Collection[str]) -> dict[str, str]:
    """Return in which binding participants receive their deliveries, by code."""
    rows = connection.execute(_BINDINGS, {"codes": sorted(codes)})
    return {row[0]: row[1] for row in rows}


def note_seen(connection: Connection, codes: Collection[str], at: datetime) -> None:
    """Note that these participants were heard from."""
    connection.execute(
        update(participant).where(participant.c.code.in_(sorted(codes))).values(last_seen_at=at)
    )


def key_records(connection: Connection) -> list[KeyRecord]:
    """Return every key ever registered, by participant and start."""
    rows = connection.execute(
        select(
            participant_key.c.key_id,
            participant_key.c.participant,
            participant_key.c.algorithm,
            participant_key.c.public_key,
            participant_key.c.valid_from,
            participant_key.c.valid_until,
            participant_key.c.revoked_at,
        ).order_by(participant_key.c.participant, participant_key.c.valid_from)
    )
    return [
        KeyRecord(
            participant=row[1],
            key_id=row[0],
            algorithm=Algorithm(row[2]),
            public_key_der=bytes(row[3]),
            valid_from=row[4],
            valid_until=row[5],
            revoked_at=row[6],
        )
        for row in rows
    ]


def add_key(connection: Connection, row: KeyRecord) -> None:
    """Insert a key."""
    connection.execute(
        insert(participant_key).values(
            key_id=row.key_id,
            participant=row.participant,
            algorithm=row.algorithm.value,
            public_key=row.public_key_der,
            valid_from=row.valid_from,
            valid_until=row.valid_until,
            revoked_at=row.revoked_at,
        )
    )


def end_key(connection: Connection, key_id: str, valid_until: datetime) -> None:
    """Give a key its end (rotation)."""
    connection.execute(
        update(participant_key)
        .where(participant_key.c.key_id == key_id)
        .values(valid_until=valid_until)
    )


def revoke_key(connection: Connection, key_id: str, at: datetime) -> None:
    """Revoke a key from ``at`` on; what it signed before stays valid."""
    connection.execute(
        update(participant_key)
        .where(participant_key.c.key_id == key_id, participant_key.c.revoked_at.is_(None))
        .values(revoked_at=at)
    )


_ACCOUNTS: Final = select(
    account.c.account_id,
    account.c.registry,
    account.c.type,
    account.c.party,
    account.c.entity,
    account.c.cooperative_approach,
    account.c.metric,
    account.c.status,
)


def accounts(connection: Connection) -> list[Account]:
    """Return the accounts of the international registry, by registry and id."""
    ordered = _ACCOUNTS.order_by(account.c.registry, account.c.account_id)
    return [Account(**row) for row in connection.execute(ordered).mappings()]


def accounts_of(
    connection: Connection, registry: str, party: str, after: str, limit: int
) -> list[Account]:
    """Return a Party's accounts at a registry behind the id ``after``, by id."""
    found = (
        _ACCOUNTS.where(
            account.c.registry == registry,
            account.c.party == party,
            account.c.account_id > after,
        )
        .order_by(account.c.account_id)
        .limit(limit)
    )
    return [Account(**row) for row in connection.execute(found).mappings()]


def add_account(connection: Connection, row: Account, opened_at: datetime) -> None:
    """Insert an account."""
    connection.execute(
        insert(account).values(
            account_id=row.account_id,
            registry=row.registry,
            type=int(row.type),
            party=row.party,
            entity=row.entity,
            cooperative_approach=row.cooperative_approach,
            metric=row.metric,
            status=row.status,
            opened_at=opened_at,
        )
    )


def set_account_status(connection: Connection, registry: str, account_id: str, status: str) -> bool:
    """Write an account's status; return whether the account exists."""
    result = connection.execute(
        update(account)
        .where(account.c.registry == registry, account.c.account_id == account_id)
        .values(status=status)
    )
    return result.rowcount == 1


@dataclass(frozen=True, slots=True)
class SuspensionRow:
    """A suspension in force or lifted."""

    level: str
    subject: str
    placed_at: datetime
    reason: str
    lifted_at: datetime | None


def suspensions(connection: Connection, *, open_only: bool = True) -> list[SuspensionRow]:
    """Return suspensions, by level and subject."""
    query = select(
        suspension.c.level,
        suspension.c.subject,
        suspension.c.placed_at,
        suspension.c.reason,
        suspension.c.lifted_at,
    ).order_by(suspension.c.level, suspension.c.subject, suspension.c.placed_at)
    if open_only:
        query = query.where(suspension.c.lifted_at.is_(None))
    return [SuspensionRow(*row) for row in connection.execute(query)]


def place_suspension(connection: Connection, row: SuspensionRow) -> None:
    """Insert a suspension."""
    connection.execute(
        insert(suspension).values(
            level=row.level, subject=row.subject, placed_at=row.placed_at, reason=row.reason
        )
    )


def lift_suspension(connection: Connection, level: str, subject: str, at: datetime) -> int:
    """Lift the open suspensions of a subject; return how many there were."""
    result = connection.execute(
        update(suspension)
        .where(
            suspension.c.level == level,
            suspension.c.subject == subject,
            suspension.c.lifted_at.is_(None),
        )
        .values(lifted_at=at)
    )
    return result.rowcount


@dataclass(frozen=True, slots=True)
class RecordRow:
    """One version of a cooperative approach, an authorization or an authorized entity."""

    kind: str
    owner: str
    record_id: str
    version: int
    body: str
    log_index: int


def records(connection: Connection) -> list[RecordRow]:
    """Return all versions of all records, oldest version first."""
    rows = connection.execute(
        select(
            record.c.kind,
            record.c.owner,
            record.c.record_id,
            record.c.version,
            record.c.body,
            record.c.log_index,
        ).order_by(record.c.kind, record.c.owner, record.c.record_id, record.c.version)
    )
    return [RecordRow(*row) for row in rows]


def add_record(connection: Connection, row: RecordRow) -> None:
    """Insert one version of a record."""
    connection.execute(
        insert(record).values(
            kind=row.kind,
            owner=row.owner,
            record_id=row.record_id,
            version=row.version,
            body=row.body,
            log_index=row.log_index,
        )
    )


@dataclass(frozen=True, slots=True)
class IssuanceRow:
    """An issuance announced by the mechanism registry, what left it, what was authorized later."""

    issuance_id: str
    body: str
    log_index: int
    sop_done: int
    omge_done: int
    forwarded: int
    authorized_later: int = 0
    sop_later: int = 0
    omge_later: int = 0


_BINDINGS = select(participant.c.code, participant.c.binding).where(
    participant.c.code.in_(bindparam("codes", expanding=True))
)
_ISSUANCES = select(
    issuance.c.issuance_id,
    issuance.c.body,
    issuance.c.log_index,
    issuance.c.sop_done,
    issuance.c.omge_done,
    issuance.c.forwarded,
    issuance.c.authorized_later,
    issuance.c.sop_later,
    issuance.c.omge_later,
).where(issuance.c.issuance_id.in_(bindparam("ids", expanding=True)))


def issuances(connection: Connection, ids: Collection[str]) -> dict[str, IssuanceRow]:
    """Return those issuances among ``ids`` that were announced."""
    return {
        row[0]: IssuanceRow(*row)
        for part in in_parts(ids)
        for row in connection.execute(_ISSUANCES, {"ids": part})
    }


def add_issuance(connection: Connection, row: IssuanceRow) -> None:
    """Insert an announced issuance."""
    connection.execute(insert(issuance).values(**asdict(row)))


def update_issuance(connection: Connection, row: IssuanceRow) -> None:
    """Write how much of an issuance left it, by kind, and was authorized later."""
    counts = asdict(row)
    for name in ("issuance_id", "body", "log_index"):
        del counts[name]  # the notice stays as it was recorded
    changed = update(issuance).where(issuance.c.issuance_id == row.issuance_id)
    connection.execute(changed.values(**counts))


_USAGES = PairLookup(
    (
        authorization_usage.c.party,
        authorization_usage.c.authorization_id,
        authorization_usage.c.first_transferred,
        authorization_usage.c.reserved,
    ),
    authorization_usage.c.party,
    authorization_usage.c.authorization_id,
)
_USAGE_KEY = ("party", "authorization_id")
_ADD_USAGES = Insert(authorization_usage, (*_USAGE_KEY, "first_transferred", "reserved"))
_SET_USAGES = Update(authorization_usage, _USAGE_KEY, ("first_transferred", "reserved"))


def usages(
    connection: Connection, keys: Collection[tuple[str, str]]
) -> dict[tuple[str, str], AuthorizationUsage]:
    """Return the units first transferred and reserved under (Party, authorization id) pairs."""
    return {
        (row[0], row[1]): AuthorizationUsage(first_transferred=row[2], reserved=row[3])
        for row in _USAGES.rows(connection, keys)
    }


def write_usages(
    connection: Connection,
    usages: Mapping[tuple[str, str], AuthorizationUsage],
    known: Collection[tuple[str, str]],
) -> None:
    """Write the usage of authorizations; those in ``known`` have a row already."""
    rows = {
        key: {
            "party": key[0],
            "authorization_id": key[1],
            "first_transferred": usage.first_transferred,
            "reserved": usage.reserved,
        }
        for key, usage in sorted(usages.items())
    }
    changed = [row for key, row in rows.items() if key in known]
    added = [row for key, row in rows.items() if key not in known]
    if changed:
        _SET_USAGES.run(connection, changed)
    if added:
        _ADD_USAGES.run(connection, added)
