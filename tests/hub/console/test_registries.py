"""Registries in the console: the list, the page of one, and what somebody may do there."""

import pytest

from tests.hub.console.console_world import ConsoleWorld


@pytest.mark.parametrize("as_", ["viewer", "officer", "operator", "administrator", "auditor"])
@pytest.mark.parametrize(
    "path",
    [
        "/registries",
        "/registries/THA01",
        "/registries/CHE01/deliveries",
        "/registries/GHA01/accounts",
        "/registries/XHB01",
        "/registries/XIR01",
        "/registries/XMR01",
        "/suspensions",
        "/system",
    ],
)
async def test_everybody_who_may_look_sees_the_registries(
    console: ConsoleWorld, path: str, as_: str
) -> None:
    """Every role has the right to look; the page is whole."""
    page = await console.get(path, as_=as_)
    assert page.status == 200, page.text
    assert page.text.count("<h1>") == 1
