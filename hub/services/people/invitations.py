"""Invitations: the one way to a first password, or to a first link with a provider.

A link counts once, for a few days, and only while its person has no way to sign in.
"""

from dataclasses import dataclass
from datetime import datetime

from hub.services.people import limits
from hub.services.people.passwords import Passwords, require_good
from hub.services.people.roles import Role
from hub.services.people.sessions import PASSWORD, digest_of
from hub.services.people.sign_in import SET_UP, Opened, SignIn, SignInRefusedError, Visitor
from hub.store.database import Database
from hub.store.people import persons
from hub.store.people.persons import PersonRow


class InvitationOverError(Exception):
    """The link counts no more, or never did: another one is asked for."""


@dataclass(frozen=True, slots=True)
class Invited:
    """Who is invited, until when."""

    name: str
    display_name: str
    role: Role
    until: datetime


class Invitations:
    """Opens invitations.

    Methods block; they raise InvitationOverError, BlockedError and DatabaseUnavailableError.
    """

    def __init__(self, database: Database, passwords: Passwords, sign_in: SignIn) -> None:
        self._database = database
        self._passwords = passwords
        self._sign_in = sign_in

    def look(self, token: str, visitor: Visitor, now: datetime) -> Invited:
        """Return who a link invites; a wrong link counts as a failure of its address."""
        row = self._row(token, visitor, now)
        assert row.invitation_until is not None, "it is invited"
        return Invited(row.name, row.display_name, Role(row.role), row.invitation_until)

    def accept(self, token: str, password: str, visitor: Visitor, now: datetime) -> Opened:
        """Choose the first password, and begin a session.

        Raises PasswordRefusedError, BusyError.
        """
        row = self._row(token, visitor, now)
        require_good(password, (row.name, row.display_name))
        password_hash = self._passwords.hash(password)
        with self._database.writing() as connection:
            if not persons.accept_invitation(
                connection, digest_of(token), now, password_hash=password_hash
            ):
                raise InvitationOverError
        self._sign_in.note(SET_UP, PASSWORD, visitor, now, row, "invitation accepted")
        try:
            return self._sign_in.open(row, PASSWORD, visitor, now)
        except SignInRefusedError as error:
            raise InvitationOverError from error

    def _row(self, token: str, visitor: Visitor, now: datetime) -> PersonRow:
        with self._database.reading() as connection:
            row = persons.by_invitation(connection, digest_of(token), now)
        if row is None:
            self._sign_in.charge(limits.of_address(visitor.address), now)
            raise InvitationOverError
        return row
