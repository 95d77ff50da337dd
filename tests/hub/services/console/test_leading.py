"""Nobody leads: told after as long as a restart takes, and taken back at once."""

from datetime import timedelta

from hub.services.console.leading import PATIENCE, LeaderWatch, is_led
from hub.services.leadership import Leadership
from hub.store.database import Database
from tests.integration.peers import now


def test_it_is_told_since_when_nobody_leads(either: Database) -> None:
    """Not at first sight, but once it lasts; a leader ends it, and it begins anew afterwards."""
    watch, at = LeaderWatch(), now()

    def since(after: timedelta) -> object:
        with either.reading() as connection:
            return watch.missing_since(connection, either, at + after)

    assert since(timedelta()) is None
    assert since(PATIENCE / 2) is None
    assert since(PATIENCE) == at
    leads = Leadership(either)
    assert leads.seek()
    try:
        with either.reading() as connection:
            assert is_led(connection, either)
        assert since(2 * PATIENCE) is None
    finally:
        leads.close()
    assert since(3 * PATIENCE) is None
    assert since(4 * PATIENCE) == at + 3 * PATIENCE
