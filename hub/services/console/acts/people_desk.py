"""People as an administrator looks after them, and the keys they offer from their browsers.

1. What changes a person is an act (``administration.people``) and not here. Here is what is no act:
   looking, an invitation's link, ending sessions; the last two are noted among the sign-ins.
2. A key that somebody made in their browser is offered with a proof that the browser has it, and
   waits at the person until an administrator registers it.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hub.services.administration.administrators import SIGNING_ROLES
from hub.services.administration.deeds import AdministrationError
from hub.services.console.ground import Ground
from hub.services.people.persons import Invitation, Person, PersonError, Persons
from hub.services.people.roles import Role
from hub.services.people.sessions import SignedIn
from hub.store import administrators
from hub.store.instants import from_milliseconds, to_milliseconds
from hub.store.people import persons as store
from hub.store.people import sessions as session_store
from hub.store.people import sign_ins
from hub.store.people.sign_ins import SignInEvent
from keys.algorithms import signs_messages
from keys.errors import KeysError
from keys.key_ids import fingerprint
from keys.possession import verify_possession
from keys.public_keys import KeyRecord, PublicKey

PAGE_COUNT: Final = 100
EVENTS_COUNT: Final = 50
_PROOF_CHARACTERS_MAX: Final = 16_384


@dataclass(frozen=True, slots=True)
class OfferedKey:
    """A public key that waits to be registered."""

    key_id: str
    algorithm: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class RegisteredKey:
    """The administrator under whose name a person acts, and the key."""

    name: str
    role: str
    key_id: str
    fingerprint: str
    added_at: datetime
    removed_at: datetime | None


@dataclass(frozen=True, slots=True)
class PersonShown:
    """A person with the key they offer, the one they sign with, and how many sessions are open."""

    person: Person
    offered: OfferedKey | None
    registered: RegisteredKey | None
    session_count: int


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """People by name; ``after`` is where the next page begins, None at the end."""

    people: list[Person]
    after: str | None


@dataclass(frozen=True, slots=True)
class EventsPage:
    """Sign-ins and what was refused, newest first; ``older`` is the cursor of the next page."""

    events: list[SignInEvent]
    older: str | None


@dataclass(frozen=True, slots=True)
class OwnKey:
    """What a person's browser is told of their key: the registered one and the offered one."""

    registered: RegisteredKey | None
    offered: OfferedKey | None


