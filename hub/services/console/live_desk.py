"""What changed between two looks, as topics: pages are told *that*, and ask for themselves *what*.

So nobody is told anything here that their role may not see, and a look costs the same however many
people watch.
"""

from typing import Final

from hub.services.console.ground import Ground
from hub.store.console.pulse import Pulse, pulse

__all__ = ["TOPICS", "LiveDesk", "Pulse", "topics_of"]

TOPICS: Final = ("head", "cases", "nights", "registries", "people")


class LiveDesk:
    """Looks whether anything changed."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def look(self) -> Pulse:
        """Return the numbers of now. Raises DatabaseUnavailableError."""
        with self._ground.database.reading() as connection:
            return pulse(connection)


def topics_of(before: Pulse, after: Pulse) -> list[str]:
    """Return what changed, of ``TOPICS``, in their order."""
    return [topic for topic in TOPICS if getattr(before, topic) != getattr(after, topic)]
