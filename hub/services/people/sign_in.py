"""Signing in: a name and a password, a second factor, a passkey; and who did, from where.

1. A try is counted before it is judged (``limits``). A refusal reads the same whether the name is
   nobody's, the person is disabled or the password is wrong, and takes as long.
2. A good password of somebody with a second factor opens a step, not a session. A passkey is both
   factors. With a password alone somebody who must have a second factor reaches their own account
   and nothing else (``SignedIn.is_confined``).
3. Every judged try is written down, and the first one that is kept out: who, how, from where.
"""

import os
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from hub.protocol.console_policy import ConsolePolicy
from hub.services.people import limits, passkeys, totp
from hub.services.people.flows import Flow, FlowOverError, Flows, Kind
from hub.services.people.limits import BlockedError, Bucket
from hub.services.people.passkeys import PasskeyRefusedError, RelyingParty
from hub.services.people.passwords import BusyError, Passwords
from hub.services.people.persons import NAME_CHARACTERS_MAX, typed_name
from hub.services.people.sealing import SealBrokenError, Sealing
from hub.services.people.sessions import (
    PASSKEY,
    PASSWORD,
    PASSWORD_AND_CODE,
    Sessions,
    ShutOutError,
    SignedIn,
)
from hub.store.database import Database
from hub.store.people import passkeys as passkey_store
from hub.store.people import persons, sign_ins
from hub.store.people.persons import PersonRow
from hub.store.people.sign_ins import SignInEvent

SIGNED_IN: Final = "signed_in"
REFUSED: Final = "refused"
BLOCKED: Final = "blocked"
SIGNED_OUT: Final = "signed_out"
ENDED: Final = "ended"
SET_UP: Final = "set_up"
KEPT_FOR: Final = timedelta(days=400)
_NAMES: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]*")


