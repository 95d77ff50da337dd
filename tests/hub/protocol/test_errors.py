"""Whose fault it is stands in the type, and the code comes along."""

from hub.protocol.errors import HubError, PeerError, UnavailableError
from hub.protocol.response_codes import ResponseCode


def test_a_peers_error_carries_its_code_and_its_detail() -> None:
    """The edge needs no more than the error to answer."""
    error = PeerError(ResponseCode.KEY_UNKNOWN, "no such key")
    assert isinstance(error, HubError)
    assert (error.code, error.detail) == (ResponseCode.KEY_UNKNOWN, "no such key")
    assert str(error) == "KEY_UNKNOWN: no such key"


def test_nobodys_error_says_when_to_try_again() -> None:
    """An answer to be retried always carries a time."""
    error = UnavailableError(ResponseCode.HUB_OVERLOADED, "full", retry_after_seconds=7)
    assert isinstance(error, HubError)
    assert not isinstance(error, PeerError)
    assert error.retry_after_seconds == 7
    assert str(error) == "HUB_OVERLOADED: full"
