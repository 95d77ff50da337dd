"""People: made, invited, given another role, let in no more.

1. ``add``, ``set_role``, ``disable``, ``enable`` and ``reset`` are acts: they take the connection
   of the act's transaction and are called by the deeds ``person.*`` alone.
2. Nothing secret is in an act. So an act makes a person who is invited; the link of the invitation
   is made afterwards, counts once, for a few days, and only for somebody who has no way to sign in.
3. Whoever loses a right loses it at once: a change of role or state ends all their sessions.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection

from hub.services.administration.deeds import AdministrationError, is_line
from hub.services.people.roles import Role
from hub.services.people.sessions import digest_of, new_token
from hub.store.database import Database
from hub.store.people import flows, passkeys
from hub.store.people import persons as store
from hub.store.people import sessions as session_store
from hub.store.people.persons import ACTIVE, DISABLED, INVITED, PersonRow

NAME_CHARACTERS_MAX: Final = 100
INVITATION_FOR: Final = timedelta(days=3)
PAGE_COUNT_MAX: Final = 200
INVITATION_PATH: Final = "/invitation/"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}")


class PersonError(AdministrationError):
    """Something cannot be done with a person; the message says why and what would be right."""


@dataclass(frozen=True, slots=True)
class Person:
    """A person as pages and commands show them: nothing secret."""

    person_id: str
    name: str
    display_name: str
    role: Role
    state: str
    administrator: str | None
    has_password: bool
    has_totp: bool
    passkey_count: int
    oidc_issuer: str | None
    invited_until: datetime | None
    has_offered_key: bool
    language: str | None
    theme: str | None
    created_at: datetime
    changed_at: datetime
    password_changed_at: datetime | None
    signed_in_at: datetime | None


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link that lets its holder choose how a person signs in; shown once, kept nowhere."""

    name: str
    token: str
    until: datetime

    def link(self, url: str) -> str:
        """Return the link under the console's address."""
        return f"{url.rstrip('/')}{INVITATION_PATH}{self.token}"


# --- acts, in the transaction of the act ---------------------------------------------------------


def add(
    connection: Connection, *, name: str, display_name: str, role: Role | str, at: datetime
) -> str:
    """Make a person who is invited; return their id. Raises PersonError."""
    require_name(name)
    require_display_name(display_name)
    row = PersonRow(
        person_id=str(uuid4()),
        name=name,
        display_name=display_name,
        role=role_of(role).value,
        state=INVITED,
        created_at=at,
        changed_at=at,
    )
    if not store.add(connection, row):
        raise PersonError(f"there is or was a person {name}; a name is given once")
    return row.person_id


def set_role(connection: Connection, *, name: str, role: Role | str, at: datetime) -> None:
    """Give a person another role, and end their sessions. Raises PersonError."""
    found, given = _known(connection, name), role_of(role)
    if found.role == given.value:
        raise PersonError(f"{name} is {given} already")
    if found.is_active:
        _require_another_administrator(connection, found)
    store.set_role(connection, found.person_id, given.value, at)
    _shut_out(connection, found.person_id)


def disable(connection: Connection, *, name: str, at: datetime) -> None:
    """Let a person in no more, and end their sessions. Raises PersonError."""
    found = _known(connection, name)
    if found.state == DISABLED:
        raise PersonError(f"{name} is disabled already")
    if found.is_active:
        _require_another_administrator(connection, found)
    store.set_state(connection, found.person_id, DISABLED, at)
    _shut_out(connection, found.person_id)


def enable(connection: Connection, *, name: str, at: datetime) -> None:
    """Let a disabled person in again, with what they had. Raises PersonError."""
    found = _known(connection, name)
    if found.state != DISABLED:
        raise PersonError(f"{name} is {found.state}, not disabled")
    can_sign_in = found.password_hash is not None or found.oidc_subject is not None
    store.set_state(connection, found.person_id, ACTIVE if can_sign_in else INVITED, at)


def reset(connection: Connection, *, name: str, at: datetime) -> None:
    """Forget how a person signs in, and end their sessions; they are invited anew.

    Raises PersonError.
    """
    found = _known(connection, name)
    if found.state == DISABLED:
        raise PersonError(f"{name} is disabled: enable them first")
    store.forget_factors(connection, found.person_id, at)
    passkeys.remove_all(connection, found.person_id)
    _shut_out(connection, found.person_id)


