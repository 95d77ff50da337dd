"""Acts: what was done without an envelope, in the same order."""

from hub.store import acts, envelopes
from hub.store.acts import ActRow
from hub.store.database import Database
from tests.hub.store.samples import AT, rolled_back

EVERY_BYTE = bytes(range(256))


def test_an_act_is_kept_with_who_and_why(shared_database: Database) -> None:
    """An operator's act has a place in the same order as envelopes."""
    with rolled_back(shared_database) as connection:
        act = ActRow(
            log_index=60,
            at=AT,
            kind="key.revoke",
            actor="secretariat",
            subject="THA01-1",
            reason="lost",
            detail="{}",
            document=EVERY_BYTE,
            salt=b"salt" * 4,
        )
        acts.add(connection, [act])
        assert acts.at(connection, 60) == act
        assert acts.at(connection, 61) is None
        assert envelopes.at(connection, 60) is None
