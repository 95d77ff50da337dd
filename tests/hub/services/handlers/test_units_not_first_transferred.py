"""Both ends of what happened are told which of its units are not first transferred even now."""

from pathlib import Path

import pytest

from hub.store.interning import Interning
from hub.store.ledger import all_blocks
from tests.hub.services.handlers.test_first_transfers import (
    CODES,
    PLACES,
    TABLE,
    stage_file,
    stage_of,
)
from tests.hub.world import World, notices_to

__all__ = ["stage_file"]


def unflagged_serials(world: World) -> set[int]:
    """Return the serials in the ledger that are not first transferred."""
    with world.database.reading() as connection:
        return {
            serial
            for found in all_blocks(connection, Interning())
            if found.first_transfer is None
            for serial in range(found.first, found.last + 1)
        }


@pytest.mark.parametrize(("name", "column"), PLACES, ids=[f"{a}: {b}" for a, b in PLACES])
def test_both_ends_are_told_which_units_are_not_first_transferred_even_now(
    stage_file: Path, tmp_path: Path, name: str, column: str
) -> None:
    """A completion, and the record of an act, name exactly the units that the ledger has so."""
    stage = stage_of(stage_file, tmp_path, name, column)
    final = {"transfer.completed", "action.recorded"}
    heard = dict.fromkeys(CODES, 0)
    for number, step in enumerate(TABLE[name].steps):
        stage.step = number
        step(stage)
        expected = unflagged_serials(stage.world)
        for code in CODES:
            bodies = [body for type_, body in notices_to(stage.world, code) if type_ in final]
            for body in bodies[heard[code] :]:
                said = {
                    serial
                    for found in body.get("not_first_transferred", ())
                    for first, last in [(found["first_id"], found["last_id"])]
                    for serial in range(int(first.split("-")[3]), int(last.split("-")[3]) + 1)
                }
                assert said == expected
            heard[code] = len(bodies)
    stage.world.database.dispose()