class SignInRefusedError(Exception):
    """Not signed in. Why exactly is written down, and not told."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """From where somebody comes, and at which address (``origin``) they reached the console."""

    address: str
    agent: str
    origin: str

    @property
    def party(self) -> RelyingParty:
        """Return the console as this visitor's devices know it."""
        return RelyingParty.of(self.origin)


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that was begun; its token is for the browser alone."""

    token: str
    person_id: str
    is_confined: bool = False


@dataclass(frozen=True, slots=True)
class FactorNeeded:
    """The password was good; the token of the step that awaits a second factor."""

    flow: str
    has_codes: bool
    has_passkey: bool


class SignIn:
    """The use cases of signing in.

    Methods block; beside what they name they raise BlockedError and DatabaseUnavailableError.
    """

    def __init__(
        self,
        database: Database,
        policy: ConsolePolicy,
        sealing: Sealing,
        passwords: Passwords,
        sessions: Sessions,
    ) -> None:
        self._database = database
        self._sealing = sealing
        self._passwords = passwords
        self._sessions = sessions
        self._flows = Flows(database)
        self._demands_factor = policy.second_factor == "required"

    # --- a password ------------------------------------------------------------------------------

    def with_password(
        self, name: str, password: str, visitor: Visitor, now: datetime
    ) -> Opened | FactorNeeded:
        """Try a password. Raises SignInRefusedError, BusyError."""
        typed = typed_name(name[: 2 * NAME_CHARACTERS_MAX])
        buckets = limits.of_password(typed, visitor.address)
        closes = self.charge(buckets, now)
        with self._database.reading() as connection:
            found = persons.by_name(connection, typed) if is_possible_name(typed) else None
        row = found if found is not None and found.is_active else None
        if not self.is_password(row, password, buckets, now) or row is None:
            why = _why_not(found)
            self.note(REFUSED, PASSWORD, visitor, now, found, why)
            if closes:
                self.note(BLOCKED, PASSWORD, visitor, now, found)
            raise SignInRefusedError(why)
        self.refund(buckets, now, forget=True)
        return self._after_password(row, password, visitor, now)

    def is_password(
        self, row: PersonRow | None, password: str, buckets: list[Bucket], now: datetime
    ) -> bool:
        """Try a password of a person; nobody's takes as long. Raises BusyError, and counts none."""
        try:
            return self._passwords.matches(None if row is None else row.password_hash, password)
        except BusyError:
            self.refund(buckets, now)
            raise

    def _after_password(
        self, row: PersonRow, password: str, visitor: Visitor, now: datetime
    ) -> Opened | FactorNeeded:
        assert row.password_hash is not None, "it was matched"
        if self._passwords.is_outdated(row.password_hash):
            after = self._passwords.hash(password)
            with self._database.writing() as connection:
                persons.rehash(connection, row.person_id, row.password_hash, after)
        with self._database.reading() as connection:
            passkey_count = passkey_store.count(connection, row.person_id)
        if row.totp_secret is None and not passkey_count:
            return self.open(row, PASSWORD, visitor, now)
        # The step counts for this password only: changed meanwhile, it is over.
        flow = self._flows.begin(Kind.FACTOR, row.person_id, {"of": _mark_of(row)}, now)
        return FactorNeeded(flow, row.totp_secret is not None, passkey_count > 0)

    def factor_needed(self, flow_token: str, now: datetime) -> FactorNeeded:
        """Return what the open step awaits. Raises FlowOverError."""
        row = self._person_of(self._flows.find(flow_token, Kind.FACTOR, now))
        with self._database.reading() as connection:
            passkey_count = passkey_store.count(connection, row.person_id)
        return FactorNeeded(flow_token, row.totp_secret is not None, passkey_count > 0)

    # --- the code of an app ----------------------------------------------------------------------

    def with_code(self, flow_token: str, code: str, visitor: Visitor, now: datetime) -> Opened:
        """Try a code after the password. Raises SignInRefusedError, FlowOverError."""
        row = self._person_of(self._flows.find(flow_token, Kind.FACTOR, now))
        buckets = limits.of_code(row.person_id, visitor.address)
        closes = self.charge(buckets, now)
        try:
            why = None if self._is_code(row, code, now) else "wrong code"
        except SealBrokenError as error:  # no code will do; the operator reads why
            why = str(error)
        if why is not None:
            self.note(REFUSED, PASSWORD_AND_CODE, visitor, now, row, why)
            if closes:
                self.note(BLOCKED, PASSWORD_AND_CODE, visitor, now, row)
            raise SignInRefusedError(why)
        self._flows.take(flow_token, Kind.FACTOR, now)
        self.refund(buckets, now, forget=True)
        return self.open(row, PASSWORD_AND_CODE, visitor, now)

    def _is_code(self, row: PersonRow, code: str, now: datetime) -> bool:
        """Tell whether a code is a person's and was not used; it is now.

        Raises SealBrokenError.
        """
        if row.totp_secret is None:
            return False
        secret = self._sealing.unseal(row.totp_secret, row.person_id)
        step = totp.step_of(secret, code, now)
        if step is None:
            return False
        with self._database.writing() as connection:
            return persons.use_totp_step(connection, row.person_id, step)

    # --- a passkey -------------------------------------------------------------------------------

    def passkey_question(self, visitor: Visitor, now: datetime) -> tuple[str, dict[str, Any]]:
        """Return the token of a step, and what the browser is to ask its device."""
        challenge = os.urandom(passkeys.CHALLENGE_BYTES)
        flow = self._flows.begin_for_anybody(
            Kind.PASSKEY, {"challenge": challenge.hex()}, visitor.address, now
        )
        return flow, visitor.party.options_to_sign_in(challenge)

    def with_passkey(
        self, flow_token: str, credential: str, visitor: Visitor, now: datetime
    ) -> Opened:
        """Take a device's answer. Raises SignInRefusedError, FlowOverError."""
        buckets = limits.of_address(visitor.address)
        self.charge(buckets, now)
        flow = self._flows.take(flow_token, Kind.PASSKEY, now)
        try:
            row = self._answered(credential, bytes.fromhex(flow.data["challenge"]), visitor, now)
        except PasskeyRefusedError as error:
            self.note(REFUSED, PASSKEY, visitor, now, None, str(error))
            raise SignInRefusedError(str(error)) from error
        self.refund(buckets, now)
        return self.open(row, PASSKEY, visitor, now)

    def _answered(
        self, credential: str, challenge: bytes, visitor: Visitor, now: datetime
    ) -> PersonRow:
        """Return whose passkey answered rightly. Raises PasskeyRefusedError."""
        answer = passkeys.read_answer(credential)
        with self._database.reading() as connection:
            known = passkey_store.by_credential(connection, answer.credential_id)
            row = None if known is None else persons.by_id(connection, known.person_id)
        if known is None or row is None:
            raise PasskeyRefusedError("nobody here has this passkey")
        if answer.person_id not in (None, row.person_id):
            raise PasskeyRefusedError("the passkey is somebody else's")
        if not row.is_active:
            raise PasskeyRefusedError(f"{row.name} is {row.state}")
        count = visitor.party.count_after(answer, challenge, known.public_key, known.sign_count)
        with self._database.writing() as connection:
            if not passkey_store.note_used(
                connection, known.credential_id, known.sign_count, count, now
            ):
                raise PasskeyRefusedError("the passkey was used twice at once")
        return row

    # --- what all ways share ---------------------------------------------------------------------

    def open(self, row: PersonRow, method: str, visitor: Visitor, now: datetime) -> Opened:
        """Begin a session, and write it down. Raises SignInRefusedError for who was shut out."""
        try:
            token = self._sessions.begin(row.person_id, method, visitor.address, visitor.agent, now)
        except ShutOutError as error:
            self.note(REFUSED, method, visitor, now, row, "shut out meanwhile")
            raise SignInRefusedError("shut out meanwhile") from error
        self.note(SIGNED_IN, method, visitor, now, row)
        return Opened(token, row.person_id, self._demands_factor and method == PASSWORD)

    def sign_out(self, token: str, person: SignedIn, visitor: Visitor, now: datetime) -> None:
        """End a session here, not in the browser alone."""
        if self._sessions.end(token):
            self.note_of(person, SIGNED_OUT, visitor, now)

    def charge(self, buckets: list[Bucket], now: datetime) -> bool:
        """Count a try; tell whether it closes a bucket if it fails. Raises BlockedError.

        What is kept out is not written down; the try that closed the bucket was.
        """
        with self._database.reading() as connection:
            limits.require_open(connection, buckets, now)
        with self._database.writing() as connection:
            return limits.charge(connection, buckets, now)

    def refund(self, buckets: list[Bucket], now: datetime, *, forget: bool = False) -> None:
        """Take a counted try back."""
        with self._database.writing() as connection:
            limits.refund(connection, buckets, now, forget=forget)

    def note(
        self,
        outcome: str,
        method: str,
        visitor: Visitor,
        now: datetime,
        row: PersonRow | None,
        detail: str | None = None,
    ) -> None:
        """Write an event down. A name that nobody has is not: it may be a password."""
        known = None if row is None else (row.name, row.person_id)
        self._write(outcome, method, visitor, now, known, detail)

    def note_of(
        self,
        person: SignedIn,
        outcome: str,
        visitor: Visitor,
        now: datetime,
        detail: str | None = None,
    ) -> None:
        """Write an event of somebody who is signed in."""
        self._write(outcome, person.method, visitor, now, (person.name, person.person_id), detail)

    def _write(
        self,
        outcome: str,
        method: str,
        visitor: Visitor,
        now: datetime,
        known: tuple[str, str] | None,
        detail: str | None,
    ) -> None:
        name, person_id = known or ("", None)
        row = SignInEvent(
            at=now,
            name=name,
            person_id=person_id,
            method=method,
            address=visitor.address[:64],
            outcome=outcome,
            detail=None if detail is None else detail[:200],
        )
        with self._database.writing() as connection:
            sign_ins.erase_before(connection, now - KEPT_FOR)
            sign_ins.add(connection, row)

    def _person_of(self, flow: Flow) -> PersonRow:
        """Return who awaits a second factor. Raises FlowOverError."""
        assert flow.person_id is not None, "a step of a person"
        with self._database.reading() as connection:
            row = persons.by_id(connection, flow.person_id)
        if row is None or not row.is_active or _mark_of(row) != flow.data["of"]:
            raise FlowOverError("the person has changed since")
        return row


def is_possible_name(typed: str) -> bool:
    """Tell whether a typed name could be somebody's; others no database is asked for."""
    return len(typed) <= NAME_CHARACTERS_MAX and _NAMES.fullmatch(typed) is not None


def _mark_of(row: PersonRow) -> int | None:
    at = row.password_changed_at
    return None if at is None else int(at.timestamp() * 1_000)


def _why_not(found: PersonRow | None) -> str:
    if found is None:
        return "no such name"
    return "wrong password" if found.is_active else f"the person is {found.state}"


__all__ = [
    "BlockedError",
    "FactorNeeded",
    "FlowOverError",
    "Opened",
    "SignIn",
    "SignInRefusedError",
    "Visitor",
]
