"""Who waits for new items of a mailbox in this process (long polls of pulling participants)."""

import asyncio
from collections.abc import Iterable


class News:
    """Wakes the long polls of a recipient."""

    def __init__(self) -> None:
        self._events: dict[str, asyncio.Event] = {}

    def tell(self, recipients: Iterable[str]) -> None:
        """Wake everyone who waits for one of these recipients."""
        for recipient in recipients:
            event = self._events.pop(recipient, None)
            if event is not None:
                event.set()

    async def wait(self, recipient: str, seconds: float) -> None:
        """Return when there is news for the recipient, or when the time is over."""
        event = self._events.setdefault(recipient, asyncio.Event())
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            return
