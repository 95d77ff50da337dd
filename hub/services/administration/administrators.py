"""Deeds about administrators themselves: who may sign which acts, from when until when.

1. An administrator has one name and one key, neither ever used twice. The key is made under the
   hub's code and is in nobody's list of message keys: it signs acts and opens no door.
2. An administrator has a role, which says for which kinds of acts the key's signature counts
   (``people.roles``). It stays the same for ever, as name and key do: whoever gets another role
   gets another name and key. A deed without a role is of the role administrator.
3. Somebody can always administer: the first one has the role administrator, and the last one of
   this role cannot be removed.
"""

from collections.abc import Mapping
from typing import Any, Final

from hub.services.administration import people
from hub.services.administration.deeds import (
    ACTOR_CHARACTERS_MAX,
    AdministrationError,
    Deed,
    is_line,
    require_same,
)
from hub.services.administration.doing import Doing
from hub.services.administration.key_forms import key_form, key_of_form
from hub.services.people.roles import Right, Role, may, may_sign
from hub.store import administrators
from hub.store.administrators import AdministratorRow
from keys.algorithms import signs_messages
from keys.public_keys import KeyRecord

ADDED: Final = "administrator.add"
REMOVED: Final = "administrator.remove"
_SIGNING: Final = frozenset({Right.WORK_CASES, Right.OPERATE, Right.ADMINISTER})
SIGNING_ROLES: Final = tuple(role for role in Role if any(may(role, one) for one in _SIGNING))
"""The roles whose signature counts for some act."""


def add_administrator(
    name: str, key: KeyRecord, role: str = Role.ADMINISTRATOR, person: str | None = None
) -> Deed:
    """Register an administrator with the key they sign acts with, and for which kinds of acts.

    ``person`` is who offered the key in their browser, and acts under this name from then on.
    """
    if not is_line(name, ACTOR_CHARACTERS_MAX):
        raise AdministrationError(
            f"an administrator's name is one line of 1 to {ACTOR_CHARACTERS_MAX} characters"
        )
    if key.valid_until is not None:
        raise AdministrationError(
            f"the key {key.key_id} ends by itself; an administrator's key ends when it is removed. "
            "Make one without --valid-until"
        )
    if not signs_messages(key.algorithm):
        raise AdministrationError(f"{key.algorithm} cannot sign acts; take Ed25519 or ES256")
    if role not in SIGNING_ROLES:
        raise AdministrationError(
            f"the role {role[:20]!r} signs no acts; an administrator's is one of "
            f"{', '.join(SIGNING_ROLES)}"
        )
    parameters: dict[str, Any] = {"participant": key.participant, "keys": [key_form(key)]}
    # The role of whoever may all stands nowhere: so the deeds of before keep their one form.
    if role != Role.ADMINISTRATOR:
        parameters["role"] = str(role)
    if person is not None:
        parameters["person"] = person
    return Deed(ADDED, name, parameters)


def remove_administrator(name: str) -> Deed:
    """End an administrator's time; what they signed before stays good."""
    return Deed(REMOVED, name, {"name": name})


def do_add_administrator(doing: Doing, deed: Deed) -> None:
    """Register an administrator whose name and key nobody has or had."""
    (form,) = deed.parameters["keys"]
    key = key_of_form(deed.parameters["participant"], form)
    role = role_of(deed.parameters)
    person = deed.parameters.get("person")
    require_same(add_administrator(deed.subject, key, role, person), deed)
    hub = doing.identity.hub
    if key.participant != hub:
        raise AdministrationError(
            f"{key.key_id} is made for {key.participant}; an administrator's key is made with "
            f"`itmo-hub keys generate --participant {hub}`"
        )
    if key.valid_from > doing.at:
        raise AdministrationError(f"the key {key.key_id} is not valid yet")
    every = administrators.every(doing.connection)
    if role != Role.ADMINISTRATOR and not any(row.removed_at is None for row in every):
        raise AdministrationError(
            f"the first administrator has the role administrator, not {role}: nobody could "
            "register another one, and every act would need a signature"
        )
    for row in every:
        if row.name == deed.subject:
            raise AdministrationError(f"there is or was an administrator {row.name}")
        if row.key.public_key_der == key.public_key_der:
            raise AdministrationError(
                f"{key.key_id} is or was the key of {row.name}; nobody signs under two names"
            )
    for record in doing.data.trust.records():
        if record.public_key_der == key.public_key_der:
            raise AdministrationError(
                f"{key.key_id} signs messages of {record.participant}; an administrator needs a "
                "key of their own"
            )
    administrators.add(
        doing.connection, AdministratorRow(deed.subject, key.public_key, doing.at, None, role)
    )
    if person is not None:
        people.require_offered(doing.connection, person, key.public_key_der)
        people.link(doing, person, deed.subject)


def do_remove_administrator(doing: Doing, deed: Deed) -> None:
    """Remove an administrator, unless nobody could administer afterwards."""
    require_same(remove_administrator(deed.subject), deed)
    active = {row.name: row.role for row in administrators.active(doing.connection)}
    if deed.subject not in active:
        raise AdministrationError(f"{deed.subject[:60]} is no administrator")
    left = [role for name, role in active.items() if name != deed.subject]
    if not any(may_sign(role, ADDED) for role in left):
        raise AdministrationError(
            f"{deed.subject} is the last administrator with the role administrator, and nobody "
            "could register another one; add one first"
        )
    administrators.remove(doing.connection, deed.subject, doing.at)


def role_of(parameters: Mapping[str, Any]) -> str:
    """Return the role that a deed of adding gives; one that says none gives all rights."""
    role = parameters.get("role", Role.ADMINISTRATOR)
    return str(role)
