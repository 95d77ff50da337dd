"""Rewritten history at a real hub: it proves itself without a fault, and is found all the same.

The attacker has everything: the database, the keys, the code. Entries are dropped, altered,
inserted, reordered, and the log is made to fit together again. The registries and the witness that
saw the old tree are what is left, and they are enough.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.session.log.standing import list_evidence
from hub.services.check_log import check_log
from hub.store.database import Database
from tests.integration.conftest import StartHub
from tests.integration.hub_process import register
from tests.integration.log_rewriter import CHANGES, rewrite
from tests.integration.test_log_connectors import (
    HUB_ENVIRONMENT,
    Registries,
    is_history_broken,
    registries,
    trade,
    until,
)

__all__ = ["registries"]


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
async def test_a_rewritten_log_is_found_by_every_registry_that_saw_the_old_one(
    hubs: StartHub,
    registries: Registries,
    tmp_path: Path,
    change: Callable[..., object],
) -> None:
    """Both ends stop trading and keep the two checkpoints, which together convict the hub."""
    path = tmp_path / "hub.db"
    url = f"sqlite:///{path}"
    register(url)
    hub = await hubs(url, **HUB_ENVIRONMENT)
    sender = await registries.start("THA01", hub.address)
    taker = await registries.start("CHE01", hub.address)
    await trade(sender, taker, 3)
    await hub.stop()
    database = Database(url)
    assert list(check_log(database)) == []
    rewrite(database, change)  # type: ignore[arg-type]  # one of the changes
    database.dispose()
    await hub.start()
    for session in (sender, taker):
        await until(is_history_broken, session)
        assert session.context.pause is not None
        (evidence,) = await session.database.read(list_evidence, 1)
        assert evidence["believed_note"] != evidence["other_note"]
