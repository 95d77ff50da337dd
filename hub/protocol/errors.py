"""Whose fault it is stands in the type; the edge turns it into HTTP, in one place.

- ``PeerError``: the peer's fault. Checked and wrong: final, the same bytes will fail again.
- ``UnavailableError``: nobody's fault. The hub cannot tell now: retry after a while.
- Anything else is our own defect and is left to crash loudly.
"""

from hub.protocol.response_codes import ResponseCode


class HubError(Exception):
    """Anything the hub answers with a problem document."""


class PeerError(HubError):
    """The envelope broke a rule at the door, before it could be given a receipt."""

    def __init__(self, code: ResponseCode, detail: str) -> None:
        super().__init__(f"{code.name}: {detail}")
        self.code = code
        self.detail = detail


class UnavailableError(HubError):
    """The hub cannot answer now. ``retry_after_seconds`` is its best guess of when it can."""

    def __init__(self, code: ResponseCode, detail: str, *, retry_after_seconds: int) -> None:
        super().__init__(f"{code.name}: {detail}")
        self.code = code
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds
