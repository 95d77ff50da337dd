"""The route of a transfer as a picture: three lifelines, an arrow for each message and delivery.

It is drawn by the server, in numbers; the words beside the arrows are translated where it is shown.
Who is told beside the two ends (registries of other Parties) is left to the list below it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hub.console.translating import N_
from hub.services.console.transfers.logged_messages import DeliveryEvent, MessageEvent
from hub.services.console.transfers.transfer_story import ActEvent, Event, Story

LANES: Final = (90, 320, 550)
WIDTH: Final = 640
_TOP: Final = 64
_STEP: Final = 36
_HEAD: Final = 8
ARROWS_MAX: Final = 24


@dataclass(frozen=True, slots=True)
class Arrow:
    """One arrow from ``x1`` to ``x2`` at ``y``; ``head`` are the points of its tip.

    ``label`` is marked, ``number`` the entry of the log. ``style`` is done, open or act; an act has
    no way to go.
    """

    y: int
    x1: int
    x2: int
    head: str
    label: str
    number: int | None
    style: str

    @property
    def middle(self) -> int:
        """Where its words stand."""
        return (self.x1 + self.x2) // 2


@dataclass(frozen=True, slots=True)
class Picture:
    """All arrows, the names over the lifelines, and the size."""

    names: tuple[tuple[int, str], ...]
    arrows: tuple[Arrow, ...]
    width: int
    height: int
    is_cut: bool


_SAID: Final = {
    "proposal": N_("proposes"),
    "acceptance": N_("accepts"),
    "rejection": N_("rejects"),
    "withdrawal": N_("withdraws"),
    "acknowledgement": N_("acknowledges"),
}
_TOLD: Final = {
    "proposal": N_("delivers the proposal"),
    "acceptance": N_("tells: completed"),
    "rejection": N_("tells: rejected"),
    "withdrawal": N_("tells: cancelled"),
    "expiry": N_("tells: expired"),
}


def picture_of(story: Story, hub: str) -> Picture:
    """Return the picture of a story."""
    transfer = story.transfer
    lanes = {transfer.initiator: LANES[0], hub: LANES[1], transfer.acquirer: LANES[2]}
    drawn = [one for event in story.events for one in _drawn(event, lanes)]
    arrows = tuple(
        _arrow(_TOP + _STEP * place, *one) for place, one in enumerate(drawn[:ARROWS_MAX])
    )
    names = ((LANES[0], transfer.initiator), (LANES[1], hub), (LANES[2], transfer.acquirer))
    height = _TOP + _STEP * len(arrows) + 8
    return Picture(names, arrows, WIDTH, height, len(drawn) > ARROWS_MAX)


def _drawn(event: Event, lanes: dict[str, int]) -> Iterator[tuple[int, int, str, int | None, str]]:
    """Yield from where to where, the word, the entry and the style of what an event draws."""
    match event:
        case MessageEvent() if event.sender in lanes:
            role = next((one for one in event.roles if one != "acknowledgement"), event.roles[-1])
            yield lanes[event.sender], LANES[1], _SAID[role], event.log_index, "done"
        case DeliveryEvent() if event.recipient in lanes:
            style = "done" if event.acknowledged_log_index is not None else "open"
            yield LANES[1], lanes[event.recipient], _TOLD[event.role], event.log_index, style
        case ActEvent():
            yield LANES[1], LANES[1], N_("ends it: no answer in time"), event.log_index, "act"
        case _:
            return


def _arrow(y: int, x1: int, x2: int, label: str, number: int | None, style: str) -> Arrow:
    if x1 == x2:
        return Arrow(y, x1, x2, "", label, number, style)
    back = -_HEAD if x2 > x1 else _HEAD
    head = f"{x2},{y} {x2 + back},{y - 4} {x2 + back},{y + 4}"
    return Arrow(y, x1, x2, head, label, number, style)
