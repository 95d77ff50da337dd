"""Who waits for new items of a mailbox in this process (long polls of pulling participants)."""

import asyncio
import contextlib
from collections.abc import Iterable


class News:
    """Wakes the long polls of a recipient."""

    def __init__(self) -> None:
        self._events: dict[str, asyncio.Event] = {}
        self._closed = False

    def tell(self, recipients: Iterable[str]) -> None:
        """Wake everyone who waits for one of these recipients."""
        for recipient in recipients:
            event = self._events.pop(recipient, None)
            if event is not None:
                event.set()

    def close(self) -> None:
        """End every wait, now and from now on: a hub that stops keeps nobody waiting."""
        self._closed = True
        self.tell(list(self._events))

    async def wait(self, recipient: str, seconds: float) -> bool:
        """Return when there is news for the recipient, or when the time is over.

        False means that there will be none any more, so that waiting again is in vain.
        """
        if self._closed:
            return False
        event = self._events.setdefault(recipient, asyncio.Event())
        with contextlib.suppress(TimeoutError):
            # not wait_for(): on Python 3.11 it can swallow a cancellation
            async with asyncio.timeout(seconds):
                await event.wait()
        return not self._closed
