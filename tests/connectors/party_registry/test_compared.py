"""What a registry compares is what the ledger compares, whatever was traded."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.party_registry.check_book import check_book
from connectors.party_registry.kept_sums import KeptSums
from hub.store.database import Database
from reconciliation.digests import EdgeHasher, total_of
from reconciliation.link_keys import key_of_year
from tests.connectors.party_registry.beside_ledger import (
    CODES,
    SECRET,
    BookKeeper,
    differences,
)
from tests.connectors.party_registry.market import Market
from tests.hub.world import World
from tests.integration.hub_process import register

STEPS = 120
YEAR = 2026


@pytest.fixture(scope="module")
def hub_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a database with the registries of three Parties."""
    path = tmp_path_factory.mktemp("beside") / "hub.db"
    register(f"sqlite:///{path}", dict.fromkeys(CODES, "party_registry"))
    return path


@pytest.fixture
def world(hub_file: Path, tmp_path: Path) -> Iterator[World]:
    """Return a hub that knows these registries."""
    shutil.copy(hub_file, tmp_path / "hub.db")
    opened = Database(f"sqlite:///{tmp_path}/hub.db")
    yield World(opened)
    opened.dispose()


@pytest.mark.parametrize("offset", range(3))
def test_both_sides_compare_the_same_after_every_delivery(
    world: World, tmp_path: Path, run_seed: int, offset: int
) -> None:
    """Transfers of both kinds, every purpose, uses, cancellations, refusals, waiting mail.

    Wherever a registry has all its mail, its view is the ledger's, to the serial and the value; and
    its kept sums are those of its blocks.
    """
    market = Market({code: BookKeeper(world, code, tmp_path) for code in CODES}, run_seed + offset)
    sums = {code: KeptSums() for code in CODES}
    for number in range(STEPS):
        act = market.step()
        if number % 10 == 9:
            market.settle()
        for code, keeper in market.keepers.items():
            if keeper.waiting():
                continue
            found = differences(keeper.ledger(), keeper.compared())
            assert found == [], (run_seed + offset, number, act, code)
        for code, keeper in market.keepers.items() if number % 10 == 9 else ():
            key = key_of_year(SECRET, code, YEAR)
            expected = total_of(EdgeHasher(key.secret).chunks_of(keeper.ledger(), 63))
            assert keeper.root_and_faults(sums[code], key) == (expected, 0), (run_seed, code)
            assert keeper.read(check_book) == []
    assert market.done["accepted"] > STEPS // 12, market.done
    market.close()
