"""Which person acts under which administrator's name."""

from sqlalchemy import Connection, select

from hub.store.people.tables import person


def linked_to(connection: Connection, administrator: str) -> str | None:
    """Return the name of the person who acts under an administrator's name, if there is one."""
    found = (
        select(person.c.name)
        .where(person.c.administrator == administrator)
        .order_by(person.c.name)
        .limit(1)
    )
    return connection.execute(found).scalar_one_or_none()
