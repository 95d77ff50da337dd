"""Sessions: who a browser is, from signing in to signing out.

1. A token is 256 random bits. The browser has it in a cookie, the database its SHA-256: a copy of
   the database opens no session.
2. A session ends when it is not used for a while (``session_idle_seconds``), and in any case after
   ``session_seconds_max``; at once when the person is disabled, or gets another role.
3. When it was last used is written at most once a minute, aside: a page is never late, nor fails,
   because the database is busy.
4. Whoever signs in, or proves once more who they are, gets a new token; the old one opens nothing.
"""

import hashlib
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Final
from uuid import uuid4

import structlog

from hub.protocol.console_policy import ConsolePolicy
from hub.services.people.roles import Role
from hub.store.database import Database, DatabaseUnavailableError
from hub.store.people import persons
from hub.store.people import sessions as store
from hub.store.people.sessions import FoundSession, SessionRow

log = structlog.get_logger(__name__)

SEEN_EVERY: Final = timedelta(seconds=60)
FRESH_FOR: Final = timedelta(minutes=15)
"""How long after signing in somebody may change how they sign in."""
PASSWORD: Final = "password"  # noqa: S105 - the name of a way to sign in
PASSWORD_AND_CODE: Final = "password+totp"  # noqa: S105 - likewise
PASSKEY: Final = "passkey"
OIDC: Final = "oidc"

_TOKEN_BYTES: Final = 32
_ADDRESS_CHARACTERS_MAX: Final = 64
_AGENT_CHARACTERS_MAX: Final = 200


class ShutOutError(Exception):
    """The person was shut out while they signed in."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is signed in, as every page needs it.

    ``since`` is when they last proved who they are. ``is_confined``: with a password alone, where a
    second factor is required; such a session reaches nothing but their own account.
    """

    person_id: str
    name: str
    display_name: str
    role: Role
    administrator: str | None
    session_id: str
    method: str
    language: str | None
    theme: str | None
    since: datetime
    is_confined: bool = False

    def is_fresh(self, now: datetime) -> bool:
        """Tell whether they proved who they are a short while ago."""
        return now - self.since <= FRESH_FOR


@dataclass(frozen=True, slots=True)
class ListedSession:
    """An open session as its person sees it."""

    session_id: str
    method: str
    address: str
    agent: str
    begun_at: datetime
    seen_at: datetime
    ends_at: datetime


class Sessions:
    """The sessions of one console. Methods block; all but ``find`` write to the database.

    Raises DatabaseUnavailableError.
    """

    def __init__(self, database: Database, policy: ConsolePolicy) -> None:
        self._database = database
        self._idle = timedelta(seconds=policy.session_idle_seconds)
        self._longest = timedelta(seconds=policy.session_seconds_max)
        self._demands_factor = policy.second_factor == "required"
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="sessions-seen")
        self._being_seen: set[bytes] = set()
        self._lock = Lock()

    def find(self, token: str, now: datetime, *, by_itself: bool = False) -> SignedIn | None:
        """Return whose token it is; None if it is nobody's, or the session has ended.

        What a page asks ``by_itself`` (a live update) is no use of it: left alone, it ends.
        """
        digest = digest_of(token)
        with self._database.reading() as connection:
            found = store.find(connection, digest, now - self._idle, now)
        if found is None:
            return None
        if not by_itself and now - found.row.seen_at >= min(SEEN_EVERY, self._idle / 2):
            self._see_aside(digest, now)
        return self._signed_in(found)

    def begin(self, person_id: str, method: str, address: str, agent: str, now: datetime) -> str:
        """Begin a session and return its token; sessions whose time is over are deleted.

        Raises ShutOutError for who was disabled or reset since they were judged.
        """
        token = new_token()
        row = SessionRow(
            session_id=str(uuid4()),
            person_id=person_id,
            method=method,
            address=address[:_ADDRESS_CHARACTERS_MAX],
            agent=printable(agent)[:_AGENT_CHARACTERS_MAX],
            created_at=now,
            seen_at=now,
            ends_at=now + self._longest,
        )
        with self._database.writing() as connection:
            # First, as whoever shuts somebody out does: so one of both waits for the other.
            if not persons.note_signed_in(connection, person_id, now):
                raise ShutOutError
            store.erase_ended(connection, now)
            store.add(connection, digest_of(token), row)
        return token

    def replace(self, token: str, method: str, now: datetime) -> str | None:
        """Return the new token of a session whose person proved more; None if it has ended.

        When the session ends at the latest stays as it was.
        """
        made = new_token()
        with self._database.writing() as connection:
            done = store.replace_token(connection, digest_of(token), digest_of(made), method, now)
        return made if done else None

    def end(self, token: str) -> bool:
        """End the session of a token; tell whether there was one."""
        with self._database.writing() as connection:
            return store.remove(connection, digest_of(token))

    def end_one(self, person_id: str, session_id: str) -> bool:
        """End one of a person's sessions; tell whether there was one."""
        with self._database.writing() as connection:
            return store.remove_one(connection, person_id, session_id)

    def end_all(self, person_id: str, but: str | None = None) -> int:
        """End a person's sessions, except the one with the id ``but``; return how many."""
        with self._database.writing() as connection:
            return store.remove_all(connection, person_id, but)

    def listed(self, person_id: str, now: datetime) -> list[ListedSession]:
        """Return a person's open sessions, the last used first."""
        with self._database.reading() as connection:
            rows = store.listed(connection, person_id, now - self._idle, now)
        return [
            ListedSession(
                session_id=row.session_id,
                method=row.method,
                address=row.address,
                agent=row.agent,
                begun_at=row.created_at,
                seen_at=row.seen_at,
                ends_at=row.ends_at,
            )
            for row in rows
        ]

    def settle(self) -> None:
        """Wait until all that is written aside is written."""
        self._aside.submit(lambda: None).result()

    def close(self) -> None:
        """Let the thread end."""
        self._aside.shutdown(wait=False, cancel_futures=True)

    def _signed_in(self, found: FoundSession) -> SignedIn:
        row = found.row
        return SignedIn(
            person_id=row.person_id,
            name=found.name,
            display_name=found.display_name,
            role=Role(found.role),
            administrator=found.administrator,
            session_id=row.session_id,
            method=row.method,
            language=found.language,
            theme=found.theme,
            since=row.created_at,
            is_confined=self._demands_factor and row.method == PASSWORD,
        )

    def _see_aside(self, digest: bytes, now: datetime) -> None:
        with self._lock:
            if digest in self._being_seen:
                return
            self._being_seen.add(digest)
        try:
            self._aside.submit(self._see, digest, now)
        except RuntimeError:  # the console is closing
            self._being_seen.discard(digest)

    def _see(self, digest: bytes, now: datetime) -> None:
        try:
            with self._database.writing() as connection:
                store.see(connection, digest, now)
        except DatabaseUnavailableError as error:
            log.warning("session_use_not_written", reason=str(error))
        finally:
            self._being_seen.discard(digest)


def new_token() -> str:
    """Return 256 random bits as text that fits an address, a cookie and a form."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def digest_of(token: str) -> bytes:
    """Return what the database has of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def printable(text: str) -> str:
    """Return a text from outside without what no list should show."""
    return "".join(one if one.isprintable() else "?" for one in text)