def link_administrator(
    connection: Connection, *, name: str, administrator: str | None, at: datetime
) -> None:
    """Write under which administrator's name a person's browser signs acts. Raises PersonError."""
    found = _known(connection, name)
    store.set_administrator(connection, found.person_id, administrator, at)


# --- what is no act ------------------------------------------------------------------------------


class Persons:
    """Looks at people and invites them. Methods block; they raise DatabaseUnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, after: str = "", limit: int = PAGE_COUNT_MAX) -> list[Person]:
        """Return people by name, from the first name after ``after``."""
        with self._database.reading() as connection:
            rows = store.page(connection, after, min(limit, PAGE_COUNT_MAX))
            counts = passkeys.counts(connection, [row.person_id for row in rows])
        return [_shown(row, counts.get(row.person_id, 0)) for row in rows]

    def find(self, name: str) -> Person:
        """Return a person by name. Raises PersonError."""
        with self._database.reading() as connection:
            row = _known(connection, name)
            return _shown(row, passkeys.count(connection, row.person_id))

    def by_id(self, person_id: str) -> Person:
        """Return a person by id. Raises PersonError."""
        with self._database.reading() as connection:
            row = store.by_id(connection, person_id)
            if row is None:
                raise PersonError("there is no such person")
            return _shown(row, passkeys.count(connection, row.person_id))

    def invite(self, name: str, now: datetime) -> Invitation:
        """Make the link for somebody who cannot sign in yet; an earlier link counts no more.

        Raises PersonError.
        """
        token = new_token()
        until = now + INVITATION_FOR
        with self._database.writing() as connection:
            found = _known(connection, name)
            if found.state != INVITED:
                raise PersonError(
                    f"{name} is {found.state}; only who has no way to sign in is invited. Reset "
                    "them first, if they lost theirs"
                )
            store.set_invitation(connection, found.person_id, digest_of(token), until, now)
        return Invitation(name, token, until)


def require_name(name: str) -> None:
    """Raise PersonError for what cannot be typed to sign in."""
    if not _NAME.fullmatch(name):
        raise PersonError(
            f"{name[:40]!r} is no name to sign in with: 1 to {NAME_CHARACTERS_MAX} of a-z, 0-9 and "
            ". _ @ + -, beginning with a letter or digit"
        )


def require_display_name(display_name: str) -> None:
    """Raise PersonError for what no page could show."""
    if (
        not is_line(display_name, NAME_CHARACTERS_MAX)
        or display_name != display_name.strip()
        or not display_name.isprintable()
    ):
        raise PersonError(f"a person's name is one line of 1 to {NAME_CHARACTERS_MAX} characters")


def role_of(text: Role | str) -> Role:
    """Return a role. Raises PersonError for what is none."""
    try:
        return Role(text)
    except ValueError:
        known = ", ".join(Role)
        raise PersonError(f"the role {str(text)[:20]!r} is not one of {known}") from None


def typed_name(text: str) -> str:
    """Return what somebody typed as their name in the form names are kept in."""
    return unicodedata.normalize("NFKC", text).strip().lower()


def _known(connection: Connection, name: str) -> PersonRow:
    # Whatever was typed: a text that is no name is nobody's, and some databases refuse it.
    row = store.by_name(connection, name) if _NAME.fullmatch(name) else None
    if row is None:
        raise PersonError(f"there is no person {name[:60]!r} (`itmo-hub people list`)")
    return row


def _require_another_administrator(connection: Connection, found: PersonRow) -> None:
    """Raise PersonError if nobody would be left who looks after people."""
    role = Role.ADMINISTRATOR.value
    if found.role == role and store.count_active(connection, role) == 1:
        raise PersonError(
            f"{found.name} is the last administrator who can sign in; let another one sign in first"
        )


def _shut_out(connection: Connection, person_id: str) -> None:
    session_store.remove_all(connection, person_id)
    flows.remove_of(connection, person_id)


def _shown(row: PersonRow, passkey_count: int) -> Person:
    return Person(
        person_id=row.person_id,
        name=row.name,
        display_name=row.display_name,
        role=Role(row.role),
        state=row.state,
        administrator=row.administrator,
        has_password=row.password_hash is not None,
        has_totp=row.totp_secret is not None,
        passkey_count=passkey_count,
        oidc_issuer=row.oidc_issuer,
        invited_until=row.invitation_until,
        has_offered_key=row.offered_key is not None,
        language=row.language,
        theme=row.theme,
        created_at=row.created_at,
        changed_at=row.changed_at,
        password_changed_at=row.password_changed_at,
        signed_in_at=row.signed_in_at,
    )
