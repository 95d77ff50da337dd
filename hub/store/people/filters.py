"""Searches that people keep, by page; at most one of them is what a page shows at first."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, insert, select, update

from hub.store.people.tables import saved_filter


@dataclass(frozen=True, slots=True)
class FilterRow:
    """A search somebody keeps: of which page, its name, and the query of the page's address."""

    filter_id: int
    person_id: str
    page: str
    name: str
    query: str
    is_default: bool
    created_at: datetime


_NAMES: Final = tuple(one.name for one in fields(FilterRow))
_FILTERS: Final = select(*(saved_filter.c[name] for name in _NAMES))


def of_person(connection: Connection, person_id: str, page: str) -> list[FilterRow]:
    """Return what somebody keeps for a page, by name."""
    found = _FILTERS.where(saved_filter.c.person_id == person_id, saved_filter.c.page == page)
    return [FilterRow(*row) for row in connection.execute(found.order_by(saved_filter.c.name))]


def load(connection: Connection, filter_id: int) -> FilterRow | None:
    """Return a search by its number, or None."""
    found = _FILTERS.where(saved_filter.c.filter_id == filter_id)
    row = connection.execute(found).one_or_none()
    return None if row is None else FilterRow(*row)


def add(
    connection: Connection, *, person_id: str, page: str, name: str, query: str, at: datetime
) -> int:
    """Keep a search; return its number. The name must be free."""
    result = connection.execute(
        insert(saved_filter).values(
            person_id=person_id,
            page=page,
            name=name,
            query=query,
            is_default=False,
            created_at=at,
        )
    )
    key = result.inserted_primary_key
    assert key is not None, "the database numbers searches"
    return int(key[0])


def change(connection: Connection, filter_id: int, *, name: str, query: str) -> None:
    """Give a search another name and query. Exactly one row changes, or the caller is wrong."""
    result = connection.execute(
        update(saved_filter)
        .where(saved_filter.c.filter_id == filter_id)
        .values(name=name, query=query)
    )
    assert result.rowcount == 1, f"search {filter_id} is not there"


def set_default(connection: Connection, person_id: str, page: str, filter_id: int | None) -> None:
    """Make one of somebody's searches what a page shows at first, or none."""
    of_page = (saved_filter.c.person_id == person_id, saved_filter.c.page == page)
    connection.execute(update(saved_filter).where(*of_page).values(is_default=False))
    if filter_id is not None:
        connection.execute(
            update(saved_filter)
            .where(*of_page, saved_filter.c.filter_id == filter_id)
            .values(is_default=True)
        )


def remove(connection: Connection, filter_id: int) -> None:
    """Forget a search."""
    connection.execute(delete(saved_filter).where(saved_filter.c.filter_id == filter_id))
