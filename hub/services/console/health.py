"""Whether the console can do its work: it reaches the database."""

from hub.services.console.ground import Ground
from hub.store import head as heads


class Health:
    """Looks whether pages can be made. Raises DatabaseUnavailableError if they cannot."""

    def __init__(self, ground: Ground) -> None:
        self._database = ground.database

    def log_index(self) -> int:
        """Return the newest index of the log, as the database tells it."""
        with self._database.reading() as connection:
            return heads.read(connection).log_index
