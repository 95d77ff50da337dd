"""In which language and light a person reads: kept with the person, so on every browser alike."""

from hub.services.console.ground import Ground
from hub.store.people import persons


class Preferences:
    """Keeps what people chose. Raises DatabaseUnavailableError."""

    def __init__(self, ground: Ground) -> None:
        self._database = ground.database

    def keep(self, person_id: str, language: str | None, theme: str | None) -> None:
        """Keep a person's language and theme; None leaves it to the browser."""
        with self._database.writing() as connection:
            persons.set_preferences(connection, person_id, language, theme)
