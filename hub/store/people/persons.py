"""People of the console: who they are, in which role, and with what they sign in.

A person is never deleted: the log and the cases name them for ever, so a name is given once.
"""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from hub.store.people.tables import person

INVITED: Final = "invited"
ACTIVE: Final = "active"
DISABLED: Final = "disabled"


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person. ``totp_secret`` is sealed; ``invitation_sha256`` is of the token in the link."""

    person_id: str
    name: str
    display_name: str
    role: str
    state: str
    created_at: datetime
    changed_at: datetime
    administrator: str | None = None
    password_hash: str | None = None
    password_changed_at: datetime | None = None
    totp_secret: bytes | None = None
    totp_step: int | None = None
    oidc_issuer: str | None = None
    oidc_subject: str | None = None
    invitation_sha256: bytes | None = None
    invitation_until: datetime | None = None
    offered_key: bytes | None = None
    language: str | None = None
    theme: str | None = None
    signed_in_at: datetime | None = None

    @property
    def is_active(self) -> bool:
        """Tell whether they may sign in."""
        return self.state == ACTIVE


_NAMES: Final = tuple(one.name for one in fields(PersonRow))


def _rows() -> Select[Any]:
    return select(*(person.c[name] for name in _NAMES))


def add(connection: Connection, row: PersonRow) -> bool:
    """Insert a person; return False if the name is or was somebody's."""
    savepoint = connection.begin_nested()
    try:
        connection.execute(insert(person).values({name: getattr(row, name) for name in _NAMES}))
    except IntegrityError:
        savepoint.rollback()
        return False
    savepoint.commit()
    return True


def by_name(connection: Connection, name: str) -> PersonRow | None:
    """Return the person of a name."""
    return _one(connection, _rows().where(person.c.name == name))


def by_id(connection: Connection, person_id: str) -> PersonRow | None:
    """Return the person of an id."""
    return _one(connection, _rows().where(person.c.person_id == person_id))


def by_invitation(connection: Connection, sha256: bytes, now: datetime) -> PersonRow | None:
    """Return who is invited by a token that still counts."""
    return _one(
        connection,
        _rows().where(
            person.c.invitation_sha256 == sha256,
            person.c.invitation_until > now,
            person.c.state == INVITED,
        ),
    )


def by_subject(connection: Connection, issuer: str, subject: str) -> PersonRow | None:
    """Return who is linked to a subject of an OpenID provider."""
    return _one(
        connection,
        _rows().where(person.c.oidc_issuer == issuer, person.c.oidc_subject == subject),
    )


def page(connection: Connection, after: str, limit: int) -> list[PersonRow]:
    """Return up to ``limit`` people by name, from the first name after ``after``."""
    ordered = _rows().where(person.c.name > after).order_by(person.c.name).limit(limit)
    return [PersonRow(*row) for row in connection.execute(ordered)]


def count_active(connection: Connection, role: str) -> int:
    """Return how many people who may sign in have a role."""
    return connection.execute(
        select(func.count()).where(person.c.role == role, person.c.state == ACTIVE)
    ).scalar_one()


def set_role(connection: Connection, person_id: str, role: str, at: datetime) -> None:
    """Give a person another role."""
    _set(connection, person_id, role=role, changed_at=at)


def set_state(connection: Connection, person_id: str, state: str, at: datetime) -> None:
    """Let a person in, or not; a link that was made before counts no more."""
    _set(
        connection,
        person_id,
        state=state,
        invitation_sha256=None,
        invitation_until=None,
        changed_at=at,
    )


def set_administrator(
    connection: Connection, person_id: str, administrator: str | None, at: datetime
) -> None:
    """Write under which administrator's name a person signs acts; the offered key is used up."""
    _set(connection, person_id, administrator=administrator, offered_key=None, changed_at=at)


def set_offered_key(connection: Connection, person_id: str, key: bytes | None) -> None:
    """Keep a public key that waits to be registered."""
    _set(connection, person_id, offered_key=key)


