"""Deeds about people of the console: who they are, in which role, under whose name they act.

1. What gives the most power takes two (``kinds``): the role administrator, and a link to an
   administrator, whose signatures the person's browser makes from then on.
2. Nothing secret is in a deed, nor what follows from a secret: a person who was added, or who lost
   what they sign in with, is invited afterwards.
3. A person signs under one administrator's name, and an administrator is one person: nobody is two
   pairs of eyes.
"""

from typing import Final

from sqlalchemy import Connection

from hub.services.administration.deeds import AdministrationError, Deed, require_same
from hub.services.administration.doing import Doing
from hub.services.people import persons
from hub.services.people.roles import Role
from hub.store import administrators
from hub.store.people import links
from hub.store.people import persons as store

ADD: Final = "person.add"
SET_ROLE: Final = "person.role"
DISABLE: Final = "person.disable"
ENABLE: Final = "person.enable"
RESET: Final = "person.reset"
LINK: Final = "person.administrator"


def add_person(name: str, display_name: str, role: str) -> Deed:
    """Make a person, who is invited."""
    persons.require_name(name)
    persons.require_display_name(display_name)
    given = persons.role_of(role).value
    return Deed(ADD, name, {"display_name": display_name, "role": given})


def set_role(name: str, role: str) -> Deed:
    """Give a person another role, and end their sessions."""
    return Deed(SET_ROLE, name, {"role": persons.role_of(role).value})


def disable_person(name: str) -> Deed:
    """Let a person in no more, and end their sessions."""
    return Deed(DISABLE, name, {"name": name})


def enable_person(name: str) -> Deed:
    """Let a disabled person in again."""
    return Deed(ENABLE, name, {"name": name})


def reset_person(name: str) -> Deed:
    """Forget what a person signs in with, and end their sessions; they are invited anew."""
    return Deed(RESET, name, {"name": name})


def link_administrator(name: str, administrator: str | None) -> Deed:
    """Say under which administrator's name a person acts; None: under nobody's any more."""
    return Deed(LINK, name, {"administrator": administrator})


def gives_power(deed: Deed, hub: str) -> bool:
    """Tell whether a deed about a person makes somebody an administrator in any way."""
    del hub
    if deed.kind == LINK:
        return deed.parameters["administrator"] is not None
    return bool(deed.parameters["role"] == Role.ADMINISTRATOR)


def do_add_person(doing: Doing, deed: Deed) -> None:
    """Make a person whose name nobody has or had."""
    display_name, role = deed.parameters["display_name"], deed.parameters["role"]
    require_same(add_person(deed.subject, display_name, role), deed)
    persons.add(
        doing.connection, name=deed.subject, display_name=display_name, role=role, at=doing.at
    )


def do_set_role(doing: Doing, deed: Deed) -> None:
    """Give a person another role."""
    role = deed.parameters["role"]
    require_same(set_role(deed.subject, role), deed)
    persons.set_role(doing.connection, name=deed.subject, role=role, at=doing.at)


def do_disable_person(doing: Doing, deed: Deed) -> None:
    """Let a person in no more."""
    require_same(disable_person(deed.subject), deed)
    persons.disable(doing.connection, name=deed.subject, at=doing.at)


def do_enable_person(doing: Doing, deed: Deed) -> None:
    """Let a person in again."""
    require_same(enable_person(deed.subject), deed)
    persons.enable(doing.connection, name=deed.subject, at=doing.at)


def do_reset_person(doing: Doing, deed: Deed) -> None:
    """Forget what a person signs in with."""
    require_same(reset_person(deed.subject), deed)
    persons.reset(doing.connection, name=deed.subject, at=doing.at)


def do_link_administrator(doing: Doing, deed: Deed) -> None:
    """Link a person to an administrator who is nobody else, or to nobody."""
    administrator = deed.parameters["administrator"]
    require_same(link_administrator(deed.subject, administrator), deed)
    if administrator is not None:
        active = {row.name for row in administrators.active(doing.connection)}
        if administrator not in active:
            raise AdministrationError(
                f"{administrator[:60]} is no administrator (`itmo-hub administrator list`)"
            )
    link(doing, deed.subject, administrator)


def link(doing: Doing, name: str, administrator: str | None) -> None:
    """Write the link, as part of an act. Raises AdministrationError for two names or two people."""
    if administrator is not None:
        _require_one_name(doing.connection, name, administrator)
        other = links.linked_to(doing.connection, administrator)
        if other is not None and other != name:
            raise AdministrationError(
                f"{administrator} is {other} already; an administrator is one person"
            )
    persons.link_administrator(
        doing.connection, name=name, administrator=administrator, at=doing.at
    )


def require_offered(connection: Connection, name: str, public_key_der: bytes) -> None:
    """Raise AdministrationError unless a person offered this key, proved to be theirs."""
    row = store.by_name(connection, name)
    if row is None or row.offered_key != public_key_der:
        raise AdministrationError(
            f"{name[:60]} did not offer this key; they offer it on their account's page, in the "
            "browser that made it"
        )


def _require_one_name(connection: Connection, name: str, administrator: str) -> None:
    row = store.by_name(connection, name)
    before = None if row is None else row.administrator
    if before is None or before == administrator:
        return
    if any(one.name == before for one in administrators.active(connection)):
        raise AdministrationError(
            f"{name} signs as {before}; remove that administrator first, or one person would be "
            "two pairs of eyes"
        )
