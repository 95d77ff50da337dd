"""One hub process for the tests of a module that only look at it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.hub_process import HubUnderTest, register


@pytest.fixture(scope="module")
def live_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubUnderTest]:
    """Run a hub on SQLite, with a port for the operator's metrics."""
    folder: Path = tmp_path_factory.mktemp("hub")
    url = f"sqlite:///{folder}/hub.db"
    register(url)
    hub = HubUnderTest(url, folder, environment={"ITMO_HUB_METRICS_PORT": "0"}).start_now()
    yield hub
    hub.kill_now()
