"""Where the story is played: the world, the screen, and waiting for something to come true."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from hub.demo.desk import Desk
from hub.demo.screen import Screen, TransferView
from hub.demo.world import World
from hub.store import transfers
from hub.store.database import Database

WAIT_SECONDS_MAX: Final = 20.0
LOOK_SECONDS: Final = 0.05
_UNKNOWN: Final = "-"


class DemoError(Exception):
    """Something did not happen as told."""


@dataclass(slots=True)
class Stage:
    """One demonstration in progress; ``result`` collects what it can show for itself.

    ``feed_blocks`` is the length of the mechanism registry's feed.
    """

    world: World
    screen: Screen
    database: Database
    feed_blocks: int
    result: dict[str, Any] = field(default_factory=dict)

    def say(self, text: str) -> None:
        """Tell the viewer one sentence."""
        self.screen.say(text)

    def desk(self, code: str) -> Desk:
        """Return the operator's desk of a registry."""
        return self.world.desks[code]

    def require(self, fact: bool, text: str) -> None:
        """Go on only if it is so. Raises DemoError."""
        if not fact:
            raise DemoError(text)

    def all_quiet(self) -> bool:
        """Tell whether the hub answered everything that the registries sent."""
        return all(desk.quiet() for desk in self.world.desks.values())

    def until(self, what: str, condition: Callable[[], bool]) -> None:
        """Look again and again until it is so, and keep the table of transfers up to date.

        Raises DemoError when it takes too long, ProcessFailedError when a process ended.
        """
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while True:
            self.screen.show(self.transfers())
            if condition():
                return
            if time.monotonic() > deadline:
                raise DemoError(f"waited {WAIT_SECONDS_MAX:.0f} seconds in vain: {what}")
            self.world.processes.check()
            time.sleep(LOOK_SECONDS)

    def until_arrived(self, transfer_id: str, receiver: Desk) -> None:
        """Wait until the receiver's operator can see a transfer."""
        self.until(
            f"{transfer_id} arrives at {receiver.code}",
            lambda: transfer_id in receiver.transfers(),
        )

    def until_closed(self, transfer_id: str, state: str) -> None:
        """Wait until sender, receiver and hub all say that a transfer ended so."""

        def closed() -> bool:
            views = [view for view in self.transfers() if view.transfer_id == transfer_id]
            return bool(views) and set(views[0].states.values()) == {state}

        self.until(f"everybody says that {transfer_id} is {state}", closed)
        self.screen.show(self.transfers())

    def transfers(self) -> list[TransferView]:
        """Return every transfer as its two registries and the hub have it, the oldest first."""
        with self.database.reading() as connection:
            central = {row.transfer_id: str(row.state) for row in transfers.search(connection)}
        known = {code: desk.transfers() for code, desk in self.world.desks.items()}
        sent = [
            (code, transfer)
            for code, transfers_there in known.items()
            for transfer in transfers_there.values()
            if transfer["direction"] == "outgoing"
        ]
        views = []
        for code, transfer in sorted(sent, key=lambda one: str(one[1]["created_at"])):
            name, receiver = transfer["transfer_id"], transfer["counterparty"]
            there = known[receiver].get(name, {})
            states = {
                code: transfer["state"],
                receiver: there.get("state", _UNKNOWN),
                "hub": central.get(name, _UNKNOWN),
            }
            route = f"{code} → {receiver}"
            views.append(TransferView(name, route, transfer["quantity"], states))
        return views
