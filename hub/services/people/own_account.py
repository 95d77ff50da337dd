"""One's own account: how one signs in, and where one is signed in.

1. Who changes how they sign in has proved a short while ago who they are (``SignedIn.is_fresh``),
   or proves it again with the password.
2. Whoever gains something by it gets a new token: a token known before is worth nothing after.
3. The last second factor cannot be removed where one is required.
4. A password alone changes nothing of somebody who has a second factor: sessions begun with it end
   when the first one is set up.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from hub.protocol.console_policy import ConsolePolicy
from hub.services.administration.deeds import is_line
from hub.services.people import limits, passkeys, totp
from hub.services.people.flows import FlowOverError, Flows, Kind
from hub.services.people.passwords import Passwords, require_good
from hub.services.people.sealing import Sealing
from hub.services.people.sessions import (
    OIDC,
    PASSKEY,
    PASSWORD,
    PASSWORD_AND_CODE,
    Sessions,
    SignedIn,
)
from hub.services.people.sign_in import (
    ENDED,
    REFUSED,
    SET_UP,
    Opened,
    SignIn,
    SignInRefusedError,
    Visitor,
)
from hub.services.people.totp import NewCodes
from hub.store.database import Database
from hub.store.people import passkeys as passkey_store
from hub.store.people import persons
from hub.store.people import sessions as session_store
from hub.store.people.passkeys import PASSKEYS_MAX, PasskeyRow
from hub.store.people.persons import PersonRow

PASSKEY_NAME_CHARACTERS_MAX: Final = 100


class AccountError(Exception):
    """Something cannot be changed; the message says why and what would be right."""


class NotFreshError(Exception):
    """It is a while since they signed in: they confirm first that it is them."""


class SessionOverError(Exception):
    """The session ended meanwhile."""


@dataclass(frozen=True, slots=True)
class OwnPasskey:
    """A passkey as its person sees it; ``key`` names it in forms."""

    key: str
    name: str
    added_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Account:
    """How a person signs in. ``can_drop`` tells whether a second factor may be removed."""

    has_password: bool
    password_changed_at: datetime | None
    has_codes: bool
    passkeys: Sequence[OwnPasskey]
    provider: str | None
    can_drop: bool
    passkeys_possible: bool


class OwnAccount:
    """The use cases of one's own account. Methods block; they raise DatabaseUnavailableError."""

    def __init__(
        self,
        database: Database,
        policy: ConsolePolicy,
        sealing: Sealing,
        passwords: Passwords,
        sessions: Sessions,
        sign_in: SignIn,
        hub: str,
    ) -> None:
        self._database = database
        self._demands_factor = policy.second_factor == "required"
        self._sealing = sealing
        self._passwords = passwords
        self._sessions = sessions
        self._sign_in = sign_in
        self._flows = Flows(database)
        self._hub = hub

    def account(self, person: SignedIn, visitor: Visitor) -> Account:
        """Return how somebody signs in."""
        with self._database.reading() as connection:
            row = persons.by_id(connection, person.person_id)
            keys = passkey_store.of_person(connection, person.person_id)
        assert row is not None, "people are never deleted"
        return Account(
            has_password=row.password_hash is not None,
            password_changed_at=row.password_changed_at,
            has_codes=row.totp_secret is not None,
            passkeys=[
                OwnPasskey(passkeys.text_of(key.credential_id), key.name, key.added_at, key.used_at)
                for key in keys
            ],
            provider=row.oidc_issuer,
            can_drop=self._can_drop(row, len(keys)),
            passkeys_possible=visitor.party.is_possible,
        )

    # --- proving it again ------------------------------------------------------------------------

    def confirm(
        self, person: SignedIn, token: str, password: str, visitor: Visitor, now: datetime
    ) -> str:
        """Take the password once more; return the session's new token.

        Raises SignInRefusedError, BlockedError, BusyError, SessionOverError.
        """
        self._require_password(person, password, visitor, now)
        return self._renewed(token, person.method, now)

    def _require_password(
        self, person: SignedIn, password: str, visitor: Visitor, now: datetime
    ) -> PersonRow:
        buckets = limits.of_password(person.name, visitor.address)
        self._sign_in.charge(buckets, now)
        row = self._row(person)
        if not self._sign_in.is_password(row, password, buckets, now):
            self._sign_in.note_of(person, REFUSED, visitor, now, "wrong password, signed in")
            raise SignInRefusedError("wrong password")
        self._sign_in.refund(buckets, now, forget=True)
        return row

    # --- the password ----------------------------------------------------------------------------

    def change_password(
        self,
        person: SignedIn,
        token: str,
        current: str,
        new: str,
        visitor: Visitor,
        now: datetime,
    ) -> str:
        """Change the password, end all other sessions; return the session's new token.

        Raises PasswordRefusedError, AccountError, and what ``confirm`` raises.
        """
        self._require_strong(person)
        require_good(new, (person.name, person.display_name))
        self._require_password(person, current, visitor, now)
        password_hash = self._passwords.hash(new)
        with self._database.writing() as connection:
            persons.set_password(connection, person.person_id, password_hash, now)
            session_store.remove_all(connection, person.person_id, person.session_id)
        self._sign_in.note_of(person, SET_UP, visitor, now, "password changed")
        return self._renewed(token, person.method, now)

    # --- codes of an app -------------------------------------------------------------------------

    def new_codes(self, person: SignedIn, now: datetime) -> tuple[str, NewCodes]:
        """Return the token of a step, and what the app is given. Raises NotFreshError."""
        self._require_local(person, now)
        made = totp.new_codes(person.name, self._hub)
        sealed = b64encode(self._sealing.seal(made.secret, person.person_id)).decode()
        return self._flows.begin(Kind.CODES, person.person_id, {"sealed": sealed}, now), made

    def codes_in(self, person: SignedIn, flow_token: str, now: datetime) -> NewCodes:
        """Return what the app is given, again. Raises FlowOverError."""
        return totp.codes_of(self._secret_in(person, flow_token, now), person.name, self._hub)

    def keep_codes(
        self,
        person: SignedIn,
        token: str,
        flow_token: str,
        code: str,
        visitor: Visitor,
        now: datetime,
    ) -> str:
        """Keep the app's secret once a code shows that the app has it; return the new token.

        Raises SignInRefusedError for a wrong code, FlowOverError, NotFreshError, BlockedError,
        SessionOverError.
        """
        self._require_local(person, now)
        buckets = limits.of_code(person.person_id, visitor.address)
        self._sign_in.charge(buckets, now)
        secret = self._secret_in(person, flow_token, now)
        step = totp.step_of(secret, code, now)
        if step is None:
            raise SignInRefusedError("wrong code")
        flow = self._flows.take(flow_token, Kind.CODES, now)
        with self._database.writing() as connection:
            sealed = b64decode(flow.data["sealed"])
            persons.set_totp(connection, person.person_id, sealed, step, now)
            self._end_weaker(connection, person)
        self._sign_in.refund(buckets, now, forget=True)
        self._sign_in.note_of(person, SET_UP, visitor, now, "codes of an app set up")
        return self._gained(person, token, PASSWORD_AND_CODE, now)

    def drop_codes(self, person: SignedIn, visitor: Visitor, now: datetime) -> None:
        """Forget the app's secret. Raises AccountError, NotFreshError."""
        self._require_local(person, now)
        self._require_not_last(person)
        with self._database.writing() as connection:
            persons.set_totp(connection, person.person_id, None, None, now)
        self._sign_in.note_of(person, SET_UP, visitor, now, "codes of an app removed")

    def _secret_in(self, person: SignedIn, flow_token: str, now: datetime) -> bytes:
        flow = self._flows.find(flow_token, Kind.CODES, now)
        if flow.person_id != person.person_id:
            raise FlowOverError("the step is somebody else's")
        return self._sealing.unseal(b64decode(flow.data["sealed"]), person.person_id)

    # --- passkeys --------------------------------------------------------------------------------

    def passkey_question(
        self, person: SignedIn, visitor: Visitor, now: datetime
    ) -> tuple[str, dict[str, Any]]:
        """Return the token of a step, and what the browser is to ask its device.

        Raises AccountError, NotFreshError.
        """
        self._require_local(person, now)
        party = visitor.party
        if not party.is_possible:
            raise AccountError(
                f"browsers make no passkeys for {party.rp_id}: reach the console by a name "
                "(the setting console.url, such as http://localhost:8480)"
            )
        with self._database.reading() as connection:
            keys = passkey_store.of_person(connection, person.person_id)
        if len(keys) >= PASSKEYS_MAX:
            raise AccountError(f"{PASSKEYS_MAX} passkeys are the most; remove one first")
        challenge = os.urandom(passkeys.CHALLENGE_BYTES)
        flow = self._flows.begin(
            Kind.NEW_PASSKEY, person.person_id, {"challenge": challenge.hex()}, now
        )
        options = party.options_to_make(
            person.person_id,
            person.name,
            person.display_name,
            challenge,
            [key.credential_id for key in keys],
        )
        return flow, options

    def keep_passkey(
        self,
        person: SignedIn,
        token: str,
        flow_token: str,
        credential: str,
        name: str,
        visitor: Visitor,
        now: datetime,
    ) -> str:
        """Keep a passkey that a device made; return the session's new token.

        Raises PasskeyRefusedError, AccountError, FlowOverError, NotFreshError, SessionOverError.
        """
        self._require_local(person, now)
        if not is_line(name, PASSKEY_NAME_CHARACTERS_MAX):
            raise AccountError(
                f"a passkey's name is one line of 1 to {PASSKEY_NAME_CHARACTERS_MAX} characters"
            )
        flow = self._flows.take(flow_token, Kind.NEW_PASSKEY, now)
        if flow.person_id != person.person_id:
            raise FlowOverError("the step is somebody else's")
        made = visitor.party.made(credential, bytes.fromhex(flow.data["challenge"]))
        row = PasskeyRow(
            made.credential_id, person.person_id, made.public_key, made.sign_count, name, now
        )
        with self._database.writing() as connection:
            if not passkey_store.add(connection, row):
                raise AccountError("this passkey is registered already")
            self._end_weaker(connection, person)
        self._sign_in.note_of(person, SET_UP, visitor, now, "passkey added")
        return self._gained(person, token, PASSKEY, now)

    def drop_passkey(self, person: SignedIn, key: str, visitor: Visitor, now: datetime) -> None:
        """Forget a passkey. Raises AccountError, NotFreshError, PasskeyRefusedError."""
        self._require_local(person, now)
        self._require_not_last(person)
        with self._database.writing() as connection:
            if not passkey_store.remove(connection, person.person_id, passkeys.bytes_of(key)):
                raise AccountError("there is no such passkey; it may be removed already")
        self._sign_in.note_of(person, SET_UP, visitor, now, "passkey removed")

    # --- sessions --------------------------------------------------------------------------------

    def end_session(
        self, person: SignedIn, session_id: str, visitor: Visitor, now: datetime
    ) -> bool:
        """End one of one's own sessions; tell whether there was one."""
        ended = self._sessions.end_one(person.person_id, session_id)
        if ended:
            self._sign_in.note_of(person, ENDED, visitor, now, "one session")
        return ended

    def end_others(self, person: SignedIn, visitor: Visitor, now: datetime) -> int:
        """End all of one's own sessions but this one; return how many."""
        count = self._sessions.end_all(person.person_id, but=person.session_id)
        if count:
            self._sign_in.note_of(person, ENDED, visitor, now, f"{count} other sessions")
        return count

    # --- what they share -------------------------------------------------------------------------

    def _row(self, person: SignedIn) -> PersonRow:
        with self._database.reading() as connection:
            row = persons.by_id(connection, person.person_id)
        assert row is not None, "people are never deleted"
        return row

    def _require_local(self, person: SignedIn, now: datetime) -> None:
        if person.method == OIDC:
            raise AccountError("your provider looks after how you sign in")
        self._require_strong(person)
        if not person.is_fresh(now):
            raise NotFreshError

    def _require_strong(self, person: SignedIn) -> None:
        """Raise AccountError for who signed in by a password alone, and has a second factor."""
        if person.method != PASSWORD:
            return
        with self._database.reading() as connection:
            passkey_count = passkey_store.count(connection, person.person_id)
        if passkey_count or self._row(person).totp_secret is not None:
            raise AccountError(
                "you signed in before you had a second factor: sign out, and sign in with it"
            )

    def _end_weaker(self, connection: Connection, person: SignedIn) -> None:
        """End what was begun with a password alone, but this session, which has a factor now."""
        session_store.remove_of_method(connection, person.person_id, PASSWORD, person.session_id)

    def _require_not_last(self, person: SignedIn) -> None:
        with self._database.reading() as connection:
            passkey_count = passkey_store.count(connection, person.person_id)
        if not self._can_drop(self._row(person), passkey_count):
            raise AccountError(
                "this is your last second factor, and one is required: set up another one first"
            )

    def _can_drop(self, row: PersonRow, passkey_count: int) -> bool:
        """Tell whether a second factor is left when one is removed, or none is needed."""
        return not self._demands_factor or passkey_count + (row.totp_secret is not None) > 1

    def _gained(self, person: SignedIn, token: str, method: str, now: datetime) -> str:
        """Return the new token of a session; with a password alone it was, now it is more."""
        return self._renewed(token, method if person.method == PASSWORD else person.method, now)

    def _renewed(self, token: str, method: str, now: datetime) -> str:
        made = self._sessions.replace(token, method, now)
        if made is None:
            raise SessionOverError
        return made


__all__ = ["Account", "AccountError", "NotFreshError", "Opened", "OwnAccount", "SessionOverError"]
