"""Searches that a person keeps under a name: saved, renamed, forgotten, or shown at first.

They are that person's alone: nobody else sees or changes them, and no act of the log is made of
them. What is kept is the query of a page's address, as the page wrote it.
"""

from dataclasses import dataclass
from typing import Final

from hub.services.administration.deeds import is_line
from hub.services.console.ground import Ground
from hub.store.people import filters
from hub.store.people.filters import FilterRow

PAGES: Final = ("cases", "transfers")
NAME_CHARACTERS_MAX: Final = 60
QUERY_CHARACTERS_MAX: Final = 1_500
KEPT_MAX: Final = 50
"""Searches of a person for one page."""


class FilterError(Exception):
    """A search that cannot be kept so; the message says why and what helps."""


@dataclass(frozen=True, slots=True)
class SavedFilter:
    """A search as its person sees it; ``address`` is where it leads."""

    filter_id: int
    page: str
    name: str
    query: str
    is_default: bool

    @property
    def address(self) -> str:
        """Return the address of the page that it is of."""
        return f"/{self.page}?{self.query}" if self.query else f"/{self.page}"


class FilterDesk:
    """People's own searches."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def of(self, person_id: str, page: str) -> tuple[SavedFilter, ...]:
        """Return what somebody keeps for a page, by name."""
        with self._ground.database.reading() as connection:
            return tuple(_shown(row) for row in filters.of_person(connection, person_id, page))

    def save(self, person_id: str, page: str, name: str, query: str) -> SavedFilter:
        """Keep a search; one of the same name is replaced. Raises FilterError."""
        name, query = name.strip(), query.lstrip("?")
        _require(page, name, query)
        with self._ground.database.writing() as connection:
            kept = filters.of_person(connection, person_id, page)
            same = next((row for row in kept if row.name == name), None)
            if same is not None:
                filters.change(connection, same.filter_id, name=name, query=query)
                return SavedFilter(same.filter_id, page, name, query, same.is_default)
            if len(kept) >= KEPT_MAX:
                raise FilterError(f"at most {KEPT_MAX} searches are kept: delete one first")
            number = filters.add(
                connection,
                person_id=person_id,
                page=page,
                name=name,
                query=query,
                at=self._ground.clock(),
            )
        return SavedFilter(number, page, name, query, is_default=False)

    def rename(self, person_id: str, filter_id: int, name: str) -> SavedFilter:
        """Give a search another name. Raises FilterError."""
        name = name.strip()
        with self._ground.database.writing() as connection:
            row = _own(filters.load(connection, filter_id), person_id)
            _require(row.page, name, row.query)
            others = filters.of_person(connection, person_id, row.page)
            if any(one.name == name and one.filter_id != filter_id for one in others):
                raise FilterError("you keep another search under this name: choose another one")
            filters.change(connection, filter_id, name=name, query=row.query)
        return SavedFilter(filter_id, row.page, name, row.query, row.is_default)

    def forget(self, person_id: str, filter_id: int) -> SavedFilter:
        """Delete a search, and return it once more. Raises FilterError."""
        with self._ground.database.writing() as connection:
            row = _own(filters.load(connection, filter_id), person_id)
            filters.remove(connection, filter_id)
        return _shown(row)

    def show_at_first(self, person_id: str, filter_id: int, *, is_default: bool) -> SavedFilter:
        """Make a search what its page shows at first, or no longer. Raises FilterError."""
        with self._ground.database.writing() as connection:
            row = _own(filters.load(connection, filter_id), person_id)
            filters.set_default(connection, person_id, row.page, filter_id if is_default else None)
        return SavedFilter(filter_id, row.page, row.name, row.query, is_default)


def _shown(row: FilterRow) -> SavedFilter:
    return SavedFilter(row.filter_id, row.page, row.name, row.query, row.is_default)


def _own(row: FilterRow | None, person_id: str) -> FilterRow:
    """Return the row if it is the person's; another's is as if it were not there."""
    if row is None or row.person_id != person_id:
        raise FilterError("you keep no such search: it may have been deleted in another window")
    return row


def _require(page: str, name: str, query: str) -> None:
    if page not in PAGES:
        raise FilterError(f"searches are kept for {' and '.join(PAGES)}")
    if not is_line(name, NAME_CHARACTERS_MAX):
        raise FilterError(
            f"the name of a search is one line of 1 to {NAME_CHARACTERS_MAX} characters"
        )
    if len(query) > QUERY_CHARACTERS_MAX or not query.isprintable() or not query.isascii():
        raise FilterError(f"a search has at most {QUERY_CHARACTERS_MAX} characters")
