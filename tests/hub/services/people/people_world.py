"""People at a door: real services on a real database, with a clock that tests move.

Passwords are hashed cheaply here; what they cost in earnest is tested in ``test_passwords``.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import pyotp
from argon2 import PasswordHasher

from hub.protocol.console_policy import ConsolePolicy
from hub.services.people import persons
from hub.services.people.invitations import Invitations
from hub.services.people.own_account import OwnAccount
from hub.services.people.passwords import Passwords
from hub.services.people.persons import Persons
from hub.services.people.sealing import Sealing
from hub.services.people.sessions import Sessions, SignedIn
from hub.services.people.sign_in import FactorNeeded, Opened, SignIn, Visitor
from hub.store.database import Database
from hub.store.people import sign_ins
from hub.store.people.sign_ins import SignInEvent

BEGIN: Final = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
PASSWORD: Final = "seven quiet herons"
CHEAP: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
ORIGIN: Final = "http://localhost:8480"


@dataclass
class PeopleWorld:
    """The door of one console."""

    database: Database
    policy: ConsolePolicy = field(default_factory=ConsolePolicy)
    passwords: Passwords = field(default_factory=lambda: Passwords(CHEAP))
    now: datetime = BEGIN
    sealing: Sealing = field(
        default_factory=lambda: Sealing.of(b"a secret of 32 bytes for testing")
    )

    def __post_init__(self) -> None:
        self.sessions = Sessions(self.database, self.policy)
        self.persons = Persons(self.database)
        self.sign_in = SignIn(
            self.database, self.policy, self.sealing, self.passwords, self.sessions
        )
        self.account = OwnAccount(
            self.database,
            self.policy,
            self.sealing,
            self.passwords,
            self.sessions,
            self.sign_in,
            "XHB01",
        )
        self.invitations = Invitations(self.database, self.passwords, self.sign_in)

    def pass_time(self, **time: float) -> None:
        """Let time pass."""
        self.now += timedelta(**time)

    def visitor(self, address: str = "192.0.2.1") -> Visitor:
        """Return somebody at an address."""
        return Visitor(address, "a browser", ORIGIN)

    def add(self, name: str, role: str = "officer", password: str | None = PASSWORD) -> str:
        """Add a person who has accepted an invitation, or who has not without a password."""
        with self.database.writing() as connection:
            person_id = persons.add(
                connection, name=name, display_name=name.title(), role=role, at=self.now
            )
        if password is not None:
            token = self.persons.invite(name, self.now).token
            opened = self.invitations.accept(token, password, self.visitor(), self.now)
            self.sessions.end(opened.token)
        return person_id

    def try_(
        self, name: str, password: str = PASSWORD, address: str = "192.0.2.1"
    ) -> Opened | FactorNeeded:
        """Try a password."""
        return self.sign_in.with_password(name, password, self.visitor(address), self.now)

    def opened(self, name: str) -> Opened:
        """Sign somebody in with a password alone."""
        found = self.try_(name)
        assert isinstance(found, Opened)
        return found

    def person(self, token: str) -> SignedIn:
        """Return whose token it is."""
        found = self.sessions.find(token, self.now)
        assert found is not None, "the token opens nothing"
        return found

    def set_up_codes(self, name: str) -> pyotp.TOTP:
        """Sign somebody in and set up an app; return the app."""
        opened = self.opened(name)
        person = self.person(opened.token)
        flow, codes = self.account.new_codes(person, self.now)
        app = pyotp.TOTP(codes.typed.replace(" ", ""))
        self.account.keep_codes(
            person, opened.token, flow, app.at(self.now), self.visitor(), self.now
        )
        return app

    def events(self) -> list[SignInEvent]:
        """Return all that was written down, oldest first."""
        with self.database.reading() as connection:
            return sign_ins.page(connection, 1_000)[::-1]
