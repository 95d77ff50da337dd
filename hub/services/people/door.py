"""The desk of signing in: everything it takes, made once, and threads of its own.

Passwords cost time on purpose. So what signs in waits in a line of its own, and a flood of it
keeps no page from the database.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar

from hub.services.console.ground import Ground
from hub.services.people.invitations import Invitations
from hub.services.people.own_account import OwnAccount
from hub.services.people.passwords import BusyError, Passwords
from hub.services.people.persons import Persons
from hub.services.people.provider import Provider
from hub.services.people.provider_sign_in import ProviderSignIn
from hub.services.people.sealing import Sealing
from hub.services.people.sessions import Sessions
from hub.services.people.sign_in import SignIn

THREADS: Final = 3
WAITING_MAX: Final = 40

P = ParamSpec("P")
T = TypeVar("T")


class Door:
    """What people sign in with. Raises StartError where a secret cannot be read or made."""

    def __init__(self, ground: Ground, passwords: Passwords | None = None) -> None:
        database, policy = ground.database, ground.console
        sealing = Sealing.open(policy, database)
        passwords = passwords or Passwords()
        self.sessions = Sessions(database, policy)
        self.sign_in = SignIn(database, policy, sealing, passwords, self.sessions)
        self.account = OwnAccount(
            database,
            policy,
            sealing,
            passwords,
            self.sessions,
            self.sign_in,
            ground.identity.hub,
        )
        self.invitations = Invitations(database, passwords, self.sign_in)
        self.persons = Persons(database)
        self.provider: Provider | None = None
        self.provider_sign_in: ProviderSignIn | None = None
        if policy.oidc is not None:
            self.provider = Provider(policy.oidc, ground.clock)
            self.provider_sign_in = ProviderSignIn(
                database, self.sign_in, self.invitations, policy.oidc.issuer
            )
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sign-in")
        self._waiting = 0

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call what blocks in one of the door's threads. Raises BusyError when too many wait."""
        if self._waiting >= WAITING_MAX:
            raise BusyError("too many people are signing in at this moment")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, partial(function, *args, **kwargs))
        finally:
            self._waiting -= 1