class PeopleDesk:
    """Looks after people. Methods block; they raise PersonError and DatabaseUnavailableError."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._hub = ground.identity.hub
        self._persons = Persons(ground.database)

    def people(self, after: str = "") -> PeoplePage:
        """Return a page of people."""
        found = self._persons.page(after, PAGE_COUNT + 1)
        shown = found[:PAGE_COUNT]
        return PeoplePage(shown, shown[-1].name if len(found) > PAGE_COUNT else None)

    def person(self, name: str) -> PersonShown:
        """Return one person. Raises PersonError."""
        person = self._persons.find(name)
        own = self._own(name)
        with self._ground.database.reading() as connection:
            now = self._ground.clock()
            policy = self._ground.console
            idle_since = now - timedelta(seconds=policy.session_idle_seconds)
            sessions = session_store.listed(connection, person.person_id, idle_since, now)
        return PersonShown(person, own.offered, own.registered, len(sessions))

    def own_key(self, person: SignedIn) -> OwnKey:
        """Return what is known of somebody's own key."""
        return self._own(person.name)

    def events(self, cursor: str | None = None, name: str | None = None) -> EventsPage:
        """Return a page of sign-ins. A cursor that is none begins anew."""
        with self._ground.database.reading() as connection:
            found = sign_ins.page(connection, EVENTS_COUNT + 1, before=_place(cursor), name=name)
        shown = found[:EVENTS_COUNT]
        if len(found) <= EVENTS_COUNT:
            return EventsPage(shown, None)
        last = shown[-1]
        return EventsPage(shown, f"{to_milliseconds(last.at)}-{last.event_id}")

    def invite(self, name: str, by: SignedIn, address: str) -> Invitation:
        """Make the link for somebody who has no way to sign in, and note by whom."""
        invitation = self._persons.invite(name, self._ground.clock())
        self._note(name, "invited", by, address)
        return invitation

    def end_sessions(self, name: str, by: SignedIn, address: str) -> int:
        """End all sessions of a person; return how many, and note by whom."""
        person = self._persons.find(name)
        with self._ground.database.writing() as connection:
            ended = session_store.remove_all(connection, person.person_id, None)
        self._note(name, "ended", by, address)
        return ended

    def offer_key(self, person: SignedIn, proof: str) -> OfferedKey:
        """Keep the public key that somebody's browser proved to have.

        Raises AdministrationError for what is no proof, or a key that is somebody's already.
        """
        key = self._proved(proof)
        with self._ground.database.writing() as connection:
            for row in administrators.every(connection):
                if row.key.public_key_der != key.public_key_der:
                    continue
                if row.name != person.administrator or row.removed_at is not None:
                    raise AdministrationError(
                        f"{key.key_id} is or was the key of {row.name}; make a new one"
                    )
                raise AdministrationError(f"{key.key_id} is registered as yours already")
            store.set_offered_key(connection, person.person_id, key.public_key_der)
        return _offered(key)

    def offered_record(self, name: str) -> KeyRecord:
        """Return the key that a person offers, as it would be registered. Raises PersonError."""
        with self._ground.database.reading() as connection:
            row = store.by_name(connection, name)
        if row is None or row.offered_key is None:
            raise PersonError(f"{name[:60]} offers no key")
        key = PublicKey.from_der(self._hub, row.offered_key)
        return KeyRecord.of(key, self._ground.clock())

    def _own(self, name: str) -> OwnKey:
        with self._ground.database.reading() as connection:
            row = store.by_name(connection, name)
            every = administrators.every(connection) if row and row.administrator else []
        if row is None:
            return OwnKey(None, None)
        registered = [
            RegisteredKey(
                one.name,
                one.role,
                one.key.key_id,
                fingerprint(one.key.public_key_der),
                one.added_at,
                one.removed_at,
            )
            for one in every
            if one.name == row.administrator
        ]
        offered = None
        if row.offered_key is not None:
            offered = _offered(PublicKey.from_der(self._hub, row.offered_key))
        return OwnKey(registered[0] if registered else None, offered)

    def _proved(self, proof: str) -> KeyRecord:
        if not proof or len(proof) > _PROOF_CHARACTERS_MAX:
            raise AdministrationError("this is no proof of a key: send what the browser made")
        try:
            key = verify_possession(proof.encode("utf-8", "surrogatepass"))
        except KeysError as error:
            raise AdministrationError(f"the key is not proved: {error}") from error
        if key.participant != self._hub:
            raise AdministrationError(f"the key is made for {key.participant}, not for {self._hub}")
        if not signs_messages(key.algorithm):
            raise AdministrationError(f"{key.algorithm} cannot sign acts; take Ed25519 or ES256")
        return key

    def _note(self, name: str, outcome: str, by: SignedIn, address: str) -> None:
        person = self._persons.find(name)
        with self._ground.database.writing() as connection:
            sign_ins.add(
                connection,
                SignInEvent(
                    at=self._ground.clock(),
                    name=name,
                    person_id=person.person_id,
                    method="",
                    address=address[:64],
                    outcome=outcome,
                    detail=f"by {by.name}",
                ),
            )


def signing_role_of(role: Role) -> str:
    """Return the role that a person's key is offered in the form: their own, if it signs."""
    return role.value if role in SIGNING_ROLES else Role.OFFICER.value


def _offered(key: PublicKey) -> OfferedKey:
    return OfferedKey(key.key_id, key.algorithm.value, fingerprint(key.public_key_der))


def _place(cursor: str | None) -> tuple[datetime, int] | None:
    """Return the place a cursor names: milliseconds since 1970, and an event's number."""
    match = re.fullmatch(r"([0-9]{1,15})-([0-9]{1,15})", cursor or "", re.ASCII)
    if match is None:
        return None
    try:
        return from_milliseconds(int(match[1])), int(match[2])
    except (ValueError, OverflowError):
        return None
