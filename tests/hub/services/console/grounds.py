"""The ground of desks over a test's database."""

from dataclasses import replace
from typing import Any

from hub.bootstrap_console import ground_of
from hub.config import Settings
from hub.services.console.ground import Ground
from hub.store.database import Database


def ground_over(database: Database, **changes: Any) -> Ground:
    """Return the usual ground; ``changes`` replace members of it."""
    settings = Settings(database_url=database.url.render_as_string(hide_password=False))
    return replace(ground_of(settings, database), **changes)
