"""The console's rooms, as its navigation lists them to somebody in a role."""

from dataclasses import dataclass
from typing import Final

from hub.console.translating import N_
from hub.services.people.roles import Right, Role, may


@dataclass(frozen=True, slots=True)
class Entry:
    """A room: its address, its marked name, and whether the reader is in it."""

    path: str
    name: str
    is_current: bool


_ROOMS: Final = (
    ("/", N_("Tonight"), Right.LOOK),
    ("/cases", N_("Cases"), Right.LOOK),
    ("/transfers", N_("Transfers"), Right.LOOK),
    ("/registries", N_("Registries"), Right.LOOK),
    ("/suspensions", N_("Suspensions"), Right.LOOK),
    ("/ledger", N_("Ledger"), Right.LOOK),
    ("/log", N_("Log"), Right.LOOK),
    ("/approvals", N_("Approvals"), Right.READ_ACTS),
    ("/acts", N_("Acts"), Right.READ_ACTS),
    ("/people", N_("People"), Right.READ_ACTS),
    ("/system", N_("System"), Right.LOOK),
)


def entries(role: Role | None, path: str) -> list[Entry]:
    """Return the rooms that a role may enter."""
    if role is None:
        return []
    return [
        Entry(room, name, _is_in(path, room)) for room, name, right in _ROOMS if may(role, right)
    ]


def _is_in(path: str, room: str) -> bool:
    if room == "/":
        return path == "/" or path.startswith("/nights")
    return path == room or path.startswith(f"{room}/")