def set_invitation(
    connection: Connection, person_id: str, sha256: bytes, until: datetime, at: datetime
) -> None:
    """Write the one invitation that counts; an earlier one counts no more."""
    _set(connection, person_id, invitation_sha256=sha256, invitation_until=until, changed_at=at)


def accept_invitation(
    connection: Connection,
    sha256: bytes,
    now: datetime,
    *,
    password_hash: str | None = None,
    oidc: tuple[str, str] | None = None,
) -> bool:
    """Use an invitation up, with a password or a provider's subject; False if it does not count.

    Of two at once, one is accepted.
    """
    issuer, subject = oidc or (None, None)
    savepoint = connection.begin_nested()
    try:
        result = connection.execute(
            update(person)
            .where(
                person.c.invitation_sha256 == sha256,
                person.c.invitation_until > now,
                person.c.state == INVITED,
            )
            .values(
                state=ACTIVE,
                password_hash=password_hash,
                password_changed_at=None if password_hash is None else now,
                oidc_issuer=issuer,
                oidc_subject=subject,
                invitation_sha256=None,
                invitation_until=None,
                changed_at=now,
            )
        )
    except IntegrityError:  # the subject is linked to somebody else
        savepoint.rollback()
        return False
    savepoint.commit()
    return result.rowcount == 1


def forget_factors(connection: Connection, person_id: str, at: datetime) -> None:
    """Forget with what a person signs in, but passkeys (``passkeys.remove_all``): invited anew.

    A key that waits to be registered goes too: whoever was signed in may have offered it.
    """
    _set(
        connection,
        person_id,
        state=INVITED,
        password_hash=None,
        password_changed_at=None,
        totp_secret=None,
        totp_step=None,
        oidc_issuer=None,
        oidc_subject=None,
        invitation_sha256=None,
        invitation_until=None,
        offered_key=None,
        changed_at=at,
    )


def set_password(connection: Connection, person_id: str, password_hash: str, at: datetime) -> None:
    """Write a person's new password."""
    _set(connection, person_id, password_hash=password_hash, password_changed_at=at)


def rehash(connection: Connection, person_id: str, before: str, after: str) -> None:
    """Write the same password hashed anew, unless it was changed meanwhile."""
    connection.execute(
        update(person)
        .where(person.c.person_id == person_id, person.c.password_hash == before)
        .values(password_hash=after)
    )


def set_totp(
    connection: Connection, person_id: str, sealed: bytes | None, step: int | None, at: datetime
) -> None:
    """Write the sealed secret of a person's codes, and the time step already used."""
    _set(connection, person_id, totp_secret=sealed, totp_step=step, changed_at=at)


def use_totp_step(connection: Connection, person_id: str, step: int) -> bool:
    """Note that a code of a time step was used; False if it or a later one was used already."""
    result = connection.execute(
        update(person)
        .where(
            person.c.person_id == person_id,
            or_(person.c.totp_step.is_(None), person.c.totp_step < step),
        )
        .values(totp_step=step)
    )
    return result.rowcount == 1


def set_preferences(
    connection: Connection, person_id: str, language: str | None, theme: str | None
) -> None:
    """Write in which language and light a person reads."""
    _set(connection, person_id, language=language, theme=theme)


def note_signed_in(connection: Connection, person_id: str, at: datetime) -> bool:
    """Write when a person signed in last; False if they may not any more."""
    result = connection.execute(
        update(person)
        .where(person.c.person_id == person_id, person.c.state == ACTIVE)
        .values(signed_in_at=at)
    )
    return result.rowcount == 1


def _one(connection: Connection, statement: Select[Any]) -> PersonRow | None:
    row = connection.execute(statement).one_or_none()
    return None if row is None else PersonRow(*row)


def _set(connection: Connection, person_id: str, **values: Any) -> None:
    result = connection.execute(
        update(person).where(person.c.person_id == person_id).values(**values)
    )
    assert result.rowcount == 1, f"there is no person {person_id}"
