"""Passkeys: the public keys that people's devices sign in with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from hub.store.people.tables import passkey

PASSKEYS_MAX: Final = 20
"""How many one person may have."""


@dataclass(frozen=True, slots=True)
class PasskeyRow:
    """A passkey. ``public_key`` is COSE, as the device gave it."""

    credential_id: bytes
    person_id: str
    public_key: bytes
    sign_count: int
    name: str
    added_at: datetime
    used_at: datetime | None = None


_ROWS: Final = select(
    passkey.c.credential_id,
    passkey.c.person_id,
    passkey.c.public_key,
    passkey.c.sign_count,
    passkey.c.name,
    passkey.c.added_at,
    passkey.c.used_at,
)


def add(connection: Connection, row: PasskeyRow) -> bool:
    """Insert a passkey; return False if it is registered already."""
    savepoint = connection.begin_nested()
    try:
        connection.execute(
            insert(passkey).values(
                credential_id=row.credential_id,
                person_id=row.person_id,
                public_key=row.public_key,
                sign_count=row.sign_count,
                name=row.name,
                added_at=row.added_at,
                used_at=row.used_at,
            )
        )
    except IntegrityError:
        savepoint.rollback()
        return False
    savepoint.commit()
    return True


def by_credential(connection: Connection, credential_id: bytes) -> PasskeyRow | None:
    """Return the passkey of a credential id."""
    found = _ROWS.where(passkey.c.credential_id == credential_id)
    row = connection.execute(found).one_or_none()
    return None if row is None else PasskeyRow(*row)


def of_person(connection: Connection, person_id: str) -> list[PasskeyRow]:
    """Return a person's passkeys, oldest first."""
    ordered = (
        _ROWS.where(passkey.c.person_id == person_id)
        .order_by(passkey.c.added_at, passkey.c.credential_id)
        .limit(PASSKEYS_MAX)
    )
    return [PasskeyRow(*row) for row in connection.execute(ordered)]


def count(connection: Connection, person_id: str) -> int:
    """Return how many passkeys a person has."""
    return connection.execute(
        select(func.count()).where(passkey.c.person_id == person_id)
    ).scalar_one()


def counts(connection: Connection, person_ids: Sequence[str]) -> dict[str, int]:
    """Return how many passkeys people of a page have; who has none is left out."""
    rows = connection.execute(
        select(passkey.c.person_id, func.count())
        .where(passkey.c.person_id.in_(person_ids))
        .group_by(passkey.c.person_id)
    )
    return {row[0]: row[1] for row in rows}


def note_used(
    connection: Connection, credential_id: bytes, before: int, after: int, at: datetime
) -> bool:
    """Write a use with its new count; False if the count is not ``before`` any more."""
    result = connection.execute(
        update(passkey)
        .where(passkey.c.credential_id == credential_id, passkey.c.sign_count == before)
        .values(sign_count=after, used_at=at)
    )
    return result.rowcount == 1


def remove(connection: Connection, person_id: str, credential_id: bytes) -> bool:
    """Delete a passkey of a person; return whether there was one."""
    result = connection.execute(
        delete(passkey).where(
            passkey.c.person_id == person_id, passkey.c.credential_id == credential_id
        )
    )
    return result.rowcount == 1


def remove_all(connection: Connection, person_id: str) -> None:
    """Delete all passkeys of a person."""
    connection.execute(delete(passkey).where(passkey.c.person_id == person_id))
