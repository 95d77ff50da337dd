"""A console over a small hub whose ledger, cases and log are real, and people in every role.

Pages are asked over HTTP from an application in this process. Passwords are left out here: a
session is begun as if the person had signed in with a second factor (``test_sign_in`` does it all).
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from aiohttp.test_utils import TestClient, TestServer

from hub.bootstrap_console import ground_of
from hub.config import Settings
from hub.console.application import application
from hub.console.assets import Assets
from hub.console.security import csrf_of, session_cookie
from hub.console.surroundings import Console
from hub.protocol.console_policy import ConsolePolicy
from hub.services.people.roles import Role
from hub.services.people.sessions import PASSWORD_AND_CODE, Sessions
from hub.store import transfers
from hub.store.database import Database
from hub.store.people import persons
from hub.store.people.persons import ACTIVE, PersonRow
from reconciliation.discrepancies import FindingKind
from tests.hub.log_world import publisher
from tests.hub.services.reconciliation.case_worlds import OTHER_SECTOR, compared, finding
from tests.hub.world import World, accepted
from tests.integration.peers import acceptance, block, now, proposal

ASSETS: Final = Assets()


@dataclass(frozen=True, slots=True)
class Page:
    """An answer of the console."""

    status: int
    text: str
    headers: Mapping[str, str]
    cookies: Mapping[str, str]


@dataclass(slots=True)
class ConsoleWorld:
    """A console that is served, and the hub beside it (``world``)."""

    console: Console
    client: TestClient[Any, Any]
    world: World
    people: dict[str, str] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        """Return the database of both."""
        return self.world.database

    def person(self, role: str, name: str | None = None) -> str:
        """Return the id of a person in a role; of a name of their own if one is given."""
        known = name or role
        if known not in self.people:
            self.people[known] = add_person(self.database, known, role)
        return self.people[known]

    def token(self, as_: str) -> str:
        """Return the session's token of somebody: a role, or a name given to ``person``."""
        if as_ not in self._tokens:
            person_id = self.people.get(as_) or self.person(as_)
            self._tokens[as_] = self.console.sessions.begin(
                person_id, PASSWORD_AND_CODE, "127.0.0.1", "a test", now()
            )
        return self._tokens[as_]

    async def get(self, path: str, as_: str | None = "viewer", **headers: str) -> Page:
        """Ask for a page. ``as_`` None is nobody; no redirect is followed."""
        return await self.ask("GET", path, as_, headers=headers)

    async def post(
        self,
        path: str,
        form: Mapping[str, Any] | Sequence[tuple[str, str]] = (),
        as_: str | None = "officer",
        *,
        csrf: str | None = None,
        **headers: str,
    ) -> Page:
        """Send a form with the session's own token, or the one given."""
        pairs = list(form.items()) if isinstance(form, Mapping) else list(form)
        if csrf is None and as_ is not None:
            csrf = csrf_of(self.token(as_))
        return await self.ask(
            "POST", path, as_, data=[("csrf", csrf or ""), *pairs], headers=headers
        )

    async def ask(self, method: str, path: str, as_: str | None, **options: Any) -> Page:
        """Send a request as somebody."""
        cookies = {} if as_ is None else {session_cookie(self.console): self.token(as_)}
        given = dict(options.pop("headers", {}))
        if cookies:
            given["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        self.client.session.cookie_jar.clear()
        async with self.client.request(
            method, path, allow_redirects=False, headers=given, **options
        ) as response:
            text = (await response.read()).decode("utf-8", "replace")
            kept = {name: one.value for name, one in response.cookies.items()}
            return Page(response.status, text, dict(response.headers), kept)


@asynccontextmanager
async def serve_console(
    database: Database, policy: ConsolePolicy | None = None, **changes: Any
) -> AsyncIterator[ConsoleWorld]:
    """Serve a console over a database. ``changes`` replace members of its ground."""
    settings = Settings(
        database_url=database.url.render_as_string(hide_password=False),
        console=policy or ConsolePolicy(),
    )
    ground = replace(ground_of(settings, database), **changes)
    console = Console(ground, Sessions(database, ground.console), ASSETS)
    server = TestServer(application(console), host="127.0.0.1")
    client: TestClient[Any, Any] = TestClient(server)
    await client.start_server()
    console.address = f"http://127.0.0.1:{server.port}"
    try:
        yield ConsoleWorld(console, client, World(database))
    finally:
        await client.close()
        console.close()


def add_person(database: Database, name: str, role: str, **changes: Any) -> str:
    """Enter a person who may sign in, without a password; return the id."""
    at = now() - timedelta(days=1)
    row = PersonRow(
        person_id=str(uuid4()),
        name=name.lower(),
        display_name=name.title(),
        role=Role(role).value,
        state=ACTIVE,
        created_at=at,
        changed_at=at,
    )
    with database.writing() as connection:
        assert persons.add(connection, replace(row, **changes))
    return row.person_id


def seed(world: World) -> None:
    """Play a small day: transfers in several states, a comparison with findings, a checkpoint."""
    world.begin()
    world.transfer("THA01-1", 1, 99)
    world.propose("THA01-2", 100, 149)
    digest = world.propose("THA01-3", 150, 199)
    no = acceptance(
        "THA01-3", digest, decision="reject", reasons=[{"text": "The account is closed."}]
    )
    accepted(world.say("CHE01", "THA01", no))
    third = proposal("THA01-4", block(200, 249), acquiring_account="GH-100-1")
    digest = str(accepted(world.say("THA01", "GHA01", third))["envelope_sha256"])
    accepted(world.say("GHA01", "THA01", acceptance("THA01-4", digest)))
    with world.database.reading() as connection:
        first = transfers.load(connection, ["THA01-1"])["THA01-1"]
    compared(
        world,
        finding(
            11,
            20,
            FindingKind.LOST_MESSAGE,
            cause_index=first.closed_log_index,
            reference="THA01-1",
        ),
        finding(31, 35, FindingKind.HELD_TWICE),
        finding(41, 41, registry=(OTHER_SECTOR,)),
    )
    compared(world, registry="GHA01")
    publisher(world.database).publish(now())
